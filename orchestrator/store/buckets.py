"""Buckets and their files. What the files hold is `objects.py`'s."""

from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from orchestrator.domain.bucket import LAST, Bucket, BucketFile, BucketFolder, BucketKind
from orchestrator.domain.space import Visibility
from orchestrator.errors import Conflict
from orchestrator.store import schema as t
from orchestrator.store.bucket_schema import bucket_changes, bucket_files, buckets
from orchestrator.store.objects import batches
from orchestrator.store.repo_schema import former_names
from orchestrator.store.upsert import upsert, upsert_all

_SELECT = sa.select(buckets, t.owners.c.name.label("owner")).join(t.owners, t.owners.c.id == buckets.c.owner_id)
_FILE = sa.select(*(bucket_files.c[name] for name in BucketFile.__slots__))


class Buckets:
    def __init__(self, connection: sa.Connection) -> None:
        self._db = connection

    def add(self, bucket: Bucket) -> None:
        """Raises Conflict when the owner has one of this name."""
        values = {name: getattr(bucket, name) for name in Bucket.__slots__ if name != "owner"}
        try:
            self._db.execute(sa.insert(buckets).values(**values, name_lower=bucket.name.lower()))
        except sa.exc.IntegrityError as error:
            raise Conflict("RepoExists", f"{bucket.full_name} exists already") from error

    def get(self, bucket_id: str, lock: bool = False) -> Bucket | None:
        """`lock`: nobody else may change it until this transaction ends."""
        query = _SELECT.where(buckets.c.id == bucket_id)
        row = self._db.execute(query.with_for_update(of=buckets) if lock else query).mappings().first()
        return _bucket(row) if row else None

    def find(self, owner: str, name: str) -> Bucket | None:
        """By name, whatever its case."""
        query = _SELECT.where(t.owners.c.name_lower == owner.lower(), buckets.c.name_lower == name.lower())
        row = self._db.execute(query).mappings().first()
        return _bucket(row) if row else None

    def list(
        self,
        owner_id: str,
        limit: int,
        after: str = "",
        search: str = "",
        private: bool = False,
        also: Iterable[str] = (),
    ) -> "list[Bucket]":
        """Those of an owner by name, from the one after `after`. `private`: all of them; else the public ones, and those whose
        ids are in `also`. `search`: a part of the name."""
        c = buckets.c
        query = _SELECT.where(c.owner_id == owner_id, c.name_lower > after.lower())
        if search:
            query = query.where(c.name_lower.contains(search.lower(), autoescape=True))
        if not private:
            query = query.where(sa.or_(c.visibility == Visibility.PUBLIC.value, c.id.in_([*also])))
        return [_bucket(row) for row in self._db.execute(query.order_by(c.name_lower).limit(limit)).mappings()]

    def ids(self) -> "set[str]":
        return set(self._db.execute(sa.select(buckets.c.id)).scalars())

    def update(self, bucket_id: str, **values: object) -> None:
        if "name" in values:
            values["name_lower"] = str(values["name"]).lower()
        self._db.execute(sa.update(buckets).where(buckets.c.id == bucket_id).values(**values))

    def forget(self, bucket_id: str) -> None:
        """It, its files and its former names."""
        self._db.execute(sa.delete(former_names).where(former_names.c.repo_id == bucket_id))
        self._db.execute(sa.delete(bucket_files).where(bucket_files.c.bucket_id == bucket_id))
        self._db.execute(sa.delete(bucket_changes).where(bucket_changes.c.bucket_id == bucket_id))
        self._db.execute(sa.delete(buckets).where(buckets.c.id == bucket_id))

    # former names

    def leave_name(self, bucket: Bucket, now: float) -> None:
        """From now on the name that it has leads to it."""
        key = {"kind": bucket.kind.value, "owner_id": bucket.owner_id, "name_lower": bucket.name.lower()}
        upsert(self._db, former_names, {**key, "repo_id": bucket.id, "moved_at": now})

    def moved(self, owner: str, name: str) -> str | None:
        """Id of the bucket that had this name."""
        c = former_names.c
        query = (
            sa.select(c.repo_id)
            .join(t.owners, t.owners.c.id == c.owner_id)
            .where(t.owners.c.name_lower == owner.lower())
        )
        return self._db.execute(query.where(*_former(name))).scalar()

    def take_name(self, owner_id: str, name: str) -> None:
        """Somebody has this name again: it leads nowhere else."""
        self._db.execute(sa.delete(former_names).where(former_names.c.owner_id == owner_id, *_former(name)))

    # ------------------------------------------------------------------------------------------------------- files

    def files(self, bucket_id: str, paths: Iterable[str]) -> dict[str, BucketFile]:
        """Those of `paths` that are there."""
        found = {}
        for some in batches(dict.fromkeys(paths)):
            query = _FILE.where(bucket_files.c.bucket_id == bucket_id, bucket_files.c.path.in_(some))
            found |= {row["path"]: BucketFile(**row) for row in self._db.execute(query).mappings()}
        return found

    def tree(self, bucket_id: str, prefix: str, after: str, limit: int) -> "list[BucketFile]":
        """Files whose paths begin with `prefix`, by path, from the one after `after`."""
        query = _FILE.where(*_below(bucket_id, prefix, after)).order_by(bucket_files.c.path).limit(limit)
        return [BucketFile(**row) for row in self._db.execute(query).mappings()]

    def level(self, bucket_id: str, prefix: str, after: str, limit: int) -> "list[BucketFile | BucketFolder]":
        """The same with all below one folder as one: cut at the first slash behind the prefix, and behind the folder of which
        the prefix is the name. The next page begins after the path of a file, or after that of a folder with `/` and LAST."""
        c = bucket_files.c
        folder = f"{prefix}/" if prefix and not prefix.endswith("/") else prefix
        start = sa.case((sa.func.substr(c.path, 1, len(folder)) == folder, len(folder) + 1), else_=len(prefix) + 1)
        find = sa.func.instr if self._db.dialect.name == "sqlite" else sa.func.strpos
        inner = sa.select(*(c[name] for name in BucketFile.__slots__), start.label("start"))
        one = inner.where(*_below(bucket_id, prefix, after)).subquery()
        slash = find(sa.func.substr(one.c.path, one.c.start), "/")
        shown = sa.case((slash > 0, sa.func.substr(one.c.path, 1, one.c.start + slash - 2)), else_=one.c.path)
        two = sa.select(one, shown.label("shown"), (slash > 0).label("folder")).subquery()
        first = sa.func.min(two.c.path)
        newest = [sa.func.max(two.c[name]).label(name) for name in ("oid", "size", "changed_at", "uploaded_at")]
        query = sa.select(two.c.shown, two.c.folder, *newest).group_by(two.c.shown, two.c.folder).order_by(first)
        return [_entry(row) for row in self._db.execute(query.limit(limit)).mappings()]

    def put(self, bucket_id: str, files: Iterable[BucketFile]) -> None:
        """Have these, in the place of what is at their paths."""
        rows = [
            {"bucket_id": bucket_id, **{name: getattr(file, name) for name in BucketFile.__slots__}} for file in files
        ]
        upsert_all(self._db, bucket_files, rows)

    def remove(self, bucket_id: str, paths: Iterable[str]) -> None:
        c = bucket_files.c
        for some in batches(paths):
            self._db.execute(sa.delete(bucket_files).where(c.bucket_id == bucket_id, c.path.in_(some)))

    def named(self, bucket_id: str, oids: Iterable[str]) -> set[str]:
        """Those of these objects that a file holds."""
        c = bucket_files.c
        found: set[str] = set()
        for some in batches(dict.fromkeys(oids)):
            query = sa.select(c.oid).distinct().where(c.bucket_id == bucket_id, c.oid.in_(some))
            found.update(self._db.execute(query).scalars())
        return found

    # ----------------------------------------------------------------------------------------------------- changes

    def note(self, bucket_id: str, version: int, ops: Mapping[str, str], now: float) -> None:
        """What was done, by path, when the bucket came to this version."""
        rows = [
            {"bucket_id": bucket_id, "version": version, "path": path, "op": op, "at": now} for path, op in ops.items()
        ]
        self._db.execute(sa.insert(bucket_changes), rows)

    def changes(self, bucket_id: str, version: int, limit: int) -> "list[tuple[int, str, str]]":
        """(version, path, op) of what came after a version, in order."""
        c = bucket_changes.c
        query = sa.select(c.version, c.path, c.op).where(c.bucket_id == bucket_id, c.version > version)
        return [tuple(row) for row in self._db.execute(query.order_by(c.version, c.path).limit(limit))]

    def first_change(self, bucket_id: str, at: float) -> int | None:
        """The version of the first change at or after a time."""
        c = bucket_changes.c
        query = sa.select(sa.func.min(c.version)).where(c.bucket_id == bucket_id, c.at >= at)
        return self._db.execute(query).scalar()

    def forget_changes(self, before: float) -> None:
        self._db.execute(sa.delete(bucket_changes).where(bucket_changes.c.at < before))


def _former(name: str) -> list[sa.ColumnElement[bool]]:
    return [former_names.c.kind == BucketKind.BUCKET.value, former_names.c.name_lower == name.lower()]


def _below(bucket_id: str, prefix: str, after: str) -> list[sa.ColumnElement[bool]]:
    c = bucket_files.c
    return [c.bucket_id == bucket_id, c.path >= prefix, c.path < prefix + LAST, c.path > after]


def _entry(row: sa.RowMapping) -> BucketFile | BucketFolder:
    if row["folder"]:
        return BucketFolder(row["shown"], row["uploaded_at"])
    return BucketFile(row["shown"], *(row[name] for name in ("oid", "size", "changed_at", "uploaded_at")))


def _bucket(row: sa.RowMapping) -> Bucket:
    plain = {name: row[name] for name in Bucket.__slots__ if name != "visibility"}
    return Bucket(**plain, visibility=Visibility(row["visibility"]))
