"""Discussions, pull requests, and what happened in them."""

import sqlalchemy as sa

from orchestrator.domain.discussions import LIVE, Discussion, Happening, Status
from orchestrator.store import discussion_schema as t
from orchestrator.store.schema import owners
from orchestrator.store.values import LAST

_D, _H = t.discussions.c, t.happenings.c
_DISCUSSION = sa.select(t.discussions, owners.c.name.label("author")).outerjoin(
    owners, owners.c.id == t.discussions.c.author_id
)
_HAPPENING = sa.select(t.happenings, owners.c.name.label("author")).outerjoin(
    owners, owners.c.id == t.happenings.c.author_id
)


class Discussions:
    def __init__(self, connection: sa.Connection) -> None:
        self._db = connection

    def next_number(self, repo_id: str) -> int:
        """Two writers at once may be given the same; one of them then fails with Conflict."""
        return (self._db.execute(sa.select(sa.func.max(_D.num)).where(_D.repo_id == repo_id)).scalar() or 0) + 1

    def add(self, one: Discussion) -> None:
        self._db.execute(sa.insert(t.discussions).values(**_columns(one)))

    def get(self, repo_id: str, num: int) -> Discussion | None:
        if not 0 <= num <= LAST:
            return None
        row = self._db.execute(_DISCUSSION.where(_D.repo_id == repo_id, _D.num == num)).mappings().first()
        return _discussion(row) if row else None

    def list(
        self,
        repo_id: str,
        *,
        pull_request: bool | None = None,
        live: bool | None = None,
        author: str | None = None,
        search: str | None = None,
        oldest_first: bool = False,
        skip: int = 0,
        limit: int = 50,
    ) -> "tuple[list[Discussion], int]":
        """A page, and how many there are in all. `live`: open and drafts, or (False) closed and merged."""
        query = _DISCUSSION.where(_D.repo_id == repo_id)
        if pull_request is not None:
            query = query.where(_D.is_pull_request == pull_request)
        if live is not None:
            words = [status.value for status in LIVE]
            query = query.where(_D.status.in_(words) if live else _D.status.not_in(words))
        if author is not None:
            query = query.where(owners.c.name_lower == author.lower())
        if search:
            query = query.where(_D.title.icontains(search, autoescape=True))
        count = self._db.execute(sa.select(sa.func.count()).select_from(query.subquery())).scalar() or 0
        order = _D.num if oldest_first else _D.num.desc()
        rows = self._db.execute(query.order_by(order).offset(skip).limit(limit)).mappings()
        return [_discussion(row) for row in rows], count

    def closed(self, repo_id: str) -> int:
        words = [status.value for status in LIVE]
        query = sa.select(sa.func.count()).where(_D.repo_id == repo_id, _D.status.not_in(words))
        return self._db.execute(query).scalar() or 0

    def live_requests_of(self, repo_id: str, author_id: str) -> "set[int]":
        """Numbers of the open pull requests that a user made here."""
        query = sa.select(_D.num).where(
            _D.repo_id == repo_id, _D.author_id == author_id, _D.is_pull_request, _D.status.in_([s.value for s in LIVE])
        )
        return set(self._db.execute(query).scalars())

    def merged_into(self, repo_id: str, base: str) -> "list[int]":
        """Numbers of the pull requests."""
        where = (_D.repo_id == repo_id, _D.base == base, _D.status == Status.MERGED.value)
        return list(self._db.execute(sa.select(_D.num).where(*where)).scalars())

    def update(self, repo_id: str, num: int, status_was: Status | None = None, **values: object) -> bool:
        """With `status_was` only if that is still its status; False when it is not."""
        query = sa.update(t.discussions).where(_D.repo_id == repo_id, _D.num == num)
        if status_was is not None:
            query = query.where(_D.status == status_was.value)
        return bool(self._db.execute(query.values(**values)).rowcount)

    def remove(self, repo_id: str, num: int) -> None:
        self._db.execute(sa.delete(t.happenings).where(_H.repo_id == repo_id, _H.num == num))
        self._db.execute(sa.delete(t.discussions).where(_D.repo_id == repo_id, _D.num == num))

    def forget(self, repo_id: str) -> None:
        self._db.execute(sa.delete(t.happenings).where(_H.repo_id == repo_id))
        self._db.execute(sa.delete(t.discussions).where(_D.repo_id == repo_id))

    # what happened

    def tell(self, one: Happening) -> None:
        values = {name: getattr(one, name) for name in Happening.__slots__ if name != "author"}
        self._db.execute(sa.insert(t.happenings).values(**values))
        more = {"comments": _D.comments + 1} if one.type == "comment" else {}
        query = sa.update(t.discussions).where(_D.repo_id == one.repo_id, _D.num == one.num)
        self._db.execute(query.values(updated_at=one.created_at, **more))

    def happenings(self, repo_id: str, num: int) -> "list[Happening]":
        query = _HAPPENING.where(_H.repo_id == repo_id, _H.num == num).order_by(_H.created_at, _H.id)
        return [_happening(row) for row in self._db.execute(query).mappings()]

    def participants(self, repo_id: str, num: int) -> "set[str]":
        """Ids of the users who did something in it."""
        query = sa.select(_H.author_id).where(_H.repo_id == repo_id, _H.num == num).distinct()
        return set(self._db.execute(query).scalars())

    def happening(self, repo_id: str, num: int, ident: str) -> Happening | None:
        query = _HAPPENING.where(_H.repo_id == repo_id, _H.num == num, _H.id == ident)
        row = self._db.execute(query).mappings().first()
        return _happening(row) if row else None

    def change(self, one: Happening) -> None:
        self._db.execute(sa.update(t.happenings).where(_H.id == one.id).values(data=one.data))


def _columns(one: Discussion) -> dict[str, object]:
    values = {name: getattr(one, name) for name in Discussion.__slots__ if name != "author"}
    return values | {"status": one.status.value}


def _discussion(row: sa.RowMapping) -> Discussion:
    values = {name: row[name] for name in Discussion.__slots__}
    return Discussion(**values | {"status": Status(row["status"]), "author": row["author"] or ""})


def _happening(row: sa.RowMapping) -> Happening:
    return Happening(**{name: row[name] for name in Happening.__slots__} | {"author": row["author"] or ""})
