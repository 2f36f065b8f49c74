"""The door to the pages: one router, made of the files of pages, for the same app that serves the API.

`wiring.py` mounts `create_router(parts)` and hands `create_renderer(parts)` to the API's exception handler."""

from typing import TYPE_CHECKING

from fastapi import APIRouter

from web import (
    community,
    docs,
    edit,
    errors,
    explore,
    files,
    hardware,
    history,
    live,
    logs,
    new,
    oauth,
    owners,
    sign_in,
    space,
    tokens,
    use,
)
from web.errors import Renderer
from web.page import Console

if TYPE_CHECKING:
    from orchestrator.api.parts import Parts


def create_router(parts: "Parts") -> APIRouter:
    """All pages and static files."""
    console = Console(parts)
    router = APIRouter()
    router.include_router(console.assets.routes())
    for pages in (
        docs,
        explore,
        new,
        sign_in,
        oauth,
        tokens,
        hardware,
        logs,
        live,
        files,
        history,
        edit,
        community,
        use,
        space,
        owners,  # the last: its address is any word
    ):
        router.include_router(pages.routes(console))
    return router


def create_renderer(parts: "Parts") -> Renderer:
    """`render(request, status, code, message) -> Response | None`: an error as a page, None when a program asks."""
    return errors.renderer(Console(parts))
