"""The Store port's contract for domains, frozen deploys and members of single repos, on SQLite and on a real PostgreSQL."""

from dataclasses import replace

import pytest

from orchestrator.domain.own_domain import DomainState, OwnDomain
from orchestrator.domain.records import Collaborator
from orchestrator.domain.space import Role, Visibility
from orchestrator.errors import Conflict
from orchestrator.store.engine import Store
from tests.contracts.test_store import add, at_once, owner, space


@pytest.fixture
def store(database):
    store = Store(database)
    yield store
    store.close()


def test_one_name_is_served_by_one_space_whoever_is_faster(store):
    ann = owner(store, "ann")
    spaces = [space(number, ann) for number in range(4)]
    add(store, *spaces)
    claims = [
        OwnDomain(one.id, "demo.example.com", f"{n}" * 32, "ann", 1.0, check_at=5.0) for n, one in enumerate(spaces)
    ]
    with store.write() as tx:
        for claim in claims:
            tx.domains.add(claim)

    def activate(claim):
        try:
            with store.write() as tx:
                return tx.domains.save(replace(claim, state=DomainState.ACTIVE, proven_at=2.0))
        except Conflict:
            return False

    assert sorted(at_once(activate, claims)) == [False, False, False, True]
    with store.write() as tx:
        held = tx.domains.holder("demo.example.com")
        assert [one.state for one in tx.domains.of(held.space_id)] == [DomainState.ACTIVE]
        assert not tx.domains.save(replace(held, token="another" + "0" * 25)), "a claim that was made anew is another"
        tx.spaces.update(held.space_id, look_at=0.0, deleted=True)
        assert tx.domains.holder("demo.example.com") is None, "of a Space that is gone nothing is left"
    with store.write() as tx, pytest.raises(Conflict, match="already"):
        tx.domains.add(next(one for one in claims if one.space_id != held.space_id))


def test_due_domains_are_taken_once(store):
    add(store, space(1, owner(store, "ann")))
    with store.write() as tx:
        for name, at in (("a.example.com", 5.0), ("b.example.com", 9.0), ("c.example.com", None)):
            tx.domains.add(OwnDomain(f"{1:024x}", name, "t" * 32, "ann", 1.0, check_at=at))
        assert [one.name for one in tx.domains.take_due(5.0, 100.0)] == ["a.example.com"]
        assert tx.domains.take_due(5.0, 100.0) == []
        assert [one.name for one in tx.domains.take_due(100.0, 200.0)] == ["b.example.com", "a.example.com"]


def test_a_wish_follows_main_or_waits(store):
    one = space(1, owner(store, "ann"))
    add(store, one)
    with store.write() as tx:
        assert not tx.spaces.follow(one.id, None, True, look_at=0.0, sha="a" * 40), "it was read as frozen, and is not"
        assert tx.spaces.follow(one.id, None, False, look_at=0.0, sha="a" * 40, revision="a" * 40)
        tx.spaces.update(one.id, look_at=0.0, frozen=True)
        assert tx.spaces.follow(one.id, "a" * 40, True, look_at=0.0, sha="b" * 40, held="b" * 40)
        assert tx.spaces.thaw(one.id, look_at=7.0) and not tx.spaces.thaw(one.id, look_at=7.0)
        now = tx.spaces.get(one.id).wish
    assert (now.revision, now.held, now.frozen, now.env_version) == ("b" * 40, None, False, 1)


def test_where_a_space_is_served_and_framed_is_read_as_written(store):
    one = space(1, owner(store, "ann"))
    add(store, one)
    for hosts, sites in (((), None), (("a.example.com",), ()), ((), ("https://a.example",))):
        with store.write() as tx:
            tx.spaces.update(
                one.id, look_at=0.0, hosts=list(hosts), embed_origins=None if sites is None else list(sites)
            )
        with store.read() as tx:
            assert (tx.spaces.get(one.id).hosts, tx.spaces.get(one.id).embed_origins) == (hosts, sites)


def test_members_of_one_repo_see_it_in_lists(store):
    ann, bob = owner(store, "ann"), owner(store, "bob")
    one, other = (replace(space(number, ann), visibility=Visibility.PRIVATE) for number in (1, 2))
    add(store, one, other)
    with store.write() as tx:
        tx.collaborators.put(Collaborator(one.id, bob, Role.READ, "ann", 1.0))
        tx.collaborators.put(Collaborator(one.id, bob, Role.WRITE, "ann", 1.0))
    with store.read() as tx:
        assert [found.id for found in tx.spaces.list(visible_to=bob)] == [one.id]
        assert tx.spaces.list(visible_to=bob, within=(frozenset(), frozenset((other.id,)))) == []
        assert (
            tx.collaborators.roles_of(bob) == {one.id: Role.WRITE} and tx.collaborators.role(one.id, ann) is Role.NONE
        )
        [(member, user)] = tx.collaborators.of(one.id)
        assert (member.role, member.created_at, user.name, user.id) == (Role.WRITE, 1.0, "bob", bob)
    with store.write() as tx:
        assert tx.collaborators.drop(one.id, bob) and not tx.collaborators.drop(one.id, bob)
        tx.collaborators.put(Collaborator(other.id, bob, Role.READ, "ann", 1.0))
        tx.collaborators.forget(other.id)
        assert tx.collaborators.roles_of(bob) == {} and tx.spaces.list(visible_to=bob) == []
