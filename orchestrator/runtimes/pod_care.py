"""What somebody must do for pods all the time: see whether they answer, follow their logs, end what has drained, give up what is
stuck. Of several control planes on one data directory one does it, whoever holds the lock; what it learns is written on the
Deployment, where all of them read it. Does not decide when to launch or stop; how logs are read is `pod_logs.py`'s."""

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from orchestrator.domain.seen import InstanceState
from orchestrator.errors import Unavailable
from orchestrator.runtimes import look, manifests, pods, standing
from orchestrator.runtimes import pod_facts as facts
from orchestrator.runtimes.cases import Case, Cases
from orchestrator.runtimes.container import Note
from orchestrator.runtimes.kubernetes_api import Cluster
from orchestrator.runtimes.pod_logs import PodLogs

log = logging.getLogger("podium.kubernetes")
_TICK = 1.0  #: seconds between rounds that nobody rang for
_SWEEP = 600.0  #: seconds between looks for what nobody owns
_PULL = 20.0  #: seconds that a pod may fail to get its image
_STUCK = 30.0  #: seconds beyond its grace after which a pod on a silent node is taken for dead
_LATELY, _LONGEST_PAUSE = 600.0, 300.0  #: seconds that count, and seconds until a replica that ended is replaced
_SILENT = 3  #: probes without an answer until an app on a silent node is taken for lost


