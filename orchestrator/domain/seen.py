"""What the reconciler saw of one Space, as plain values: its build, its instances, its failures. No opinion about any of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Fault:
    """The author's fault in one sentence. `code` is stable (`REQ_NOT_FOUND`); `message` names what was found and what to
    write instead; `where` is `file` or `file:line`; `hint` is optional extra advice."""

    code: str
    message: str
    where: str = ""
    hint: str = ""

    def sentence(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


@dataclass(frozen=True, slots=True)
class Image:
    """What a build makes and a runtime launches; JSON-safe on purpose. In the one-machine shape `environment` and
    `source` are directories; in a cluster `reference` is an image by digest.

    `argv` may hold the word `{port}`, replaced at launch; `env` values too."""

    id: str  #: content hash: equal ids run equal bytes
    sdk: str
    argv: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    port: int = 7860  #: the port that the author's contract promises (7860, 8501 or `app_port`)
    ready_path: str = "/"  #: any HTTP answer below 500 here means ready
    startup_timeout: float = 1800.0  #: seconds
    environment: str = ""  #: directory of the Python environment, "" if none
    source: str = ""  #: directory of the exported app files
    reference: str = ""  #: registry reference by digest, "" on one machine
    sdk_version: str = ""
    python_version: str = ""
    title: str = ""
    base_path: str = "/"
    headers: dict[str, str] = field(default_factory=dict)  #: `custom_headers` of the front matter
    embeddable: bool = True


class BuildState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"  #: the author's fault, `fault` says which
    LOST = "lost"  #: ours: the worker died or the image is gone; build again
    SUPERSEDED = "superseded"  #: a newer push came first


class FaultKind(StrEnum):
    NO_APP_FILE = "no_app_file"
    CONFIG = "config"
    BUILD = "build"


@dataclass(frozen=True, slots=True)
class BuildSeen:
    """The build of the wanted build key. `since`: epoch seconds when its state began; `deadline`: when it will be given up."""

    key: str
    state: BuildState
    since: float
    image: Image | None = None
    fault: Fault | None = None
    fault_kind: FaultKind = FaultKind.BUILD
    deadline: float | None = None
    ahead: int = 0  #: builds queued before it
    number: int = 0


class InstanceState(StrEnum):
    STARTING = "starting"
    READY = "ready"
    EXITED = "exited"
    STOPPING = "stopping"  #: told to stop, still there


@dataclass(frozen=True, slots=True)
class ReplicaSeen:
    """One of the equal copies that an instance consists of, where its runtime can have several. `address` is "" while it does
    not answer."""

    id: str
    started_at: float
    address: str = ""
    waiting: bool = False  #: it has not got its hardware yet


@dataclass(frozen=True, slots=True)
class InstanceSeen:
    """What a launch made, running or just dead; ready when one replica of it is. `address` is `host:port` or `unix:/path`, ""
    until known."""

    id: str
    space_id: str
    launch_key: str
    state: InstanceState
    started_at: float
    ready_at: float | None = None
    address: str = ""
    fault: Fault | None = None  #: why it exited, or why it is not ready so far (listens on another port)
    startup_timeout: float = 1800.0
    draining: bool = False  #: STOPPING, but still whole: launching it again calls it back
    #: What the platform is waiting for ("for a GPU: 0 of 2 nodes fit"), "" if nothing; of a ready one, what keeps its other
    #: replicas.
    waiting: str = ""
    hardware: str = ""  #: name of the flavour that it was launched on, "" if its runtime does not tell
    asked: int = 1  #: replicas that the runtime was told to have
    replicas: tuple[ReplicaSeen, ...] | None = None  #: those that are there; None where there is one of everything
    placed_at: float | None = None  #: when it had a machine to run on
    begun_at: float | None = None  #: when its program was started there

    @property
    def addresses(self) -> tuple[str, ...]:
        """Of all replicas that answer."""
        if self.replicas is None:
            return (self.address,) if self.address else ()
        return tuple(one.address for one in self.replicas if one.address)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a cluster says about an instance, in its own words."""

    at: float  #: when it happened last
    reason: str  #: one word, as FailedScheduling
    message: str
    warning: bool = False
    count: int = 1  #: how often
    instance_id: str = ""


@dataclass(frozen=True, slots=True)
class Taint:
    """What keeps instances off a node unless their flavour tolerates it; the fields are those of a Kubernetes taint."""

    key: str
    value: str = ""
    effect: str = "NoSchedule"


@dataclass(frozen=True, slots=True)
class Held:
    """What one instance has of a node. `resources`: accelerators by their cluster name. `instance_id` and `space_id` are ""
    for what is not ours but takes room all the same."""

    instance_id: str
    space_id: str
    cpu: float = 0.0
    memory: int = 0
    resources: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeSeen:
    """One machine that runs instances: what it may give to all of them together, and who has what. `reserves`: how much
    of its flavour's CPU and memory an instance takes away from the others, 1.0 for all of it (requests on a cluster); 0.0
    where those are only limits, and accelerators alone are counted."""

    name: str
    ready: bool = True  #: takes new instances
    trouble: str = ""  #: why it is not ready
    cpu: float = 0.0
    memory: int = 0  #: bytes
    resources: Mapping[str, int] = field(default_factory=dict)  #: {"nvidia.com/gpu": 4}
    held: tuple[Held, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)  #: what a flavour's node_selector asks for
    taints: tuple[Taint, ...] = ()
    reserves: float = 0.0


@dataclass(frozen=True, slots=True)
class Failures:
    """How often launches under `launch_key` failed, most recently at `last_at` (epoch seconds)."""

    launch_key: str = ""
    count: int = 0
    last_at: float = 0.0
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Room:
    """Whether the wanted hardware can be had now. `holders`: instances of the Space itself that have some of it, and would
    give it back: `free` counts that as free."""

    free: bool
    reason: str = ""  #: what it waits for, with figures and its place in the queue
    holders: frozenset[str] = frozenset()
    fits: int = 1  #: how many replicas could have it, those included that do


@dataclass(frozen=True, slots=True)
class Seen:
    build: BuildSeen | None
    instances: tuple[InstanceSeen, ...]
    last_activity: float  #: epoch seconds of the last real use, push or command
    failures: Failures = Failures()
    room: Room | None = None  #: of hardware that is counted; None: it is not, or nobody knows
    queued_at: float | None = None  #: since when it waits for its hardware
    denied: str = ""  #: why it may not have its hardware, "" when it may
