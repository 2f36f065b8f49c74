"""Several replicas of a Space: what is decided, what there is room for, what is metered, and who may have how many."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.decide import decide
from orchestrator.domain.decision import Launch, Scale, Stop
from orchestrator.domain.hardware import Access
from orchestrator.domain.room import Waiting, most_replicas, never_fits, room
from orchestrator.domain.seen import InstanceState, NodeSeen, ReplicaSeen, Room
from orchestrator.domain.stage import Stage
from orchestrator.errors import Forbidden, Invalid
from orchestrator.services.replicas import Replicas
from tests.unit.test_allotment import ASK, CPU, GPU, T4, GpuHouse
from tests.unit.test_decide import KEY, NOW, OLD, STARTING, WISH, built, instance, seen
from tests.unit.test_room import ONE, node

THREE = replace(WISH, replicas=3)


def answering(*names: str, asked: int = 3, key: str = KEY, **more):
    there = tuple(ReplicaSeen(name, NOW - 20, f"10.0.0.{n}:1") for n, name in enumerate(names))
    return replace(instance(key, **more), asked=asked, replicas=there, address=there[0].address if there else "")


# --------------------------------------------------------------------------------------------------------- decided


def test_a_launch_has_all_of_them_and_their_number_is_in_no_key():
    (launch,) = decide(THREE, seen(built()), CPU, NOW).do
    assert launch == Launch(KEY, 3)
    assert THREE.launch_key("i") == WISH.launch_key("i")


@pytest.mark.parametrize(("asked", "wanted"), [(1, 3), (3, 1)])
def test_another_number_scales_what_runs_and_launches_nothing(asked, wanted):
    one = answering("a", asked=asked)
    decision = decide(replace(WISH, replicas=wanted), seen(built(), one), CPU, NOW)
    assert (decision.stage, decision.serve, decision.do) == (Stage.RUNNING, one.id, (Scale(one.id, wanted),))


def test_what_starts_and_an_old_one_that_serves_are_scaled_too_and_what_ends_is_not():
    assert decide(THREE, seen(built(), STARTING), CPU, NOW).do == (Scale(STARTING.id, 3),)
    old = answering("a", asked=1, key="0" * 24)
    assert Scale(old.id, 3) in decide(THREE, seen(None, old), CPU, NOW).do
    elsewhere = replace(old, hardware="another")
    assert Scale(old.id, 3) not in decide(THREE, seen(None, elsewhere), CPU, NOW).do
    decision = decide(THREE, seen(built(), answering("a"), OLD), CPU, NOW)
    assert decision.do == (Stop(OLD.id, 10.0),)
    gone = replace(STARTING, state=InstanceState.EXITED)
    assert not any(isinstance(act, Scale) for act in decide(THREE, seen(built(), gone), CPU, NOW).do)
    assert not any(
        isinstance(act, Scale) for act in decide(replace(THREE, paused=True), seen(built(), old), CPU, NOW).do
    )


def test_it_runs_with_one_and_says_how_many_answer():
    decision = decide(THREE, seen(built(), answering("a", "b")), CPU, NOW)
    assert (decision.stage, decision.reason, decision.queued_at) == (Stage.RUNNING, "2 of 3 replicas answer", None)
    assert decision.look_at <= NOW + 5
    why = replace(answering("a"), waiting="the node n1 does not answer")
    assert decide(THREE, seen(built(), why), CPU, NOW).reason == "1 of 3 replicas answer; the node n1 does not answer"
    assert decide(THREE, seen(built(), answering("a", "b", "c")), CPU, NOW).reason == ""
    assert decide(WISH, seen(built(), instance()), CPU, NOW).reason == ""


def test_no_more_are_asked_for_than_there_is_room_for():
    def doing(fits: int, *instances):
        told = replace(seen(built(), *instances), room=Room(fits > 0, "waiting for a GPU: 0 of 2 free", fits=fits))
        return decide(THREE, told, T4, NOW)

    assert doing(2).do == (Launch(KEY, 2),)
    assert doing(0).do == () and doing(0).stage is Stage.APP_STARTING
    grows = doing(2, answering("a", asked=1))
    assert grows.do[0].replicas == 2 and grows.queued_at == NOW, "and the third has a place in the queue"
    assert grows.reason == "1 of 3 replicas answer; waiting for a GPU: 0 of 2 free"
    assert doing(1, answering("a", "b", asked=2)).do == (), "none is taken away for want of room"
    fewer = replace(seen(built(), answering("a", "b", asked=2)), room=Room(True, fits=9))
    assert decide(WISH, fewer, T4, NOW).do == (Scale(answering("a").id, 1),)


# ------------------------------------------------------------------------------------------------------------ room


def test_room_is_counted_replica_by_replica():
    nodes = [node("n", 2, ("a", 1)), node("m", 3, ("me", 1))]
    assert room("me", ONE, nodes, (), 100.0, 3).fits == 3
    assert room("me", ONE, nodes, (), 100.0, 9).fits == 4
    assert room("me", replace(ONE, count=2), nodes, (), 100.0, 3).fits == 1, "each on one node"
    assert room("me", ONE, nodes, [Waiting("b", ONE, 50.0, 2)], 100.0, 9).fits == 2
    assert room("me", ONE, nodes, [Waiting("b", ONE, 150.0, 2)], 100.0, 9).fits == 4
    late = room("me", ONE, nodes, [Waiting("b", ONE, 50.0, 9)], 100.0, 3)
    assert late.free and late.fits == 1 and late.reason.endswith("1 ahead of you"), "what it has, it keeps"


def test_who_has_some_of_its_replicas_waits_for_the_others_in_its_place():
    nodes = [node("n", 2, ("a", 1))]
    assert not room("me", ONE, nodes, [Waiting("a", ONE, 50.0, 2)], 100.0).free
    assert room("me", ONE, nodes, [Waiting("a", ONE, 50.0, 1)], 100.0).free


@given(st.lists(st.integers(0, 6), min_size=1, max_size=4), st.lists(st.integers(1, 5), min_size=1, max_size=6))
def test_what_goes_together_fits_together(sizes, counts):
    nodes = [node(f"n{number}", has) for number, has in enumerate(sizes)]
    queue = [Waiting(f"s{n}", ONE, float(n), count) for n, count in enumerate(counts)]
    given_out = [room(w.space_id, ONE, nodes, queue, w.since, w.replicas).fits for w in queue]
    assert sum(given_out) <= sum(sizes)
    if not never_fits(ONE, nodes):
        assert given_out[0] == min(counts[0], sum(sizes))


def test_how_many_could_ever_run():
    big = NodeSeen("n", cpu=4, memory=8 * 1024**3, resources={GPU: 3}, reserves=0.5)
    assert most_replicas(CPU, [big, big]) == 8
    assert most_replicas(replace(CPU, cpu=0.1, memory=4 * 1024**3), [big]) == 4
    assert most_replicas(ONE, [big, node(has=1)]) == 3  # a node without figures counts its accelerators alone
    assert most_replicas(ONE, []) is None and most_replicas(replace(ONE, elastic=True), [big]) is None


# ---------------------------------------------------------------------------------------------------- the services


class Several(GpuHouse):
    def __init__(self, tmp_path, database):
        super().__init__(tmp_path, database)
        self.replicas = self.allotment.replicas


@pytest.fixture
def house(tmp_path, database):
    house = Several(tmp_path, database)
    house.root = replace(house.ann, user=house.accounts.add_user("root", admin=True))
    yield house
    house.store.close()


def test_a_space_is_scaled_without_a_launch_and_routed_to_all_that_answer(house):
    space_id = house.make("app")
    house.run(space_id)
    before = house.get(space_id)
    house.replicas.set(house.ann, before, 3)
    house.run(space_id)
    house.runtime.answer("a", "b")
    house.run(space_id)
    now = house.get(space_id)
    assert (now.instance, now.stage, now.reason) == (before.instance, Stage.RUNNING, "2 of 3 replicas answer")
    assert now.addresses == ("127.0.0.1:a", "127.0.0.1:b") and now.route_seq > before.route_seq
    assert house.runtime.instances[now.instance].asked == 3 and len(house.runtime.specs) == 1
    house.replicas.set(house.ann, now, 1)
    house.runtime.answer("b")
    house.run(space_id)
    assert (house.get(space_id).address, house.get(space_id).addresses) == ("127.0.0.1:b", ())
    with house.store.read() as tx:
        rows = [row for row in tx.audit.of("ann/app") if row.action == "space.replicas"]
    assert [row.detail for row in rows] == [{"replicas": 1}, {"replicas": 3}]
    with house.store.write() as tx:
        told = [one.detail["updatedConfig"] for one in tx.webhooks.take_events(100) if one.scope == "repo.config"]
    assert told == [{"replicas": 3}, {"replicas": 1}], "and webhooks are told"


def test_each_replica_is_metered_from_its_begin_to_its_end(house):
    space_id = house.make("app")
    house.run(space_id)
    began, meter = house.now, house.allotment.meter
    meter.measure()  # as the release before did: one row of the whole
    house.runtime.answer("a")
    for name in ("b", "c"):
        house.now += 5
        house.runtime.now = house.now
        (one,) = house.runtime.instances.values()
        more = (*one.replicas, ReplicaSeen(name, house.now))
        house.runtime.instances[one.id] = replace(one, replicas=more)
        meter.measure()
    house.now += 10
    meter.measure()
    assert house.usage() == {("ann/app", "cpu-basic"): 20 + 15 + 10}
    (one,) = house.runtime.instances.values()
    house.runtime.instances[one.id] = replace(one, replicas=one.replicas[1:])
    house.now += 2
    meter.measure()
    house.now += 2
    meter.measure()
    assert began + 24 == house.now and house.usage() == {("ann/app", "cpu-basic"): 24 + 17 + 14}
    with house.store.read() as tx:
        assert len(tx.usage.running()) == 2 and len(tx.usage.runs(space_id, 0.0, 1e12)) == 1


def test_a_replica_that_waits_for_its_hardware_costs_nothing(house):
    space_id = house.make("app")
    house.run(space_id)
    house.runtime.answer("a")
    (one,) = house.runtime.instances.values()
    waits = ReplicaSeen("b", house.now, waiting=True)
    house.runtime.instances[one.id] = replace(one, replicas=(*one.replicas, waits))
    for _ in range(2):
        house.now += 10
        house.allotment.meter.measure()
    assert house.usage() == {("ann/app", "cpu-basic"): 20}


def test_quotas_count_each_replica(house):
    house.allotment.quotas.put(house.root, "ann", "cpu-basic", count=5)
    one, two = house.get(house.make("one")), house.get(house.make("two"))
    assert house.replicas.set(house.ann, one, 3).wish.replicas == 3
    with pytest.raises(Forbidden) as refused:
        house.replicas.set(house.ann, two, 3)
    assert refused.value.code == "HARDWARE_QUOTA"
    assert refused.value.message.startswith(
        "ann may have 5 Spaces on cpu-basic, and has 5, where each replica counts; this would be 2 more; an admin changes"
    )
    house.replicas.set(house.ann, house.get(one.id), 1)
    assert house.replicas.set(house.ann, two, 3).wish.replicas == 3
    house.allotment.quotas.put(house.root, "ann", "t4", count=1)
    with pytest.raises(Forbidden, match="this would be 2 more"):
        house.allotment.requests.choose(house.root, house.replicas.set(house.ann, house.get(two.id), 2), "t4")


def test_what_may_not_be(house):
    space = house.get(house.make("app"))
    for number in (0, -1, 11):
        with pytest.raises(Invalid) as refused:
            house.replicas.set(house.ann, space, number)
        assert (refused.value.code, refused.value.message) == (
            "REPLICAS", f"replicas is {number}; write a number from 1 to 10"
        )  # fmt: skip
    house.allotment.requests.choose(house.root, space, "t4")
    with pytest.raises(Invalid) as refused:
        house.replicas.set(house.ann, house.get(space.id), 3)
    assert refused.value.code == "HARDWARE_FIT" and refused.value.message.endswith("room for 2; write 2 or less")
    house.allotment.requests.choose(house.root, space, ASK.name)
    with pytest.raises(Forbidden) as refused:
        house.replicas.set(house.ann, house.get(space.id), 2)
    assert refused.value.code == "REPLICAS_ACCESS" and ASK.access is Access.REQUEST
    assert house.replicas.set(house.root, house.get(space.id), 2).wish.replicas == 2


def test_a_runtime_with_one_of_everything_says_so_and_gets_one(house):
    house.runtime.single = "apps are processes of one machine here"
    words = house.store, house.bell, house.runtime, house.flavors, house.allotment.quotas, house.allotment.capacity
    single, space = Replicas(*words), house.get(house.make("app"))
    with pytest.raises(Invalid) as refused:
        single.set(house.ann, space, 2)
    assert (refused.value.code, refused.value.message) == (
        "REPLICAS_RUNTIME", "2 replicas cannot run: apps are processes of one machine here; write 1"
    )  # fmt: skip
    assert single.granted(replace(space.wish, replicas=7)).replicas == 1
    assert single.set(house.ann, space, 1).wish.replicas == 1
