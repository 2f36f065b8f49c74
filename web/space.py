"""The Space page: the app in its frame, or what happens instead. Its settings are in settings.py."""

from fastapi import APIRouter, Depends, Request, Response

from web.live import tell
from web.page import Console
from web.repo import header
from web.session import Visit


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/spaces/{owner}/{name}")
    def app(request: Request, owner: str, name: str, visit: Visit = Depends(console.visit)) -> Response:
        space = console.space(visit, owner, name)
        told, pieces = tell(console, visit, space)
        frame = console.frame_url(visit.caller, space) if told.serving else ""
        values = header(console, visit, space, "app") | {"story": told, "pieces": pieces, "frame": frame}
        return console.show(request, visit, "space/app.html", frames=console.parts.app_url(space.label), **values)

    return router
