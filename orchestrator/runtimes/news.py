"""News of instances that nobody rings for: a thread that compares what is listed now with the last time, often while something
starts, and now and then otherwise. Owns that thread and who is told."""

import logging
import threading
import time
from collections.abc import Callable

from orchestrator.domain.seen import InstanceSeen, InstanceState
from orchestrator.errors import Unavailable

log = logging.getLogger("podium.runtimes")
_QUICK, _SLOW = 0.03, 1.0  #: seconds between looks, while something starts and otherwise
_RESYNC = 30.0  #: seconds between thorough looks


class News:
    """`look` lists all instances from memory, `tick` is called about every second, `resync` now and then (it may be slow and
    raise Unavailable). `quick`: seconds between looks while something starts, where not every change rings."""

    def __init__(
        self, look: Callable[[], list[InstanceSeen]], tick: Callable[[], None], resync: Callable[[], None],
        quick: float = _QUICK,
    ) -> None:  # fmt: skip
        self._look, self._tick, self._resync, self._quick = look, tick, resync, quick
        self.subscribers: list[Callable[[str], None]] = []
        self._told: dict[str, tuple] = {}
        self._closed = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="instances", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ring(self) -> None:
        """Something may have changed."""
        self._wake.set()

    def close(self) -> None:
        self._closed = True
        self._wake.set()
        self._thread.join(2 * _SLOW)

    def _watch(self) -> None:
        ticked = synced = time.monotonic()
        while not self._closed:
            starting, now = False, time.monotonic()
            try:
                starting = self._compare()
                if now - ticked >= _SLOW:
                    ticked = now
                    self._tick()
                if now - synced >= _RESYNC:
                    synced = now
                    self._resync()
            except Unavailable as error:
                log.info("%s", error)
            except Exception:  # news must go on whatever one look finds
                log.exception("a look at the instances failed")
            self._wake.wait(self._quick if starting else _SLOW)
            self._wake.clear()

    def _compare(self) -> bool:
        """Tell of what differs; whether something starts."""
        now = {one.id: _news_of(one) for one in self._look()}
        changed = {seen[0] for name, seen in now.items() if self._told.get(name) != seen}
        changed |= {told[0] for name, told in self._told.items() if name not in now}
        self._told = now
        for space_id in changed:
            for call in list(self.subscribers):
                call(space_id)
        return any(seen[1] is InstanceState.STARTING for seen in now.values())


def _news_of(one: InstanceSeen) -> tuple:
    """What somebody wants to be told when it differs; first, whose it is. What it waits for is shown as the reason."""
    marks = one.placed_at, one.begun_at
    return one.space_id, one.state, one.fault, one.addresses, one.draining, one.waiting, one.asked, *marks
