"""What is in buckets: lists of files, and batches that change them. Owns the rule that a file is made of what was uploaded to its
bucket, or of what another one that the caller may read has; so knowing a hash gives nobody the bytes.

A batch is one transaction. What cannot be done of it is told by path, and the rest is done, as on the Hub."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from orchestrator.domain.bucket import (
    FILES_LIMIT,
    Bucket,
    BucketFile,
    BucketFolder,
    BucketKind,
    Failure,
    Operation,
    Put,
    check_path,
)
from orchestrator.domain.caller import Caller, require
from orchestrator.domain.large import LargeObject
from orchestrator.domain.push import amount, printable
from orchestrator.domain.space import Role
from orchestrator.errors import CallerError, TooLarge, repo_not_found
from orchestrator.ports import Bell, Store
from orchestrator.services.bucket_feed import topic
from orchestrator.services.buckets import Buckets
from orchestrator.services.gates import Gates
from orchestrator.services.large_files import LargeFiles
from orchestrator.services.repos import Repositories

#: Seconds for which what no file names any more is kept in any case: it may have been uploaded for a batch to come.
FRESH = 3600.0


class BucketFiles:
    def __init__(
        self,
        store: Store,
        buckets: Buckets,
        repos: Repositories,
        gates: Gates,
        large: LargeFiles,
        bell: Bell,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._buckets, self._repos, self._gates = store, buckets, repos, gates
        self._large, self._bell, self._clock = large, bell, clock

    # ----------------------------------------------------------------------------------------------------- reading

    def list(
        self, bucket: Bucket, prefix: str, recursive: bool, after: str, limit: int
    ) -> "Sequence[BucketFile | BucketFolder]":
        """By path; see store/buckets.py, `tree` and `level`."""
        with self._store.read() as tx:
            found = tx.buckets.tree if recursive else tx.buckets.level
            return found(bucket.id, prefix, after, limit)

    def named(self, bucket: Bucket, paths: Iterable[str]) -> "list[BucketFile]":
        """Those of these files that are there, in their order."""
        paths = [*paths]
        with self._store.read() as tx:
            found = tx.buckets.files(bucket.id, paths)
        return [found[path] for path in dict.fromkeys(paths) if path in found]

    # ---------------------------------------------------------------------------------------------------- changing

    def apply(self, caller: Caller, bucket: Bucket, operations: Sequence[Operation]) -> "list[Failure]":
        """Do all of them that can be done, in their order. Raises TooLarge `REPO_TOO_LARGE`, `BUCKET_FILES`, and then does
        none."""
        require(caller, bucket, Role.WRITE)
        sources = self._sources(caller, operations)
        now = self._clock()
        with self._store.write() as tx:
            kept = tx.buckets.get(bucket.id, lock=True)
            if kept is None:
                raise repo_not_found()
            uploaded = _uploaded(tx, bucket.id, operations, now)
            found = {one: _of(tx, one, source, operations) for one, source in sources.items()}
            files: dict[str, BucketFile | None] = {}
            failures = []
            taken: dict[str, LargeObject] = {}
            for one in operations:
                try:
                    held = _held(one, uploaded, found) if isinstance(one, Put) else None
                    files[check_path(one.path)] = held and BucketFile(
                        one.path, held.oid, held.size, one.changed_at, now
                    )
                    if held and one.source:
                        taken[held.oid] = held
                except (CallerError, _Absent) as error:
                    failures.append(Failure(printable(one.path, 1000), str(error)))
            self._own(tx, bucket.id, taken, now)
            self._write(tx, kept, files, now)
        self._bell.ring(topic(bucket.id))
        return failures

    def _sources(
        self, caller: Caller, operations: Iterable[Operation]
    ) -> "dict[tuple[str, str], tuple[str, bool] | CallerError]":
        """By kind and name, each looked up once: the id and whether it is a bucket, or why nothing may be copied from it."""
        found: dict[tuple[str, str], tuple[str, bool] | CallerError] = {}
        for one in {o.source for o in operations if isinstance(o, Put) and o.source}:
            kind, full_name = one
            owner, _, name = full_name.partition("/")
            try:
                if isinstance(kind, BucketKind):
                    found[one] = (self._buckets.find(caller, owner, name).id, True)
                else:
                    repo = self._repos.find(caller, kind, owner, name)
                    self._gates.check(caller, repo)
                    found[one] = (repo.id, False)
            except CallerError as error:
                found[one] = error
        return found

    def _own(self, tx, bucket_id: str, taken: Mapping[str, LargeObject], now: float) -> None:
        have = tx.objects.owned(bucket_id, taken)
        new = [found for oid, found in taken.items() if oid not in have]
        total = tx.objects.usage(bucket_id) + sum(found.size for found in new) if new else 0
        if total > self._large.limits.repo:
            limit = amount(self._large.limits.repo)
            raise TooLarge("REPO_TOO_LARGE", f"the bucket would have {amount(total)}, limit {limit}")
        for oid in taken:
            tx.objects.own(bucket_id, oid, now)

    @staticmethod
    def _write(tx, bucket: Bucket, files: Mapping[str, BucketFile | None], now: float) -> None:
        old = tx.buckets.files(bucket.id, files)
        new = [file for file in files.values() if file]
        count = bucket.files + len(new) - len(old)
        if count > FILES_LIMIT and count > bucket.files:
            raise TooLarge("BUCKET_FILES", f"a bucket has at most {FILES_LIMIT} files, this one would have {count}")
        if not old and not new:
            return
        tx.buckets.remove(bucket.id, [path for path in old if files[path] is None])
        tx.buckets.put(bucket.id, new)
        size = bucket.size + sum(file.size for file in new) - sum(file.size for file in old.values())
        tx.buckets.update(bucket.id, files=count, size=size, version=bucket.version + 1, updated_at=now)
        ops = {
            path: ("update" if path in old else "add") if file else "delete"
            for path, file in files.items()
            if file or path in old
        }
        tx.buckets.note(bucket.id, bucket.version + 1, ops, now)
        left = {file.oid for file in old.values()}
        tx.objects.disown(bucket.id, left - tx.buckets.named(bucket.id, left), now - FRESH)


class _Absent(Exception):
    """There is no such object where it should come from."""


def _uploaded(tx, bucket_id: str, operations: Iterable[Operation], now: float) -> dict[str, LargeObject]:
    """What was uploaded to the bucket, by the hash that the client gives; kept from being collected."""
    hashes = {one.hash for one in operations if isinstance(one, Put) and not one.source}
    called = tx.objects.called(bucket_id, hashes)
    oids = {one: called.get(one, one) for one in hashes}
    used = tx.objects.use(bucket_id, oids.values(), now)
    have = tx.objects.owned(bucket_id, used)
    return {one: have[oid] for one, oid in oids.items() if oid in have}


def _of(
    tx, source: tuple[str, str], found: "tuple[str, bool] | CallerError", operations: Iterable[Operation]
) -> "dict[str, LargeObject] | CallerError":
    """What a source has of what is to be copied from it, by hash. Of a bucket only what its files hold."""
    if isinstance(found, CallerError):
        return found
    repo_id, is_bucket = found
    hashes = {one.hash for one in operations if isinstance(one, Put) and one.source == source}
    called = tx.objects.called(repo_id, hashes)
    oids = {one: called.get(one, one) for one in hashes}
    held = tx.buckets.named(repo_id, oids.values()) if is_bucket else set(oids.values())
    have = tx.objects.owned(repo_id, held)
    return {one: have[oid] for one, oid in oids.items() if oid in have}


def _held(one: Put, uploaded: Mapping[str, LargeObject], found: Mapping) -> LargeObject:
    """What a file is to be made of. Raises the error of its source, _Absent."""
    if one.source is None:
        if one.hash not in uploaded:
            raise _Absent(f"nothing was uploaded as {one.hash[:16]}; upload the file again")
        return uploaded[one.hash]
    there = found[one.source]
    if isinstance(there, CallerError):
        raise there
    if one.hash not in there:
        kind, name = one.source
        raise _Absent(f"the {kind} {printable(name, 200)} has no file {one.hash[:16]}")
    return there[one.hash]
