"""How far a Space is on its way from a push to an app that answers, step by step, each with its seconds and with what is usual
for this Space. Pure: from the rows of its builds and of the runs of its instances. Owns the order of the steps and their words.

The phases of a build are the builder's (`builder/phases.py`). A row holds seconds by phase, in the order in which they were
last at. While the build runs the last one lasts still, and began when the others, added up, had passed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from orchestrator.domain.records import Build, Run, Space
from orchestrator.domain.seen import BuildState
from orchestrator.domain.stage import Stage

#: phase -> (while it lasts, afterwards), in their order
PHASES = {
    "queued": ("Queued", "Queued"),
    "clone": ("Cloning", "Cloned"),
    "base": ("Preparing the base image", "Base image prepared"),
    "resolve": ("Resolving packages", "Resolved"),
    "wait": ("Waiting for a build of the same", "Waited for a build of the same"),
    "install": ("Installing packages", "Installed"),
    "build": ("Building the Dockerfile", "Built"),
    "files": ("Putting files in place", "Files in place"),
    "push": ("Pushing the image", "Pushed"),
    "schedule": ("Finding a place", "Scheduled"),
    "start": ("Starting", "Started"),
    "ready": ("Waiting for its first answer", "Ready"),
}
_ORDER = {name: at for at, name in enumerate(PHASES)}
_LAUNCH = ("schedule", "start", "ready")
_FIRST = ("clone", "resolve", "install", "files")  #: what a build is expected to do while none has ended
_PAST = 5  #: builds and runs that say what is usual
_AGAIN = (BuildState.QUEUED, BuildState.LOST, BuildState.SUPERSEDED)  #: it will be built, or built again
_STARTING = (Stage.APP_STARTING, Stage.RUNNING_APP_STARTING)


@dataclass(frozen=True, slots=True)
class Step:
    """`state`: done | now | bad | todo. `took`: seconds, when it is over. `since`: epoch seconds, while it lasts. `usual`:
    seconds that it takes for this Space, None where nobody knows."""

    phase: str
    state: str
    took: float | None = None
    since: float | None = None
    usual: float | None = None

    @property
    def words(self) -> str:
        return PHASES[self.phase][self.state == "done"]


def begun(phases: Mapping[str, float], started_at: float, now: float, name: str) -> dict[str, float]:
    """The phases of a running build once `name` begins at `now`."""
    told = dict(phases)
    if last := _last(told):
        told[last] = round(told[last] + max(0.0, now - started_at - _spent(told)), 3)
    before = told.pop(name, 0.0)  # one that comes again is the last one again
    return {**told, name: before}


def seconds(build: Build) -> dict[str, float]:
    """What each phase of a build took, in their order. Those of before these names are none."""
    return {name: build.phases[name] for name in PHASES if name in build.phases}


def length(build: Build) -> float | None:
    """Seconds from its start to its end."""
    return build.finished_at - build.started_at if build.finished_at and build.started_at else None


def of_run(run: Run) -> dict[str, float]:
    """What each step of a start took, as far as it came. Clocks of several machines may differ: nothing took less than 0."""
    marks = (run.asked_at, run.placed_at, run.begun_at, run.ready_at)
    told, before = {}, marks[0]
    for name, mark in zip(_LAUNCH, marks[1:], strict=True):
        if mark is not None:
            told[name] = max(0.0, mark - before)
            before = max(before, mark)
    return told


def usual(told: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The median of each phase over those that had it."""
    found: dict[str, list[float]] = {}
    for one in told:
        for name, took in one.items():
            found.setdefault(name, []).append(took)
    return {name: median(values) for name, values in found.items()}


def wanted_build(space: Space, builds: Iterable[Build]) -> Build | None:
    """The build of the wished revision."""
    return next((build for build in builds if build.key == space.wish.build_key), None)


