"""Row 13 of `decide` and what else follows from hardware: the queue, who leaves first, what may not run, when it sleeps; as a
table, and as random histories in which somebody else has the only GPU now and then."""

from dataclasses import replace

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from orchestrator.domain.decide import DENIED, QUEUE_AGAIN, WITHDRAW, Launch, RouteState, Stop, decide
from orchestrator.domain.hardware import NEVER
from orchestrator.domain.keys import instance_id
from orchestrator.domain.seen import InstanceState, Room
from orchestrator.domain.stage import Stage
from tests.unit.test_decide import CPU, GPU, KEY, NOW, OLD, STARTING, WISH, World, built, instance, seen

T4 = replace(GPU, count=1, accelerator="Nvidia T4", resource="nvidia.com/gpu")
FREE = Room(True)
TAKEN = Room(False, "waiting for Nvidia T4: 0 of 1 free, 2 ahead of you")
MINE = replace(FREE, holders=frozenset([OLD.id]))
STILL_MINE = replace(TAKEN, holders=frozenset([OLD.id]))
FIRST = replace(WISH, goes_first=True)
STALE = instance("3" * 24, InstanceState.STARTING)

TABLE = {
    "free": (WISH, seen(built()), FREE, Stage.APP_STARTING, "wait", [Launch(KEY)], NOW),
    "free, old on the CPU": (WISH, seen(built(), OLD), FREE, Stage.RUNNING_APP_STARTING, "open", [Launch(KEY)], NOW),
    "taken": (WISH, seen(built()), TAKEN, Stage.APP_STARTING, "wait", [], NOW),
    "taken, old on the CPU serves": (WISH, seen(built(), OLD), TAKEN, Stage.RUNNING_APP_STARTING, "open", [], NOW),
    "taken, old on the GPU serves": (WISH, seen(built(), OLD), STILL_MINE, Stage.RUNNING_APP_STARTING, "open", [], NOW),
    "old has the GPU": (WISH, seen(built(), OLD), MINE, Stage.APP_STARTING, "wait", [Stop(OLD.id, WITHDRAW)], NOW - 20),
    "old goes first": (FIRST, seen(built(), OLD), TAKEN, Stage.APP_STARTING, "wait", [Stop(OLD.id, WITHDRAW)], NOW - 20),
    "old goes first, though there is room": (
        FIRST, seen(built(), OLD), FREE, Stage.APP_STARTING, "wait", [Stop(OLD.id, WITHDRAW)], NOW - 20,
    ),
    "old went first": (FIRST, seen(built()), TAKEN, Stage.APP_STARTING, "wait", [], NOW),
    "taken, a stale one leaves": (
        WISH, seen(built(), OLD, STALE), TAKEN, Stage.RUNNING_APP_STARTING, "open", [Stop(STALE.id)], NOW,
    ),
    "nobody knows": (WISH, seen(built(), OLD), None, Stage.APP_STARTING, "wait", [Stop(OLD.id, WITHDRAW)], NOW - 20),
    "launched": (WISH, seen(built(), STARTING), TAKEN, Stage.APP_STARTING, "wait", [], NOW),
    "runs": (WISH, seen(built(), instance()), TAKEN, Stage.RUNNING, "open", [], None),
}  # fmt: skip


@pytest.mark.parametrize("row", TABLE, ids=list(TABLE))
def test_table(row):
    wish, saw, room, stage, route, actions, place = TABLE[row]
    decision = decide(wish, replace(saw, room=room), T4, NOW)
    assert (decision.stage, decision.route) == (stage, RouteState(route))
    assert list(decision.do) == actions
    assert decision.queued_at == place


def test_waiting_says_why_and_looks_again():
    decision = decide(WISH, replace(seen(built()), room=TAKEN), T4, NOW)
    assert (decision.reason, decision.look_at) == (TAKEN.reason, NOW + QUEUE_AGAIN)


