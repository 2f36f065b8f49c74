"""Runs `podium …` inside the test's process, through the same `main` as everywhere: importing it anew for each test would cost
seconds. Nothing is replaced but arguments and the three streams."""

import contextlib
import io
import sys
from dataclasses import dataclass

from orchestrator.cli import main


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


def podium_says(*words: str, text: str = "") -> Said:
    """Exit code, stdout and stderr of a command with `text` on its standard input. Asserts that it shows no traceback."""
    out, err = io.StringIO(), io.StringIO()
    before = sys.argv, sys.stdin
    sys.argv, sys.stdin = ["podium", *words], io.StringIO(text)
    code: object = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as end:
        code = end.code or 0
    finally:
        sys.argv, sys.stdin = before
    said = Said(int(code), out.getvalue(), err.getvalue())
    assert "Traceback" not in said.err, said.err
    return said
