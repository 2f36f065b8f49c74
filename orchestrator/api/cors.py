"""Which answers scripts of other sites may read: those of the API and of files, as on the Hub, because clients run in browsers,
too, and a static Space is a site of its own. Without credentials: a browser lets nobody read so what a cookie has opened; what is
not public needs a token that the script has."""

import re
from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

_OPEN = re.compile(rb"/api/.*|(/[^/]+){2,3}/(resolve|raw)/.*|(/[^/]+){2,3}\.git/info/lfs/.*", re.DOTALL)
#: Headers that clients read (hub-api reference 0.2, 2.16, 2.20); a browser hides what is not named.
_READ = (
    "Accept-Ranges", "Content-Disposition", "Content-Range", "ETag", "Link", "Location", "Retry-After", "X-Error-Code",
    "X-Error-Message", "X-Linked-Etag", "X-Linked-Size", "X-Repo-Commit", "X-Request-Id", "X-Total-Count", "X-Xet-Access-Token",
    "X-Xet-Cas-Url", "X-Xet-Hash", "X-Xet-Token-Expiration",
)  # fmt: skip
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


class Cors:
    """`origins`: sites that may; `*` among them: all."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app = app
        self._open = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=_METHODS,
            allow_headers=["*"],
            expose_headers=_READ,
            max_age=3600,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_open = scope["type"] == "http" and _OPEN.fullmatch(scope.get("raw_path") or scope["path"].encode())
        await (self._open if is_open else self._app)(scope, receive, send)
