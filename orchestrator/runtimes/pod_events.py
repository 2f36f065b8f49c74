"""What a cluster says about the pods of a Space, as its people read it: events, followed only while somebody looks at them. A
cluster keeps them for about an hour, so what became of an instance is also kept elsewhere (`domain/runs.py`)."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from orchestrator.domain.seen import Event
from orchestrator.errors import Unavailable
from orchestrator.runtimes.pod_facts import time_of
from orchestrator.runtimes.watch import Mirror

LIMIT = 200  #: events told at once
KINDS = {"fieldSelector": "involvedObject.kind=Pod"}
_FIRST = 5.0  #: seconds that the first list may take
_UNSEEN = 20.0  #: seconds after which nobody looks any more


class Told:
    """All events of a namespace's pods. `make` gives a mirror of them that has not been started."""

    def __init__(self, make: Callable[[], Mirror]) -> None:
        self._make, self._mirror, self._looked = make, None, 0.0
        self._lock = threading.Lock()

    def items(self) -> Iterable[Mapping]:
        """From memory; the first look in a while waits for the cluster. Raises Unavailable."""
        with self._lock:
            self._looked = time.monotonic()
            if self._mirror is None:
                self._mirror = self._make()
                self._mirror.start()
            mirror = self._mirror
        if not mirror.wait(_FIRST):
            raise Unavailable("Kubernetes does not answer")
        return mirror.items.values()

    def rest(self, unseen: float = _UNSEEN) -> None:
        """Follow them no more when nobody has looked for a while. To be called now and then."""
        with self._lock:
            if self._mirror is not None and time.monotonic() - self._looked >= unseen:
                self._mirror.close()
                self._mirror = None


def events(told: Iterable[Mapping], space_id: str) -> Sequence[Event]:
    """Newest first: those of the Space's pods, of what is there and of what was."""
    own = (one for one in told if _pod(one).startswith(_prefix(space_id)))
    return sorted(map(read, own), key=lambda one: one.at, reverse=True)[:LIMIT]


def read(one: Mapping) -> Event:
    """Of one of Kubernetes' own: older ones count by themselves, newer ones in a series."""
    series = one.get("series") or {}
    times = (
        series.get("lastObservedTime"),
        one.get("lastTimestamp"),
        one.get("eventTime"),
        one["metadata"].get("creationTimestamp"),
    )
    return Event(
        next((at for at in map(time_of, filter(None, times)) if at), 0.0),
        str(one.get("reason") or "")[:80],
        str(one.get("message") or "")[:2000],
        one.get("type") == "Warning",
        max(int(series.get("count") or 0), int(one.get("count") or 0), 1),
        "-".join(_pod(one).split("-")[:3]),
    )


def _pod(one: Mapping) -> str:
    return str((one.get("involvedObject") or {}).get("name") or "")


def _prefix(space_id: str) -> str:
    """How the names of all its instances begin (`domain/keys.py`), and with them those of its pods."""
    return f"s-{space_id}-"
