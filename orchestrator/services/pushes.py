"""What may be pushed: the verdict on a git push, commits made through the API, access tokens that would leak. Both write an
intent before the ref moves and have the wish follow it: `intents.py`."""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from orchestrator import failpoints
from orchestrator.domain.caller import Caller
from orchestrator.domain.discussions import pr_number
from orchestrator.domain.large import read_pointer
from orchestrator.domain.notification import of_leak
from orchestrator.domain.push import (
    SCANNED,
    WRITTEN,
    ZERO,
    PushLimits,
    RefUpdate,
    Refusal,
    Sighting,
    Verdict,
    amount,
    judge,
    judge_refs,
    leaked,
    notes,
    parse_updates,
    printable,
    repo_too_large,
    secrets_in,
    too_large,
)
from orchestrator.domain.records import AnyRepo, AuditRow
from orchestrator.domain.repo import RepoKind
from orchestrator.domain.space import MAIN
from orchestrator.domain.tree import Change
from orchestrator.errors import CallerError, Forbidden, Invalid, PodiumError, TooLarge
from orchestrator.ports import Bell, Repos, Store
from orchestrator.services.accounts import digest
from orchestrator.services.audience import tell
from orchestrator.services.card import Card, read_card
from orchestrator.services.intents import Intents
from orchestrator.services.large_files import LargeFiles
from orchestrator.services.loop import Loop
from orchestrator.services.ref_access import require_ref

log = logging.getLogger(__name__)
SWEEP_EVERY = 3.0  #: seconds
TIDY_AGAIN = 60.0  #: seconds until a repo is looked at once more in which somebody may be at work
_DOWN = "Podium is temporarily unavailable, nothing was stored; push again in a minute"


@dataclass(slots=True)
class Ticket:
    """One git push that is going on. `secret` lets its hook speak for it, once."""

    secret: str
    space: AnyRepo
    caller: Caller
    pushing: AbstractContextManager[None]
    moved: bool = False  #: main was among what was accepted


