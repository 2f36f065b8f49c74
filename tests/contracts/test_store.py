"""The Store port's contract, on SQLite and on a real PostgreSQL: what is written is read, the same on both; claims and fences
hold against threads; the route feed misses nothing; and a database that is slow, silent or gone is `Unavailable`, in time."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from orchestrator.domain.decide import RouteState
from orchestrator.domain.quota import Quota
from orchestrator.domain.records import (
    AuditRow,
    Build,
    HardwareRequest,
    Owner,
    RequestState,
    Session,
    Setting,
    Space,
    Token,
    Usage,
)
from orchestrator.domain.seen import BuildState, Failures, Fault, Image
from orchestrator.domain.space import Role, Visibility, Wish
from orchestrator.domain.stage import Stage
from orchestrator.errors import Conflict, Invalid, Unavailable
from orchestrator.store.engine import HEAD, Store
from tests.support import eventually

IMAGE = Image("i1", "gradio", ("python", "app.py"), {"A": "ä€"}, title='Say "hi"', headers={"x": "y"})


@pytest.fixture
def store(database):
    store = Store(database)
    yield store
    store.close()


def owner(store, name: str, kind: str = "user") -> str:
    made = (name.lower().encode().hex() + "0" * 24)[:24]
    with store.write() as tx:
        tx.accounts.add_owner(Owner(made, name, kind))
    return made


def space(number: int, owner_id: str, name: str = "", **values) -> Space:
    made, name = f"{number:024x}", name or f"s{number}"
    wish = Wish(made, hardware="cpu-basic", sleep_after=None)
    return Space(made, "", owner_id, name, f"label-{number}", Visibility.PUBLIC, wish, **values)


def add(store, *spaces: Space) -> None:
    for one in spaces:
        with store.write() as tx:
            tx.spaces.add(one, look_at=0.0)


def queue(store, one: Space, revision: str, at: float = 0.0) -> str:
    key = f"{one.id[-8:]}{revision[:8]}"
    with store.write() as tx:
        tx.builds.add(Build(key, one.id, 0, revision, 0, BuildState.QUEUED, at, at))
    return key


def at_once(work, items) -> list:
    """Run `work(item)` for all items in a thread each, begun together."""
    items = list(items)
    gate = threading.Barrier(len(items))

    def one(item):
        gate.wait()
        return work(item)

    with ThreadPoolExecutor(len(items)) as pool:
        return list(pool.map(one, items))


# ------------------------------------------------------------------------------------------------------- round trips


def test_a_space_comes_back_as_it_was_written(store):
    ann = owner(store, "Ann")
    made = space(
        1, ann, "Demo", card={"title": "Ümläut 🎈", "n": [1, 2.5, None, {"a": True}]}, sdk="gradio", created_at=1.5
    )
    add(store, made)
    fault = Fault("APP_EXITED", "line 1\nline 2", "app.py:3")
    sighting = replace(
        made, stage=Stage.RUNNING, reason="ok", route=RouteState.OPEN, address="127.0.0.1:9", instance="i",
        image=IMAGE, failures=Failures("k", 2, 7.25, fault), running_revision="a" * 40,
    )  # fmt: skip
    with store.write() as tx:
        _, fence = tx.spaces.claim(made.id, "me", 10.0, 70.0)
        assert tx.spaces.save(sighting, fence, 70.0, 99.0, route_changed=True)
    with store.read() as tx:
        got = tx.spaces.get(made.id)
    assert got == replace(sighting, owner="Ann", route_seq=got.route_seq) and got.route_seq > 0


def test_builds_and_accounts_come_back_as_they_were_written(store):
    ann, org = owner(store, "ann"), owner(store, "Acme", "org")
    add(store, space(1, ann))
    key = queue(store, space(1, ann), "a" * 40)
    with store.write() as tx:
        tx.builds.update(key, image=IMAGE, phases={"install": 0.25}, warnings=["w"], previous={"p": "q"})
        tx.accounts.set_member(org, ann, Role.READ)
        tx.accounts.set_member(org, ann, Role.ADMIN)
        tx.accounts.add_token(Token("t" * 24, ann, "laptop", "write", "h" * 64, created_at=1.0))
        tx.accounts.add_session(Session("s" * 64, ann, 1.0, 9.0, once=True))
        tx.audit.add(AuditRow(3.0, "ann", "push", "ann/s1", {"new": "é"}))
    with store.read() as tx:
        build = tx.builds.get(key)
        assert (build.image, build.phases, build.warnings, build.previous) == (
            IMAGE,
            {"install": 0.25},
            ("w",),
            {"p": "q"},
        )
        assert build.number == 1 and build.fault is None
        assert [(o.name, role) for o, role in tx.accounts.orgs_of(ann)] == [("Acme", Role.ADMIN)]
        assert tx.accounts.token_by_hash("h" * 64).name == "laptop"
        assert tx.accounts.session("s" * 64) is None and tx.accounts.session("s" * 64, once=True).user_id == ann
        assert tx.audit.of("ann/s1") == [AuditRow(3.0, "ann", "push", "ann/s1", {"new": "é"})]


def test_texts_that_only_some_databases_take(store):
    ann = owner(store, "ann")
    odd = {"nan": float("nan"), "deep": [{"inf": float("inf")}], "nul": "a\0b", "half": "\ud800"}
    add(store, space(1, ann, card=odd))
    with store.write() as tx:
        tx.spaces.update("0" * 23 + "1", look_at=0.0, reason="a\0b\ud800c")
        assert tx.accounts.owner_named("ann\0") is None
        assert tx.spaces.list(all_visible=True, search="\0%_\\\ud800") == []
    with store.read() as tx:
        got = tx.spaces.get("0" * 23 + "1")
    assert got.reason == "a\ufffdb?c"
    assert got.card == {"nan": None, "deep": [{"inf": None}], "nul": "a\0b", "half": "\ud800"}


def test_names_match_whatever_their_case(store):
    ann = owner(store, "Ann")
    add(store, space(1, ann, "MyDemo"))
    with store.read() as tx:
        assert tx.spaces.find("aNN", "mydEMO").name == "MyDemo"
        assert tx.accounts.owner_named("ANN").id == ann
        assert [s.name for s in tx.spaces.list(all_visible=True, search="NN/mYd")] == ["MyDemo"]
    with pytest.raises(Conflict) as error:
        add(store, replace(space(2, ann), name="mydemo"))
    assert error.value.code == "RepoExists"


def test_lists_sort_and_page_the_same_everywhere(store):
    names = ["b-a", "B_a", "ba", "a", "_z", "a-b", "a1", "A0"]
    for name in names:
        owner(store, name)
    with store.read() as tx:
        assert [o.name for o in tx.accounts.owners()] == sorted(names, key=str.lower)
    ann = owner(store, "ann")
    add(store, *(space(n, ann, created_at=float(n // 3), updated_at=1.0) for n in range(1, 20)))
    for sort, moment in (("created_at", lambda s: s.created_at), ("last_modified", lambda s: s.updated_at)):
        got, after = [], None
        while True:
            with store.read() as tx:
                page = tx.spaces.list(all_visible=True, sort=sort, limit=4, after=after)
            if not page:
                break
            got += page
            after = (moment(page[-1]), page[-1].id)
        assert [s.id for s in got] == [s.id for s in sorted(got, key=lambda s: (moment(s), s.id), reverse=True)]
        assert len(got) == 19
    with store.write() as tx:
        for key in ("b", "A", "_x", "Z", "a"):
            tx.secrets.put("1" * 24, Setting(key, "v", False))
            tx.secrets.put("1" * 24, Setting(key, "w", False))
        assert [(s.key, s.value) for s in tx.secrets.all("1" * 24)] == [(k, "w") for k in ("A", "Z", "_x", "a", "b")]


def test_private_spaces_are_listed_for_their_people_only(store):
    ann, bob, org = owner(store, "ann"), owner(store, "bob"), owner(store, "acme", "org")
    hidden = [
        replace(space(1, ann), visibility=Visibility.PRIVATE),
        replace(space(2, org), visibility=Visibility.PRIVATE),
    ]
    add(store, *hidden, space(3, bob))
    with store.write() as tx:
        tx.accounts.set_member(org, ann, Role.READ)
    with store.read() as tx:
        seen = {who: {s.name for s in tx.spaces.list(visible_to=who)} for who in (None, ann, bob)}
    assert seen == {None: {"s3"}, ann: {"s1", "s2", "s3"}, bob: {"s3"}}


# ---------------------------------------------------------------------------------------------- all or nothing, limits


def test_a_block_that_fails_leaves_nothing(store):
    ann = owner(store, "ann")
    with pytest.raises(RuntimeError), store.write() as tx:
        tx.spaces.add(space(1, ann), look_at=0.0)
        raise RuntimeError
    with store.read() as tx:
        assert tx.spaces.count() == 0 and tx.spaces.route_seq() == 0


def test_a_read_sees_one_moment(store):
    ann = owner(store, "ann")
    with store.read() as tx:
        assert tx.spaces.count() == 0
        add(store, space(1, ann))
        assert tx.spaces.count() == 0 and tx.spaces.ids() == set()
    with store.read() as tx:
        assert tx.spaces.count() == 1


def test_the_same_at_the_same_moment_is_a_conflict_and_not_a_crash(store):
    ann = owner(store, "ann")

    def make(n):
        try:
            add(store, replace(space(n, ann), name="same"))
            return "made"
        except Conflict as error:
            return error.code

    assert sorted(at_once(make, range(1, 9))) == ["RepoExists"] * 7 + ["made"]
    with pytest.raises(Conflict):
        owner(store, "ANN")


def test_urls_that_cannot_be_used_say_what_to_write(tmp_path):
    for url in ("mysql://x", "nonsense", "postgresql://[::1/x"):
        with pytest.raises(Invalid) as error:
            Store(url)
        assert error.value.code == "DATABASE_URL" and "write" in error.value.message


# ------------------------------------------------------------------------------------------------------------- claims


def test_one_of_many_gets_the_space_and_the_fence_only_rises(store):
    ann = owner(store, "ann")
    add(store, space(1, ann))
    fences = []
    for turn in range(5):
        now = 100.0 * turn + 1

        def claim(who, now=now):
            with store.write() as tx:
                return tx.spaces.claim("0" * 23 + "1", f"who-{who}", now, now + 60)

        won = [got for got in at_once(claim, range(8)) if got]
        assert len(won) == 1
        fences.append(won[0][1])
    assert fences == sorted(set(fences))
    first = space(1, ann)
    with store.write() as tx:
        assert not tx.spaces.save(first, fences[0], 60.0, None, route_changed=True)
    with store.read() as tx:
        assert tx.spaces.get(first.id).stage is Stage.NO_APP_FILE and tx.spaces.route_seq() == 1


def test_what_somebody_holds_is_not_due_and_what_was_looked_at_is_not_claimed_as_due(store):
    ann = owner(store, "ann")
    add(store, space(1, ann))
    one = space(1, ann)
    with store.write() as tx:
        assert tx.spaces.due("a", 5.0) == tx.spaces.due("b", 5.0) == [one.id]
        _, fence = tx.spaces.claim(one.id, "a", 5.0, 65.0, due=True)
        tx.spaces.look_again(one.id, 6.0)  # a bell that rang while it was held
        assert tx.spaces.due("b", 6.0) == [] and tx.spaces.next_look("b", 6.0) is None
        assert tx.spaces.save(one, fence, 65.0, None, route_changed=False)
        assert tx.spaces.due("b", 6.0) == [one.id]
        _, fence = tx.spaces.claim(one.id, "b", 6.0, 66.0, due=True)
        tx.spaces.save(one, fence, 66.0, 500.0, route_changed=False)
        assert tx.spaces.claim(one.id, "a", 7.0, 67.0, due=True) is None


def test_no_build_is_claimed_twice_and_no_space_builds_twice_at_a_time(store):
    """Builders race for 24 builds of 8 Spaces of 2 owners; each is done once, and a Space never has two going on."""
    ids = [owner(store, "ann"), owner(store, "bob")]
    spaces = [space(n, ids[n % 2]) for n in range(1, 9)]
    add(store, *spaces)
    keys = {queue(store, one, f"{n}" * 40, at=float(n)) for one in spaces for n in range(3)}
    going_on, done, wrong, lock = set(), [], [], threading.Lock()

    def builder(number):
        idle = 0
        while idle < 40:
            with store.write() as tx:
                build = tx.builds.claim(f"b{number}", 1.0, 1e12, 1e12)
            if build is None:
                idle = idle + 1 if len(done) < len(keys) else 40
                time.sleep(0.005)  # another builder has the lock on what is left
                continue
            idle = 0
            with lock:
                wrong.extend([build.space_id] if build.space_id in going_on else [])
                going_on.add(build.space_id)
            with lock:
                going_on.discard(build.space_id)
                done.append(build.key)
            with store.write() as tx:
                assert tx.builds.update(build.key, build.fence, state=BuildState.SUCCEEDED.value)

    at_once(builder, range(6))
    assert sorted(done) == sorted(keys) and wrong == []


def test_builds_are_fair_between_owners(store):
    greedy, modest = owner(store, "greedy"), owner(store, "modest")
    add(store, *(space(n, greedy) for n in range(1, 6)), space(9, modest))
    for n in range(1, 6):
        queue(store, space(n, greedy), "a" * 40, at=float(n))
    queue(store, space(9, modest), "a" * 40, at=50.0)
    with store.write() as tx:
        order = [tx.builds.claim("b", 60.0, 1e12, 1e12).space_id for _ in range(3)]
    assert order == [space(1, greedy).id, space(9, modest).id, space(2, greedy).id]


def test_a_fence_that_was_lost_writes_nothing(store):
    ann = owner(store, "ann")
    add(store, space(1, ann))
    key = queue(store, space(1, ann), "a" * 40)
    with store.write() as tx:
        old = tx.builds.claim("old", 0.0, 10.0, 99.0)
        tx.builds.update(key, old.fence, state=BuildState.QUEUED.value)
        assert tx.builds.claim("new", 20.0, 30.0, 99.0, before=-1.0) is None
        new = tx.builds.claim("new", 20.0, 30.0, 99.0)
        assert not tx.builds.update(key, old.fence, state=BuildState.FAILED.value)
        assert tx.builds.get(key).state is BuildState.RUNNING and new.fence > old.fence and new.attempts == 2
        assert tx.builds.update(key, new.fence, state=BuildState.SUCCEEDED.value)


def test_two_that_follow_main_do_not_take_it_back(store):
    ann = owner(store, "ann")
    add(store, space(1, ann))
    one = space(1, ann).id
    with store.write() as tx:
        assert tx.spaces.follow(one, None, frozen=False, look_at=0.0, sha="1" * 40, revision="1" * 40)
        assert not tx.spaces.follow(one, None, frozen=False, look_at=0.0, sha="0" * 40, revision="0" * 40)
        assert tx.spaces.follow(one, "1" * 40, frozen=False, look_at=0.0, sha="2" * 40, revision="2" * 40)
        assert tx.spaces.get(one).wish.revision == "2" * 40


def test_counters_lose_nothing(store):
    ann = owner(store, "ann")
    add(store, space(1, ann))

    def bump(_):
        for _ in range(10):
            with store.write() as tx:
                tx.spaces.bump("0" * 23 + "1", "restarts", look_at=0.0)

    at_once(bump, range(6))
    with store.read() as tx:
        assert tx.spaces.get("0" * 23 + "1").wish.restarts == 60


def test_an_intent_is_settled_by_one(store):
    def write(number):
        with store.write() as tx:
            return tx.pushes.add("r" * 24, "refs/heads/main", "0" * 40, f"{number}" * 40, "ann", float(number))

    made = [write(n) for n in range(5)]
    with store.read() as tx:
        found = tx.pushes.open("r" * 24)
    assert [intent.id for intent in found] == made

    def settle(_):
        with store.write() as tx:
            return tx.pushes.settle(*found)

    settled = at_once(settle, range(4))
    assert sorted(n for some in settled for n in some) == made
    write(9)
    assert settle(0) == set()  # even where it has the number of a settled one
    with store.read() as tx:
        assert [intent.new for intent in tx.pushes.open()] == ["9" * 40]


# --------------------------------------------------------------------------------------------------------- the feed


def test_a_feed_that_resumes_after_the_last_number_misses_nothing(store):
    """Writers whose transactions take differently long; a reader that asks for what is above the highest it saw."""
    ann = owner(store, "ann")
    spaces = [space(n, ann) for n in range(1, 13)]
    add(store, *spaces)
    stop, seen, numbers, last = threading.Event(), {}, [], [0]

    def look():
        with store.read() as tx:
            for one in tx.spaces.route_changes(last[0]):
                numbers.append(one.route_seq)
                seen[one.id] = one.reason
                last[0] = one.route_seq

    def read():
        while not stop.is_set():
            look()

    def write(one):
        for turn in range(12):
            with store.write() as tx:
                tx.spaces.update(one.id, look_at=0.0, route_changed=True, reason=f"turn {turn}")
                time.sleep(0.002 * (turn % 3))  # the commit comes later than the change
                tx.audit.add(AuditRow(0.0, "a", "b", one.id))

    reader = threading.Thread(target=read)
    reader.start()
    at_once(write, spaces)
    stop.set()
    reader.join()
    look()
    assert numbers == sorted(numbers) and len(numbers) == len(set(numbers))
    assert seen == {one.id: "turn 11" for one in spaces}
    with store.read() as tx:
        assert tx.spaces.route_seq() == last[0] == 12 + 12 * 12


def test_what_every_part_does_at_once_ends_well(store):
    """Commands, sightings, reports of use, recoveries and deletions on the same Spaces: no circle of locks, no crash."""
    ann = owner(store, "ann")
    spaces = [space(n, ann) for n in range(1, 9)]
    add(store, *spaces)

    def command(n):
        for one in spaces:
            with store.write() as tx:
                tx.spaces.bump(one.id, "restarts", look_at=0.0)
                tx.spaces.update(one.id, look_at=1.0, route_changed=True, last_activity=float(n))
                tx.audit.add(AuditRow(0.0, "a", "b", one.id))

    def look(n):
        for one in reversed(spaces):
            with store.write() as tx:
                claimed = tx.spaces.claim(one.id, f"w{n}", 1.0, 0.5)
            if claimed:
                with store.write() as tx:
                    tx.spaces.save(replace(one, reason=f"{n}"), claimed[1], 0.5, 1.0, route_changed=True)

    def report(n):
        for _ in range(5):
            with store.write() as tx:
                for one in spaces:
                    tx.spaces.touch(one.id, float(n), look_at=2.0)

    def recover(_):
        for _ in range(5):
            with store.write() as tx:
                tx.spaces.look_at_all(3.0, ["PAUSED"])

    def work(n):
        (command, look, report, recover)[n % 4](n)
        return "ok"

    assert at_once(work, range(12)) == ["ok"] * 12


# ---------------------------------------------------------------------------------------- a server that is hurt


@pytest.fixture
def remote(postgres, migrated_postgres):
    store = Store(postgres.database(migrated_postgres))
    owner(store, "ann")
    yield store
    store.close()


def names(store) -> list[str]:
    with store.read() as tx:
        return [one.name for one in tx.accounts.owners()]


def test_a_restarted_server_is_used_again(remote, postgres):
    at_once(lambda _: names(remote), range(6))  # connections in the pool, all about to die
    postgres.stop()
    began = time.monotonic()
    with pytest.raises(Unavailable):
        names(remote)
    assert time.monotonic() - began < 3
    postgres.start()
    eventually(lambda: names(remote) == ["ann"], 10)
    assert at_once(lambda _: names(remote), range(6)) == [["ann"]] * 6


def test_connections_that_died_in_the_pool_are_not_noticed(remote, postgres):
    at_once(lambda _: names(remote), range(6))
    before = time.monotonic()
    eventually(lambda: time.monotonic() - before > 2.1, 5)  # longer than a connection is believed to live
    postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'podium'")
    assert at_once(lambda _: names(remote), range(6)) == [["ann"]] * 6


def test_a_connection_lost_in_the_middle_changes_nothing(remote, postgres):
    with pytest.raises(Unavailable), remote.write() as tx:
        tx.accounts.update_owner(tx.accounts.owner_named("ann").id, name="eve", name_lower="eve")
        postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'podium'")
        tx.accounts.owners()
    eventually(lambda: names(remote) == ["ann"], 10)
    with pytest.raises(Unavailable), remote.write() as tx:
        tx.accounts.update_owner(tx.accounts.owner_named("ann").id, name="eve", name_lower="eve")
        postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'podium'")
    eventually(lambda: names(remote) == ["ann"], 10)


def test_a_server_that_is_silent_is_given_up_in_time(remote, postgres):
    remote._database._watch._seconds = 1.0
    names(remote)
    postgres.freeze()
    try:
        began = time.monotonic()

        def ask(_):
            with pytest.raises(Unavailable):
                names(remote)

        at_once(ask, range(24))  # more than the pool has
        assert time.monotonic() - began < 20  # each is cut after a second, or waits five for a connection; rounds of 16
    finally:
        postgres.thaw()
    eventually(lambda: names(remote) == ["ann"], 10)


def test_a_lock_that_is_not_given_is_waited_for_only_so_long(remote):
    held, release = threading.Event(), threading.Event()

    def hold():
        with remote.write() as tx:
            tx.accounts.update_owner(tx.accounts.owner_named("ann").id, fullname="A")
            held.set()
            release.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    began = time.monotonic()
    try:
        with pytest.raises(Unavailable), remote.write() as tx:
            tx.accounts.update_owner(tx.accounts.owner_named("ann").id, fullname="B")
        assert time.monotonic() - began < 20
    finally:
        release.set()
        holder.join()


def test_two_that_migrate_at_once_agree(postgres):
    url = postgres.database()
    stores = [Store(url) for _ in range(3)]
    at_once(lambda store: store.migrate(), stores)
    for store in stores:
        assert names(store) == []
        store.close()
    assert postgres.sql("SELECT version_num FROM alembic_version", url.rpartition("/")[2]) == HEAD


# ------------------------------------------------------------------------------------------------------------ hardware


def asked(number: int, space_id: str, **values) -> HardwareRequest:
    return HardwareRequest(f"{number:024x}", space_id, "t4-small", "ann", float(number), **values)


def test_requests_come_back_and_only_one_of_a_space_waits(store):
    ann = owner(store, "ann")
    one, two = space(1, ann), space(2, ann)
    add(store, one, two)
    with store.write() as tx:
        tx.hardware.add(asked(1, one.id, note="für später"))
        tx.hardware.add(asked(2, two.id))
    with pytest.raises(Conflict), store.write() as tx:
        tx.hardware.add(asked(3, one.id))
    with store.write() as tx:
        assert tx.hardware.settle(asked(1, "").id, RequestState.APPROVED, decided_by="root", expires_at=50.0)
        assert not tx.hardware.settle(asked(1, "").id, RequestState.REFUSED, reason="late")
        assert tx.hardware.withdraw(two.id, "ann", 9.0) and not tx.hardware.withdraw(two.id, "ann", 9.0)
        tx.hardware.add(asked(4, one.id))
    with store.read() as tx:
        first = tx.hardware.get(asked(1, "").id)
        assert (first.note, first.state, first.decided_by) == ("für später", RequestState.APPROVED, "root")
        assert [r.id[-1] for r in tx.hardware.list()] == ["4", "2", "1"]
        assert [r.id[-1] for r in tx.hardware.list(RequestState.PENDING)] == ["4"]
        assert tx.hardware.latest(one.id).id[-1] == "4"
        assert tx.hardware.granted(one.id, "t4-small", 49.0) and not tx.hardware.granted(one.id, "t4-small", 50.0)
        assert not tx.hardware.granted(two.id, "t4-small", 1.0)
    with store.write() as tx:
        tx.hardware.revoke(one.id, "t4-small", 20.0)
        assert tx.hardware.granted(one.id, "t4-small", 30.0)
        tx.hardware.revoke(one.id, "cpu-basic", 20.0)
        assert not tx.hardware.granted(one.id, "t4-small", 30.0)
        tx.hardware.forget(one.id)
        assert tx.hardware.latest(one.id) is None


def test_two_admins_decide_at_once_and_one_is_told(store):
    one = space(1, owner(store, "ann"))
    add(store, one)
    with store.write() as tx:
        tx.hardware.add(asked(1, one.id))

    def decide(state):
        with store.write() as tx:
            return tx.hardware.settle(asked(1, "").id, state)

    assert sorted(at_once(decide, [RequestState.APPROVED, RequestState.REFUSED])) == [False, True]


def test_quotas_are_put_again_and_dropped(store):
    ann, bob = owner(store, "ann"), owner(store, "bob")
    with store.write() as tx:
        tx.hardware.put_quota(Quota(ann, "t4-small", 10.0, 2, 5.5))
        tx.hardware.put_quota(Quota(ann, "*", price=9.0))
        tx.hardware.put_quota(Quota(bob, "t4-small"))
        tx.hardware.put_quota(Quota(ann, "t4-small", hours=1.0))
        assert tx.hardware.quotas(ann) == [Quota(ann, "*", price=9.0), Quota(ann, "t4-small", hours=1.0)]
        assert len(tx.hardware.quotas()) == 3
        assert tx.hardware.drop_quota(ann, "*") and not tx.hardware.drop_quota(ann, "*")


def used(space_id: str, owner_id: str, begin: float, until: float, hardware: str = "t4", **more) -> Usage:
    values = {"instance_id": f"s-{space_id}", "started_at": begin, "price": 0.5, "running": True, **more}
    return Usage(
        space_id=space_id, space=f"ann/{space_id[-1]}", owner_id=owner_id, owner="ann", hardware=hardware, begin=begin,
        until=until, **values,
    )  # fmt: skip


def test_usage_is_extended_once_whoever_writes_it(store):
    ann = owner(store, "ann")
    row = used("a" * 24, ann, 100.0, 110.0)
    for until in (110.0, 125.0, 125.0):
        with store.write() as tx:
            tx.usage.extend(replace(row, until=until, begin=until, price=9.9, space="renamed/x"))
            tx.usage.extend(replace(row, until=until))
    with store.read() as tx:
        (kept,) = tx.usage.running()
        assert (kept.begin, kept.until) == (110.0, 125.0) and kept.space == "renamed/x"
    at_once(lambda until: _extend(store, replace(row, until=until)), [130.0, 130.0, 130.0])
    with store.write() as tx:
        tx.usage.end(kept, 120.0)
        assert tx.usage.running() == []
        assert [round(one.seconds) for one in tx.usage.sums(0.0, 1e6)] == [20]  # 110 to 130: what is known stays


def _extend(store, row: Usage) -> None:
    with store.write() as tx:
        tx.usage.extend(row)


def test_usage_that_waits_begins_when_it_stops_waiting(store):
    row = used("a" * 24, owner(store, "ann"), 100.0, 100.0)
    for now, waiting in ((115.0, True), (130.0, True), (145.0, False), (160.0, False)):
        with store.write() as tx:
            tx.usage.extend(replace(row, begin=now if waiting else 100.0, until=now), waiting)
    with store.read() as tx:
        assert [(one.seconds, one.cost) for one in tx.usage.sums(0.0, 1e6)] == [(30.0, pytest.approx(30 * 0.5 / 3600))]


def test_usage_is_summed_within_a_range(store):
    ann, bob = owner(store, "ann"), owner(store, "bob")
    a, b = "a" * 24, "b" * 24
    with store.write() as tx:
        tx.usage.extend(used(a, ann, 0.0, 3600.0, running=False))
        tx.usage.extend(used(a, ann, 5000.0, 5100.0))
        tx.usage.extend(used(a, ann, 6000.0, 6100.0, "cpu", price=0.0))
        tx.usage.extend(used(b, bob, 0.0, 50.0))
    with store.read() as tx:
        assert [(s.space, s.hardware, s.seconds) for s in tx.usage.sums(0.0, 1e6)] == [
            ("ann/a", "cpu", 100.0),
            ("ann/a", "t4", 3700.0),
            ("ann/b", "t4", 50.0),
        ]
        assert [s.seconds for s in tx.usage.sums(1800.0, 5050.0, ann)] == [1850.0]
        assert [s.cost for s in tx.usage.sums(0.0, 1e6, space_id=b)] == [pytest.approx(50 * 0.5 / 3600)]
        assert tx.usage.sums(7000.0, 8000.0) == []


def test_the_queue_is_in_order_and_what_each_owner_wants_is_known(store):
    ann, bob = owner(store, "ann"), owner(store, "bob")
    spaces = [space(n, bob if n == 3 else ann) for n in (1, 2, 3)]
    add(store, *spaces)
    for one, since in zip(spaces, (30.0, None, 10.0), strict=True):
        with store.write() as tx:
            _, fence = tx.spaces.claim(one.id, "me", 1.0, 61.0)
            assert tx.spaces.save(replace(one, queued_at=since), fence, 61.0, None, route_changed=False)
    with store.write() as tx:
        tx.spaces.update(spaces[0].id, look_at=1.0, replicas=3)
    with store.read() as tx:
        assert tx.spaces.queue() == [(spaces[2].id, "cpu-basic", 10.0, 1), (spaces[0].id, "cpu-basic", 30.0, 3)]
        assert tx.spaces.on_hardware(ann) == [(spaces[0].id, "cpu-basic", 3), (spaces[1].id, "cpu-basic", 1)]


def test_addresses_of_replicas_count_only_with_the_first_of_them(store):
    add(store, one := space(1, owner(store, "ann")))

    def see(**seen) -> tuple[str, tuple[str, ...]]:
        with store.write() as tx:
            kept, fence = tx.spaces.claim(one.id, "me", 1.0, 61.0)
            assert tx.spaces.save(replace(kept, **seen), fence, 61.0, None, route_changed=False)
        with store.read() as tx:
            found = tx.spaces.get(one.id)
        return found.address, found.addresses

    assert see(address="a:1", addresses=("a:1", "b:1")) == ("a:1", ("a:1", "b:1"))
    with store.write() as tx:
        tx.spaces.update(one.id, look_at=1.0, address="c:1")  # as the release before writes it
    with store.read() as tx:
        assert tx.spaces.get(one.id).addresses == ()
    assert see(address="c:1", addresses=()) == ("c:1", ())


def test_replicas_of_an_instance_are_one_run(store):
    ann = owner(store, "ann")
    add(store, one := space(1, ann))
    with store.write() as tx:
        for name, begin, until in (
            ("s-1/a", 0.0, 50.0),
            ("s-1/b", 10.0, 90.0),
            ("s-1/c", 200.0, 210.0),
            ("s-2", 80.0, 95.0),
        ):
            tx.usage.extend(replace(used(one.id, ann, begin, until), instance_id=name))
    with store.read() as tx:
        assert tx.usage.runs(one.id, 0.0, 1e6) == [(0.0, 90.0), (80.0, 95.0), (200.0, 210.0)]
        assert sum(row.seconds for row in tx.usage.sums(0.0, 1e6)) == 50 + 80 + 10 + 15


def test_the_release_before_goes_on_writing_spaces(store):
    """Its INSERT names none of the columns that came after it."""
    from sqlalchemy import text

    ann = owner(store, "ann")
    add(store, space(1, ann))
    columns = (
        "id, owner_id, name, name_lower, label, visibility, creator_id, card, created_at, updated_at, access_epoch, rebuilds,"
        " paused, deleted, hardware, env_version, restarts, stage, reason, stage_since, route, address, instance, route_seq,"
        " last_activity, lease_owner, lease_until, fence"
    )
    values = {"i": "f" * 24, "o": ann}
    with store.engine.begin() as connection:
        connection.execute(
            text(
                f"INSERT INTO spaces ({columns}) VALUES (:i, :o, 'x', 'x', 'label-x', 'public', '', '{{}}', 1, 1, 0, 0,"
                " false, false, 'cpu-basic', 0, 0, 'NO_APP_FILE', '', 1, 'closed', '', '', 0, 1, '', 0, 0)"
            ),
            values,
        )
    with store.read() as tx:
        made = tx.spaces.get("f" * 24)
    assert (made.wish.goes_first, made.hardware_asked, made.running_hardware, made.queued_at) == (False, "", "", None)


def test_an_identity_is_one_users_and_goes_with_them(store):
    from orchestrator.domain.identity import Identity

    ann, bob = owner(store, "ann"), owner(store, "bob")
    one = Identity("1" * 24, "https://sso.example.org", "Sub", ann, "ann@example.org", 1.0, 1.0)
    with store.write() as tx:
        tx.identities.add(one)
        tx.identities.add(replace(one, id="2" * 24, subject="sub", created_at=2.0))
        tx.identities.used(one.id, "Ann", 5.0)
    with store.read() as tx:
        assert [found.id for found in tx.identities.of(ann)] == [one.id, "2" * 24]
        assert tx.identities.find(one.issuer, "Sub") == replace(one, label="Ann", used_at=5.0)
        assert tx.identities.find(one.issuer, "SUB") is None and tx.identities.of(bob) == []
    with pytest.raises(Conflict), store.write() as tx:
        tx.identities.add(replace(one, id="3" * 24, user_id=bob))
    with store.write() as tx:
        tx.identities.drop(one.id)
    with store.read() as tx:
        assert [found.subject for found in tx.identities.of(ann)] == ["sub"]
