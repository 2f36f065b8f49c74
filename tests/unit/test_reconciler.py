"""The reconciler on a real database with ports in memory.

Aspects: push to running, a broken push leaves the old serving, restart and secrets launch again, crash loop ends, sleep and
wake, delete leaves nothing, a lost lease writes nothing, a bell rung during a look is not lost, recovery after a restart."""

import time

import pytest
from cryptography.fernet import Fernet

from orchestrator.domain.caller import Caller
from orchestrator.domain.decide import RouteState
from orchestrator.domain.hardware import Hardware
from orchestrator.domain.seen import Fault, FaultKind, InstanceSeen, InstanceState
from orchestrator.domain.space import Role
from orchestrator.domain.stage import Stage
from orchestrator.errors import NotFound, Unavailable
from orchestrator.ports import BuildResult
from orchestrator.services.accounts import Accounts
from orchestrator.services.allotment import Allotment
from orchestrator.services.bell import LocalBell
from orchestrator.services.builds import BuildQueue
from orchestrator.services.environment import Environment
from orchestrator.services.janitor import Janitor
from orchestrator.services.reconciler import Reconciler
from orchestrator.services.spaces import NewSpace, Spaces
from orchestrator.services.vault import Vault
from orchestrator.services.workers import BuildWorkers
from orchestrator.store.engine import Store
from tests.memory import MemoryBuilds, MemoryLogs, MemoryRepos, MemoryRuntime
from tests.support import eventually


class House:
    """Real services on a real database; `now` is the clock, `settle()` runs the loop by hand until nothing moves."""

    flavors = None  #: of a catalogue of its own
    runtime_class = MemoryRuntime

    def __init__(self, tmp_path, database):
        self.now = 1000.0
        clock = lambda: self.now  # noqa: E731
        self.store = Store(database)
        self.store.migrate()
        self.bell, self.logs, self.repos = LocalBell(), MemoryLogs(), MemoryRepos()
        self.runtime, self.builds = self.runtime_class(), MemoryBuilds()
        self.vault = Vault.at(tmp_path / "keys" / "vault")
        self.environment = Environment(self.store, self.vault, self.bell, clock)
        self.accounts = Accounts(self.store, clock=clock)
        flavors = self.flavors or {"cpu-basic": Hardware("cpu-basic", "CPU", 2, 1024**3, 1)}
        self.allotment = Allotment.of(self.store, self.bell, self.runtime, flavors, 100.0, clock=clock)
        self.spaces = Spaces(
            self.store, self.repos, self.accounts, self.environment, self.bell, self.allotment.requests, clock=clock
        )
        self.queue = BuildQueue(self.store, self.repos, self.bell, clock)
        self.reconciler = Reconciler(
            self.store,
            self.runtime,
            self.builds,
            self.queue,
            self.environment,
            self.repos,
            self.logs,
            self.bell,
            self.allotment,
            lambda space: f"{space.label}.localhost",
            clock,
        )
        self.workers = BuildWorkers(
            self.store, self.repos, self.builds, self.logs, self.bell, count=0, timeout=60.0, clock=clock
        )
        ann = self.accounts.add_user("ann")
        self.ann = Caller(ann, Role.ADMIN, via="token")
        self.space_id = self.spaces.create(self.ann, NewSpace("demo")).id

    @property
    def space(self):
        return self.spaces.get(self.space_id)

    def told(self):
        """What its owner reads on the page of notifications."""
        with self.store.read() as tx:
            return [one.text for one in tx.notifications.list(self.ann.user.id)]

    def push(self, digit):
        with self.store.write() as tx:
            tx.spaces.update(
                self.space_id, look_at=self.now, revision=digit * 40, sha=digit * 40, last_activity=self.now
            )

    def build(self):
        build = self.workers._claim("test:1:x")
        if build:
            self.workers._run(build)

    def settle(self, ready=True):
        for _ in range(12):
            self.runtime.now = self.now
            self.reconciler._round()
            self.build()
            if ready:
                self.runtime.become_ready()
            self.reconciler.poke(self.space_id)
        return self.space

    def keys(self):
        return sorted(spec.launch_key for name, spec in self.runtime.specs.items() if name in self.runtime.instances)


