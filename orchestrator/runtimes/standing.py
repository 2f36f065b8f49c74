"""Which pods of a Deployment count as its replicas, and what has been noted of each. Pure.

What was seen of pods is one annotation of the Deployment, so that every control plane knows the same: of a single pod
`{"pod": uid, ...}`, of several `{"pods": {uid: {...}}}`."""

import json
from collections.abc import Mapping, Sequence

from orchestrator.runtimes import pod_facts as facts
from orchestrator.runtimes.manifests import SEEN, SHRINK


def shrinking(deployment: Mapping) -> tuple[int, float] | None:
    """How many replicas are to be left, and until when (epoch seconds) the others drain; None when none has to go."""
    count, _, until = (deployment["metadata"].get("annotations") or {}).get(SHRINK, "").partition(" ")
    try:
        return int(count), float(until)
    except ValueError:
        return None


def asked(deployment: Mapping) -> int:
    """How many replicas there are to be."""
    less = shrinking(deployment)
    return less[0] if less else int(deployment.get("spec", {}).get("replicas") or 1)


def several(deployment: Mapping) -> bool:
    """Whether it has, or is to have, more than one replica; those that are to go count until they do."""
    return max(asked(deployment), int(deployment.get("spec", {}).get("replicas") or 1)) > 1


def told(deployment: Mapping) -> dict[str, dict]:
    """What has been noted, by the uid of the pod."""
    text = (deployment["metadata"].get("annotations") or {}).get(SEEN, "")
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    one = {str(found.get("pod")): {name: value for name, value in found.items() if name != "pod"}}
    several = found["pods"] if isinstance(found.get("pods"), dict) else one
    return {uid: one for uid, one in several.items() if isinstance(one, dict)}


def told_of(deployment: Mapping, pod: Mapping | None) -> dict:
    """What has been noted of this very pod."""
    return told(deployment).get(pod["metadata"]["uid"], {}) if pod else {}


def noting(deployment: Mapping, pods: Sequence[Mapping], pod: Mapping, found: Mapping) -> dict | None:
    """The annotation's value once `found` is noted of a pod, what it tells of pods that count no more left out; None when
    that changes nothing."""
    before, uid = told(deployment), pod["metadata"]["uid"]
    after = before | {uid: dict(found)}
    count = {one["metadata"]["uid"] for one in _first(pods, after, asked(deployment))} | {uid}
    kept = {name: one for name, one in after.items() if name in count and one}
    if kept == {name: one for name, one in before.items() if one}:
        return None
    if len(kept) > 1:
        return {"pods": kept}
    return next(({"pod": name, **one} for name, one in kept.items()), {})


def answers(pod: Mapping, noted: Mapping[str, Mapping]) -> bool:
    """Whether it answered when it was last asked, and its container is the one that did."""
    found = noted.get(pod["metadata"]["uid"], {})
    runs = facts.running(pod) and not facts.restarted(pod) and not facts.over(pod)
    return bool(found.get("ready_at") and not found.get("silent") and runs)


def answering(deployment: Mapping, pods: Sequence[Mapping]) -> list[Mapping]:
    """Those that answer, the oldest first."""
    noted = told(deployment)
    return sorted((pod for pod in pods if answers(pod, noted)), key=age)


def standing(deployment: Mapping, pods: Sequence[Mapping]) -> list[Mapping]:
    """The pods that count, at most as many as there are to be: those that answer, the oldest first, and then the newest. One
    that is on its way out counts while its node is silent and it answers nevertheless, until another takes its place."""
    return _first(pods, told(deployment), asked(deployment))


def _first(pods: Sequence[Mapping], noted: Mapping[str, Mapping], count: int) -> list[Mapping]:
    there = [one for one in pods if not one["metadata"].get("deletionTimestamp") or _left(one, noted)]
    good = sorted((one for one in there if answers(one, noted)), key=lambda one: (facts.on_lost_node(one), age(one)))
    rest = sorted((one for one in there or pods if one not in good), key=lambda one: (not facts.over(one), age(one)))
    return [*good, *reversed(rest)][:count]


def _left(pod: Mapping, noted: Mapping[str, Mapping]) -> bool:
    """Whether it was given up with its node, and answers. Of one that its kubelet stops, that gives a reason."""
    silent = facts.on_lost_node(pod) and not facts.condition(pod, "Ready").get("reason")
    return silent and answers(pod, noted)


def age(pod: Mapping) -> tuple[str, str]:
    """To sort by, the oldest first."""
    return pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]
