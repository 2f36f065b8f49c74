"""What the gateways know: one route per Space, as a snapshot and then changes. The message format is documented in
gateway/feed.py, which reads it."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from orchestrator.domain.decide import RouteState
from orchestrator.domain.parts import Heard
from orchestrator.domain.progress import Step, steps
from orchestrator.domain.records import Space
from orchestrator.ports import Bell, Store

PING_EVERY = 5.0
POLL_EVERY = 2.0  #: how late a change that rang no bell here, as a command line makes it, may be noticed
PAGE = 1000  #: changes read at once
PAST = 10  #: builds and runs looked at for what is usual

_Change = tuple[str, str, dict[str, Any] | None]  #: Space id, label, route; no route when it is being deleted


def route(space: Space, way: Iterable[Step] = ()) -> dict[str, Any]:
    """The route of a Space, JSON-safe; `way`: how far it is, where somebody may wait for that. Pure."""
    image = space.image
    several = {"addresses": list(space.addresses)} if len(space.addresses) > 1 else {}
    return several | {
        "label": space.label,
        "space": space.id,
        "id": space.full_name,
        "state": space.route.value,
        "address": space.address,
        "instance": space.instance,
        "private": space.private,
        "epoch": space.access_epoch,
        "stage": space.stage.value,
        "reason": space.reason,
        "since": space.stage_since,
        "deadline": space.deadline,
        "headers": image.headers if image else {},
        "embed": image.embeddable if image else True,
        "title": str(space.card.get("title") or space.name),
        # Whoever runs a domain's DNS can read its visitors' cookies, so nobody is let into what is private there.
        "hosts": [] if space.private else list(space.hosts),
        "ancestors": None if space.embed_origins is None else list(space.embed_origins),
        "steps": [[one.words, one.state, one.took, one.since, one.usual] for one in way],
    }


@dataclass(eq=False, slots=True)
class _Listener:
    """A gateway that is told routes. `sequence`: of the last change that it took all of."""

    name: str
    version: str
    since: float = field(default_factory=time.time)
    at: float = 0.0
    sequence: int = 0

    def took(self, sequence: int) -> None:
        """It came back for more, so that it has what it was told."""
        self.at, self.sequence = time.time(), sequence


class RouteFeed:
    def __init__(self, store: Store, bell: Bell, keys: dict[str, str]) -> None:
        self._store = store
        self._bell = bell
        self._keys = keys
        self._listeners: set[_Listener] = set()

    def listening(self) -> list[Heard]:
        """The gateways that are told now."""
        found = [Heard(f"gateway {one.name}", "gateway", one.version, one.since, one.at or one.since, {"sequence": one.sequence})
                 for one in list(self._listeners)]  # fmt: skip
        return sorted(
            {one.name: one for one in sorted(found, key=lambda one: one.at)}.values(), key=lambda one: one.name
        )

    @contextmanager
    def _listener(self, name: str, version: str):
        one = _Listener(name, version)
        self._listeners.add(one)
        try:
            yield one
        finally:
            self._listeners.discard(one)

    async def messages(self, name: str = "", version: str = "") -> AsyncIterator[dict[str, Any]]:
        """Endless: reset, keys, every route, synced; then changes as they come, and a ping every few seconds. `name`, `version`:
        of the gateway that listens. Raises Unavailable, before the first message where the database is away from the start."""
        labels: dict[str, str] = {}  # space id -> label told to this gateway
        seen, quiet = 0, 0.0
        with self._bell.hearing("routes") as rung, self._listener(name, version) as listener:
            look = await asyncio.to_thread(self._changes, seen, frozenset())
            yield {"reset": True}
            yield {"keys": self._keys}
            synced = False
            while True:
                changed, forgotten, upto = look or await asyncio.to_thread(self._changes, seen, frozenset(labels))
                look = None
                moved, seen = upto != seen, upto
                for space_id, label, message in changed:
                    known = labels.pop(space_id, None)
                    if known and known != label:
                        yield {"drop": known}
                    if message is not None:
                        labels[space_id] = label
                        yield {"put": message}
                for space_id in forgotten:
                    yield {"drop": labels.pop(space_id)}
                if moved:
                    continue
                if not synced:
                    synced = True
                    yield {"synced": True}
                listener.took(seen)
                if not await rung(POLL_EVERY):
                    quiet += POLL_EVERY
                    if quiet >= PING_EVERY:
                        quiet = 0.0
                        yield {"ping": 1}

    def _changes(self, after: int, known: frozenset[str]) -> tuple[list[_Change], list[str], int]:
        """What changed since number `after`, which of the `known` Spaces are gone (one may be deleted and forgotten
        between two looks; told with the last page, since it takes reading every id), and the number that this reaches to."""
        with self._store.read() as tx:
            last = tx.spaces.route_seq()
            spaces = list(tx.spaces.route_changes(after, PAGE)) if last > after else []
            more = len(spaces) >= PAGE and spaces[-1].route_seq < last
            last = spaces[-1].route_seq if more else last
            gone = sorted(known - tx.spaces.ids()) if last > after and not more else []
            told = [(s.id, s.label, None if s.wish.deleted else route(s, _way(tx, s))) for s in spaces]
        return told, gone, last


def _way(tx, space: Space) -> tuple[Step, ...]:
    """How far a Space is that is waited for."""
    if space.route is not RouteState.WAIT:
        return ()
    return steps(space, tx.builds.of(space.id, PAST), tx.runs.of(space.id, PAST))
