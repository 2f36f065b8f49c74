"""The loop that makes the world match the wishes: look, decide, act, save. Owns when a Space is looked at and the order of
effects; what is decided is `domain/decide.py`, how it is done are the ports.

A Space is looked at when its row says so (`look_at`), when a bell pokes it, and after a restart of this process. Each look
holds a lease with a fencing number: a look that lost its lease writes nothing. Every action is idempotent, so that a crash
between acting and saving only repeats it. A route is saved before what it led to is stopped. A look that failed, since
something it needs is away, keeps its lease and is repeated by us soon, then more and more seldom; should we die meanwhile,
somebody else looks when the lease ends."""

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from orchestrator import failpoints
from orchestrator.domain.decide import DRAIN, RouteState, decide, earliest
from orchestrator.domain.decision import ClearFailures, Decision, Forget, Launch, Reap, Scale, StartBuild, Stop
from orchestrator.domain.events import of_repo
from orchestrator.domain.hardware import Hardware
from orchestrator.domain.keys import instance_id
from orchestrator.domain.records import Space
from orchestrator.domain.runs import Looked, noted
from orchestrator.domain.seen import BuildSeen, BuildState, Failures, Fault, Image, Seen
from orchestrator.domain.stage import Stage
from orchestrator.domain.streams import build_stream, instance_stream
from orchestrator.errors import PodiumError, Unavailable
from orchestrator.ports import Bell, Builds, LaunchSpec, Logs, Repos, Runtime, Store
from orchestrator.services.allotment import Allotment
from orchestrator.services.audience import tell_of_error
from orchestrator.services.builds import BuildQueue
from orchestrator.services.environment import Environment
from orchestrator.services.loop import Loop
from orchestrator.services.strays import StrayCollector, strays
from orchestrator.services.vault import Undecryptable

log = logging.getLogger(__name__)
LEASE = 60.0
LONGEST_NAP = 5.0  #: seconds; the database is asked at least this often
_QUIET = (Stage.SLEEPING, Stage.PAUSED, Stage.NO_APP_FILE, Stage.CONFIG_ERROR, Stage.BUILD_ERROR, Stage.RUNTIME_ERROR)


