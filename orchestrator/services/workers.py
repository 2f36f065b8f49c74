"""The builder's side of builds: claims rows and runs them through the Builds port. The row is the queue: threads look into it by
themselves, and a doorbell (`drive`) only makes them look sooner."""

import logging
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace

from orchestrator import failpoints
from orchestrator.domain.progress import begun
from orchestrator.domain.records import Build
from orchestrator.domain.seen import BuildState
from orchestrator.domain.streams import build_stream
from orchestrator.errors import Unavailable
from orchestrator.ports import Bell, BuilderDied, BuildOrder, BuildResult, Cancelled, Logs, Repos, Store
from orchestrator.ports import Builds as BuildsPort
from orchestrator.services.builds import finish, put_back, requeue
from orchestrator.services.lease import End, Lease
from orchestrator.services.loop import Loop

log = logging.getLogger(__name__)
LOOK_EVERY = 5.0  #: seconds between looks into the queue without a bell
SAVE_EVERY = 1.0  #: seconds between attempts to save a result
UNSAID = 5000  #: lines kept while it is not certain that the build is still ours


class BuildWorkers:
    """`count`: builds at the same time. `lease`: seconds without a word after which a build is given to another builder.
    `patience`: seconds that a build is left to be claimed by `drive`, before the threads here claim it themselves. `told`:
    variables and secrets of a Space, for builders that hand them to an author's own Dockerfile. `large`: the large files of a
    revision, as in BuildOrder."""

    def __init__(
        self,
        store: Store,
        repos: Repos,
        builds: BuildsPort,
        logs: Logs,
        bell: Bell,
        *,
        count: int,
        timeout: float,
        lease: float = 45.0,
        patience: float = 0.0,
        changed=lambda space_id: None,
        told: Callable[[str], tuple[Mapping[str, str], Mapping[str, str]]] = lambda space_id: ({}, {}),
        large: Callable[[str, str], Mapping[str, str]] = lambda repo_id, revision: {},
        clock=time.time,
    ) -> None:
        self._large = large
        self._store = store
        self._repos = repos
        self._builds = builds
        self._logs = logs
        self._bell = bell
        self._timeout = timeout
        self._lease = lease
        self._patience = patience
        self._changed = changed
        self._told = told
        self._clock = clock
        self._machine = f"{socket.gethostname()[:30]}/{_processes()}:"
        self._slots = threading.Semaphore(max(1, count))
        self._loop = Loop(
            "build", LOOK_EVERY, self._next, again=2.0, bell=bell, topic="builds", threads=count, join=10.0
        )  # fmt: skip
        self._stop = self._loop.ending

    def start(self) -> None:
        self._recover()
        self._loop.start()

    def stop(self) -> None:
        """Stop at once; what is being built is queued again, uncounted."""
        self._loop.stop()

    def stop_soon(self) -> None:
        self._loop.stop_soon()

    def drive(self, patience: float = 0.0) -> bool:
        """Claim the next build that has waited for `patience` seconds, and build it; whether there was one. Takes one of our
        places, and waits for it. Raises Unavailable."""
        with self._slots:
            if self._stop.is_set():
                return False
            build = self._claim(f"{self._machine}{os.getpid()}:{threading.get_native_id()}", patience)
            if build:
                self._run(build)
        return build is not None

    def _recover(self) -> None:
        """Queue again what this machine was building when it went down: nobody else will within the lease."""
        with self._store.write() as tx:
            for build in tx.builds.held_by(self._machine):
                pid = build.lease_owner.removeprefix(self._machine).split(":")[0]
                if pid == str(os.getpid()) or not os.path.exists(f"/proc/{pid}"):
                    requeue(tx, build, self._clock())

    def _next(self) -> float:
        """A build, if there is one; seconds until the next look."""
        return 0.0 if self.drive(self._patience) else LOOK_EVERY

    def _claim(self, who: str, patience: float = 0.0) -> Build | None:
        now = self._clock()
        with self._store.read() as tx:
            if not tx.builds.any_work(now):
                return None
            expired = tx.builds.expired(now)
        with self._store.write() as tx:
            for build in expired:
                requeue(tx, build, now)
            before = now - patience if patience else None
            return tx.builds.claim(who, now, now + self._lease, now + self._timeout, before)

    def _run(self, build: Build) -> None:
        failpoints.hit("after_claim")
        self._changed(build.space_id)
        started, stream = self._clock(), build_stream(build.key)
        with Lease(self._store, build, self._lease, self._clock, self._stop) as lease:
            unsaid: deque[str] = deque(maxlen=UNSAID)

            def say(line: str) -> None:
                unsaid.append(line)
                if lease.holds():
                    self._logs.append(stream, *unsaid)
                    unsaid.clear()

            queued = {"queued": max(0.0, started - build.created_at)}
            phases = dict(queued)

            def begin(name: str) -> None:
                nonlocal phases
                phases = begun(phases, started, self._clock(), name)
                self._tell(build, phases, lease)

            try:
                result = self._builds.run(self._order(build), say, lease.must_stop, begin)
                failpoints.hit("after_image")
                phases = {**queued, **result.phases}
                self._save(build, replace(result, phases=phases), lease)
            except Cancelled:
                self._cancelled(build, lease, say)
            except Unavailable as error:
                log.warning("build %s of %s: %s", build.key, build.space_id, error)
                say(f"The platform had a problem: {error}. Trying again.")
                died = isinstance(error, BuilderDied)
                if died:
                    self._stop.wait(2.0 * build.attempts)
                with self._store.write() as tx:
                    now = self._clock()
                    _ = requeue(tx, build, now) if died else put_back(tx, build, str(error), now)
            if lease.end is not End.LOST:
                self._logs.end(stream)
        self._bell.ring("builds")
        self._changed(build.space_id)

    def _tell(self, build: Build, phases: Mapping[str, float], lease: Lease) -> None:
        """Write down what the build is at. Whoever waits is told more now; the build itself needs none of it."""
        if not lease.holds():
            return
        try:
            with self._store.write() as tx:
                if tx.builds.update(build.key, build.fence, phases=dict(phases)):
                    tx.spaces.tell(build.space_id)
        except Unavailable:
            return
        self._bell.ring("routes")

    def _cancelled(self, build: Build, lease: Lease, say) -> None:
        end = lease.end or End.SUPERSEDED
        say(f"===== Build {end.value} =====")
        if end is End.STOPPED:
            again = {"state": BuildState.QUEUED.value, "lease_until": 0.0, "attempts": build.attempts - 1}
            with self._store.write() as tx:
                tx.builds.update(build.key, build.fence, since=self._clock(), **again)

    def _save(self, build: Build, result: BuildResult, lease: Lease) -> None:
        """Write the result; a database that is away meanwhile is waited for, or the work would be done again."""
        deadline = time.monotonic() + self._lease
        while True:
            try:
                with self._store.write() as tx:
                    finish(tx, build, result, self._clock())
                return
            except Unavailable:
                if time.monotonic() > deadline or lease.must_stop():
                    raise
                self._stop.wait(SAVE_EVERY)

    def _order(self, build: Build) -> BuildOrder:
        with self._store.read() as tx:
            good = tx.builds.of(build.space_id, 1, BuildState.SUCCEEDED)
        last = good[0] if good else None
        variables, secrets = self._told(build.space_id)
        return BuildOrder(
            build.key,
            build.space_id,
            build.revision,
            self._repos.git_dir(build.space_id),
            build.fence,
            fresh=build.rebuilds > (last.rebuilds if last else 0),
            previous=last.previous if last else {},
            variables=variables,
            secrets=secrets,
            large=self._large(build.space_id, build.revision),
        )


def _processes() -> str:
    """What tells our process numbers from those of a container that shares our host's name."""
    try:
        return str(os.stat("/proc/self/ns/pid").st_ino)
    except OSError:
        return "0"
