"""What the Docker runtime knows of one container, and what that means: whether it has ended, and why. Asks nobody."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from orchestrator.domain.seen import Fault
from orchestrator.runtimes import container, hints
from orchestrator.runtimes.container import Note
from orchestrator.runtimes.follow import Follower

_LAST_WORDS = 2.0  #: seconds that the end of a container waits for the end of its output


@dataclass
class Known:
    """An instance as far as it is known. `state`: the engine's, {} before there is a container."""

    note: Note
    name: str
    status: Callable[[], dict]  #: the launcher's last word, {} where there is none
    state: dict = field(default_factory=dict)
    address: str = ""
    preparing: bool = False
    failed: str = ""  #: why it could not be started
    ready_at: float | None = None  #: of an author's own image
    seen: dict = field(default_factory=dict)  #: what keeps it from being ready, as a launcher would say it
    follower: Follower | None = None
    called_back: threading.Event | None = None  #: while it drains
    stopping: bool = False
    ended_at: float = 0.0  #: when the engine was first heard to say so

    def take(self, state: dict) -> None:
        """What the engine says now."""
        self.state = state
        if state.get("Status") in ("exited", "dead"):
            self.ended_at = self.ended_at or time.time()

    @property
    def begun_at(self) -> float | None:
        """When the engine started it, None before that."""
        text = str(self.state.get("StartedAt") or "")
        try:
            return None if text.startswith("0001") else datetime.fromisoformat(text).timestamp()
        except ValueError:
            return None

    def has_ended(self, status: dict) -> bool:
        """Whether it has, and said why: its last words may come after the engine's news of its end."""
        if status.get("state") == "exited" or self.state.get("Status") == "gone":
            return True
        if not self.ended_at or self.state.get("Status") not in ("exited", "dead"):
            return False
        return self.follower is None or self.follower.heard or time.time() > self.ended_at + _LAST_WORDS

    def why(self, status: dict) -> Fault:
        """Why it ended."""
        if self.state.get("Status") == "gone":
            return hints.LOST
        tail = self.follower.tail if self.follower else []
        ended = container.died(self.state, status, self.note, tail)
        return hints.LOST if ended is None else hints.exited(ended)
