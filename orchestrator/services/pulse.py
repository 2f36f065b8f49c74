"""A process of Podium tells the others that it lives, by a row in the database that it renews."""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from orchestrator.domain.parts import Heard
from orchestrator.errors import Unavailable
from orchestrator.ports import Store
from orchestrator.services.loop import Loop

EVERY = 60.0  #: seconds
FORGOTTEN = 3600.0  #: seconds after which one that was not heard of is not spoken of any more


class Pulse:
    """`others()`: of whom this process hears, and who do not reach the database themselves."""

    def __init__(
        self,
        store: Store,
        kind: str,
        name: str,
        version: str,
        others: Callable[[], Iterable[Heard]] = tuple,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._others, self._clock = store, others, clock
        self._me = Heard(f"{kind} {name}", kind, version, clock(), clock())
        self._loop = Loop("pulse", EVERY, self.tell)

    def me(self) -> Heard:
        return replace(self._me, at=self._clock())

    def start(self) -> None:
        self._loop.start()

    def stop(self) -> None:
        self._loop.stop()
        try:
            with self._store.write() as tx:
                tx.figures.leave(self._me.name)
        except Unavailable:
            pass  # it is forgotten after a while

    def tell(self) -> None:
        """One round. Raises Unavailable."""
        found = sorted([self.me(), *self._others()], key=lambda one: one.name)
        with self._store.write() as tx:
            for one in found:
                tx.figures.hear(one)
            tx.figures.forget_before(self._clock() - FORGOTTEN)
