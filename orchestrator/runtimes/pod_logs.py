"""The logs of all pods, each followed into the log of its instance by a thread of its own; replicas share one, and each line says
whose it is. Owns which pods are followed and from where on; what is read is `pod_log.py`'s, how it is written `follow.py`'s."""

import threading
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path

from orchestrator.runtimes import pod_facts as facts
from orchestrator.runtimes import pods, standing
from orchestrator.runtimes.container import Note
from orchestrator.runtimes.follow import Follower, last_time
from orchestrator.runtimes.kubernetes_api import Cluster
from orchestrator.runtimes.pod_log import PodLog, StampedLog, lines_of, mark_of

_SKEW = 5.0  #: seconds by which clocks may differ

#: An instance's Deployment, None when it is gone, and its pods, as they are in memory now.
Objects = Callable[[str], tuple[Mapping | None, Sequence[Mapping]]]


class PodLogs:
    """`directory`: of the logs, each cut at `limit` bytes. `ring` is called when a launcher has said something."""

    def __init__(
        self, cluster: Cluster, directory: Path, limit: int, objects: Objects, ring: Callable[[], None]
    ) -> None:
        self._cluster, self._directory, self._limit = cluster, directory, limit
        self._objects, self._ring = objects, ring
        self._closed = threading.Event()
        self._followers: dict[tuple[str, str], Follower] = {}  #: by instance and the pod's uid
        self._said: dict[str, dict] = {}  #: the launcher's last word, by the pod's uid
        self.since = 0.0  #: epoch seconds from which on nobody but us reads

    def said(self, uid: str) -> dict:
        """The last word of a pod's launcher, {} when it has said none."""
        return self._said.get(uid, {})

    def tick(self, there: Container[str]) -> None:
        """Show lines that wait for their end, and forget pods that are not `there` (uids). To be called now and then."""
        for key in [one for one in self._followers if one[1] not in there]:
            self._followers.pop(key).tick()
            self._said.pop(key[1], None)
        for follower in list(self._followers.values()):
            follower.tick()

    def close(self) -> None:
        self._closed.set()
        for follower in list(self._followers.values()):
            follower.close()

    def follow(self, note: Note, deployment: Mapping, pod: Mapping) -> None:
        """Once its container has begun; again is nothing."""
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        key = (note.id, uid)
        if key in self._followers or not facts.begun(pod):
            return
        path = self._directory / f"{note.id}.log"
        since = last_time(path, lines_of(name))
        if facts.begun_at(pod) > self.since + _SKEW:  # nobody can have read any of it
            since = 0.0
        elif since < 0:  # it has been read to its end, unless this is another pod
            if path.stat().st_mtime > facts.time_of(pod["metadata"]["creationTimestamp"]):
                return
            since = 0.0
        marked = standing.several(deployment)

        def mark() -> str:
            """As soon as there are several, until this is the only one left."""
            nonlocal marked
            here = self._objects(note.id)[0]
            marked = bool(here and standing.several(here)) or (marked and self._others_write(key))
            return mark_of(name) if marked else ""

        def now() -> Mapping | None:
            return next((one for one in self._objects(note.id)[1] if one["metadata"]["uid"] == uid), None)

        def running() -> bool:
            self._closed.wait(0.3)  # the kubelet needs a moment to tell
            return not self._closed.is_set() and facts.alive(now())

        def ending() -> str:
            told = self.said(uid).get("state") == "exited"
            if told or self._objects(note.id)[0] is None:
                return "" if told else "stopped"
            one = now()
            fault = pods.ended([one], note) if one else None
            return fault.message if fault else "stopped"

        def said(status: dict) -> None:
            self._said[uid] = status
            self._ring()

        log = StampedLog(str(path), self._limit, lambda: self._others_write(key), mark)
        opened = PodLog(self._cluster, name, log, said, lambda: facts.restarted(now()))
        self._followers[key] = Follower(path, self._limit, opened, running, ending, since, log)
        self._followers[key].start()

    def _others_write(self, key: tuple[str, str]) -> bool:
        """Whether the log goes on without this one."""
        return any(one[0] == key[0] and one != key and not f.heard for one, f in list(self._followers.items()))
