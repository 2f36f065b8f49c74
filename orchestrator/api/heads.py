"""HEAD for every address that has GET: the same status and headers without the body (RFC 9110, 9.3.2), as `requests.head` and
whoever watches a page ask. Routes with a HEAD of their own, those of files, keep it. Plain ASGI, right before the routes."""

from starlette.requests import ClientDisconnect
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send


def has_route(scope: Scope, method: str) -> bool:
    """Whether this path can be asked with this method. Pure."""
    asked = {**scope, "method": method}
    return any(route.matches(asked)[0] is Match.FULL for route in scope["app"].routes)


class Heads:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = scope["type"] == "http" and scope["method"] == "HEAD"
        if asked and not has_route(scope, "HEAD") and has_route(scope, "GET"):
            scope, send = {**scope, "method": "GET"}, without_body(send)
        await self._app(scope, receive, send)


def without_body(send: Send) -> Send:
    """`send` that ends the answer where its body begins. Who makes a body of several parts is told that nobody listens."""

    async def cut(message: Message) -> None:
        if message["type"] != "http.response.body":
            await send(message)
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        if message.get("more_body", False):
            raise ClientDisconnect

    return cut
