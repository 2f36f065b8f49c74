"""What a look at a Space ends in: its stage, its route, and what is to be done. Values only; who decides is decide.py."""

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.domain.stage import Stage


class RouteState(StrEnum):
    OPEN = "open"  #: forward to the instance
    WAIT = "wait"  #: hold the request or show progress; it comes by itself
    WAKE = "wake"  #: as wait, and the visit must be reported first
    CLOSED = "closed"  #: say why, nothing will come by itself


@dataclass(frozen=True, slots=True)
class StartBuild:
    pass


@dataclass(frozen=True, slots=True)
class Launch:
    launch_key: str
    replicas: int = 1


@dataclass(frozen=True, slots=True)
class Stop:
    """Withdraw the route first, wait `drain` seconds, then stop."""

    instance_id: str
    drain: float = 0.0


@dataclass(frozen=True, slots=True)
class Reap:
    """The instance failed: stop what is left of it, keep its last log lines, count a failure under its key."""

    instance_id: str
    late: bool = False  #: it never answered in time (rather than exited)


@dataclass(frozen=True, slots=True)
class Scale:
    """Have so many replicas of an instance that goes on as it is."""

    instance_id: str
    replicas: int


@dataclass(frozen=True, slots=True)
class ClearFailures:
    pass


@dataclass(frozen=True, slots=True)
class Forget:
    """Nothing is left of a deleted Space: remove its rows, repo and volume."""


Action = StartBuild | Launch | Scale | Stop | Reap | ClearFailures | Forget


@dataclass(frozen=True, slots=True)
class Decision:
    stage: Stage
    route: RouteState
    reason: str = ""  #: one sentence for the author and the waiting visitor
    do: tuple[Action, ...] = ()
    serve: str = ""  #: id of the instance that the route points at
    since: float | None = None  #: when this wait began
    deadline: float | None = None  #: when this wait will be given up
    look_at: float | None = None  #: look again then even if nothing rings; None: only on a bell
    queued_at: float | None = None  #: since when it has a place in the queue for its hardware
