"""`podium space domain`, `member`, `embed`, `freeze` and `thaw` against the real API."""

import pytest

from tests.console import Console
from tests.unit.command_line import podium_says


@pytest.fixture(scope="module")
def console(tmp_path_factory):
    with Console(tmp_path_factory.mktemp("cli")).listening() as made:
        made.space()
        yield made


@pytest.fixture
def says(console, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", console.url)
    monkeypatch.setenv("HF_TOKEN", console.token)
    return lambda *words: podium_says("space", *words)


def test_a_domain_from_asking_to_removing(console, says, monkeypatch):
    monkeypatch.setattr("orchestrator.services.domains.AGAIN", -1.0)
    made = says("domain", "add", "ada/demo", "cli.example.com")
    rows = [line.split("\t") for line in made.out.splitlines()]
    assert [row[0] for row in rows] == ["TXT", "CNAME"] and "podium space domain check" in made.err
    waits = says("domain", "check", "ada/demo", "cli.example.com")
    assert waits.code == 1 and "there is no TXT record" in waits.out
    console.names.records[rows[0][1], "TXT"] = (rows[0][2],)
    found = says("domain", "check", "ada/demo", "cli.example.com")
    assert found.code == 0 and "active" in found.out
    assert says("domain", "list", "ada/demo").out.startswith("cli.example.com\tactive\t")
    assert says("domain", "remove", "ada/demo", "cli.example.com").code == 0
    assert says("domain", "list", "ada/demo").out == ""
    refused = says("domain", "add", "ada/demo", "x.localhost")
    assert refused.code == 2 and "localhost" in refused.err


def test_members_come_and_go(says):
    said = "bob is invited to read ada/demo, and a member when they have accepted.\n"
    assert says("member", "add", "ada/demo", "bob", "--role", "read").err == said
    assert says("member", "list", "ada/demo").out.startswith("bob\tread\tinvited\tada\t")
    assert says("member", "remove", "ada/demo", "bob").code == 0
    assert says("member", "remove", "ada/demo", "bob").code == 2


def test_frames(says):
    assert says("embed", "ada/demo").out == "anyone\n"
    assert (
        says("embed", "ada/demo", "https://a.example/", "https://b.example").out
        == "https://a.example\nhttps://b.example\n"
    )
    assert says("embed", "ada/demo", "--nobody").out == says("embed", "ada/demo").out == "nobody\n"
    assert says("embed", "ada/demo", "--anyone").out == "anyone\n"
    assert says("embed", "ada/demo", "--anyone", "https://a.example").code == 2


def test_the_freeze(says):
    assert says("freeze", "ada/demo").code == 0
    assert "frozen, nothing waits" in says("info", "ada/demo").out
    assert says("thaw", "ada/demo").code == 0
    assert "frozen" not in says("info", "ada/demo").out
