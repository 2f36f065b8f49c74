"""Domains of people's own, and which Space is served at each."""

import sqlalchemy as sa

from orchestrator.domain.own_domain import DomainState, OwnDomain
from orchestrator.errors import Conflict
from orchestrator.store.console_schema import domains as t
from orchestrator.store.schema import spaces

_SAVED = ("state", "reason", "found", "checked_at", "proven_at", "check_at")


class Domains:
    def __init__(self, connection: sa.Connection) -> None:
        self._db = connection

    def add(self, domain: OwnDomain) -> None:
        """Raises Conflict `DOMAIN_KNOWN` when this Space has it."""
        if self.get(domain.space_id, domain.name):
            raise Conflict("DOMAIN_KNOWN", f"{domain.name} is on the list already")
        self._db.execute(sa.insert(t).values({name: getattr(domain, name) for name in OwnDomain.__slots__}))

    def get(self, space_id: str, name: str) -> OwnDomain | None:
        row = self._db.execute(sa.select(t).where(t.c.space_id == space_id, t.c.name == name)).mappings().first()
        return _domain(row) if row else None

    def of(self, space_id: str) -> list[OwnDomain]:
        """By name."""
        query = sa.select(t).where(t.c.space_id == space_id).order_by(t.c.name)
        return [_domain(row) for row in self._db.execute(query).mappings()]

    def holder(self, name: str) -> OwnDomain | None:
        """The one that is served at this name. One whose Space is gone counts for nothing, and is removed when it is met."""
        row = (
            self._db.execute(sa.select(t).where(t.c.name == name, t.c.state == DomainState.ACTIVE.value))
            .mappings()
            .first()
        )
        if row is None:
            return None
        alive = sa.select(spaces.c.id).where(spaces.c.id == row["space_id"], spaces.c.deleted.is_(False))
        if self._db.execute(alive).first():
            return _domain(row)
        self.drop(row["space_id"], name)
        return None

    def save(self, domain: OwnDomain) -> bool:
        """What a look at DNS changed; False when the claim is gone, or is another by now."""
        query = sa.update(t).where(t.c.space_id == domain.space_id, t.c.name == domain.name, t.c.token == domain.token)
        return bool(self._db.execute(query.values({name: getattr(domain, name) for name in _SAVED})).rowcount)

    def check_soon(self, domain: OwnDomain, at: float) -> None:
        self._db.execute(
            sa.update(t).where(t.c.space_id == domain.space_id, t.c.name == domain.name).values(check_at=at)
        )

    def take_due(self, now: float, until: float, limit: int = 20) -> list[OwnDomain]:
        """Those whose look is due. It is put off to `until`, so that no other control plane looks meanwhile."""
        query = sa.select(t).where(t.c.check_at <= now).order_by(t.c.check_at).limit(limit)
        found = [_domain(row) for row in self._db.execute(query).mappings()]
        for domain in found:
            self.check_soon(domain, until)
        return found

    def drop(self, space_id: str, name: str) -> bool:
        return bool(self._db.execute(sa.delete(t).where(t.c.space_id == space_id, t.c.name == name)).rowcount)

    def forget(self, space_id: str) -> None:
        self._db.execute(sa.delete(t).where(t.c.space_id == space_id))


def _domain(row: sa.RowMapping) -> OwnDomain:
    return OwnDomain(**dict(row) | {"state": DomainState(row["state"])})
