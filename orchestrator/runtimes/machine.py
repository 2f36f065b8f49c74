"""What this machine has for instances: CPUs, memory and GPUs, and which instance has which of them. Owns counting and giving out
GPUs by number; knows no process and no container."""

import os
import re
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from glob import glob

import psutil

from orchestrator.domain.hardware import Hardware
from orchestrator.domain.seen import Held, NodeSeen
from orchestrator.errors import Unavailable

NVIDIA = "nvidia.com/gpu"
AMD = "amd.com/gpu"
_NODE = re.compile(r"/dev/nvidia(\d+)")


@dataclass(frozen=True, slots=True)
class Share:
    """What an instance was given, as its runtime keeps it. `gpus`: numbers of its accelerators."""

    hardware: str = ""
    cpu: float = 0.0
    memory: int = 0
    resource: str = ""
    gpus: tuple[int, ...] = ()

    @classmethod
    def read(cls, kept: Mapping[str, object]) -> "Share":
        """From JSON. Raises TypeError for what is none."""
        return cls(**{**kept, "gpus": tuple(kept.get("gpus", ()))})


def gpus() -> dict[str, tuple[int, ...]]:
    """The numbers of this machine's GPUs by resource. NVIDIA's driver makes one device node each, AMD's one render node
    beside /dev/kfd."""
    nvidia = sorted(int(found[1]) for path in glob("/dev/nvidia[0-9]*") if (found := _NODE.fullmatch(path)))
    amd = range(len(glob("/dev/dri/renderD*"))) if os.path.exists("/dev/kfd") else ()
    return {name: tuple(numbers) for name, numbers in ((NVIDIA, nvidia), (AMD, amd)) if numbers}


def share_of(hardware: Hardware, taken: Iterable[Share]) -> Share:
    """What a new instance gets: the accelerators with the lowest numbers that nobody has. Raises Unavailable when too few
    are free; the reconciler asks before, so that this only happens to those who come at the same moment."""
    plain = (hardware.name, hardware.cpu, hardware.memory)
    if not hardware.count:
        return Share(*plain)
    used = {number for share in taken if share.resource == hardware.resource for number in share.gpus}
    free = [number for number in gpus().get(hardware.resource, ()) if number not in used]
    if len(free) < hardware.count:
        raise Unavailable(
            f"{hardware.pretty_name} needs {hardware.count} x {hardware.resource}, and {len(free)} of this machine are free"
        )
    return Share(*plain, hardware.resource, tuple(free[: hardware.count]))


def node(shares: Mapping[tuple[str, str], Share]) -> NodeSeen:
    """This machine. `shares` by (instance id, Space id). CPU and memory are limits here, not reservations."""
    held = tuple(
        Held(instance, space, share.cpu, share.memory, {share.resource: len(share.gpus)} if share.gpus else {})
        for (instance, space), share in shares.items()
    )
    resources = {name: len(numbers) for name, numbers in gpus().items()}
    memory = psutil.virtual_memory().total
    return NodeSeen(socket.gethostname(), True, "", float(os.cpu_count() or 1), memory, resources, held)


def devices(share: Share) -> list[str]:
    """The device nodes that a sandbox shows. GPU libraries count those that they see from 0, so nothing else need be told."""
    if share.resource == NVIDIA and share.gpus:
        control = [path for path in glob("/dev/nvidia*") if not _NODE.fullmatch(path)]
        return [*control, *(f"/dev/nvidia{number}" for number in share.gpus)]
    return ["/dev/dri", "/dev/kfd"] if share.gpus else []


def told(share: Share, boxed: bool) -> dict[str, str]:
    """Variables that keep an app to its own GPUs where no sandbox hides the others."""
    name = {NVIDIA: "" if boxed else "CUDA_VISIBLE_DEVICES", AMD: "ROCR_VISIBLE_DEVICES"}.get(share.resource, "")
    return {name: ",".join(str(number) for number in share.gpus)} if name and share.gpus else {}
