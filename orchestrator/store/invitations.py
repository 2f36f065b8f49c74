"""Who is invited to which organisation or repo, and has not answered."""

import sqlalchemy as sa

from orchestrator.domain.invitation import Invitation
from orchestrator.domain.records import Owner
from orchestrator.domain.space import Role
from orchestrator.store import schema
from orchestrator.store.inbox_schema import invitations as t
from orchestrator.store.upsert import upsert

_C = t.c


class Invitations:
    def __init__(self, connection: sa.Connection) -> None:
        self._db = connection

    def put(self, one: Invitation) -> None:
        """In the place of an earlier one of the same user to the same target."""
        upsert(self._db, t, {name: getattr(one, name) for name in Invitation.__slots__} | {"role": int(one.role)})

    def get(self, target_id: str, user_id: str) -> Invitation | None:
        query = sa.select(t).where(_C.target_id == target_id, _C.user_id == user_id)
        row = self._db.execute(query).mappings().first()
        return _read(row) if row else None

    def to(self, target_id: str, now: float) -> list[tuple[Invitation, Owner]]:
        """Open ones, by the name of who is invited."""
        query = (
            sa.select(t, *(column.label(f"owner_{column.name}") for column in schema.owners.c))
            .join(schema.owners, schema.owners.c.id == _C.user_id)
            .where(_C.target_id == target_id, _C.expires_at > now)
            .order_by(schema.owners.c.name_lower)
        )
        return [
            (_read(row), Owner(**{name: row[f"owner_{name}"] for name in Owner.__slots__}))
            for row in self._db.execute(query).mappings()
        ]

    def of(self, user_id: str, now: float, limit: int) -> list[Invitation]:
        """Open ones, newest first."""
        query = sa.select(t).where(_C.user_id == user_id, _C.expires_at > now)
        rows = self._db.execute(query.order_by(_C.created_at.desc(), _C.id).limit(limit)).mappings()
        return [_read(row) for row in rows]

    def take(self, user_id: str, ident: str, now: float) -> Invitation | None:
        """Remove an open one of this user: of two who ask one gets it."""
        found = self._db.execute(sa.select(t).where(_C.user_id == user_id, _C.id == ident)).mappings().first()
        if found is None or not self._db.execute(sa.delete(t).where(_C.id == ident)).rowcount:
            return None
        one = _read(found)
        return one if one.expires_at > now else None

    def drop(self, target_id: str, user_id: str) -> bool:
        return bool(self._db.execute(sa.delete(t).where(_C.target_id == target_id, _C.user_id == user_id)).rowcount)

    def forget(self, target_id: str) -> None:
        self._db.execute(sa.delete(t).where(_C.target_id == target_id))

    def prune(self, now: float) -> None:
        self._db.execute(sa.delete(t).where(_C.expires_at <= now))


def _read(row: "sa.RowMapping") -> Invitation:
    return Invitation(**{name: row[name] for name in Invitation.__slots__} | {"role": Role(row["role"])})
