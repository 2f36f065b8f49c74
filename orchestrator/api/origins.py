"""What scripts in pages of other sites may do here (Fetch standard, "CORS protocol"): ask the API and read files, as on the Hub,
since `@huggingface/hub` and transformers.js run in browsers. With an access token of theirs or as strangers, never as whoever is
signed in with that browser: without `Access-Control-Allow-Credentials` no answer to a request with a cookie is shown to them.
Pages and forms stay closed. Plain ASGI, so that streams pass untouched."""

import re

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_OPEN = re.compile(rb"/api/.*|(/[^/]+){2,3}/(resolve|raw)/.*|(/[^/]+){2,3}\.git/info/lfs/.*", re.DOTALL)
_ANY = (b"access-control-allow-origin", b"*")
#: What such a script may read of an answer beside its body. The Hub's list, and what those who must wait are told.
_SHOWN = (
    "X-Repo-Commit, X-Request-Id, X-Error-Code, X-Error-Message, X-Total-Count, ETag, Link, Accept-Ranges, Content-Range, "
    "X-Linked-Size, X-Linked-ETag, X-Xet-Hash, Location, Retry-After, Content-Disposition"
)
_EXPOSED = (b"access-control-expose-headers", _SHOWN.encode())
_DAY = "86400"


class Origins:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _OPEN.fullmatch(scope.get("raw_path") or scope["path"].encode()):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await _permission(headers.get("access-control-request-headers", ""))(scope, receive, send)
            return

        async def opened(message: Message) -> None:
            if message["type"] == "http.response.start":
                told = [pair for pair in message.get("headers", ()) if pair[0].lower() != _ANY[0]]
                message["headers"] = [*told, _ANY, _EXPOSED]
            await send(message)

        await self._app(scope, receive, opened)


def _permission(headers: str) -> Response:
    """A browser asks first whether it may send this; a star does not stand for `Authorization`. Pure."""
    allowed = {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
        "Access-Control-Allow-Headers": headers or "*",
        "Access-Control-Max-Age": _DAY,
        "Vary": "Access-Control-Request-Headers",
    }
    return Response(status_code=204, headers=allowed)
