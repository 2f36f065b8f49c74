"""From what a cluster tells of an instance (its Deployment, pods, events) to an InstanceSeen. Pure: everything that is known is
in these objects, so that every control plane sees the same, also after a restart."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from orchestrator.domain.seen import Fault, InstanceSeen, InstanceState
from orchestrator.runtimes import container, hints, waits
from orchestrator.runtimes.container import Note
from orchestrator.runtimes.manifests import NOTE, SEEN, STOP_AT

DAY = 86400.0  #: seconds that an instance may wait for a place or an image before that counts as its startup
#: Why a pod failed that says nothing about its app: the cluster needed the node, or lost it.
_NOT_ITS_FAULT = {
    "Preempting", "Preempted", "NodeLost", "Shutdown", "Terminated", "NodeShutdown", "NodeAffinity", "UnexpectedAdmissionError",
    "OutOfcpu", "OutOfmemory", "OutOfpods", "OutOfephemeral-storage", "DeletionByTaintManager", "TerminationByKubelet",
}  # fmt: skip
_PULL = {
    "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ImageInspectError", "ErrImageNeverPull", "RegistryUnavailable",
}  # fmt: skip
_START = {"CreateContainerError", "RunContainerError", "StartError"}


def see(
    deployment: Mapping, pods: Sequence[Mapping], now: float, events: Iterable[Mapping] = (),
    nodes: Sequence[Mapping] = (), ahead: int = 0,
) -> InstanceSeen | None:  # fmt: skip
    """One instance, None for a Deployment that is none of ours. `events`: warnings of the namespace; `nodes`: those of the
    cluster as far as they may be known; `ahead`: how many wait longer for the same accelerator."""
    about = deployment["metadata"]
    notes = about.get("annotations") or {}
    note = container.read_note(notes, NOTE)
    if note is None or note.id != about["name"]:
        return None
    pod = current(deployment, pods)
    told = seen_of(deployment, pod)
    ready_at = told.get("ready_at")
    began = _began(note, pod)
    allowed = note.startup_timeout + _waited(began, pod, now)
    fault, waiting, address = ended(pods, note), "", ""
    if fault:
        state = InstanceState.EXITED
    elif ready_at is not None and not told.get("silent"):
        state, address = InstanceState.READY, address_of(pod, note)
    else:
        state = InstanceState.STARTING
        if ready_at is not None:
            waiting = f"the node {_node(pod)} does not answer"
        elif _running(pod):
            fault = hints.starting(told, note.port)
            if fault is None and now >= began + allowed:
                fault = hints.too_late(note.startup_timeout, note.port)
        else:
            waiting = wait(deployment, pod, events, nodes, ahead)
    stop = _seconds(notes.get(STOP_AT))
    going = bool(about.get("deletionTimestamp"))
    if going or stop is not None:
        state, waiting = InstanceState.STOPPING, ""
    draining = not going and stop is not None and stop > now
    return InstanceSeen(
        note.id, note.space_id, note.launch_key, state, began, ready_at, address or (address_of(pod, note) if draining else ""),
        fault, allowed, draining, waiting, note.share.hardware, *_marks(pod),
    )  # fmt: skip


def current(deployment: Mapping, pods: Sequence[Mapping]) -> Mapping | None:
    """The pod that counts: the newest one that is not on its way out; but while its node is silent and it answers
    nevertheless, the one that has been given up for another that does not answer yet."""
    last = newest(pods)
    for pod in pods:
        told, ready = seen_of(deployment, pod), condition(pod, "Ready")
        left = on_lost_node(pod) and not ready.get("reason") and not over(pod)  # a kubelet would give a reason
        if left and told.get("ready_at") and not told.get("silent"):
            return pod
    return last


def newest(pods: Sequence[Mapping]) -> Mapping | None:
    """The newest one that is not on its way out."""

    def rank(pod: Mapping) -> tuple:
        about = pod["metadata"]
        return (
            not about.get("deletionTimestamp"), (pod.get("status") or {}).get("phase") != "Failed", about["creationTimestamp"]
        )  # fmt: skip

    return max(pods, key=rank, default=None)


def seen_of(deployment: Mapping, pod: Mapping | None) -> dict:
    """What was noted of this very pod; {} when it was another."""
    text = (deployment["metadata"].get("annotations") or {}).get(SEEN, "")
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    if pod is None or not isinstance(found, dict) or found.get("pod") != pod["metadata"]["uid"]:
        return {}
    return found


def address_of(pod: Mapping | None, note: Note) -> str:
    """host:port, "" when it has none yet."""
    ip = (pod or {}).get("status", {}).get("podIP", "")
    return "" if not ip else f"[{ip}]:{note.port}" if ":" in ip else f"{ip}:{note.port}"


# ----------------------------------------------------------------------------------------------------------- ended


def ended(pods: Sequence[Mapping], note: Note) -> Fault | None:
    """Why its app has ended, None when it has not. What the cluster did to a pod by itself is not its end: another follows."""
    for pod in sorted(pods, key=lambda one: one["metadata"]["creationTimestamp"]):
        if fault := _ended(pod, note):
            return fault
    return None


def _ended(pod: Mapping, note: Note) -> Fault | None:
    status = pod.get("status") or {}
    found = _container(pod)
    last = (found.get("lastState") or {}).get("terminated") or (found.get("state") or {}).get("terminated")
    if status.get("phase") == "Failed" and status.get("reason") and not last:
        return _evicted(status, note)
    if last and not pod["metadata"].get("deletionTimestamp") and status.get("reason") not in _NOT_ITS_FAULT:
        if status.get("reason") == "Evicted":
            return _evicted(status, note)
        return _terminated(last, note)
    waiting = (found.get("state") or {}).get("waiting") or {}
    if waiting.get("reason") in _START:
        return Fault("APP_EXITED", f"the container could not be started: {_cut(waiting.get('message'))}")
    if waiting.get("reason") in _PULL:
        words, hopeless = waits.pull(waiting["reason"], waiting.get("message", ""))
        return Fault("IMAGE_GONE", words) if hopeless else None
    return None


def _terminated(last: Mapping, note: Note) -> Fault:
    message = str(last.get("message") or "")
    status = last_words(message) if note.launcher else {}
    if status.get("asked"):
        return hints.LOST
    tail = status.get("tail") or [line for line in message.splitlines() if line.strip()][-50:]
    if any("exec format error" in line for line in tail[-3:]):
        return Fault("APP_EXITED", "the image is made for another kind of processor")
    state = {"OOMKilled": last.get("reason") == "OOMKilled", "ExitCode": last.get("exitCode")}
    if last.get("reason") in ("StartError", "ContainerCannotRun"):
        state["Error"] = _cut(message)
    how = container.died(state, status, note, tail)
    return hints.LOST if how is None else hints.exited(how)


def last_words(message: str) -> dict:
    """The launcher's status in a termination message, {} when it left none."""
    try:
        found = json.loads(message)
    except (ValueError, RecursionError):
        return {}
    return container.checked(found) if isinstance(found, dict) else {}


