"""The Use tab: how to show a Space to others (link, QR code, embedding) and how programs call it."""

import io
import time

import segno
from fastapi import APIRouter, Depends, Request, Response
from markupsafe import Markup

from orchestrator.domain.decide import RouteState
from orchestrator.domain.records import Space
from orchestrator.domain.share import LIFETIMES
from web.app_schema import Endpoint, code, fetch, of_gradio, of_openapi
from web.page import Console
from web.repo import header
from web.session import Visit

_KEPT = 60.0  #: seconds that the schema of one running instance is kept
_MANY = 500


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    schemas = _Schemas()

    @router.get("/spaces/{owner}/{name}/use")
    def use(request: Request, owner: str, name: str, visit: Visit = Depends(console.visit)) -> Response:
        space = console.space(visit, owner, name)
        values = header(console, visit, space, "use")
        url = console.parts.app_url(space.label)
        home = console.parts.domains.home(space.label)
        page = f"{console.parts.public_url}/{space.path}"
        endpoints = schemas.of(space, url) if space.route is RouteState.OPEN else ()
        values |= {
            "page_url": page,
            "qr": qr(page),
            "serving": space.route is RouteState.OPEN,
            "endpoints": [(one, code(one, url, space.private)) for one in endpoints],
            "links": console.parts.shares.of(space) if space.private and console.may_own(visit, space) else (),
            "can_share": space.private and console.may_own(visit, space),
            "lifetimes": LIFETIMES,
            "embeds": not space.card.get("disable_embedding") and not space.private and space.embed_origins != (),
            "also_at": [] if space.private else [url.replace(home, host, 1) for host in space.hosts],
        }
        return console.show(request, visit, "space/use.html", **values)

    @router.get("/embed.js")
    def script(request: Request) -> Response:
        """What other sites include; it makes a frame and nothing else. Its address stays."""
        response = console.assets.answer(request, "", "embed.js")
        response.headers["Cache-Control"] = "public, max-age=3600"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response

    return router


def qr(text: str) -> Markup:
    """A QR code as a drawing, black on white."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        out, kind="svg", xmldecl=False, svgns=False, omitsize=True, border=0, svgclass="qr", lineclass=None
    )
    return Markup(out.getvalue().decode())


class _Schemas:
    """What running instances answered, for a minute each."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, tuple[Endpoint, ...]]] = {}

    def of(self, space: Space, url: str) -> tuple[Endpoint, ...]:
        now = time.monotonic()
        at, known = self._known.get(space.instance, (-_KEPT, ()))
        if now - at < _KEPT:
            return known
        found = self._ask(space, url.partition("://")[2])
        if len(self._known) >= _MANY:
            self._known.clear()
        self._known[space.instance] = (now, found)
        return found

    def _ask(self, space: Space, host: str) -> tuple[Endpoint, ...]:
        if not space.address or space.sdk in ("static", "streamlit"):
            return ()
        if told := fetch(space.address, host, "/gradio_api/info"):
            return of_gradio(told)
        told = fetch(space.address, host, "/openapi.json") if space.sdk == "docker" else None
        return of_openapi(told) if told else ()
