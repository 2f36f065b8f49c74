"""Usage by the second: one row per run of an instance, extended while it runs. Writing the same again changes nothing, so that
several may measure."""

from collections.abc import Iterable

import sqlalchemy as sa

from orchestrator.domain import records
from orchestrator.domain.records import UsageSum
from orchestrator.store import schema as t
from orchestrator.store.upsert import upsert

_C = t.usage.c
_PROLONG = (
    sa.update(t.usage)
    .where(
        _C.instance_id == sa.bindparam("instance"),
        _C.started_at == sa.bindparam("start"),
        _C.until < sa.bindparam("at"),
    )
    .values(until=sa.bindparam("at"))
)


class Usage:
    def __init__(self, connection: sa.Connection) -> None:
        self._db = connection

    def extend(self, row: records.Usage, waiting: bool = False) -> None:
        """It runs at `row.until`; the first call notes it. `waiting`: it has not got its hardware yet, so that its time begins
        no sooner than then."""
        values = {name: getattr(row, name) for name in records.Usage.__slots__}
        only = ("until", "running", "begin") if waiting else ("until", "running")
        upsert(self._db, t.usage, values, only)

    def prolong(self, rows: Iterable[tuple[str, float]], at: float) -> None:
        """Those of these rows (instance, start) that are noted run on: all at once, since nearly always all do."""
        found = [{"instance": name, "start": start, "at": at} for name, start in sorted(rows)]
        if found:
            self._db.execute(_PROLONG, found)

    def running(self) -> list[records.Usage]:
        query = sa.select(t.usage).where(_C.running).order_by(_C.space_id, _C.started_at)
        return [records.Usage(**row) for row in self._db.execute(query).mappings()]

    def end(self, row: records.Usage, at: float) -> None:
        """It runs no more; it did until `at`, unless more is known already."""
        query = sa.update(t.usage).where(_C.instance_id == row.instance_id, _C.started_at == row.started_at)
        later = sa.case((_C.until > at, _C.until), else_=at)
        self._db.execute(query.values(running=False, until=later))

    def sums(
        self, since: float, before: float, owner_id: str | None = None, space_id: str | None = None
    ) -> list[UsageSum]:
        """What was used between two moments, by owner, Space and flavour."""
        begin = sa.case((_C.begin < since, since), else_=_C.begin)
        until = sa.case((_C.until > before, before), else_=_C.until)
        seconds = sa.func.sum(until - begin)
        cost = sa.func.sum((until - begin) * _C.price) / 3600.0
        key = (_C.owner, _C.space, _C.hardware)
        query = sa.select(*key, seconds.label("seconds"), cost.label("cost"))
        query = query.where(_C.until > since, _C.begin < before, _C.until > _C.begin).group_by(*key).order_by(*key)
        for column, wanted in ((_C.owner_id, owner_id), (_C.space_id, space_id)):
            if wanted:
                query = query.where(column == wanted)
        return [UsageSum(**row) for row in self._db.execute(query).mappings()]

    def runs(self, space_id: str, since: float, before: float) -> list[tuple[float, float]]:
        """When a Space had hardware: (from, until) of each run, oldest first. Replicas of one instance run together."""
        query = sa.select(_C.instance_id, _C.begin, _C.until)
        query = query.where(_C.space_id == space_id, _C.until > since, _C.begin < before).order_by(_C.begin)
        runs: dict[str, list[tuple[float, float]]] = {}
        for name, begin, until in self._db.execute(query):
            mine = runs.setdefault(name.partition("/")[0], [])
            if mine and begin < mine[-1][1]:
                mine[-1] = mine[-1][0], max(mine[-1][1], until)
            else:
                mine.append((begin, until))
        return sorted(run for mine in runs.values() for run in mine)

    def owners_running(self, flavors: Iterable[str]) -> list[tuple[str, str]]:
        """(Space, owner) of what runs on one of these flavours now."""
        query = sa.select(_C.space_id, _C.owner_id).where(_C.running, _C.hardware.in_(list(flavors))).distinct()
        return [tuple(row) for row in self._db.execute(query)]
