"""Hardware through the services, on a real database and the real loop, with a machine of two GPUs in memory: who waits, who
is next, what is metered, what a used up quota and a time that is over lead to."""

from dataclasses import replace

import pytest

from orchestrator.domain.caller import Caller
from orchestrator.domain.decide import RouteState
from orchestrator.domain.hardware import Access, Hardware
from orchestrator.domain.quota import month_of
from orchestrator.domain.seen import Held, NodeSeen
from orchestrator.domain.space import Role
from orchestrator.domain.stage import Stage
from orchestrator.errors import Conflict, Forbidden
from orchestrator.services.spaces import NewSpace
from orchestrator.services.usage import EVERY
from tests.contracts.test_store import at_once
from tests.memory import MemoryRuntime
from tests.unit.test_reconciler import House

GPU = "nvidia.com/gpu"
CPU = Hardware("cpu-basic", "CPU", 2, 1024**3, 1)
T4 = Hardware(
    "t4", "Nvidia T4", 4, 1024**3, 1, exclusive=True, accelerator="Nvidia T4", resource=GPU, count=1, price=0.5
)
TWO = replace(T4, name="t4x2", count=2, sleep_after=50.0, sleep_forced=True)
ASK = replace(T4, name="t4-ask", access=Access.REQUEST)


class Machine(MemoryRuntime):
    """Two GPUs, given to instances as they are launched."""

    def capacity(self):
        held = tuple(
            Held(one.id, one.space_id, resources={GPU: self.specs[one.id].hardware.count})
            for one in self.instances.values()
            if self.specs[one.id].hardware.count
        )
        return (NodeSeen("n", resources={GPU: 2}, held=held),)

    def list(self, space_id=None):
        return [replace(one, hardware=self.specs[one.id].hardware.name) for one in super().list(space_id)]


class GpuHouse(House):
    runtime_class = Machine

    def __init__(self, tmp_path, database):
        self.flavors = {flavor.name: flavor for flavor in (CPU, T4, TWO, ASK)}
        super().__init__(tmp_path, database)

    def make(self, name: str, flavor: str = "cpu-basic") -> str:
        space = self.spaces.create(self.ann, NewSpace(name))
        if flavor != "cpu-basic":
            self.allotment.requests.choose(self.root, space, flavor)
        with self.store.write() as tx:
            tx.spaces.update(space.id, look_at=self.now, revision="1" * 40, sha="1" * 40, last_activity=self.now)
        return space.id

    def get(self, space_id: str):
        return self.spaces.get(space_id)

    def run(self, *space_ids: str, ready: bool = True):
        for _ in range(8):
            self.runtime.now = self.now
            for space_id in space_ids:
                self.reconciler.poke(space_id)
            self.reconciler._round()
            self.build()
            if ready:
                self.runtime.become_ready()

    def usage(self) -> dict[tuple[str, str], float]:
        with self.store.read() as tx:
            return {(one.space, one.hardware): one.seconds for one in tx.usage.sums(0.0, 1e12)}


@pytest.fixture
def house(tmp_path, database):
    house = GpuHouse(tmp_path, database)
    house.root = Caller(house.accounts.add_user("root", admin=True), Role.ADMIN, via="token")
    yield house
    house.store.close()


def test_spaces_wait_for_a_gpu_in_order_and_say_so(house):
    ids = []
    for number in range(4):
        house.now += 1
        ids.append(house.make(f"s{number}", "t4"))
        house.run(*ids)
    a, b, c, d = (house.get(i) for i in ids)
    assert [one.stage for one in (a, b, c, d)] == [Stage.RUNNING] * 2 + [Stage.APP_STARTING] * 2
    assert c.reason == "waiting for Nvidia T4: 0 of 2 free, you are next"
    assert d.reason == "waiting for Nvidia T4: 0 of 2 free, 1 ahead of you"
    assert [one.space_id for one in house.allotment.capacity.queue()] == ids[2:]
    house.now += 1
    house.spaces.pause(house.ann, a)
    house.run(*reversed(ids))
    assert [house.get(i).stage for i in ids] == [Stage.PAUSED, Stage.RUNNING, Stage.RUNNING, Stage.APP_STARTING]
    assert house.get(ids[3]).reason.endswith("you are next")
    house.spaces.delete(house.ann, d)
    house.run(*ids)
    assert house.allotment.capacity.queue() == []


def test_a_new_version_keeps_its_gpu_while_others_wait(house):
    first, second, waits = house.make("first", "t4"), house.make("second", "t4"), ""
    house.run(first, second)
    house.now += 5
    waits = house.make("waits", "t4")
    house.run(waits)
    assert house.get(waits).stage is Stage.APP_STARTING
    house.now += 5
    house.spaces.restart(house.ann, house.get(first))
    house.run(waits, first, second)
    assert [house.get(i).stage for i in (first, second, waits)] == [Stage.RUNNING, Stage.RUNNING, Stage.APP_STARTING]


