"""Keeps what repos are found by in step with them, where a release before this one wrote them or a round was cut off. What is
written by this release needs none of it."""

import logging

from orchestrator.domain.repo import RepoKind
from orchestrator.ports import Store

log = logging.getLogger(__name__)
_AT_ONCE = 100
_ROUNDS = 1000


def catch_up(store: Store) -> int:
    """Make anew what is missing or old; returns how many."""
    done = 0
    for _ in range(_ROUNDS):
        with store.read() as tx:
            stale: list[tuple[RepoKind, str]] = sorted(tx.finding.stale(_AT_ONCE), key=lambda one: one[1])
        if not stale:
            break
        with store.write() as tx:
            for kind, repo_id in stale:
                tx.finding.refresh(kind, repo_id)
        done += len(stale)
    if done:
        log.info("search: %d repos were not as they are now", done)
    return done
