"""What the nodes of a cluster have for instances, and which instance has what of it: from the cluster's objects to NodeSeen.
Pure. Pods of others are not seen here; the scheduler knows them, and says so when one of ours finds no place."""

import re
from collections.abc import Iterable, Mapping

from orchestrator.domain.seen import Held, NodeSeen, Taint
from orchestrator.runtimes import pod_facts as facts
from orchestrator.runtimes.manifests import INSTANCE, SPACE

_UNITS = {
    "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1,
    "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40,
}  # fmt: skip
#: Taints that Kubernetes puts on a node for a while: the node is not of another kind, it is not ready.
_PASSING = "node.kubernetes.io/"


def capacity(nodes: Iterable[Mapping], placed: Iterable[Mapping], share: float = 1.0) -> tuple[NodeSeen, ...]:
    """Each node, with those of our pods that are on it. `share`: the part of its CPU and memory that a pod asks for."""
    by_node: dict[str, list[Mapping]] = {}
    for pod in placed:
        if name := pod["spec"].get("nodeName"):
            by_node.setdefault(name, []).append(pod)
    return tuple(_seen(node, by_node.get(node["metadata"]["name"], ()), share) for node in sorted(nodes, key=_name))


def quantity(text: object) -> float:
    """A number as Kubernetes writes it: 250m, 2, 7Gi; 0 for what is none."""
    found = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(text))
    try:
        return float(found[1]) * _UNITS.get(found[2], 0) if found else 0.0
    except ValueError:
        return 0.0


def _name(node: Mapping) -> str:
    return node["metadata"]["name"]


def _seen(node: Mapping, placed: Iterable[Mapping], share: float) -> NodeSeen:
    spec, status = node.get("spec") or {}, node.get("status") or {}
    has = status.get("allocatable") or {}
    trouble = _trouble(node)
    taints = [one for one in spec.get("taints") or () if not str(one.get("key")).startswith(_PASSING)]
    return NodeSeen(
        _name(node), not trouble, trouble, quantity(has.get("cpu")), int(quantity(has.get("memory"))),
        {name: int(quantity(number)) for name, number in has.items() if "/" in name},
        tuple(_held(pod) for pod in placed if not facts.over(pod)),
        dict(node["metadata"].get("labels") or {}),
        tuple(Taint(one["key"], one.get("value", ""), one.get("effect", "NoSchedule")) for one in taints), reserves=share,
    )  # fmt: skip


def _trouble(node: Mapping) -> str:
    ready = facts.condition(node, "Ready")
    if ready.get("status") != "True":
        return "its kubelet does not answer" if ready.get("status") == "Unknown" else "it says that it is not ready"
    return "it takes no new pods" if (node.get("spec") or {}).get("unschedulable") else ""


def _held(pod: Mapping) -> Held:
    """What is kept for a pod, whether it uses it or not."""
    labels = pod["metadata"].get("labels") or {}
    kept: dict[str, float] = {}
    for one in pod["spec"]["containers"]:
        for name, number in ((one.get("resources") or {}).get("requests") or {}).items():
            kept[name] = kept.get(name, 0.0) + quantity(number)
    resources = {name: int(number) for name, number in kept.items() if "/" in name}
    return Held(
        labels.get(INSTANCE, ""), labels.get(SPACE, ""), kept.get("cpu", 0.0), int(kept.get("memory", 0)), resources
    )  # fmt: skip
