"""Visits of Spaces: takes what gateways counted, and tells owners what became of it. Keeps hours for KEPT days."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.domain.caller import Caller, require
from orchestrator.domain.records import Space
from orchestrator.domain.space import Role
from orchestrator.domain.visits import BOUNDS, Hour, is_sketch, merged, total, visitors
from orchestrator.errors import Invalid
from orchestrator.ports import Store

KEPT = 400  #: days
_CLASSES = len(BOUNDS) + 1
_HOUR, _DAY = 3600.0, 86400.0
_MOST = 10**9


@dataclass(frozen=True, slots=True)
class Bar:
    """One hour or one day: `at` is its begin in epoch seconds. `visitors` None for hours: sketches are of whole days.
    `up`: seconds that it ran; `starts`: how often it was started."""

    at: float
    counted: Hour
    visitors: int | None = None
    up: float = 0.0
    starts: int = 0


class Visits:
    def __init__(self, store: Store, clock=time.time) -> None:
        self._store, self._clock = store, clock
        self._swept = 0.0

    def report(self, at: float, spaces: Mapping[str, Sequence[object]]) -> None:
        """What one gateway counted since `at`: by Space, the numbers of gateway/tally.py and a sketch. Raises Invalid
        `VISITS` for anything else; what is told of a Space that is gone is dropped."""
        now = self._clock()
        at = min(max(at, now - 7 * _DAY), now)
        hour, counted = int(at // _HOUR), {}
        for space_id, row in spaces.items():
            counted[space_id] = _counted(hour, row)
        with self._store.write() as tx:
            known = tx.spaces.ids() if len(counted) > 50 else None
            for space_id in sorted(counted):  # in one order, so that two gateways never wait in a circle
                if space_id not in known if known is not None else tx.spaces.get(space_id) is None:
                    continue
                one, sketch = counted[space_id]
                tx.visits.add(space_id, one)
                if sketch:
                    tx.visits.see(space_id, hour // 24, sketch)
            if now - self._swept > _DAY:
                self._swept = now
                tx.visits.drop_before(int(now // _HOUR) - 24 * KEPT)

    def of_space(self, caller: Caller, space: Space, days: int) -> tuple[list[Bar], Bar]:
        """By the hour for one day, else by the day; and all of it together. Raises Forbidden, NotFound."""
        require(caller, space, Role.WRITE)
        now = self._clock()
        step = _HOUR if days == 1 else _DAY
        end = (now // step + 1) * step
        count = 24 if days == 1 else days
        begin = end - count * step
        with self._store.read() as tx:
            hours = tx.visits.hours(space.id, int(begin // _HOUR), int(end // _HOUR))
            sketches = tx.visits.sketches(space.id, int(begin // _DAY), int((end - 1) // _DAY) + 1)
            runs = tx.usage.runs(space.id, begin, end)
        bars = []
        for number in range(count):
            at = begin + number * step
            inside = [one for one in hours if at <= one.hour * _HOUR < at + step]
            seen = None if days == 1 else visitors(sketches.get(int(at // _DAY), ""))
            bars.append(Bar(at, total(inside, int(at // _HOUR)), seen, *_ran(runs, at, min(at + step, now))))
        everybody = ""
        for sketch in sketches.values():
            everybody = merged(everybody, sketch)
        # A new key every day: who came on two days is counted twice, which is what cannot be known.
        return bars, Bar(begin, total(hours), visitors(everybody), *_ran(runs, begin, now))


def _counted(hour: int, row: Sequence[object]) -> tuple[Hour, str]:
    numbers, sketch = row[:-1], row[-1]
    good = len(row) == _CLASSES + 3 and all(type(n) is int and 0 <= n <= _MOST for n in numbers)
    if not good or not isinstance(sketch, str) or (sketch and not is_sketch(sketch)):
        raise Invalid("VISITS", f"a report of visits has {_CLASSES + 2} counts and a sketch for each Space")
    slow, errors, pages = tuple(numbers[:_CLASSES]), numbers[_CLASSES], numbers[_CLASSES + 1]
    return Hour(hour, sum(slow), pages, errors, slow), sketch


def _ran(runs: list[tuple[float, float]], since: float, before: float) -> tuple[float, int]:
    """Seconds that it ran between two moments, and how often it was started."""
    seconds = sum(max(0.0, min(until, before) - max(begin, since)) for begin, until in runs)
    return seconds, sum(since <= begin < before for begin, _ in runs)
