"""The Space page: the app in its frame, or what happens instead. Its settings are in settings.py."""

from fastapi import APIRouter, Depends, Request, Response

from orchestrator.domain.records import Space
from web.live import tell
from web.page import Console
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


def header(console: Console, visit: Visit, space: Space, tab: str) -> dict[str, object]:
    """What every tab of a Space shows on top."""
    url = console.parts.app_url(space.label)
    return {
        "space": space,
        "liked": console.parts.likes.is_liked(visit.caller, space),
        "tab": tab,
        "base": f"/{space.path}",
        "app_url": url,
        "outside": f"/open?to={url}/" if space.private else url,
        "can_change": console.may_change(visit, space),
        "sees_code": not space.code_private or console.may_change(visit, space) or space.private,
    }
