"""How many git processes serve the network at once, in all and for one user. Who finds no room waits a while for it: git gives up
at the first refusal, and `git submodule update --jobs`, or many builders with one token, are no abuse. Knows no git."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from orchestrator.errors import TooMany

PATIENCE = 60.0  #: seconds
_QUEUE = 8  #: as many times what may run may wait


class Slots:
    """For one event loop. `total` and `each` run, in all and of one user."""

    def __init__(self, total: int, each: int, patience: float = PATIENCE) -> None:
        self._total, self._each, self._patience = total, each, patience
        self._taken: Counter[str] = Counter()
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def take(self, who: str) -> AsyncIterator[None]:
        """Raises TooMany `GIT_BUSY` when there was no room for `patience` seconds, or too many wait already."""
        if self._room(who):
            self._taken[who] += 1
        else:
            await self._turn(who)
        try:
            yield
        finally:
            self._give(who)

    def _room(self, who: str) -> bool:
        return self._taken.total() < self._total and self._taken[who] < self._each

    async def _turn(self, who: str) -> None:
        queue = [one for one, _ in self._waiting]
        if len(queue) >= _QUEUE * self._total or queue.count(who) >= _QUEUE * self._each:
            raise self._busy()
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((who, turn))
        try:
            await asyncio.wait({turn}, timeout=self._patience)
        except asyncio.CancelledError:
            if turn.done():
                self._give(who)
            raise
        finally:
            self._waiting = [one for one in self._waiting if one[1] is not turn]
        if not turn.done():
            raise self._busy()

    def _give(self, who: str) -> None:
        self._taken[who] -= 1
        self._taken += Counter()  # forgets who has none
        for waiter, turn in self._waiting:
            if not turn.done() and self._room(waiter):
                self._taken[waiter] += 1
                turn.set_result(None)

    def _busy(self) -> TooMany:
        text = f"{self._total} git operations, or {self._each} of yours, are running; try again in a few seconds."
        return TooMany("GIT_BUSY", text, 5)
