"""Builds as rows with leases: queue, claim, run, save. Owns who builds what and when; how is the Builds port's."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from orchestrator.domain.records import Build, Space
from orchestrator.domain.seen import BuildSeen, BuildState, Fault, FaultKind
from orchestrator.domain.streams import build_stream
from orchestrator.errors import Unavailable
from orchestrator.ports import BuildOrder, BuildResult, Cancelled, Logs, Repos, Store
from orchestrator.ports import Builds as BuildsPort
from orchestrator.services.bell import LocalBell

log = logging.getLogger(__name__)
LEASE = 45.0
HEARTBEAT = 10.0
ATTEMPTS = 3


class BuildQueue:
    """The control plane's side: what the reconciler asks for and looks at."""

    def __init__(self, store: Store, repos: Repos, bell: LocalBell, clock=time.time) -> None:
        self._store = store
        self._repos = repos
        self._bell = bell
        self._clock = clock

    def look(self, space: Space) -> BuildSeen | None:
        """The build of the wanted revision."""
        key = space.wish.build_key
        if key is None:
            return None
        with self._store.read() as tx:
            build = tx.builds.get(key)
            ahead = tx.builds.ahead_of(build) if build and build.state is BuildState.QUEUED else 0
        return seen(build, ahead) if build else None

    def submit(self, space: Space) -> None:
        """Queue the build of the wanted revision; earlier ones of the Space are superseded."""
        wish = space.wish
        assert wish.revision is not None
        key, now = wish.build_key, self._clock()
        commit = next(iter(self._repos.log(space.id, wish.revision, limit=1)), None)
        title = commit.title[:200] if commit else ""
        actor = commit.authors[0][:96] if commit and commit.authors else ""
        with self._store.write() as tx:
            known = tx.builds.get(key)
            if known and known.state in (BuildState.QUEUED, BuildState.RUNNING):
                return
            tx.builds.supersede(space.id, key, now)
            tx.builds.add(
                Build(key, space.id, 0, wish.revision, wish.rebuilds, BuildState.QUEUED, now, now, actor, title)
            )
        self._bell.ring("builds")

    def lost(self, key: str) -> None:
        """The image of this build is gone: it must be built again."""
        with self._store.write() as tx:
            tx.builds.update(key, state=BuildState.LOST.value, since=self._clock())


