"""What is stored and how large it is, for admins, and collecting what nothing needs any more."""

from collections.abc import Callable

from fastapi import APIRouter, Depends, Request, Response

from orchestrator.domain.caller import Caller
from orchestrator.domain.records import AnyRepo
from orchestrator.errors import CallerError
from web.page import Console, go
from web.session import Form, Visit


def of_repo(console: Console, repo: AnyRepo, measure: bool) -> dict[str, object]:
    """For the settings of a repo: what it takes, and what it may. `measure`: look into /data too."""
    parts = console.parts
    return {"takes": parts.storage.of(repo, measure), "measured": measure, "room": parts.large.limits.repo}


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False, prefix="/admin/storage")
    storage = console.parts.storage

    def page(request: Request, visit: Visit, status: int = 200, error: str = "") -> Response:
        stored = storage.look(visit.caller)
        known = [size for _, size in stored.parts if size is not None]
        values = {"stored": stored, "total": sum(known), "most": max(known, default=0) or 1, "error": error}
        return console.show(request, visit, "admin/storage.html", status=status, **values)

    @router.get("")
    def shown(request: Request, visit: Visit = Depends(console.admin)) -> Response:
        return page(request, visit)

    def ask(path: str, what: Callable[[Caller], None], done: str) -> None:
        @router.post(path)
        def asked(
            request: Request, form: Form = Depends(console.form), visit: Visit = Depends(console.admin)
        ) -> Response:
            try:
                what(visit.caller)
            except CallerError as error:
                return page(request, visit, 409, error.message)
            return go(f"/admin/storage?done={done}")

    ask("/measure", storage.ask_measure, "measuring")
    ask("/collect", storage.ask_collect, "collecting")
    return router
