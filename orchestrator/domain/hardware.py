"""The catalogue of hardware flavours: what an instance is given, and where it may run. Pure; files are read elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Toleration:
    """A taint of Kubernetes nodes that an instance may ignore; the fields are those of a pod's toleration."""

    key: str
    value: str = ""
    effect: str = ""  #: NoSchedule, NoExecute, PreferNoSchedule; "": all
    operator: str = "Equal"  #: Equal or Exists


@dataclass(frozen=True, slots=True)
class Hardware:
    """`name` is the wire name (`cpu-basic`); `memory` and `disk` in bytes; `exclusive`: only one instance of a Space may
    hold it at a time (a GPU, a one-writer volume), so the old one goes before the new one starts."""

    name: str
    pretty_name: str
    cpu: float
    memory: int
    disk: int
    processes: int = 512
    files: int = 4096
    exclusive: bool = False
    accelerator: str = "none"  #: what people call it ("Nvidia A10G"), `none` without one
    resource: str = ""  #: a cluster's name of the accelerator ("nvidia.com/gpu")
    count: int = 0  #: accelerators of one instance
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()
    runtime_class: str = ""  #: RuntimeClass of its pods, "" for the cluster's own
    price: float = 0.0  #: of one hour, in `currency` of the catalogue


def catalogue(cpu: float, memory: int, disk: int, processes: int = 512, files: int = 4096) -> dict[str, Hardware]:
    """The flavours of one machine."""
    basic = Hardware("cpu-basic", "CPU basic", cpu, memory, disk, processes, files)
    return {basic.name: basic}