def steps(space: Space, builds: Sequence[Build], runs: Sequence[Run]) -> tuple[Step, ...]:
    """All steps of the wanted version. Newest first: `builds`, and `runs`."""
    build = wanted_build(space, builds)
    good = [one for one in builds if one.state is BuildState.SUCCEEDED and one is not build][:_PAST]
    past = usual(map(seconds, good))
    known = [of_run(one) for one in runs if one.ready_at is not None][:_PAST]
    started = usual(known)
    before = _building(space, build, seconds(good[0]) if good else dict.fromkeys(_FIRST), past.get)
    if build is None or build.state is not BuildState.SUCCEEDED or build.image is None:
        return (*before, *_todo(() if build and build.state is BuildState.FAILED else _LAUNCH, started.get))
    key = space.wish.launch_key(build.image.id)
    last = next((one for one in runs if one.launch_key == key), None)
    if any(one.build == build.number and one.ready_at is not None for one in runs if one is not last):
        before = (Step("build", "done", length(build)),)  # it has run before: it wakes, or was restarted
    return (*before, *_starting(space, last, started.get))


Usual = Callable[[str], float | None]


def _building(space: Space, build: Build | None, shape: Iterable[str], usual: Usual) -> tuple[Step, ...]:
    shape = [name for name in shape if name != "queued"]
    if build is None or build.state in _AGAIN:
        since = build.created_at if build and build.state is BuildState.QUEUED else space.stage_since
        return Step("queued", "now", since=since, usual=usual("queued")), *_todo(shape, usual)
    waited = max(0.0, build.started_at - build.created_at) if build.started_at else None
    queued = Step("queued", "done", waited)
    if build.state is BuildState.RUNNING:
        now = _last(build.phases) or "clone"
        since = (build.started_at or build.since) + _spent(build.phases)
        rest = [name for name in shape if _ORDER[name] > _ORDER[now] and name not in build.phases]
        lasts = Step(now, "now", since=since, usual=usual(now))
        return queued, *_done(seconds(build), now), lasts, *_todo(rest, usual)
    if build.state is BuildState.SUCCEEDED:
        return queued, *(_done(seconds(build)) or (Step("build", "done", length(build)),))
    bad = _last(build.phases) or "build"
    took = build.phases.get(bad, length(build))
    return queued, *_done(seconds(build), bad), Step(bad, "bad", took)


def _starting(space: Space, run: Run | None, usual: Usual) -> tuple[Step, ...]:
    """`run`: the newest one of what is wanted, None when there was none yet."""
    if space.stage is Stage.RUNNING:
        told = of_run(run) if run else {}
        return tuple(Step(name, "done", told.get(name)) for name in _LAUNCH)
    if space.stage is Stage.RUNTIME_ERROR or (space.stage in _STARTING and run and run.ended_at is not None):
        return _failed(space, run, usual)
    if space.stage not in _STARTING:
        return _todo(_LAUNCH, usual)
    told = of_run(run) if run else {}
    now = next((name for name in _LAUNCH if name not in told), "ready")
    since = space.stage_since
    if run:
        since = max(mark for mark in (run.asked_at, run.placed_at, run.begun_at) if mark is not None)
    rest = _LAUNCH[_LAUNCH.index(now) + 1 :]
    return *_done(told, now), Step(now, "now", since=since, usual=usual(now)), *_todo(rest, usual)


def _failed(space: Space, run: Run | None, usual: Usual) -> tuple[Step, ...]:
    """It ended: for good, or it is tried again after a pause."""
    told = of_run(run) if run else {}
    bad = next((name for name in _LAUNCH if name not in told), "ready")
    if space.stage in _STARTING:
        return Step("start", "now", since=space.stage_since, usual=usual("start")), *_todo(("ready",), usual)
    ended = run.ended_at if run else None
    took = max(0.0, ended - run.started_at) if run and ended else None
    return *_done(told, bad), Step(bad, "bad", took)


def _done(told: Mapping[str, float], but: str = "") -> tuple[Step, ...]:
    return tuple(Step(name, "done", took) for name, took in told.items() if name not in (but, "queued"))


def _todo(names: Iterable[str], usual: Usual) -> tuple[Step, ...]:
    return tuple(Step(name, "todo", usual=usual(name)) for name in names)


def _last(phases: Mapping[str, float]) -> str:
    """What a build is at, or ended in; "" when it has told of none."""
    return next((name for name in reversed(phases) if name in PHASES and name != "queued"), "")


def _spent(phases: Mapping[str, float]) -> float:
    return sum(took for name, took in phases.items() if name in PHASES and name != "queued")
