"""The state machine as a table (one row of the design each) and as random histories.

Aspects: every stage is reachable; the first match wins; superseded instances never pile up; an older version serves through
builds, failures and starts of a newer one; nothing launches twice; a quiet world converges; decisions are idempotent."""

from dataclasses import replace

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from orchestrator.domain.decide import (
    BACK_OFF,
    CALM_AFTER,
    FAILURES_ALLOWED,
    ClearFailures,
    Forget,
    Launch,
    Reap,
    RouteState,
    StartBuild,
    Stop,
    decide,
)
from orchestrator.domain.hardware import Hardware
from orchestrator.domain.keys import build_key, instance_id, launch_key
from orchestrator.domain.seen import (
    BuildSeen,
    BuildState,
    Failures,
    Fault,
    FaultKind,
    Image,
    InstanceSeen,
    InstanceState,
    Seen,
)
from orchestrator.domain.space import Wish
from orchestrator.domain.stage import Stage

CPU = Hardware("cpu-basic", "CPU basic", 2, 1, 1)
GPU = replace(CPU, name="gpu", pretty_name="GPU", exclusive=True)
NOW = 1000.0
WISH = Wish("a" * 24, revision="1" * 40, sleep_after=100.0)
IMAGE = Image("image-1", "gradio", ("python", "app.py"))
KEY = launch_key(IMAGE.id, WISH.hardware, WISH.env_version, WISH.restarts)


def built(state=BuildState.SUCCEEDED, image=IMAGE, **more) -> BuildSeen:
    return BuildSeen(
        build_key(WISH.space_id, WISH.revision, 0), state, NOW - 500, image if state == "succeeded" else None, **more
    )


def instance(key=KEY, state=InstanceState.READY, **more) -> InstanceSeen:
    more = {"started_at": NOW - 20, "ready_at": NOW - 10 if state is InstanceState.READY else None, **more}
    return InstanceSeen(instance_id(WISH.space_id, key), WISH.space_id, key, state, address="127.0.0.1:1", **more)


OLD = instance("0" * 24)
STARTING = instance(state=InstanceState.STARTING)
CRASHED = instance(state=InstanceState.EXITED, fault=Fault("APP_EXITED", "exited with code 1"))


def seen(build=None, *instances, idle=0.0, failures=Failures()) -> Seen:
    return Seen(build, instances, NOW - idle, failures)


