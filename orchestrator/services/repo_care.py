"""Keeps every repo small and fast, again and again: what a repo needs is its adapter's to know, this says which commits count
although no ref leads to them, and how long the others stay. Any number of control planes may do this at once."""

import logging

from orchestrator.domain.records import AnyRepo, Space
from orchestrator.errors import NotFound, PodiumError
from orchestrator.ports import Repos, Store
from orchestrator.services.lookup import by_id
from orchestrator.services.loop import Loop

log = logging.getLogger(__name__)
EVERY = 3600.0
#: Seconds that commits stay which no ref leads to: who reads one goes on, who forced a push by mistake can undo it.
UNNAMED = 24 * 3600.0
_FIRST = 300.0
_BUILDS = 10_000


class RepoCare:
    """`loop` collects."""

    def __init__(self, store: Store, repos: Repos, unnamed: float = UNNAMED) -> None:
        self._store, self._repos, self._unnamed = store, repos, unnamed
        self.loop = Loop("repos", EVERY, self._round, first=_FIRST)

    def _round(self) -> None:
        self.collect()

    def collect(self) -> int:
        """One round; returns the bytes freed. Raises Unavailable for the database."""
        self._repos.clear()
        with self._store.read() as tx:
            ids = sorted({*tx.spaces.ids(), *tx.repos.ids()})
        freed = 0
        for repo_id in ids:
            if self.loop.ending.is_set():
                break
            with self._store.read() as tx:
                repo = by_id(tx, repo_id)
                kept = _kept(tx, repo) if repo and not repo.deleted else None
            if kept is not None:
                freed += self._tend(repo_id, kept)
        return freed

    def _tend(self, repo_id: str, kept: set[str]) -> int:
        try:
            return self._repos.tend(repo_id, kept, self._unnamed)
        except NotFound:  # deleted meanwhile
            return 0
        except PodiumError as error:
            log.warning("tending %s: %s", repo_id, error)
            return 0


def _kept(tx, repo: AnyRepo) -> set[str]:
    """What a Space runs, is to run, and can be rolled back to, wherever its branches are by now."""
    found = {repo.sha}
    if isinstance(repo, Space):
        found |= {repo.wish.revision, repo.wish.held, repo.running_revision}
        found |= {build.revision for build in tx.builds.of(repo.id, _BUILDS)}
    return {commit for commit in found if commit}