class BuildWorkers:
    """The builder's side: threads that claim builds and run them through the Builds port. `told`: variables and secrets of a
    Space, for builders that hand them to an author's own Dockerfile."""

    def __init__(
        self,
        store: Store,
        repos: Repos,
        builds: BuildsPort,
        logs: Logs,
        bell: LocalBell,
        *,
        count: int,
        timeout: float,
        changed=lambda space_id: None,
        told: Callable[[str], tuple[Mapping[str, str], Mapping[str, str]]] = lambda space_id: ({}, {}),
        clock=time.time,
    ) -> None:
        self._store = store
        self._repos = repos
        self._builds = builds
        self._told = told
        self._logs = logs
        self._bell = bell
        self._count = count
        self._timeout = timeout
        self._changed = changed
        self._clock = clock
        self._machine = f"{socket.gethostname()[:40]}:"
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        self._recover()
        for index in range(self._count):
            thread = threading.Thread(target=self._loop, name=f"build-{index}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        self._stop.set()
        self._bell.ring("builds")
        for thread in self._threads:
            thread.join(10)

    def _recover(self) -> None:
        """Queue again what this machine was building when it went down: nobody else will within the lease."""
        with self._store.write() as tx:
            for build in tx.builds.held_by(self._machine):
                pid = build.lease_owner.removeprefix(self._machine).split(":")[0]
                if pid == str(os.getpid()) or not os.path.exists(f"/proc/{pid}"):
                    self._requeue(tx, build)

    def _loop(self) -> None:
        who = f"{self._machine}{os.getpid()}:{threading.current_thread().name}"
        while not self._stop.is_set():
            try:
                build = self._claim(who)
                if build is None:
                    self._bell.wait("builds", 5.0)
                    continue
                self._run(build)
            except Unavailable as error:
                log.warning("builds: %s", error)
                self._stop.wait(2.0)
            except Exception:
                log.exception("builds: a worker failed")
                self._stop.wait(2.0)

    def _claim(self, who: str) -> Build | None:
        now = self._clock()
        with self._store.read() as tx:
            expired = tx.builds.expired(now)
        with self._store.write() as tx:
            for build in expired:
                self._requeue(tx, build)
            return tx.builds.claim(who, now, now + LEASE, now + self._timeout)

    def _requeue(self, tx, build: Build) -> None:
        now = self._clock()
        if build.attempts < ATTEMPTS:
            tx.builds.update(build.key, build.fence, state=BuildState.QUEUED.value, since=now, lease_until=0.0)
            return
        fault = Fault(
            "BUILD_LOST",
            f"the builder died {ATTEMPTS} times at this build; restart with a factory rebuild to try again",
        )
        self._finish(tx, build, BuildResult(None, fault))

    def _run(self, build: Build) -> None:
        self._changed(build.space_id)
        stream, ended = build_stream(build.key), threading.Event()
        cancelled = threading.Event()
        heart = threading.Thread(target=self._beat, args=(build, ended, cancelled), daemon=True)
        heart.start()
        started = self._clock()
        try:
            result = self._builds.run(
                self._order(build), lambda line: self._logs.append(stream, line), lambda: cancelled.is_set()
            )
            phases = {"queued": max(0.0, started - build.created_at), **result.phases}
            with self._store.write() as tx:
                self._finish(tx, build, replace(result, phases=phases))
        except Cancelled:
            why = "stopped with Podium; it will be built again" if self._stop.is_set() else "superseded by a newer push"
            self._logs.append(stream, f"===== Build {why} =====")
            if self._stop.is_set():
                with self._store.write() as tx:
                    tx.builds.update(
                        build.key,
                        build.fence,
                        state=BuildState.QUEUED.value,
                        lease_until=0.0,
                        attempts=build.attempts - 1,
                    )
        except Unavailable as error:
            log.warning("build %s of %s: %s", build.key, build.space_id, error)
            self._logs.append(stream, f"The platform had a problem: {error}. Trying again.")
            self._stop.wait(2.0 * build.attempts)
            with self._store.write() as tx:
                self._requeue(tx, build)
        finally:
            ended.set()
            self._logs.end(stream)
            self._bell.ring("builds")
            self._changed(build.space_id)

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
        )

    def _finish(self, tx, build: Build, result: BuildResult) -> None:
        now = self._clock()
        state = BuildState.SUCCEEDED if result.image else BuildState.FAILED
        saved = tx.builds.update(
            build.key,
            build.fence,
            state=state.value,
            since=now,
            finished_at=now,
            image=result.image,
            fault=result.fault,
            fault_kind=FaultKind(result.fault_kind).value,
            warnings=list(result.warnings),
            phases=dict(result.phases),
            previous=dict(result.previous),
        )
        if saved:
            tx.spaces.look_again(build.space_id, now)

    def _beat(self, build: Build, ended: threading.Event, cancelled: threading.Event) -> None:
        """Extend the lease while the build runs, whatever it prints; notice that it was superseded or fenced out."""
        extended = self._clock()
        while not ended.wait(0.25):
            if self._stop.is_set():
                cancelled.set()
                return
            now = self._clock()
            try:
                if now - extended < HEARTBEAT:
                    with self._store.read() as tx:
                        row = tx.builds.get(build.key)
                    alive = row is not None and row.state is BuildState.RUNNING and row.fence == build.fence
                else:
                    with self._store.write() as tx:
                        alive = tx.builds.update(build.key, build.fence, lease_until=now + LEASE)
                    extended = now
            except Unavailable:
                continue
            if not alive:
                cancelled.set()
                return


def seen(build: Build, ahead: int = 0) -> BuildSeen:
    """A row as the reconciler sees it. Pure."""
    return BuildSeen(
        build.key, build.state, build.since, build.image, build.fault, build.fault_kind, build.deadline, ahead
    )
