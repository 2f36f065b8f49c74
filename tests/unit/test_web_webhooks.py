"""Webhooks as pages: made, changed, turned off, sent again and deleted by whose they are, and shown beside what they watch."""

import re

from orchestrator.domain.events import Delivery
from orchestrator.services.accounts import new_id
from tests.unit.test_web_pages import EVIL, ada, bob, console, make, stranger  # noqa: F401

HERE = "/settings/webhooks"
GOOD = {
    "url": "https://ci.example.org/x",
    "watched": "space ada/demo\n\nacme/other\norg acme",
    "repo": "1",
    "secret": "hush",
}


def mine(console) -> list:  # noqa: F811
    return console.parts.community.webhooks.all(console.parts.accounts.caller(f"Bearer {console.token}"))


def actions(console) -> list[str]:  # noqa: F811
    with console.store.read() as tx:
        return [row.action for _, row in tx.audit.search(limit=100) if row.action.startswith("webhook.")]


def test_from_the_form_to_the_end(console, ada, bob):  # noqa: F811
    made = ada.post(HERE, HERE, **GOOD)
    (one,) = mine(console)
    assert made.headers["location"] == f"{HERE}/{one.id}?done=webhook"
    assert [(item.type, item.name) for item in one.watched] == [
        ("space", "ada/demo"),
        ("space", "acme/other"),
        ("org", "acme"),
    ]
    assert one.domains == ("repo",) and console.parts.community.webhooks.secret(one) == "hush"
    page = ada.get(f"{HERE}/{one.id}").text
    assert "https://ci.example.org/x" in page and "hush" not in page and ada.get(HERE).text.count(one.id) == 1
    for path in ("", "/delete", "/replay"):
        assert (bob.post(f"{HERE}/{one.id}{path}", HERE) if path else bob.get(f"{HERE}/{one.id}")).status_code == 404

    changed = GOOD | {"url": "https://ci.example.org/y", "discussion": "1", "secret": ""}
    assert ada.post(f"{HERE}/{one.id}/save", HERE, **changed).status_code == 303
    (one,) = mine(console)
    assert (one.url, one.domains) == ("https://ci.example.org/y", ("repo", "discussion"))
    assert console.parts.community.webhooks.secret(one) == "hush"
    ada.post(f"{HERE}/{one.id}/disable", HERE)
    assert mine(console)[0].disabled and "Turn on" in ada.get(f"{HERE}/{one.id}").text

    sent = Delivery(
        new_id(), one.id, "repo.create", {"repo": {"name": EVIL}}, 1.0, "failed", 2, status=500, answer=EVIL
    )
    with console.store.write() as tx:
        tx.webhooks.add_delivery(sent)
    page = ada.get(f"{HERE}/{one.id}").text
    assert "repo.create" in page and EVIL not in page and "given up" in page
    assert ada.post(f"{HERE}/{one.id}/replay", HERE, delivery=sent.id).headers["location"].endswith("?done=resent")
    ada.post(f"{HERE}/{one.id}/delete", HERE)
    assert mine(console) == [] and len(actions(console)) == 4  # made, changed, turned off, deleted


def test_what_is_wrong_is_said_and_what_was_typed_stays(console, ada):  # noqa: F811
    for changed, words in (
        ({"url": "ftp://x"}, "WEBHOOK|http"),
        ({"watched": "planet mars"}, "cannot be watched"),
        ({"repo": ""}, "domains"),
    ):
        answer = ada.post(HERE, HERE, **GOOD | changed)
        assert answer.status_code == 422 and re.search(words, answer.text) and mine(console) == []
    assert "planet mars" in ada.post(HERE, HERE, **GOOD | {"watched": "planet mars"}).text


def test_settings_show_what_watches_and_lead_to_a_new_one(console, ada, make):  # noqa: F811
    space = make()
    on = f"/spaces/{space.full_name}/settings"
    ada.post(HERE, HERE, **GOOD | {"watched": space.full_name})
    page = ada.get(on).text
    assert "https://ci.example.org/x" in page and f"{HERE}?watch=space%20" in page
    assert f">space {space.full_name}</textarea>" in ada.get(f"{HERE}?watch=space%20{space.full_name}").text
    assert "Files and history" in page and "Measure it" in page and "10 B" in ada.get(f"{on}?measure=1").text
