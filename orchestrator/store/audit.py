"""The audit log: append and read; rows are never changed."""

from dataclasses import replace

import sqlalchemy as sa

from orchestrator.domain.records import AuditRow
from orchestrator.origin import ADDRESS
from orchestrator.store import schema as t

_C = t.audit.c


class Audit:
    def __init__(self, connection: sa.Connection) -> None:
        self._db = connection

    def add(self, row: AuditRow) -> None:
        """Within the transaction of what it tells of. The address is that of the request being served, if any."""
        row = row if row.address else replace(row, address=ADDRESS.get())
        values = {name: getattr(row, name) for name in AuditRow.__slots__}
        self._db.execute(sa.insert(t.audit).values(**values))

    def of(self, target: str, limit: int = 100) -> list[AuditRow]:
        query = sa.select(t.audit).where(_C.target == target).order_by(_C.id.desc()).limit(limit)
        return [_row(row) for row in self._db.execute(query).mappings()]

    def search(
        self,
        *,
        actor: str = "",
        action: str = "",
        target: str = "",
        since: float | None = None,
        before: float | None = None,
        below: int | None = None,
        limit: int = 100,
    ) -> list[tuple[int, AuditRow]]:
        """Newest first, each with its number; `below`: go on after that one. `actor` is a whole name, `action` and
        `target` are beginnings (`space.`, `acme/`); times from `since` to `before`."""
        query = sa.select(t.audit).order_by(_C.id.desc()).limit(limit)
        if actor:
            query = query.where(_C.actor == actor)
        if action:
            query = query.where(_C.action.startswith(action, autoescape=True))
        if target:
            query = query.where(_C.target.startswith(target, autoescape=True))
        if since is not None:
            query = query.where(_C.at >= since)
        if before is not None:
            query = query.where(_C.at < before)
        if below is not None:
            query = query.where(_C.id < below)
        return [(row["id"], _row(row)) for row in self._db.execute(query).mappings()]


def _row(row: sa.RowMapping) -> AuditRow:
    return AuditRow(**{name: row[name] for name in AuditRow.__slots__})
