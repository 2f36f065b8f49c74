"""What an app takes of its hardware: as it is now, and over time. Pure. What nobody can tell is None, never 0."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MINUTE, HOUR = 60, 3600  #: seconds of what is kept in one row


@dataclass(frozen=True, slots=True)
class Load:
    """`cpu`: cores, on average since it was last asked; `memory`: bytes that it holds; `gpu`: how busy its accelerators are, from
    0 to 1; `gpu_memory`: bytes of theirs."""

    cpu: float | None = None
    memory: int | None = None
    gpu: float | None = None
    gpu_memory: int | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """The load of a Space over some time. `at`: its begin in epoch seconds; peaks are those of a minute."""

    at: float
    cpu: float | None = None
    cpu_peak: float | None = None
    memory: float | None = None
    memory_peak: int | None = None
    gpu: float | None = None
    gpu_memory: int | None = None


def together(loads: Iterable[Load]) -> Load:
    """Of several instances of one Space: what they take in all; of accelerators, how busy they are on average."""
    loads = list(loads)
    sums = [_sum([getattr(one, name) for one in loads]) for name in Load.__slots__]
    busy = [one.gpu for one in loads if one.gpu is not None]
    return Load(sums[0], sums[1], sum(busy) / len(busy) if busy else None, sums[3])


def joined(spans: Sequence[Span], begin: float, step: float, count: int) -> list[Span]:
    """`count` spans of `step` seconds from `begin` on, each of those that begin in it; empty where there are none."""
    inside: list[list[Span]] = [[] for _ in range(count)]
    for span in spans:
        place = int((span.at - begin) // step)
        if 0 <= place < count:
            inside[place].append(span)
    return [_joined(some, begin + place * step) for place, some in enumerate(inside)]


def _joined(some: list[Span], at: float) -> Span:
    def known(name: str) -> list:
        return [value for one in some if (value := getattr(one, name)) is not None]

    def mean(name: str) -> float | None:
        values = known(name)
        return sum(values) / len(values) if values else None

    return Span(
        at,
        mean("cpu"),
        max(known("cpu_peak"), default=None),
        mean("memory"),
        max(known("memory_peak"), default=None),
        mean("gpu"),
        max(known("gpu_memory"), default=None),
    )


def _sum(values: list):
    known = [value for value in values if value is not None]
    return sum(known) if known else None
