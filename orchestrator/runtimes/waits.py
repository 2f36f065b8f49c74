"""Why an instance waits for the cluster, in plain words: what the scheduler, the kubelet and the admission say, put into one
sentence for an author. Pure. Messages that are not known are passed on as they are: they change with Kubernetes' versions."""

import re
from collections.abc import Iterable, Mapping

_COUNT = re.compile(r"^0/(\d+) nodes are available:? ?(.*)$", re.S)
_PART = re.compile(r"(\d+) (.+?)(?=, \d+ |\.? ?$)", re.S)
_QUOTA = re.compile(r"exceeded quota: ([^,]+), requested: (.*?), used: (.*?), limited: (.*)$", re.S)
_NAMES = {
    "nvidia.com/gpu": "GPU", "amd.com/gpu": "GPU", "cpu": "CPU", "memory": "memory", "ephemeral-storage": "disk",
    "pods": "room for another pod",
}  # fmt: skip


def unschedulable(message: str, resource: str = "", ahead: int = 0) -> str:
    """A sentence from the scheduler's `0/2 nodes are available: …`. `resource`: the accelerator that is asked for; `ahead`: how
    many others wait for one, and longer."""
    message = re.split(r"\bpreemption: ", message)[0].strip()
    found = _COUNT.match(message)
    if not found:
        return f"waiting for a place: {message[:300].rstrip('.')}" if message else "waiting for a place"
    total, rest = int(found[1]), found[2]
    parts = [_part(int(number), words) for number, words in _PART.findall(rest)]
    what = f"a {_name(resource)}" if resource and f"Insufficient {resource}" in rest else "a place"
    sentence = f"waiting for {what}: 0 of {total} {'node fits' if total == 1 else 'nodes fit'}"
    if parts:
        sentence += f" ({', '.join(parts)})"
    return sentence + (f", {ahead} ahead of it" if ahead else "")


def never_fits(resource: str, count: int, nodes: Iterable[Mapping]) -> str:
    """A sentence when no node has that many of an accelerator in all, "" when one has or when no node is known."""
    sizes = [int(_number(((node.get("status") or {}).get("allocatable") or {}).get(resource, 0))) for node in nodes]
    if not resource or not sizes or max(sizes) >= count:
        return ""
    name = _name(resource)
    wanted = f"{count} {name}{'s' if count > 1 and name == 'GPU' else ''}"
    return f"no node has {wanted}; the largest has {max(sizes)}"


def _number(text: object) -> float:
    try:
        return float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return 0.0


def _name(resource: str) -> str:
    if resource in _NAMES:
        return _NAMES[resource]
    return "GPU" if resource.rpartition("/")[2].startswith(("gpu", "mig-")) else resource


def _part(count: int, words: str) -> str:
    """What keeps some nodes from taking it."""
    words = words.strip().rstrip(".").removeprefix("node(s) ")
    has = "has" if count == 1 else "have"
    if lacking := re.match(r"Insufficient (\S+)", words):
        return f"{count} {has} no {_name(lacking[1])} free"
    if lacking := re.match(r"Too many pods", words):
        return f"{count} {'is' if count == 1 else 'are'} full of pods"
    if re.search(r"unschedulable", words):
        return f"{count} {'takes' if count == 1 else 'take'} no new pods"
    if taint := re.search(r"taint \{([^:}]+)", words):
        return f"{count} {_tainted(taint[1].strip(), count)}"
    if re.search(r"affinity|selector", words):
        return f"{count} {'is' if count == 1 else 'are'} of another kind"
    if re.search(r"volume", words):
        return f"{count} cannot reach its volume"
    return f"{count} {words}"


def _tainted(taint: str, count: int) -> str:
    if taint.startswith("node.kubernetes.io/"):
        troubles = {"disk-pressure": "low on disk", "memory-pressure": "low on memory", "unschedulable": "closed"}
        trouble = troubles.get(taint.rpartition("/")[2], "not ready")
        return f"{'is' if count == 1 else 'are'} {trouble}"
    return f"{'is' if count == 1 else 'are'} kept for others"


def refused(message: str) -> str:
    """Why the cluster does not even make the pod."""
    if quota := _QUOTA.search(message):
        return (
            f"waiting for room in the cluster's quota {quota[1]!r}: asked for {quota[2]}, "
            f"in use {quota[3]} of {quota[4].rstrip('.')}"
        )  # fmt: skip
    reason = re.sub(r"^pods \S+ is ", "", message.strip())
    return f"the cluster does not let it in: {reason[:400]}"


def pull(reason: str, message: str, cause: str = "") -> tuple[str, bool]:
    """A sentence about an image that does not come, and whether trying again cannot help. `cause`: what the kubelet's events
    say, as its state names only the back-off from time to time."""
    words = cause or message
    if re.search(r"no match for platform|no matching manifest|exec format", words):
        return "the image is not made for this cluster's kind of processor", True
    if reason == "InvalidImageName":
        return f"the image has a name that cannot be: {message[:200]}", True
    if re.search(r"not found|manifest unknown|does not exist|name unknown", words, re.I):
        return "the image is gone from the registry", True
    if re.search(r"unauthorized|denied|forbidden|\b401\b|\b403\b", words, re.I):
        return "the registry does not let the cluster fetch the image", False
    if re.search(r"no space left", words, re.I):
        return "the node has no room for the image", False
    if re.search(r"refused|timeout|timed out|no such host|unreachable|reset|EOF|\b5\d\d\b", words, re.I):
        return "the registry does not answer; trying again", False
    return "the image cannot be fetched; trying again", False


#: Reasons of events about a pod that explain why its container is not there yet.
_EVENTS = {
    "FailedMount": "its volume cannot be mounted", "FailedAttachVolume": "its volume cannot be attached",
    "FailedCreatePodSandBox": "the node cannot set up its network", "FailedBinding": "its volume cannot be made",
    "ProvisioningFailed": "its volume cannot be made",
}  # fmt: skip


def event(reason: str, message: str) -> str:
    """A sentence from a warning, "" when it says nothing about a wait."""
    if reason not in _EVENTS:
        return ""
    if "Multi-Attach" in message or "already used by" in message or "already exclusively attached" in message:
        return "waiting until the node it ran on before lets go of its volume"
    return f"{_EVENTS[reason]}: {message[:300]}"
