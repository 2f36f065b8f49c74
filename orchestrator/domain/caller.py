"""Who calls, and what they may do with a repo. Pure: memberships are looked up elsewhere."""

from dataclasses import dataclass, field

from orchestrator.domain.grants import Grants
from orchestrator.domain.records import AnyRepo, Owner, Token
from orchestrator.domain.space import Role
from orchestrator.errors import Forbidden, Unauthorized, repo_not_found


@dataclass(frozen=True, slots=True)
class Caller:
    """`user` None: a stranger. `limit`: the most that the credential allows anywhere (a read token: READ). `orgs`:
    organisation id -> role; `repos`: repo id -> role, of single repos that they were let into. `via`: token | session |
    none. `token_name` is shown by whoami. `grants`: all that a fine-grained token may do; None for other credentials."""

    user: Owner | None = None
    limit: Role = Role.NONE
    orgs: dict[str, Role] = field(default_factory=dict)
    repos: dict[str, Role] = field(default_factory=dict, kw_only=True)
    via: str = "none"
    token_name: str = ""
    token_role: str = ""
    address: str = ""  #: of the client, for the audit log
    grants: Grants | None = None
    token: Token | None = None

    @property
    def name(self) -> str:
        return self.user.name if self.user else ""

    @property
    def is_admin(self) -> bool:
        """With a fine-grained token nobody is."""
        return bool(self.user and self.user.is_admin and self.grants is None)


STRANGER = Caller()


def role_in(caller: Caller, owner_id: str, repo_id: str = "") -> Role:
    """What the caller may do with what an owner has, whatever its visibility; or with one repo of the owner's."""
    if not caller.user:
        return Role.NONE
    mine = Role.ADMIN if caller.user.id == owner_id or caller.is_admin else caller.orgs.get(owner_id, Role.NONE)
    if repo_id in caller.repos:
        mine = max(mine, caller.repos[repo_id])
    limit = caller.limit if caller.grants is None else min(caller.limit, caller.grants.limit(owner_id, repo_id))
    return min(mine, limit)


def may(caller: Caller, word: str, owner_id: str = "", repo_id: str = "") -> bool:
    """Whether the caller's credential allows what a word of `domain/grants.py` stands for, such as DISCUSS on a repo. Says
    nothing about the role of the user."""
    if caller.user is None:
        return False
    if caller.grants is None:
        return caller.limit >= (Role.READ if word.endswith(".read") else Role.WRITE)
    return word in caller.grants.words(owner_id, repo_id)


def role_on(caller: Caller, space: AnyRepo, code: bool = False) -> Role:
    """What the caller may do with a Space. `code`: with its files rather than its app (protected Spaces differ)."""
    hidden = space.code_private if code else space.private
    return max(role_in(caller, space.owner_id, space.id), Role.NONE if hidden else Role.READ)


def require_admin(caller: Caller) -> None:
    """Nothing for an admin of this Podium with a credential that may write. Raises Unauthorized, Forbidden `ADMIN`."""
    if caller.user is None:
        raise Unauthorized("AUTH_REQUIRED", "Sign in first: this needs an admin's access token.")
    if not caller.is_admin or caller.limit < Role.ADMIN:
        raise Forbidden("ADMIN", f"{caller.name} may not do this; it is for admins of this Podium.")


def require(caller: Caller, space: AnyRepo, needed: Role, code: bool = False) -> None:
    """Nothing, or: NotFound for those who may not even see it (a private repo and an absent one look the same),
    Unauthorized for a stranger who must say who they are, Forbidden otherwise."""
    role = role_on(caller, space, code)
    if role >= needed:
        return
    if role is Role.NONE:
        raise repo_not_found()
    if caller.user is None:
        raise Unauthorized("AUTH_REQUIRED", "Sign in first: this needs an access token with write permission.")
    if caller.grants is not None and caller.grants.limit(space.owner_id, space.id) < needed:
        raise Forbidden(
            "TOKEN_SCOPE", f"This token may not {needed.name.lower()} {space.full_name}; use one that was made for it."
        )
    if caller.limit < needed:
        raise Forbidden("TOKEN_READ_ONLY", "This token may only read; use an access token with write permission.")
    raise Forbidden(
        "FORBIDDEN",
        f"{caller.name} may not change {space.full_name}; ask its owner for the role {needed.name.lower()}.",
    )
