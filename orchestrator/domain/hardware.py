"""The catalogue of hardware flavours: what an instance is given. The one-machine shape has one, sized by settings."""

from dataclasses import dataclass


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
    accelerator: str = "none"


def catalogue(cpu: float, memory: int, disk: int, processes: int = 512, files: int = 4096) -> dict[str, Hardware]:
    """The flavours of one machine."""
    basic = Hardware("cpu-basic", "CPU basic", cpu, memory, disk, processes, files)
    return {basic.name: basic}
