"""The Space page as it changes: one stream of events per open page. Owns what is sent when; the words are `story.py`'s."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from orchestrator.api.sse import LIFE, PING, PING_EVERY, event, stream
from orchestrator.domain.caller import Caller
from orchestrator.domain.decide import RouteState
from orchestrator.domain.records import Space
from orchestrator.errors import CallerError
from web.page import Console
from web.session import Visit
from web.story import Story, story

POLL_EVERY = 5.0  #: how late a change that rang no bell here, as a command line makes it, may be shown


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/spaces/{owner}/{name}/live")
    def live(
        request: Request, owner: str, name: str, wake: bool = False, visit: Visit = Depends(console.visit)
    ) -> Response:
        space = console.space(visit, owner, name)
        if wake and space.route is RouteState.WAKE:
            console.parts.spaces.used({}, [space.id])
        return stream(_frames(console, console.visits(request, visit), owner, name))

    return router


def tell(console: Console, visit: Visit, space: Space) -> tuple[Story, dict[str, Any]]:
    """What is known now, and the same as pieces of the page."""
    spaces = console.parts.spaces
    told = story(space, spaces.builds(space, 20), time.time(), spaces.runs(space, 20))
    values = {
        "space": space,
        "story": told,
        "can_change": console.may_change(visit, space),
        "base": f"/{space.path}",
        "proof": visit.proof,
        "public_url": console.parts.public_url,
    }
    render = console.templates.get_template
    pieces = {
        "badge": render("space/_badge.html").render(values),
        "panel": "" if told.serving else render("space/_panel.html").render(values),
        "banner": render("space/_banner.html").render(values) if told.serving else "",
        "log": told.log if values["can_change"] else "",
        "serving": told.serving,
        "instance": space.instance,
        "stage": space.stage.value,
    }
    return told, pieces


async def _frames(console: Console, visits: Callable[[], Visit], owner: str, name: str) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    sent: dict[str, Any] = {}
    ends, quiet = loop.time() + LIFE, loop.time()

    def look() -> tuple[Space, dict[str, Any], Caller]:
        visit = visits()
        space = console.space(visit, owner, name)
        return space, tell(console, visit, space)[1], visit.caller

    with console.parts.bell.hearing("routes") as rung:
        while loop.time() < ends:
            try:
                space, pieces, caller = await asyncio.to_thread(look)
            except CallerError:
                yield event("gone", {})
                return
            if pieces != sent:
                sent, quiet = pieces, loop.time()
                frame = console.frame_url(caller, space) if pieces["serving"] else ""
                yield event("state", pieces | {"frame": frame})
            elif loop.time() - quiet >= PING_EVERY:
                quiet = loop.time()
                yield PING
            await rung(POLL_EVERY)
