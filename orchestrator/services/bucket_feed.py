"""What changed in a bucket, for whoever keeps a list of its files fresh. Owns how long changes are remembered; who asks for older
ones is told to list anew."""

import time
from collections.abc import Callable

from orchestrator.domain.bucket import Bucket, BucketFile
from orchestrator.domain.caller import Caller, require
from orchestrator.domain.space import Role
from orchestrator.errors import repo_not_found
from orchestrator.ports import Store

KEPT = 3600.0  #: seconds that changes are remembered
_SLACK = 600.0  #: seconds by which clocks may differ
_ROWS = 20_000  #: more than one batch has

#: A batch: the version of the bucket after it, and (path, add | update | delete, the file as it is now).
Changes = tuple[int, list[tuple[str, str, BucketFile | None]]]


def topic(bucket_id: str) -> str:
    """What is rung when a bucket changed."""
    return f"bucket:{bucket_id}"


class BucketFeed:
    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store, self._clock = store, clock

    def since(self, bucket: Bucket, at: float) -> int | None:
        """The version after which the changes since then begin; None: they are not all remembered."""
        if round(bucket.updated_at * 1000) <= round(at * 1000) + 1:  # clients know milliseconds
            return bucket.version
        if at < self._clock() - KEPT:
            return None
        with self._store.read() as tx:
            first = tx.buckets.first_change(bucket.id, at)
        return bucket.version if first is None else first - 1

    def after(self, caller: Caller, bucket: Bucket, version: int) -> list[Changes] | None:
        """The next changes after a version, none when there are none yet; None: they are not all remembered. Raises NotFound
        when the bucket is gone, or nothing for the caller any more."""
        with self._store.read() as tx:
            now = tx.buckets.get(bucket.id)
            if now is None:
                raise repo_not_found()
            require(caller, now, Role.READ)
            if now.version == version:
                return []
            rows = tx.buckets.changes(bucket.id, version, _ROWS)
            files = tx.buckets.files(bucket.id, (path for _, path, op in rows if op != "delete"))
        if not rows or rows[0][0] != version + 1:
            return None
        if len(rows) == _ROWS:  # the last one may be cut
            rows = [row for row in rows if row[0] != rows[-1][0]]
        found: dict[int, list[tuple[str, str, BucketFile | None]]] = {}
        for number, path, op in rows:
            found.setdefault(number, []).append((path, op, None if op == "delete" else files.get(path)))
        return [*found.items()]

    def collect(self) -> None:
        """Forget what was remembered for long enough."""
        with self._store.write() as tx:
            tx.buckets.forget_changes(self._clock() - KEPT - _SLACK)