TABLE = {
    "deleted, something left": (replace(WISH, deleted=True), seen(built(), OLD), Stage.DELETING, "closed", [Stop]),
    "deleted, nothing left": (replace(WISH, deleted=True), seen(built()), Stage.DELETING, "closed", [Forget]),
    "paused": (replace(WISH, paused=True), seen(built(), OLD), Stage.PAUSED, "closed", [Stop]),
    "nothing pushed": (replace(WISH, revision=None), seen(), Stage.NO_APP_FILE, "closed", []),
    "no app file": (
        WISH,
        seen(built(BuildState.FAILED, fault_kind=FaultKind.NO_APP_FILE)),
        Stage.NO_APP_FILE,
        "closed",
        [],
    ),
    "bad config": (WISH, seen(built(BuildState.FAILED, fault_kind=FaultKind.CONFIG)), Stage.CONFIG_ERROR, "closed", []),
    "bad config, old serves": (
        WISH,
        seen(built(BuildState.FAILED, fault_kind=FaultKind.CONFIG), OLD),
        Stage.CONFIG_ERROR,
        "open",
        [],
    ),
    "no build": (WISH, seen(), Stage.BUILDING, "wait", [StartBuild]),
    "no build, old serves": (WISH, seen(None, OLD), Stage.RUNNING_BUILDING, "open", [StartBuild]),
    "build lost": (WISH, seen(built(BuildState.LOST)), Stage.BUILDING, "wait", [StartBuild]),
    "build superseded by rollback and back": (
        WISH,
        seen(built(BuildState.SUPERSEDED)),
        Stage.BUILDING,
        "wait",
        [StartBuild],
    ),
    "queued": (WISH, seen(built(BuildState.QUEUED, ahead=2)), Stage.BUILDING, "wait", []),
    "building": (WISH, seen(built(BuildState.RUNNING)), Stage.BUILDING, "wait", []),
    "building, old serves": (WISH, seen(built(BuildState.RUNNING), OLD), Stage.RUNNING_BUILDING, "open", []),
    "build failed": (WISH, seen(built(BuildState.FAILED)), Stage.BUILD_ERROR, "closed", []),
    "build failed, old serves": (WISH, seen(built(BuildState.FAILED), OLD), Stage.BUILD_ERROR, "open", []),
    "build failed, a crashed one is left": (
        WISH,
        seen(built(BuildState.FAILED), CRASHED),
        Stage.BUILD_ERROR,
        "closed",
        [Stop],
    ),
    "idle": (WISH, seen(built(), instance(ready_at=NOW - 200), idle=100), Stage.SLEEPING, "wake", [Stop]),
    "idle, nothing runs": (WISH, seen(built(), idle=100), Stage.SLEEPING, "wake", []),
    "idle, but became ready late": (WISH, seen(built(), instance(), idle=100), Stage.RUNNING, "open", []),
    "idle, but is still starting": (WISH, seen(built(), STARTING, idle=100), Stage.APP_STARTING, "wait", []),
    "idle and failed too often": (
        WISH,
        seen(built(), idle=100, failures=Failures(KEY, FAILURES_ALLOWED, NOW - 1)),
        Stage.RUNTIME_ERROR,
        "closed",
        [],
    ),
    "idle but never sleeps": (
        replace(WISH, sleep_after=None),
        seen(built(), instance(), idle=1e9),
        Stage.RUNNING,
        "open",
        [],
    ),
    "ready": (WISH, seen(built(), instance()), Stage.RUNNING, "open", []),
    "ready, old left": (WISH, seen(built(), instance(), OLD), Stage.RUNNING, "open", [Stop]),
    "ready and calm": (
        replace(WISH, sleep_after=None),
        seen(built(), instance(ready_at=NOW - CALM_AFTER), failures=Failures(KEY, 2, 0.0)),
        Stage.RUNNING,
        "open",
        [ClearFailures],
    ),
    "crashed": (WISH, seen(built(), CRASHED), Stage.APP_STARTING, "wait", [Reap]),
    "crashed, old serves": (WISH, seen(built(), CRASHED, OLD), Stage.RUNNING_APP_STARTING, "open", [Reap]),
    "starting": (WISH, seen(built(), STARTING), Stage.APP_STARTING, "wait", []),
    "starting, old serves": (WISH, seen(built(), STARTING, OLD), Stage.RUNNING_APP_STARTING, "open", []),
    "starting, two stale": (
        WISH,
        seen(built(), STARTING, OLD, instance("2" * 24, ready_at=NOW - 50), instance("3" * 24, InstanceState.STARTING)),
        Stage.RUNNING_APP_STARTING,
        "open",
        [Stop, Stop],
    ),
    "starting too long": (
        WISH,
        seen(built(), replace(STARTING, startup_timeout=20.0)),
        Stage.APP_STARTING,
        "wait",
        [Reap],
    ),
    "failed too often": (
        WISH,
        seen(built(), failures=Failures(KEY, FAILURES_ALLOWED, NOW - 1)),
        Stage.RUNTIME_ERROR,
        "closed",
        [],
    ),
    "failed too often, old serves": (
        WISH,
        seen(built(), OLD, failures=Failures(KEY, FAILURES_ALLOWED, NOW - 1)),
        Stage.RUNTIME_ERROR,
        "open",
        [],
    ),
    "failed too often under another key": (
        WISH,
        seen(built(), failures=Failures("9" * 24, FAILURES_ALLOWED, NOW - 1)),
        Stage.APP_STARTING,
        "wait",
        [Launch],
    ),
    "backing off": (
        WISH,
        seen(built(), failures=Failures(KEY, 1, NOW - BACK_OFF[0] + 0.1)),
        Stage.APP_STARTING,
        "wait",
        [],
    ),
    "backed off": (
        WISH,
        seen(built(), failures=Failures(KEY, 1, NOW - BACK_OFF[0])),
        Stage.APP_STARTING,
        "wait",
        [Launch],
    ),
    "launch": (WISH, seen(built()), Stage.APP_STARTING, "wait", [Launch]),
    "launch, old serves": (WISH, seen(built(), OLD), Stage.RUNNING_APP_STARTING, "open", [Launch]),
    "launch while the same one is still stopping": (
        WISH,
        seen(built(), instance(state=InstanceState.STOPPING)),
        Stage.APP_STARTING,
        "wait",
        [],
    ),
}


@pytest.mark.parametrize("row", TABLE, ids=list(TABLE))
def test_table(row):
    wish, saw, stage, route, actions = TABLE[row]
    decision = decide(wish, saw, CPU, NOW)
    assert (decision.stage, decision.route) == (stage, RouteState(route))
    assert [type(action) for action in decision.do] == actions
    if decision.route is RouteState.OPEN:
        assert decision.serve in {i.id for i in saw.instances if i.state is InstanceState.READY}
    else:
        assert decision.serve == ""


