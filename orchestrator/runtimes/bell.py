"""News of instances: launchers ring a datagram socket on each change; a slow look finds what was missed. Owns one thread."""

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from orchestrator.domain.seen import InstanceSeen

_LOOK_EVERY = 1.0  #: seconds


class Bell:
    """Calls each of `subscribers` with a Space's id when one of its instances changed. `look` lists all instances."""

    def __init__(self, path: Path, look: Callable[[], list[InstanceSeen]]) -> None:
        self._path, self._look = path, look
        self.subscribers: list[Callable[[str], None]] = []
        self._last: dict[str, tuple] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(_LOOK_EVERY)
        self._bind()

    def start(self) -> None:
        if self._thread is None:
            self._compare()
            self._thread = threading.Thread(target=self._listen, name="instances", daemon=True)
            self._thread.start()

    def rung(self, space_id: str = "") -> None:
        """Something may have changed; about this Space something has."""
        changed = self._compare()
        for space in changed | ({space_id} - {""}):
            for call in list(self.subscribers):
                call(space)

    def close(self) -> None:
        self._closed = True
        if self._thread:
            self._socket.shutdown(socket.SHUT_RD)  # wakes the thread
            self._thread.join(timeout=2 * _LOOK_EVERY)
        self._socket.close()

    def _bind(self) -> None:
        """A socket's path may have 107 bytes, a data directory more: bind through the directory's descriptor."""
        self._path.unlink(missing_ok=True)
        directory = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY)
        try:
            self._socket.bind(f"/proc/self/fd/{directory}/{self._path.name}")
        finally:
            os.close(directory)

    def _listen(self) -> None:
        while not self._closed:
            try:
                self._socket.recv(256)
            except TimeoutError:
                pass
            except OSError:
                return
            if not self._closed:
                self.rung()

    def _compare(self) -> set[str]:
        """Space ids whose instances differ from the last time."""
        with self._lock:
            now = {one.id: (one.space_id, one.state, one.fault, one.address, one.begun_at) for one in self._look()}
            changed = {now[name][0] for name in now if self._last.get(name) != now[name]}
            changed |= {seen[0] for name, seen in self._last.items() if name not in now}
            self._last = now
            return changed
