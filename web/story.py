"""What the Space page tells about a Space that is not simply running: where it stands, since when, why, what to do. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.domain.decide import DENIED, RouteState
from orchestrator.domain.progress import Step, length, steps, wanted_build
from orchestrator.domain.records import Build, Run, Space
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
_QUEUED = "It starts by itself as soon as there is room. What is free now starts sooner."
FIRST_COMMIT = "initial commit"  #: title of the commit that a new Space begins with
_SAID = ("building", "the app is starting")  #: reasons that say no more than the stage does
_FAILED = (Stage.BUILD_ERROR, Stage.CONFIG_ERROR, Stage.NO_APP_FILE)
_STARTING = (Stage.APP_STARTING, Stage.RUNNING_APP_STARTING)


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
    queued: bool = False  #: it waits for its hardware
    file: str = ""  #: where the fault is, in the repo
    line: int = 0
    back: int = 0  #: number of the good build before the wanted one, when that failed


def story(space: Space, builds: list[Build], now: float, runs: Sequence[Run] = ()) -> Story:
    """Newest first: `builds`, and `runs` of its instances."""
    build = wanted_build(space, builds)
    good = next((b for b in builds if b.state is BuildState.SUCCEEDED and b is not build), None)
    empty = build.title == FIRST_COMMIT if build else space.stage is Stage.NO_APP_FILE
    empty = empty and not any(b.state is BuildState.SUCCEEDED for b in builds)
    denied = space.stage is Stage.PAUSED and space.reason.startswith(DENIED)
    queued = space.stage is Stage.APP_STARTING and space.queued_at is not None
    fault = build.fault if build and build.state is BuildState.FAILED else space.failures.fault
    return Story(
        words=stage_words(space.stage),
        tone=stage_tone(space.stage),
        reason="" if space.reason in _SAID else _sentence(space.reason),
        hint=fault.hint if fault and stage_tone(space.stage) == "bad" else "",
        next="" if empty else _DENIED if denied else _QUEUED if queued else _NEXT.get(space.stage, ""),
        denied=denied,
        queued=queued,
        file=where(fault.where if fault and stage_tone(space.stage) == "bad" else "")[0],
        line=where(fault.where if fault else "")[1],
        back=good.number if good and space.stage in (Stage.BUILD_ERROR, Stage.RUNTIME_ERROR) else 0,
        since=space.stage_since,
        deadline=space.deadline if space.deadline and space.deadline > now else None,
        steps=() if empty or space.stage is Stage.PAUSED else steps(space, builds, runs),
        usual=length(good) if good and space.stage in (Stage.BUILDING, Stage.RUNNING_BUILDING) else None,
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


def _log(space: Space, build: Build | None) -> str:
    if space.stage in (Stage.BUILDING, Stage.RUNNING_BUILDING, *_FAILED):
        return "build" if build else ""
    return "run" if space.stage in (*_STARTING, Stage.RUNTIME_ERROR) else ""
