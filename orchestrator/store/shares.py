"""Links that let outsiders into private apps."""

import sqlalchemy as sa

from orchestrator.domain.share import ShareLink
from orchestrator.store.console_schema import share_links as t


class Shares:
    def __init__(self, connection: sa.Connection) -> None:
        self._db = connection

    def add(self, link: ShareLink) -> None:
        self._db.execute(sa.insert(t).values({name: getattr(link, name) for name in ShareLink.__slots__}))

    def by_hash(self, digest: str) -> ShareLink | None:
        return self._one(t.c.hash == digest)

    def get(self, space_id: str, link_id: str) -> ShareLink | None:
        return self._one(t.c.space_id == space_id, t.c.id == link_id)

    def of(self, space_id: str) -> list[ShareLink]:
        """Newest first."""
        query = sa.select(t).where(t.c.space_id == space_id).order_by(t.c.created_at.desc(), t.c.id)
        return [ShareLink(**row) for row in self._db.execute(query).mappings()]

    def used(self, link_id: str) -> None:
        self._db.execute(sa.update(t).where(t.c.id == link_id).values(uses=t.c.uses + 1))

    def drop(self, link_id: str) -> bool:
        return bool(self._db.execute(sa.delete(t).where(t.c.id == link_id)).rowcount)

    def drop_expired(self, now: float) -> None:
        self._db.execute(sa.delete(t).where(t.c.expires_at <= now))

    def forget(self, space_id: str) -> None:
        self._db.execute(sa.delete(t).where(t.c.space_id == space_id))

    def _one(self, *conditions: sa.ColumnElement) -> ShareLink | None:
        row = self._db.execute(sa.select(t).where(*conditions)).mappings().first()
        return ShareLink(**row) if row else None