@pytest.fixture
def house(tmp_path, database):
    house = House(tmp_path, database)
    yield house
    house.store.close()


def test_push_to_running(house):
    assert house.settle().stage is Stage.NO_APP_FILE
    house.push("1")
    space = house.settle()
    assert (space.stage, space.route, space.running_revision) == (Stage.RUNNING, RouteState.OPEN, "1" * 40)
    assert space.address == house.runtime.instances[space.instance].address
    env = house.runtime.specs[space.instance].env
    assert (env["SPACE_ID"], env["SYSTEM"], env["SPACE_TITLE"]) == ("ann/demo", "spaces", "Hello")
    assert house.builds.orders[0].previous == {} and not house.builds.orders[0].fresh


def test_a_new_version_takes_over(house):
    house.push("1")
    first = house.settle().instance
    house.push("2")
    assert house.settle(ready=False).stage is Stage.RUNNING_APP_STARTING
    assert house.space.instance == first and house.space.running_revision == "1" * 40
    space = house.settle()
    assert space.running_revision == "2" * 40 and list(house.runtime.instances) == [space.instance]
    assert house.builds.orders[1].previous == {"declared": "d"}


def test_a_push_that_changes_nothing_that_runs_keeps_the_instance(house):
    house.push("1")
    first = house.settle().instance
    image = house.space.image
    house.builds.outcome = lambda order: BuildResult(image)
    house.push("2")
    space = house.settle()
    assert (space.instance, space.running_revision, space.stage) == (first, "2" * 40, Stage.RUNNING)


@pytest.mark.parametrize(
    "kind,stage",
    [
        (FaultKind.BUILD, Stage.BUILD_ERROR),
        (FaultKind.CONFIG, Stage.CONFIG_ERROR),
        (FaultKind.NO_APP_FILE, Stage.NO_APP_FILE),
    ],
)
def test_a_broken_push_leaves_the_old_serving(house, kind, stage):
    house.push("1")
    first = house.settle().instance
    house.builds.outcome = lambda order: BuildResult(None, Fault("X", "no such package", "requirements.txt:3"), kind)
    house.push("2")
    space = house.settle()
    assert (space.stage, space.route, space.instance) == (stage, RouteState.OPEN, first)
    assert space.reason == "requirements.txt:3: no such package" and space.running_revision == "1" * 40
    failed = ["Build 2 of ann/demo failed: requirements.txt:3: no such package"]
    assert house.told() == ([] if stage is Stage.NO_APP_FILE else failed)


def test_crashes_end_in_runtime_error_and_a_restart_tries_again(house):
    house.push("1")
    for _ in range(6):
        house.settle(ready=False)
        house.runtime.crash("exited with code 1: boom")
        house.now += 11
    space = house.settle(ready=False)
    assert space.stage is Stage.RUNTIME_ERROR and "boom" in space.reason and "3 times" in space.reason
    assert house.runtime.instances == {} and space.failures.count == 3
    assert house.told() == [f"ann/demo stopped working: {space.reason}"]
    house.spaces.restart(house.ann, space)
    assert house.settle().stage is Stage.RUNNING


def test_never_ready_is_given_up(house):
    house.push("1")
    house.settle(ready=False)
    house.now += 61
    house.reconciler.look(house.space_id)
    assert house.space.failures.fault.code == "APP_TIMEOUT"


def test_secret_restart_and_factory_launch_again(house):
    house.push("1")
    keys = [house.settle() and house.keys()]
    house.environment.put(house.ann, house.space, "TOKEN", "s3cret", secret=True)
    keys.append(house.settle() and house.keys())
    assert house.runtime.specs[house.space.instance].env["TOKEN"] == "s3cret"
    house.spaces.restart(house.ann, house.space)
    keys.append(house.settle() and house.keys())
    assert len(house.builds.orders) == 1
    house.spaces.restart(house.ann, house.space, factory=True)
    keys.append(house.settle() and house.keys())
    assert len(house.builds.orders) == 2 and house.builds.orders[1].fresh
    assert all(len(k) == 1 for k in keys) and len({k[0] for k in keys}) == 4


