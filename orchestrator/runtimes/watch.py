"""Local copies of what a cluster has, kept by listing once and then watching. Owns the thread of one kind of object, and what
becomes of it when the server forgets (410), hangs, resets, repeats itself or talks nonsense: the copy stays as it is, its age
grows, and the next list makes it right. Knows no pod and no Space."""

import json
import logging
import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from orchestrator.errors import Unavailable
from orchestrator.runtimes.kubernetes_api import Gone, Refused

log = logging.getLogger("podium.kubernetes")
_BACK_OFF = (0.25, 15.0)  #: seconds, the first pause and the longest
_REFUSED = 120.0  #: seconds until what was refused is asked for again
_RELIST = 600.0  #: seconds after which everything is listed again even if all seems well
_TOMBS = 1000


class Source(Protocol):
    def page(self, kind: str, selectors: Mapping[str, str], more: str = "") -> dict: ...

    def watch(self, kind: str, selectors: Mapping[str, str], version: str, seconds: float) -> Iterator[list[bytes]]: ...


class _Broken(Exception):
    """The stream cannot be trusted any more; `forget`: nor what it said before."""

    def __init__(self, why: str, forget: bool = False) -> None:
        super().__init__(why)
        self.forget = forget


class Mirror:
    """All objects of a kind, by name. `changed` is called after changes, from the mirror's thread, and must be quick. `length`:
    seconds that one watch lasts, which bounds how long a dead connection can pass for a quiet one."""

    def __init__(
        self, source: Source, kind: str, selectors: Mapping[str, str], changed: Callable[[], None], length: float = 45.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.kind = kind
        self._source, self._selectors, self._changed = source, selectors, changed
        self._length, self._clock = length, clock
        self._items: dict[str, dict] = {}
        self._tombs: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()
        self._synced, self._closed = threading.Event(), threading.Event()
        self._heard = self._listed = clock()
        self._version = ""
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name=f"watch-{kind}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """The thread ends by itself, at the latest when its stream does."""
        self._closed.set()

    @property
    def items(self) -> Mapping[str, dict]:
        """A copy that no thread changes."""
        return self._items

    @property
    def age(self) -> float:
        """Seconds for which nothing has been heard; infinite before the first list."""
        return self._clock() - self._heard if self._synced.is_set() else float("inf")

    def wait(self, timeout: float) -> bool:
        """Whether there is a first list by then."""
        return self._synced.wait(timeout)

    def put(self, found: dict) -> None:
        """Something newer than what is here, from the answer to a request."""
        with self._lock:
            about = found["metadata"]
            if about["uid"] not in self._tombs and _newer(found, self._items.get(about["name"])):
                self._items = {**self._items, about["name"]: found}

    # -- the loop

    def _run(self) -> None:
        while not self._closed.is_set():
            pause, began = 0.0, self._clock()
            try:
                if not self._version or self._clock() - self._listed > _RELIST:
                    self._list()
                self._watch()
                pause = max(0.0, 1.0 - (self._clock() - began))  # a server that closes at once is not asked at once
            except Gone:
                self._version = ""
                pause = self._pause() if self._failures else 0.0
                self._failures += 1
            except Refused as error:
                log.warning("watching %s: %s", self.kind, error)
                pause = _REFUSED * (0.5 + random.random())
            except (Unavailable, LookupError, FileExistsError) as error:
                if self._closed.is_set():
                    return
                self._say(error)
                pause = self._pause()
            except _Broken as error:
                self._say(error)
                self._version = "" if error.forget else self._version
                pause = self._pause()
            except Exception:
                log.exception("watching %s", self.kind)
                self._version, pause = "", self._pause()
            self._closed.wait(pause)

    def _say(self, error: Exception) -> None:
        """Of a row of failures only the first is news."""
        log.log(logging.DEBUG if self._failures else logging.INFO, "watching %s: %s", self.kind, error)

    def _pause(self) -> float:
        pause = min(_BACK_OFF[1], _BACK_OFF[0] * 2**self._failures)
        self._failures = min(self._failures + 1, 10)
        return pause * (0.5 + random.random())

    def _list(self) -> None:
        found, more = {}, ""
        while True:
            page = self._source.page(self.kind, self._selectors, more)
            try:
                found.update((one["metadata"]["name"], one) for one in page.get("items") or () if _named(one))
                version, more = page["metadata"]["resourceVersion"], page["metadata"].get("continue", "")
            except (AttributeError, KeyError, TypeError):
                raise _Broken("the list cannot be read", forget=True) from None
            if not more:
                break
        with self._lock:
            self._items = found
            self._tombs.clear()
        self._version = version
        self._heard = self._listed = self._clock()
        self._synced.set()
        self._tell()

    def _watch(self) -> None:
        until = self._clock() + self._length + 10.0
        for lines in self._source.watch(self.kind, self._selectors, self._version, self._length):
            for line in lines:
                if self._closed.is_set():
                    return
                if line.strip():
                    self._take(line)
                    self._failures = 0
            if self._clock() > until:
                raise _Broken("the server does not end a watch")
        self._heard = self._clock()
        self._failures = 0

    def _take(self, line: bytes) -> None:
        try:
            event = json.loads(line)
            kind, found = event["type"], event["object"]
            if kind == "ERROR":
                if found.get("code") == 410:
                    raise Gone
                raise _Broken(f"the server says {str(found.get('message'))[:200]}")
            version = found["metadata"]["resourceVersion"]
            if kind != "BOOKMARK" and not _named(found):
                raise KeyError("name")
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
            raise _Broken("the server talks nonsense", forget=True) from None
        self._heard = self._clock()
        self._version = version
        if kind == "BOOKMARK":
            return
        with self._lock:
            self._apply(kind, found)
        self._tell()

    def _apply(self, kind: str, found: dict) -> None:
        name, uid = found["metadata"]["name"], found["metadata"]["uid"]
        here = self._items.get(name)
        if kind == "DELETED":
            self._tombs[uid] = None
            while len(self._tombs) > _TOMBS:
                self._tombs.popitem(last=False)
            if here and here["metadata"]["uid"] == uid:
                self._items = {key: one for key, one in self._items.items() if key != name}
        elif uid not in self._tombs and _newer(found, here):
            self._items = {**self._items, name: found}

    def _tell(self) -> None:
        try:
            self._changed()
        except Exception:
            log.exception("telling of %s", self.kind)


def _named(one: dict) -> bool:
    return isinstance(one["metadata"]["name"], str) and isinstance(one["metadata"]["uid"], str)


def _newer(found: dict, here: dict | None) -> bool:
    """Whether `found` may replace `here`. Versions of one object are numbers that grow, with every storage Kubernetes has."""
    if here is None or here["metadata"]["uid"] != found["metadata"]["uid"]:
        return True
    try:
        return int(found["metadata"]["resourceVersion"]) >= int(here["metadata"]["resourceVersion"])
    except ValueError:
        return True
