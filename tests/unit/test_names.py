"""Host labels of Spaces, and settings."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.space import subdomain
from orchestrator.errors import Invalid
from orchestrator.settings import Settings, load

NAMES = st.from_regex(r"[A-Za-z0-9_](?:[\w.-]{0,94}[A-Za-z0-9_])?", fullmatch=True)


def test_labels():
    assert subdomain("acme", "demo") == "acme-demo"
    assert subdomain("Acme", "My_Demo.v2") == "acme-my-demo-v2"
    assert subdomain("a-b", "c") == subdomain("a", "b-c") == "a-b-c"
    assert subdomain("_ci_", "demo") == "ci-demo"
    assert re.fullmatch(r"space-[0-9a-f]{6}", subdomain("_", "__"))
    other = subdomain("a", "b-c", taken=lambda label: label == "a-b-c")
    assert re.fullmatch(r"a-b-c-[0-9a-f]{6}", other)


@given(NAMES, NAMES, st.booleans())
def test_every_label_fits_dns(owner, name, taken):
    label = subdomain(owner, name, lambda _: taken)
    assert re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", label)


def test_settings_come_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("PODIUM_PORT", "9001")
    monkeypatch.setenv("PODIUM_BUILD_TIMEOUT", "2.5")
    settings = load(data=tmp_path, port=None)
    assert (settings.port, settings.build_timeout, settings.public_url) == (9001, 2.5, "http://localhost:9001")
    assert load(port=80).public_url == "http://localhost"
    assert load(port=80).app_url("acme-demo") == "http://acme-demo.localhost"
    assert (
        load(public_url="https://hub.example.org/", apps_domain="apps.example.net").app_url("x")
        == "https://x.apps.example.net"
    )


@pytest.mark.parametrize(
    "name,value,found",
    [("PODIUM_PORT", "http", "PODIUM_PORT is 'http'"), ("PODIUM_PROT", "1", "unknown setting PODIUM_PROT"),
     ("PODIUM_SANDBOX", "yes", "write auto, bubblewrap or none")],
)  # fmt: skip
def test_bad_settings_are_refused_by_name(monkeypatch, name, value, found):
    monkeypatch.setenv(name, value)
    with pytest.raises(Invalid, match=re.escape(found)):
        load()


def test_the_console_must_not_live_among_the_apps():
    with pytest.raises(Invalid, match="domain of their own"):
        Settings(public_url="https://hub.example.org", apps_domain="example.org")
