"""Requests for hardware and quotas. Decisions about a request are made once: of two admins the second is told."""

import sqlalchemy as sa

from orchestrator.domain.quota import Quota
from orchestrator.domain.records import HardwareRequest, RequestState
from orchestrator.store import schema as t
from orchestrator.store.upsert import upsert

_PENDING = RequestState.PENDING.value


class Hardware:
    def __init__(self, connection: sa.Connection) -> None:
        self._db = connection

    # requests

    def add(self, request: HardwareRequest) -> None:
        """Raises Conflict for a second pending one of a Space."""
        values = {name: getattr(request, name) for name in HardwareRequest.__slots__}
        self._db.execute(sa.insert(t.hardware_requests).values(**values | {"state": request.state.value}))

    def get(self, request_id: str) -> HardwareRequest | None:
        query = sa.select(t.hardware_requests).where(t.hardware_requests.c.id == request_id)
        row = self._db.execute(query).mappings().first()
        return _request(row) if row else None

    def latest(self, space_id: str) -> HardwareRequest | None:
        """The last one of a Space, whatever became of it."""
        c = t.hardware_requests.c
        query = sa.select(t.hardware_requests).where(c.space_id == space_id)
        row = self._db.execute(query.order_by(c.created_at.desc(), c.id.desc()).limit(1)).mappings().first()
        return _request(row) if row else None

    def list(self, state: RequestState | None = None, limit: int = 100) -> "list[HardwareRequest]":
        """Newest first; of Spaces that are there."""
        c = t.hardware_requests.c
        query = sa.select(t.hardware_requests).join(t.spaces, t.spaces.c.id == c.space_id)
        query = query.where(t.spaces.c.deleted.is_(False)).order_by(c.created_at.desc(), c.id.desc()).limit(limit)
        if state:
            query = query.where(c.state == state.value)
        return [_request(row) for row in self._db.execute(query).mappings()]

    def settle(self, request_id: str, state: RequestState, **values: object) -> bool:
        """Decide about a pending one; False when somebody else has."""
        c = t.hardware_requests.c
        query = sa.update(t.hardware_requests).where(c.id == request_id, c.state == _PENDING)
        return bool(self._db.execute(query.values(state=state.value, **values)).rowcount)

    def withdraw(self, space_id: str, by: str, at: float) -> bool:
        """Take back the pending one of a Space, if there is one."""
        c = t.hardware_requests.c
        query = sa.update(t.hardware_requests).where(c.space_id == space_id, c.state == _PENDING)
        values = {"state": RequestState.WITHDRAWN.value, "decided_by": by, "decided_at": at}
        return bool(self._db.execute(query.values(**values)).rowcount)

    def granted(self, space_id: str, flavor: str, now: float) -> bool:
        """Whether an admin gave this flavour to the Space, and it has not run out."""
        c = t.hardware_requests.c
        query = sa.select(c.id).where(c.space_id == space_id, c.flavor == flavor)
        query = query.where(
            c.state == RequestState.APPROVED.value, c.expires_at.is_(None) | (c.expires_at > now)
        ).limit(1)
        return self._db.execute(query).first() is not None

    def revoke(self, space_id: str, keep: str, now: float) -> None:
        """End what was given to the Space but the flavour `keep`."""
        c = t.hardware_requests.c
        query = sa.update(t.hardware_requests).where(c.space_id == space_id, c.flavor != keep)
        query = query.where(c.state == RequestState.APPROVED.value, c.expires_at.is_(None) | (c.expires_at > now))
        self._db.execute(query.values(expires_at=now))

    def forget(self, space_id: str) -> None:
        self._db.execute(sa.delete(t.hardware_requests).where(t.hardware_requests.c.space_id == space_id))

    # quotas

    def put_quota(self, quota: Quota) -> None:
        upsert(self._db, t.quotas, {name: getattr(quota, name) for name in Quota.__slots__})

    def drop_quota(self, owner_id: str, flavor: str) -> bool:
        query = sa.delete(t.quotas).where(t.quotas.c.owner_id == owner_id, t.quotas.c.flavor == flavor)
        return bool(self._db.execute(query).rowcount)

    def owners_with_quotas(self) -> set[str]:
        return set(self._db.execute(sa.select(t.quotas.c.owner_id).distinct()).scalars())

    def quotas(self, owner_id: str | None = None, lock: bool = False) -> "list[Quota]":
        """`lock`: nobody else may count against them until this transaction ends."""
        query = sa.select(t.quotas).order_by(t.quotas.c.owner_id, t.quotas.c.flavor)
        if owner_id:
            query = query.where(t.quotas.c.owner_id == owner_id)
        if lock:
            query = query.with_for_update()
        return [Quota(**row) for row in self._db.execute(query).mappings()]


def _request(row: sa.RowMapping) -> HardwareRequest:
    values = {name: row[name] for name in HardwareRequest.__slots__}
    return HardwareRequest(**values | {"state": RequestState(row["state"])})
