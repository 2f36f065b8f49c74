"""Plain facts about a pod, as the cluster tells of it. Pure; what follows from them for an instance is in pods.py."""

from collections.abc import Mapping
from datetime import datetime

from orchestrator.runtimes import waits
from orchestrator.runtimes.container import Note

PULL = {
    "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ImageInspectError", "ErrImageNeverPull", "RegistryUnavailable",
}  # fmt: skip


def address_of(pod: Mapping | None, note: Note) -> str:
    """host:port, "" when it has none yet."""
    ip = (pod or {}).get("status", {}).get("podIP", "")
    return "" if not ip else f"[{ip}]:{note.port}" if ":" in ip else f"{ip}:{note.port}"


def condition(thing: Mapping, kind: str) -> Mapping:
    """One of its conditions, {} when it has none of that kind."""
    return next((one for one in (thing.get("status") or {}).get("conditions") or () if one.get("type") == kind), {})


def accelerator(pod: Mapping) -> tuple[str, int]:
    """The extended resource that a pod asks for, and how many; ("", 0) for none."""
    for one in pod["spec"]["containers"]:
        for name, number in ((one.get("resources") or {}).get("limits") or {}).items():
            if "/" in name and str(number).isdigit():
                return name, int(number)
    return "", 0


def unplaced(pod: Mapping) -> bool:
    """Whether it waits for a node."""
    return not pod["spec"].get("nodeName") and not pod["metadata"].get("deletionTimestamp")


def container_of(pod: Mapping | None) -> Mapping:
    return next(iter(((pod or {}).get("status") or {}).get("containerStatuses") or ()), {})


def running(pod: Mapping | None) -> bool:
    return "running" in (container_of(pod).get("state") or {})


def on_lost_node(pod: Mapping) -> bool:
    """Whether its node is silent: without a probe of the kubelet's, a running container makes its pod ready."""
    return running(pod) and condition(pod, "Ready").get("status") == "False"


def node_of(pod: Mapping | None) -> str:
    return ((pod or {}).get("spec") or {}).get("nodeName", "")


def time_of(text: str) -> float:
    """Epoch seconds of RFC 3339, 0 when it is none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError):
        return 0.0


def begun(pod: Mapping) -> bool:
    """Whether its container has been started, so that there is a log."""
    state, last = container_of(pod).get("state") or {}, container_of(pod).get("lastState") or {}
    return "running" in state or "terminated" in state or "terminated" in last


def begun_at(pod: Mapping) -> float:
    """When the container that runs now was started, 0 when none does."""
    return time_of(((container_of(pod).get("state") or {}).get("running") or {}).get("startedAt", ""))


def restarted(pod: Mapping | None) -> bool:
    """Whether the container that counts is the one before."""
    return "terminated" in (container_of(pod).get("lastState") or {})


def alive(pod: Mapping | None) -> bool:
    """Whether its first container runs, or has not begun to."""
    if pod is None or over(pod):
        return False
    return not restarted(pod) and "terminated" not in (container_of(pod).get("state") or {})


def over(pod: Mapping) -> bool:
    """Whether it holds nothing of its node any more."""
    return (pod.get("status") or {}).get("phase") in ("Failed", "Succeeded")


def stopped(pod: Mapping) -> bool:
    """Whether the kubelet has said that its container has ended, and will not start another."""
    return bool(pod["metadata"].get("deletionTimestamp")) and "terminated" in (container_of(pod).get("state") or {})


def cannot_pull(pod: Mapping) -> bool:
    """Whether its image did not come, for a reason that may pass."""
    waiting = (container_of(pod).get("state") or {}).get("waiting") or {}
    return waiting.get("reason") in PULL and not waits.pull(waiting["reason"], waiting.get("message", ""))[1]


def volume(pod: Mapping) -> bool:
    """Whether it holds a volume that another pod must not write at the same time."""
    return any("persistentVolumeClaim" in one for one in pod["spec"].get("volumes") or ())


def marks(pod: Mapping | None) -> tuple[float | None, float | None]:
    """When it had a node, and when its container was started; in whole seconds, as clusters tell them."""
    placed = condition(pod or {}, "PodScheduled")
    at = time_of(placed.get("lastTransitionTime", "")) if placed.get("status") == "True" else 0.0
    state = container_of(pod)
    found = (state.get("state") or {}).get("running") or (state.get("lastState") or {}).get("terminated") or {}
    return at or None, time_of(found.get("startedAt", "")) or None
