"""Builds that are done elsewhere, on a real database with ports in memory: who is called and how often, what a builder that
lost its lease may still write, and what a database that goes away costs."""

import threading
import time
from contextlib import contextmanager

import pytest

from orchestrator.domain.seen import BuildState
from orchestrator.domain.stage import Stage
from orchestrator.errors import Unavailable
from orchestrator.ports import BuilderDied
from orchestrator.services.calls import BuildCalls
from orchestrator.services.spaces import NewSpace
from tests.support import eventually
from tests.unit.test_reconciler import House


class Rings:
    """A doorbell that remembers; `away`: Redis is not there; `lost`: rings vanish."""

    def __init__(self):
        self.rung, self.heap, self.away, self.lost = [], 0, False, False

    def ring(self, key):
        if self.away:
            raise Unavailable("no Redis")
        self.rung.append(key)
        self.heap += not self.lost

    def waiting(self):
        if self.away:
            raise Unavailable("no Redis")
        return self.heap


@pytest.fixture
def house(tmp_path, database):
    house = House(tmp_path, database)
    house.rings = Rings()
    house.calls = BuildCalls(house.store, house.rings, house.bell, lambda: house.now)
    yield house
    house.store.close()


def queued(house, count=1):
    """That many Spaces with a queued build each; the keys."""
    for n in range(count):
        made = house.spaces.create(house.ann, NewSpace(f"more{n}"))
        with house.store.write() as tx:
            tx.spaces.update(made.id, look_at=house.now, revision="1" * 40, sha="1" * 40)
    house.reconciler._round()
    with house.store.read() as tx:
        return [build.key for build in tx.builds.queued()]


def test_each_build_is_called_once_and_again_only_when_its_ring_was_lost(house):
    keys = queued(house, 3)
    for _ in range(3):
        house.calls.round()
    assert sorted(house.rings.rung) == sorted(keys)
    house.now += 11
    for _ in range(5):
        house.calls.round()
    assert len(house.rings.rung) == 3, "the rings still wait: nobody is there to take them"
    house.rings.heap = 0  # flushed
    house.calls.round()
    assert len(house.rings.rung) == 6
    house.rings.heap, house.rings.lost = 0, True
    for _ in range(4):
        house.calls.round()
    assert len(house.rings.rung) == 6 + 4 * 3


def test_a_doorbell_that_is_away_is_tried_again(house):
    keys = queued(house, 2)
    house.rings.away = True
    house.calls.round()
    assert house.rings.rung == []
    house.rings.away = False
    house.calls.round()
    assert sorted(house.rings.rung) == sorted(keys)


def test_what_a_dead_builder_held_is_called_again(house):
    (key,) = queued(house)
    house.calls.round()
    house.rings.heap = 0
    assert house.workers._claim("elsewhere:1:x").key == key
    house.now += 46
    house.calls.round()
    assert house.rings.rung == [key, key]
    for _ in range(2):
        assert house.workers._claim("elsewhere:1:x").key == key
        house.now += 46
        house.calls.round()
    with house.store.read() as tx:
        build = tx.builds.get(key)
    assert build.state is BuildState.FAILED and build.fault.code == "BUILD_LOST" and len(house.rings.rung) == 3


def test_what_is_ours_is_tried_until_it_is_gone_and_said(house):
    """A registry that is away for minutes must not cost whoever pushed meanwhile the build."""
    (key,) = queued(house)
    good = house.builds.outcome

    def away(order):
        raise Unavailable("the registry does not answer")

    house.builds.outcome = away
    for attempt in range(40):
        house.now += 16
        assert house.workers.drive(), f"attempt {attempt}"
        assert not house.workers.drive(), "not again at once"
    with house.store.read() as tx:
        build = tx.builds.get(key)
    assert (build.state, build.attempts) == (BuildState.QUEUED, 0)
    space = house.spaces.get(build.space_id)
    house.reconciler.look(space.id)
    told = "the platform has a problem: the registry does not answer; trying again"
    assert house.spaces.get(space.id).reason == told
    house.builds.outcome = good
    house.now += 16
    assert house.workers.drive()
    with house.store.read() as tx:
        build = tx.builds.get(key)
    assert (build.state, build.fault) == (BuildState.SUCCEEDED, None)