class Reconciler:
    def __init__(
        self,
        store: Store,
        runtime: Runtime,
        builds: Builds,
        queue: BuildQueue,
        environment: Environment,
        repos: Repos,
        logs: Logs,
        bell: Bell,
        allotment: Allotment,
        host_of: Callable[[Space], str],
        clock=time.time,
    ) -> None:
        self._store = store
        self._runtime = runtime
        self._builds = builds
        self._queue = queue
        self._environment = environment
        self._repos = repos
        self._logs = logs
        self._bell = bell
        self._allotment = allotment
        self._host_of = host_of
        self._clock = clock
        self._who = f"{socket.gethostname()[:30]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._poked: set[str] = set()
        #: Space -> how often in a row its look failed, when to repeat it
        self._failing: dict[str, tuple[int, float]] = {}
        self._strays = StrayCollector(runtime.list, self._known, runtime.stop, clock)
        self._lock = threading.Lock()
        self._recovered = False
        self._loop = Loop("reconciler", LONGEST_NAP, self._turn, again=1.0, bell=bell, topic="spaces", join=10.0)
        self.beat = 0.0  #: when the loop last came round, for readiness

    # ------------------------------------------------------------------------------------------------------- the loop

    def start(self) -> None:
        self._runtime.subscribe(self.poke)
        self._loop.start()

    def stop(self) -> None:
        self._loop.stop()

    def poke(self, space_id: str) -> None:
        """Look at this Space now."""
        with self._lock:
            self._poked.add(space_id)
        self._loop.nudge()

    def trouble(self) -> list[str]:
        """What keeps the control plane from doing its work, in sentences; none when it is fine."""
        try:
            with self._store.read() as tx:
                tx.spaces.next_look(self._who, self._clock())
        except Unavailable as error:
            return [str(error)]
        quiet = self._clock() - self.beat
        return [f"the reconciler has not come round for {quiet:.0f} seconds"] if quiet > LONGEST_NAP + LEASE else []

    def _recover(self) -> None:
        """After a restart: look at every Space that is not at rest, and at every instance that is there."""
        found = self._runtime.list()  # before the rows: a Space that is made meanwhile has its row before its instance
        now = self._clock()
        with self._store.write() as tx:
            known = tx.spaces.ids()
            tx.spaces.look_at_all(now, quiet=[stage.value for stage in _QUIET])
        for instance in found:
            if instance.space_id in known:
                self.poke(instance.space_id)
        for stray in strays(found, known):
            self._runtime.stop(stray)

    def _turn(self) -> float:
        """A round, and seconds until the next."""
        self.beat = self._clock()
        if not self._recovered:  # the runtime may be away when Podium starts
            self._recover()
            self._recovered = True
        self._strays.collect()
        busy, next_look = self._round()
        nap = 0.0 if busy else LONGEST_NAP if next_look is None else next_look - self._clock()
        return min(LONGEST_NAP, max(0.0, nap))

    def _known(self) -> set[str]:
        with self._store.read() as tx:
            return tx.spaces.ids()

    def _round(self) -> tuple[bool, float | None]:
        with self._lock:
            poked, self._poked = self._poked, set()
        with self._store.read() as tx:
            due = tx.spaces.due(self._who, self._clock())
            next_look = tx.spaces.next_look(self._who, self._clock())
        poked |= {space_id for space_id, (_, at) in self._failing.items() if at <= self._clock()}
        for space_id in dict.fromkeys([*due, *poked]):
            if self._loop.ending.is_set():
                return True, None
            try:
                self.look(space_id, due=space_id not in poked)
                self._failing.pop(space_id, None)
            except Exception as error:
                times = self._failing.get(space_id, (0, 0.0))[0] + 1
                self._failing[space_id] = times, self._clock() + min(LEASE, 2.0 ** min(times - 1, 6))
                level = logging.WARNING if isinstance(error, PodiumError) else logging.ERROR
                log.log(level, "reconciler: space %s: %s", space_id, error, exc_info=level == logging.ERROR)
        return bool(due or poked), earliest(next_look, *(at for _, at in self._failing.values()))

    # --------------------------------------------------------------------------------------------------- one look

    def look(self, space_id: str, due: bool = False) -> Decision | None:
        """Look at one Space, decide, act and save. None if another process holds it or it is gone or, with `due`, was
        looked at by another a moment ago. Who holds it looks again afterwards, unless we came only because it was due."""
        now = self._clock()
        until = now + LEASE
        with self._store.write() as tx:
            claimed = tx.spaces.claim(space_id, self._who, now, until, due)
            if claimed is None and not due:
                tx.spaces.look_again(space_id, now)
        if claimed is None:
            return None
        space, fence = claimed
        space = self._allotment.requests.expire(space)
        # A flavour that is not in the catalogue any more is denied: this one only fills the place.
        hardware = self._allotment.flavors.get(space.wish.hardware, self._allotment.default)
        wish, seen = self._allotment.replicas.granted(space.wish), self._see(space, hardware)
        decision = decide(wish, seen, hardware, now)

        failures, look_at = space.failures, earliest(decision.look_at, space.wish.hardware_until)
        stops: list[Stop] = []
        faults: dict[str, Fault] = {}
        for action in decision.do:
            match action:
                case StartBuild():
                    self._queue.submit(space)
                    failpoints.hit("after_submit")
                    look_at = now
                case Launch(key, replicas):
                    failed = self._launch(space, seen.build, key, hardware, replicas)
                    failures = failed or failures
                    look_at = now if failed else look_at
                case Reap(instance):
                    failures = self._reap(space, seen, instance, action.late)
                    faults[instance] = failures.fault
                    look_at = now
                case ClearFailures():
                    failures = Failures()
                case Scale(instance, replicas):
                    self._runtime.scale(instance, replicas, DRAIN)
                case Stop():
                    stops.append(action)
                case Forget():
                    self._forget(space)
                    return decision

        sighting = _sighting(space, seen, decision, failures, now)
        looked = Looked(space, seen.build, seen.instances, decision, faults)
        with self._store.write() as tx:
            runs = noted(tx.runs.known(space.id, [one.id for one in seen.instances]), looked, now)
            waited_for = bool(runs) and sighting.route is RouteState.WAIT  # who waits is told how far it is
            changed = waited_for or _route_of(sighting) != _route_of(space)
            saved = tx.spaces.save(sighting, fence, until, look_at, route_changed=changed)
            if saved and sighting.stage is not space.stage:
                told = {"stage": sighting.stage.value, "previous": space.stage.value, "reason": sighting.reason}
                tx.webhooks.note(of_repo(sighting, "repo.runtime", "update", now, runtime=told))
                if sighting.stage is Stage.RUNTIME_ERROR:
                    tell_of_error(tx, sighting, now)
            for run in runs if saved else ():
                tx.runs.write(run)
        if not saved:
            return decision
        failpoints.hit("after_save")
        if changed:
            self._bell.ring("routes")
        for action in stops:
            self._runtime.stop(action.instance_id, action.drain)
        return decision

    def _see(self, space: Space, hardware: Hardware) -> Seen:
        instances = tuple(self._runtime.list(space.id))
        build = self._queue.look(space)
        if build and build.image and not instances and self._is_lost(build.image, space.failures.count > 0):
            self._queue.lost(build.key)
            build = replace(build, state=BuildState.LOST, image=None)
        denied = "" if space.wish.deleted or space.wish.paused_because else self._allotment.quotas.denied(space)
        room = self._allotment.capacity.room(space, hardware) if build and build.image and not denied else None
        return Seen(build, instances, space.last_activity, space.failures, room, space.queued_at, denied)

    def _is_lost(self, image: Image, doubted: bool) -> bool:
        """A registry that is away says nothing of the image, and a node may have it: whoever launches it is told the rest."""
        try:
            return not self._builds.exists(image, doubted)
        except Unavailable:
            return False

    def _launch(
        self, space: Space, build: BuildSeen | None, key: str, hardware: Hardware, replicas: int
    ) -> Failures | None:
        assert build is not None and build.image is not None
        image = build.image
        try:
            env = self._environment.of_app(space, hardware, self._host_of(space), image.title or space.name)
        except Undecryptable as error:
            fault = Fault("SECRET_LOST", f"the secret {error} cannot be decrypted any more; set it again")
            return Failures(key, 3, self._clock(), fault)
        self._runtime.launch(LaunchSpec(instance_id(space.id, key), space.id, key, image, hardware, env, replicas))
        failpoints.hit("after_launch")
        return None

    def _reap(self, space: Space, seen: Seen, instance: str, late: bool) -> Failures:
        gone = next(i for i in seen.instances if i.id == instance)
        fault = gone.fault or Fault("APP_EXITED", "the app stopped")
        if late:
            minutes = gone.startup_timeout / 60
            why = f"; {gone.fault.sentence()}" if gone.fault else ""
            fault = Fault("APP_TIMEOUT", f"the app did not answer within {minutes:g} minutes{why}")
        self._runtime.stop(instance)
        before = space.failures.count if space.failures.launch_key == gone.launch_key else 0
        return Failures(gone.launch_key, before + 1, self._clock(), fault)

    def _forget(self, space: Space) -> None:
        """Nothing runs any more: remove what is left, the rows last, so that a crash only repeats this."""
        with self._store.read() as tx:
            builds, runs = tx.builds.of(space.id, 100000), tx.runs.of(space.id, 100000)
        for stream in {*(build_stream(one.key) for one in builds), *(instance_stream(one.instance_id) for one in runs)}:
            self._logs.remove(stream)
        self._runtime.forget_space(space.id)
        self._repos.remove(space.id)
        with self._store.write() as tx:
            for rows in (
                tx.builds,
                tx.runs,
                tx.secrets,
                tx.pushes,
                tx.hardware,
                tx.interest,
                tx.discussions,
                tx.shares,
                tx.domains,
                tx.collaborators,
                tx.invitations,
                tx.spaces,
            ):
                rows.forget(space.id)
            tx.repos.forget_names(space.id)
        self._bell.ring("routes")


