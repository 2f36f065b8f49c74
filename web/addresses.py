"""Where pages stand: at `/spaces/owner/name…`, `/datasets/owner/name…`, `/kernels/owner/name…`, of models at `/owner/name…`; and
which words at the place of an owner are none. Pure."""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote

from fastapi import APIRouter, Request
from starlette.convertors import StringConvertor, register_url_convertor

from orchestrator.domain.repo import RepoKind
from orchestrator.domain.space import RESERVED_OWNERS

#: First steps that are not names of owners: the pages are matched before the API.
NOT_OWNERS = sorted(RESERVED_OWNERS | {"openapi\\.json", "favicon\\.ico", "robots\\.txt", "embed\\.js"})


class _OwnerConvertor(StringConvertor):
    regex = rf"(?!(?i:{'|'.join(NOT_OWNERS)})(?:/|$))[A-Za-z0-9_][A-Za-z0-9_.-]*"


register_url_convertor("owner", _OwnerConvertor())


class RepoPages(APIRouter):
    """A router whose paths continue the address of a repo: each stands once for every kind."""

    def __init__(self, kinds: Iterable[RepoKind] = tuple(RepoKind)) -> None:
        super().__init__(include_in_schema=False)
        self._homes = [f"/{kind.prefix}{'{owner}' if kind.prefix else '{owner:owner}'}/{{name}}" for kind in kinds]

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **more: Any) -> None:
        for home in self._homes:
            super().add_api_route(home + path, endpoint, **more)


def named(request: Request) -> tuple[RepoKind, str, str]:
    """(kind, owner, name) of the repo whose page is asked for."""
    return _kind(request), request.path_params["owner"], request.path_params["name"]


def home(request: Request) -> str:
    """The address of the page of that repo, as it was written."""
    kind, owner, name = named(request)
    return f"/{kind.prefix}{owner}/{name}"


def below(request: Request) -> list[str]:
    """The steps below the repo's own page, decoded. Taken from the raw path, in which a revision with slashes
    (`refs%2Fpr%2F1`) is still one step."""
    raw = request.scope.get("raw_path") or request.url.path.encode()
    steps = raw.decode("latin-1").split("?")[0].split("/")
    return [unquote(step) for step in steps[4 if _kind(request).prefix else 3 :]]


def _kind(request: Request) -> RepoKind:
    path = request.url.path
    return next((kind for kind in RepoKind if kind.prefix and path.startswith(f"/{kind.prefix}")), RepoKind.MODEL)
