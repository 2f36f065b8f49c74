"""Invitations: nobody becomes a member of an organisation or a repo who has not agreed to it, but where an admin of this Podium
or the groups of its provider say so. Who may invite whom to what is people.py's and collaborators.py's."""

import time
from collections.abc import Callable
from typing import Any

from orchestrator.domain.caller import Caller
from orchestrator.domain.invitation import LIFE, MAY, MOST, Invitation, Offer
from orchestrator.domain.notification import of_invitation
from orchestrator.domain.records import AnyRepo, AuditRow, Collaborator, Owner
from orchestrator.domain.space import Role
from orchestrator.errors import Conflict, Forbidden, NotFound, Unauthorized
from orchestrator.ports import Store
from orchestrator.services.audience import tell
from orchestrator.services.lookup import by_id
from orchestrator.services.tokens import new_id

_SHOWN = 100


def invite(tx: Any, caller: Caller, to: AnyRepo | Owner, user: Owner, role: Role, now: float) -> Invitation:
    """Ask a user to become a member, or ask anew with another role. Raises Conflict `INVITATIONS_MANY`."""
    org = isinstance(to, Owner)
    have = tx.invitations.get(to.id, user.id)
    if have is None and len(tx.invitations.to(to.id, now)) >= MOST:
        raise Conflict("INVITATIONS_MANY", f"{_name(to)} has {MOST} open invitations; take one back first")
    made = Invitation(new_id(), org, to.id, user.id, role, caller.name, now, now + LIFE)
    tx.invitations.put(made)
    kind = "org" if org else to.kind.value
    detail = {"user": user.name, "role": role.name.lower()}
    tx.audit.add(AuditRow(now, caller.name, f"{kind}.invite", _name(to), detail))
    tell(tx, of_invitation(to.id, caller.name, _name(to), MAY[role]), [user.id], now, caller.name)
    return made


def withdraw(tx: Any, target_id: str, user_id: str) -> bool:
    """Nobody is asked any more; whether somebody was."""
    tx.notifications.drop(user_id, [f"invitation:{target_id}"])
    return tx.invitations.drop(target_id, user_id)


class Invitations:
    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store, self._clock = store, clock

    def to(self, target: AnyRepo | Owner) -> list[tuple[Invitation, Owner]]:
        """Open ones, by name; whoever shows them has looked who may see them."""
        with self._store.read() as tx:
            return tx.invitations.to(target.id, self._clock())

    def mine(self, caller: Caller) -> list[Offer]:
        """Those that the caller has not answered, newest first. Raises Unauthorized, Forbidden `TOKEN_SCOPE`."""
        user = _oneself(caller)
        with self._store.read() as tx:
            found = [(one, _target(tx, one)) for one in tx.invitations.of(user.id, self._clock(), _SHOWN)]
        return [_offer(one, to) for one, to in found if to is not None]

    def answer(self, caller: Caller, ident: str, accept: bool) -> Offer:
        """Become a member, or not. Raises Unauthorized, Forbidden, NotFound `INVITATION`: somebody else's, one that ended and
        one that never was look the same."""
        user, now = _oneself(caller), self._clock()
        if caller.limit < Role.WRITE:
            raise Forbidden("TOKEN_READ_ONLY", "This token may only read; use an access token with write permission.")
        with self._store.write() as tx:
            one = tx.invitations.take(user.id, ident[:24], now)
            to = _target(tx, one) if one else None
            if one is None or to is None:
                raise NotFound("INVITATION", "There is no such invitation any more; ask for a new one.")
            tx.notifications.drop(user.id, [f"invitation:{one.target_id}"])
            if accept:
                _join(tx, one, to)
            offer = _offer(one, to)
            detail = {"user": user.name, "role": one.role.name.lower(), "invited_by": one.invited_by}
            word = "member" if accept else "decline"
            tx.audit.add(AuditRow(now, caller.name, f"{offer.kind}.{word}", offer.name, detail))
        return offer


def _join(tx: Any, one: Invitation, to: AnyRepo | Owner) -> None:
    """Whoever is a member already may do no less than before."""
    if one.org:
        tx.accounts.set_member(to.id, one.user_id, max(one.role, tx.accounts.role_in(to.id, one.user_id)))
        return
    have = tx.collaborators.get(to.id, one.user_id)
    role = max(one.role, have.role) if have else one.role
    tx.collaborators.put(
        Collaborator(to.id, one.user_id, role, one.invited_by, have.created_at if have else one.created_at)
    )


def _target(tx: Any, one: Invitation) -> AnyRepo | Owner | None:
    """What it leads to; None when that is gone."""
    if one.org:
        return tx.accounts.owner(one.target_id)
    repo = by_id(tx, one.target_id)
    return None if repo is None or repo.deleted else repo


def _offer(one: Invitation, to: AnyRepo | Owner) -> Offer:
    return Offer(one, "org" if isinstance(to, Owner) else to.kind.value, _name(to))


def _name(to: AnyRepo | Owner) -> str:
    return to.name if isinstance(to, Owner) else to.full_name


def _oneself(caller: Caller) -> Owner:
    if caller.user is None:
        raise Unauthorized("AUTH_REQUIRED", "Sign in first: this needs an access token.")
    if caller.grants is not None:
        raise Forbidden("TOKEN_SCOPE", "This token was made for certain repos; use one that may do everything.")
    return caller.user
