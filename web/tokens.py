"""Access tokens of the one who is signed in: make, see once, revoke."""

from fastapi import APIRouter, Depends, Request, Response

from orchestrator.errors import CallerError
from web.page import Console, go
from web.session import Visit


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    accounts = console.parts.accounts

    def page(request: Request, visit: Visit, status: int = 200, made: str = "", error: str = "") -> Response:
        tokens = sorted(accounts.tokens(visit.caller.user), key=lambda t: -t.created_at)
        return console.show(request, visit, "tokens.html", status=status, tokens=tokens, made=made, error=error)

    @router.get("/settings")
    def settings(visit: Visit = Depends(console.member)) -> Response:
        return go("/settings/tokens")

    @router.get("/settings/tokens")
    def tokens(request: Request, visit: Visit = Depends(console.member)) -> Response:
        return page(request, visit)

    @router.post("/settings/tokens")
    def make(
        request: Request, form: dict[str, str] = Depends(console.form), visit: Visit = Depends(console.member)
    ) -> Response:
        name = form.get("name", "").strip()
        try:
            made = accounts.add_token(visit.caller.user, form.get("role", "read"), name, actor=visit.caller.name)
        except CallerError as error:
            return page(request, visit, 422, error=error.message)
        return page(request, visit, made=made)

    @router.post("/settings/tokens/revoke")
    def revoke(form: dict[str, str] = Depends(console.form), visit: Visit = Depends(console.member)) -> Response:
        accounts.revoke_token(visit.caller.user, form.get("id", ""), visit.caller.name, keep=visit.session)
        return go("/settings/tokens?done=revoked")

    return router
