"""Members of one repo: users who may read or write it beside its owner and the owner's organisation. Who may do what with it
follows from `domain/caller.py` alone, which has these roles from `Accounts`. Whoever is invited joins by `invitations.py`."""

import time
from collections.abc import Callable
from typing import Any

from orchestrator.domain.caller import Caller, require
from orchestrator.domain.invitation import Invitation
from orchestrator.domain.records import AnyRepo, AuditRow, Collaborator, Owner, Space
from orchestrator.domain.space import Role
from orchestrator.errors import Conflict, Invalid, NotFound
from orchestrator.ports import Bell, Store
from orchestrator.services.invitations import invite, withdraw

MOST = 100  #: of one repo
ROLES = (Role.READ, Role.WRITE)


class Collaborators:
    def __init__(self, store: Store, bell: Bell, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._bell = bell
        self._clock = clock

    def of(self, caller: Caller, repo: AnyRepo) -> list[tuple[Collaborator, Owner]]:
        """By name; for those who may change the repo. Raises as `require`."""
        require(caller, repo, Role.WRITE)
        with self._store.read() as tx:
            return tx.collaborators.of(repo.id)

    def invited(self, caller: Caller, repo: AnyRepo) -> list[tuple[Invitation, Owner]]:
        """Those who have not answered yet, by name; for the same people."""
        require(caller, repo, Role.WRITE)
        with self._store.read() as tx:
            return tx.invitations.to(repo.id, self._clock())

    def put(self, caller: Caller, repo: AnyRepo, name: str, role: Role) -> tuple[Collaborator | Invitation, Owner]:
        """Invite a user, or change what a member may do; an admin of this Podium lets them in at once. Raises Forbidden, NotFound
        `OWNER`, Invalid `ROLE`, `COLLABORATOR`, Conflict `COLLABORATORS_MANY`, `INVITATIONS_MANY`."""
        require(caller, repo, Role.ADMIN)
        if role not in ROLES:
            raise Invalid("ROLE", f"a member of one {repo.kind} reads or writes; make admins in its organisation")
        now = self._clock()
        with self._store.write() as tx:
            user = _user(tx, name)
            if user.id == repo.owner_id:
                raise Invalid("COLLABORATOR", f"{user.name} owns {repo.full_name} and may do everything already")
            before = tx.collaborators.get(repo.id, user.id)
            if before is None and len(tx.collaborators.of(repo.id)) >= MOST:
                raise Conflict(
                    "COLLABORATORS_MANY", f"{repo.full_name} has {MOST} members; use an organisation for more"
                )
            if before is None and not caller.is_admin:
                return invite(tx, caller, repo, user, role, now), user
            withdraw(tx, repo.id, user.id)
            since = before.created_at if before else now
            one = Collaborator(repo.id, user.id, role, before.invited_by if before else caller.name, since)
            tx.collaborators.put(one)
            self._told(tx, caller, repo, user, role, now)
        return one, user

    def remove(self, caller: Caller, repo: AnyRepo, name: str) -> None:
        """They may do no more than everybody, at once, and are invited no more: by those who own the repo; anybody may leave.
        Raises Forbidden, NotFound `OWNER`, `COLLABORATOR`."""
        leaving = caller.user is not None and caller.grants is None and name.lower() == caller.name.lower()
        require(caller, repo, Role.READ if leaving and caller.limit >= Role.WRITE else Role.ADMIN)
        now = self._clock()
        with self._store.write() as tx:
            user = _user(tx, name)
            invited, member = withdraw(tx, repo.id, user.id), tx.collaborators.drop(repo.id, user.id)
            if not invited and not member:
                raise NotFound("COLLABORATOR", f"{user.name} is no member of {repo.full_name}")
            self._told(tx, caller, repo, user, Role.NONE, now)
            current = tx.spaces.get(repo.id) if member and isinstance(repo, Space) else None
            if current:  # what their browsers keep of a private app ends with it
                tx.spaces.update(repo.id, look_at=now, route_changed=True, access_epoch=current.access_epoch + 1)
        if isinstance(repo, Space):
            self._bell.ring("routes")

    def _told(self, tx: Any, caller: Caller, repo: AnyRepo, user: Owner, role: Role, now: float) -> None:
        detail = {"user": user.name, "role": role.name.lower()}
        tx.audit.add(AuditRow(now, caller.name, f"{repo.kind}.member", repo.full_name, detail))


def _user(tx: Any, name: str) -> Owner:
    user = tx.accounts.owner_named(name)
    if user is None:
        raise NotFound("OWNER", f"there is no user {ascii(name[:96])}")
    if user.kind != "user":
        raise Invalid("NOT_A_USER", f"{user.name} is an organisation; make the repo its own, or name a user")
    return user