def _sighting(space: Space, seen: Seen, decision: Decision, failures: Failures, now: float) -> Space:
    """The row after a decision. Pure."""
    served = next((i for i in seen.instances if i.id == decision.serve), None)
    addresses = served.addresses if served else ()
    since = decision.since if decision.since is not None else now
    if decision.stage is space.stage and decision.since is None:
        since = space.stage_since
    return replace(
        space,
        stage=decision.stage,
        reason=decision.reason,
        stage_since=since,
        deadline=decision.deadline,
        route=decision.route,
        address=addresses[0] if addresses else "",
        addresses=addresses if len(addresses) > 1 else (),
        instance=decision.serve,
        failures=failures,
        queued_at=decision.queued_at,
        **_what_serves(space, seen, decision),
    )


def _what_serves(space: Space, seen: Seen, decision: Decision) -> dict[str, object]:
    """Revision, image and hardware of the routed instance: the wanted ones once it answers, then kept as long as it serves."""
    if not decision.serve:
        return {"running_revision": None, "image": None, "running_hardware": ""}
    if decision.stage is Stage.RUNNING and seen.build:
        wish = space.wish
        return {"running_revision": wish.revision, "image": seen.build.image, "running_hardware": wish.hardware}
    return {}


def _route_of(space: Space) -> tuple[object, ...]:
    where = space.address, space.addresses, space.instance, space.image
    return (space.stage, space.reason, space.deadline, space.route, *where)
