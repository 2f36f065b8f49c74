"""Holding one build while it is made: a thread extends its lease, whatever the build prints, and notices that it was superseded
or that somebody else has taken it. Who no longer holds a build must not write anything of it, its log neither."""

import threading
from collections.abc import Callable
from enum import Enum

from orchestrator.domain.records import Build
from orchestrator.domain.seen import BuildState
from orchestrator.errors import Unavailable
from orchestrator.ports import Store

LOOK_EVERY = 0.25  #: seconds


class End(Enum):
    """Why a build must stop."""

    SUPERSEDED = "superseded by a newer push"
    STOPPED = "stopped with Podium; it will be built again"
    LOST = "taken over by another builder"


class Lease:
    """Use as a context. `seconds`: how long the database believes us without a word."""

    def __init__(
        self, store: Store, build: Build, seconds: float, clock: Callable[[], float], stopping: threading.Event
    ) -> None:
        self._store = store
        self._build = build
        self._seconds = seconds
        self._clock = clock
        self._stopping = stopping
        self._until = build.lease_until
        self._ended = threading.Event()
        self.end: End | None = None

    def __enter__(self) -> "Lease":
        threading.Thread(target=self._beat, name=f"lease-{self._build.key}", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def must_stop(self) -> bool:
        return self.end is not None

    def holds(self) -> bool:
        """Whether it is surely ours. False after a freeze that outlasted the lease, until the database confirms it."""
        return self.end is not End.LOST and self._clock() < self._until

    def _beat(self) -> None:
        extended = self._clock()
        while self.end is None and not self._ended.wait(LOOK_EVERY):
            if self._stopping.is_set():
                self.end = End.STOPPED
                return
            now = self._clock()
            try:
                if now - extended < self._seconds / 4:
                    self._look()
                elif self._extend(now):
                    extended = now
            except Unavailable:
                continue

    def _look(self) -> None:
        with self._store.read() as tx:
            row = tx.builds.get(self._build.key)
        if row is None or row.state is BuildState.SUPERSEDED:
            self.end = End.SUPERSEDED
        elif row.state is not BuildState.RUNNING or row.fence != self._build.fence:
            self.end = End.LOST

    def _extend(self, now: float) -> bool:
        until = now + self._seconds
        with self._store.write() as tx:
            held = tx.builds.update(self._build.key, self._build.fence, lease_until=until)
        if held:
            self._until = until
        else:
            self._look()
        return held
