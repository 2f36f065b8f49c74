"""From a kind and a name to the repo, for a caller: the same rules for Spaces, models and datasets. Within a transaction."""

from typing import Any

from orchestrator.domain.caller import Caller, require, role_on
from orchestrator.domain.records import AnyRepo
from orchestrator.domain.repo import RepoKind
from orchestrator.domain.space import Role
from orchestrator.errors import Moved, repo_not_found


def named(tx: Any, kind: RepoKind, owner: str, name: str) -> AnyRepo | None:
    """By name, whatever its case; one that is being deleted is not found."""
    return tx.spaces.find(owner, name) if kind is RepoKind.SPACE else tx.repos.find(kind, owner, name)


def by_id(tx: Any, repo_id: str) -> AnyRepo | None:
    return tx.repos.get(repo_id) or tx.spaces.get(repo_id)


def find(
    tx: Any, caller: Caller, kind: RepoKind, owner: str, name: str, needed: Role = Role.READ, code: bool = False
) -> AnyRepo:
    """The repo if the caller may do what is `needed`. Raises NotFound, Unauthorized, Forbidden (domain/caller.py), and Moved
    to those who may see what had this name."""
    repo = named(tx, kind, owner, name)
    if repo is None:
        raise moved(tx, caller, kind, owner, name, code) or repo_not_found()
    require(caller, repo, needed, code)
    return repo


def moved(tx: Any, caller: Caller, kind: RepoKind, owner: str, name: str, code: bool = False) -> Moved | None:
    """Where the repo of this former name is now, for those who may see it there."""
    former = tx.repos.moved(kind, owner, name)
    repo = by_id(tx, former) if former else None
    if repo is None or repo.deleted or role_on(caller, repo, code) < Role.READ:
        return None
    return Moved(f"{owner}/{name}", repo.full_name)
