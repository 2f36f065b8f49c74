"""The state machine of a Space, in one pure function: `decide(wish, seen, hardware, now) -> Decision`. First match wins.

    #  when                                         stage                    route            do
    1  deleted                                      DELETING                 closed           stop all; nothing left: forget
    2  paused, taken down, or denied hardware       PAUSED                   closed           stop all
    3  no revision / no app file / bad config       NO_APP_FILE CONFIG_ERROR old or closed    stop the rest
    4  no build, or lost                            BUILDING*                old or wait      start build
    5  build queued or running                      BUILDING*                old or wait
    6  build failed                                 BUILD_ERROR              old or closed    stop the rest
    7  idle longer than sleep_after, and not 11     SLEEPING                 wake             stop all
    8  wanted instance ready                        RUNNING                  open             stop all others
    9  wanted instance exited or starting too long  APP_STARTING*            old or wait      reap
    10 wanted instance starting                     APP_STARTING*            old or wait      stop stale
    11 failed 3 times under this key                RUNTIME_ERROR            old or closed    stop stale
    12 failed, back-off not over                    APP_STARTING*            old or wait      look again then
    13 no room on its hardware                      APP_STARTING*            old or wait      wait in the queue
       an earlier instance holds what is exclusive  APP_STARTING             wait             stop all first
    14 otherwise                                    APP_STARTING*            old or wait      launch

    * RUNNING_… while an older instance serves. "Stop stale" stops whatever is not wanted and does not serve.

Row 13: an old instance that serves stays until there is room, unless its owner wished that it `goes_first`. Its own share counts
as room. Without room for it the wanted hardware is waited for, never replaced by another.

Whatever the row, what serves or starts has as many replicas as wished for (replicas.py): that is no other launch.

Owns the order and the words shown to the author. Does not own: who looks, who acts, what is saved (services/reconciler.py).
"""

from orchestrator.domain.decision import (
    ClearFailures,
    Decision,
    Forget,
    Launch,
    Reap,
    RouteState,
    StartBuild,
    Stop,
)
from orchestrator.domain.hardware import Hardware
from orchestrator.domain.keys import instance_id
from orchestrator.domain.replicas import affordable, scaled
from orchestrator.domain.seen import (
    BuildSeen,
    BuildState,
    Failures,
    FaultKind,
    InstanceSeen,
    InstanceState,
    Seen,
)
from orchestrator.domain.space import Wish
from orchestrator.domain.stage import Stage

FAILURES_ALLOWED = 3
CALM_AFTER = 600.0  #: seconds of running after which earlier failures are forgiven
BACK_OFF = (2.0, 10.0)  #: seconds to wait after the first and the second failure
DRAIN = 10.0  #: seconds that a superseded instance may finish its requests
WITHDRAW = 0.3  #: seconds between closing a route and stopping what served it: the gateways hear of it first
DENIED = "stopped: "  #: how the reason begins when a Space may not have its hardware
QUEUE_AGAIN = 5.0  #: seconds after which a Space that waits for hardware is looked at again
DENIED_AGAIN = 60.0  #: seconds after which a Space that may not have its hardware is
RESYNC = 30.0  #: seconds after which a busy Space is looked at again even if no bell rang


def decide(wish: Wish, seen: Seen, hardware: Hardware, now: float) -> Decision:
    """The decision for one Space. All times in epoch seconds."""
    return scaled(_decide(wish, seen, hardware, now), wish, seen, hardware, now)


