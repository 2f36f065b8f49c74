"""What is stored and how large it is, what could go, and collecting it now. Measuring reads every file's size, so it is done in
the background: once a day, after each collection, and when an admin asks; pages show what the last round found."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from orchestrator.domain.caller import Caller, require_admin
from orchestrator.domain.records import AnyRepo, AuditRow
from orchestrator.errors import Conflict, PodiumError
from orchestrator.ports import Repos, Store
from orchestrator.services.lookup import by_id
from orchestrator.services.loop import Loop

log = logging.getLogger(__name__)
LARGEST = 10
EVERY = 86400.0  #: seconds between two rounds that nobody asked for
_FIRST, _LOOK = 60.0, 3600.0  #: seconds until the first look whether one is due, and between looks
_LOST = 6 * 3600.0  #: seconds after which a round that never ended died with its process
_SIZES, _ROUND = "storage", "collection"


@dataclass(frozen=True, slots=True)
class Big:
    """One of the largest: bytes in all, of git, of large files, and of /data (None where that cannot be told)."""

    name: str
    kind: str
    size: int
    git: int
    large: int
    volume: int | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """`at`: when it was measured, None before the first time. `parts`: bytes by what it is, None where that cannot be told.
    `loose`: what a collection would free, about. `round`: what became of the last collection, {} before the first."""

    at: float | None = None
    parts: tuple[tuple[str, int | None], ...] = ()
    largest: tuple[Big, ...] = ()
    loose: int | None = None
    measuring: bool = False
    round: Mapping[str, object] = field(default_factory=dict)

    @property
    def collecting(self) -> bool:
        return bool(self.round) and "ended" not in self.round


class Storage:
    """`measures`: what each part takes, by its words. `volume(space_id)`: bytes of its /data. `collect(dry)`: what the janitor
    does, returns the bytes freed; `others` as well, but for saying it before. `loop` measures once a day."""

    def __init__(
        self,
        store: Store,
        repos: Repos,
        measures: Callable[[], Mapping[str, int | None]],
        volume: Callable[[str], int | None],
        collect: Callable[[bool], int],
        others: Iterable[Callable[[], int]] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._repos, self._measures, self._volume = store, repos, measures, volume
        self._collect, self._others, self._clock = collect, tuple(others), clock
        self._busy = threading.Lock()
        self.loop = Loop("storage", _LOOK, self._daily, first=_FIRST)

    def _daily(self) -> None:
        with self._store.read() as tx:
            known = tx.figures.get(_SIZES)
        if known is None or self._clock() - known[0] > EVERY:
            self._do(self.measure)

    # ------------------------------------------------------------------------------------------------------- looking

    def look(self, caller: Caller) -> Stored:
        """What the last round found. Raises Forbidden."""
        require_admin(caller)
        with self._store.read() as tx:
            sizes, last = tx.figures.get(_SIZES), tx.figures.get(_ROUND)
        told = dict(last[1]) if last else {}
        if last and "ended" not in told and self._clock() - last[0] > _LOST:
            told |= {"ended": last[0], "error": "it never ended: the control plane was stopped meanwhile"}
        measuring = self._busy.locked()
        if sizes is None:
            return Stored(measuring=measuring, round=told)
        at, found = sizes
        largest = tuple(Big(**one) for one in found["largest"])
        parts = tuple((words, size) for words, size in found["parts"])
        return Stored(at, parts, largest, found["loose"], measuring, told)

    def of(self, repo: AnyRepo, volume: bool) -> Big:
        """What one repo takes now. `volume`: read the size of its /data too, which takes a while where much is in it."""
        git, kept = self._repos.size(repo.id), self._volume(repo.id) if volume and repo.kind.runs else None
        with self._store.read() as tx:
            large = tx.objects.usage(repo.id)
        return Big(repo.full_name, repo.kind.value, git + large + (kept or 0), git, large, kept)

    # -------------------------------------------------------------------------------------------------------- doing

    def ask_measure(self, caller: Caller) -> None:
        """Measure in the background. Raises Forbidden, Conflict `BUSY`."""
        require_admin(caller)
        self._begin(self.measure)

    def ask_collect(self, caller: Caller) -> None:
        """Collect in the background, then measure. Raises Forbidden, Conflict `BUSY`."""
        require_admin(caller)
        if self.look(caller).collecting:
            raise Conflict("BUSY", "a collection is going on already; look again in a minute")
        now = self._clock()

        def noted() -> None:
            with self._store.write() as tx:
                tx.figures.put(_ROUND, now, {"by": caller.name, "begun": now})
                tx.audit.add(AuditRow(now, caller.name, "storage.collect", "storage", {}, caller.address))

        self._begin(lambda: self._round(caller.name, now), noted)

    def _begin(self, work: Callable[[], None], first: Callable[[], None] = lambda: None) -> None:
        if not self._busy.acquire(blocking=False):
            raise Conflict("BUSY", "the storage is being measured or collected already; look again in a minute")
        try:
            first()
            threading.Thread(target=self._held, args=(work,), name="storage-round", daemon=True).start()
        except BaseException:
            self._busy.release()
            raise

    def _held(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:
            log.exception("storage: a round failed")
        finally:
            self._busy.release()

    def _do(self, work: Callable[[], None]) -> None:
        if self._busy.acquire(blocking=False):
            self._held(work)

    def _round(self, by: str, begun: float) -> None:
        freed, error = 0, ""
        for part in (lambda: self._collect(False), *self._others):
            try:
                freed += part()
            except PodiumError as problem:
                error = str(problem)
        told = {"by": by, "begun": begun, "ended": self._clock(), "freed": freed, "error": error}
        with self._store.write() as tx:
            tx.figures.put(_ROUND, begun, told)
        self.measure()

    def measure(self) -> None:
        """One round. Raises Unavailable for the database; what else cannot be told is told so."""
        with self._store.read() as tx:
            ids, large, (objects, loose) = {*tx.spaces.ids(), *tx.repos.ids()}, tx.objects.sizes(), tx.objects.stored()
            buckets = tx.buckets.ids()
        git = {repo_id: self._repos.size(repo_id) for repo_id in ids}
        volumes = {repo_id: self._volume(repo_id) for repo_id in ids}
        git |= dict.fromkeys(buckets, 0)
        ids |= buckets
        totals = {repo_id: git[repo_id] + large.get(repo_id, 0) + (volumes.get(repo_id) or 0) for repo_id in ids}
        top = sorted(ids, key=lambda repo_id: (-totals[repo_id], repo_id))[: 2 * LARGEST]
        with self._store.read() as tx:
            found = [by_id(tx, repo_id) or tx.buckets.get(repo_id) for repo_id in top]
        named = [(repo, repo.id) for repo in found if repo and not repo.deleted]
        largest = [
            {"name": repo.full_name, "kind": repo.kind.value, "size": totals[i], "git": git[i], "large": large.get(i, 0),
             "volume": volumes.get(i, 0)}
            for repo, i in named[:LARGEST]
        ]  # fmt: skip
        known = [size for size in volumes.values() if size is not None]
        parts = {
            "Repos (git)": sum(git.values()),
            "Large files": objects,
            "/data of Spaces": sum(known) if known else None,
        }
        try:
            free: int | None = self._collect(True) + loose
        except PodiumError:
            free = None
        found = {"parts": [*(parts | dict(self._measures())).items()], "largest": largest, "loose": free}
        with self._store.write() as tx:
            tx.figures.put(_SIZES, self._clock(), found)
