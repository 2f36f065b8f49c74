"""The lists of models, of datasets and of kernels: found by words, in an order, page by page, as Spaces are on the front page.
And collections, which hold all kinds."""

from fastapi import APIRouter, Depends, Request, Response

from orchestrator.domain.repo import PLAIN, RepoKind
from web.explore import SORTS, Wanted, look, wanted
from web.page import Console, go
from web.session import Visit


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    def add(kind: RepoKind) -> None:
        @router.get(f"/{kind.plural}")
        def listed(request: Request, want: Wanted = Depends(wanted), visit: Visit = Depends(console.visit)) -> Response:
            found, next_after = look(console, visit.caller, want, kind=kind)
            values = {"kind": kind, "repos": found, "want": want, "next_after": next_after, "sorts": SORTS}
            return console.show(request, visit, "catalog.html", **values)

    for kind in PLAIN:
        add(kind)

    @router.get("/collections/{owner}/{slug}")
    def collection(request: Request, owner: str, slug: str, visit: Visit = Depends(console.visit)) -> Response:
        asked = f"{owner}/{slug}"
        one = console.parts.collections.find(visit.caller, asked)
        if one.slug != asked:  # a former title, or another owner's name
            return go(f"/collections/{one.slug}")
        items = [(item, what) for item, what in console.parts.collections.items(visit.caller, one) if what is not None]
        return console.show(request, visit, "collection.html", one=one, items=items)

    return router
