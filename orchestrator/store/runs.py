"""What became of instances: one row per run, kept after its end until there are too many of a Space."""

import sqlalchemy as sa

from orchestrator.domain.records import Run
from orchestrator.store.console_schema import runs as t
from orchestrator.store.values import LAST, fault_in, fault_out


class Runs:
    def __init__(self, connection: sa.Connection) -> None:
        self._db = connection

    def of(self, space_id: str, limit: int = 50) -> list[Run]:
        """Newest first."""
        query = sa.select(t).where(t.c.space_id == space_id).order_by(t.c.started_at.desc(), t.c.id.desc())
        return [_run(row) for row in self._db.execute(query.limit(limit)).mappings()]

    def known(self, space_id: str, instances: list[str]) -> list[Run]:
        """Those that have not ended, and those of these instances."""
        query = sa.select(t).where(t.c.space_id == space_id, t.c.ended_at.is_(None) | t.c.instance_id.in_(instances))
        return [_run(row) for row in self._db.execute(query.order_by(t.c.id)).mappings()]

    def get(self, space_id: str, run_id: int) -> Run | None:
        if not 0 <= run_id <= LAST:
            return None
        query = sa.select(t).where(t.c.space_id == space_id, t.c.id == run_id)
        row = self._db.execute(query).mappings().first()
        return _run(row) if row else None

    def same(self, run: Run) -> list[Run]:
        """All runs of its instance, oldest first: they share a log."""
        query = sa.select(t).where(t.c.space_id == run.space_id, t.c.instance_id == run.instance_id)
        return [_run(row) for row in self._db.execute(query.order_by(t.c.started_at)).mappings()]

    def write(self, run: Run) -> None:
        """A new row when its id is 0, else the one that is there."""
        values = {name: getattr(run, name) for name in Run.__slots__ if name != "id"}
        values["fault"] = fault_out(run.fault)
        if run.id:
            self._db.execute(sa.update(t).where(t.c.id == run.id).values(**values))
        else:
            self._db.execute(sa.insert(t).values(**values))

    def trim(self, space_id: str, keep: int) -> set[str]:
        """Keep the newest; returns the instances of which none is left. One that has not ended stays."""
        old = self.of(space_id, 100_000)[keep:]
        gone = [run for run in old if run.ended_at is not None]
        for run in gone:
            self._db.execute(sa.delete(t).where(t.c.id == run.id))
        left = {run.instance_id for run in self.of(space_id, 100_000)} if gone else set()
        return {run.instance_id for run in gone} - left

    def forget(self, space_id: str) -> None:
        self._db.execute(sa.delete(t).where(t.c.space_id == space_id))


def _run(row: sa.RowMapping) -> Run:
    plain = {name: row[name] for name in Run.__slots__ if name != "fault"}
    return Run(**plain, fault=fault_in(row["fault"]))
