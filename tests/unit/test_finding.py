"""What repos are found by: the text and the names made of a card, and catching up with what an older release wrote."""

import pytest
import sqlalchemy as sa

from orchestrator.domain.finding import LENGTH, text_of, uses_of
from orchestrator.domain.repo import RepoKind
from orchestrator.services.finding import catch_up
from orchestrator.store import schema as t
from orchestrator.store.engine import Store
from tests import migrated
from tests.contracts.test_store import add, owner, space

CARD = {"title": "Zebra\nCounter", "tags": ["Vision", 7, None, True], "models": ["Acme/Big", "acme/big"], "emoji": "X"}


def test_text_is_what_is_said_in_lower_case_the_name_first():
    text = text_of(RepoKind.SPACE, "Ada/Demo", CARD)
    assert text == "ada/demo\nzebra counter\nvision\n7\nacme/big\nacme/big"
    assert text_of(RepoKind.MODEL, "Ada/M", {"title": "no", "license": "MIT"}) == "ada/m\nmit"
    assert len(text_of(RepoKind.SPACE, "a/b", {"title": "x" * 10**5})) == LENGTH
    assert text_of(RepoKind.SPACE, "a/b", {"title": {"x": 1}, "tags": [["a"]]}) == "a/b"


def test_a_space_uses_what_its_card_names_once():
    used = uses_of(RepoKind.SPACE, CARD | {"datasets": "ada/set", "models": ["Acme/Big", "acme/big", "", "x" * 300]})
    assert used == [(RepoKind.MODEL, "acme/big"), (RepoKind.DATASET, "ada/set")]
    assert uses_of(RepoKind.MODEL, CARD) == []
    assert len(uses_of(RepoKind.SPACE, {"models": [f"a/m{n}" for n in range(1000)]})) == 100


@pytest.fixture
def store(tmp_path):
    store = Store(migrated.sqlite(tmp_path))
    yield store
    store.close()


def names(store, **filters) -> list[str]:
    with store.read() as tx:
        return sorted(one.name for one in tx.spaces.list(all_visible=True, **filters))


def test_what_an_older_release_wrote_is_caught_up_with(store):
    ada = owner(store, "ada")
    add(store, space(1, ada, "one"), space(2, ada, "two"), space(3, ada, "gone"))
    assert catch_up(store) == 0
    with store.engine.begin() as connection:  # as a release does that knows no search
        wanted = t.spaces.c.id == f"{1:024x}"
        connection.execute(sa.update(t.spaces).where(wanted).values(card={"title": "Zebra"}, updated_at=5.0))
        renamed = t.spaces.c.id == f"{2:024x}"
        connection.execute(sa.update(t.spaces).where(renamed).values(name="new", name_lower="new"))
        connection.execute(sa.delete(t.spaces).where(t.spaces.c.id == f"{3:024x}"))
    assert names(store, words=["zebra"]) == []
    assert catch_up(store) == 3 and catch_up(store) == 0
    assert names(store, words=["zebra"]) == ["one"] and names(store, words=["ada/new"]) == ["new"]
    with store.read() as tx:
        assert tx.finding.stale(10) == []


def test_without_its_index_the_same_is_found(store):
    ada = owner(store, "ada")
    add(store, space(1, ada, "one"), space(2, ada, "two"))
    with store.engine.begin() as connection:
        for name in ("added", "removed", "changed"):
            connection.exec_driver_sql(f"DROP TRIGGER search_{name}")
        connection.exec_driver_sql("DROP TABLE search_fts")
    assert names(store, words=["one"]) == ["one"] and names(store, words=["da/tw"]) == ["two"]
    assert names(store, search="ADA/ON") == ["one"]


def test_common_words_are_found_on_the_way_down_the_list(store, monkeypatch):
    from orchestrator.store import finding

    monkeypatch.setattr(finding, "FEW", 3)
    ada = owner(store, "ada")
    add(store, *(space(n, ada, f"s{n}", updated_at=float(n), card={"models": ["a/m"]}) for n in range(1, 9)))
    add(store, space(9, ada, "other"))
    assert names(store, words=["ada/s"]) == [f"s{n}" for n in range(1, 9)]
    assert names(store, words=["ada/s", "other"]) == [] and names(store, search="a/s") == names(store, words=["a/s"])
    assert names(store, uses=(RepoKind.MODEL, "A/M")) == [f"s{n}" for n in range(1, 9)]
    assert names(store, uses=(RepoKind.DATASET, "a/m")) == []
