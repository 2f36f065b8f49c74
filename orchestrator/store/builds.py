"""Builds: queue, lease and history in one table. The database decides what is built; bells only shorten the wait."""

import sqlalchemy as sa

from orchestrator.domain.records import Build
from orchestrator.domain.seen import BuildState, FaultKind
from orchestrator.store import schema as t
from orchestrator.store.values import fault_in, fault_out, image_in, image_out

_ACTIVE = (BuildState.QUEUED.value, BuildState.RUNNING.value)
_OPEN_LEASE = t.builds.c.state == BuildState.RUNNING.value
_QUEUED = t.builds.c.state == BuildState.QUEUED.value
#: Asked all the time, so put together once.
_WORK = sa.select(
    sa.exists(sa.select(t.builds.c.key).where(_QUEUED, t.builds.c.lease_until <= sa.bindparam("now", type_=sa.Float)))
    | sa.exists(sa.select(t.builds.c.key).where(_OPEN_LEASE, t.builds.c.lease_until < sa.bindparam("now")))
)


class Builds:
    def __init__(self, connection: sa.Connection) -> None:
        self._db = connection

    def get(self, key: str) -> Build | None:
        row = self._db.execute(sa.select(t.builds).where(t.builds.c.key == key)).mappings().first()
        return _build(row) if row else None

    def add(self, build: Build) -> None:
        """Queue a build; its number is given here. A row of the same key that was lost or superseded is queued again."""
        last = sa.select(sa.func.coalesce(sa.func.max(t.builds.c.number), 0)).where(
            t.builds.c.space_id == build.space_id
        )
        values = _columns(build) | {"number": (self._db.execute(last).scalar() or 0) + 1}
        self._db.execute(sa.delete(t.builds).where(t.builds.c.key == build.key))
        self._db.execute(sa.insert(t.builds).values(**values))

    def update(self, key: str, fence: int | None = None, **values: object) -> bool:
        """Change a build; under a fencing number, False when the lease was lost and nothing was written."""
        for name, out in (("image", image_out), ("fault", fault_out)):
            if name in values:
                values[name] = out(values[name])
        query = sa.update(t.builds).where(t.builds.c.key == key)
        if fence is not None:
            query = query.where(t.builds.c.fence == fence, _OPEN_LEASE)
        return bool(self._db.execute(query.values(**values)).rowcount)

    def supersede(self, space_id: str, keep: str, now: float) -> list[str]:
        """End every queued build of the Space but `keep`; returns the keys of running ones, which see it by themselves."""
        c = t.builds.c
        query = sa.update(t.builds).where(c.space_id == space_id, c.key != keep, c.state.in_(_ACTIVE))
        values = {"state": BuildState.SUPERSEDED.value, "since": now, "finished_at": now}
        return list(self._db.execute(query.values(**values).returning(c.key)).scalars())

    def claim(self, who: str, now: float, until: float, deadline: float, before: float | None = None) -> Build | None:
        """Lease the next build: the oldest of the owner with the fewest running, one per Space at a time; none that is
        to wait (`lease_until` of a queued one). `before`: only one that has waited since then or longer. None also when
        another builder was faster."""
        c = t.builds.c
        running = t.builds.alias()
        owner = t.spaces.c.owner_id
        busy_spaces = sa.select(c.space_id).where(_OPEN_LEASE)
        owners_load = (
            sa.select(sa.func.count())
            .select_from(running.join(t.spaces.alias("s2"), sa.literal_column("s2.id") == running.c.space_id))
            .where(running.c.state == BuildState.RUNNING.value, sa.literal_column("s2.owner_id") == owner)
            .scalar_subquery()
        )
        query = (
            sa.select(c.key)
            .join(t.spaces, t.spaces.c.id == c.space_id)
            .where(c.state == BuildState.QUEUED.value, c.lease_until <= now, c.space_id.not_in(busy_spaces))
            .order_by(owners_load, c.created_at, c.key)
            .limit(1)
            .with_for_update(of=t.builds, skip_locked=True)
        )
        if before is not None:
            query = query.where(c.since <= before)
        key = self._db.execute(query).scalar()
        if key is None:
            return None
        taken = sa.update(t.builds).where(c.key == key, c.state == BuildState.QUEUED.value)
        values = {
            "state": BuildState.RUNNING.value,
            "since": now,
            "started_at": now,
            "lease_owner": who,
            "lease_until": until,
            "deadline": deadline,
            "fence": c.fence + 1,
            "attempts": c.attempts + 1,
            "fault": fault_out(None),
            "phases": {},
        }
        try:
            with self._db.begin_nested():
                claimed = self._db.execute(taken.values(**values)).rowcount
        except sa.exc.IntegrityError:  # another build of this Space began at the same moment
            return None
        return self.get(key) if claimed else None

    def queued(self) -> list[Build]:
        """Oldest first."""
        query = sa.select(t.builds).where(t.builds.c.state == BuildState.QUEUED.value)
        rows = self._db.execute(query.order_by(t.builds.c.created_at, t.builds.c.key)).mappings()
        return [_build(row) for row in rows]

    def lately(self, limit: int) -> list[Build]:
        """Of all Spaces: those being made, those that wait, then those that ended, newest first."""
        c = t.builds.c
        rank = sa.case((c.state == BuildState.RUNNING.value, 0), (c.state == BuildState.QUEUED.value, 1), else_=2)
        active = sa.select(t.builds).where(c.state.in_(_ACTIVE)).order_by(rank, c.created_at, c.key).limit(limit)
        ended = sa.select(t.builds).where(c.state.not_in(_ACTIVE)).order_by(c.created_at.desc(), c.key).limit(limit)
        return [_build(row) for query in (active, ended) for row in self._db.execute(query).mappings()]

    def open(self) -> tuple[int, int]:
        """How many wait, and how many are being made."""
        states = (BuildState.QUEUED.value, BuildState.RUNNING.value)
        query = (
            sa.select(t.builds.c.state, sa.func.count()).where(t.builds.c.state.in_(states)).group_by(t.builds.c.state)
        )
        found = {state: number for state, number in self._db.execute(query)}
        return found.get(states[0], 0), found.get(states[1], 0)

    def any_work(self, now: float) -> bool:
        """Whether a build may be to be claimed, or taken from who holds it."""
        return bool(self._db.execute(_WORK, {"now": now}).scalar())

    def expired(self, now: float) -> list[Build]:
        query = sa.select(t.builds).where(_OPEN_LEASE, t.builds.c.lease_until < now).order_by(t.builds.c.key)
        return [_build(row) for row in self._db.execute(query).mappings()]

    def held_by(self, prefix: str) -> list[Build]:
        """Running builds whose lease owner starts with `prefix` (this machine, before its restart)."""
        query = sa.select(t.builds).where(_OPEN_LEASE, t.builds.c.lease_owner.startswith(prefix, autoescape=True))
        return [_build(row) for row in self._db.execute(query).mappings()]

    def ahead_of(self, build: Build) -> int:
        c = t.builds.c
        query = sa.select(sa.func.count()).where(c.state == BuildState.QUEUED.value, c.created_at < build.created_at)
        return self._db.execute(query).scalar() or 0

    def of(self, space_id: str, limit: int = 50, state: BuildState | None = None) -> list[Build]:
        """Newest first."""
        query = (
            sa.select(t.builds).where(t.builds.c.space_id == space_id).order_by(t.builds.c.number.desc()).limit(limit)
        )
        if state:
            query = query.where(t.builds.c.state == state.value)
        return [_build(row) for row in self._db.execute(query).mappings()]

    def remove(self, key: str) -> None:
        self._db.execute(sa.delete(t.builds).where(t.builds.c.key == key))

    def forget(self, space_id: str) -> None:
        self._db.execute(sa.delete(t.builds).where(t.builds.c.space_id == space_id))


def _columns(build: Build) -> dict[str, object]:
    values = {name: getattr(build, name) for name in Build.__slots__}
    return values | {
        "image": image_out(build.image),
        "fault": fault_out(build.fault),
        "warnings": list(build.warnings),
    }


def _build(row: sa.RowMapping) -> Build:
    plain = {n: row[n] for n in Build.__slots__ if n not in ("image", "fault", "state", "fault_kind", "warnings")}
    return Build(
        **plain,
        state=BuildState(row["state"]),
        fault_kind=FaultKind(row["fault_kind"]),
        image=image_in(row["image"]),
        fault=fault_in(row["fault"]),
        warnings=tuple(row["warnings"]),
    )
