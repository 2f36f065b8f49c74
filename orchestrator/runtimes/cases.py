"""Each instance as the cluster tells of it now: its Deployment, its pods, and what is seen in them. Owns what is not looked at
again while nothing is new: hundreds of instances that simply run must cost nothing."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from orchestrator.domain.seen import InstanceSeen, InstanceState
from orchestrator.runtimes import container, manifests, pods, standing
from orchestrator.runtimes import pod_facts as facts
from orchestrator.runtimes.container import Note
from orchestrator.runtimes.manifests import INSTANCE


class Copy(Protocol):
    """Objects of a kind by name; what has changed is another object (`watch.Mirror`)."""

    @property
    def items(self) -> Mapping[str, dict]: ...


@dataclass(frozen=True, slots=True)
class Case:
    """One instance as the cluster tells of it now."""

    note: Note
    deployment: Mapping
    pods: Sequence[Mapping]
    seen: InstanceSeen

    @property
    def standing(self) -> list[Mapping]:
        return standing.standing(self.deployment, self.pods)

    @property
    def pod(self) -> Mapping | None:
        """The one that counts before all others."""
        return next(iter(self.standing), None)

    def named(self, uid: str) -> Mapping | None:
        return next((pod for pod in self.pods if pod["metadata"]["uid"] == uid), None)

    @property
    def at_rest(self) -> bool:
        """Whether nothing but news from the cluster changes what is seen of it: all that is to answer does, and nothing goes."""
        seen, count = self.seen, len(self.pods)
        return (
            seen.state is InstanceState.READY and not seen.waiting and count == seen.asked == len(seen.addresses)
            and standing.shrinking(self.deployment) is None
            and not any(pod["metadata"].get("deletionTimestamp") or facts.on_lost_node(pod) for pod in self.pods)
        )  # fmt: skip

    def is_of(self, deployment: Mapping, pods: Sequence[Mapping]) -> bool:
        """Whether it is of these very objects."""
        same = deployment is self.deployment and len(pods) == len(self.pods)
        return same and all(one is other for one, other in zip(pods, self.pods, strict=True))

    def unproven(self, pod: Mapping) -> bool:
        """Whether it must show that it answers: it has not yet, or its node is silent."""
        if self.seen.state in (InstanceState.EXITED, InstanceState.STOPPING):
            return False
        return facts.on_lost_node(pod) or not standing.answers(pod, standing.told(self.deployment))


class Cases:
    """Of these four copies. An instance at rest is the same object each time, until the cluster has news of it."""

    def __init__(self, deployments: Copy, pods: Copy, events: Copy, nodes: Copy) -> None:
        self._deployments, self._pods, self._events, self._nodes = deployments, pods, events, nodes
        self._index: tuple[object, Mapping[str, Sequence[dict]]] = (None, {})
        self._resting: dict[str, Case] = {}

    def __call__(self, space_id: str | None = None) -> dict[str, Case]:
        """By name: all of them, or a Space's."""
        found, now, by_instance = {}, time.time(), self._pods_by_instance()
        events, nodes = list(self._events.items.values()), list(self._nodes.items.values())
        deployments, resting = self._deployments.items, self._resting
        for name, deployment in deployments.items():
            own, case = by_instance.get(name, ()), resting.get(name)
            if case is None or not case.is_of(deployment, own):
                resting.pop(name, None)
                note = container.read_note(deployment["metadata"].get("annotations") or {}, manifests.NOTE)
                if note is None or space_id not in (None, note.space_id):
                    continue
                seen = pods.see(deployment, own, now, events, nodes, self._ahead(own))
                if seen is None:
                    continue
                case = Case(note, deployment, own, seen)
                if case.at_rest:
                    resting[name] = case
            if space_id in (None, case.note.space_id):
                found[name] = case
        for gone in [name for name in list(resting) if name not in deployments]:
            resting.pop(gone, None)
        return found

    def objects(self, name: str) -> tuple[Mapping | None, Sequence[Mapping]]:
        """Deployment and pods of an instance, as they are; None and none when it is gone."""
        return self._deployments.items.get(name), self._pods_by_instance().get(name, ())

    def _pods_by_instance(self) -> Mapping[str, Sequence[dict]]:
        items, (seen, index) = self._pods.items, self._index
        if seen is not items:
            index = {}
            for pod in items.values():
                index.setdefault((pod["metadata"].get("labels") or {}).get(INSTANCE, ""), []).append(pod)
            self._index = (items, index)
        return index

    def _ahead(self, own: Sequence[dict]) -> int:
        """How many wait longer than this instance's pod for the same accelerator."""
        pod = max(own, key=standing.age, default=None)
        if pod is None or not facts.unplaced(pod) or not (resource := facts.accelerator(pod)[0]):
            return 0
        mine = (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"])
        return sum(
            facts.unplaced(one) and facts.accelerator(one)[0] == resource
            and (one["metadata"]["creationTimestamp"], one["metadata"]["name"]) < mine
            for one in self._pods.items.values()
        )  # fmt: skip