def _evicted(status: Mapping, note: Note) -> Fault | None:
    """Of a pod that the kubelet put out: the app's doing if it used more than it may."""
    if status["reason"] != "Evicted":
        return None
    message = str(status.get("message") or "")
    if re.search(r"exceeds the (total )?limit|exceeded its local ephemeral storage limit", message):
        sentence = "the app wrote more to its disk than its hardware has"
        return Fault("APP_DISK", sentence, hint="write less, or ask for larger hardware")
    return None


def _cut(message: object) -> str:
    return str(message or "no reason given").strip()[:400]


# ----------------------------------------------------------------------------------------------------------- waits


def wait(
    deployment: Mapping, pod: Mapping | None, events: Iterable[Mapping] = (), nodes: Sequence[Mapping] = (), ahead: int = 0,
) -> str:  # fmt: skip
    """What the platform is waiting for, "" if nothing is known."""
    if pod is None:
        failure = condition(deployment, "ReplicaFailure")
        return waits.refused(str(failure.get("message") or "")) if failure.get("status") == "True" else ""
    placed = condition(pod, "PodScheduled")
    if placed.get("status") == "False":
        resource, count = accelerator(pod)
        never = waits.never_fits(resource, count, nodes)
        return never or waits.unschedulable(str(placed.get("message") or ""), resource, ahead)
    waiting = (_container(pod).get("state") or {}).get("waiting") or {}
    said = [one for one in events if (one.get("involvedObject") or {}).get("uid") == pod["metadata"]["uid"]]
    if waiting.get("reason") in _PULL:
        causes = [str(one.get("message")) for one in said if "Failed to pull image" in str(one.get("message"))]
        return waits.pull(waiting["reason"], waiting.get("message", ""), causes[-1] if causes else "")[0]
    for one in reversed(said):
        if words := waits.event(str(one.get("reason")), str(one.get("message"))):
            return words
    if waiting.get("reason") == "CreateContainerConfigError":
        return f"the node cannot start its container: {_cut(waiting.get('message'))}"
    if waiting.get("reason") == "ContainerCreating" and placed:
        return f"the node {_node(pod)} fetches the image"
    return ""


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


