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
_KNOWN, _SHORT = 1000, 200  # lines whose beginnings are kept, bytes of their targets
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
        self._who: dict[tuple, str] = {}  # the part of a line that requests like this one share
        self.tick()

    def write(self, request: Request, now: float) -> None:
        """`now` on the clock of `request.started`."""
        if self._path is None:
            return
        route = request.route
        key = (request.address, request.host, request.method, request.target)
        who = self._who.get(key)
        if who is None:
            who = self._learn(key)
        self._lines.append(
            f'{{"time":"{self._stamp}",{who},"status":{request.status},"bytes":{request.sent},'
            f'"ms":{(now - request.started) * 1000:.1f},"space":"{route.space if route is not None else ""}",'
            f'"outcome":"{request.outcome}"}}\n'
        )
        if len(self._lines) >= _BATCH:
            self.flush()

    def _learn(self, key: tuple[str, bytes, bytes, bytes]) -> str:
        address, host, method, target = key
        path = target.partition(b"?")[0].decode("latin-1")
        if _STRANGE(path):
            path = _escaped(path)
        host = _escaped(host.decode("latin-1"))
        who = f'"address":"{address}","host":"{host}","method":"{method.decode()}","path":"{path}"'
        if len(target) <= _SHORT:
            if len(self._who) >= _KNOWN:
                self._who.clear()
            self._who[key] = who
        return who

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
