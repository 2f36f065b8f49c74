"""Gates: who may read the files of a gated model or dataset. Owns the requests to be let in, and who decides about them. Who may
not even see the repo never comes this far."""

import time
from collections.abc import Callable
from typing import Any

from orchestrator.domain.caller import Caller, may, require, role_in
from orchestrator.domain.grants import GATED
from orchestrator.domain.notification import of_answer, of_ask
from orchestrator.domain.records import AccessRequest, AnyRepo, AuditRow, Owner
from orchestrator.domain.space import Role
from orchestrator.errors import Forbidden, Invalid, NotFound, Unauthorized
from orchestrator.ports import Store
from orchestrator.services.accounts import new_id
from orchestrator.services.audience import keepers_of, tell

PENDING, ACCEPTED, REJECTED = "pending", "accepted", "rejected"
STATUSES = (PENDING, ACCEPTED, REJECTED)


def check_gate(tx: Any, caller: Caller, repo: AnyRepo) -> None:
    """Nothing for those who may read the files: the gate is open, or it is their repo, or they were let in. Raises Forbidden
    `GatedRepo` (the Hub's code; clients make GatedRepoError of it), Unauthorized of the same code to a stranger."""
    if not repo.gated or role_in(caller, repo.owner_id, repo.id) >= Role.READ:
        return
    name = repo.full_name
    if caller.user is None:
        raise Unauthorized(
            "GatedRepo", f"Access to {repo.kind} {name} is restricted. You must have access to it and be authenticated."
        )
    if not may(caller, GATED):
        raise Forbidden(
            "GatedRepo", f"Access to {repo.kind} {name} is restricted: this token may not read gated repos."
        )
    asked = tx.interest.request(repo.id, caller.user.id)
    if asked and asked.status == ACCEPTED:
        return
    what = {
        None: "you are not in the authorized list; ask for access first",
        PENDING: "your request for access waits for a decision",
        REJECTED: "your request for access was rejected",
    }[asked.status if asked else None]
    raise Forbidden("GatedRepo", f"Access to {repo.kind} {name} is restricted and {what}.")


class Gates:
    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def check(self, caller: Caller, repo: AnyRepo) -> None:
        """As `check_gate`."""
        if repo.gated:
            with self._store.read() as tx:
                check_gate(tx, caller, repo)

    def status(self, caller: Caller, repo: AnyRepo) -> str | None:
        """What became of the caller's request; None: there is none."""
        if caller.user is None:
            return None
        with self._store.read() as tx:
            asked = tx.interest.request(repo.id, caller.user.id)
        return asked.status if asked else None

    def ask(self, caller: Caller, repo: AnyRepo, answers: dict[str, Any]) -> AccessRequest:
        """The caller asks to be let in, and is if the gate is `auto`. Again: the same request. Raises Unauthorized, Forbidden
        `TOKEN_SCOPE` (asking tells the owner who somebody is), Invalid `GATED` where there is no gate."""
        if caller.user is None:
            raise Unauthorized("AUTH_REQUIRED", "Sign in first: this needs an access token.")
        if caller.grants is not None:
            raise Forbidden(
                "TOKEN_SCOPE", "This token may not ask for access in your name; do that on the repo's page."
            )
        if not repo.gated:
            raise Invalid("GATED", f"{repo.full_name} is not gated; its files can be read without asking")
        now = self._clock()
        with self._store.write() as tx:
            have = tx.interest.request(repo.id, caller.user.id)
            if have:
                return have
            status = ACCEPTED if repo.gated == "auto" else PENDING
            made = AccessRequest(new_id(), repo.id, caller.user.id, status, now, answers)
            tx.interest.put_request(made)
            tx.audit.add(AuditRow(now, caller.name, "gate.ask", repo.full_name, {"status": status}))
            if status == PENDING:
                tell(tx, of_ask(repo, made.id, caller.name), keepers_of(tx, repo), now, caller.name)
        return made

    def withdraw(self, caller: Caller, repo: AnyRepo) -> None:
        """The caller takes back a request that nobody decided about. None: nothing."""
        if caller.user is None:
            raise Unauthorized("AUTH_REQUIRED", "Sign in first: this needs an access token.")
        with self._store.write() as tx:
            tx.interest.drop_request(repo.id, caller.user.id, PENDING)

    def requests(
        self, caller: Caller, repo: AnyRepo, status: str, limit: int, after: tuple[float, str] | None = None
    ) -> list[tuple[AccessRequest, Owner]]:
        """Newest first, for those who may write."""
        self._decider(caller, repo)
        with self._store.read() as tx:
            return tx.interest.requests(repo.id, status, limit, after)

    def decide(
        self, caller: Caller, repo: AnyRepo, status: str, user: str | None, request_id: str | None, reason: str = ""
    ) -> None:
        """Give a request another status. Raises NotFound `ACCESS_REQUEST`, also when it has this status, as on
        the Hub; Invalid."""
        self._decider(caller, repo)
        if status not in STATUSES:
            raise Invalid("ACCESS_STATUS", f"status is {ascii(status[:40])}; write one of {', '.join(STATUSES)}")
        now = self._clock()
        with self._store.write() as tx:
            found = self._asked(tx, repo, user, request_id)
            if found is None:
                who = ascii((user or request_id or "")[:96])
                raise NotFound("ACCESS_REQUEST", f"{repo.full_name} has no access request of {who}")
            if found.status == status:
                raise NotFound("ACCESS_REQUEST", f"this access request is {status} already")
            kept = reason if status == REJECTED else ""
            granted = found.granted_by if status == ACCEPTED else ""
            tx.interest.put_request(
                AccessRequest(found.id, repo.id, found.user_id, status, found.created_at, found.answers, granted, kept)
            )
            detail = {"status": status, "user": found.user_id}
            tx.audit.add(AuditRow(now, caller.name, "gate.decide", repo.full_name, detail))
            if status != PENDING:
                tell(tx, of_answer(repo, found.id, status == ACCEPTED, kept), [found.user_id], now, caller.name)

    def grant(self, caller: Caller, repo: AnyRepo, user: str) -> None:
        """Let somebody in who did not ask. Raises NotFound `OWNER`, Invalid when they asked or are in."""
        self._decider(caller, repo)
        now = self._clock()
        with self._store.write() as tx:
            owner = tx.accounts.owner_named(user)
            if owner is None or owner.kind != "user":
                raise NotFound("OWNER", f"there is no user {ascii(user[:96])}")
            have = tx.interest.request(repo.id, owner.id)
            if have:
                raise Invalid("ACCESS_REQUEST", f"{owner.name} has an access request already; it is {have.status}")
            made = AccessRequest(new_id(), repo.id, owner.id, ACCEPTED, now, granted_by=caller.name)
            tx.interest.put_request(made)
            tx.audit.add(AuditRow(now, caller.name, "gate.grant", repo.full_name, {"user": owner.id}))
            tell(tx, of_answer(repo, made.id, True), [owner.id], now, caller.name)

    def _decider(self, caller: Caller, repo: AnyRepo) -> None:
        require(caller, repo, Role.WRITE)
        if not repo.gated:
            raise Invalid("GATED", f"{repo.full_name} is not gated; nobody has to ask for its files")

    def _asked(self, tx: Any, repo: AnyRepo, user: str | None, request_id: str | None) -> AccessRequest | None:
        if request_id:
            return tx.interest.request_by_id(repo.id, request_id)
        owner = tx.accounts.owner_named(user or "")
        return tx.interest.request(repo.id, owner.id) if owner else None
