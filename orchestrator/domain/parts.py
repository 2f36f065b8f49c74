"""The parts that Podium consists of, as an admin is told of them. Pure."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Heard:
    """A process that tells of itself. `kind`: control | gateway | builder; `since`: its start, `at`: last heard of, in epoch
    seconds. `detail`: of a gateway the `sequence` of the last change of a route that it was told."""

    name: str
    kind: str
    version: str
    since: float
    at: float
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """How one part is. `tone`: good | busy | bad; `words`: in a sentence, `advice`: what to do about it, "" when nothing is to be
    done. `since`: for how long it has been like this, None when that is not known."""

    name: str
    tone: str
    words: str
    advice: str = ""
    since: float | None = None
