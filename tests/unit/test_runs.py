"""What becomes of instances and how far builds are, written by real services on a real database with ports in memory."""

import asyncio

import pytest

from orchestrator.domain.decide import RouteState
from orchestrator.domain.stage import Stage
from orchestrator.domain.streams import instance_stream
from orchestrator.ports import BuildResult
from orchestrator.services import janitor
from orchestrator.services.janitor import Janitor
from orchestrator.services.routes import RouteFeed
from tests.unit.test_reconciler import House


@pytest.fixture
def house(tmp_path, database):
    house = House(tmp_path, database)
    yield house
    house.store.close()


def runs(house):
    return house.spaces.runs(house.space)


def test_a_run_from_its_launch_to_its_sleep_and_another_one_when_it_wakes(house):
    house.push("1")
    house.settle()
    (first,) = runs(house)
    assert (first.build, first.revision, first.hardware) == (1, "1" * 40, "cpu-basic")
    assert first.ready_at == house.now and first.ended_at is None
    house.now += 101
    assert house.settle().stage is Stage.SLEEPING
    (first,) = runs(house)
    assert first.ended_at == house.now and "asleep" in first.why and first.fault is None
    house.now += 50
    house.spaces.used({}, [house.space_id])
    assert house.settle().stage is Stage.RUNNING
    again, first = runs(house)
    assert again.instance_id == first.instance_id and again.started_at == house.now and again.ended_at is None
    assert house.spaces.run(house.space, again.id)[:2] == (first, again)


def test_a_newer_version_ends_the_one_before(house):
    house.push("1")
    house.settle()
    house.push("2")
    house.settle()
    newer, older = runs(house)
    assert (newer.build, newer.ended_at, older.build) == (2, None, 1)
    assert older.ended_at and "newer version" in older.why


def test_what_failed_tells_why(house):
    house.push("1")
    for _ in range(6):
        house.settle(ready=False)
        house.runtime.crash("no module named torch")
        house.now += 11
    house.settle(ready=False)
    failed = runs(house)
    assert len(failed) == 3 and house.space.stage is Stage.RUNTIME_ERROR
    assert all(one.ended_at and one.fault and one.why == "no module named torch" for one in failed)


def test_who_lost_the_lease_writes_no_run(house, monkeypatch):
    house.push("1")
    house.settle(ready=False)
    before = runs(house)
    house.runtime.become_ready()
    looked = house.reconciler._see

    def slowly(space, hardware):
        seen = looked(space, hardware)
        with house.store.write() as tx:
            tx.spaces.claim(space.id, "another", house.now + 3600, house.now + 7200)
        return seen

    monkeypatch.setattr(house.reconciler, "_see", slowly)
    house.reconciler.look(house.space_id)
    assert runs(house) == before


def test_old_runs_and_their_logs_are_collected_and_a_deleted_space_leaves_none(house, monkeypatch):
    monkeypatch.setattr(janitor, "KEEP_RUNS", 2)
    for digit in "1234":
        house.push(digit)
        house.logs.append(instance_stream(house.settle().instance), "hello")
    assert len(runs(house)) == 4
    Janitor(house.store, house.builds, house.logs, keep_builds=9).collect()
    left = runs(house)
    assert [one.build for one in left] == [4, 3]
    logs = {name for name in house.logs.lines if name.startswith("run/")}
    assert logs == {instance_stream(one.instance_id) for one in left}
    house.spaces.delete(house.ann, house.space)
    house.settle()
    with house.store.read() as tx:
        assert tx.runs.of(house.space_id) == []
    assert not house.logs.lines


# --------------------------------------------------------------------------------------------------- while it builds


def feed(house) -> dict:
    """What a gateway that connects now is told of the Space."""

    async def first():
        async for message in RouteFeed(house.store, house.bell, {}).messages():
            if "put" in message:
                return message["put"]

    return asyncio.run(first())


def test_each_phase_is_in_the_row_and_with_the_gateways_as_it_begins(house):
    """The build itself looks at what others see while it is at it."""
    house.builds.phases = ("clone", "install")
    there = {}

    def outcome(order):
        with house.store.read() as tx:
            there["row"] = tx.builds.get(order.key).phases
        house.reconciler.look(house.space_id)
        there["steps"] = feed(house)["steps"]
        return BuildResult(image, phases={"clone": 0.5, "install": 2.5, "total": 3.0})

    image = house.builds.outcome(type("Order", (), {"revision": "9" * 40})).image
    house.builds.outcome = outcome
    house.push("1")
    house.settle(ready=False)
    assert list(there["row"]) == ["queued", "clone", "install"]
    words = [(name, state) for name, state, *_ in there["steps"]]
    assert words[:3] == [("Queued", "done"), ("Cloned", "done"), ("Installing packages", "now")]
    assert there["steps"][2][3] == house.now
    (build,) = house.spaces.builds(house.space)
    assert build.phases == {"queued": 0.0, "clone": 0.5, "install": 2.5, "total": 3.0}
    assert house.space.route is RouteState.WAIT
    starting = [(name, state) for name, state, *_ in feed(house)["steps"]][3:]
    assert starting == [("Finding a place", "now"), ("Starting", "todo"), ("Waiting for its first answer", "todo")]
    house.settle()
    assert feed(house)["steps"] == []


def test_a_build_that_is_tried_again_begins_with_no_phase(house):
    house.builds.phases = ("clone", "install")
    house.push("1")
    house.reconciler._round()
    build = house.workers._claim("test:1:x")
    with house.store.write() as tx:
        tx.builds.update(build.key, build.fence, phases={"queued": 1.0, "install": 5.0}, lease_until=0.0)
    house.now += 100
    assert house.workers._claim("test:2:x").phases == {}
