"""One JSON line per request, written in batches, rotated by size. Owns the file. A full disk loses lines, never requests."""

import logging
import os
import time
from pathlib import Path

from orchestrator.gateway.request import Request

log = logging.getLogger(__name__)

_BATCH = 512


class AccessLog:
    """`path` None: nothing is written."""

    def __init__(self, path: Path | None, size_limit: int) -> None:
        self._path = path
        self._limit = size_limit
        self._lines: list[str] = []
        self._file = -1
        self._size = 0
        self._second = ("", -1)
        self._complained = False

    def write(self, request: Request, now: float) -> None:
        """`now` on the clock of `request.started`."""
        if self._path is None:
            return
        wall = int(time.time())
        if wall != self._second[1]:
            self._second = (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(wall)), wall)
        route = request.route
        self._lines.append(
            f'{{"time":"{self._second[0]}","address":"{request.address}","host":"{_text(request.host)}",'
            f'"method":"{request.method.decode()}","path":"{_text(request.target.partition(b"?")[0])}",'
            f'"status":{request.status},"bytes":{request.sent},"ms":{(now - request.started) * 1000:.1f},'
            f'"space":"{_text(route.space.encode()) if route is not None else ""}","outcome":"{request.outcome}"}}\n'
        )
        if len(self._lines) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        if not self._lines:
            return
        data = "".join(self._lines).encode()
        self._lines.clear()
        try:
            if self._file < 0:
                self._open()
            os.write(self._file, data)
            self._size += len(data)
            if self._size > self._limit:
                self.close()
                os.replace(self._path, self._path.with_name(self._path.name + ".1"))
        except OSError as error:
            if not self._complained:
                log.error("cannot write the access log %s: %s", self._path, error)
            self._complained = True

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        self._size = os.fstat(self._file).st_size

    def close(self) -> None:
        self.flush()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _text(value: bytes) -> str:
    """As the inside of a JSON string. Header values may hold anything but control characters."""
    text = value.decode("latin-1")
    if '"' in text or "\\" in text or not (text.isascii() and text.isprintable()):
        text = "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else f"\\u{ord(c):04x}" for c in text)
    return text
