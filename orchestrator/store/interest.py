"""What people think of repos of any kind, and ask of them: likes, and requests for what is behind a gate."""

from collections.abc import Iterable

import sqlalchemy as sa

from orchestrator.domain.records import AccessRequest, Owner
from orchestrator.store import schema as t
from orchestrator.store.accounts import _owner
from orchestrator.store.repo_schema import access_requests, collection_items, likes, repos
from orchestrator.store.upsert import upsert


class Interest:
    def __init__(self, connection: sa.Connection) -> None:
        self._db = connection

    # likes; the number of them is kept with the repo, because lists are sorted by it

    def like(self, repo_id: str, user_id: str, now: float) -> None:
        """Liked already: nothing changes."""
        if not self.is_liked(repo_id, user_id):
            self._db.execute(sa.insert(likes).values(repo_id=repo_id, user_id=user_id, created_at=now))
            self._count(repo_id)

    def is_liked(self, repo_id: str, user_id: str) -> bool:
        have = sa.select(likes.c.user_id).where(likes.c.repo_id == repo_id, likes.c.user_id == user_id)
        return self._db.execute(have).first() is not None

    def unlike(self, repo_id: str, user_id: str) -> None:
        gone = sa.delete(likes).where(likes.c.repo_id == repo_id, likes.c.user_id == user_id)
        if self._db.execute(gone).rowcount:
            self._count(repo_id)

    def _count(self, repo_id: str) -> None:
        number = sa.select(sa.func.count()).where(likes.c.repo_id == repo_id).scalar_subquery()
        for table in (t.spaces, repos):
            self._db.execute(sa.update(table).where(table.c.id == repo_id).values(likes=number))

    def likers(self, repo_id: str, limit: int, after: tuple[float, str] | None = None) -> list[tuple[Owner, float]]:
        """Who likes it and since when, newest first. `after`: (time, user id) of the last one seen."""
        query = (
            sa.select(t.owners, likes.c.created_at.label("liked_at"))
            .join(likes, likes.c.user_id == t.owners.c.id)
            .where(likes.c.repo_id == repo_id)
            .order_by(likes.c.created_at.desc(), likes.c.user_id.desc())
            .limit(limit)
        )
        if after:
            query = query.where(sa.tuple_(likes.c.created_at, likes.c.user_id) < sa.tuple_(*after))
        return [(_owner(row), row["liked_at"]) for row in self._db.execute(query).mappings()]

    def liked(self, user_id: str, limit: int, after: tuple[float, str] | None = None) -> list[tuple[str, float]]:
        """(repo id, since), newest first."""
        query = sa.select(likes.c.repo_id, likes.c.created_at).where(likes.c.user_id == user_id)
        if after:
            query = query.where(sa.tuple_(likes.c.created_at, likes.c.repo_id) < sa.tuple_(*after))
        query = query.order_by(likes.c.created_at.desc(), likes.c.repo_id.desc()).limit(limit)
        return [(row.repo_id, row.created_at) for row in self._db.execute(query)]

    def liked_count(self, user_id: str) -> int:
        query = sa.select(sa.func.count()).select_from(likes).where(likes.c.user_id == user_id)
        return self._db.execute(query).scalar() or 0

    def likes_since(self, repo_ids: Iterable[str], since: float) -> dict[str, int]:
        query = (
            sa.select(likes.c.repo_id, sa.func.count())
            .where(likes.c.repo_id.in_(list(repo_ids)), likes.c.created_at >= since)
            .group_by(likes.c.repo_id)
        )
        return {repo_id: number for repo_id, number in self._db.execute(query)}

    # requests

    def put_request(self, request: AccessRequest) -> None:
        upsert(self._db, access_requests, {name: getattr(request, name) for name in AccessRequest.__slots__})

    def request(self, repo_id: str, user_id: str) -> AccessRequest | None:
        return self._request(access_requests.c.repo_id == repo_id, access_requests.c.user_id == user_id)

    def request_by_id(self, repo_id: str, request_id: str) -> AccessRequest | None:
        return self._request(access_requests.c.repo_id == repo_id, access_requests.c.id == request_id)

    def requests(
        self, repo_id: str, status: str, limit: int, after: tuple[float, str] | None = None
    ) -> list[tuple[AccessRequest, Owner]]:
        """Newest first, with who asked."""
        c = access_requests.c
        names = [c[name].label(f"request_{name}") for name in AccessRequest.__slots__]
        query = (
            sa.select(t.owners, *names)
            .join(access_requests, c.user_id == t.owners.c.id)
            .where(c.repo_id == repo_id, c.status == status)
            .order_by(c.created_at.desc(), c.id.desc())
            .limit(limit)
        )
        if after:
            query = query.where(sa.tuple_(c.created_at, c.id) < sa.tuple_(*after))
        rows = self._db.execute(query).mappings()
        return [
            (AccessRequest(**{n: row[f"request_{n}"] for n in AccessRequest.__slots__}), _owner(row)) for row in rows
        ]

    def drop_request(self, repo_id: str, user_id: str, status: str) -> None:
        c = access_requests.c
        gone = sa.delete(access_requests).where(c.repo_id == repo_id, c.user_id == user_id, c.status == status)
        self._db.execute(gone)

    def _request(self, *conditions: sa.ColumnElement) -> AccessRequest | None:
        row = self._db.execute(sa.select(access_requests).where(*conditions)).mappings().first()
        return AccessRequest(**row) if row else None

    def forget(self, repo_id: str) -> None:
        """The repo is gone: so are its likes, requests, and places in collections."""
        for column in (likes.c.repo_id, access_requests.c.repo_id, collection_items.c.item_id):
            self._db.execute(sa.delete(column.table).where(column == repo_id))
