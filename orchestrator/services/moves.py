"""Renaming and transfer of repos. The name that is left leads to the new one until somebody takes it again; a Space's host
follows its name, and its app is started again under it."""

import time
from collections.abc import Callable

from orchestrator.domain.caller import Caller, require
from orchestrator.domain.events import of_repo
from orchestrator.domain.records import AnyRepo, AuditRow, Owner, Space
from orchestrator.domain.space import Role, check_name, subdomain
from orchestrator.errors import Conflict
from orchestrator.ports import Bell, Store
from orchestrator.services.accounts import Accounts
from orchestrator.services.hardware import HardwareRequests
from orchestrator.services.lookup import by_id, named


class Moves:
    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        bell: Bell,
        hardware: HardwareRequests,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._bell = bell
        self._hardware = hardware
        self._clock = clock

    def move(self, caller: Caller, repo: AnyRepo, organization: str, name: str) -> AnyRepo:
        """Give the repo another name, another owner, or both. Raises Unauthorized, Forbidden for who may not give it away or not
        create there, Invalid `NAME`, Conflict `RepoExists`, `HARDWARE` for a Space that would take hardware along."""
        require(caller, repo, Role.ADMIN)
        owner = self._accounts.namespace(caller, organization)
        check_name(name)
        now = self._clock()
        with self._store.write() as tx:
            there = named(tx, repo.kind, owner.name, name)
            if there and there.id != repo.id:
                message = f"A {repo.kind} repository called {there.full_name} already exists"
                raise Conflict("RepoExists", message)
            if (owner.id, name) == (repo.owner_id, repo.name):
                return repo
            tx.repos.take_name(repo.kind, owner.id, name)
            if (owner.id, name.lower()) != (repo.owner_id, repo.name.lower()):
                tx.repos.leave_name(repo.kind, repo.owner_id, repo.name, repo.id, now)
            if owner.id != repo.owner_id:
                tx.collaborators.forget(repo.id)  # who is let in is the new owner's to say
                tx.invitations.forget(repo.id)
            if isinstance(repo, Space):
                self._move_space(tx, repo, owner, name, now)
            else:
                tx.repos.update(repo.id, owner_id=owner.id, name=name)
            detail = {"from": repo.full_name, "to": f"{owner.name}/{name}"}
            tx.audit.add(AuditRow(now, caller.name, f"{repo.kind}.move", f"{owner.name}/{name}", detail))
            told = {"name": f"{owner.name}/{name}", "owner": {"id": owner.id}}
            tx.webhooks.note(of_repo(repo, "repo", "move", now, movedTo=told))
            moved = by_id(tx, repo.id)
        if repo.kind.runs:
            self._bell.ring("spaces")
            self._bell.ring("routes")
        return moved or repo

    def _move_space(self, tx, space: Space, owner: Owner, name: str, now: float) -> None:
        """The app is told its name and host in its environment, so a new one starts; the old one serves until it is there.
        Cookies for the old host mean nothing at the new one."""
        if owner.id != space.owner_id:
            if space.wish.hardware != self._hardware.default.name or space.hardware_asked:
                raise Conflict(
                    "HARDWARE",
                    f"{space.full_name} has or waits for hardware that is its owner's; "
                    f"give it {self._hardware.default.name} before you give it away",
                )
            self._hardware.check_new(tx, owner)
            tx.shares.forget(space.id)
            tx.domains.forget(space.id)  # and what is shown at a domain, that of who proved it

        def taken(label: str) -> bool:
            return label != space.label and tx.spaces.labels_taken(label)

        tx.spaces.bump(space.id, "env_version", look_at=now)
        tx.spaces.update(
            space.id,
            look_at=now,
            route_changed=True,
            owner_id=owner.id,
            name=name,
            label=subdomain(owner.name, name, taken),
            access_epoch=space.access_epoch + 1,
            last_activity=now,
            **({"hosts": []} if owner.id != space.owner_id else {}),
        )
