"""Who we are to a registry, as Docker's config.json says it."""

import base64
import json

import pytest

from builder.backends import credentials
from builder.backends.credentials import Credential


def word(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, Credential()),
        ({"auths": {"r.example:5000": {"auth": word("me:a:b")}}}, Credential("me", "a:b")),
        ({"auths": {"https://r.example:5000/v1/": {"auth": word("me:x")}}}, Credential("me", "x")),
        ({"auths": {"r.example": {"auth": word("me:x")}}}, Credential()),
        ({"auths": {"r.example:5000": {"username": "me", "password": "p"}}}, Credential("me", "p")),
        ({"auths": {"r.example:5000": {"identitytoken": "t"}}}, Credential("", "", "t")),
        ({"auths": {"r.example:5000": {}}}, Credential()),
    ],
)
def test_entries(told, expected):
    assert credentials.find(told, "r.example:5000") == expected


def test_a_header_is_made_of_it():
    assert Credential("me", "x").basic == f"Basic {word('me:x')}" and Credential().basic == ""


@pytest.mark.parametrize("entry", ["%%%", word("\xff")[:-1] + "!", 7])
def test_an_entry_that_is_damaged_is_said(entry):
    with pytest.raises(ValueError, match="r.example"):
        credentials.find({"auths": {"r.example": {"auth": entry}}}, "r.example")


def test_a_helper_is_asked(tmp_path, monkeypatch):
    helper = tmp_path / "docker-credential-mine"
    helper.write_text('#!/bin/sh\nread host\nprintf \'{"Username": "%s", "Secret": "s"}\' "of-$host"\n')
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert credentials.find({"credHelpers": {"r.example": "mine"}}, "r.example") == Credential("of-r.example", "s")
    assert credentials.find({"credsStore": "mine"}, "x") == Credential("of-x", "s")
    for name in ("../evil", "not-there"):
        with pytest.raises(ValueError):
            credentials.find({"credsStore": name}, "x")


def test_the_file(tmp_path, monkeypatch):
    place = tmp_path / "config.json"
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert credentials.read("") == {}
    place.write_text(json.dumps({"auths": {}}))
    assert credentials.read("") == credentials.read(str(place)) == {"auths": {}}
    for text in ("", "[]", "{", '{"auths": []}'):
        place.write_text(text)
        with pytest.raises(ValueError, match="config.json"):
            credentials.read(str(place))
    with pytest.raises(ValueError, match="cannot be read"):
        credentials.read(str(tmp_path / "nothing"))
