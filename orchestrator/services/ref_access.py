"""Who may move which ref: writers all of them, and who opened a pull request its own ref while it is open."""

from orchestrator.domain.caller import Caller, may, require, role_on
from orchestrator.domain.discussions import Discussion, pr_number, pr_ref
from orchestrator.domain.grants import DISCUSS
from orchestrator.domain.records import AnyRepo
from orchestrator.domain.space import Role
from orchestrator.errors import Conflict, Forbidden, NotFound, Unauthorized
from orchestrator.ports import Store


def require_ref(store: Store, caller: Caller, repo: AnyRepo, ref: str) -> None:
    """Raises what `domain.caller.require` raises; NotFound `RevisionNotFound` for a pull request that is not there, Conflict
    `PR_CLOSED` for one that is over."""
    num = pr_number(ref)
    if num is None:
        require(caller, repo, Role.WRITE, code=True)
        return
    require(caller, repo, Role.READ, code=True)
    with store.read() as tx:
        one = tx.discussions.get(repo.id, num)
    if one is None or not one.is_pull_request:
        raise NotFound("RevisionNotFound", f"Invalid rev id: {pr_ref(num)}")
    require_own(caller, repo, one)
    if not one.is_live:
        raise Conflict("PR_CLOSED", f"pull request {num} is {one.status}; reopen it or open another one")


def require_voice(caller: Caller, repo: AnyRepo | None = None, word: str = DISCUSS) -> None:
    """Nothing for somebody whose credential may write: then they may speak wherever they may read. A fine-grained token must
    be for this: for `word` (domain/grants.py) everywhere or on the repo, or for writing to the repo."""
    if caller.user is None:
        raise Unauthorized("AUTH_REQUIRED", "Sign in first: this needs an access token with write permission.")
    if caller.grants is not None:
        ids = (repo.owner_id, repo.id) if repo else ()
        if may(caller, word, *ids) or (repo and caller.grants.limit(*ids) >= Role.WRITE):
            return
        raise Forbidden("TOKEN_SCOPE", f"This token is not for this; it needs the permission {word}.")
    if caller.limit < Role.WRITE:
        raise Forbidden("TOKEN_READ_ONLY", "This token may only read; use an access token with write permission.")


def require_own(caller: Caller, repo: AnyRepo, one: Discussion) -> None:
    """Nothing for who opened the discussion and for those who may change the repo."""
    require_voice(caller, repo)
    if caller.user.id != one.author_id and role_on(caller, repo, code=True) < Role.WRITE:
        what = "pull request" if one.is_pull_request else "discussion"
        raise Forbidden(
            "FORBIDDEN", f"{caller.name} may not change this {what}: {one.author or 'somebody else'} opened it."
        )
