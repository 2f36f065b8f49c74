"""Rings between threads of one process: shortens waits, is never needed for correctness (ports.Bell)."""

import threading
from collections import defaultdict
from collections.abc import Callable


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

    def subscribe(self, topic: str, call: Callable[[], None]) -> Callable[[], None]:
        with self._condition:
            self._calls[topic].append(call)

        def unsubscribe() -> None:
            with self._condition:
                if call in self._calls[topic]:
                    self._calls[topic].remove(call)

        return unsubscribe