def _decide(wish: Wish, seen: Seen, hardware: Hardware, now: float) -> Decision:
    if wish.deleted:
        rest = stop(seen.instances)
        return Decision(Stage.DELETING, RouteState.CLOSED, "being deleted", rest or (Forget(),), look_at=now + 1)
    if wish.paused_because or seen.denied:
        reason = wish.paused_because or DENIED + seen.denied
        return Decision(
            Stage.PAUSED,
            RouteState.CLOSED,
            reason,
            stop(seen.instances),
            look_at=soon(seen.instances, now) or (None if wish.paused_because else now + DENIED_AGAIN),
        )
    if wish.revision is None:
        reason = "deploys are frozen, and what was pushed waits" if wish.held else "nothing has been pushed to main yet"
        return Decision(
            Stage.NO_APP_FILE, RouteState.CLOSED, reason, stop(seen.instances), look_at=soon(seen.instances, now)
        )

    build = seen.build
    if build is None or build.state is not BuildState.SUCCEEDED or build.image is None:
        return _without_image(build, seen, now)

    key = wish.launch_key(build.image.id)
    wanted = next((i for i in seen.instances if i.launch_key == key and i.state is not InstanceState.STOPPING), None)
    others = tuple(i for i in seen.instances if i is not wanted)

    failed = seen.failures.launch_key == key and seen.failures.count >= FAILURES_ALLOWED
    idle_since = _idle_since(seen, build, wanted)
    sleep_after = hardware.sleeps_after(wish.sleep_after)
    sleep_at = None if sleep_after is None or idle_since is None else idle_since + sleep_after
    if sleep_at is not None and now >= sleep_at and not (failed and serving(others) is None):
        return Decision(
            Stage.SLEEPING,
            RouteState.WAKE,
            "asleep, since nobody used it; any visit wakes it",
            stop(seen.instances),
            since=sleep_at,
            look_at=soon(seen.instances, now),
        )

    if wanted and wanted.state is InstanceState.READY:
        calm = seen.failures.count and wanted.ready_at is not None and now - wanted.ready_at >= CALM_AFTER
        do = stop(others, DRAIN) + ((ClearFailures(),) if calm else ())
        calm_at = wanted.ready_at + CALM_AFTER if seen.failures.count and wanted.ready_at and not calm else None
        return Decision(
            Stage.RUNNING,
            RouteState.OPEN,
            "",
            do,
            wanted.id,
            since=wanted.ready_at,
            look_at=earliest(sleep_at, calm_at, soon(others, now)),
        )
    return _towards_running(wish, seen, key, wanted, others, hardware, now)


def _without_image(build: BuildSeen | None, seen: Seen, now: float) -> Decision:
    """Rows 3 to 6: there is nothing yet that could be launched."""
    old = serving(seen.instances)
    rest = stop_stale(seen.instances, old)
    if build is not None and build.state is BuildState.FAILED:
        stage = {
            FaultKind.NO_APP_FILE: Stage.NO_APP_FILE,
            FaultKind.CONFIG: Stage.CONFIG_ERROR,
            FaultKind.BUILD: Stage.BUILD_ERROR,
        }[build.fault_kind]
        reason = build.fault.sentence() if build.fault else "the build failed; its log says why"
        route = RouteState.OPEN if old else RouteState.CLOSED
        return Decision(
            stage,
            route,
            reason,
            rest,
            old.id if old else "",
            build.since,
            look_at=soon(leaving(seen.instances, old), now),
        )

    stage = Stage.RUNNING_BUILDING if old else Stage.BUILDING
    route = RouteState.OPEN if old else RouteState.WAIT
    serve = old.id if old else ""
    if build is None or build.state in (BuildState.LOST, BuildState.SUPERSEDED, BuildState.SUCCEEDED):
        return Decision(stage, route, "queued for building", (StartBuild(), *rest), serve, now, look_at=now + RESYNC)
    if build.state is BuildState.QUEUED:
        reason = f"queued for building, {build.ahead} ahead of it" if build.ahead else "queued for building"
        reason = f"{build.fault.message}; trying again" if build.fault else reason
    else:
        reason = "building"
    return Decision(stage, route, reason, rest, serve, build.since, build.deadline, look_at=now + RESYNC)


def _idle_since(seen: Seen, build: BuildSeen, wanted: InstanceSeen | None) -> float | None:
    """Since when nobody used it. Time that it needed to be built, to get its hardware and to start is not idleness: None
    while it starts, and in the queue unless something else serves."""
    if wanted and wanted.state is InstanceState.STARTING:
        return None
    if not wanted and seen.queued_at is not None and serving(seen.instances) is None:
        return None
    return max(seen.last_activity, build.since, wanted.ready_at or 0.0 if wanted else 0.0)