class Pushes:
    """`lines_of(space)`: what to show after a push to main (its URLs). `loop` sweeps."""

    def __init__(
        self,
        store: Store,
        repos: Repos,
        bell: Bell,
        limits: PushLimits,
        *,
        large: LargeFiles | None = None,
        lines_of: Callable[[AnyRepo], list[str]] = lambda space: [],
        card_of: Callable[[bytes | None, RepoKind], Card] = read_card,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self._repos = repos
        self._limits = limits
        self._large = large
        self._lines_of = lines_of
        self._card_of = card_of
        self._clock = clock
        self._intents = Intents(store, repos, bell, card_of, clock)
        self._tickets: dict[str, Ticket] = {}
        self._lock = threading.Lock()
        self._untidy: dict[str, float] = {}  #: repo -> when to tidy it, epoch seconds
        self.loop = Loop("pushes", SWEEP_EVERY, self.sweep)
        self.landed = self._intents.landed

    def sweep(self) -> None:
        """Settle what a crash left open, tidy the repos that were pushed to."""
        self._intents.sweep()
        now = self._clock()
        with self._lock:
            due = [repo_id for repo_id, at in self._untidy.items() if at <= now]
            for repo_id in due:
                del self._untidy[repo_id]
        for repo_id in due:
            try:
                if self._repos.tidy(repo_id):
                    self._touched(repo_id, now + TIDY_AGAIN)
            except PodiumError as error:
                log.warning("tidying %s: %s", repo_id, error)

    def _touched(self, repo_id: str, tidy_at: float = 0.0) -> None:
        with self._lock:
            self._untidy.setdefault(repo_id, tidy_at)

    # ------------------------------------------------------------------------------------------------ a git push

    def begin(self, space: AnyRepo, caller: Caller) -> Ticket:
        """A push starts. End it with `finish`, whatever happens."""
        ticket = Ticket(secrets.token_urlsafe(32), space, caller, self._intents.pushing(space.id))
        ticket.pushing.__enter__()
        with self._lock:
            self._tickets[digest(ticket.secret)] = ticket
        return ticket

    def check(self, secret: str, updates_text: str, quarantine: str) -> Verdict:
        """The pre-receive hook's question: may these refs move? When they may, the intent is durable on return."""
        with self._lock:
            ticket = self._tickets.pop(digest(secret), None)
        if ticket is None:
            return Verdict(False, ("this push is not known here; push again",))
        try:
            return self._verdict(ticket, parse_updates(updates_text), quarantine)
        except CallerError as error:
            return Verdict(False, (f"{error.code}: {error.message}",))
        except PodiumError as error:
            log.warning("push to %s: %s", ticket.space.full_name, error)
            return Verdict(False, (_DOWN,))
        except Exception:
            log.exception("push to %s", ticket.space.full_name)
            return Verdict(False, (_DOWN,))

    def finish(self, ticket: Ticket) -> list[str]:
        """git has ended. Returns lines for the pusher when main moved; the wish is durable, or its intent is."""
        failpoints.hit("after_ref")
        with self._lock:
            self._tickets.pop(digest(ticket.secret), None)
        self._touched(ticket.space.id)
        ticket.pushing.__exit__(None, None, None)
        try:
            self.landed(ticket.space.id)
        except PodiumError as error:
            log.warning("push to %s: %s; its intent is kept", ticket.space.full_name, error)
            return ["the push is stored; it will be built as soon as the database answers again"]
        return self._lines_of(ticket.space) if ticket.moved else []

    def _verdict(self, ticket: Ticket, updates: tuple[RefUpdate, ...], quarantine: str) -> Verdict:
        if refusals := judge_refs(updates):
            return _refused(refusals)
        for ref in dict.fromkeys(update.ref for update in updates):
            require_ref(self.store, ticket.caller, ticket.space, ref)
        pushed = self._repos.inspect(ticket.space.id, updates, quarantine, self._limits.file)
        refusals = judge(pushed, self._limits) + self._leaks(pushed.sightings, ticket.caller.name)
        if refusals:
            return _refused(refusals)
        if self._large:
            self._large.use(ticket.space.id, pushed.large)
        ticket.moved = any(update.ref == MAIN for update in updates)
        warnings = self._card_of(pushed.readme, ticket.space.kind).warnings if ticket.moved else ()
        self._intents.write(ticket.space.id, updates, ticket.caller.name)
        return Verdict(True, (*notes(updates, pushed, ticket.space.kind.runs), *warnings))

    # -------------------------------------------------------------------------------------------------- the API

    def commit(
        self,
        caller: Caller,
        space: AnyRepo,
        changes: Iterable[Change],
        message: str,
        parent: str | None = None,
        ref: str = MAIN,
    ) -> str:
        """One commit through the API, under the rules of a push; returns its id, or the head's when nothing changed.

        Raises Unauthorized, Forbidden, NotFound by the caller's role; Stale, NotFound `EntryNotFound`, Invalid (ports.Repos);
        TooLarge `FILE_TOO_LARGE` `PUSH_TOO_LARGE` `REPO_TOO_LARGE` `TOO_MANY_FILES`; Forbidden `TOKEN_LEAKED`."""
        if not ref.startswith(WRITTEN) and not pr_number(ref):
            raise Invalid("REF_NAME", f"commits go to branches, not to {printable(ref, 100)!r}")
        require_ref(self.store, caller, space, ref)
        size = self._repos.size(space.id)
        if size > self._limits.repo:
            raise TooLarge("REPO_TOO_LARGE", repo_too_large(size, self._limits.repo))

        def before_update(old: str | None, new: str, quarantine: str) -> None:
            update = RefUpdate(old or ZERO, new, ref)
            pushed = self._repos.inspect(space.id, (update,), quarantine, self._limits.file)
            if refusals := judge(pushed, self._limits):
                raise TooLarge(refusals[0].code, refusals[0].message)
            self._intents.write(space.id, (update,), caller.name)
            failpoints.hit("before_ref")

        contents = self._allowed(space.id, changes, caller)
        try:
            with self._intents.pushing(space.id):
                new = self._repos.commit(space.id, ref, contents, message, signature(caller), parent, before_update)
                failpoints.hit("after_ref")
        finally:
            self._touched(space.id)
        self.landed(space.id)
        return new

    def adopt(self, caller: Caller, space: AnyRepo, source: AnyRepo, commit: str) -> str:
        """The files of another repo as the first commit of this one; the caller may read them there. Returns its id."""
        require_ref(self.store, caller, space, MAIN)

        def before_update(old: str | None, new: str, quarantine: str) -> None:
            self._intents.write(space.id, (RefUpdate(ZERO, new, MAIN),), caller.name)

        message = f"Duplicate from {source.full_name}"
        with self._intents.pushing(space.id):
            new = self._repos.duplicate(source.id, commit, space.id, message, signature(caller), before_update)
        self.landed(space.id)
        return new

    def move(self, caller: Caller, space: AnyRepo, update: RefUpdate, apply: Callable[[], None]) -> None:
        """Move a ref to objects that are in already, by `apply`, under the rules of a push. Who may is the caller's to ask."""
        with self._repos.writing(space.id), self._intents.pushing(space.id):
            if not update.deletes:
                pushed = self._repos.inspect(space.id, (update,), "", self._limits.file)
                if refusals := judge(pushed, self._limits):
                    raise TooLarge(refusals[0].code, refusals[0].message)
                if self._large and pushed.large:
                    self._large.stay(space.id, pushed.large)
            self._intents.write(space.id, (update,), caller.name)
            failpoints.hit("before_ref")
            apply()
            failpoints.hit("after_ref")
        self._touched(space.id)
        self.landed(space.id)

    def _allowed(self, space_id: str, changes: Iterable[Change], caller: Caller) -> Iterator[Change]:
        total = 0
        named: dict[str, tuple[str, int]] = {}
        for change in changes:
            size = len(change.content or b"")
            total += size
            if size > self._limits.file:
                refusal = too_large(((change.path, size),), 1, self._limits.file)
                raise TooLarge(refusal.code, refusal.message)
            if total > self._limits.push:
                message = f"the commit is larger than {amount(self._limits.push)}; send it in parts"
                raise TooLarge("PUSH_TOO_LARGE", message)
            if change.content and (pointer := read_pointer(change.content)):
                named[pointer.oid] = (change.path, pointer.size)
            if change.content and size <= SCANNED:
                found = tuple(Sighting(s, change.path, line) for s, line in secrets_in(change.content))
                if refusals := self._leaks(found, caller.name):
                    raise Forbidden(refusals[0].code, refusals[0].message)
            yield change
        if self._large:
            self._large.use(space_id, named)

    # -------------------------------------------------------------------------------------------------- the leaks

    def _leaks(self, sightings: Iterable[Sighting], actor: str) -> list[Refusal]:
        """Refuse and revoke access tokens that still work; what only looks like one passes."""
        sightings = tuple(sightings)
        if not sightings:
            return []
        now = self._clock()
        found = []
        with self.store.read() as tx:
            rows = [(sighting, tx.accounts.token_by_hash(digest(sighting.secret))) for sighting in sightings]
        live = [
            (s, t)
            for s, t in rows
            if t and not (t.revoked_at and t.revoked_at <= now) and not (t.expires_at and t.expires_at <= now)
        ]
        if live:
            with self.store.write() as tx:
                for sighting, token in live:
                    tx.accounts.update_token(token.id, revoked_at=now)
                    detail = {"token": token.name, "path": printable(sighting.path), "line": sighting.line}
                    owner = tx.accounts.owner(token.user_id)
                    target = owner.name if owner else token.user_id
                    tx.audit.add(AuditRow(now, actor, "token.leaked", target, detail))
                    tell(tx, of_leak(token), [token.user_id], now, actor)
                    found.append(leaked(sighting, token.name))
        return found


def signature(caller: Caller) -> tuple[str, str]:
    """Name and mail in the commits that Podium makes for somebody."""
    return caller.name, f"{caller.name}@users.noreply.podium"


def _refused(refusals: list[Refusal]) -> Verdict:
    return Verdict(False, tuple(str(refusal) for refusal in refusals))