def test_the_place_in_the_queue_is_kept_until_it_runs():
    for saw in (seen(built()), seen(built(), STARTING)):
        for room in (TAKEN, FREE):
            decision = decide(WISH, replace(saw, room=room, queued_at=NOW - 77), T4, NOW)
            assert decision.queued_at == NOW - 77
    waiting = replace(seen(built(), idle=5000.0), room=TAKEN, queued_at=NOW - 5000)
    assert decide(WISH, waiting, T4, NOW).stage is Stage.APP_STARTING  # waiting is not idleness
    serves = replace(seen(built(), OLD, idle=5000.0), room=TAKEN, queued_at=NOW - 5000)
    assert decide(WISH, serves, T4, NOW).stage is Stage.SLEEPING  # but here something is there to be used


def test_what_may_not_run_is_stopped_with_the_reason():
    saw = replace(seen(built(), instance()), denied="acme has used its 20 hours")
    decision = decide(WISH, saw, T4, NOW)
    assert (decision.stage, decision.route) == (Stage.PAUSED, RouteState.CLOSED)
    assert decision.reason == DENIED + "acme has used its 20 hours"
    assert decision.do == (Stop(instance().id, WITHDRAW),)
    assert decide(WISH, replace(saw, instances=()), T4, NOW).look_at > NOW  # it runs again by itself when it may


def test_sleep_rules_of_the_flavour():
    def asleep(hardware, idle, wish=WISH):
        return (
            decide(wish, seen(built(), instance(ready_at=NOW - 400), idle=idle), hardware, NOW).stage is Stage.SLEEPING
        )

    quick = replace(CPU, sleep_after=5.0)
    assert not asleep(quick, 50.0)  # only what a Space begins with
    assert asleep(replace(quick, sleep_forced=True), 50.0) and asleep(CPU, 200.0)
    assert asleep(replace(quick, sleep_forced=True), 50.0, replace(WISH, sleep_after=None))
    never = replace(CPU, sleep_after=NEVER, sleep_forced=True)
    assert not asleep(never, 1e9)
    assert decide(WISH, seen(built(), instance()), never, NOW).look_at is None


class Queue(World):
    """The same world with one GPU that others take and give back."""

    def __init__(self):
        super().__init__()
        self.taken, self.on_gpu, self.denied, self.place, self.counted = False, set(), "", None, True

    @rule(taken=st.booleans())
    def others(self, taken):
        if not (taken and self.on_gpu & set(self.instances)):
            self.taken = taken

    @rule(first=st.booleans())
    def choose_who_goes_first(self, first):
        self.wish = replace(self.wish, goes_first=first)

    @rule(denied=st.sampled_from(["", "", "", "no hours left"]))
    def quota_changes(self, denied):
        self.denied = denied

    def decided(self, wish, saw):
        holders = frozenset(self.on_gpu & set(self.instances))
        room = Room(not self.taken, "" if not self.taken else "taken", holders) if self.exclusive else None
        saw = replace(saw, room=room, denied=self.denied, queued_at=self.place)
        decision = decide(wish, saw, T4 if self.exclusive else CPU, self.now)
        self.place = decision.queued_at
        ready = {i.id for i in self.instances.values() if i.state is InstanceState.READY}
        if self.exclusive and self.taken and ready and not wish.goes_first and decision.reason == "taken":
            assert decision.serve, "nothing serves while the GPU is waited for"
        return decision

    def may_go_dark(self):
        return self.exclusive or bool(self.denied)

    def may_be_beside(self, name, others):
        return not (self.exclusive and others & self.on_gpu)

    def act(self, action, wish, build):
        if isinstance(action, Launch) and self.exclusive:
            assert not self.taken, "launched on what others have"
            self.on_gpu.add(instance_id(wish.space_id, action.launch_key))
        elif isinstance(action, Launch):
            self.on_gpu.discard(instance_id(wish.space_id, action.launch_key))
        super().act(action, wish, build)

    def teardown(self):
        self.taken, self.denied = False, ""
        super().teardown()


Queue.TestCase.settings = hypothesis_settings(max_examples=150, stateful_step_count=40, deadline=None)
TestQueueHistories = Queue.TestCase
