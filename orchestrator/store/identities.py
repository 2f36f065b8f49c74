"""Who is who at the provider with which people sign in."""

import sqlalchemy as sa

from orchestrator.domain.identity import Identity
from orchestrator.store.oauth_schema import identities as t


class Identities:
    def __init__(self, connection: sa.Connection) -> None:
        self._db = connection

    def add(self, identity: Identity) -> None:
        self._db.execute(sa.insert(t).values({name: getattr(identity, name) for name in Identity.__slots__}))

    def find(self, issuer: str, subject: str) -> Identity | None:
        """Exactly these characters: subjects differ by case, too."""
        row = self._db.execute(sa.select(t).where(t.c.issuer == issuer, t.c.subject == subject)).mappings().first()
        return Identity(**row) if row else None

    def of(self, user_id: str) -> list[Identity]:
        """Oldest first."""
        query = sa.select(t).where(t.c.user_id == user_id).order_by(t.c.created_at, t.c.id)
        return [Identity(**row) for row in self._db.execute(query).mappings()]

    def used(self, identity_id: str, label: str, now: float) -> None:
        self._db.execute(sa.update(t).where(t.c.id == identity_id).values(label=label, used_at=now))

    def drop(self, identity_id: str) -> None:
        self._db.execute(sa.delete(t).where(t.c.id == identity_id))
