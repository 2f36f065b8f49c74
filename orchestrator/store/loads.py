"""What apps took of their hardware, by Space: a row a minute, and of these a row an hour."""

from collections.abc import Mapping

import sqlalchemy as sa

from orchestrator.domain.load import HOUR, MINUTE, Load, Span
from orchestrator.store.figures_schema import loads as t
from orchestrator.store.upsert import upsert, upsert_all

_C = t.c
_WHAT = ("cpu", "cpu_peak", "memory", "memory_peak", "gpu", "gpu_memory")


class Loads:
    def __init__(self, connection: sa.Connection) -> None:
        self._db = connection

    def put(self, at: float, found: Mapping[str, Load]) -> None:
        """The minute of `at`, by Space. Two control planes that measure the same write the same."""
        rows = []
        for space_id, one in sorted(found.items()):
            key = {"space_id": space_id, "span": MINUTE, "slot": int(at // MINUTE)}
            values = (one.cpu, one.cpu, one.memory, one.memory, one.gpu, one.gpu_memory)
            rows.append(key | dict(zip(_WHAT, values, strict=True)))
        upsert_all(self._db, t, rows)

    def roll(self, since: float, before: float) -> None:
        """Make the rows of the whole hours between two moments, of their minutes."""
        hour = (_C.slot // (HOUR // MINUTE)).label("slot")
        f = sa.func
        sums = (
            f.avg(_C.cpu),
            f.max(_C.cpu),
            f.avg(_C.memory),
            f.max(_C.memory_peak),
            f.avg(_C.gpu),
            f.max(_C.gpu_memory),
        )
        query = sa.select(_C.space_id, hour, *(s.label(name) for s, name in zip(sums, _WHAT, strict=True)))
        first, last = int(since // HOUR), int(before // HOUR)
        inside = (_C.slot >= first * HOUR // MINUTE, _C.slot < last * HOUR // MINUTE)
        query = query.where(_C.span == MINUTE, *inside).group_by(_C.space_id, hour).order_by(_C.space_id)
        for row in self._db.execute(query).mappings().all():
            told = {name: None if row[name] is None else float(row[name]) for name in ("cpu", "memory", "gpu")}
            upsert(self._db, t, dict(row) | told | {"span": HOUR})

    def of(self, space_id: str, span: int, since: float, before: float) -> list[Span]:
        """Rows of a span that begin between two moments, oldest first."""
        query = sa.select(t).where(_C.space_id == space_id, _C.span == span)
        query = query.where(_C.slot >= int(since // span), _C.slot < int(-(-before // span))).order_by(_C.slot)
        rows = self._db.execute(query).mappings()
        return [Span(float(row["slot"] * span), *(row[name] for name in _WHAT)) for row in rows]

    def drop_before(self, minutes: float, hours: float) -> None:
        """Forget the minutes before a moment, and the hours before another."""
        for span, before in ((MINUTE, minutes), (HOUR, hours)):
            self._db.execute(sa.delete(t).where(_C.span == span, _C.slot < int(before // span)))