def test_rollback_builds_nothing(house):
    for digit in "123":
        house.push(digit)
        house.settle()
    house.spaces.rollback(house.ann, house.space, "")
    assert house.settle().running_revision == "2" * 40
    house.spaces.rollback(house.ann, house.space, "")
    assert house.settle().running_revision == "1" * 40
    with pytest.raises(NotFound, match="no good build to go back to; it has 3"):
        house.spaces.rollback(house.ann, house.space, "")
    house.spaces.rollback(house.ann, house.space, "3")
    house.spaces.rollback(house.ann, house.space, "1111111")
    assert house.settle().running_revision == "1" * 40 and len(house.builds.orders) == 3
    house.push("4")
    assert house.settle().running_revision == "4" * 40 and not house.builds.orders[-1].fresh


def test_sleep_and_wake(house):
    house.push("1")
    house.settle()
    house.now += 50
    house.spaces.used({house.space_id: house.now}, [])
    house.now += 60
    assert house.settle().stage is Stage.RUNNING
    house.now += 50
    space = house.settle()
    assert (space.stage, space.route, space.address) == (Stage.SLEEPING, RouteState.WAKE, "")
    assert house.runtime.instances == {}
    house.spaces.used({}, [house.space_id])
    assert house.settle().stage is Stage.RUNNING and len(house.builds.orders) == 1


def test_pause_and_restart(house):
    house.push("1")
    house.settle()
    house.spaces.pause(house.ann, house.space)
    assert house.settle().stage is Stage.PAUSED and not house.runtime.instances
    house.spaces.used({}, [house.space_id])
    assert house.settle().stage is Stage.PAUSED
    house.spaces.restart(house.ann, house.space)
    assert house.settle().stage is Stage.RUNNING


def test_delete_leaves_nothing_and_frees_the_name(house):
    house.push("1")
    house.settle()
    house.spaces.delete(house.ann, house.space)
    again = house.spaces.create(house.ann, NewSpace("demo"))
    assert again.label == "ann-demo" and again.id != house.space_id
    assert house.settle() is None
    assert house.runtime.instances == {} and house.repos.removed == [house.space_id] == house.runtime.forgotten
    with house.store.read() as tx:
        assert tx.builds.of(house.space_id) == [] and tx.secrets.all(house.space_id) == []


def test_a_lost_image_is_built_again(house):
    house.push("1")
    house.settle()
    house.runtime.instances.clear()
    house.builds.exists = lambda image, doubted: len(house.builds.orders) > 1
    assert house.settle().stage is Stage.RUNNING and len(house.builds.orders) == 2


def test_a_space_wakes_while_nobody_can_say_whether_its_image_is_there(house):
    house.push("1")
    house.settle()
    house.runtime.instances.clear()

    def away(image, doubted):
        raise Unavailable("the registry does not answer")

    house.builds.exists = away
    house.settle()
    assert len(house.runtime.instances) == 1 and len(house.builds.orders) == 1


def test_a_look_that_failed_is_repeated_soon_and_then_more_and_more_seldom(house):
    house.push("1")
    house.reconciler._round()
    house.build()
    launch, asked = house.runtime.launch, []

    def away(spec):
        asked.append(house.now)
        raise Unavailable("the engine does not answer")

    house.runtime.launch = away
    began = house.now
    while house.now < began + 60:
        house.reconciler._round()
        house.now += 0.5
    assert [round(at - began) for at in asked] == [0, 1, 3, 7, 15, 31]
    house.runtime.launch = launch
    house.now = asked[-1] + 32
    assert house.reconciler._round() and len(house.runtime.instances) == 1


def test_a_lost_lease_writes_nothing(house):
    house.push("1")
    house.settle()
    with house.store.write() as tx:
        space, fence = tx.spaces.claim(house.space_id, "first", house.now, house.now + 60)
        assert tx.spaces.claim(house.space_id, "second", house.now, house.now + 60) is None
        assert tx.spaces.claim(house.space_id, "second", house.now + 61, house.now + 120)
        assert not tx.spaces.save(space, fence, house.now + 60, None, route_changed=False)