# ----------------------------------------------------------------------------------------------------------- times


def _container(pod: Mapping | None) -> Mapping:
    return next(iter(((pod or {}).get("status") or {}).get("containerStatuses") or ()), {})


def _running(pod: Mapping | None) -> bool:
    return "running" in (_container(pod).get("state") or {})


def on_lost_node(pod: Mapping) -> bool:
    """Whether its node is silent: without a probe of the kubelet's, a running container makes its pod ready."""
    return _running(pod) and condition(pod, "Ready").get("status") == "False"


def _node(pod: Mapping | None) -> str:
    return ((pod or {}).get("spec") or {}).get("nodeName", "")


def _began(note: Note, pod: Mapping | None) -> float:
    """When this pod was made, if it follows on one that was lost; else when the instance was launched."""
    made = time_of(pod["metadata"]["creationTimestamp"]) if pod else 0.0
    return made if made > note.started_at + 15.0 else note.started_at


def _waited(began: float, pod: Mapping | None, now: float) -> float:
    """Seconds without a container to start: they are not the app's."""
    running = (_container(pod).get("state") or {}).get("running") or {}
    until = time_of(running.get("startedAt", "")) or now
    return min(DAY, max(0.0, until - began))


def _marks(pod: Mapping | None) -> tuple[float | None, float | None]:
    """When it had a node, and when its container was started; in whole seconds, as clusters tell them."""
    placed = condition(pod or {}, "PodScheduled")
    at = time_of(placed.get("lastTransitionTime", "")) if placed.get("status") == "True" else 0.0
    state = _container(pod)
    found = (state.get("state") or {}).get("running") or (state.get("lastState") or {}).get("terminated") or {}
    return at or None, time_of(found.get("startedAt", "")) or None


def time_of(text: str) -> float:
    """Epoch seconds of RFC 3339, 0 when it is none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError):
        return 0.0


def _seconds(text: object) -> float | None:
    try:
        return float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


# ---------------------------------------------------------------------------------------------------- asked by care


def begun(pod: Mapping) -> bool:
    """Whether its container has been started, so that there is a log."""
    state, last = _container(pod).get("state") or {}, _container(pod).get("lastState") or {}
    return "running" in state or "terminated" in state or "terminated" in last


def restarted(pod: Mapping | None) -> bool:
    """Whether the container that counts is the one before."""
    return "terminated" in (_container(pod).get("lastState") or {})


def alive(pod: Mapping | None) -> bool:
    """Whether its first container runs, or has not begun to."""
    if pod is None or (pod.get("status") or {}).get("phase") in ("Failed", "Succeeded"):
        return False
    return not restarted(pod) and "terminated" not in (_container(pod).get("state") or {})


def over(pod: Mapping) -> bool:
    """Whether it holds nothing of its node any more."""
    return (pod.get("status") or {}).get("phase") in ("Failed", "Succeeded")


def stopped(pod: Mapping) -> bool:
    """Whether the kubelet has said that its container has ended, and will not start another."""
    return bool(pod["metadata"].get("deletionTimestamp")) and "terminated" in (_container(pod).get("state") or {})


def cannot_pull(pod: Mapping) -> bool:
    """Whether its image did not come, for a reason that may pass."""
    waiting = (_container(pod).get("state") or {}).get("waiting") or {}
    return waiting.get("reason") in _PULL and not waits.pull(waiting["reason"], waiting.get("message", ""))[1]


def volume(pod: Mapping) -> bool:
    """Whether it holds a volume that another pod must not write at the same time."""
    return any("persistentVolumeClaim" in one for one in pod["spec"].get("volumes") or ())
