"""The catalogue of hardware flavours: what an instance is given, where it may run, who may have it and what it costs. Pure; the
file of an operator is read by hardware_file.py."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

NEVER = float("inf")  #: as `sleep_after`: it does not sleep


class Access(StrEnum):
    """Who may move a Space to a flavour. Admins always may."""

    EVERYONE = "everyone"  #: whoever may change the Space
    REQUEST = "request"  #: they ask, an admin approves or refuses
    OWNERS = "owners"  #: those who may change a Space of an owner on the flavour's list
    ADMINS = "admins"  #: nobody else


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
    price: float = 0.0  #: of one hour, in `currency`
    currency: str = "USD"  #: the same in all of a catalogue
    vram: str = ""  #: memory of one accelerator, in words ("16 GB")
    access: Access = Access.EVERYONE
    owners: tuple[str, ...] = ()  #: names of users and organisations, with Access.OWNERS
    sleep_after: float | None = None  #: seconds without use until its Spaces sleep, or NEVER; None: no rule of its own
    sleep_forced: bool = False  #: the rule holds whatever a Space asks for; else it is what a Space begins with
    elastic: bool = False  #: nodes for it are made on demand: what they have now says nothing about what fits
    priority_class: str = ""  #: PriorityClass of its pods, "" for the one of all apps

    @property
    def metered(self) -> bool:
        """Whether an owner needs a quota for it."""
        return self.price > 0 or self.count > 0

    def open_to(self, owner: str) -> bool:
        """Whether members of an owner may take it without asking."""
        if self.access is Access.OWNERS:
            return owner.lower() in (name.lower() for name in self.owners)
        return self.access is Access.EVERYONE

    def sleeps_after(self, wished: float | None) -> float | None:
        """Seconds without use until a Space on it sleeps, None for never, when its people wished for `wished`."""
        seconds = self.sleep_after if self.sleep_forced else wished
        return None if seconds is None or seconds == NEVER else seconds


def catalogue(cpu: float, memory: int, disk: int, processes: int = 512, files: int = 4096) -> dict[str, Hardware]:
    """The flavours of one machine."""
    basic = Hardware("cpu-basic", "CPU Basic", cpu, memory, disk, processes, files)
    return {basic.name: basic}
