"""Domains of people's own and sites that may frame an app: what may be asked for, and what follows from what DNS says."""

from dataclasses import replace

import pytest

from orchestrator.domain.embed import origins
from orchestrator.domain.own_domain import (
    GIVEN_UP,
    RECHECK,
    SILENCE,
    SOON,
    DnsSeen,
    DomainState,
    OwnDomain,
    check_domain,
    judge,
)
from orchestrator.errors import Invalid

OURS = ("podium.example.org", "apps.example.net", "localhost")
NOW = 1_000_000.0
ASKED = OwnDomain("s" * 24, "demo.example.com", "t" * 32, "ada", NOW, check_at=NOW + SOON)
PROVEN = DnsSeen((ASKED.proof_value,), leads=("10.0.0.1",), home=("10.0.0.1", "10.0.0.2"))


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("demo.example.com", "demo.example.com"),
        (" Demo.Example.COM. ", "demo.example.com"),
        ("münchen.example.com", "xn--mnchen-3ya.example.com"),
        ("ＭÜNCHEN.example.com", "xn--mnchen-3ya.example.com"),
        ("xn--mnchen-3ya.example.com", "xn--mnchen-3ya.example.com"),
        ("demo.corp.internal", "demo.corp.internal"),
        ("notexample.org", "notexample.org"),
        ("xpodium.example.org", "xpodium.example.org"),
    ],
)
def test_names_are_taken_in_the_form_of_dns(typed, name):
    assert check_domain(typed, OURS) == name


@pytest.mark.parametrize(
    "typed",
    [
        "", ".", "com", "10.0.0.1", "[::1]", "::1", "1.2.3.4.5", "https://demo.example.com", "demo.example.com/x", "a b.com",
        "demo.example.com:80", "*.example.com",
        "-a.com", "a-.com", "a..com", "a" * 64 + ".com", "a." * 125 + "com",
        "_podium.example.com", "xn--a.example.com", "xn--.com", "ex_ample.com", "demo\r\nx.com", "a\0b.com",
        "demo.example.com@x.org",
        "podium.example.org", "PODIUM.example.org.", "x.podium.example.org", "apps.example.net", "acme-demo.apps.example.net",
        "a.b.apps.example.net", "example.org", "example.net", "localhost", "x.localhost", "printer.local",
        "x.onion", "1.10.in-addr.arpa",
        "ａpps.example.net", "demo。apps。example。net",
    ],
)  # fmt: skip
def test_what_is_no_domain_or_ours_is_refused(typed):
    with pytest.raises(Invalid) as error:
        check_domain(typed, OURS)
    assert error.value.code == "DOMAIN" and "\n" not in error.value.message and len(error.value.message) < 400


def test_the_record_proves_it():
    judged = judge(ASKED, PROVEN, NOW)
    assert (judged.state, judged.reason, judged.proven_at, judged.check_at) == (
        DomainState.ACTIVE,
        "",
        NOW,
        NOW + RECHECK,
    )
    assert ASKED.proof_name == "_podium.demo.example.com" and ASKED.token in ASKED.proof_value


@pytest.mark.parametrize(
    "texts", [(), ("podium-space=",), ("podium-space=" + "u" * 32,), ("x" + ASKED.proof_value,), (ASKED.token,)]
)
def test_nothing_else_does(texts):
    judged = judge(ASKED, DnsSeen(texts), NOW + 1)
    assert judged.state is DomainState.PENDING and ASKED.proof_name in judged.reason and judged.proven_at is None
    assert judged.check_at == NOW + 1 + SOON
    assert all(repr(text) in judged.found for text in texts)


def test_one_that_is_proven_no_more_is_served_no_more():
    active = judge(ASKED, PROVEN, NOW)
    gone = judge(active, DnsSeen(("podium-space=other",)), NOW + RECHECK)
    assert gone.state is DomainState.FAILED and gone.check_at is not None
    assert judge(gone, PROVEN, NOW + 2 * RECHECK).state is DomainState.ACTIVE


def test_a_silent_resolver_takes_nothing_down_at_once_and_proves_nothing():
    active, silent = judge(ASKED, PROVEN, NOW), DnsSeen(silent="DNS did not answer in time")
    kept = judge(active, silent, NOW + RECHECK)
    assert kept.state is DomainState.ACTIVE and kept.proven_at == NOW and "DNS did not answer" in kept.reason
    assert judge(kept, silent, NOW + SILENCE).state is DomainState.FAILED
    assert judge(ASKED, silent, NOW).state is DomainState.PENDING


def test_another_spaces_domain_stays_with_it():
    judged = judge(ASKED, PROVEN, NOW, taken=True)
    assert judged.state is DomainState.FAILED and "another Space" in judged.reason and judged.proven_at is None


def test_one_that_leads_elsewhere_is_told():
    judged = judge(ASKED, replace(PROVEN, leads=("10.9.9.9",)), NOW)
    assert judged.state is DomainState.ACTIVE and "10.9.9.9" in judged.reason and "10.0.0.1" in judged.reason
    assert "leads nowhere" in judge(ASKED, replace(PROVEN, leads=()), NOW).reason
    assert judge(ASKED, replace(PROVEN, home=()), NOW).reason == ""


def test_a_record_that_never_comes_is_given_up():
    late = judge(ASKED, DnsSeen(), NOW + GIVEN_UP)
    assert late.state is DomainState.FAILED and late.check_at is None
    assert judge(ASKED, DnsSeen(), NOW + RECHECK).check_at == NOW + 2 * RECHECK


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("https://example.com", "https://example.com"),
        (" HTTPS://Example.COM:443/ ", "https://example.com"),
        ("http://example.com:8080", "http://example.com:8080"),
        ("https://*.example.com", "https://*.example.com"),
        ("https://münchen.de", "https://xn--mnchen-3ya.de"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("http://10.0.0.1", "http://10.0.0.1"),
    ],
)
def test_origins_are_kept_as_browsers_compare_them(written, kept):
    assert origins([written]) == (kept,)


@pytest.mark.parametrize(
    "written",
    [
        "example.com", "*", "https://*", "https://*.com", "https://", "ftp://example.com", "javascript:alert(1)",
        "data:x", "'self'",
        "https://example.com/path", "https://example.com?x", "https://example.com#", "https://u@example.com", "https://a b.com",
        "https://example.com; script-src *", "https://example.com, https://x.com", "https://example.com:0", "https://example.com:99999",
        "https://ex\r\nample.com", "https://a.*.com", "https://**.example.com", "https://\"x.com", "//example.com", "https://[::1",
    ],
)  # fmt: skip
def test_what_is_no_origin_is_refused(written):
    with pytest.raises(Invalid) as error:
        origins([written])
    assert error.value.code == "EMBED_ORIGIN" and "\n" not in error.value.message


def test_each_origin_once_and_not_too_many():
    assert origins(["https://a.com", "", "https://A.com/", "https://b.com"]) == ("https://a.com", "https://b.com")
    with pytest.raises(Invalid):
        origins(f"https://s{number}.com" for number in range(31))
