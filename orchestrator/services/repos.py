"""Models and datasets as their people see them: create, find, list, change, delete. Each command is one transaction with its
audit row. What all kinds have in common is here by kind; what only Spaces have is `spaces.py`."""

import logging
import time
from collections.abc import Callable

from orchestrator.domain.caller import Caller, require
from orchestrator.domain.events import of_config, of_repo
from orchestrator.domain.records import AnyRepo, AuditRow, Repo, Space
from orchestrator.domain.repo import RepoKind
from orchestrator.domain.space import Role, Visibility, check_name
from orchestrator.errors import Conflict, Invalid, Unavailable
from orchestrator.ports import Repos as GitRepos
from orchestrator.ports import Store
from orchestrator.services.accounts import Accounts, new_id
from orchestrator.services.lookup import by_id, find
from orchestrator.services.spaces import Spaces

log = logging.getLogger(__name__)
GATES = ("", "auto", "manual")


class Repositories:
    """`url_of(repo)`: where its page is."""

    def __init__(
        self,
        store: Store,
        git: GitRepos,
        accounts: Accounts,
        spaces: Spaces,
        *,
        url_of: Callable[[AnyRepo], str] = lambda repo: "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._git = git
        self._accounts = accounts
        self._spaces = spaces
        self._url_of = url_of
        self._clock = clock

    # ----------------------------------------------------------------------------------------------------- reading

    def find(
        self, caller: Caller, kind: RepoKind, owner: str, name: str, needed: Role = Role.READ, code: bool = True
    ) -> AnyRepo:
        """The repo of any kind if the caller may do what is `needed`. Raises as `lookup.find`."""
        with self._store.read() as tx:
            return find(tx, caller, kind, owner, name, needed, code)

    def get(self, repo_id: str) -> AnyRepo | None:
        with self._store.read() as tx:
            return by_id(tx, repo_id)

    def list(self, caller: Caller, kind: RepoKind, **filters: object) -> "list[AnyRepo]":
        """Those that the caller may see; filters are those of store/listing.py `page`, and of the kind's own table."""
        if kind is RepoKind.SPACE:
            return self._spaces.list(caller, **filters)
        user = caller.user.id if caller.user else None
        with self._store.read() as tx:
            within = caller.grants.readable() if caller.grants is not None else None
            return tx.repos.list(kind, visible_to=user, all_visible=caller.is_admin, within=within, **filters)

    def users(self, caller: Caller, repo: AnyRepo, limit: int) -> "list[AnyRepo]":
        """Spaces that the caller may see and whose cards name this model or dataset, the most liked first."""
        return self._spaces.list(caller, uses=(repo.kind, repo.full_name), sort="likes", limit=limit)

    # ---------------------------------------------------------------------------------------------------- commands

    def create(
        self, caller: Caller, kind: RepoKind, name: str, organization: str | None, visibility: Visibility | None
    ) -> Repo:
        """Make a model or a dataset, empty; without a `visibility` it is seen as its owner's usually are. Raises Invalid `NAME`,
        `VISIBILITY`; Forbidden `NAMESPACE`; Conflict `RepoExists` with `url` of the one that is there."""
        owner = self._accounts.namespace(caller, organization)
        check_name(name)
        if visibility is Visibility.PROTECTED:
            raise Invalid("VISIBILITY", f"a {kind} is public or private; only a Space can be protected")
        now = self._clock()
        with self._store.write() as tx:
            known = tx.repos.find(kind, owner.name, name)
            if known:
                message = f"You already created this {kind} repo: {known.full_name}"
                raise Conflict("RepoExists", message, url=self._url_of(known), id=known.id)
            creator = caller.user.id if caller.user else ""
            seen = visibility or owner.visibility
            repo = Repo(new_id(), kind, owner.name, owner.id, name, seen, creator, created_at=now, updated_at=now)
            tx.repos.take_name(kind, owner.id, name)
            tx.repos.add(repo)
            tx.webhooks.note(of_repo(repo, "repo", "create", now))
            tx.audit.add(AuditRow(now, caller.name, f"{kind}.create", repo.full_name, {"id": repo.id}))
            self._git.create(repo.id)
        return repo

    def delete(self, caller: Caller, repo: AnyRepo) -> None:
        """Gone at once for everybody; its name is free again."""
        require(caller, repo, Role.ADMIN)
        self.discard(caller, repo)

    def discard(self, caller: Caller, repo: AnyRepo) -> None:
        """Delete what the caller has just made, whatever else they may do there."""
        if isinstance(repo, Space):
            self._spaces.discard(caller, repo)
            return
        with self._store.write() as tx:
            tx.repos.update(repo.id, deleted=True, name=f"deleted-{repo.id}")
            tx.webhooks.note(of_repo(repo, "repo", "delete", self._clock()))
            tx.audit.add(AuditRow(self._clock(), caller.name, f"{repo.kind}.delete", repo.full_name, {"id": repo.id}))
        self._remove(repo.id)

    def collect(self) -> None:
        """Remove what a crash, or somebody who was writing, left of deleted ones."""
        with self._store.read() as tx:
            left = tx.repos.deleted()
        for repo_id in left:
            self._remove(repo_id)

    def _remove(self, repo_id: str) -> None:
        """The row last, so that a crash only repeats this."""
        try:
            self._git.remove(repo_id)
        except Unavailable as error:
            log.info("%s", error)
            return
        with self._store.write() as tx:
            tx.pushes.forget(repo_id)
            tx.interest.forget(repo_id)
            tx.discussions.forget(repo_id)
            tx.collaborators.forget(repo_id)
            tx.invitations.forget(repo_id)
            tx.repos.forget_names(repo_id)
            tx.repos.forget(repo_id)

    def change(
        self,
        caller: Caller,
        repo: AnyRepo,
        *,
        visibility: Visibility | None = None,
        gated: str | None = None,
        discussions_disabled: bool | None = None,
    ) -> AnyRepo:
        """Change what is given. Raises Invalid `VISIBILITY`, `GATED`; Forbidden to those who may not."""
        require(caller, repo, Role.ADMIN)
        wanted: dict[str, object] = {}
        if visibility is not None and visibility is not repo.visibility:
            if visibility is Visibility.PROTECTED and not isinstance(repo, Space):
                raise Invalid("VISIBILITY", f"a {repo.kind} is public or private; only a Space can be protected")
            wanted["visibility"] = visibility.value
        if gated is not None and gated != repo.gated:
            if isinstance(repo, Space):
                raise Invalid("GATED", "a Space cannot be gated; make it private or protected")
            wanted["gated"] = gated
        if discussions_disabled is not None and discussions_disabled != repo.discussions_disabled:
            wanted["discussions_disabled"] = discussions_disabled
        if isinstance(repo, Space) and "visibility" in wanted:
            self._spaces.set_visibility(caller, repo, Visibility(wanted.pop("visibility")))
        if wanted:
            self._write(caller, repo, wanted)
        return self.get(repo.id) or repo

    def _write(self, caller: Caller, repo: AnyRepo, wanted: dict[str, object]) -> None:
        now = self._clock()
        with self._store.write() as tx:
            if isinstance(repo, Space):
                tx.spaces.update(repo.id, look_at=now, **wanted)
            else:
                tx.repos.update(repo.id, **wanted)
            tx.webhooks.note(of_config(by_id(tx, repo.id) or repo, now, **wanted))
            tx.audit.add(AuditRow(now, caller.name, f"{repo.kind}.settings", repo.full_name, wanted))
