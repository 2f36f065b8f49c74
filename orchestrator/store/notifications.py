"""What people are told, and what of it they do not want to hear. One row of a user and a thread: what comes later
overwrites it."""

from collections.abc import Iterable

import sqlalchemy as sa

from orchestrator.domain.notification import Notification
from orchestrator.store.inbox_schema import muted
from orchestrator.store.inbox_schema import notifications as t
from orchestrator.store.schema import tokens
from orchestrator.store.upsert import upsert

_C = t.c
_SHOWN = 100  #: unread ones are counted so far
# What each page asks, written once.
_UNREAD = sa.select(sa.func.count()).select_from(
    sa.select(sa.literal(1)).where(_C.user_id == sa.bindparam("user_id"), _C.read_at.is_(None)).limit(_SHOWN).subquery()
)


class Notifications:
    def __init__(self, connection: sa.Connection) -> None:
        self._db = connection

    def put(self, one: Notification, once: bool = False) -> None:
        """Unread, in the place of what was told of the thread before; with `once` nothing when something was. Nothing for who
        does not want to hear of its kind."""
        deaf = sa.select(muted.c.kind).where(muted.c.user_id == one.user_id, muted.c.kind == one.kind)
        if self._db.execute(deaf).first() is None:
            values = {name: getattr(one, name) for name in Notification.__slots__}
            changed = tuple(name for name in values if name not in ("id", "user_id", "thread"))
            upsert(self._db, t, values, () if once else changed)

    def unread(self, user_id: str) -> int:
        """How many, up to 100."""
        return self._db.execute(_UNREAD, {"user_id": user_id}).scalar() or 0

    def count(self, user_id: str, unread: bool = False) -> int:
        query = sa.select(sa.func.count()).where(_C.user_id == user_id)
        return self._db.execute(query.where(_C.read_at.is_(None)) if unread else query).scalar() or 0

    def list(
        self,
        user_id: str,
        *,
        unread: bool = False,
        after: tuple[float, str] | None = None,
        skip: int = 0,
        limit: int = 50,
    ) -> list[Notification]:
        """Newest first; `after`: those that follow this time and id."""
        query = sa.select(t).where(_C.user_id == user_id).order_by(_C.at.desc(), _C.id.desc())
        if unread:
            query = query.where(_C.read_at.is_(None))
        if after:
            query = query.where(sa.or_(_C.at < after[0], sa.and_(_C.at == after[0], _C.id < after[1])))
        return [_read(row) for row in self._db.execute(query.offset(skip).limit(limit)).mappings()]

    def get(self, user_id: str, ident: str) -> Notification | None:
        row = self._db.execute(sa.select(t).where(_C.user_id == user_id, _C.id == ident)).mappings().first()
        return _read(row) if row else None

    def mark(
        self, user_id: str, read_at: float | None, which: Iterable[str] | None, until: float | None = None
    ) -> None:
        """Read, or with None unread: those of these ids or threads, or all; with `until` only what is not newer."""
        query = _which(sa.update(t).where(_C.user_id == user_id), which)
        if until is not None:
            query = query.where(_C.at <= until)
        query = query.where(_C.read_at.is_(None) if read_at is not None else _C.read_at.is_not(None))
        self._db.execute(query.values(read_at=read_at))

    def drop(self, user_id: str, which: Iterable[str] | None, unread: bool = False) -> None:
        """Those of these ids or threads, or all; with `unread` only of what was not read."""
        query = _which(sa.delete(t).where(_C.user_id == user_id), which)
        self._db.execute(query.where(_C.read_at.is_(None)) if unread else query)

    def forget(self, thread: str) -> None:
        """It never happened."""
        self._db.execute(sa.delete(t).where(_C.thread == thread))

    def prune(self, before: float, most: int) -> None:
        """Forget what is older, and of each user what is beyond so many. What somebody writes at this moment is left to the next
        time: whoever tells of something need not wait for us, nor we for them."""
        self._remove(sa.select(_C.id).where(_C.at < before))
        many = sa.select(_C.user_id).group_by(_C.user_id).having(sa.func.count() > most)
        for user_id in self._db.execute(many).scalars().all():
            mine = sa.select(_C.id).where(_C.user_id == user_id).order_by(_C.at.desc(), _C.id.desc())
            self._remove(mine.offset(most))

    def _remove(self, found: sa.Select) -> None:
        self._db.execute(sa.delete(t).where(_C.id.in_(found.with_for_update(skip_locked=True))))

    # what people choose

    def muted(self, user_id: str) -> set[str]:
        """The kinds that a user does not want to hear of."""
        return set(self._db.execute(sa.select(muted.c.kind).where(muted.c.user_id == user_id)).scalars())

    def mute(self, user_id: str, kinds: Iterable[str]) -> None:
        """These and no others."""
        self._db.execute(sa.delete(muted).where(muted.c.user_id == user_id))
        for kind in sorted(kinds):
            upsert(self._db, muted, {"user_id": user_id, "kind": kind}, ())

    # what is to be told of

    def ending_tokens(self, since: float, until: float) -> "list[str]":
        """Ids of people's own tokens that end then, of those made for longer than twice that while."""
        c = tokens.c
        query = sa.select(c.id).where(
            c.expires_at > since, c.expires_at <= until, c.revoked_at.is_(None), c.family == ""
        )
        return list(self._db.execute(query.where(c.expires_at - c.created_at > 2 * (until - since))).scalars())


def _which(query, which: Iterable[str] | None):
    if which is None:
        return query
    known = list(which)
    return query.where(sa.or_(_C.id.in_(known), _C.thread.in_(known)))


def _read(row: sa.RowMapping) -> Notification:
    return Notification(**{name: row[name] for name in Notification.__slots__})
