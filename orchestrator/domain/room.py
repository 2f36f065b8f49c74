"""Which hardware is free, and who is next: pure functions over the nodes that a runtime sees and the Spaces that wait.

First come, first served. One that waits for many accelerators is not overtaken by those that want few: the node where most is
free is kept for it. What holds its hardware already is not in the queue, whatever its place says."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.domain.hardware import Hardware, Toleration
from orchestrator.domain.seen import NodeSeen, Room, Taint


@dataclass(frozen=True, slots=True)
class Waiting:
    """A Space in the queue, or one that was launched and is on no node yet. `since`: epoch seconds; `replicas`: of how many
    the hardware is wanted, those included that have it."""

    space_id: str
    hardware: Hardware
    since: float
    replicas: int = 1


def in_order(waiting: Iterable[Waiting]) -> list[Waiting]:
    return sorted(waiting, key=lambda one: (one.since, one.space_id))


def suits(hardware: Hardware, node: NodeSeen) -> bool:
    """Whether the flavour may be on this node at all, however much is free."""
    labels = all(node.labels.get(key) == value for key, value in hardware.node_selector.items()) or not node.reserves
    return labels and all(
        taint.effect == "PreferNoSchedule" or any(_tolerates(one, taint) for one in hardware.tolerations)
        for taint in node.taints
    )


def _tolerates(toleration: Toleration, taint: Taint) -> bool:
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.operator == "Exists":
        return not toleration.key or toleration.key == taint.key
    return (toleration.key, toleration.value) == (taint.key, taint.value)


def never_fits(hardware: Hardware, nodes: Sequence[NodeSeen]) -> str:
    """Why the flavour could not run even if nobody else did, with figures; "" when it could, or when nobody knows."""
    if not nodes or hardware.elastic:
        return ""
    fitting = [node for node in nodes if suits(hardware, node)]
    if not fitting:
        asked = ", ".join(f"{key}={value}" for key, value in hardware.node_selector.items())
        return (
            f"no node has the labels {asked}"
            if asked
            else "no node takes it: all have taints that it does not tolerate"
        )
    largest = max(_has(node, hardware.resource) for node in fitting) if hardware.count else 0
    if largest < hardware.count:
        return f"no node has {hardware.count} x {hardware.resource}; the largest has {largest}"
    if all(node.reserves for node in fitting):
        fitting = [node for node in fitting if _has(node, hardware.resource) >= hardware.count]
        if all(node.cpu < hardware.cpu * node.reserves for node in fitting):
            return f"no node has {hardware.cpu:g} CPUs; the largest has {max(node.cpu for node in fitting):g}"
        if all(node.memory < hardware.memory * node.reserves for node in fitting):
            most = _gb(max(node.memory for node in fitting))
            return f"no node has {_gb(hardware.memory)} of memory; the largest has {most}"
    return ""


def most_replicas(hardware: Hardware, nodes: Sequence[NodeSeen]) -> int | None:
    """How many replicas on this flavour all nodes could run together if nobody else did, None when nobody knows."""
    if not nodes or hardware.elastic:
        return None
    return sum(_holds(hardware, node) for node in nodes if suits(hardware, node))


def _holds(hardware: Hardware, node: NodeSeen) -> int:
    limits = [_has(node, hardware.resource) // hardware.count] if hardware.count else []
    if node.reserves:
        limits.append(int(node.cpu / (hardware.cpu * node.reserves)))
        limits.append(int(node.memory / (hardware.memory * node.reserves)))
    return min(limits, default=1_000_000)


def room(
    space_id: str,
    hardware: Hardware,
    nodes: Sequence[NodeSeen],
    waiting: Iterable[Waiting],
    since: float,
    replicas: int = 1,
) -> Room | None:
    """Whether this Space, in the queue since then, can have the flavour now, and how many replicas of it. None when it is not
    counted, or nobody knows."""
    if not hardware.count or hardware.elastic or not nodes:
        return None
    holders = frozenset(
        held.instance_id
        for node in nodes
        for held in node.held
        if held.space_id == space_id and held.resources.get(hardware.resource)
    )
    if impossible := never_fits(hardware, nodes):
        return Room(False, f"waiting for {hardware.pretty_name}: {impossible}", holders, 0)
    free = {node.name: _free(node, hardware.resource) for node in nodes}
    ahead = _ahead(Waiting(space_id, hardware, since), nodes, waiting)
    for one, missing in ahead:
        _give(one.hardware, missing, nodes, free)
    for node in nodes:  # what it has, it need not queue for
        free[node.name] += _free(node, hardware.resource, space_id) - _free(node, hardware.resource)
    fits = _give(hardware, replicas, nodes, dict(free))
    return Room(fits > 0, "" if fits >= replicas else _why(hardware, nodes, len(ahead)), holders, fits)


def _ahead(me: Waiting, nodes: Sequence[NodeSeen], waiting: Iterable[Waiting]) -> list[tuple[Waiting, int]]:
    """Those before me that could have what I want, each with the number of replicas that it still lacks."""
    resource, has = me.hardware.resource, Counter()
    for node in nodes:
        has.update(held.space_id for held in node.held if held.resources.get(resource))
    return [
        (one, one.replicas - has[one.space_id])
        for one in in_order(waiting)
        if one.hardware.resource == resource
        and one.space_id != me.space_id
        and one.replicas > has[one.space_id]
        and (one.since, one.space_id) < (me.since, me.space_id)
        and not never_fits(one.hardware, nodes)
    ]


def _give(hardware: Hardware, replicas: int, nodes: Sequence[NodeSeen], free: dict[str, int]) -> int:
    """Take from `free` what so many replicas get or, where the next one fits nowhere, the node that is kept for it. How many
    fit."""
    for number in range(replicas):
        node = _place(hardware, nodes, free)
        if node is None:
            able = [one for one in nodes if suits(hardware, one) and _has(one, hardware.resource) >= hardware.count]
            kept = max(able, key=lambda one: (free[one.name], one.name))
            free[kept.name] = 0
            return number
        free[node.name] -= hardware.count
    return replicas


def _place(hardware: Hardware, nodes: Sequence[NodeSeen], free: Mapping[str, int]) -> NodeSeen | None:
    """The node where it fits most tightly."""
    able = [n for n in nodes if n.ready and suits(hardware, n) and free[n.name] >= hardware.count]
    return min(able, key=lambda one: (free[one.name], one.name), default=None)


def _why(hardware: Hardware, nodes: Sequence[NodeSeen], ahead: int) -> str:
    fitting = [node for node in nodes if suits(hardware, node)]
    total = sum(_has(node, hardware.resource) for node in fitting)
    free = sum(max(0, _free(node, hardware.resource)) for node in fitting if node.ready)
    wanted = f"{hardware.count} x {hardware.accelerator}" if hardware.count > 1 else hardware.accelerator
    away = [f"{n.name} is not ready{f' ({n.trouble})' if n.trouble else ''}" for n in fitting if not n.ready]
    place = f"{ahead} ahead of you" if ahead else "you are next"
    return "; ".join([f"waiting for {wanted}: {free} of {total} free, {place}", *away[:2]])


def _has(node: NodeSeen, resource: str) -> int:
    return node.resources.get(resource, 0)


def _free(node: NodeSeen, resource: str, but: str = "") -> int:
    """What nobody has, or only the Space `but`."""
    return _has(node, resource) - sum(h.resources.get(resource, 0) for h in node.held if not but or h.space_id != but)


def _gb(size: int) -> str:
    return f"{size / 1024**3:.4g} GB"
