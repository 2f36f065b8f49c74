"""Large objects and which repos own them. An object's row says where its bytes are; a `doomed` one is on its way out and is never
given to anybody again: whoever uploads it anew puts it into another place."""

from collections.abc import Iterable, Iterator
from itertools import islice

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from orchestrator.domain.large import LargeObject
from orchestrator.store import schema as t
from orchestrator.store.bucket_schema import xet_names
from orchestrator.store.upsert import upsert

_BATCH = 500  #: names in one query


class Objects:
    def __init__(self, connection: sa.Connection) -> None:
        self._db = connection

    # ----------------------------------------------------------------------------------------------------- reading

    def owned(self, repo_id: str, oids: Iterable[str]) -> dict[str, LargeObject]:
        """Those of `oids` that the repo owns."""
        found = {}
        for some in batches(dict.fromkeys(oids)):
            query = _owned().where(t.owned_objects.c.repo_id == repo_id, t.owned_objects.c.oid.in_(some))
            found |= {row["oid"]: LargeObject(**row) for row in self._db.execute(query).mappings()}
        return found

    def of(self, repo_id: str, after: str = "", limit: int = 100_000, before: float | None = None) -> list[LargeObject]:
        """What a repo owns, by name, from the one after `after`; `before`: only what was not used since then."""
        c = t.owned_objects.c
        query = _owned().where(c.repo_id == repo_id, c.oid > after).order_by(c.oid).limit(limit)
        if before is not None:
            query = query.where(c.used_at < before)
        return [LargeObject(**row) for row in self._db.execute(query).mappings()]

    def usage(self, repo_id: str) -> int:
        """Bytes of all objects of a repo."""
        query = sa.select(sa.func.coalesce(sa.func.sum(t.objects.c.size), 0)).select_from(_joined())
        return int(self._db.execute(query.where(t.owned_objects.c.repo_id == repo_id)).scalar_one())

    def sizes(self) -> dict[str, int]:
        """Bytes of what each repo owns; what several own counts for each."""
        query = sa.select(t.owned_objects.c.repo_id, sa.func.sum(t.objects.c.size)).select_from(_joined())
        return {repo_id: int(size) for repo_id, size in self._db.execute(query.group_by(t.owned_objects.c.repo_id))}

    def stored(self) -> tuple[int, int]:
        """Bytes of all objects, and those among them that nobody owns any more."""
        c = t.objects.c
        owned = sa.exists().where(t.owned_objects.c.oid == c.oid, c.doomed_at.is_(None))
        every = sa.select(sa.func.coalesce(sa.func.sum(c.size), 0))
        return int(self._db.execute(every).scalar_one()), int(self._db.execute(every.where(~owned)).scalar_one())

    def called(self, repo_id: str, hashes: Iterable[str]) -> dict[str, str]:
        """SHA-256 by the hashes under which Xet clients sent objects to a repo, of those that are known."""
        c, found = xet_names.c, {}
        for some in batches(dict.fromkeys(hashes)):
            query = sa.select(c.hash, c.oid).where(c.repo_id == repo_id, c.hash.in_(some))
            found |= {row.hash: row.oid for row in self._db.execute(query)}
        return found

    def repos(self, before: float | None = None) -> list[str]:
        """Repos that own something; `before`: something that was not used since then."""
        query = sa.select(t.owned_objects.c.repo_id).distinct()
        if before is not None:
            query = query.where(t.owned_objects.c.used_at < before)
        return list(self._db.execute(query).scalars())

    # ----------------------------------------------------------------------------------------------------- writing

    def keep(self, oid: str, now: float) -> str | None:
        """The place of an object that is there, kept from being doomed for a while; None: there is none."""
        c = t.objects.c
        query = sa.update(t.objects).where(c.oid == oid, c.doomed_at.is_(None)).values(used_at=now).returning(c.place)
        return self._db.execute(query).scalar_one_or_none()

    def put(self, oid: str, size: int, place: str, now: float) -> str:
        """The object is at `place` from now on, unless somebody has put it elsewhere meanwhile; returns where it is."""
        values = {"oid": oid, "size": size, "place": place, "created_at": now, "used_at": now}
        kinds = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
        self._db.execute(kinds[self._db.dialect.name](t.objects).values(**values).on_conflict_do_nothing())
        return self.keep(oid, now) or place

    def own(self, repo_id: str, oid: str, now: float) -> None:
        values = {"repo_id": repo_id, "oid": oid, "owned_at": now, "used_at": now}
        upsert(self._db, t.owned_objects, values, only=("used_at",))

    def call(self, repo_id: str, hash: str, oid: str) -> None:
        """A Xet client calls this object so, for as long as the repo owns it."""
        upsert(self._db, xet_names, {"repo_id": repo_id, "hash": hash, "oid": oid})

    def use(self, repo_id: str, oids: Iterable[str], now: float) -> set[str]:
        """Those of `oids` that the repo owns, from now on as new as if uploaded at `now`; what is newer stays so."""
        c = t.owned_objects.c
        used: set[str] = set()
        for some in batches(sorted({*oids})):
            where = sa.and_(c.repo_id == repo_id, c.oid.in_(some))
            newest = sa.case((c.used_at > now, c.used_at), else_=now)
            query = sa.update(t.owned_objects).where(where).values(used_at=newest).returning(c.oid)
            used.update(self._db.execute(query).scalars())
        return used

    def disown(self, repo_id: str, oids: Iterable[str] | None = None, before: float | None = None) -> None:
        """Take objects from a repo, all when `oids` is None; `before`: but for those used since then."""
        c = t.owned_objects.c
        groups = [None] if oids is None else batches(oids)
        for some in groups:
            query = sa.delete(t.owned_objects).where(c.repo_id == repo_id)
            if some is not None:
                query = query.where(c.oid.in_(some))
            if before is not None:
                query = query.where(c.used_at < before)
            self._db.execute(query)
        owned = sa.exists().where(c.repo_id == repo_id, c.oid == xet_names.c.oid)
        self._db.execute(sa.delete(xet_names).where(xet_names.c.repo_id == repo_id, ~owned))

    def doom(self, before: float, now: float) -> None:
        """Doom what nobody owns and nobody used since `before`."""
        c = t.objects.c
        owned = sa.exists().where(t.owned_objects.c.oid == c.oid)
        self._db.execute(
            sa.update(t.objects).where(c.doomed_at.is_(None), c.used_at < before, ~owned).values(doomed_at=now)
        )

    def lose(self, place: str, now: float) -> None:
        """Doom an object whose bytes are gone."""
        self._db.execute(sa.update(t.objects).where(t.objects.c.place == place).values(doomed_at=now))

    def doomed(self, before: float) -> list[LargeObject]:
        c = t.objects.c
        query = sa.select(c.oid, c.size, c.place).where(c.doomed_at < before)
        return [LargeObject(**row) for row in self._db.execute(query).mappings()]

    def forget(self, place: str) -> None:
        c = t.objects.c
        self._db.execute(sa.delete(t.objects).where(c.place == place, c.doomed_at.is_not(None)))


def _owned() -> sa.Select:
    c, o = t.objects.c, t.owned_objects.c
    return sa.select(c.oid, c.size, c.place, o.owned_at).select_from(_joined())


def _joined() -> sa.Join:
    c, o = t.objects.c, t.owned_objects.c
    return t.owned_objects.join(t.objects, sa.and_(c.oid == o.oid, c.doomed_at.is_(None)))


def batches(names: Iterable[str]) -> Iterator[list[str]]:
    """The names, so many at a time as one query takes."""
    left = iter(names)
    while some := list(islice(left, _BATCH)):
        yield some
