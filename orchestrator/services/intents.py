"""From a moved ref to a wish, never losing one. An intent is durable before its ref may move; the wish follows the ref, in the
transaction that settles the intent; whoever crashes in between finds the intent again. Owns nothing of what may be pushed."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from orchestrator import failpoints
from orchestrator.domain.events import of_refs
from orchestrator.domain.push import ZERO, RefUpdate
from orchestrator.domain.records import AnyRepo, AuditRow, Intent, Space
from orchestrator.domain.repo import RepoKind
from orchestrator.domain.space import MAIN
from orchestrator.errors import repo_not_found
from orchestrator.ports import Bell, Repos, Store
from orchestrator.services.card import Card
from orchestrator.services.lookup import by_id

log = logging.getLogger(__name__)
GRACE = 20.0  #: seconds that a git which outlived us may take from the intent to the ref
SETTLED_AFTER = 2.0  #: seconds that an intent is left to the push that wrote it
README_LIMIT = 256 * 1024
#: What of the front matter reaches an app by its environment: a change of it needs a new instance.
_TOLD = ("hf_oauth", "hf_oauth_scopes")


class Intents:
    def __init__(
        self,
        store: Store,
        repos: Repos,
        bell: Bell,
        card_of: Callable[[bytes | None, RepoKind], Card],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._repos = repos
        self._bell = bell
        self._card_of = card_of
        self._clock = clock
        self._active: Counter[str] = Counter()
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    @contextmanager
    def pushing(self, repo_id: str) -> Iterator[None]:
        """While refs of this repo may move: its intents are kept open."""
        with self._lock:
            self._active[repo_id] += 1
        try:
            yield
        finally:
            with self._lock:
                self._active[repo_id] -= 1
                if not self._active[repo_id]:
                    del self._active[repo_id]

    def write(self, repo_id: str, updates: Iterable[RefUpdate], actor: str) -> None:
        """Durable on return. Raises NotFound for a repo that was deleted meanwhile."""
        failpoints.hit("before_intent")
        now = self._clock()
        with self._store.write() as tx:
            repo = by_id(tx, repo_id)
            if repo is None or repo.deleted:
                raise repo_not_found()
            for update in updates:
                tx.pushes.add(repo_id, update.ref, update.old, update.new, actor, now)
        failpoints.hit("after_intent")

    def landed(self, repo_id: str) -> None:
        """Bring the wish to where main is, and settle intents whose fate is known. Any number of times, at any time."""
        with self._lock:
            lock = self._locks.setdefault(repo_id, threading.Lock())
        with lock:
            # A ref that moves while we write is seen by the next round.
            for _ in range(10):
                if not self._follow(repo_id):
                    break

    def sweep(self) -> None:
        """Settle what a crash, ours or the database's, left open. At start-up and every few seconds."""
        with self._store.read() as tx:
            found = tx.pushes.open()
        before = self._clock() - SETTLED_AFTER
        for repo_id in dict.fromkeys(intent.repo_id for intent in found if intent.created_at <= before):
            try:
                self.landed(repo_id)
            except Exception:
                log.exception("the pushes of %s could not be settled; they will be tried again", repo_id)

    def _follow(self, repo_id: str) -> bool:
        """One round; whether the wish changed."""
        with self._store.read() as tx:
            repo = by_id(tx, repo_id)
            intents = tx.pushes.open(repo_id)
        if repo is None or repo.deleted:
            self._settle(intents)
            return False
        refs = tuple(dict.fromkeys([MAIN, *(intent.ref for intent in intents)]))
        # What is read next must not be undone by a power cut once somebody was told of it.
        self._repos.sync(repo_id, *refs)
        values = {ref: self._repos.head(repo_id, ref) or ZERO for ref in refs}
        head = values[MAIN]
        moved = head not in (ZERO, repo.sha)
        done = [intent for intent in intents if self._is_decided(intent, values[intent.ref])]
        if not moved and not done:
            return False
        card = Card()
        if moved:
            card = self._card_of(self._repos.read(repo_id, head, "README.md", README_LIMIT), repo.kind)
        failpoints.hit("before_landed")
        now = self._clock()
        with self._store.write() as tx:
            if moved and not _follow_main(tx, repo, head, card, now):
                return True  # another control plane was faster; main may have moved again since: look once more
            if moved and _deploys(repo) and any(repo.card.get(key) != card.values.get(key) for key in _TOLD):
                tx.spaces.bump(repo_id, "env_version", look_at=now)
            ours = tx.pushes.settle(*done)
            found = moves_of([intent for intent in done if intent.id in ours], values)
            for intent in found:
                detail = {"ref": intent.ref, "old": intent.old, "new": intent.new}
                tx.audit.add(AuditRow(now, intent.actor, "push", repo.full_name, detail))
            if found:
                moves = [RefUpdate(intent.old, intent.new, intent.ref) for intent in found]
                tx.webhooks.note(of_refs(replace(repo, sha=head) if moved else repo, moves, now))
        failpoints.hit("after_landed")
        if moved and repo.kind.runs:
            self._bell.ring("spaces")
        return moved

    def _settle(self, intents: list[Intent]) -> None:
        if intents:
            with self._store.write() as tx:
                tx.pushes.settle(*intents)

    def _is_decided(self, intent: Intent, value: str) -> bool:
        """Whether the ref can no longer make the move: it did, somebody else did, or there is no git left that could."""
        if value != intent.old or intent.new == intent.old:
            return True
        with self._lock:
            going_on = self._active[intent.repo_id] > 0
        return not going_on and self._clock() - intent.created_at >= GRACE


def moves_of(intents: list[Intent], values: dict[str, str]) -> list[Intent]:
    """Those that moved their ref, in order: the one that led to its value, the one before that, and so on. Pure."""
    values, found = dict(values), []
    for intent in reversed(intents):
        if intent.new == values[intent.ref] != intent.old:
            values[intent.ref] = intent.old
            found.append(intent)
    return found[::-1]


def _deploys(repo: AnyRepo) -> bool:
    """What runs follows main; where deploys are frozen, the thaw brings all of it."""
    return isinstance(repo, Space) and not repo.wish.frozen


def _follow_main(tx, repo: AnyRepo, head: str, card: Card, now: float) -> bool:
    """Bring the row to where main is, and a Space's wish with it; False if somebody else was faster."""
    same = {"sha": head, "card": dict(card.values), "updated_at": now}
    if isinstance(repo, Space):
        wish = {**repo.wish.after_push(head), "sdk": card.sdk, "look_at": now, "last_activity": now}
        return tx.spaces.follow(repo.id, repo.sha, repo.wish.frozen, **wish, **same)
    return tx.repos.follow(repo.id, repo.sha, **same)
