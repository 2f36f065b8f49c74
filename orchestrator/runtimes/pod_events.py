"""What a cluster says about the pods of a Space, as its people read it: events. Pure but for one question per pod. A cluster
keeps them for about an hour, so what became of an instance is also kept elsewhere (`domain/runs.py`)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from orchestrator.domain.seen import Event
from orchestrator.runtimes.pod_facts import time_of

LIMIT = 200  #: events told at once
_ASKED = 20  #: pods that are asked about


class Source(Protocol):
    def page(self, kind: str, selectors: Mapping[str, str], more: str = "") -> dict: ...


def events(source: Source, space_id: str, pods: Iterable[str], warnings: Iterable[Mapping]) -> Sequence[Event]:
    """Newest first: all of the `pods` (by name) that are there, and the `warnings` about others of the Space that were. Raises
    Unavailable."""
    found = {one["metadata"]["uid"]: one for one in warnings if _pod(one).startswith(_prefix(space_id))}
    for name in list(pods)[:_ASKED]:
        about = {"fieldSelector": f"involvedObject.kind=Pod,involvedObject.name={name}"}
        found.update((one["metadata"]["uid"], one) for one in source.page("events", about).get("items") or ())
    told = sorted(map(read, found.values()), key=lambda one: one.at, reverse=True)
    return told[:LIMIT]


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
