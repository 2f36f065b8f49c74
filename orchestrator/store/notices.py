"""What admins tell everybody: one notice by name."""

import sqlalchemy as sa

from orchestrator.domain.notice import Notice
from orchestrator.store import console_schema as t
from orchestrator.store.upsert import upsert


class Notices:
    def __init__(self, connection: sa.Connection) -> None:
        self._db = connection

    def get(self, name: str) -> Notice | None:
        row = self._db.execute(sa.select(t.notices).where(t.notices.c.name == name)).mappings().first()
        return Notice(**row) if row else None

    def put(self, notice: Notice) -> None:
        upsert(self._db, t.notices, {name: getattr(notice, name) for name in Notice.__slots__})

    def drop(self, name: str) -> bool:
        return bool(self._db.execute(sa.delete(t.notices).where(t.notices.c.name == name)).rowcount)