class Care:
    """`keep` puts a changed Deployment among what is known."""

    def __init__(
        self, cluster: Cluster, owner: str, lock: Path, logs: Path, log_limit: int,
        cases: Cases, keep: Callable[[dict], None],
    ) -> None:  # fmt: skip
        self._cluster, self._owner, self._cases, self._keep = cluster, owner, cases, keep
        self._lock_file = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._held = False
        self._closed, self._rung = threading.Event(), threading.Event()
        self._logs = PodLogs(cluster, logs, log_limit, cases.objects, self.ring)
        self._rested: dict[str, Case] = {}  #: what was at rest when it was last cared for
        self._probing: set[str] = set()
        self._noting = tuple(threading.Lock() for _ in range(16))  #: replicas of one instance are noted in one place
        self._ended: dict[str, float] = {}  #: replicas that are to be replaced, by uid: when
        self._ends: dict[str, list[float]] = {}  #: when replicas of an instance ended lately
        self._swept = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="pods", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ring(self) -> None:
        """Something may be to be done."""
        self._rung.set()

    def close(self) -> None:
        self._closed.set()
        self._rung.set()
        self._logs.close()
        self._thread.join(2.0)
        fcntl.flock(self._lock_file, fcntl.LOCK_UN)

    # -- the rounds

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                if self._leads():
                    self._round()
            except Unavailable:
                self._closed.wait(_TICK)
            except Exception:
                log.exception("a round of care failed")
            self._rung.wait(_TICK)
            self._rung.clear()

    def _leads(self) -> bool:
        if not self._held:
            with suppress(OSError):
                fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._held, self._logs.since = True, time.time()
        return self._held

    def _round(self) -> None:
        cases, now = self._cases(), time.time()
        for name, case in cases.items():
            if self._rested.get(name) is not case:
                self._care_for(case, now)
        self._rested = {name: case for name, case in cases.items() if self._rested.get(name) is case or case.at_rest}
        there = {pod["metadata"]["uid"] for case in cases.values() for pod in case.pods}
        self._ended = {uid: due for uid, due in self._ended.items() if uid in there}
        self._ends = {name: times for name, times in self._ends.items() if name in cases}
        self._logs.tick(there)
        if time.monotonic() - self._swept > _SWEEP:
            self._swept = time.monotonic()
            self._sweep(cases, now)

    def _care_for(self, case: Case, now: float) -> None:
        own = case.standing
        for pod in case.pods:
            if any(pod is one for one in own) or not pod["metadata"].get("deletionTimestamp"):
                self._logs.follow(case.note, case.deployment, pod)
                self._probe(case, pod)
        if own:
            self._give_up(case, own[0], now)
        self._finish(case, now)

    # -- what is to end

    def _finish(self, case: Case, now: float) -> None:
        """End what has drained, and what only a kubelet keeps from being gone: one that is silent, or one that takes up to ten
        seconds to clean up after containers that have ended. A pod that writes to a volume is left to it."""
        about = case.deployment["metadata"]
        if not about.get("deletionTimestamp"):
            if case.seen.state is InstanceState.READY:
                self._replace(case, now)
            if case.seen.state is not InstanceState.STOPPING:
                self._shrink(case, now)
            elif not case.seen.draining or not any(facts.alive(pod) for pod in case.pods):
                self._keep(self._cluster.delete("deployments", about["name"], about["uid"], wait=True))
            return
        for pod in case.pods:
            over = facts.time_of(pod["metadata"].get("deletionTimestamp", ""))  # its grace
            dead = facts.stopped(pod) or (now > over + _STUCK and facts.on_lost_node(pod))
            if over and dead and not facts.volume(pod):
                self._cluster.delete("pods", pod["metadata"]["name"], pod["metadata"]["uid"], grace=0)

    def _replace(self, case: Case, now: float) -> None:
        """Have another pod in the place of a replica whose app has ended while others answer, the later the more of them ended
        lately: by itself a kubelet would run the app again as it was, with the files that it left."""
        for pod in case.pods:
            about = pod["metadata"]
            if about.get("deletionTimestamp") or not pods.ended([pod], case.note):
                continue
            if about["uid"] not in self._ended:
                lately = [at for at in self._ends.get(case.note.id, ()) if at > now - _LATELY]
                self._ends[case.note.id] = [*lately, now]
                self._ended[about["uid"]] = now + min(_LONGEST_PAUSE, 2.0 ** (len(lately) + 1))
            if now >= self._ended[about["uid"]]:
                self._cluster.delete("pods", about["name"], about["uid"], grace=0)

    def _shrink(self, case: Case, now: float) -> None:
        """Take away the replicas that are too many once they have drained, and no others: left to itself the cluster would
        choose. What it makes in their place before it hears of the number is not running yet, so it goes first."""
        less = standing.shrinking(case.deployment)
        if less is None or now < less[1]:
            return
        kept = {pod["metadata"]["uid"] for pod in case.standing}
        for about in [pod["metadata"] for pod in case.pods]:
            if about["uid"] not in kept and not about.get("deletionTimestamp"):
                self._cluster.delete("pods", about["name"], about["uid"])
        with suppress(LookupError):
            self._keep(self._cluster.patch("deployments", case.note.id, manifests.replicas(less[0])))

    def _give_up(self, case: Case, pod: Mapping, now: float) -> None:
        """Take away what cannot get its image, as if it had never been launched: whoever wants it sees whether there is such an
        image still, and launches it again. A kubelet would wait for up to five minutes, and cannot build one."""
        made, about = facts.time_of(pod["metadata"]["creationTimestamp"]), case.deployment["metadata"]
        if case.seen.state is InstanceState.STARTING and now > made + _PULL and facts.cannot_pull(pod):
            self._keep(self._cluster.delete("deployments", about["name"], about["uid"], wait=True))

    def _sweep(self, cases: Mapping[str, Case], now: float) -> None:
        """Secrets whose Deployment was never made, because a control plane died in between."""
        chosen = {"labelSelector": f"{manifests.OWNER}={self._owner}"}
        more = ""
        while True:
            page = self._cluster.page("secrets", chosen, more)
            for one in page.get("items") or ():
                about = one["metadata"]
                old = now > facts.time_of(about["creationTimestamp"]) + _SWEEP
                case = cases.get((about.get("labels") or {}).get(manifests.INSTANCE, ""))
                if not old or about.get("ownerReferences"):
                    continue
                if case and manifests.secret_of(case.deployment) == about["name"]:
                    self._cluster.patch("secrets", about["name"], manifests.owned_by(case.deployment))
                else:
                    self._cluster.delete("secrets", about["name"], about["uid"])
            more = page["metadata"].get("continue", "")
            if not more:
                return

    # -- does it answer?

    def _probe(self, case: Case, pod: Mapping) -> None:
        uid = pod["metadata"]["uid"]
        if case.unproven(pod) and uid not in self._probing and facts.running(pod) and facts.address_of(pod, case.note):
            self._probing.add(uid)
            name = f"look-{case.note.id}"
            threading.Thread(target=self._ask, args=(case.note.id, uid), name=name, daemon=True).start()

    def _ask(self, instance_id: str, uid: str) -> None:
        """Until it answers, or need not any more."""
        pause, asked, silent = 0.03, 0, 0
        try:
            while not self._closed.wait(pause):
                case = self._cases().get(instance_id)
                pod = case.named(uid) if case else None
                if case is None or pod is None or facts.over(pod) or not facts.running(pod) or not case.unproven(pod):
                    return
                lost, told = facts.on_lost_node(pod), standing.told_of(case.deployment, pod)
                if pod["metadata"].get("deletionTimestamp") and not told:
                    return
                host, _, port = facts.address_of(pod, case.note).rpartition(":")
                ready, reason = look.answer(host.strip("[]"), int(port), case.note.ready_path)
                asked, silent = asked + 1, 0 if ready else silent + 1
                if ready or (told.get("ready_at") and lost and silent >= _SILENT):
                    self._note(case, pod, _answered(told, ready))
                elif (
                    any(pod is one for one in case.standing)
                    and not told.get("ready_at")
                    and (reason or asked * pause > 3.0)
                ):
                    self._note(case, pod, self._in_the_way(uid, reason, case.note, asked))
                pause = min(1.0 if lost else 0.25, pause * 1.1)
        finally:
            self._probing.discard(uid)

    def _in_the_way(self, uid: str, reason: str, note: Note, asked: int) -> dict:
        """What keeps it from being ready: the launcher knows better, if there is one."""
        told = self._logs.said(uid)
        if told.get("state") == "ready" and asked > 20:
            return {
                "reason": f"the app answers on port {note.port}, but Podium cannot reach it: is a network policy in the way?"
            }
        kept = {name: told[name] for name in ("reason", "listening_elsewhere", "port") if told.get(name)}
        return kept or ({"reason": reason} if reason else {})

    def _note(self, case: Case, pod: Mapping, found: dict) -> None:
        """Write it down unless it is written there. What cannot be written now is seen again."""
        with self._noting[hash(case.note.id) % len(self._noting)]:
            now = self._cases().get(case.note.id) or case
            noted = standing.noting(now.deployment, now.pods, pod, found)
            if noted is not None:
                with suppress(Unavailable, LookupError, FileExistsError):
                    self._keep(self._cluster.patch("deployments", case.note.id, manifests.seen_of(noted)))


def _answered(told: Mapping, ready: bool) -> dict:
    found = {"ready_at": told.get("ready_at") or round(time.time(), 3)}
    return found if ready else found | {"silent": True}
