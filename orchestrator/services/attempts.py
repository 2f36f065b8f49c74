"""How often somebody may try a password. Owns the counters, which forget by themselves, and how many passwords are looked at at
the same time; what a password is, is accounts.py's.

An attempt counts from its beginning: whoever sends a thousand at once is not a thousand times within the limit."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from orchestrator.domain.internet import subject
from orchestrator.errors import TooMany

EACH = 5  #: failures a minute of one name from one address
ADDRESS = 30  #: of all names from one address: an office behind one address has that many people
SECONDS = 60.0
_HASHING = 4  #: each takes 64 MB and a core for some 50 ms
_PATIENCE = 5.0  #: seconds to wait for one of these
_KEPT = 50_000


class Attempts:
    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._begun: OrderedDict[tuple[str, ...], list[float]] = OrderedDict()
        self._places = threading.BoundedSemaphore(_HASHING)

    @contextmanager
    def one(self, name: str, address: str) -> Iterator[Callable[[], None]]:
        """One attempt, during which a password may be hashed; call what is given when it succeeded, and it does not count.
        `name`: hashed, for what strangers type must fill neither memory nor logs. Raises TooMany `SIGN_IN_RATE`."""
        now, who = self._clock(), subject(address)
        keys = (((name, who), EACH), ((who,), ADDRESS))
        with self._lock:
            if any(len(self._recent(key, now)) >= limit for key, limit in keys):
                raise TooMany("SIGN_IN_RATE", "Too many attempts; wait a minute and try again.", retry_after=SECONDS)
            for key, _ in keys:
                self._begun[key] = [*self._recent(key, now), now]
                self._begun.move_to_end(key)
            while len(self._begun) > _KEPT:
                self._begun.popitem(last=False)
        if not self._places.acquire(timeout=_PATIENCE):
            raise TooMany("SIGN_IN_RATE", "Too many people sign in at this moment; try again.", retry_after=2)
        try:
            yield lambda: self._forgive([key for key, _ in keys], now)
        finally:
            self._places.release()

    def _recent(self, key: tuple[str, ...], now: float) -> list[float]:
        return [at for at in self._begun.get(key, ()) if now - at < SECONDS]

    def _forgive(self, keys: list[tuple[str, ...]], now: float) -> None:
        with self._lock:
            for key in keys:
                if now in (begun := self._begun.get(key, [])):
                    begun.remove(now)
