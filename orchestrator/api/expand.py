"""The `expand` of a request, judged before anything is looked up."""

from collections.abc import Callable

from fastapi import Request

from orchestrator.api.params import listed
from orchestrator.api.repo_views import check_expand
from orchestrator.domain.repo import RepoKind


def expandable(kind: RepoKind) -> Callable[[Request], None]:
    """A dependency. It raises Invalid `EXPAND` for a key that repos of this kind do not have."""

    def check(request: Request) -> None:
        check_expand(kind, listed(request, "expand"))

    return check
