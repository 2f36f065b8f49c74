"""Following a Space while it changes: its log, and its way to RUNNING. `verdict` is pure; the rest polls the API."""

import time
from collections import deque
from collections.abc import Iterable, Iterator

from orchestrator.cli.hub import Hub, Line, space_path
from orchestrator.cli.output import clean, log_line, say, seconds
from orchestrator.domain.stage import INTERMEDIATE, Stage
from orchestrator.errors import Unavailable

EVERY = 0.4  #: seconds between looks
SETTLE = 3.0  #: seconds that a final stage must last: right after a push the old one may still be shown
PATIENCE = 30.0  #: seconds that the server may be away
LAST_WORDS = 20  #: lines of the failing log to show
TIMED_OUT = 124  #: as timeout(1) says it


def log(hub: Hub, space_id: str, kind: str, follow: bool = False, tail: int = 0) -> Iterator[Line]:
    """Lines of the `build` or `run` log; the last `tail` of them, then with `follow` those to come."""
    lines = hub.lines(space_path(space_id, f"/logs/{kind}"), follow)
    if not tail:
        return lines
    if not follow:
        return iter(deque(lines, maxlen=tail))
    sent = len(list(hub.lines(space_path(space_id, f"/logs/{kind}"), follow=False)))
    return (line for number, line in enumerate(lines) if number >= sent - tail)


def wait(hub: Hub, space_id: str, timeout: float = 0) -> int:
    """Print each change of stage with its reason until the Space runs (0), cannot (1), or time is up (124)."""
    began = time.monotonic()
    shown: tuple[str, str] | None = None
    since = answered = began
    while True:
        now = time.monotonic()
        try:
            runtime = hub.get(space_path(space_id, "/runtime"))
            answered = now
        except Unavailable as error:
            if shown is None or now - answered > PATIENCE:
                raise
            runtime, _ = None, error
        if runtime is not None:
            state = (str(runtime.get("stage")), _reason(runtime))
            if state != shown:
                since = since if shown and shown[0] == state[0] else now
                shown = state
                say(f"{seconds(now - began):>7}  {' '.join(filter(None, (state[0], clean(state[1]))))}")
            code = verdict(state[0], now - since, _is_newest(hub, space_id, runtime))
            if code is not None:
                _conclude(hub, space_id, state[0], code)
                return code
        if timeout and now - began >= timeout:
            say(f"{space_id} does not run after {seconds(timeout)}; it may still: podium space wait {space_id}")
            return TIMED_OUT
        time.sleep(EVERY)


def verdict(stage: str, lasted: float, newest: bool = True) -> int | None:
    """0 runs, 1 will not run by itself, None wait on. `lasted`: seconds in this stage; `newest`: what serves is the head of
    main, which it is not right after a push, nor after a rollback."""
    if stage == Stage.RUNNING:
        return 0 if newest or lasted >= SETTLE else None
    if stage in INTERMEDIATE and stage != Stage.DELETING:
        return None
    return 1 if lasted >= SETTLE else None


def _is_newest(hub: Hub, space_id: str, runtime: dict) -> bool:
    if runtime.get("stage") != Stage.RUNNING:
        return False
    head = hub.get(space_path(space_id), expand="sha").get("sha")
    return head in (None, runtime.get("sha"))


def _reason(runtime: dict) -> str:
    return str(runtime.get("errorMessage") or runtime.get("reason") or "")


def _conclude(hub: Hub, space_id: str, stage: str, code: int) -> None:
    if code == 0:
        say(f"{space_id} runs: {hub.get(space_path(space_id)).get('host', '')}")
        return
    if stage in (Stage.PAUSED, Stage.SLEEPING):
        say(f"Start it: podium space restart {space_id}")
        return
    kind = "run" if stage == Stage.RUNTIME_ERROR else "build"
    last_words(log(hub, space_id, kind, tail=LAST_WORDS), f"the {kind} log")


def last_words(lines: Iterable[Line], name: str) -> None:
    lines = list(lines)
    if lines:
        say(f"Last lines of {name}:")
    for line in lines:
        log_line(line.text)
