"""Who may fetch from and push to what, by git. Owns the rule that a stranger cannot tell a private repo from an absent one, and
that the first push to a Space's name of one's own makes it."""

from collections.abc import Callable
from dataclasses import replace

from orchestrator.domain.caller import Caller, require, role_in, role_on
from orchestrator.domain.records import AnyRepo, Space
from orchestrator.domain.repo import RepoKind
from orchestrator.domain.space import Role, check_name
from orchestrator.errors import Forbidden, Unauthorized, repo_not_found
from orchestrator.ports import Store
from orchestrator.services.accounts import Accounts
from orchestrator.services.gates import check_gate
from orchestrator.services.lookup import moved, named
from orchestrator.services.ref_access import require_voice


class GitAccess:
    """`create(caller, owner, name)` makes the Space of a first push."""

    def __init__(self, store: Store, accounts: Accounts, create: Callable[[Caller, str, str], Space]) -> None:
        self._store = store
        self._accounts = accounts
        self.create = create

    def caller(self, authorization: str | None, address: str = "") -> Caller:
        return self._accounts.caller(authorization, address=address)

    def fetch(self, caller: Caller, kind: RepoKind, owner: str, name: str) -> AnyRepo:
        """The repo to read from. Raises Unauthorized to a stranger for whatever is not public (git then asks for a token),
        NotFound to a known caller, Moved, Forbidden `GatedRepo`."""
        with self._store.read() as tx:
            repo = named(tx, kind, owner, name)
            if repo is None or role_on(caller, repo, code=True) < Role.READ:
                hidden = repo_not_found() if caller.user else _who_are_you()
                raise (repo is None and moved(tx, caller, kind, owner, name, code=True)) or hidden
            check_gate(tx, caller, repo)
        return repo

    def push(self, caller: Caller, kind: RepoKind, owner: str, name: str) -> AnyRepo | None:
        """The repo to push to; None: there is no such Space, and the caller may `create` it. Raises Unauthorized to every
        stranger, NotFound for what the caller may not see, Forbidden otherwise, Invalid `NAME`, Moved."""
        if caller.user is None:
            raise _who_are_you()
        with self._store.read() as tx:
            repo = named(tx, kind, owner, name)
            if repo is None and (new := moved(tx, caller, kind, owner, name, code=True)):
                raise new
            namespace = tx.accounts.owner_named(owner)
        if repo:
            if not self._has_request(caller, repo):
                require(caller, repo, Role.WRITE, code=True)
            return repo
        if not kind.runs:  # a Space's address without its prefix is a model's: a slip must not make one
            raise repo_not_found()
        if namespace is None or role_in(replace(caller, limit=Role.ADMIN), namespace.id) is Role.NONE:
            raise repo_not_found()
        self._accounts.namespace(caller, owner)
        check_name(name)
        return None

    def upload(self, caller: Caller, kind: RepoKind, owner: str, name: str) -> AnyRepo | None:
        """The repo to send large files to: who may open a pull request sends them before it is there. Raises as `push`."""
        try:
            return self.push(caller, kind, owner, name)
        except Forbidden:
            if caller.limit < Role.WRITE:
                raise
            repo = self.fetch(caller, kind, owner, name)
            require_voice(caller, repo)
            return repo

    def _has_request(self, caller: Caller, repo: AnyRepo) -> bool:
        """Whether a reader may push to the refs of pull requests of their own; to which is asked when git names the refs."""
        if caller.limit < Role.WRITE or role_on(caller, repo, code=True) is not Role.READ:
            return False
        with self._store.read() as tx:
            return bool(tx.discussions.live_requests_of(repo.id, caller.user.id))


def _who_are_you() -> Unauthorized:
    return Unauthorized(
        "AUTH_REQUIRED",
        "This needs an access token: any user name, and the token as the password (Settings → Tokens).",
    )
