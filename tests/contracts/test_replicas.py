"""Several control planes on one database: they share the work by leases, none takes back what another did, and each feeds its
gateways the same routes."""

import asyncio
import itertools
import threading
import time
from contextlib import suppress
from dataclasses import replace

import pytest

from orchestrator.domain.push import RefUpdate
from orchestrator.domain.stage import Stage
from orchestrator.services.bell import LocalBell
from orchestrator.services.builds import BuildQueue
from orchestrator.services.card import Card
from orchestrator.services.intents import Intents
from orchestrator.services.reconciler import Reconciler
from orchestrator.services.routes import RouteFeed
from orchestrator.services.spaces import NewSpace
from orchestrator.services.workers import BuildWorkers
from orchestrator.store.engine import Store
from tests.memory import MemoryRepos
from tests.support import eventually
from tests.unit.test_reconciler import House

SPACES = 12


class Crowded(Reconciler):
    """A reconciler that tells when two look at one Space at the same moment."""

    busy: set[str] = set()
    overlaps: list[str] = []
    looks: dict[str, int] = {}

    def _see(self, space, hardware):
        if space.id in self.busy:
            self.overlaps.append(space.id)
        self.busy.add(space.id)
        self.looks[self._who] = self.looks.get(self._who, 0) + 1
        time.sleep(0.003)  # what looking costs in a cluster
        try:
            return super()._see(space, hardware)
        finally:
            self.busy.discard(space.id)


class Replica:
    """A control plane with its own connections and bell; world, repos and database are shared."""

    def __init__(self, house: House, database: str) -> None:
        self.store, self.bell = Store(database), LocalBell()
        self.queue = BuildQueue(self.store, house.repos, self.bell)
        first = house.reconciler
        self.reconciler = Crowded(
            self.store, house.runtime, house.builds, self.queue, house.environment, house.repos, house.logs, self.bell,
            first._allotment, first._host_of,
        )  # fmt: skip
        self.workers = BuildWorkers(
            self.store, house.repos, house.builds, house.logs, self.bell, count=2, timeout=60.0,
            changed=self.reconciler.poke,
        )  # fmt: skip
        self.feed = RouteFeed(self.store, self.bell, {})

    def start(self) -> None:
        self.reconciler.start()
        self.workers.start()

    def stop(self) -> None:
        self.workers.stop()
        self.reconciler.stop()
        self.store.close()


class Gateway:
    """What a gateway would know, told by one replica."""

    def __init__(self, feed: RouteFeed) -> None:
        self.routes: dict[str, dict] = {}
        self._loop = asyncio.new_event_loop()
        self._task = self._loop.create_task(self._listen(feed))
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._task)
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _listen(self, feed: RouteFeed) -> None:
        async for message in feed.messages():
            if put := message.get("put"):
                self.routes[put["label"]] = put
            elif label := message.get("drop"):
                self.routes.pop(label, None)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(10)


@pytest.fixture
def house(tmp_path, database):
    house = House(tmp_path, database)
    house.now = house.runtime.now = time.time()
    for service in (house.spaces, house.queue, house.environment, house.accounts):
        service._clock = time.time
    house.spaces._sleep_after = 10000.0
    yield house
    house.store.close()


@pytest.fixture
def replicas(house, database):
    Crowded.busy, Crowded.overlaps, Crowded.looks = set(), [], {}
    made = [Replica(house, database) for _ in range(2)]
    for replica in made:
        replica.start()
    # The runtime tells one of them at a time; the other must not need it.
    turns = itertools.cycle(replica.reconciler.poke for replica in made)
    house.runtime.changed = lambda space_id: next(turns)(space_id)
    yield made
    for replica in made:
        replica.stop()


