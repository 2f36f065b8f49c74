"""Spaces are found by what they say, the same on every database."""

from dataclasses import replace

import pytest

from orchestrator.domain.repo import RepoKind
from orchestrator.domain.stage import Stage
from tests.contracts.test_store import add, owner, space, store  # noqa: F401

ZEBRA = {"title": "Zebra Counter", "short_description": "stripes 100%", "tags": ["Vision", "zoo"]}
SINGER = {"title": "Sänger", "tags": ["audio"]}
ODD = {"title": 7, "tags": "zoo", "short_description": ["x"]}


@pytest.fixture
def found(store):  # noqa: F811
    """`found(**filters)` -> names."""
    ada = owner(store, "ada")
    cards = {"zebra": ZEBRA, "singer": SINGER, "odd": ODD, "bare": {}}
    spaces = [replace(space(i, ada, name), card=card) for i, (name, card) in enumerate(cards.items(), 1)]
    spaces[1] = replace(spaces[1], stage=Stage.RUNNING_BUILDING)
    spaces[2] = replace(spaces[2], stage=Stage.RUNNING, wish=replace(spaces[2].wish, hardware="gpu"))
    add(store, *spaces)

    def names(**filters) -> list[str]:
        with store.read() as tx:
            return sorted(one.name for one in tx.spaces.list(all_visible=True, **filters))

    return names


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["zebra"], ["zebra"]),
        (["ZEBRA", "stripes"], ["zebra"]),
        (["vision"], ["zebra"]),
        (["zebra", "audio"], []),
        (["100%"], ["zebra"]),
        (["%"], ["zebra"]),
        (["_"], []),
        (["ada/sing"], ["singer"]),
        (["änger"], ["singer"]),
        (["title"], []),
        (["ze", "oo"], ["zebra"]),  # shorter than the pieces of the index
        (["än"], ["singer"]),
        (["oo", "xy"], []),
        (["io"], ["singer", "zebra"]),  # where a text ends, and within one
        (["0%"], ["zebra"]),
        (["z", "v"], ["zebra"]),
        ([], ["bare", "odd", "singer", "zebra"]),
    ],
)
def test_each_word_is_somewhere_in_what_it_says(found, words, names):
    assert found(words=words) == names


def test_filters(found):
    assert found(tag="zoo") == found(tag="ZOO") == ["zebra"]
    assert found(tag="zo") == found(tag="%") == []
    assert found(running=True) == ["odd", "singer"]
    assert found(hardware="gpu") == ["odd"]
    assert found(hardware="gpu", words=["zebra"]) == []


def test_odd_words_are_only_words(found):
    for word in ('"', "'", "\\", "*", "zeb OR", "NEAR(", "a" * 300, "🦓", '"zebra" OR "x"'):
        assert found(words=[word]) == [], word
    assert found(words=["zoo", ""]) == ["odd", "zebra"]


def test_a_new_card_and_a_new_name_are_found_at_once_and_the_old_ones_not(found, store):  # noqa: F811
    one = f"{1:024x}"
    with store.write() as tx:
        assert tx.spaces.follow(
            one, None, False, look_at=0.0, sha="a" * 40, card={"title": "Lion", "models": ["Acme/Big"]}
        )
        tx.spaces.update(one, look_at=0.0, name="pride")
    assert found(words=["lion"]) == found(words=["ada/pride"]) == ["pride"] and found(words=["zebra"]) == []
    assert found(uses=(RepoKind.MODEL, "acme/BIG")) == ["pride"] and found(uses=(RepoKind.DATASET, "acme/big")) == []
    with store.write() as tx:
        tx.spaces.forget(one)
    assert found(words=["lion"]) == found(uses=(RepoKind.MODEL, "acme/big")) == []
