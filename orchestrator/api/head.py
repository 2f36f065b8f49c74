"""HEAD wherever there is GET (RFC 9110, 9.3.2), without a route of its own: the same status and headers, no body. Routes that
have a cheaper answer keep their own."""

from starlette.requests import ClientDisconnect
from starlette.routing import Match, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Head:
    """`router`: who matches the routes behind this."""

    def __init__(self, app: ASGIApp, router: Router) -> None:
        self._app, self._router = app, router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD" or self._has_own(scope):
            await self._app(scope, receive, send)
            return
        ended = False

        async def head_alone(message: Message) -> None:
            nonlocal ended
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                ended = True
            elif message.get("more_body"):
                raise OSError("nobody reads the rest")  # which ends a stream that would go on for ever

        try:
            await self._app({**scope, "method": "GET"}, receive, head_alone)
        except ClientDisconnect:
            if not ended:
                raise

    def _has_own(self, scope: Scope) -> bool:
        heads = (route for route in self._router.routes if "HEAD" in (getattr(route, "methods", None) or ()))
        return any(route.matches(scope)[0] is Match.FULL for route in heads)
