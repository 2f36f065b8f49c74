"""Builds as rows: what the reconciler asks for and looks at, and how a build ends. Who builds is `workers.py`; how is the Builds
port's."""

import time

from orchestrator.domain.records import Build, Space
from orchestrator.domain.seen import BuildSeen, BuildState, Fault, FaultKind
from orchestrator.ports import Bell, BuildResult, Repos, Store
from orchestrator.services.audience import tell_of_build

ATTEMPTS = 3  #: a build that three builders died of is not tried again
PATIENCE = 86400.0  #: seconds after which a build is given up that something of ours stands in the way of
_PAUSES = (2.0, 15.0)  #: seconds between attempts meanwhile, at least and at most


class BuildQueue:
    """The control plane's side: what the reconciler asks for and looks at."""

    def __init__(self, store: Store, repos: Repos, bell: Bell, clock=time.time) -> None:
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

    def open(self) -> tuple[int, int]:
        """How many builds wait, and how many are being made."""
        with self._store.read() as tx:
            return tx.builds.open()

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


def requeue(tx, build: Build, now: float) -> None:
    """Queue a build again that its builder did not finish, or give it up. Nothing if somebody else has done so."""
    if build.attempts < ATTEMPTS:
        tx.builds.update(build.key, build.fence, state=BuildState.QUEUED.value, since=now, lease_until=0.0)
        return
    fault = Fault(
        "BUILD_LOST",
        f"the builder died {ATTEMPTS} times at this build; restart with a factory rebuild to try again",
    )
    finish(tx, build, BuildResult(None, fault), now)


def put_back(tx, build: Build, why: str, now: float) -> None:
    """Queue a build again that something of ours stood in the way of, a registry that is away: uncounted, and not to be taken
    up before a pause that grows with its age. Whoever waits for it is told why."""
    age = now - build.created_at
    fault = Fault("PLATFORM", f"the platform has a problem: {why}")
    if age > PATIENCE:
        finish(tx, build, BuildResult(None, fault), now)
        return
    waits_until = now + min(_PAUSES[1], max(_PAUSES[0], age / 4))
    tx.builds.update(
        build.key, build.fence, state=BuildState.QUEUED.value, since=now, lease_until=waits_until, fault=fault,
        attempts=build.attempts - 1,
    )  # fmt: skip


def finish(tx, build: Build, result: BuildResult, now: float) -> bool:
    """Write the result under the build's fencing number; False, and nothing written, when the lease was lost."""
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
        if result.fault and FaultKind(result.fault_kind) is not FaultKind.NO_APP_FILE:  # nothing was pushed to run
            tell_of_build(tx, build, result.fault, now)
    return saved


def seen(build: Build, ahead: int = 0) -> BuildSeen:
    """A row as the reconciler sees it. Pure."""
    return BuildSeen(
        build.key,
        build.state,
        build.since,
        build.image,
        build.fault,
        build.fault_kind,
        build.deadline,
        ahead,
        build.number,
    )