def test_what_is_ours_is_given_up_after_a_day(house):
    (key,) = queued(house)

    def away(order):
        raise Unavailable("the registry does not answer")

    house.builds.outcome = away
    assert house.workers.drive()
    house.now += 86401
    assert house.workers.drive()
    with house.store.read() as tx:
        build = tx.builds.get(key)
    assert build.state is BuildState.FAILED and build.fault.code == "PLATFORM"


def test_a_build_that_its_builders_die_of_is_given_up_after_three(house):
    (key,) = queued(house)
    house.workers._stop.set()  # no pauses
    house.workers._stop.wait = lambda seconds: None

    def died(order):
        raise BuilderDied("it ended")

    house.builds.outcome = died
    for _ in range(3):
        build = house.workers._claim("x:1:1")
        house.workers._run(build)
    with house.store.read() as tx:
        build = tx.builds.get(key)
    assert build.state is BuildState.FAILED and build.fault.code == "BUILD_LOST"


def test_a_builder_left_without_rings_takes_what_waited_too_long(house):
    (key,) = queued(house)
    assert not house.workers.drive(patience=30.0)
    house.now += 31
    assert house.workers.drive(patience=30.0)
    with house.store.read() as tx:
        assert tx.builds.get(key).state is BuildState.SUCCEEDED
    assert not house.workers.drive()


def test_who_lost_the_lease_writes_neither_log_nor_result(house):
    """Frozen in the middle of a build; meanwhile another builder does it."""
    (key,) = queued(house)
    good = house.builds.outcome

    def frozen(order):
        house.now += 46  # nobody's heart beats meanwhile
        house.builds.outcome = good
        house.logs.append("build/" + key, "by the other")
        assert house.workers.drive()
        return good(order)

    real = house.builds.run

    def run(order, log, cancelled, phase):
        result = real(order, log, cancelled)
        log(f"late words of {order.fence}")
        return result

    house.builds.run, house.builds.outcome = run, frozen
    first = house.workers._claim("frozen:1:x")
    house.workers._run(first)
    with house.store.read() as tx:
        build = tx.builds.get(key)
    assert (build.state, build.fence, build.attempts) == (BuildState.SUCCEEDED, 2, 2)
    assert "late words of 2" in house.logs.lines["build/" + key]
    assert "late words of 1" not in house.logs.lines["build/" + key]


def test_a_result_waits_for_a_database_that_is_away(house):
    (key,) = queued(house)
    good, away = house.builds.outcome, threading.Event()
    real = house.store.write

    @contextmanager
    def write():
        if away.is_set():
            raise Unavailable("no database")
        with real() as tx:
            yield tx

    def outcome(order):
        away.set()
        threading.Timer(1.5, away.clear).start()
        return good(order)

    house.store.write, house.builds.outcome = write, outcome
    began = time.monotonic()
    assert house.workers.drive()
    assert time.monotonic() - began > 1
    with house.store.read() as tx:
        assert tx.builds.get(key).state is BuildState.SUCCEEDED
    assert len(house.builds.orders) == 1


def test_places_are_not_exceeded(house):
    keys = queued(house, 4)
    house.workers._slots = threading.Semaphore(2)
    good, going, most, lock = house.builds.outcome, [0], [0], threading.Lock()

    def outcome(order):
        with lock:
            going[0] += 1
            most[0] = max(most[0], going[0])
        eventually(lambda: going[0] == 2 or len(house.builds.orders) > 2, 20)
        with lock:
            going[0] -= 1
        return good(order)

    house.builds.outcome = outcome
    drivers = [threading.Thread(target=house.workers.drive) for _ in range(12)]
    for driver in drivers:
        driver.start()
    for driver in drivers:
        driver.join(60)
    with house.store.read() as tx:
        assert {tx.builds.get(key).state for key in keys} == {BuildState.SUCCEEDED}
    assert most[0] == 2
    assert house.space.stage is Stage.NO_APP_FILE
