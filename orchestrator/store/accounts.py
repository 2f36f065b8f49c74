"""Owners, memberships, tokens and sessions."""

import sqlalchemy as sa

from orchestrator.domain.records import Owner, Session, Token
from orchestrator.domain.space import Role
from orchestrator.store import schema as t
from orchestrator.store.upsert import upsert

# What each request asks, written once: building a statement takes longer than SQLite takes to answer it.
_OWNER = sa.select(t.owners).where(t.owners.c.id == sa.bindparam("id"))
_TOKEN = sa.select(t.tokens).where(t.tokens.c.hash == sa.bindparam("hash"))
_ORGS = (
    sa.select(t.owners, t.members.c.role)
    .join(t.members, t.members.c.org_id == t.owners.c.id)
    .where(t.members.c.user_id == sa.bindparam("user_id"))
    .order_by(t.owners.c.name_lower)
)


class Accounts:
    def __init__(self, connection: sa.Connection) -> None:
        self._db = connection

    # owners

    def add_owner(self, owner: Owner) -> None:
        self._db.execute(sa.insert(t.owners).values(**_columns(owner), name_lower=owner.name.lower()))

    def owner(self, owner_id: str) -> Owner | None:
        row = self._db.execute(_OWNER, {"id": owner_id}).mappings().first()
        return _owner(row) if row else None

    def owner_named(self, name: str) -> Owner | None:
        row = self._db.execute(sa.select(t.owners).where(t.owners.c.name_lower == name.lower())).mappings().first()
        return _owner(row) if row else None

    def update_owner(self, owner_id: str, **values: object) -> None:
        self._db.execute(sa.update(t.owners).where(t.owners.c.id == owner_id).values(**values))

    def owners(self, kind: str | None = None) -> list[Owner]:
        query = sa.select(t.owners).order_by(t.owners.c.name_lower)
        if kind:
            query = query.where(t.owners.c.kind == kind)
        return [_owner(row) for row in self._db.execute(query).mappings()]

    # memberships

    def set_member(self, org_id: str, user_id: str, role: Role) -> None:
        upsert(self._db, t.members, {"org_id": org_id, "user_id": user_id, "role": int(role)})

    def remove_member(self, org_id: str, user_id: str) -> None:
        self._db.execute(sa.delete(t.members).where(t.members.c.org_id == org_id, t.members.c.user_id == user_id))

    def role_in(self, org_id: str, user_id: str) -> Role:
        role = self._db.execute(
            sa.select(t.members.c.role).where(t.members.c.org_id == org_id, t.members.c.user_id == user_id)
        ).scalar()
        return Role(role) if role else Role.NONE

    def orgs_of(self, user_id: str) -> list[tuple[Owner, Role]]:
        rows = self._db.execute(_ORGS, {"user_id": user_id}).mappings()
        return [(_owner(row), Role(row["role"])) for row in rows]

    def members(self, org_id: str) -> list[tuple[Owner, Role]]:
        query = (
            sa.select(t.owners, t.members.c.role)
            .join(t.members, t.members.c.user_id == t.owners.c.id)
            .where(t.members.c.org_id == org_id)
            .order_by(t.owners.c.name_lower)
        )
        return [(_owner(row), Role(row["role"])) for row in self._db.execute(query).mappings()]

    def member_counts(self) -> dict[str, int]:
        """How many members each organisation has, by its id."""
        query = sa.select(t.members.c.org_id, sa.func.count()).group_by(t.members.c.org_id)
        return {org: number for org, number in self._db.execute(query)}

    # tokens

    def add_token(self, token: Token) -> None:
        self._db.execute(sa.insert(t.tokens).values(**_columns(token)))

    def token_by_hash(self, digest: str) -> Token | None:
        row = self._db.execute(_TOKEN, {"hash": digest}).mappings().first()
        return Token(**row) if row else None

    def token(self, token_id: str) -> Token | None:
        row = self._db.execute(sa.select(t.tokens).where(t.tokens.c.id == token_id)).mappings().first()
        return Token(**row) if row else None

    def token_by_refresh(self, digest: str) -> Token | None:
        row = self._db.execute(sa.select(t.tokens).where(t.tokens.c.refresh_hash == digest)).mappings().first()
        return Token(**row) if row else None

    def revoke_family(self, family: str, now: float) -> None:
        c = t.tokens.c
        query = sa.update(t.tokens).where(c.family == family, c.revoked_at.is_(None))
        self._db.execute(query.values(revoked_at=now))

    def tokens_of(self, user_id: str) -> list[Token]:
        query = sa.select(t.tokens).where(t.tokens.c.user_id == user_id).order_by(t.tokens.c.created_at)
        return [Token(**row) for row in self._db.execute(query).mappings()]

    def update_token(self, token_id: str, **values: object) -> None:
        self._db.execute(sa.update(t.tokens).where(t.tokens.c.id == token_id).values(**values))

    # sessions and sign-in links

    def add_session(self, session: Session) -> None:
        self._db.execute(sa.delete(t.sessions).where(t.sessions.c.expires_at < session.created_at))
        self._db.execute(sa.insert(t.sessions).values(**_columns(session)))

    def session(self, digest: str, once: bool = False) -> Session | None:
        query = sa.select(t.sessions).where(t.sessions.c.hash == digest, t.sessions.c.once == once)
        row = self._db.execute(query).mappings().first()
        return Session(**row) if row else None

    def sessions_of(self, user_id: str, now: float) -> list[Session]:
        """A user's signed-in browsers, newest first."""
        c = t.sessions.c
        query = sa.select(t.sessions).where(c.user_id == user_id, c.once.is_(False), c.expires_at > now)
        return [Session(**row) for row in self._db.execute(query.order_by(c.created_at.desc())).mappings()]

    def drop_session(self, digest: str) -> bool:
        return bool(self._db.execute(sa.delete(t.sessions).where(t.sessions.c.hash == digest)).rowcount)

    def drop_sessions_of(self, user_id: str, but: str = "") -> None:
        self._db.execute(sa.delete(t.sessions).where(t.sessions.c.user_id == user_id, t.sessions.c.hash != but))


def _columns(record: object) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__slots__}


def _owner(row: sa.RowMapping) -> Owner:
    return Owner(**{name: row[name] for name in Owner.__slots__})
