"""Secrets (encrypted before they come here) and variables of Spaces."""

import sqlalchemy as sa

from orchestrator.domain.records import Setting
from orchestrator.store import schema as t
from orchestrator.store.upsert import upsert


class Secrets:
    def __init__(self, connection: sa.Connection) -> None:
        self._db = connection

    def all(self, space_id: str) -> list[Setting]:
        query = sa.select(t.secrets).where(t.secrets.c.space_id == space_id).order_by(t.secrets.c.key)
        return [Setting(**{n: row[n] for n in Setting.__slots__}) for row in self._db.execute(query).mappings()]

    def put(self, space_id: str, setting: Setting) -> None:
        values = {name: getattr(setting, name) for name in Setting.__slots__}
        upsert(self._db, t.secrets, {"space_id": space_id, **values})

    def remove(self, space_id: str, key: str) -> bool:
        query = sa.delete(t.secrets).where(t.secrets.c.space_id == space_id, t.secrets.c.key == key)
        return bool(self._db.execute(query).rowcount)

    def forget(self, space_id: str) -> None:
        self._db.execute(sa.delete(t.secrets).where(t.secrets.c.space_id == space_id))
