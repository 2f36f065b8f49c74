"""The `Runtime` port on Kubernetes: each instance is a Deployment, each replica a pod of it.

Owns: launching, stopping and finding instances again, and telling who changed. What an instance is made of is in `manifests.py`,
what its state means in `pods.py`, how the cluster is followed in `watch.py`, what is done for pods meanwhile in
`pod_care.py`. Nothing is kept here that is not in the cluster: any control plane knows the same. Does not decide when to
launch or stop, and reads no setting."""

import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from orchestrator import failpoints
from orchestrator.domain.load import Load
from orchestrator.domain.seen import Event, Fault, InstanceSeen, InstanceState, NodeSeen
from orchestrator.errors import Unavailable
from orchestrator.ports import LaunchSpec
from orchestrator.runtimes import container, load, manifests, nodes, pod_events, standing
from orchestrator.runtimes.cases import Cases
from orchestrator.runtimes.kubernetes_api import Cluster, Refused
from orchestrator.runtimes.machine import Share
from orchestrator.runtimes.manifests import INSTANCE, OWNER, Options
from orchestrator.runtimes.news import News
from orchestrator.runtimes.pod_care import Care
from orchestrator.runtimes.watch import Mirror

_ID = re.compile(r"[a-z]([a-z0-9-]{0,54}[a-z0-9])?")
_SPACE_ID = re.compile(r"[a-z0-9]([a-z0-9-]{0,54}[a-z0-9])?")
_LENGTH = 45.0  #: seconds of one watch
_STALE = 15.0  #: seconds beyond that after which what was heard before is no answer any more
_FIRST = 5.0  #: seconds that the first look may take until Podium goes on without
_QUICK = 1.0
_ONE_WRITER = (
    "/data is a volume that one replica at a time may use here (PODIUM_KUBE_STORAGE_MODE is not ReadWriteMany)"
)
_UNTOLD = 600.0  #: seconds until a cluster that tells no loads is asked again


