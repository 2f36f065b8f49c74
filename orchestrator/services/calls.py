"""Calls builders on other machines to the queue: rings for each build that was queued, and again for those that nobody took. The
queue is the table; rings may be lost, doubled or late. Also gives back to the queue what a dead builder held."""

import logging
import time

from orchestrator.domain.records import Build
from orchestrator.errors import Unavailable
from orchestrator.ports import Bell, Doorbell, Store
from orchestrator.services.builds import requeue
from orchestrator.services.loop import Loop

log = logging.getLogger(__name__)
LOOK_EVERY = 5.0
LATE = 10.0  #: seconds after which a ring is believed lost
_COMPLAIN_EVERY = 60.0


class BuildCalls:
    """`loop` calls."""

    def __init__(self, store: Store, doorbell: Doorbell, bell: Bell, clock=time.time) -> None:
        self._store = store
        self._doorbell = doorbell
        self._clock = clock
        self._called: set[tuple[str, int]] = set()
        self._complained = -_COMPLAIN_EVERY
        self.loop = Loop("calls", LOOK_EVERY, self.round, bell=bell, topic="builds")

    def round(self) -> None:
        """Ring once for each build queued since the last round, and for late ones when fewer rings wait than builds."""
        now = self._clock()
        with self._store.read() as tx:
            expired = tx.builds.expired(now)
        if expired:
            with self._store.write() as tx:
                for build in expired:
                    requeue(tx, build, now)
        with self._store.read() as tx:
            queued = tx.builds.queued()
        self._called &= {_turn(build) for build in queued}
        new = [build for build in queued if _turn(build) not in self._called]
        late = [build for build in queued if _turn(build) in self._called and now - build.since >= LATE]
        try:
            if late:
                late = late[: max(0, len(queued) - len(new) - self._doorbell.waiting())]
            for build in (*new, *late):
                self._doorbell.ring(build.key)
                self._called.add(_turn(build))
        except Unavailable as error:
            if time.monotonic() - self._complained > _COMPLAIN_EVERY:
                self._complained = time.monotonic()
                log.warning("%s", error)


def _turn(build: Build) -> tuple[str, int]:
    """A build each time that it is queued."""
    return build.key, build.fence