def _towards_running(
    wish: Wish,
    seen: Seen,
    key: str,
    wanted: InstanceSeen | None,
    others: tuple[InstanceSeen, ...],
    hardware: Hardware,
    now: float,
) -> Decision:
    """Rows 9 to 14: the image is there, its instance does not answer yet."""
    old = serving(others)
    stage = Stage.RUNNING_APP_STARTING if old else Stage.APP_STARTING
    route = RouteState.OPEN if old else RouteState.WAIT
    serve = old.id if old else ""
    stale = stop_stale(others, old)

    if wanted:
        deadline = wanted.started_at + wanted.startup_timeout
        late = wanted.state is InstanceState.STARTING and now >= deadline
        if wanted.state is InstanceState.EXITED or late:
            reason = wanted.fault.sentence() if wanted.fault else "the app stopped"
            return Decision(
                stage, route, reason, (Reap(wanted.id, late), *stale), serve, wanted.started_at, look_at=now + 1
            )
        reason = wanted.waiting or (wanted.fault.sentence() if wanted.fault else "the app is starting")
        look_at = min(deadline, now + RESYNC)
        return Decision(
            stage, route, reason, stale, serve, wanted.started_at, deadline, look_at, _place(seen, hardware, now)
        )

    failures = seen.failures if seen.failures.launch_key == key else Failures()
    cause = failures.fault.sentence() if failures.fault else "the app stopped"
    again = f"trying again after failure {failures.count} of {FAILURES_ALLOWED}: {cause}"
    if failures.count >= FAILURES_ALLOWED:
        route = RouteState.OPEN if old else RouteState.CLOSED
        reason = f"failed {failures.count} times: {cause}"
        return Decision(
            Stage.RUNTIME_ERROR, route, reason, stale, serve, failures.last_at, look_at=soon(leaving(others, old), now)
        )
    if failures.count:
        then = failures.last_at + BACK_OFF[failures.count - 1]
        if now < then:
            return Decision(stage, route, again, stale, serve, failures.last_at, then, then)
    itself = instance_id(wish.space_id, key)
    in_the_way = _in_the_way(wish, seen, itself, others, hardware)
    if seen.room and not seen.room.free and (not in_the_way or (old and not wish.goes_first)):
        place = _place(seen, hardware, now)
        return Decision(stage, route, seen.room.reason, stale, serve, place, None, now + QUEUE_AGAIN, place)
    if in_the_way:
        reason = f"waiting until the earlier instance has left {hardware.pretty_name}"
        if failures.count and all(i.id == itself for i in in_the_way):
            reason = again  # why it failed says more than that what is left of it is still being taken away
        # What it held, it held before those who wait for it came: its place in the queue is from then.
        place = min(i.started_at for i in in_the_way) if hardware.count else None
        return Decision(
            Stage.APP_STARTING,
            RouteState.WAIT,
            reason,
            stop(others),
            since=seen.last_activity,
            look_at=now + 1,
            queued_at=earliest(place, seen.queued_at),
        )
    return Decision(
        stage,
        route,
        "the app is starting",
        (Launch(key, affordable(wish, seen)), *stale),
        serve,
        now,
        now + 1800.0,
        now + RESYNC,
        _place(seen, hardware, now),
    )


def _in_the_way(
    wish: Wish, seen: Seen, itself: str, others: tuple[InstanceSeen, ...], hardware: Hardware
) -> tuple[InstanceSeen, ...]:
    """Those that must have left before the wanted instance is launched: one of the same name, and those that have what only
    one may have. Where it is known who has it, an instance on other hardware is in nobody's way."""
    leaving_first = wish.goes_first and hardware.exclusive
    return tuple(
        i
        for i in others
        if (i.id == itself and not i.draining)
        or (i.id != itself and hardware.exclusive and (leaving_first or seen.room is None or i.id in seen.room.holders))
    )


def _place(seen: Seen, hardware: Hardware, now: float) -> float | None:
    """Since when it has a place in the queue; kept while it starts, so that nobody takes what it was launched for."""
    if not hardware.count:
        return None
    return now if seen.queued_at is None else seen.queued_at


def serving(instances: tuple[InstanceSeen, ...]) -> InstanceSeen | None:
    """The instance that may serve while a newer one is made: the one that became ready last."""
    ready = [i for i in instances if i.state is InstanceState.READY]
    return max(ready, key=lambda i: i.ready_at or 0.0, default=None)


def stop(instances: tuple[InstanceSeen, ...], drain: float = WITHDRAW) -> tuple[Stop, ...]:
    """Stop each that was not told already; one that serves first gets `drain` seconds to finish its requests."""
    return tuple(
        Stop(i.id, drain if i.state is InstanceState.READY else 0.0)
        for i in instances
        if i.state is not InstanceState.STOPPING
    )


def stop_stale(instances: tuple[InstanceSeen, ...], keep: InstanceSeen | None) -> tuple[Stop, ...]:
    return stop(leaving(instances, keep), DRAIN)


def leaving(instances: tuple[InstanceSeen, ...], keep: InstanceSeen | None) -> tuple[InstanceSeen, ...]:
    return tuple(i for i in instances if i is not keep)


def soon(going: tuple[InstanceSeen, ...], now: float) -> float | None:
    """Look again in a second while something is still to go away."""
    return now + 1.0 if going else None


def earliest(*times: float | None) -> float | None:
    return min((t for t in times if t is not None), default=None)
