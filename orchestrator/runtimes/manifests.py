"""What an instance is on Kubernetes: a Deployment, a Secret with its environment, and the volume of its Space, as plain
objects of the API. Pure. Also the names and marks by which they are found again; all that Podium must know after a restart
is in them.

    label       podium/owner      which Podium, as several may share a namespace
                podium/space      the Space
                podium/instance   the instance
    annotation  podium/note       of a Deployment: what was launched (container.Note)
                podium/seen       what has been seen of its pod: ready or what is in the way
                podium/stop-at    the wish to stop it, as epoch seconds: it drains until then
                podium/shrink     the wish for fewer replicas: how many, and until when the others drain"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.domain.hardware import Hardware
from orchestrator.ports import LaunchSpec
from orchestrator.runtimes import container
from orchestrator.runtimes.container import Note

OWNER, SPACE, INSTANCE = "podium/owner", "podium/space", "podium/instance"
NOTE, SEEN, STOP_AT, SHRINK = "podium/note", "podium/seen", "podium/stop-at", "podium/shrink"
LAST_WORDS = "/dev/termination-log"  #: how the app ended, from the launcher to the pod's status
ROOM = 5.0  #: seconds that the launcher gets beside the app's own grace
LOST_AFTER = 30  #: seconds that a node may be silent before its pods are given up
_MB = 1024**2


@dataclass(frozen=True, slots=True)
class Options:
    """What the operator says about all pods. `storage`: size of each Space's volume as Kubernetes writes it ("20Gi"), "" for
    none, which makes /data as short-lived as the pod; `storage_class` "" is the cluster's own. `share`: the part of its
    limits of CPU, memory and disk that a pod is sure of, and that a node must have free for it."""

    namespace: str = "podium-apps"
    dns_policy: str = "Default"
    pull_secrets: tuple[str, ...] = ()
    priority_class: str = ""
    storage: str = ""
    storage_class: str = ""
    storage_mode: str = "ReadWriteOnce"
    share: float = 0.25


def labels(owner: str, space_id: str, instance_id: str = "") -> dict[str, str]:
    ours = {
        "app.kubernetes.io/managed-by": "podium", "app.kubernetes.io/component": "app", OWNER: owner, SPACE: space_id,
    }  # fmt: skip
    return ours | {INSTANCE: instance_id} if instance_id else ours


def volume_name(space_id: str) -> str:
    return f"data-{space_id}"


def secret(name: str, owner: str, spec: LaunchSpec, grace: float) -> dict:
    """The whole environment of the app. It is in no other object, and goes with the Deployment that is made its owner."""
    more = {
        "status": "-", "last_words": LAST_WORDS, "ended": f"{container.STATUS}/ended",
        "processes": spec.hardware.processes, "files": spec.hardware.files, "file_size": spec.hardware.disk,
    }  # fmt: skip
    env = container.environment(spec, grace, more=more)
    data = {name: base64.b64encode(value.encode("utf-8", "surrogateescape")).decode() for name, value in env.items()}
    return {
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "immutable": True, "data": data,
        "metadata": {"name": name, "labels": labels(owner, spec.space_id, spec.instance_id)},
    }  # fmt: skip


def owned_by(deployment: Mapping) -> dict:
    """A patch that lets something go when the Deployment goes."""
    about = deployment["metadata"]
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": about["name"], "uid": about["uid"]}
    return {"metadata": {"ownerReferences": [owner]}}


def volume(owner: str, space_id: str, options: Options) -> dict:
    wanted: dict = {"accessModes": [options.storage_mode], "resources": {"requests": {"storage": options.storage}}}
    if options.storage_class:
        wanted["storageClassName"] = options.storage_class
    return {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": wanted,
        "metadata": {"name": volume_name(space_id), "labels": labels(owner, space_id)},
    }  # fmt: skip


def deployment(spec: LaunchSpec, note: Note, owner: str, secret_name: str, options: Options) -> dict:
    """Pods that are all alike, each replaced by another when its node is lost, never updated: every change but that of their
    number is another launch."""
    ours = labels(owner, note.space_id, note.id)
    chosen = {OWNER: owner, INSTANCE: note.id}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": note.id, "labels": ours, "annotations": {NOTE: container.written(note)}},
        "spec": {
            "replicas": spec.replicas, "revisionHistoryLimit": 0, "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": chosen},
            "template": {"metadata": {"labels": ours}, "spec": _pod(spec, note, secret_name, options)},
        },
    }  # fmt: skip


def _pod(spec: LaunchSpec, note: Note, secret_name: str, options: Options) -> dict:
    hardware = spec.hardware
    pod: dict = {
        "automountServiceAccountToken": False, "enableServiceLinks": False, "dnsPolicy": options.dns_policy,
        "restartPolicy": "Always", "hostname": "app",
        "terminationGracePeriodSeconds": round(note.grace + (ROOM if note.launcher else 0.0)) or 1,
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": container.USER, "runAsGroup": container.USER, "fsGroup": container.USER,
            "fsGroupChangePolicy": "OnRootMismatch", "seccompProfile": {"type": "RuntimeDefault"},
        },
        "tolerations": _tolerations(hardware),
        "containers": [_container(spec, note, secret_name, options)],
        "volumes": [
            {"name": "data", **_data(note.space_id, hardware, options)},
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": str(max(64 * _MB, hardware.memory // 2))}},
            {"name": "podium", "emptyDir": {"sizeLimit": "1Mi"}},
        ],
    }  # fmt: skip
    if hardware.node_selector:
        pod["nodeSelector"] = dict(hardware.node_selector)
    if hardware.runtime_class:
        pod["runtimeClassName"] = hardware.runtime_class
    if priority := hardware.priority_class or options.priority_class:
        pod["priorityClassName"] = priority
    if options.pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in options.pull_secrets]
    return pod


def _container(spec: LaunchSpec, note: Note, secret_name: str, options: Options) -> dict:
    hardware = spec.hardware
    made = {
        "name": "app", "image": spec.image.reference, "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": "http", "containerPort": note.port}],
        "envFrom": [{"secretRef": {"name": secret_name}}],
        "resources": _resources(hardware, options.share),
        "terminationMessagePath": LAST_WORDS, "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False, "privileged": False, "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "data", "mountPath": "/data"},
            {"name": "shm", "mountPath": "/dev/shm"},
            {"name": "podium", "mountPath": container.STATUS},
        ],
    }  # fmt: skip
    if not hardware.count:  # CUDA images ask for every GPU of a node, and a GPU node's engine may well obey
        made["env"] = [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"}]
    return made


def _resources(hardware: Hardware, share: float) -> dict:
    limits = {
        "cpu": _cpus(hardware.cpu), "memory": str(hardware.memory), "ephemeral-storage": str(hardware.disk),
    }  # fmt: skip
    requests = {
        "cpu": _cpus(hardware.cpu * share), "memory": str(round(hardware.memory * share)),
        "ephemeral-storage": str(round(hardware.disk * share)),
    }  # fmt: skip
    if hardware.resource and hardware.count:  # Kubernetes wants both, and equal
        limits[hardware.resource] = requests[hardware.resource] = str(hardware.count)
    return {"limits": limits, "requests": requests}


def _cpus(number: float) -> str:
    return f"{max(10, round(number * 1000))}m"


def _tolerations(hardware: Hardware) -> list[dict]:
    """Those of the hardware, and a shorter wait for a lost node than the five minutes of Kubernetes."""
    made: list[dict] = []
    for one in hardware.tolerations:
        toleration = {"key": one.key, "operator": one.operator}
        if one.operator == "Equal":
            toleration["value"] = one.value
        made.append(toleration | ({"effect": one.effect} if one.effect else {}))
    for trouble in ("not-ready", "unreachable"):
        made.append({
            "key": f"node.kubernetes.io/{trouble}", "operator": "Exists", "effect": "NoExecute",
            "tolerationSeconds": LOST_AFTER,
        })  # fmt: skip
    return made


def _data(space_id: str, hardware: Hardware, options: Options) -> dict:
    if options.storage:
        return {"persistentVolumeClaim": {"claimName": volume_name(space_id)}}
    return {"emptyDir": {"sizeLimit": str(hardware.disk)}}


def seen_of(found: Mapping) -> dict:
    """A patch that keeps what has been seen of the pod."""
    return {"metadata": {"annotations": {SEEN: json.dumps(found, separators=(",", ":"))}}}


def stop_at(when: float | None) -> dict:
    """A patch that keeps the wish to stop, or takes it back."""
    return {"metadata": {"annotations": {STOP_AT: None if when is None else f"{when:.3f}"}}}


def replicas(count: int) -> dict:
    """A patch for so many pods, now."""
    return {"metadata": {"annotations": {SHRINK: None}}, "spec": {"replicas": count}}


def shrink(count: int, when: float) -> dict:
    """A patch that keeps the wish for fewer pods."""
    return {"metadata": {"annotations": {SHRINK: f"{count} {when:.3f}"}}}


def secret_of(deployment: Mapping) -> str:
    """Name of the Secret that its pods take their environment from."""
    return deployment["spec"]["template"]["spec"]["containers"][0]["envFrom"][0]["secretRef"]["name"]
