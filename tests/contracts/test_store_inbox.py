"""The Store port's contract for notifications and invitations, on SQLite and on a real PostgreSQL."""

import pytest

from orchestrator.domain.invitation import Invitation
from orchestrator.domain.notification import Note
from orchestrator.domain.records import Token
from orchestrator.domain.space import Role
from orchestrator.services.audience import tell
from orchestrator.store.engine import Store
from tests.contracts.test_store import at_once, owner


@pytest.fixture
def store(database):
    store = Store(database)
    yield store
    store.close()


def note(thread: str, text: str = "x", kind: str = "space") -> Note:
    return Note(kind, thread, text, "/", {"repo": {"name": "a/b", "type": "space"}})


def test_many_who_tell_of_the_same_leave_one_row_of_each_user(store):
    users = [owner(store, name) for name in ("ann", "bob", "cat")]

    def say(number):
        with store.write() as tx:
            tell(tx, note("same", f"{number}"), users if number % 2 else reversed(users), float(number), "ann")

    at_once(say, range(8))
    with store.read() as tx:
        for user in users:
            [one] = tx.notifications.list(user)
            assert (one.detail["repo"]["name"], one.actor, one.read_at) == ("a/b", "ann", None)
            assert tx.notifications.unread(user) == tx.notifications.count(user) == 1


def test_pages_marks_and_ends(store):
    ann, bob = owner(store, "ann"), owner(store, "bob")
    with store.write() as tx:
        for number in range(7):
            tell(tx, note(f"t{number}"), [ann, bob], 5.0 + number // 2)
    with store.write() as tx:
        ids, after = [], None
        while page := tx.notifications.list(ann, after=after, limit=3):
            ids += [one.id for one in page]
            after = page[-1].at, page[-1].id
        assert len(ids) == len(set(ids)) == 7
        tx.notifications.mark(ann, 9.0, [ids[0], "t0"])
        assert tx.notifications.count(ann, unread=True) == 5
        tx.notifications.mark(ann, 9.0, None, until=6.0)
        assert {one.at for one in tx.notifications.list(ann, unread=True)} == {7.0}
        tx.notifications.mark(ann, None, None)
        assert tx.notifications.count(ann, unread=True) == 7
        tell(tx, note("t1", "again"), [ann], 99.0, once=True)
        assert "again" not in [one.text for one in tx.notifications.list(ann)]
        tell(tx, note("t1", "again"), [ann], 99.0)
        assert tx.notifications.list(ann)[0].text == "again" and tx.notifications.count(ann) == 7
        tx.notifications.drop(ann, ["t1"])
        tx.notifications.forget("t2")
        assert (tx.notifications.count(ann), tx.notifications.count(bob)) == (5, 6)
        tx.notifications.prune(7.0, 2)
        assert (tx.notifications.count(ann), tx.notifications.count(bob)) == (2, 2)
        assert tx.notifications.get(ann, tx.notifications.list(bob)[0].id) is None
        tx.notifications.mute(ann, ["space", "mention"])
        tx.notifications.mute(ann, ["space"])
        tell(tx, note("muted"), [ann], 100.0)
        tell(tx, note("heard", kind="mention"), [ann], 100.0)
        assert tx.notifications.muted(ann) == {"space"} and tx.notifications.list(ann)[0].thread == "heard"


def test_tokens_that_end_soon_are_those_that_people_made_for_long(store):
    ann = owner(store, "ann")
    with store.write() as tx:
        for number, (made, ends, more) in enumerate((
            (0.0, 105.0, {}), (90.0, 105.0, {}), (0.0, 120.0, {}), (0.0, 105.0, {"revoked_at": 1.0}),
            (0.0, 105.0, {"family": "f"}), (0.0, None, {}),
        )):  # fmt: skip
            tx.accounts.add_token(
                Token(f"{number:024x}", ann, "t", "read", str(number), "", made, expires_at=ends, **more)
            )
        assert tx.notifications.ending_tokens(100.0, 110.0) == [f"{0:024x}"]


def test_an_invitation_is_taken_once_and_in_time(store):
    ann, bob = owner(store, "ann"), owner(store, "bob")
    one = Invitation("i" * 24, True, "o" * 24, bob, Role.READ, "ann", 1.0, 100.0)
    with store.write() as tx:
        tx.invitations.put(one)
        tx.invitations.put(Invitation("j" * 24, True, "o" * 24, bob, Role.WRITE, "ann", 2.0, 100.0))
        tx.invitations.put(Invitation("k" * 24, False, "r" * 24, bob, Role.READ, "ann", 3.0, 50.0))
    with store.read() as tx:
        assert [(found.id, found.role) for found, _ in tx.invitations.to("o" * 24, 10.0)] == [("j" * 24, Role.WRITE)]
        assert [found.id[0] for found in tx.invitations.of(bob, 10.0, 9)] == ["k", "j"]
        assert [found.id[0] for found in tx.invitations.of(bob, 60.0, 9)] == ["j"]
        [(_, user)] = tx.invitations.to("r" * 24, 10.0)
        assert (user.id, user.name) == (bob, "bob") and tx.invitations.get("r" * 24, ann) is None

    def take(user):
        with store.write() as tx:
            return tx.invitations.take(user, "j" * 24, 10.0) is not None

    assert sorted(at_once(take, [bob, bob, bob, ann])) == [False, False, False, True]
    with store.write() as tx:
        assert tx.invitations.take(bob, "k" * 24, 60.0) is None, "it has ended"
        tx.invitations.put(one)
        assert tx.invitations.drop("o" * 24, bob) and not tx.invitations.drop("o" * 24, bob)
        tx.invitations.put(one)
        tx.invitations.prune(100.0)
        tx.invitations.put(one)
        tx.invitations.forget("o" * 24)
        assert tx.invitations.of(bob, 0.0, 9) == []