def test_the_old_instance_serves_on_the_cpu_until_there_is_room(house):
    busy = [house.make("one", "t4"), house.make("two", "t4")]
    house.run(*busy)
    space_id = house.make("mine")
    house.run(space_id)
    house.allotment.requests.choose(house.root, house.get(space_id), "t4")
    house.run(space_id)
    mine = house.get(space_id)
    assert (mine.stage, mine.route) == (Stage.RUNNING_APP_STARTING, RouteState.OPEN)
    assert mine.running_hardware == "cpu-basic" and "0 of 2 free" in mine.reason
    house.spaces.pause(house.ann, house.get(busy[0]))
    house.run(*busy, space_id)
    mine = house.get(space_id)
    assert (mine.stage, mine.running_hardware, mine.queued_at) == (Stage.RUNNING, "t4", None)
    assert [spec.hardware.name for name, spec in house.runtime.specs.items() if name == mine.instance] == ["t4"]


def test_the_old_instance_goes_first_when_its_owner_says_so(house):
    busy = [house.make("one", "t4"), house.make("two", "t4")]
    house.run(*busy)
    space_id = house.make("mine")
    house.run(space_id)
    house.allotment.requests.set_goes_first(house.ann, house.get(space_id), True)
    house.allotment.requests.choose(house.root, house.get(space_id), "t4")
    house.run(space_id)
    assert house.get(space_id).stage is Stage.APP_STARTING
    assert not [one for one in house.runtime.list(space_id)]


def test_usage_is_metered_by_the_second(house):
    space_id = house.make("app", "t4")
    house.run(space_id)
    meter, started = house.allotment.meter, house.now
    for _ in range(10):
        meter.measure()
        house.now += EVERY
    meter.measure()
    assert house.usage() == {("ann/app", "t4"): house.now - started}
    house.now += 3
    house.spaces.pause(house.ann, house.get(space_id))
    house.run(space_id)
    meter.measure()
    ended = house.now
    house.now += 1000
    meter.measure()
    assert house.usage() == {("ann/app", "t4"): ended - started}
    with house.store.read() as tx:
        assert tx.usage.running() == []


def test_a_crash_of_podium_loses_at_most_one_round(house):
    space_id = house.make("app", "t4")
    house.run(space_id)
    started = house.now
    house.allotment.meter.measure()
    house.now += 500  # nobody measures; the app runs on
    house.allotment.meter.measure()
    assert house.usage() == {("ann/app", "t4"): 500}
    house.runtime.instances.clear()  # and this time it ended meanwhile, nobody knows when
    house.now += 500
    house.allotment.meter.measure()
    assert house.usage() == {("ann/app", "t4"): 500 + EVERY}
    assert house.now - started == 1000


def test_waiting_on_a_cluster_costs_nothing(house):
    space_id = house.make("app", "t4")
    house.run(space_id, ready=False)
    (name,) = house.runtime.instances
    pending = replace(house.runtime.instances[name], waiting="for a node")
    for _ in range(4):
        house.runtime.instances[name] = pending
        house.allotment.meter.measure()
        house.now += EVERY
    house.runtime.instances[name] = replace(pending, waiting="")
    house.allotment.meter.measure()
    house.now += 10
    house.allotment.meter.measure()
    assert house.usage() == {("ann/app", "t4"): EVERY + 10}


def test_a_quota_that_runs_out_stops_the_space_with_the_reason_and_a_new_month_starts_it(house):
    house.allotment.quotas.put(house.root, "ann", "t4", hours=0.01)
    space_id = house.make("app")
    house.allotment.requests.choose(house.ann, house.get(space_id), "t4")
    house.run(space_id)
    assert house.get(space_id).stage is Stage.RUNNING
    house.allotment.meter.measure()
    house.now += 40
    house.allotment.meter.measure()
    assert house.get(space_id).stage is Stage.RUNNING
    house.reconciler._round()
    space = house.get(space_id)
    assert (space.stage, space.route) == (Stage.PAUSED, RouteState.CLOSED)
    assert space.reason.startswith("stopped: ann has used its 0.01 hours of t4 for this month; choose other hardware")
    assert not house.runtime.list(space_id)
    house.run(space_id)
    assert house.get(space_id).stage is Stage.PAUSED
    with pytest.raises(Forbidden, match="has used its 0.01 hours"):
        house.allotment.requests.choose(house.ann, house.get(house.make("other")), "t4")
    house.now = month_of(house.now)[1] + 5
    house.run(space_id)
    assert house.get(space_id).stage in (Stage.RUNNING, Stage.SLEEPING)
    house.allotment.quotas.drop(house.root, "ann", "t4")
    house.run(space_id)
    assert "ann has no quota for t4" in house.get(space_id).reason
    house.allotment.requests.choose(house.ann, house.get(space_id), "cpu-basic")
    house.run(space_id)
    assert (house.get(space_id).stage, house.get(space_id).running_hardware) == (Stage.RUNNING, "cpu-basic")