def test_they_share_the_work_and_never_look_at_one_space_together(house, replicas):
    gateways = [Gateway(replica.feed) for replica in replicas]
    made = [house.spaces.create(house.ann, NewSpace(f"demo{n}")) for n in range(SPACES)]

    def is_running(digit: str) -> bool:
        house.runtime.become_ready()
        for one in made:
            house.runtime.changed(one.id)
        now = [house.spaces.get(one.id) for one in made]
        return all(s.stage is Stage.RUNNING and s.running_revision == digit * 40 for s in now)

    try:
        for digit in "123":
            for one in made:
                now = time.time()
                with house.store.write() as tx:
                    tx.spaces.update(one.id, look_at=now, revision=digit * 40, sha=digit * 40, last_activity=now)
            eventually(lambda digit=digit: is_running(digit), 60, every=0.1)
        assert Crowded.overlaps == []
        assert len(house.builds.orders) == 3 * SPACES == len({order.key for order in house.builds.orders})
        assert sorted(i.space_id for i in house.runtime.list()) == sorted(one.id for one in made)
        assert len(Crowded.looks) == 2 and min(Crowded.looks.values()) > 0

        for one in made[:4]:
            house.spaces.delete(house.ann, house.spaces.get(one.id))
        with house.store.read() as tx:
            left = {one.label for one in made[4:]} | {house.spaces.get(house.space_id).label}
        for gateway in gateways:
            eventually(lambda gateway=gateway: set(gateway.routes) == left, 30)
        for one in made[4:]:
            seen = [gateway.routes[one.label] for gateway in gateways]
            assert seen[0] == seen[1] and seen[0]["state"] == "open"
    finally:
        for gateway in gateways:
            gateway.close()


def test_a_poke_while_another_looks_is_not_lost(house, database):
    """The instance becomes ready after the other one has looked and before it saves."""
    house.push("1")
    house.settle(ready=False)
    other = Replica(house, database)
    real, poked = house.reconciler._see, []

    def slow(space, hardware):
        seen = real(space, hardware)
        if not poked:
            house.runtime.become_ready()
            poked.append(other.reconciler.look(space.id))
        return seen

    house.reconciler._see = slow
    house.reconciler.look(house.space_id)
    assert poked == [None]
    other.reconciler._round()
    assert house.space.stage is Stage.RUNNING
    other.store.close()


def test_a_space_made_while_another_recovers_keeps_its_instance(house):
    house.push("1")
    house.settle()
    newer = []
    real = house.runtime.list

    def slow(space_id=None):
        found = real(space_id)
        if space_id is None and not newer:
            newer.append(house.spaces.create(house.ann, NewSpace("late")))
            spec = house.runtime.specs[house.space.instance]
            house.runtime.launch(replace(spec, instance_id="late-1", space_id=newer[0].id))
        return found

    house.runtime.list = slow
    house.reconciler._recover()
    assert "late-1" in house.runtime.instances


# ------------------------------------------------------------------------------------------------------------- pushes


class Heads(MemoryRepos):
    """One ref whose value is a number, as forty digits."""

    def __init__(self) -> None:
        super().__init__()
        self.main = 0

    def head(self, repo_id, ref="refs/heads/main"):
        return f"{self.main:040d}" if self.main else None

    def sync(self, repo_id, *refs):
        pass

    def read(self, repo_id, commit, path, limit):
        return b""


def test_what_main_was_pushed_to_is_followed_forwards_by_all(house, database):
    heads = Heads()
    stores = [Store(database) for _ in range(3)]
    planes = [Intents(store, heads, LocalBell(), lambda readme, kind: Card()) for store in stores]
    done, went = threading.Event(), []

    def watch():
        while not done.is_set():
            revision = house.space.wish.revision
            if revision and (not went or went[-1] != int(revision)):
                went.append(int(revision))

    def follow(plane):
        while not done.is_set():
            plane.landed(house.space_id)

    threads = [threading.Thread(target=watch), *(threading.Thread(target=follow, args=(p,)) for p in planes)]
    for thread in threads:
        thread.start()
    for number in range(1, 41):
        plane = planes[number % 3]
        with plane.pushing(house.space_id):
            plane.write(house.space_id, [RefUpdate(f"{number - 1:040d}", f"{number:040d}", "refs/heads/main")], "ann")
            heads.main = number
        plane.landed(house.space_id)
        assert int(house.space.wish.revision) == number
    done.set()
    for thread in threads:
        thread.join()
    assert went == sorted(went) and went[-1] == 40
    with house.store.read() as tx:
        rows = [row for row in tx.audit.of("ann/demo", 1000) if row.action == "push"]
        assert tx.pushes.open() == []
    assert sorted(int(row.detail["new"]) for row in rows) == sorted({int(row.detail["new"]) for row in rows})
    for store in stores:
        store.close()