def test_an_instance_that_still_drains_is_called_back():
    """A rollback right after a push: the version before is still there."""
    draining = replace(instance(state=InstanceState.STOPPING), draining=True)
    for hardware in (CPU, GPU):
        assert decide(WISH, seen(built(), draining), hardware, NOW).do == (Launch(KEY),)
    assert decide(WISH, seen(built(), draining, OLD), CPU, NOW).do == (Launch(KEY),)
    assert decide(WISH, seen(built(), draining, OLD), GPU, NOW).do == (Stop(OLD.id, 0.3),)


def test_every_stage_is_in_the_table():
    assert {row[2] for row in TABLE.values()} == set(Stage)


def test_exclusive_hardware_goes_first():
    decision = decide(WISH, seen(built(), OLD), GPU, NOW)
    assert (decision.stage, decision.route, decision.do) == (Stage.APP_STARTING, RouteState.WAIT, (Stop(OLD.id, 0.3),))
    leaving = replace(OLD, state=InstanceState.STOPPING)
    assert decide(WISH, seen(built(), leaving), GPU, NOW).do == ()
    assert decide(WISH, seen(built()), GPU, NOW).do == (Launch(KEY),)


def test_waiting_stages_say_why_and_until_when():
    for name, (wish, saw, stage, _, _) in TABLE.items():
        decision = decide(wish, saw, CPU, NOW)
        if stage is not Stage.RUNNING:
            assert decision.reason, name
        if stage in (Stage.APP_STARTING, Stage.RUNNING_APP_STARTING, Stage.BUILDING, Stage.RUNNING_BUILDING):
            assert decision.look_at is not None, name


