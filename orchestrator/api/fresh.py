"""The stage of a Space between a command and the reconciler's next look, some milliseconds later: without it, whoever restarts
a paused Space and asks at once would be told that it is paused, and `hf spaces wait` would give up. Never decides anything:
it only tells a sighting that the wish has outrun from one that still holds."""

from dataclasses import replace

from orchestrator.domain.decide import DENIED, RouteState
from orchestrator.domain.keys import instance_id
from orchestrator.domain.records import Space
from orchestrator.domain.seen import BuildSeen, BuildState
from orchestrator.domain.stage import INTERMEDIATE, Stage

_FAILED_BUILD = (Stage.NO_APP_FILE, Stage.CONFIG_ERROR, Stage.BUILD_ERROR)


def fresh(space: Space, build: BuildSeen | None) -> Space:
    """The Space with the stage that its wish leads to, where its sighting is older than the wish. `build` is that of the
    wanted revision. Pure."""
    wish = space.wish
    if wish.paused_because:
        return space if space.stage is Stage.PAUSED else _moved(space, Stage.PAUSED, wish.paused_because)
    if wish.revision is None or space.stage in INTERMEDIATE or _holds(space, build):
        return space
    serves = space.route is RouteState.OPEN
    if build is None or build.image is None:
        return _moved(space, Stage.RUNNING_BUILDING if serves else Stage.BUILDING, "queued for building")
    return _moved(space, Stage.RUNNING_APP_STARTING if serves else Stage.APP_STARTING, "the app is starting")


def _holds(space: Space, build: BuildSeen | None) -> bool:
    """Whether a stage at rest is still that of the wanted build and launch."""
    if build is not None and build.state is BuildState.FAILED:
        return space.stage in _FAILED_BUILD
    if build is None or build.image is None:
        return False
    key = space.wish.launch_key(build.image.id)
    match space.stage:
        case Stage.RUNNING:
            return space.instance == instance_id(space.id, key)
        case Stage.RUNTIME_ERROR:
            return space.failures.launch_key == key
        case Stage.PAUSED:  # nobody paused it, so it is over or it may not have its hardware
            return space.reason.startswith(DENIED) and space.last_activity <= space.stage_since
        case Stage.SLEEPING:
            return space.last_activity <= space.stage_since
    return False


def _moved(space: Space, stage: Stage, reason: str) -> Space:
    return replace(space, stage=stage, reason=reason, stage_since=space.last_activity, deadline=None)
