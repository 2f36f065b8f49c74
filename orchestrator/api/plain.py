"""One model, dataset or kernel: what it is (hub-api reference 2.8). Spaces are `spaces.py`; what all kinds have in
common is in the files that route `/api/{kind}/…`."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from orchestrator.api import repo_views
from orchestrator.api.expand import expandable
from orchestrator.api.identity import CallerDep, PartsDep
from orchestrator.api.params import Name, Owner, Segment, listed
from orchestrator.api.show import shown
from orchestrator.domain.records import AnyRepo
from orchestrator.domain.repo import PLAIN, RepoKind
from orchestrator.errors import repo_not_found

router = APIRouter(tags=["repos"])
Security = Annotated[
    bool, Query(alias="securityStatus", description="what is known of harmful files: nobody looks for any here")
]
_UNSCANNED = {"scansDone": False, "filesWithIssues": []}


def _add(kind: RepoKind) -> None:
    at = f"/api/{kind.plural}/{{owner}}/{{name}}"

    def named(owner: Owner, name: Name, caller: CallerDep, parts: PartsDep) -> AnyRepo:
        return parts.hosted.find(caller, kind, owner, name)

    RepoDep = Annotated[AnyRepo, Depends(named)]
    expand = [Depends(expandable(kind))]  # asked first: what cannot be told needs no repo

    def asked(
        request: Request,
        repo: RepoDep,
        caller: CallerDep,
        parts: PartsDep,
        blobs: bool = False,
        security: Security = False,
    ) -> Callable[[str | None], dict]:
        """What is told of the repo at a revision. `expand`: only these keys; `blobs`: with sizes and object ids of files."""

        def told(revision: str | None) -> dict:
            view = repo_views.repo(shown(parts, caller, repo, revision, blobs), True, listed(request, "expand"))
            return view | ({"securityRepoStatus": _UNSCANNED} if security else {})

        return told

    ToldDep = Annotated[Callable[[str | None], dict], Depends(asked)]

    @router.get(at, dependencies=expand, name=f"{kind}_info")
    def info(told: ToldDep):
        """The repo at the head of main. `expand`: only these keys; `blobs`: with sizes and object ids of files."""
        return told(None)

    @router.get(f"{at}/revision/{{revision}}", dependencies=expand, name=f"{kind}_info_at")
    def info_at(told: ToldDep, revision: Segment):
        return told(revision)


for _kind in PLAIN:
    _add(_kind)


@router.get("/api/models/{name}", include_in_schema=False)
@router.get("/api/datasets/{name}", include_in_schema=False)
@router.get("/api/kernels/{name}", include_in_schema=False)
def single_segment(name: str):
    """An id without an owner names nothing here."""
    raise repo_not_found()
