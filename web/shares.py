"""Links that let outsiders into a private app: the form on the Use tab, the page that shows a new link once, and the way in."""

from fastapi import APIRouter, Depends, Request, Response

from orchestrator.domain.space import Role
from orchestrator.errors import Conflict, Invalid
from web.page import Console, go
from web.repo import header
from web.session import Form, Visit
from web.use import qr


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    shares = console.parts.shares

    def page(request: Request, visit: Visit, space, status: int = 200, link: str = "", error: str = "") -> Response:
        values = header(console, visit, space, "use") | {"link": link, "qr": qr(link) if link else "", "error": error}
        return console.show(request, visit, "space/share.html", status=status, **values)

    @router.post("/spaces/{owner}/{name}/use/share")
    def add(
        request: Request,
        owner: str,
        name: str,
        form: Form = Depends(console.form),
        visit: Visit = Depends(console.member),
    ) -> Response:
        space = console.space(visit, owner, name, Role.ADMIN)
        try:
            secret = shares.add(visit.caller, space, form.get("life", ""), form.get("note", ""))
        except (Invalid, Conflict) as error:
            return page(request, visit, space, 422, error=error.message)
        return page(request, visit, space, link=f"{console.parts.public_url}/open/shared?link={secret}")

    @router.post("/spaces/{owner}/{name}/use/unshare")
    def end(
        owner: str, name: str, form: Form = Depends(console.form), visit: Visit = Depends(console.member)
    ) -> Response:
        space = console.space(visit, owner, name, Role.ADMIN)
        shares.end(visit.caller, space, form.get("id", "")[:24])
        return go(f"/{space.path}/use?done=unshared#share")

    @router.get("/open/shared")
    def enter(link: str = "") -> Response:
        """Into the app, for whoever holds the link: no page of the console, and no right to one."""
        space, found = shares.follow(link[:200])
        url = console.parts.app_url(space.label)
        host = url.partition("://")[2].partition(":")[0]
        # Nobody's name: the app is not told who looks, and the link says only that somebody may.
        ticket = console.parts.signing.ticket(space, host, "", found.expires_at) if space.private else ""
        response = go(f"{url}/?__sign={ticket}" if ticket else f"{url}/")
        response.headers["Cache-Control"] = "no-store"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    return router
