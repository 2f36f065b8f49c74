"""`python -m builder REQUEST.json`: one build in a process of its own; `-` reads the request from the first line of standard
input. Writes a JSON line `{"log": text}` for each line of the
log, `{"phase": name}` when a phase begins (`phases.py`), and at the end `{"result": ...}`. Exit status: 0 also for the author's
fault, 75 when it may succeed later (the reason is in `{"transient": text}`). Ends when its standard input is closed: then
whoever asked is gone."""

import json
import os
import signal
import sys
import threading
import traceback
from pathlib import Path

from builder.compile import Build, load
from builder.errors import TransientError
from builder.request import parse
from builder.text import LogLimit, clean_line

TRANSIENT = 75


def main() -> int:
    """The status to exit with. Told to stop, it takes everything with it that it started in its own process group."""
    try:
        return _build()
    except _Stopped as stopped:
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        return 128 + stopped.args[0]


class _Stopped(BaseException):
    """SIGTERM came, or whoever asked is gone."""


def _build() -> int:
    os.umask(0o022)
    signal.signal(signal.SIGTERM, _stop)
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace", buffering=1)
    os.dup2(2, 1)

    def write(**message: object) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    try:
        asked = sys.argv[1] if len(sys.argv) > 1 else "-"
        request = parse(load(sys.stdin.buffer.readline() if asked == "-" else Path(asked).read_bytes()))
        limit = LogLimit(request.bounds.output)

        def say(text: str) -> None:
            line = limit.admit(clean_line(text))
            if line is not None:
                write(log=line)

        threading.Thread(target=_watch_parent, daemon=True).start()
        build = Build(request, say, lambda name: write(phase=name))
        write(result=build.result())
        build.finish()
        return 0
    except TransientError as error:
        write(transient=clean_line(str(error)))
        return TRANSIENT
    except Exception as error:
        traceback.print_exc()
        write(transient=f"the builder failed: {type(error).__name__}")
        return TRANSIENT


def _stop(number: int, frame: object) -> None:
    raise _Stopped(number)


def _watch_parent() -> None:
    """Block until the other end of standard input is gone, then stop like SIGTERM does."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
