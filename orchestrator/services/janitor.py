"""Collects what nothing needs any more: old builds beyond those kept for rollback, old runs of instances, their logs,
and the environments and exported files that no kept image names. Never touches what runs."""

import logging
import time
from collections.abc import Callable, Iterable

from orchestrator.domain.records import Build, Space
from orchestrator.domain.seen import BuildState, Image
from orchestrator.domain.streams import build_stream, instance_stream
from orchestrator.ports import Builds, Logs, Store
from orchestrator.services.loop import Loop

log = logging.getLogger(__name__)
EVERY = 600.0
KEEP_FAILED = 10  #: other builds of a Space kept for their logs
KEEP_RUNS = 30  #: runs of instances of a Space kept, with their logs


class Janitor:
    """`others`: what else is to be collected now and then, as `loop` does."""

    def __init__(
        self,
        store: Store,
        builds: Builds,
        logs: Logs,
        keep_builds: int,
        others: Iterable[Callable[[], None]] = (),
    ) -> None:
        self._store = store
        self._builds = builds
        self._logs = logs
        self._keep = keep_builds
        self._others = tuple(others)
        self.loop = Loop("janitor", EVERY, self._round, first=EVERY)

    def _round(self) -> None:
        self.collect()
        for other in self._others:
            other()

    def collect(self, dry: bool = False) -> int:
        """One round; returns the bytes freed. `dry`: only those that it would free, about."""
        started = time.monotonic()
        images: list[Image] = []
        with self._store.read() as tx:
            space_ids = tx.spaces.ids_with_builds()
        for space_id in space_ids:
            with self._store.read() as tx:
                space, builds = tx.spaces.get(space_id), tx.builds.of(space_id, 10000)
            kept, gone = split(space, builds, self._keep)
            for build in () if dry else gone:
                with self._store.write() as tx:
                    tx.builds.remove(build.key)
                self._logs.remove(build_stream(build.key))
            with self._store.write() as tx:
                forgotten = tx.runs.trim(space_id, KEEP_RUNS)
            for instance in forgotten:
                self._logs.remove(instance_stream(instance))
            images += [build.image for build in kept if build.image]
            if space and space.image:
                images.append(space.image)
        freed = self._builds.collect(images, dry)
        if dry:
            return freed
        log.info("janitor: freed %d bytes in %.1f s", freed, time.monotonic() - started)
        return freed


def split(space: Space | None, builds: list[Build], keep: int) -> tuple[list[Build], list[Build]]:
    """Builds (newest first) to keep and to remove. Pure. Kept are the last good ones, what is wanted or serves, whatever
    is not finished, and a few failed ones for their logs."""
    kept: list[Build] = []
    gone: list[Build] = []
    good = other = 0
    for build in builds:
        if space is None:
            gone.append(build)
        elif build.state in (BuildState.QUEUED, BuildState.RUNNING) or build.revision in (
            space.wish.revision,
            space.running_revision,
        ):
            kept.append(build)
        elif build.state is BuildState.SUCCEEDED:
            good += 1
            (kept if good <= keep else gone).append(build)
        else:
            other += 1
            (kept if other <= KEEP_FAILED else gone).append(build)
    return kept, gone