class KubernetesRuntime:
    """`owner` tells this Podium's objects from those of others in the same namespace. An API server that does not answer now is
    waited for in the background."""

    def __init__(
        self, cluster: Cluster, data: Path, owner: str, options: Options, grace: float = 10.0, log_limit: int = 10 * 1024**2,
        length: float = _LENGTH,
    ) -> None:  # fmt: skip
        place, logs = Path(data).resolve() / "kubernetes", Path(data).resolve() / "logs" / "run"
        for directory in (place, logs):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._cluster, self._owner, self._options, self._grace = cluster, owner, options, grace
        self.single = _ONE_WRITER if options.storage and options.storage_mode != "ReadWriteMany" else ""
        self._stale = length + _STALE
        self._refused: dict[str, InstanceSeen] = {}
        self._untold_until = 0.0
        self._lock = threading.Lock()
        ours = {"labelSelector": f"{OWNER}={owner}"}
        warnings = {"fieldSelector": "type=Warning,involvedObject.kind=Pod"}
        self._deployments = Mirror(cluster, "deployments", ours, self._changed, length)
        self._pods = Mirror(cluster, "pods", ours, self._changed, length)
        self._events = Mirror(cluster, "events", warnings, self._changed, length)
        self._nodes = Mirror(cluster, "nodes", {}, lambda: None, length)
        self._told = pod_events.Told(lambda: Mirror(cluster, "events", pod_events.KINDS, lambda: None, length))
        self._cases = Cases(self._deployments, self._pods, self._events, self._nodes)
        self._care = Care(cluster, owner, place / "lock", logs, log_limit, self._cases, self._keep)
        self._news = News(self.list, self._told.rest, lambda: None, _QUICK)
        for mirror in self._mirrors:
            mirror.start()
        until = time.monotonic() + _FIRST
        for mirror in (self._deployments, self._pods):
            mirror.wait(max(0.0, until - time.monotonic()))
        self._news.start()
        self._care.start()

    # -- launch

    def launch(self, spec: LaunchSpec) -> None:
        if not _ID.fullmatch(spec.instance_id) or not _SPACE_ID.fullmatch(spec.space_id):
            raise ValueError(f"not an instance: {spec.instance_id!r} of {spec.space_id!r}")
        if here := self._deployments.items.get(spec.instance_id):
            return self._call_back(here)
        if not spec.image.reference:
            raise Unavailable(f"the image is gone: {spec.image.id}")
        if spec.instance_id in self._refused:
            return
        hardware = spec.hardware
        share = Share(hardware.name, hardware.cpu, hardware.memory, hardware.resource)
        note = container.note_of(spec, self._grace, time.time(), share)
        try:
            self._make(spec, note)
        except Refused as error:
            fault = Fault("APP_EXITED", f"Podium could not start the app: {error}")
            self._refused[note.id] = InstanceSeen(
                note.id, note.space_id, note.launch_key, InstanceState.EXITED, note.started_at, fault=fault,
                startup_timeout=note.startup_timeout,
            )  # fmt: skip
        except LookupError:
            raise Unavailable(f"the namespace {self._cluster.namespace} is not there") from None
        self._changed()

    def _make(self, spec: LaunchSpec, note: container.Note) -> None:
        if self._options.storage:
            with suppress(FileExistsError):
                self._cluster.create(
                    "persistentvolumeclaims", manifests.volume(self._owner, note.space_id, self._options)
                )
        name = f"{note.id}-{secrets.token_hex(3)}"  # of its own: an earlier one may be about to go
        self._cluster.create("secrets", manifests.secret(name, self._owner, spec, self._grace))
        failpoints.hit("after_secret")
        try:
            made = self._cluster.create(
                "deployments", manifests.deployment(spec, note, self._owner, name, self._options)
            )  # fmt: skip
        except FileExistsError:  # 409: another control plane was faster, or it is still going
            self._cluster.delete("secrets", name)
            with suppress(LookupError):
                self._keep(self._cluster.get("deployments", note.id))
            return
        except Exception:
            with suppress(Unavailable):
                self._cluster.delete("secrets", name)
            raise
        self._keep(made)
        with suppress(Unavailable, LookupError):  # else it is swept later
            self._cluster.patch("secrets", name, manifests.owned_by(made))

    def _call_back(self, here: Mapping) -> None:
        """Undo a stop that has not ended its drain."""
        about = here["metadata"]
        if manifests.STOP_AT in (about.get("annotations") or {}) and not about.get("deletionTimestamp"):
            with suppress(LookupError):
                self._keep(self._cluster.patch("deployments", about["name"], manifests.stop_at(None)))

    # -- list

    def list(self, space_id: str | None = None) -> list[InstanceSeen]:
        self._check()
        found = [case.seen for case in self._cases(space_id).values()]
        with self._lock:
            return found + [one for one in self._refused.values() if space_id in (None, one.space_id)]

    def events(self, space_id: str) -> Sequence[Event]:
        return pod_events.events(self._told.items(), space_id)

    def capacity(self) -> tuple[NodeSeen, ...]:
        self._check()
        return nodes.capacity(self._nodes.items.values(), self._pods.items.values(), self._options.share)

    def loads(self) -> dict[str, Load] | None:
        """As the cluster's metrics-server tells them, where there is one."""
        if time.monotonic() < self._untold_until:
            return None
        try:
            metrics = self._cluster.metrics(f"{OWNER}={self._owner}")
        except (LookupError, Unavailable):
            self._untold_until = time.monotonic() + _UNTOLD
            return None
        mine = {
            pod["metadata"]["name"]: (pod["metadata"].get("labels") or {}).get(INSTANCE, "")
            for pod in self._pods.items.values()
        }
        return load.of_pods(metrics, mine)

    def check(self) -> None:
        self._check()

    def _check(self) -> None:
        """Raises Unavailable when what is known is too old to be told."""
        silent = max(self._deployments.age, self._pods.age)
        if silent > self._stale:
            since = "has not answered yet" if silent == float("inf") else f"has not answered for {silent:.0f} seconds"
            raise Unavailable(f"Kubernetes {since}")

    # -- stop

    def stop(self, instance_id: str, drain: float = 0.0) -> None:
        with self._lock:
            if self._refused.pop(instance_id, None):
                return self._changed()
        here = self._deployments.items.get(instance_id)
        if here is None or here["metadata"].get("deletionTimestamp"):
            return
        about = here["metadata"]
        with suppress(LookupError):
            if not drain:
                self._keep(self._cluster.delete("deployments", about["name"], about["uid"], wait=True))
            elif manifests.STOP_AT not in (about.get("annotations") or {}):
                self._keep(self._cluster.patch("deployments", about["name"], manifests.stop_at(time.time() + drain)))

    def scale(self, instance_id: str, replicas: int, drain: float = 0.0) -> None:
        here = self._deployments.items.get(instance_id)
        if here is None or here["metadata"].get("deletionTimestamp") or standing.asked(here) == replicas:
            return
        fewer = drain and replicas < int(here["spec"]["replicas"])
        change = manifests.shrink(replicas, time.time() + drain) if fewer else manifests.replicas(replicas)
        with suppress(LookupError):
            self._keep(self._cluster.patch("deployments", instance_id, change))

    def forget_space(self, space_id: str) -> None:
        if self._options.storage and _SPACE_ID.fullmatch(space_id):
            self._cluster.delete("persistentvolumeclaims", manifests.volume_name(space_id))

    # -- news

    def subscribe(self, changed: Callable[[str], None]) -> None:
        self._news.subscribers.append(changed)

    def _changed(self) -> None:
        self._care.ring()
        self._news.ring()

    def _keep(self, deployment: dict) -> None:
        """What the API server answered, before the watch tells of it."""
        if (deployment.get("metadata") or {}).get("name"):
            self._deployments.put(deployment)
            self._changed()

    @property
    def _mirrors(self) -> tuple[Mirror, ...]:
        return self._deployments, self._pods, self._events, self._nodes

    def close(self) -> None:
        for mirror in self._mirrors:
            mirror.close()
        self._told.rest(0.0)
        self._care.close()
        self._news.close()
        self._cluster.close()


def open_runtime(
    told: Mapping[str, str | float], data: Path, owner: str, grace: float, log_limit: int
) -> KubernetesRuntime:
    """A runtime from the operator's words: `namespace`, `config` (a path), `context`, and those of `Options`."""
    cluster = Cluster(str(told["namespace"]), str(told["config"]), str(told["context"]))
    words = {name: str(told[name]) for name in Options.__slots__ if name not in ("pull_secrets", "share")}
    options = Options(**words, pull_secrets=tuple(str(told["pull_secrets"]).split()), share=float(told["share"]))
    return KubernetesRuntime(cluster, data, owner, options, grace, log_limit)
