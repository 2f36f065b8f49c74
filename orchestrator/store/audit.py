"""The audit log: append and read; rows are never changed."""

import sqlalchemy as sa

from orchestrator.domain.records import AuditRow
from orchestrator.store import schema as t


class Audit:
    def __init__(self, connection: sa.Connection) -> None:
        self._db = connection

    def add(self, row: AuditRow) -> None:
        values = {name: getattr(row, name) for name in AuditRow.__slots__}
        self._db.execute(sa.insert(t.audit).values(**values))

    def of(self, target: str, limit: int = 100) -> list[AuditRow]:
        query = sa.select(t.audit).where(t.audit.c.target == target).order_by(t.audit.c.id.desc()).limit(limit)
        return [AuditRow(**{n: row[n] for n in AuditRow.__slots__}) for row in self._db.execute(query).mappings()]
