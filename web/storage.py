"""What is stored and how large it is, for admins, and collecting what nothing needs any more."""

from fastapi import APIRouter, Depends, Request, Response

from orchestrator.domain.caller import require_admin
from orchestrator.domain.records import AnyRepo
from orchestrator.errors import CallerError
from web.page import Console, go
from web.session import Visit

Form = dict[str, str]


def of_repo(console: Console, repo: AnyRepo, measure: bool) -> dict[str, object]:
    """For the settings of a repo: what it takes, and what it may. `measure`: look into /data too."""
    parts = console.parts
    return {"takes": parts.storage.of(repo, measure), "measured": measure, "room": parts.large.limits.repo}


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False, prefix="/admin/storage")
    storage = console.parts.storage

    def admin(request: Request) -> Visit:
        visit = console.member(request)
        require_admin(visit.caller)
        return visit

    def page(request: Request, visit: Visit, status: int = 200, error: str = "") -> Response:
        stored = storage.look(visit.caller)
        known = [size for _, size in stored.parts if size is not None]
        values = {"stored": stored, "total": sum(known), "most": max(known, default=0) or 1, "error": error}
        return console.show(request, visit, "admin/storage.html", status=status, **values)

    @router.get("")
    def shown(request: Request, visit: Visit = Depends(admin)) -> Response:
        return page(request, visit)

    @router.post("/measure")
    def measure(request: Request, form: Form = Depends(console.form), visit: Visit = Depends(admin)) -> Response:
        try:
            storage.ask_measure(visit.caller)
        except CallerError as error:
            return page(request, visit, 409, error.message)
        return go("/admin/storage?done=measuring")

    @router.post("/collect")
    def collect(request: Request, form: Form = Depends(console.form), visit: Visit = Depends(admin)) -> Response:
        try:
            storage.ask_collect(visit.caller)
        except CallerError as error:
            return page(request, visit, 409, error.message)
        return go("/admin/storage?done=collecting")

    return router
