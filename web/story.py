"""What the Space page tells about a Space that is not simply running: where it stands, since when, why, what to do. Pure."""

from dataclasses import dataclass

from orchestrator.domain.decide import DENIED, RouteState
from orchestrator.domain.records import Build, Space
from orchestrator.domain.seen import BuildState
from orchestrator.domain.stage import Stage
from web.shapes import stage_tone, stage_words

_NEXT = {
    Stage.CONFIG_ERROR: "Mend the front matter at the top of `README.md`, then push again.",
    Stage.BUILD_ERROR: "Push a fix; it is built at once. The build log has the whole story.",
    Stage.RUNTIME_ERROR: "Push a fix, or restart to try the same version again. The run log has its last words.",
    Stage.NO_APP_FILE: "Add the file and push again.",
    Stage.PAUSED: "Restart it whenever you like; nothing was lost.",
}
_DENIED = "Choose other hardware in the settings, or ask an admin. It goes on by itself when it may."
FIRST_COMMIT = "initial commit"  #: title of the commit that a new Space begins with
_SAID = ("building", "the app is starting")  #: reasons that say no more than the stage does
_FAILED = (Stage.BUILD_ERROR, Stage.CONFIG_ERROR, Stage.NO_APP_FILE)
_STARTING = (Stage.APP_STARTING, Stage.RUNNING_APP_STARTING)


@dataclass(frozen=True, slots=True)
class Step:
    """`state`: done | now | bad | todo. `took`: seconds, when done. `since`: epoch seconds, while it lasts. `usual`: seconds it
    took in the last good build. `parts`: what it was made of, each with its seconds; of the last good build while it lasts."""

    name: str
    state: str
    took: float | None = None
    since: float | None = None
    usual: float | None = None
    parts: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Story:
    words: str
    tone: str
    reason: str
    hint: str
    next: str
    since: float
    deadline: float | None
    steps: tuple[Step, ...]
    usual: float | None  #: seconds that the last good build took
    log: str  #: build | run | ""
    serving: bool
    empty: bool  #: nothing was pushed yet, or nothing but what a new Space begins with
    denied: bool = False  #: it may not have its hardware
    file: str = ""  #: where the fault is, in the repo
    line: int = 0
    back: int = 0  #: number of the good build before the wanted one, when that failed


def wanted_build(space: Space, builds: list[Build]) -> Build | None:
    """The build of the wished revision."""
    return next((b for b in builds if b.key == space.wish.build_key), None)


def story(space: Space, builds: list[Build], now: float) -> Story:
    build = wanted_build(space, builds)
    good = next((b for b in builds if b.state is BuildState.SUCCEEDED and b is not build), None)
    empty = build.title == FIRST_COMMIT if build else space.stage is Stage.NO_APP_FILE
    empty = empty and not any(b.state is BuildState.SUCCEEDED for b in builds)
    denied = space.stage is Stage.PAUSED and space.reason.startswith(DENIED)
    fault = build.fault if build and build.state is BuildState.FAILED else space.failures.fault
    return Story(
        words=stage_words(space.stage),
        tone=stage_tone(space.stage),
        reason="" if space.reason in _SAID else _sentence(space.reason),
        hint=fault.hint if fault and stage_tone(space.stage) == "bad" else "",
        next="" if empty else _DENIED if denied else _NEXT.get(space.stage, ""),
        denied=denied,
        file=where(fault.where if fault and stage_tone(space.stage) == "bad" else "")[0],
        line=where(fault.where if fault else "")[1],
        back=good.number if good and space.stage in (Stage.BUILD_ERROR, Stage.RUNTIME_ERROR) else 0,
        since=space.stage_since,
        deadline=space.deadline if space.deadline and space.deadline > now else None,
        steps=() if empty or space.stage is Stage.PAUSED else _steps(space, build, good),
        usual=_length(good) if good and space.stage in (Stage.BUILDING, Stage.RUNNING_BUILDING) else None,
        log=_log(space, build),
        serving=space.route is RouteState.OPEN,
        empty=empty,
    )


def where(where: str) -> tuple[str, int]:
    """(file, line) of a fault; "" when it names no file of the repo."""
    file, _, line = where.partition(":")
    fits = file and "/" not in file[:1] and " " not in file and "." in file and ".." not in file
    return (file, int(line) if line.isdecimal() and len(line) < 8 else 0) if fits else ("", 0)


def _sentence(reason: str) -> str:
    return reason[:1].upper() + reason[1:] if reason and reason.split(" ")[0].isalpha() else reason


def _length(build: Build) -> float | None:
    return build.finished_at - build.started_at if build.finished_at and build.started_at else None


def _log(space: Space, build: Build | None) -> str:
    if space.stage in (Stage.BUILDING, Stage.RUNNING_BUILDING, *_FAILED):
        return "build" if build else ""
    return "run" if space.stage in (*_STARTING, Stage.RUNTIME_ERROR) else ""


def _parts(build: Build | None) -> tuple[tuple[str, float], ...]:
    """The phases of a build that took long enough to be told."""
    found = build.phases.items() if build else ()
    return tuple((name, took) for name, took in found if name not in ("queued", "total") and took >= 0.05)


def _steps(space: Space, build: Build | None, good: Build | None) -> tuple[Step, ...]:
    usual, todo = _length(good) if good else None, (Step("Start", "todo"), Step("Run", "todo"))
    if build is None or build.state is BuildState.QUEUED:
        since = build.created_at if build else space.stage_since
        waiting = Step("Queued", "now", since=since, usual=good.phases.get("queued") if good else None)
        return waiting, Step("Build", "todo", usual=usual, parts=_parts(good)), *todo
    queued = Step("Queued", "done", max(0.0, build.started_at - build.created_at) if build.started_at else None)
    if build.state is BuildState.RUNNING:
        return queued, Step("Build", "now", since=build.started_at, usual=usual, parts=_parts(good)), *todo
    if build.state is not BuildState.SUCCEEDED:
        return queued, Step("Build", "bad", _length(build), parts=_parts(build)), *todo
    built = Step("Build", "done", _length(build), parts=_parts(build))
    if space.stage is Stage.RUNTIME_ERROR:
        return queued, built, Step("Start", "bad"), Step("Run", "todo")
    if space.stage is Stage.RUNNING:
        return queued, built, Step("Start", "done"), Step("Run", "done")
    starting = Step("Start", "now", since=space.stage_since) if space.stage in _STARTING else Step("Start", "todo")
    return queued, built, starting, Step("Run", "todo")
