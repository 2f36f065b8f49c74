"""What gateways counted: by Space and hour, and sketches of visitors by Space and day."""

import sqlalchemy as sa

from orchestrator.domain.visits import Hour, merged
from orchestrator.store import console_schema as t
from orchestrator.store.upsert import upsert

_V, _S = t.visits.c, t.visitors.c


class Visits:
    def __init__(self, connection: sa.Connection) -> None:
        self._db = connection

    def add(self, space_id: str, counted: Hour) -> None:
        """Add to what is known of that hour."""
        key = {"space_id": space_id, "hour": counted.hour}
        nothing = {"requests": 0, "pages": 0, "errors": 0, "slow": [0] * len(counted.slow)}
        upsert(self._db, t.visits, key | nothing, only=())
        mine = (_V.space_id == space_id) & (_V.hour == counted.hour)
        known = self._db.execute(sa.select(t.visits).where(mine).with_for_update()).mappings().one()
        slow = [a + b for a, b in zip(known["slow"], counted.slow, strict=False)] or list(counted.slow)
        self._db.execute(
            sa.update(t.visits)
            .where(mine)
            .values(
                requests=known["requests"] + counted.requests,
                pages=known["pages"] + counted.pages,
                errors=known["errors"] + counted.errors,
                slow=slow,
            )
        )

    def see(self, space_id: str, day: int, sketch: str) -> None:
        """Join a sketch (hexadecimal) with what is known of that day."""
        upsert(self._db, t.visitors, {"space_id": space_id, "day": day, "sketch": ""}, only=())
        mine = (_S.space_id == space_id) & (_S.day == day)
        known = self._db.execute(sa.select(_S.sketch).where(mine).with_for_update()).scalar_one()
        self._db.execute(sa.update(t.visitors).where(mine).values(sketch=merged(known, sketch)))

    def hours(self, space_id: str, since: int, before: int) -> list[Hour]:
        """From the hour `since` to the one before `before`, oldest first; those in which nothing happened are left out."""
        query = sa.select(t.visits).where(_V.space_id == space_id, _V.hour >= since, _V.hour < before).order_by(_V.hour)
        return [
            Hour(row["hour"], row["requests"], row["pages"], row["errors"], tuple(row["slow"]))
            for row in self._db.execute(query).mappings()
        ]

    def sketches(self, space_id: str, since: int, before: int) -> dict[int, str]:
        """Of these days, as for `hours`."""
        query = sa.select(_S.day, _S.sketch).where(_S.space_id == space_id, _S.day >= since, _S.day < before)
        return {day: sketch for day, sketch in self._db.execute(query)}

    def drop_before(self, hour: int) -> int:
        """Forget what is older; returns how many rows."""
        first = self._db.execute(sa.delete(t.visits).where(_V.hour < hour)).rowcount
        return first + self._db.execute(sa.delete(t.visitors).where(_S.day < hour // 24)).rowcount
