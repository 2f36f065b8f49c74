"""One machine user per Space, and free ports. Used only where Podium runs as root (users) and in the one-machine shape (ports).

A Space's number never changes and is never given to another Space: files it left behind must not become another's. Each
data directory begins at a number of its own, so that two Podiums on one machine do not run Spaces as the same user."""

import json
import os
import random
import socket
import threading
from collections.abc import Collection
from pathlib import Path

FIRST_USER = 200_000  #: far from people (1000...) and from system services
BUILD_USER = FIRST_USER - 1  #: runs the code of packages while they are built
_BLOCK, _BLOCKS = 10_000, 10_000  #: users of a data directory that is new; where they begin is left to chance
PORTS = range(20_000, 32_000)  #: below the ports that the kernel gives to outgoing connections


class Users:
    """Numbers by Space id, kept in a file."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()

    def all(self) -> dict[str, int]:
        """The numbers of all Spaces that have one."""
        with self._lock:
            return self._load()["users"]

    def of(self, space_id: str) -> int:
        with self._lock:
            known = self._load()
            if space_id not in known["users"]:
                known["users"][space_id] = known["next"]
                known["next"] += 1
                self._save(known)
            return known["users"][space_id]

    def forget(self, space_id: str) -> None:
        with self._lock:
            known = self._load()
            if known["users"].pop(space_id, None) is not None:
                self._save(known)

    def _load(self) -> dict:
        try:
            return json.loads(self._path.read_text())
        except FileNotFoundError:
            return {"next": FIRST_USER + _BLOCK * random.randrange(_BLOCKS), "users": {}}

    def _save(self, known: dict) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        spare = self._path.with_suffix(".new")
        with open(spare, "w") as file:
            json.dump(known, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(spare, self._path)


def free_port(taken: Collection[int], ports: range = PORTS) -> int:
    """A port that nobody listens on and that is not in `taken`. Raises OSError when there is none."""
    start = random.randrange(len(ports))
    for offset in range(len(ports)):
        port = ports[(start + offset) % len(ports)]
        if port not in taken and all(map(_unused, ("127.0.0.1", "0.0.0.0"), (port, port))):
            return port
    raise OSError("no free port")


def _unused(address: str, port: int) -> bool:
    with socket.socket() as sock:
        try:
            sock.bind((address, port))
        except OSError:
            return False
        return True
