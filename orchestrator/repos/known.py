"""What never changes about repos, remembered: a commit's id names the same files for ever. Saves processes of git when a client
fetches the files of one revision one by one. Bounded, and of one process of ours."""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Any

LIMIT = 50_000  #: facts


class Known:
    """The facts that were asked for last."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._facts: OrderedDict[Hashable, Any] = OrderedDict()
        self._limit = limit
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Any:
        with self._lock:
            if key in self._facts:
                self._facts.move_to_end(key)
            return self._facts.get(key)

    def put(self, facts: Iterable[tuple[Hashable, Any]]) -> None:
        with self._lock:
            for key, fact in facts:
                self._facts[key] = fact
                self._facts.move_to_end(key)
            while len(self._facts) > self._limit:
                self._facts.popitem(last=False)
