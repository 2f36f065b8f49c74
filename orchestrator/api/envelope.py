"""What every request passes before any route: an id, a path that can be routed, a bounded body, and a last resort when
something of ours breaks. Plain ASGI, so that streams pass untouched."""

import logging
import re
import secrets
from contextlib import suppress
from urllib.parse import unquote_to_bytes

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.api.identity import address_of
from orchestrator.api.problems import Page, problem, shown
from orchestrator.errors import TooLarge
from orchestrator.origin import ADDRESS

log = logging.getLogger(__name__)

JSON_LIMIT = 1024**2  #: bytes
TEXT_LIMIT = 4 * 1024**2  #: bytes: bodies that carry a README, or samples of 256 files
_WIDE = re.compile(r"/api/(validate-yaml|repos/create|[^/]+/[^/]+/[^/]+/(preupload|paths-info)(/.*)?)")
_STREAMED = re.compile(r"/api/(([^/]+/[^/]+/[^/]+/commit|lfs|xet)/.*|buckets/[^/]+/[^/]+/batch)")  # counts for itself
_MODEL_FILE = re.compile(
    r"/(?!(?:api|spaces|datasets|models|kernels|buckets)/)[^/]+/[^/]+/(?:(?:resolve|raw)/[^/]+/.|ask-access$)"
)
_ID = re.compile(r"[\w.:;=/+-]{1,128}", re.ASCII)
_KEPT = re.compile(rb"%(2[fF]|25|0[aAdD])")


def request_id_of(headers: dict[bytes, bytes]) -> str:
    """What this request is called in our log and in its answer. A caller may name it (`X-Request-Id`), or add a name of theirs to
    ours (`X-Amzn-Trace-Id`, as the Hub's clients do); a name with odd characters is none. Pure but for ours."""
    ours = secrets.token_hex(8)
    named, traced = (headers.get(name, b"").decode("latin-1") for name in (b"x-request-id", b"x-amzn-trace-id"))
    if _ID.fullmatch(named):
        return named
    return f"{ours};{traced}" if _ID.fullmatch(traced) else ours


def routable(raw: bytes) -> str | None:
    """A raw path decoded but for `%2F`, line breaks (no route's pattern spans lines) and `%25`, so that an encoded slash does
    not split a segment and every parameter can be decoded once more, exactly. None when it holds a NUL or is not UTF-8. Pure."""
    decoded = unquote_to_bytes(_KEPT.sub(rb"%25\1", raw))
    try:
        path = decoded.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in path else path.replace("%2f", "%2F")


def with_kind(path: str) -> str:
    """The path with `/models` before it where it is that of a model's file, which has no prefix of its own. Pure."""
    return f"/models{path}" if _MODEL_FILE.match(path) else path


def without_last_slash(path: str) -> str:
    """The path without a slash at its end, which no router of the Hub's minds. But where a file is named, there is none. Pure."""
    names_a_file = "/resolve/" in path or "/raw/" in path
    return path if names_a_file else path.rstrip("/") or "/"


def limit_of(path: str) -> int | None:
    """Bytes that a body for this path may have; None: the route counts for itself. Pure."""
    bounded = path.startswith(("/api/", "/internal/")) or path.endswith("/ask-access")
    if not bounded or _STREAMED.fullmatch(path):
        return None
    return TEXT_LIMIT if _WIDE.fullmatch(path) or path.startswith("/internal/") else JSON_LIMIT


class Envelope:
    """`page` makes a page of an error for people's browsers, as in `problems`."""

    def __init__(self, app: ASGIApp, page: Page | None = None) -> None:
        self._app = app
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        ADDRESS.set(address_of(Request(scope)))
        request_id = request_id_of(dict(scope["headers"]))
        scope.setdefault("state", {})["request_id"] = request_id
        started = False

        async def stamped(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
            await send(message)

        path = routable(scope.get("raw_path") or scope["path"].encode())
        if path is None or b"%00" in scope.get("query_string", b""):
            answer = problem(
                400, "BAD_REQUEST", "The address holds a NUL or bytes that are not UTF-8; encode it as UTF-8."
            )
            await answer(scope, receive, stamped)
            return
        scope["path"] = path = without_last_slash(with_kind(path))
        limit = limit_of(path)
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if limit is not None and length.isdigit() and int(length) > limit:
            error = too_large(limit, int(length))
            await problem(413, error.code, error.message)(scope, receive, stamped)  # the server throws the rest away
            return
        try:
            await self._app(scope, receive if limit is None else counted(receive, limit), stamped)
        except ClientDisconnect:
            log.debug("request %s: the client hung up", request_id)
        except Exception:
            log.exception("request %s failed: %s %s", request_id, scope["method"], scope["path"])
            if started:
                raise
            message = f"Podium made a mistake with this request; tell its admin the number {request_id}."
            answer = problem(500, "INTERNAL", message, requestId=request_id)
            with suppress(Exception):  # what made the mistake may be what pages are made of
                answer = shown(self._page, Request(scope), answer, "INTERNAL", message)
            await answer(scope, receive, stamped)


def counted(receive: Receive, limit: int) -> Receive:
    """`receive` that raises TooLarge once more than `limit` bytes of body came."""
    size = 0

    async def checked() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise too_large(limit, size)
        return message

    return checked


def too_large(limit: int, size: int) -> TooLarge:
    """`size`: what was announced, or what came until the limit was passed."""
    return TooLarge(
        "TOO_LARGE", f"The body has {size:,} bytes or more, at most {limit:,} are accepted here; send less."
    )
