"""What was asked of a Space in an hour, and what follows from the counts. Pure. Sketches are those of gateway/tally.py: 256
registers of HyperLogLog, as hexadecimal text."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

BOUNDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)  #: seconds between the classes of `Hour.slow`
REGISTERS = 256
_SKETCH = re.compile(rf"[0-9a-f]{{{2 * REGISTERS}}}")


@dataclass(frozen=True, slots=True)
class Hour:
    """`hour`: hours since 1970. `errors`: answers of 500 and above. `slow`: answers by how long they took (BOUNDS)."""

    hour: int
    requests: int = 0
    pages: int = 0
    errors: int = 0
    slow: tuple[int, ...] = (0,) * (len(BOUNDS) + 1)


def total(hours: Iterable[Hour], hour: int = 0) -> Hour:
    """All of them together."""
    requests = pages = errors = 0
    slow = [0] * (len(BOUNDS) + 1)
    for one in hours:
        requests, pages, errors = requests + one.requests, pages + one.pages, errors + one.errors
        slow = [a + b for a, b in zip(slow, one.slow, strict=True)]
    return Hour(hour, requests, pages, errors, tuple(slow))


def quantile(slow: Sequence[int], part: float) -> float | None:
    """Seconds that `part` of the answers took at most; None without answers. Between two bounds, even on a scale of powers."""
    count = sum(slow)
    if not count:
        return None
    wanted, seen = part * count, 0
    edges = (0.003, *BOUNDS, 30.0)
    for number, (low, high) in zip(slow, zip(edges, edges[1:], strict=False), strict=True):
        if number and seen + number >= wanted:
            return low * (high / low) ** (max(0.0, wanted - seen) / number)
        seen += number
    return edges[-1]


def is_sketch(text: str) -> bool:
    return _SKETCH.fullmatch(text) is not None


def merged(one: str, other: str) -> str:
    """The sketch of all that were seen in either; "" is that of nobody."""
    if not one or not other:
        return one or other
    return bytes(map(max, bytes.fromhex(one), bytes.fromhex(other))).hex()


def visitors(sketch: str) -> int:
    """About how many different visitors are in a sketch: within some 7 %."""
    if not sketch:
        return 0
    registers = bytes.fromhex(sketch)
    empty = registers.count(0)
    estimate = 0.7182725932495458 * REGISTERS**2 / sum(2.0**-rank for rank in registers)
    if estimate <= 2.5 * REGISTERS and empty:
        estimate = REGISTERS * math.log(REGISTERS / empty)
    return round(estimate)
