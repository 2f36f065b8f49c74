"""Rings between threads of one process: shortens waits, is never needed for correctness (ports.Bell)."""

import asyncio
import functools
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager


class LocalBell:
    """`ring(topic)` wakes everybody who waits on the topic now or, if nobody does, the next `wait`."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._rung: dict[str, int] = defaultdict(int)
        self._heard: dict[tuple[str, int], int] = {}
        self._calls: dict[str, list[Callable[[], None]]] = defaultdict(list)

    def ring(self, topic: str) -> None:
        with self._condition:
            self._rung[topic] += 1
            calls = list(self._calls[topic])
            self._condition.notify_all()
        for call in calls:
            call()

    def wait(self, topic: str, timeout: float) -> bool:
        me = (topic, threading.get_ident())
        with self._condition:
            heard = self._heard.get(me, 0)
            rang = self._condition.wait_for(lambda: self._rung[topic] > heard, timeout)
            self._heard[me] = self._rung[topic]
            return rang

    @contextmanager
    def hearing(self, topic: str) -> Iterator[Callable[[float], Awaitable[bool]]]:
        """For coroutines: `await rung(timeout)` ends at once if the topic was rung since the last call, else at the next ring
        (True) or after `timeout` seconds (False)."""
        loop, heard = asyncio.get_running_loop(), asyncio.Event()
        call = functools.partial(loop.call_soon_threadsafe, heard.set)

        async def rung(timeout: float) -> bool:
            try:
                await asyncio.wait_for(heard.wait(), timeout)
            except TimeoutError:
                return False
            heard.clear()
            return True

        with self._condition:
            self._calls[topic].append(call)
        try:
            yield rung
        finally:
            with self._condition:
                self._calls[topic].remove(call)
