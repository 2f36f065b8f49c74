"""Who may fetch from and push to what, by git. Owns the rule that a stranger cannot tell a private repo from an absent one, and
that the first push to a name of one's own makes the Space."""

from collections.abc import Callable
from dataclasses import replace

from orchestrator.domain.caller import Caller, require, role_in, role_on
from orchestrator.domain.records import Space
from orchestrator.domain.space import Role, check_name
from orchestrator.errors import Unauthorized, repo_not_found
from orchestrator.ports import Store
from orchestrator.services.accounts import Accounts


class GitAccess:
    """`create(caller, owner, name)` makes the Space of a first push."""

    def __init__(self, store: Store, accounts: Accounts, create: Callable[[Caller, str, str], Space]) -> None:
        self._store = store
        self._accounts = accounts
        self.create = create

    def caller(self, authorization: str | None, address: str = "") -> Caller:
        return self._accounts.caller(authorization, address=address)

    def fetch(self, caller: Caller, owner: str, name: str) -> Space:
        """The Space to read from. Raises Unauthorized to a stranger for whatever is not public (git then asks for a token),
        NotFound to a known caller."""
        space = self._find(owner, name)
        if space is None or role_on(caller, space, code=True) < Role.READ:
            raise repo_not_found() if caller.user else _who_are_you()
        return space

    def push(self, caller: Caller, owner: str, name: str) -> Space | None:
        """The Space to push to; None: there is none, and the caller may `create` it. Raises Unauthorized to every stranger,
        NotFound for what the caller may not see, Forbidden otherwise, Invalid `NAME`."""
        if caller.user is None:
            raise _who_are_you()
        space = self._find(owner, name)
        if space:
            if not self._has_request(caller, space):
                require(caller, space, Role.WRITE, code=True)
            return space
        with self._store.read() as tx:
            namespace = tx.accounts.owner_named(owner)
        if namespace is None or role_in(replace(caller, limit=Role.ADMIN), namespace.id) is Role.NONE:
            raise repo_not_found()
        self._accounts.namespace(caller, owner)
        check_name(name)
        return None

    def _has_request(self, caller: Caller, space: Space) -> bool:
        """Whether a reader may push to the refs of pull requests of their own; to which is asked when git names the refs."""
        if caller.limit < Role.WRITE or role_on(caller, space, code=True) is not Role.READ:
            return False
        with self._store.read() as tx:
            return bool(tx.discussions.live_requests_of(space.id, caller.user.id))

    def _find(self, owner: str, name: str) -> Space | None:
        with self._store.read() as tx:
            return tx.spaces.find(owner, name)


def _who_are_you() -> Unauthorized:
    return Unauthorized(
        "AUTH_REQUIRED",
        "This needs an access token: any user name, and the token as the password (Settings → Tokens).",
    )
