"""From what a cluster tells of an instance (its Deployment, pods, events) to an InstanceSeen. Pure: everything that is known is
in these objects, so that every control plane sees the same, also after a restart."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from orchestrator.domain.seen import Fault, InstanceSeen, InstanceState, ReplicaSeen
from orchestrator.runtimes import container, hints, standing, waits
from orchestrator.runtimes import pod_facts as facts
from orchestrator.runtimes.container import Note
from orchestrator.runtimes.manifests import NOTE, STOP_AT

DAY = 86400.0  #: seconds that an instance may wait for a place or an image before that counts as its startup
#: Why a pod failed that says nothing about its app: the cluster needed the node, or lost it.
_NOT_ITS_FAULT = {
    "Preempting", "Preempted", "NodeLost", "Shutdown", "Terminated", "NodeShutdown", "NodeAffinity", "UnexpectedAdmissionError",
    "OutOfcpu", "OutOfmemory", "OutOfpods", "OutOfephemeral-storage", "DeletionByTaintManager", "TerminationByKubelet",
}  # fmt: skip
_UNREAD = (
    "Error on reading termination message"  #: begins the kubelet's own words when a log is gone: no word of the app's
)
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
    own = standing.standing(deployment, pods)
    pod, there = own[0] if own else None, standing.answering(deployment, own)
    told = standing.told_of(deployment, pod)
    ready_at = min((standing.told_of(deployment, one)["ready_at"] for one in there), default=told.get("ready_at"))
    began = min((_began(note, one) for one in own), default=note.started_at)
    allowed = note.startup_timeout + _waited(began, pod, now)
    asked, waiting = standing.asked(deployment), ""
    fault = ended([one for one in pods if one not in there], note) if asked == 1 or not there else None
    if fault:
        state, there = InstanceState.EXITED, []
    elif there:
        state, waiting = InstanceState.READY, _missing(deployment, own, there, note, asked, events, nodes, ahead)
    else:
        state = InstanceState.STARTING
        if ready_at is not None:
            waiting = f"the node {facts.node_of(pod)} does not answer"
        elif facts.running(pod):
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
    replicas = _replicas(pods, own, there, note, going)
    address = next((one.address for one in replicas if one.address), "")
    return InstanceSeen(
        note.id, note.space_id, note.launch_key, state, began, ready_at, address, fault, allowed, draining, waiting,
        note.share.hardware, asked, replicas, *facts.marks(pod),
    )  # fmt: skip


def _replicas(
    pods: Sequence[Mapping], own: Sequence[Mapping], answering: Sequence[Mapping], note: Note, going: bool
) -> tuple[ReplicaSeen, ...]:
    """Whatever holds hardware, the oldest first: also what is to go soon. Of what a cluster has given up, nobody knows."""
    made = []
    for pod in sorted(pods, key=standing.age):
        about = pod["metadata"]
        if not facts.over(pod) and (going or pod in own or not about.get("deletionTimestamp")):
            address = facts.address_of(pod, note) if pod in answering else ""
            name = about["name"].removeprefix(f"{note.id}-")
            made.append(ReplicaSeen(name, facts.time_of(about["creationTimestamp"]), address, facts.unplaced(pod)))
    return tuple(made)


def _missing(
    deployment: Mapping, own: Sequence[Mapping], answering: Sequence[Mapping], note: Note, asked: int,
    events: Iterable[Mapping], nodes: Sequence[Mapping], ahead: int,
) -> str:  # fmt: skip
    """What keeps those replicas that do not answer, "" when all do or nothing is known."""
    for pod in own:
        if pod in answering:
            continue
        if fault := ended([pod], note):
            return f"one ended: {fault.sentence()}"
        if facts.on_lost_node(pod):
            return f"the node {facts.node_of(pod)} does not answer"
        hint = hints.starting(standing.told_of(deployment, pod), note.port) if facts.running(pod) else None
        if words := hint.sentence() if hint else wait(deployment, pod, events, nodes, ahead):
            return words
    return wait(deployment, None) if len(own) < asked else ""


# ----------------------------------------------------------------------------------------------------------- ended


def ended(pods: Sequence[Mapping], note: Note) -> Fault | None:
    """Why its app has ended, None when it has not. What the cluster did to a pod by itself is not its end: another follows."""
    for pod in sorted(pods, key=lambda one: one["metadata"]["creationTimestamp"]):
        if fault := _ended(pod, note):
            return fault
    return None


def _ended(pod: Mapping, note: Note) -> Fault | None:
    status = pod.get("status") or {}
    found = facts.container_of(pod)
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
    if waiting.get("reason") in facts.PULL:
        words, hopeless = waits.pull(waiting["reason"], waiting.get("message", ""))
        return Fault("IMAGE_GONE", words) if hopeless else None
    return None


def _terminated(last: Mapping, note: Note) -> Fault:
    message = str(last.get("message") or "")
    if message.startswith(_UNREAD):
        fault = _terminated({**last, "message": ""}, note)
        cause = _cut(message.removeprefix(_UNREAD).removeprefix(" from logs").lstrip(": "))
        return replace(fault, message=f"{fault.message} (its node could not read its last words: {cause})")
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
        failure = facts.condition(deployment, "ReplicaFailure")
        return waits.refused(str(failure.get("message") or "")) if failure.get("status") == "True" else ""
    placed = facts.condition(pod, "PodScheduled")
    if placed.get("status") == "False":
        resource, count = facts.accelerator(pod)
        never = waits.never_fits(resource, count, nodes)
        return never or waits.unschedulable(str(placed.get("message") or ""), resource, ahead)
    waiting = (facts.container_of(pod).get("state") or {}).get("waiting") or {}
    said = [one for one in events if (one.get("involvedObject") or {}).get("uid") == pod["metadata"]["uid"]]
    if waiting.get("reason") in facts.PULL:
        causes = [str(one.get("message")) for one in said if "Failed to pull image" in str(one.get("message"))]
        return waits.pull(waiting["reason"], waiting.get("message", ""), causes[-1] if causes else "")[0]
    for one in reversed(said):
        if words := waits.event(str(one.get("reason")), str(one.get("message"))):
            return words
    if waiting.get("reason") == "CreateContainerConfigError":
        return f"the node cannot start its container: {_cut(waiting.get('message'))}"
    if waiting.get("reason") == "ContainerCreating" and placed:
        return f"the node {facts.node_of(pod)} fetches the image"
    return ""


# ----------------------------------------------------------------------------------------------------------- times


def _began(note: Note, pod: Mapping | None) -> float:
    """When this pod was made, if it follows on one that was lost; else when the instance was launched."""
    made = facts.time_of(pod["metadata"]["creationTimestamp"]) if pod else 0.0
    return made if made > note.started_at + 15.0 else note.started_at


def _waited(began: float, pod: Mapping | None, now: float) -> float:
    """Seconds without a container to start: they are not the app's."""
    running = (facts.container_of(pod).get("state") or {}).get("running") or {}
    until = facts.time_of(running.get("startedAt", "")) or now
    return min(DAY, max(0.0, until - began))


def _seconds(text: object) -> float | None:
    try:
        return float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
