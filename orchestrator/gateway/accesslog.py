"""One JSON line per request, written in batches, rotated by size. Owns the file. A full disk loses lines, never requests."""

import json
import logging
import os
import re
import time
from pathlib import Path

from orchestrator.gateway.request import Request

log = logging.getLogger(__name__)

_BATCH = 512
_STRANGE = re.compile(r"[^ !#-\[\]-~]").search


class AccessLog:
    """`path` None: nothing is written."""

    def __init__(self, path: Path | None, size_limit: int) -> None:
        self._path = path
        self._limit = size_limit
        self._lines: list[str] = []
        self._file = -1
        self._size = 0
        self._complained = False
        self._stamp = ""
        self._host = (b"", "")
        self.tick()

    def write(self, request: Request, now: float) -> None:
        """`now` on the clock of `request.started`."""
        if self._path is None:
            return
        route = request.route
        path = request.target.partition(b"?")[0].decode("latin-1")
        if _STRANGE(path):
            path = _escaped(path)
        if request.host != self._host[0]:
            self._host = (request.host, _escaped(request.host.decode("latin-1")))
        host = self._host[1]
        self._lines.append(
            f'{{"time":"{self._stamp}","address":"{request.address}","host":"{host}","method":"{request.method.decode()}",'
            f'"path":"{path}","status":{request.status},"bytes":{request.sent},"ms":{(now - request.started) * 1000:.1f},'
            f'"space":"{route.space if route is not None else ""}","outcome":"{request.outcome}"}}\n'
        )
        if len(self._lines) >= _BATCH:
            self.flush()

    def tick(self) -> None:
        """Once a second: lines carry the time of the last tick."""
        self._stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
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


def _escaped(text: str) -> str:
    """As the inside of a JSON string."""
    return json.dumps(text)[1:-1]