def test_a_bell_during_a_look_is_kept(house):
    house.push("1")
    house.settle()
    until = house.now + 60
    with house.store.write() as tx:
        space, fence = tx.spaces.claim(house.space_id, "me", house.now, until)
        assert tx.spaces.due("me", house.now) == []
    house.spaces.pause(house.ann, space)
    with house.store.write() as tx:
        tx.spaces.save(space, fence, until, None, route_changed=False)
        assert tx.spaces.due("me", house.now) == [house.space_id]


def test_an_undecryptable_secret_is_said(house):
    house.environment.put(house.ann, house.space, "TOKEN", "x", secret=True)
    house.environment._vault = Vault(Fernet.generate_key())  # the key file was lost
    house.push("1")
    space = house.settle()
    assert space.stage is Stage.RUNTIME_ERROR and "TOKEN cannot be decrypted" in space.reason


def test_recovery_looks_at_everything_that_was_busy(house):
    house.push("1")
    space = house.settle()
    house.runtime.instances.clear()  # this machine was rebooted
    house.now += 1
    house.reconciler._recover()
    assert house.settle().stage is Stage.RUNNING and house.space.instance == space.instance


def test_instances_of_unknown_spaces_are_stopped_unless_the_database_looks_wrong(house):
    def strange(count):
        return {
            f"s-x{n}-1": InstanceSeen(f"s-x{n}-1", f"x{n}", "key", InstanceState.READY, 1.0, 2.0, "127.0.0.1:1")
            for n in range(count)
        }

    house.push("1")
    own = house.settle().instance
    house.runtime.instances |= strange(3)
    house.reconciler._recover()
    assert set(house.runtime.instances) == {own}
    house.runtime.instances |= strange(30)  # as after a database was restored from an old copy
    house.reconciler._recover()
    assert len(house.runtime.instances) == 31


def test_a_runtime_that_is_away_at_the_start_is_waited_for(house, monkeypatch):
    monkeypatch.setattr(house.reconciler._loop, "_again", 0.0)
    answers = [Unavailable("no answer")] * 3
    listed = house.runtime.list

    def answer(space_id=None):
        if answers:
            raise answers.pop()
        return listed(space_id)

    house.runtime.list = answer
    house.push("1")
    house.reconciler.start()
    try:
        eventually(lambda: not answers and house.space.stage is Stage.BUILDING)
    finally:
        house.reconciler.stop()


def test_builds_of_a_dead_worker_are_queued_again_and_given_up_after_three(house):
    house.push("1")
    house.reconciler._round()
    for _ in range(3):
        assert house.workers._claim("elsewhere:1:x")
        house.now += 46
        assert house.queue.look(house.space) is not None
    assert house.workers._claim("test:1:x") is None
    space = house.settle()
    assert space.stage is Stage.BUILD_ERROR and "3 times" in space.reason


def test_supersede(house):
    house.push("1")
    house.reconciler._round()
    running = house.workers._claim("test:1:x")
    house.push("2")
    house.reconciler.look(house.space_id)
    with house.store.write() as tx:
        assert not tx.builds.update(running.key, running.fence, lease_until=9e9)
    assert house.settle().running_revision == "2" * 40


def test_janitor_keeps_what_is_needed(house):
    for digit in "123456789":
        house.push(digit)
        house.settle()
    Janitor(house.store, house.builds, house.logs, keep_builds=3).collect()
    assert house.builds.kept == {f"image-{d * 8}" for d in "9876"}
    assert len([s for s in house.logs.lines if s.startswith("build/")]) == 4


def test_the_loop_itself(house, tmp_path):
    """With real threads and bells: nobody calls look by hand."""
    from tests.support import eventually

    house.reconciler._clock = house.queue._clock = house.workers._clock = house.spaces._clock = time.time
    house.reconciler.start()
    house.workers._loop._count, house.workers._changed = 1, house.reconciler.poke
    house.workers.start()
    try:
        house.now = house.runtime.now = time.time()
        house.push("1")
        house.reconciler.poke(house.space_id)
        eventually(lambda: house.space.stage is Stage.APP_STARTING, 5)
        house.runtime.become_ready()
        house.runtime.changed(house.space_id)
        eventually(lambda: house.space.stage is Stage.RUNNING, 5)
    finally:
        house.workers.stop()
        house.reconciler.stop()
