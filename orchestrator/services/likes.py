"""Likes: who likes which repo."""

import time
from collections.abc import Callable, Iterable

from orchestrator.domain.caller import Caller, role_on
from orchestrator.domain.records import AnyRepo, Owner
from orchestrator.domain.space import Role
from orchestrator.ports import Store
from orchestrator.services.lookup import by_id
from orchestrator.services.ref_access import require_voice

TREND_SECONDS = 7 * 86400.0  #: how long a like counts for the trend; lists are sorted by the same


class Likes:
    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def like(self, caller: Caller, repo: AnyRepo) -> None:
        """Liked already: nothing. Raises as `require_voice`."""
        require_voice(caller, repo)
        with self._store.write() as tx:
            tx.interest.like(repo.id, caller.user.id, self._clock())

    def unlike(self, caller: Caller, repo: AnyRepo) -> None:
        require_voice(caller, repo)
        with self._store.write() as tx:
            tx.interest.unlike(repo.id, caller.user.id)

    def is_liked(self, caller: Caller, repo: AnyRepo) -> bool:
        """Whether the caller likes it."""
        if caller.user is None:
            return False
        with self._store.read() as tx:
            return tx.interest.is_liked(repo.id, caller.user.id)

    def likers(self, repo: AnyRepo, limit: int, after: tuple[float, str] | None = None) -> list[tuple[Owner, float]]:
        """Newest first, with the time of the like."""
        with self._store.read() as tx:
            return tx.interest.likers(repo.id, limit, after)

    def liked(
        self, caller: Caller, user: Owner, limit: int, after: tuple[float, str] | None = None
    ) -> tuple[list[tuple[AnyRepo, float]], tuple[float, str] | None]:
        """What of all that a user likes the caller may see, newest first, and after which like the next page begins (None:
        this was the last)."""
        with self._store.read() as tx:
            rows = tx.interest.liked(user.id, limit, after)
            found = [(by_id(tx, repo_id), at) for repo_id, at in rows]
        seen = [(repo, at) for repo, at in found if repo and not repo.deleted and role_on(caller, repo) >= Role.READ]
        return seen, (rows[-1][1], rows[-1][0]) if len(rows) == limit else None

    def count_of(self, user: Owner) -> int:
        with self._store.read() as tx:
            return tx.interest.liked_count(user.id)

    def trends(self, repo_ids: Iterable[str]) -> dict[str, int]:
        """How many likes each got lately."""
        repo_ids = list(repo_ids)
        with self._store.read() as tx:
            found = tx.interest.likes_since(repo_ids, self._clock() - TREND_SECONDS)
        return {repo_id: found.get(repo_id, 0) for repo_id in repo_ids}
