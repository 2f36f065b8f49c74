"""Models, datasets, former names, likes, requests and collections in the store, on every database."""

import pytest

from orchestrator.domain.collection import Collection, CollectionItem
from orchestrator.domain.records import AccessRequest, Repo
from orchestrator.domain.repo import RepoKind
from orchestrator.domain.space import Visibility
from orchestrator.errors import Conflict
from orchestrator.store.engine import Store
from tests.contracts.test_store import add, owner, space


@pytest.fixture
def store(database):
    store = Store(database)
    yield store
    store.close()


def repo(number: int, owner_id: str, name: str = "", kind: RepoKind = RepoKind.MODEL, **values) -> Repo:
    return Repo(f"{number:024x}", kind, "", owner_id, name or f"m{number}", **values)


def put(store, *repos: Repo) -> None:
    with store.write() as tx:
        for one in repos:
            tx.repos.add(one)


def test_a_repo_comes_back_as_it_was_written_and_names_are_one_per_kind(store):
    ada = owner(store, "Ada")
    card = {"tags": ["a"], "n": 1.5}
    made = repo(1, ada, "M", card=card, gated="auto", visibility=Visibility.PRIVATE, created_at=5.0, updated_at=6.0)
    put(store, made, repo(2, ada, "M", RepoKind.DATASET))
    with store.read() as tx:
        found = tx.repos.find(RepoKind.MODEL, "ADA", "m")
        assert found == tx.repos.get(made.id) and found.full_name == "Ada/M" and found.path == "Ada/M"
        assert (found.card, found.gated, found.private, found.sha) == (card, "auto", True, None)
        assert tx.repos.find(RepoKind.DATASET, "ada", "M").path == "datasets/Ada/M"
    with pytest.raises(Conflict):
        put(store, repo(3, ada, "m"))


def test_following_main_is_compare_and_swap(store):
    put(store, repo(1, owner(store, "ada")))
    with store.write() as tx:
        assert tx.repos.follow(f"{1:024x}", None, sha="a" * 40)
        assert not tx.repos.follow(f"{1:024x}", None, sha="b" * 40)
        assert tx.repos.follow(f"{1:024x}", "a" * 40, sha="b" * 40, updated_at=9.0)
    with store.read() as tx:
        assert tx.repos.get(f"{1:024x}").sha == "b" * 40


def test_former_names_lead_on_until_they_are_taken(store):
    ada = owner(store, "ada")
    with store.write() as tx:
        tx.repos.leave_name(RepoKind.MODEL, ada, "Old", "1" * 24, 1.0)
        tx.repos.leave_name(RepoKind.MODEL, ada, "old", "2" * 24, 2.0)
    with store.write() as tx:
        assert tx.repos.moved(RepoKind.MODEL, "ADA", "OLD") == "2" * 24
        assert tx.repos.moved(RepoKind.DATASET, "ada", "old") is None
        tx.repos.take_name(RepoKind.MODEL, ada, "oLd")
        assert tx.repos.moved(RepoKind.MODEL, "ada", "old") is None


def test_likes_are_counted_once_and_lists_sort_by_them(store):
    people = [owner(store, name) for name in ("ada", "bob", "cyd")]
    put(store, *(repo(n, people[0], updated_at=float(n)) for n in range(1, 5)))
    add(store, space(9, people[0]))
    with store.write() as tx:
        for who in people:
            tx.interest.like(f"{2:024x}", who, 4e9)
            tx.interest.like(f"{2:024x}", who, 4e9)
        tx.interest.like(f"{3:024x}", people[1], 1.0)
        tx.interest.like(f"{9:024x}", people[1], 4e9)
        tx.interest.unlike(f"{2:024x}", people[2])
        tx.interest.unlike(f"{4:024x}", people[2])

    def names(sort, after=None, limit=10):
        with store.read() as tx:
            return [one.name for one in tx.repos.list(RepoKind.MODEL, sort=sort, after=after, limit=limit)]

    assert names("likes") == ["m2", "m3", "m4", "m1"]
    assert names("likes", (1.0, f"{3:024x}")) == ["m4", "m1"]
    assert names("trending", limit=2) == ["m2", "m4"] and names("trending", (2.0, f"{2:024x}")) == ["m4", "m3", "m1"]
    assert names("last_modified", (3.0, f"{3:024x}")) == ["m2", "m1"]
    with store.read() as tx:
        assert tx.repos.get(f"{2:024x}").likes == 2 and tx.spaces.get(f"{9:024x}").likes == 1
        assert [who.name for who, _ in tx.interest.likers(f"{2:024x}", 10)] == ["bob", "ada"]  # same time: by id
        assert {repo_id for repo_id, _ in tx.interest.liked(people[1], 10)} == {f"{n:024x}" for n in (2, 3, 9)}
        assert tx.interest.likes_since([f"{2:024x}", f"{3:024x}"], 2.0) == {f"{2:024x}": 2}


def test_requests_change_their_status_and_go_with_the_repo(store):
    ada, bob = owner(store, "ada"), owner(store, "bob")
    put(store, repo(1, ada, gated="manual"))
    asked = AccessRequest("a" * 24, f"{1:024x}", bob, "pending", 5.0, {"why": "x"})
    with store.write() as tx:
        tx.interest.put_request(asked)
    with store.write() as tx:
        assert tx.interest.request(asked.repo_id, bob) == asked
        tx.interest.put_request(AccessRequest("a" * 24, asked.repo_id, bob, "accepted", 5.0))
        assert tx.interest.requests(asked.repo_id, "pending", 10) == []
        assert [who.name for _, who in tx.interest.requests(asked.repo_id, "accepted", 10)] == ["bob"]
        tx.interest.forget(asked.repo_id)
        assert tx.interest.request(asked.repo_id, bob) is None


def test_collections_keep_their_order(store):
    ada = owner(store, "ada")
    with store.write() as tx:
        tx.collections.add(Collection("c" * 24, "", ada, "One", private=True, updated_at=3.0))
        tx.collections.add(Collection("d" * 24, "", ada, "Two", updated_at=4.0))
        for place, item in enumerate("123"):
            tx.collections.add_item(CollectionItem(item * 24, "c" * 24, "model", item * 24, 2 - place))
    with store.read() as tx:
        assert [item.item_id[0] for item in tx.collections.items("c" * 24)] == ["3", "2", "1"]
        assert [one.title for one in tx.collections.list(visible_to=[], owners=["ADA"])] == ["Two"]
        assert [one.title for one in tx.collections.list(visible_to=[ada], owners=[])] == ["Two", "One"]
        assert [one.title for one in tx.collections.list(visible_to=None, owners=[], item_ids=["1" * 24])] == ["One"]
        assert [one.title for one in tx.collections.list(visible_to=None, owners=[], words="oN")] == ["One"]
        assert tx.collections.list(visible_to=None, owners=[], words="%") == [], "a sign that LIKE reads is a sign"
    with store.write() as tx:
        tx.collections.remove("c" * 24)
        assert tx.collections.items("c" * 24) == [] and tx.collections.get("c" * 24) is None
