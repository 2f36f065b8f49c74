"""Links that let outsiders into a private app: who makes them, whom they let in, and how they end."""

import re

import jwt
import pytest

from orchestrator.domain import share
from orchestrator.domain.space import Visibility
from orchestrator.errors import Invalid, NotFound
from tests.unit.test_web_pages import EVIL, ada, bob, console, make, stranger  # noqa: F401

LINK = re.compile(r"http://localhost:8000(/open/shared\?link=[\w-]{32})")


@pytest.fixture
def private(make):  # noqa: F811
    return make(Visibility.PRIVATE)


def made(ada, space, life="week", note="for Kim"):  # noqa: F811
    page = f"/spaces/{space.full_name}/use"
    answer = ada.post(f"{page}/share", page, life=life, note=note)
    assert answer.status_code == 200, answer.text
    return LINK.search(answer.text)[1]


def claims(console, answer):  # noqa: F811
    ticket = answer.headers["location"].partition("__sign=")[2]
    key = console.parts.signing.public()["sign_key"]
    return jwt.decode(ticket, key, algorithms=["EdDSA"], options={"verify_aud": False})


def test_a_stranger_with_the_link_gets_into_the_app_and_nowhere_else(console, ada, stranger, private):  # noqa: F811
    link = made(ada, private)
    answer = stranger.get(link)
    assert answer.status_code == 303 and answer.headers["location"].startswith(console.parts.app_url(private.label))
    assert answer.headers["cache-control"] == "no-store" and answer.headers["referrer-policy"] == "no-referrer"
    told = claims(console, answer)
    [kept] = console.parts.shares.of(private)
    assert told["space"] == private.id and told["sub"] == "" and told["until"] == int(kept.expires_at)
    assert kept.uses == 1 and kept.note == "for Kim" and kept.hash not in link
    for path in ("", "/tree/main", "/logs", "/settings", "/use"):
        assert stranger.get(f"/spaces/{private.full_name}{path}").status_code in (303, 404)


def test_an_ended_link_and_one_that_never_was_look_the_same(console, ada, stranger, private):  # noqa: F811
    link, page = made(ada, private), f"/spaces/{private.full_name}/use"
    [kept] = console.parts.shares.of(private)
    epoch = console.parts.spaces.get(private.id).access_epoch
    assert "opened 0 times" in ada.get(page).text
    assert ada.post(f"{page}/unshare", page, id=kept.id).status_code == 303
    assert console.parts.spaces.get(private.id).access_epoch == epoch + 1, "who came in with it is out at once"
    gone, never = stranger.get(link), stranger.get("/open/shared?link=" + "x" * 32)
    assert gone.status_code == never.status_code == 404
    assert "has ended" in gone.text and "has ended" in never.text
    assert ada.post(f"{page}/unshare", page, id=kept.id).status_code == 404
    actions = [row.action for row in console.parts.oversight.of_space(private, 9)]
    assert {"space.share", "space.unshare"} <= set(actions)


def test_it_ends_by_itself(console, ada, private, monkeypatch):  # noqa: F811
    shares, link = console.parts.shares, made(ada, private, "hour")
    now = shares._clock()
    monkeypatch.setattr(shares, "_clock", lambda: now + 3601)
    assert shares.of(private) == []
    with pytest.raises(NotFound):
        shares.follow(link.partition("link=")[2])


def test_only_its_admins_make_them(console, ada, bob, stranger, private, make):  # noqa: F811
    page = f"/spaces/{private.full_name}/use"
    assert bob.get(page).status_code == 404
    assert bob.post(f"{page}/share", "/settings/tokens", life="day").status_code == 404
    open_to_all = make()
    page = f"/spaces/{open_to_all.full_name}/use"
    assert 'action="' + page + '/share"' not in ada.get(page).text
    refused = ada.post(f"{page}/share", "/settings/tokens", life="day")
    assert refused.status_code == 422 and "open to everybody" in refused.text
    assert bob.post(f"{page}/share", "/settings/tokens", life="day").status_code == 403


@pytest.mark.parametrize(("fields", "says"), [
    ({"life": "forever"}, "a link lives for one of"), ({}, "a link lives for one of"),
    ({"life": "day", "note": "x" * 201}, "at most 200 characters"), ({"life": EVIL}, "a link lives for one of"),
])  # fmt: skip
def test_what_cannot_be_made_is_said(ada, private, fields, says):  # noqa: F811
    page = f"/spaces/{private.full_name}/use"
    answer = ada.post(f"{page}/share", page, **fields)
    assert answer.status_code == 422 and says in answer.text and EVIL not in answer.text


def test_notes_are_text(ada, private):  # noqa: F811
    made(ada, private, note=EVIL)
    assert EVIL not in ada.get(f"/spaces/{private.full_name}/use").text


def test_there_is_an_end_to_them(ada, private, monkeypatch):  # noqa: F811
    monkeypatch.setattr("orchestrator.services.shares.MOST", 2)
    made(ada, private)
    made(ada, private)
    page = f"/spaces/{private.full_name}/use"
    assert "has 2 links" in ada.post(f"{page}/share", page, life="day").text


def test_a_new_owner_lets_in_whom_they_like(console, ada, private):  # noqa: F811
    link = made(ada, private)
    caller = console.parts.accounts.caller(f"Bearer {console.token}")
    console.parts.moves.move(caller, private, "acme", private.name)
    with pytest.raises(NotFound):
        console.parts.shares.follow(link.partition("link=")[2])


def test_a_lifetime_is_one_of_the_list():
    assert share.lifetime("day") == 86400
    with pytest.raises(Invalid):
        share.lifetime("-1")
