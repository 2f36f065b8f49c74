"""What the nodes have, who uses it and who waits: the runtime's view and the queue in the database, put together."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence

from orchestrator.domain.hardware import Hardware
from orchestrator.domain.records import Space
from orchestrator.domain.room import Waiting, in_order, most_replicas, never_fits, room
from orchestrator.domain.seen import NodeSeen, Room
from orchestrator.errors import Unavailable
from orchestrator.ports import Runtime, Store

log = logging.getLogger(__name__)
FRESH = 1.0  #: seconds that one look at the nodes is good for, where nothing is launched in between


class Capacity:
    def __init__(self, store: Store, runtime: Runtime, flavors: Mapping[str, Hardware], clock=time.time) -> None:
        self._store, self._runtime, self._flavors, self._clock = store, runtime, flavors, clock
        self._lock = threading.Lock()
        self._seen: tuple[float, Sequence[NodeSeen]] = (0.0, ())

    def nodes(self, fresh: bool = False) -> Sequence[NodeSeen]:
        """What the runtime tells; () while it cannot."""
        with self._lock:
            at, nodes = self._seen
            if fresh or not 0 <= time.monotonic() - at < FRESH or not at:
                try:
                    nodes = tuple(self._runtime.capacity())
                except Unavailable as error:
                    log.warning("capacity: %s", error)
                    nodes = ()
                self._seen = time.monotonic(), nodes
            return nodes

    def queue(self) -> list[Waiting]:
        """Who waits or has a place kept, in order."""
        with self._store.read() as tx:
            rows = tx.spaces.queue()
        known = (row for row in rows if row[1] in self._flavors)
        return in_order(Waiting(i, self._flavors[name], since, count) for i, name, since, count in known)

    def room(self, space: Space, hardware: Hardware) -> Room | None:
        """Whether the Space can have this hardware now; None when it is not counted."""
        if not hardware.count or hardware.elastic:
            return None
        since = self._clock() if space.queued_at is None else space.queued_at
        return room(space.id, hardware, self.nodes(fresh=True), self.queue(), since, space.wish.replicas)

    def never_fits(self, hardware: Hardware) -> str:
        return never_fits(hardware, self.nodes())

    def most_replicas(self, hardware: Hardware) -> int | None:
        return most_replicas(hardware, self.nodes())
