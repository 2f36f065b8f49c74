"""What a process does again and again in the background. Owns the threads, the pauses between rounds, what is said of rounds that
failed, and how it ends; what a round does is its owner's. No failure of a round ends the loop."""

import logging
import threading
import time
from collections.abc import Callable

from orchestrator.errors import Unavailable
from orchestrator.ports import Bell
from orchestrator.services.bell import LocalBell

log = logging.getLogger(__name__)
JOIN = 2.0  #: seconds that `stop` waits for a round that is going on


class Loop:
    """Calls `round` in `threads` threads of its own, from `start` to `stop`: `first` seconds after the start, then after `every`
    seconds, or after as many as the round returned. A nudge or a ring of `topic` at `bell` ends a pause at once, but for the
    `rest` seconds that follow every round, and the `again` seconds (`every`) that follow one that failed.

    `ending` is set once it is to stop: rounds that take long look at it, and wait with it."""

    def __init__(
        self,
        name: str,
        every: float,
        round: Callable[[], float | None],
        *,
        first: float = 0.0,
        rest: float = 0.0,
        again: float | None = None,
        bell: Bell | None = None,
        topic: str = "",
        threads: int = 1,
        join: float = JOIN,
    ) -> None:
        self.name, self._every, self._round = name, every, round
        self._first, self._rest, self._again = first, rest, every if again is None else again
        self._bell, self._topic = bell or LocalBell(), topic
        self._count, self._join = threads, join
        self._threads: list[threading.Thread] = []
        self._away = False
        self.ending = threading.Event()

    def start(self) -> None:
        """To be called once."""
        for number in range(self._count):
            name = self.name if self._count == 1 else f"{self.name}-{number}"
            thread = threading.Thread(target=self._run, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def nudge(self) -> None:
        """There is something to do: do not wait for it. Never blocks."""
        self._bell.ring(self._topic)

    def stop_soon(self) -> None:
        """No further round begins. Never blocks."""
        self.ending.set()
        self.nudge()

    def stop(self) -> None:
        """End now; a round that goes on and does not look at `ending` is waited for, but not for ever."""
        self.stop_soon()
        until = time.monotonic() + self._join
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        self._threads.clear()

    def _run(self) -> None:
        self._pause(self._first)
        while not self.ending.is_set():
            pause = self._once()
            if pause is None:
                self.ending.wait(self._again)
            elif not self.ending.wait(self._rest):
                self._pause(pause - self._rest)

    def _pause(self, seconds: float) -> None:
        if seconds > 0:
            self._bell.wait(self._topic, seconds)

    def _once(self) -> float | None:
        """Seconds until the next round, None when this one failed. What is away is said once, and once that it is back: the
        readiness of the process tells it all the time."""
        try:
            asked = self._round()
        except Unavailable as error:
            log.log(logging.DEBUG if self._away else logging.WARNING, "%s: %s", self.name, error)
            self._away = True
            return None
        except Exception:
            log.exception("%s: a round failed", self.name)
            return None
        if self._away:
            self._away = False
            log.info("%s: goes on", self.name)
        return self._every if asked is None else asked
