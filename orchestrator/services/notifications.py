"""What people read of what they were told: their list, what they have read, what they choose to hear of; and forgetting it in
time. Who is told is audience.py's."""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from orchestrator.domain.caller import Caller
from orchestrator.domain.notification import KEPT, KINDS, MOST, TOKEN_SOON, Notification, of_token
from orchestrator.domain.records import AuditRow, Owner
from orchestrator.domain.space import Role
from orchestrator.errors import Forbidden, Invalid, NotFound, Unauthorized, Unavailable
from orchestrator.ports import Store
from orchestrator.services.audience import tell

PAGE = 30
_EVERY = 3600.0  #: seconds between two rounds of `collect`


class Notifications:
    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store, self._clock = store, clock
        self._collected = 0.0

    # ------------------------------------------------------------------------------------------------------- reading

    def unread(self, caller: Caller) -> int:
        """How many, up to 100; 0 for a stranger, and while the database is away: every page shows it."""
        if caller.user is not None:
            with suppress(Unavailable), self._store.read() as tx:
                return tx.notifications.unread(caller.user.id)
        return 0

    def counts(self, caller: Caller) -> tuple[int, int]:
        """How many are unread, and how many there are."""
        user = self._reader(caller)
        with self._store.read() as tx:
            return tx.notifications.count(user.id, unread=True), tx.notifications.count(user.id)

    def list(
        self,
        caller: Caller,
        *,
        unread: bool = False,
        after: tuple[float, str] | None = None,
        skip: int = 0,
        limit: int = PAGE,
    ) -> "list[Notification]":
        """Newest first. Raises Unauthorized, Forbidden `TOKEN_SCOPE`: they name what a narrow token may not see."""
        user = self._reader(caller)
        with self._store.read() as tx:
            return tx.notifications.list(user.id, unread=unread, after=after, skip=skip, limit=limit)

    def open(self, caller: Caller, ident: str) -> str:
        """Where it leads; it counts as read from now on. Raises NotFound `NOTIFICATION`."""
        user = self._writer(caller)
        with self._store.write() as tx:
            found = tx.notifications.get(user.id, ident[:24])
            if found is None:
                raise NotFound("NOTIFICATION", "There is no such notification any more.")
            tx.notifications.mark(user.id, self._clock(), [found.id])
        return found.link

    def mark(self, caller: Caller, which: Iterable[str] | None, read: bool = True, until: float | None = None) -> None:
        """Read or unread: those of these ids or threads, or all; with `until` only what is not newer."""
        user = self._writer(caller)
        with self._store.write() as tx:
            tx.notifications.mark(user.id, self._clock() if read else None, which, until)

    def drop(self, caller: Caller, which: Iterable[str] | None, unread: bool = False) -> None:
        """Forget those of these ids or threads, or all; with `unread` only what was not read."""
        user = self._writer(caller)
        with self._store.write() as tx:
            tx.notifications.drop(user.id, which, unread)

    # ------------------------------------------------------------------------------------------------------ choosing

    def chosen(self, caller: Caller) -> set[str]:
        """The kinds that the caller hears of."""
        user = self._reader(caller)
        with self._store.read() as tx:
            return set(KINDS) - tx.notifications.muted(user.id)

    def choose(self, caller: Caller, kinds: Iterable[str]) -> None:
        """Hear of these kinds and of no others. Raises Invalid `NOTIFICATION_KIND`."""
        user, wanted = self._writer(caller), set(kinds)
        if unknown := sorted(wanted - set(KINDS)):
            raise Invalid(
                "NOTIFICATION_KIND", f"there is no kind {unknown[0][:40]!r}; write some of {', '.join(KINDS)}"
            )
        with self._store.write() as tx:
            tx.notifications.mute(user.id, set(KINDS) - wanted)
            tx.audit.add(AuditRow(self._clock(), caller.name, "user.notify", user.name, {"kinds": sorted(wanted)}))

    # ----------------------------------------------------------------------------------------------------- upkeep

    def collect(self) -> None:
        """Now and then: tell of tokens that end soon, forget what is old."""
        now = self._clock()
        if now - self._collected < _EVERY:
            return
        with self._store.read() as tx:
            ending = tx.notifications.ending_tokens(now, now + TOKEN_SOON)
        with self._store.write() as tx:
            for token in filter(None, map(tx.accounts.token, ending)):
                tell(tx, of_token(token), [token.user_id], now, once=True)
            tx.notifications.prune(now - KEPT, MOST)
            tx.invitations.prune(now)
        self._collected = now

    def _reader(self, caller: Caller) -> Owner:
        if caller.user is None:
            raise Unauthorized("AUTH_REQUIRED", "Sign in first: this needs an access token.")
        if caller.grants is not None:
            raise Forbidden("TOKEN_SCOPE", "This token was made for certain repos; use one that may do everything.")
        return caller.user

    def _writer(self, caller: Caller) -> Owner:
        user = self._reader(caller)
        if caller.limit < Role.WRITE:
            raise Forbidden("TOKEN_READ_ONLY", "This token may only read; use an access token with write permission.")
        return user
