"""How often repos of any kind were downloaded: by day for as long as a day counts, and with the repo, because lists are
sorted by it."""

from collections.abc import Mapping

import sqlalchemy as sa

from orchestrator.store import schema as t
from orchestrator.store.figures_schema import downloads as counted
from orchestrator.store.repo_schema import repos
from orchestrator.store.upsert import upsert

_C = counted.c


class Downloads:
    def __init__(self, connection: sa.Connection) -> None:
        self._db = connection

    def add(self, day: int, numbers: Mapping[str, int]) -> None:
        """Of so many days since 1970. A repo that is gone is left out."""
        for repo_id in sorted(numbers):
            more = numbers[repo_id]
            if not any(self._raise(table, repo_id, more) for table in (repos, t.spaces)):
                continue
            upsert(self._db, counted, {"repo_id": repo_id, "day": day, "number": 0}, only=())
            mine = sa.and_(_C.repo_id == repo_id, _C.day == day)
            self._db.execute(sa.update(counted).where(mine).values(number=_C.number + more))

    def _raise(self, table: sa.Table, repo_id: str, more: int) -> bool:
        values = {name: table.c[name] + more for name in ("downloads", "downloads_all")}
        return bool(self._db.execute(sa.update(table).where(table.c.id == repo_id).values(**values)).rowcount)

    def age(self, before: int, limit: int) -> int:
        """Forget days before this one, of at most `limit` repos, which are counted anew without them; returns how many."""
        query = sa.select(_C.repo_id).where(_C.day < before).distinct().limit(limit)
        old = sorted(self._db.execute(query).scalars())
        for repo_id in old:
            self._db.execute(sa.delete(counted).where(_C.repo_id == repo_id, _C.day < before))
            left = sa.select(sa.func.coalesce(sa.func.sum(_C.number), 0)).where(_C.repo_id == repo_id).scalar_subquery()
            for table in (repos, t.spaces):
                self._db.execute(sa.update(table).where(table.c.id == repo_id).values(downloads=left))
        return len(old)
