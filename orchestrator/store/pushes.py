"""Push intents: written before a ref moves, settled when the wish follows it."""

import sqlalchemy as sa

from orchestrator.domain.records import Intent
from orchestrator.store import schema as t


class Pushes:
    def __init__(self, connection: sa.Connection) -> None:
        self._db = connection

    def add(self, repo_id: str, ref: str, old: str, new: str, actor: str, now: float) -> int:
        row = self._db.execute(
            sa.insert(t.intents).values(repo_id=repo_id, ref=ref, old=old, new=new, actor=actor, created_at=now)
        )
        return row.inserted_primary_key[0]

    def open(self, repo_id: str | None = None) -> list[Intent]:
        query = sa.select(t.intents).order_by(t.intents.c.id)
        if repo_id:
            query = query.where(t.intents.c.repo_id == repo_id)
        return [Intent(**row) for row in self._db.execute(query).mappings()]

    def settle(self, *intents: Intent) -> set[int]:
        """Returns the ids of those that nobody had settled before. SQLite gives ids of settled intents to new ones, so that
        the id alone does not tell which one is meant."""
        c = t.intents.c
        same = [sa.and_(c.id == i.id, c.new == i.new, c.created_at == i.created_at) for i in intents]
        query = sa.delete(t.intents).where(sa.or_(sa.false(), *same)).returning(c.id)
        return set(self._db.execute(query).scalars())

    def forget(self, repo_id: str) -> None:
        self._db.execute(sa.delete(t.intents).where(t.intents.c.repo_id == repo_id))