class World(RuleBasedStateMachine):
    """A Space in a small model of the world: builds end somehow, apps boot, crash, hang; authors push and click; time jumps."""

    @initialize()
    def begin(self):
        self.now, self.wish, self.failures = NOW, Wish("a" * 24, sleep_after=100.0), Failures()
        self.builds: dict[str, BuildSeen] = {}
        self.instances: dict[str, InstanceSeen] = {}
        self.activity, self.pushes, self.served, self.forgotten = NOW, 0, "", False
        self.exclusive = False

    # what people do

    @rule()
    def push(self):
        self.pushes += 1
        self.wish = replace(self.wish, revision=f"{self.pushes:040x}")
        self.activity = self.now

    @precondition(lambda self: self.pushes > 1)
    @rule(data=st.data())
    def roll_back(self, data):
        revision = data.draw(st.integers(1, self.pushes))
        self.wish = replace(self.wish, revision=f"{revision:040x}", paused=False)
        self.activity = self.now

    @rule()
    def restart(self):
        self.wish = replace(self.wish, restarts=self.wish.restarts + 1, paused=False)
        self.activity = self.now

    @rule()
    def factory(self):
        self.wish = replace(self.wish, rebuilds=self.wish.rebuilds + 1)
        self.activity = self.now

    @rule()
    def change_secret(self):
        self.wish = replace(self.wish, env_version=self.wish.env_version + 1)

    @rule()
    def pause(self):
        self.wish = replace(self.wish, paused=True)

    @rule()
    def visit(self):
        self.activity = self.now

    @rule(exclusive=st.booleans())
    def change_hardware(self, exclusive):
        self.exclusive = exclusive
        self.wish = replace(self.wish, hardware="gpu" if exclusive else "cpu-basic")

    # what the world does

    @rule(seconds=st.sampled_from([0.1, 1.0, 3.0, 30.0, 101.0, 700.0, 4000.0]))
    def time_passes(self, seconds):
        self.now += seconds

    @rule(data=st.data(), outcome=st.sampled_from(["good", "same", "bad", "lost"]))
    def build_ends(self, data, outcome):
        running = [k for k, b in self.builds.items() if b.state in (BuildState.QUEUED, BuildState.RUNNING)]
        if not running:
            return
        key = data.draw(st.sampled_from(running))
        image = Image("same" if outcome == "same" else key, "gradio", ("python", "app.py"))
        state = {"bad": BuildState.FAILED, "lost": BuildState.LOST}.get(outcome, BuildState.SUCCEEDED)
        self.builds[key] = BuildSeen(key, state, self.now, image if state is BuildState.SUCCEEDED else None)

    @rule(data=st.data(), what=st.sampled_from(["ready", "exit", "gone"]))
    def instance_moves(self, data, what):
        if not self.instances:
            return
        name = data.draw(st.sampled_from(sorted(self.instances)))
        i = self.instances[name]
        if i.state is InstanceState.STOPPING or what == "gone":
            del self.instances[name]
        elif what == "exit":
            self.instances[name] = replace(i, state=InstanceState.EXITED)
        elif i.state is InstanceState.STARTING:
            self.instances[name] = replace(i, state=InstanceState.READY, ready_at=self.now)

    @rule()
    def reconcile(self):
        if self.forgotten:
            return
        self.look()

    def look(self):
        wish = self.wish
        build = self.builds.get(build_key(wish.space_id, wish.revision, wish.rebuilds)) if wish.revision else None
        saw = Seen(build, tuple(self.instances.values()), self.activity, self.failures)
        decision = self.decided(wish, saw)
        if decision.serve:
            assert self.instances[decision.serve].state is InstanceState.READY
            assert not any(isinstance(a, Stop | Reap) and a.instance_id == decision.serve for a in decision.do)
        ready = [i for i in self.instances.values() if i.state is InstanceState.READY]
        if ready and not (wish.paused or wish.deleted or wish.revision is None or self.may_go_dark()):
            idle = decision.stage is Stage.SLEEPING and self.now - self.activity >= wish.sleep_after
            assert decision.serve or idle, "a ready version was not served"
        for action in decision.do:
            self.act(action, wish, build)
        return decision

    def decided(self, wish, saw):
        return decide(wish, saw, GPU if self.exclusive else CPU, self.now)

    def may_go_dark(self):
        """Whether a ready version may be taken down before a new one is there."""
        return self.exclusive

    def may_be_beside(self, name, others):
        return not self.exclusive

    def act(self, action, wish, build):
        match action:
            case StartBuild():
                key = build_key(wish.space_id, wish.revision, wish.rebuilds)
                self.builds[key] = BuildSeen(key, BuildState.QUEUED, self.now)
            case Launch(key):
                name = instance_id(wish.space_id, key)
                assert name not in self.instances, "launched twice"
                others = {other for other in self.instances if other != name}
                assert not others or self.may_be_beside(name, others), "launched beside another on exclusive hardware"
                self.instances[name] = InstanceSeen(name, wish.space_id, key, InstanceState.STARTING, self.now)
            case Stop(name):
                self.instances[name] = replace(self.instances[name], state=InstanceState.STOPPING)
            case Reap(name):
                i = self.instances.pop(name)
                before = self.failures.count if self.failures.launch_key == i.launch_key else 0
                self.failures = Failures(i.launch_key, before + 1, self.now)
                assert self.failures.count <= FAILURES_ALLOWED, "kept launching what fails"
            case ClearFailures():
                self.failures = Failures()
            case Forget():
                assert not self.instances
                self.forgotten = True

    @invariant()
    def superseded_instances_do_not_pile_up(self):
        assert len([i for i in self.instances.values() if i.state is not InstanceState.STOPPING]) <= 3

    def teardown(self):
        """Let the world be kind and quiet: it must come to rest, and rest must be stable."""
        if not hasattr(self, "now"):
            return
        for _ in range(60):
            self.look()
            for key, b in self.builds.items():
                if b.state in (BuildState.QUEUED, BuildState.RUNNING):
                    self.builds[key] = BuildSeen(key, BuildState.SUCCEEDED, self.now, Image(key, "gradio", ("a",)))
            for name, i in list(self.instances.items()):
                if i.state is InstanceState.STOPPING:
                    del self.instances[name]
                elif i.state is InstanceState.STARTING:
                    self.instances[name] = replace(i, state=InstanceState.READY, ready_at=self.now)
            self.now += 0.5
            if self.now - self.activity > 90:
                self.activity = self.now
        decision = self.look()
        assert decision.do == () and decision.stage in (
            Stage.RUNNING,
            Stage.PAUSED,
            Stage.NO_APP_FILE,
            Stage.BUILD_ERROR,
            Stage.RUNTIME_ERROR,
        ), decision
        assert len(self.instances) <= (2 if decision.stage in (Stage.BUILD_ERROR, Stage.RUNTIME_ERROR) else 1)


World.TestCase.settings = hypothesis_settings(max_examples=300, stateful_step_count=40, deadline=None)
TestHistories = World.TestCase


def test_why_it_failed_is_said_while_what_is_left_of_it_is_taken_away():
    failed = Failures(KEY, 1, NOW - 60, Fault("IMAGE_PULL", "the registry does not answer"))
    gone = instance(state=InstanceState.STOPPING)
    decision = decide(WISH, Seen(built(), (gone,), NOW, failed), CPU, NOW)
    assert decision.reason == "trying again after failure 1 of 3: the registry does not answer"
    assert not any(isinstance(action, Launch) for action in decision.do)
