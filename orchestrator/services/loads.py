"""What apps take of their hardware, for their owners: asks the runtime once a minute while something runs, keeps minutes for a
day and hours for a hundred days. Nothing that sleeps is asked about, and where nothing runs nothing is done."""

import math
import threading
import time

from orchestrator.domain.caller import Caller, require
from orchestrator.domain.load import HOUR, MINUTE, Load, Span, joined, together
from orchestrator.domain.records import Space
from orchestrator.domain.seen import InstanceState
from orchestrator.domain.space import Role
from orchestrator.errors import Unavailable
from orchestrator.ports import Runtime, Store
from orchestrator.services.loop import Loop

EVERY = 60.0
FRESH = 5.0  #: seconds for which what was asked is told again, to however many watch
MINUTES_KEPT, HOURS_KEPT = 25 * 3600.0, 100 * 86400.0
#: days -> seconds of one point of a chart
STEPS = {1: 900.0, 7: 7200.0, 30: 28800.0, 90: 86400.0}


class Loads:
    """`loop` keeps what is taken."""

    def __init__(self, store: Store, runtime: Runtime, clock=time.time) -> None:
        self._store, self._runtime, self._clock = store, runtime, clock
        self._lock = threading.Lock()
        self._asked, self._found = -math.inf, {}
        self._hour = -1
        self.told = True  #: whether the runtime could tell when it was last asked
        self.loop = Loop("loads", EVERY, self.sample, first=EVERY)

    def sample(self) -> None:
        """One round. Raises Unavailable."""
        with self._lock:
            found, now = self._ask(), self._clock()
        hour = int(now // HOUR)
        if not found and hour == self._hour:
            return
        with self._store.write() as tx:
            tx.loads.put(now, found)
            if hour != self._hour:  # at the first round, all that an earlier process may have left
                tx.loads.roll(now - (2 * HOUR if self._hour >= 0 else MINUTES_KEPT), now)
                tx.loads.drop_before(now - MINUTES_KEPT, now - HOURS_KEPT)
        self._hour = hour

    def _ask(self) -> dict[str, Load]:
        """By Space, of all that run."""
        running = {i.id: i.space_id for i in self._runtime.list() if i.state is not InstanceState.EXITED}
        loads = self._runtime.loads() if running else {}
        self.told = loads is not None
        by_space: dict[str, list[Load]] = {}
        for instance, load in (loads or {}).items():
            if instance in running:
                by_space.setdefault(running[instance], []).append(load)
        found = {space_id: together(some) for space_id, some in by_space.items()}
        self._asked, self._found = time.monotonic(), found
        return found

    def now(self, space: Space) -> Load | None:
        """What it takes now, some seconds old at most; None: it does not run, or nobody can tell."""
        with self._lock:
            if time.monotonic() - self._asked > FRESH:
                try:
                    self._ask()
                except Unavailable:
                    self._asked, self._found = time.monotonic(), {}
        return self._found.get(space.id)

    def of_space(self, caller: Caller, space: Space, days: int) -> list[Span]:
        """The last days, in equal steps, oldest first; empty where it did not run. Raises Forbidden, NotFound."""
        require(caller, space, Role.WRITE)
        now, step = self._clock(), STEPS[days]
        end = (now // step + 1) * step
        begin = end - days * 86400.0
        with self._store.read() as tx:
            if days == 1:
                spans = tx.loads.of(space.id, MINUTE, begin, end)
            else:  # the running hour is not rolled up yet
                spans = tx.loads.of(space.id, HOUR, begin, now - now % HOUR)
                spans += tx.loads.of(space.id, MINUTE, now - now % HOUR, end)
        return joined(spans, begin, step, round((end - begin) / step))
