"""What a person or a script reads: tables, progress, moments. On a terminal with colours and columns, in a pipe as lines of
tab-separated values without a header. Results go to stdout, everything said about them to stderr."""

import json
import re
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

_SGR = re.compile(r"\x1b\[[0-9;]*m")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1a\x1c-\x1f\x7f-\x9f]|\x1b(?!\[[0-9;]*m)")

COLOURS = {
    "RUNNING": "green",
    "SLEEPING": "blue",
    "PAUSED": "dim",
    "BUILD_ERROR": "red",
    "CONFIG_ERROR": "red",
    "RUNTIME_ERROR": "red",
    "NO_APP_FILE": "red",
    "ok": "green",
    "warn": "yellow",
    "bad": "red",
}


def say(text: str = "") -> None:
    """A line for people; never part of what a script captures."""
    print(text, file=sys.stderr, flush=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows for a person, or for `cut` and `awk`."""
    cells = [[clean(_text(cell)) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in cells:
            print("\t".join(cell.replace("\t", " ") for cell in row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(*columns, box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for row in cells:
        shown.add_row(*(Text(cell, style=COLOURS.get(cell, "")) for cell in row))
    Console().print(shown)


def facts(values: dict[str, object]) -> None:
    """Names and values, one pair a line."""
    table(("", ""), [(name, value) for name, value in values.items() if value not in (None, "")])


def as_json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def clean(text: str, colours: bool = False) -> str:
    """Text that cannot steer a terminal. `colours`: keep colour codes."""
    text = _CONTROL.sub("", text)
    return text if colours else _SGR.sub("", text)


def log_line(text: str) -> None:
    """One line of a log, with its colours on a terminal."""
    print(clean(text.rstrip("\r\n"), colours=sys.stdout.isatty()), flush=True)


def moment(value: object) -> str:
    """Local time of epoch seconds or of an ISO 8601 text; empty for nothing."""
    if not value:
        return ""
    try:
        at = (
            datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else datetime.fromisoformat(str(value))
        )
    except (ValueError, OverflowError, OSError):
        return str(value)
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def seconds(value: float) -> str:
    """A duration in few characters: 4.2s, 3m05s, 2h04m."""
    if value < 60:
        return f"{value:.1f}s"
    minutes, rest = divmod(int(value), 60)
    return f"{minutes}m{rest:02d}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02d}m"


def ago(at: float | None) -> str:
    return f"{seconds(max(0.0, time.time() - at))} ago" if at else "never"


def _text(cell: object) -> str:
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return "" if cell is None else str(cell)
