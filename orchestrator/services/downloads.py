"""Counts downloads: one for each repo and client within WINDOW, whatever is fetched. Counting touches memory only; every few
seconds what was counted is written, all at once. A crash loses these seconds, and nothing waits for a database that is away."""

import threading
import time

from orchestrator.ports import Store
from orchestrator.services.loop import Loop

COUNTS = 30  #: days for which a download counts
WINDOW = 600.0  #: seconds
EVERY = 10.0
_REMEMBERED = 200_000  #: pairs of repo and client; more of them end the window sooner
_KEPT = 50_000  #: repos with counts that could not be written yet
_AT_ONCE = 500
_DAY = 86400.0


class Downloads:
    """`loop` writes what was counted."""

    def __init__(self, store: Store, clock=time.time) -> None:
        self._store, self._clock = store, clock
        self._lock = threading.Lock()
        self._seen: tuple[set[int], set[int]] = (set(), set())  # in this half of the window, in the one before
        self._turned = clock()
        self._counts: dict[str, int] = {}
        self._aged = -1
        self.loop = Loop("downloads", _DAY / 4, self._round, first=_DAY / 4, rest=EVERY, again=EVERY, join=10.0)

    def note(self, repo_id: str, client: str) -> None:
        """Somebody fetches something. Never waits."""
        key, now = hash((repo_id, client)), self._clock()
        with self._lock:
            seen, before = self._seen
            if now - self._turned > WINDOW / 2 or len(seen) > _REMEMBERED:
                seen, before = self._seen = set(), seen if now - self._turned < WINDOW else set()
                self._turned = now
            if key in seen or key in before:
                return
            seen.add(key)
            if len(self._counts) < _KEPT or repo_id in self._counts:
                self._counts[repo_id] = self._counts.get(repo_id, 0) + 1
        self.loop.nudge()

    def _round(self) -> None:
        self.write()
        self._age_daily()

    def write(self) -> None:
        """Write what was counted. Raises Unavailable, and keeps it."""
        with self._lock:
            counts, self._counts = self._counts, {}
        names = sorted(counts)
        try:
            while names:
                some = {repo_id: counts[repo_id] for repo_id in names[:_AT_ONCE]}
                with self._store.write() as tx:
                    tx.downloads.add(int(self._clock() // _DAY), some)
                names = names[_AT_ONCE:]
        finally:
            if names:
                with self._lock:
                    for repo_id in names:
                        self._counts[repo_id] = self._counts.get(repo_id, 0) + counts[repo_id]

    def _age_daily(self) -> None:
        if (today := int(self._clock() // _DAY)) != self._aged:
            self._aged = today
            self.age()

    def age(self) -> None:
        """Take those that no longer count off. Cheap when there are none."""
        before = int(self._clock() // _DAY) - COUNTS + 1
        done = _AT_ONCE
        while done == _AT_ONCE:
            with self._store.write() as tx:
                done = tx.downloads.age(before, _AT_ONCE)