def test_what_was_given_for_a_time_goes_back(house):
    space_id = house.make("app")
    house.allotment.requests.choose(house.ann, house.get(space_id), "t4-ask", "please")
    assert house.get(space_id).hardware_asked == "t4-ask"
    (request,) = [one for one, _ in house.allotment.requests.list(house.root)]
    house.allotment.requests.approve(house.root, request.id, seconds=100)
    with house.store.write() as tx:
        tx.spaces.update(space_id, look_at=house.now, sleep_after=None)
    house.run(space_id)
    assert house.get(space_id).running_hardware == "t4-ask"
    house.now += 99
    house.run(space_id)
    assert house.get(space_id).running_hardware == "t4-ask"
    with house.store.read() as tx:
        assert tx.spaces.next_look("me", house.now) <= request.created_at + 100  # it is looked at without a bell
    house.now += 1
    house.run(space_id)
    space = house.get(space_id)
    assert (space.running_hardware, space.wish.hardware_until) == ("cpu-basic", None)
    with house.store.read() as tx:
        assert tx.audit.of("ann/app")[0].action == "hardware.expired"
        assert not tx.hardware.granted(space_id, "t4-ask", house.now)


def test_an_approval_and_a_refusal_at_once_are_one(house):
    space_id = house.make("app")
    house.allotment.requests.choose(house.ann, house.get(space_id), "t4-ask")
    (request,) = [one for one, _ in house.allotment.requests.list(house.root)]
    house.allotment.requests.refuse(house.root, request.id, "no")
    with pytest.raises(Conflict, match="refused by root already"):
        house.allotment.requests.approve(house.root, request.id)
    assert house.get(space_id).wish.hardware == "cpu-basic"


def test_an_approval_over_quota_changes_nothing(house):
    house.allotment.quotas.put(house.root, "ann", "t4-ask", count=0)
    space_id = house.make("app")
    with pytest.raises(Forbidden, match="ann may have 0 Spaces on t4-ask"):
        house.allotment.requests.choose(house.ann, house.get(space_id), "t4-ask")
    house.allotment.quotas.drop(house.root, "ann", "t4-ask")
    house.allotment.requests.choose(house.ann, house.get(space_id), "t4-ask")
    house.allotment.quotas.put(house.root, "ann", "t4-ask", count=0)
    (request,) = [one for one, _ in house.allotment.requests.list(house.root)]
    with pytest.raises(Forbidden, match="ann may have 0 Spaces"):
        house.allotment.requests.approve(house.root, request.id)
    assert house.allotment.requests.find(request.id)[0].state == "pending"
    assert house.get(space_id).hardware_asked == "t4-ask"


def test_hardware_that_is_gone_from_the_catalogue_stops_with_the_reason(house):
    space_id = house.make("app", "t4")
    house.run(space_id)
    del house.flavors["t4"]
    house.run(space_id)
    space = house.get(space_id)
    assert space.stage is Stage.PAUSED and "has no hardware 't4' any more" in space.reason


def test_the_flavours_own_time_to_sleep(house):
    space_id = house.make("app", "t4x2")
    house.run(space_id)
    assert house.get(space_id).wish.sleep_after == 50
    house.now += 51
    house.run(space_id)
    assert house.get(space_id).stage is Stage.SLEEPING
    house.spaces.used({}, [space_id])
    house.run(space_id)
    assert house.get(space_id).stage is Stage.RUNNING


def test_a_place_is_kept_for_what_was_launched(house):
    """Between its launch and the moment a cluster puts it on a node nobody else may take its GPU."""
    house.runtime.capacity = lambda: (NodeSeen("n", resources={GPU: 1}),)
    first = house.make("first", "t4")
    house.run(first, ready=False)
    house.now += 1
    second = house.make("second", "t4")
    house.run(second, ready=False)
    assert [one.space_id for one in house.runtime.list()] == [first]


def test_two_who_want_the_last_place_at_once_get_one(house):
    house.allotment.quotas.put(house.root, "ann", "t4", count=1)
    ids = [house.make(f"s{number}") for number in range(3)]

    def choose(space_id):
        try:
            house.allotment.requests.choose(house.ann, house.get(space_id), "t4")
            return True
        except Forbidden:
            return False

    assert sorted(at_once(choose, ids)) == [False, False, True]
    assert [house.get(i).wish.hardware for i in ids].count("t4") == 1
