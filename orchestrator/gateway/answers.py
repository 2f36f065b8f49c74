"""What the gateway says in its own name: pages for people, JSON for programs. Owns wording and form, not the decision."""

import html
import json
import math
import re
import secrets
import time
from functools import cache
from http.client import responses
from pathlib import Path
from string import Template
from urllib.parse import quote

from orchestrator.gateway.request import COOKIE_LIMIT, Request

_PAGES = Path(__file__).parent / "pages"
_RETRY = 3  # seconds told to programs that find a Space asleep or starting

BUSY = (
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 10\r\nConnection: close\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 44\r\n\r\nToo many open connections from your address\n"
)

_STAGES = {
    "SLEEPING": "Waking up",
    "BUILDING": "Building",
    "APP_STARTING": "Starting",
    "PAUSED": "Paused by its owner",
    "NO_APP_FILE": "There is no app yet",
    "CONFIG_ERROR": "The configuration has an error",
    "BUILD_ERROR": "The build failed",
    "RUNTIME_ERROR": "The app failed to start",
    "DELETING": "Being deleted",
}


_PLAIN = ("Content-Type: text/plain; charset=utf-8", "Cache-Control: no-store", "X-Content-Type-Options: nosniff")
_UNSAFE = re.compile(r"[^\x20-\x7e]+")
#: Stable words for programs, by status, where the answer has none of its own.
_CODES = {
    400: "BAD_REQUEST", 405: "METHOD_NOT_ALLOWED", 408: "REQUEST_TIMEOUT", 413: "TOO_LARGE", 414: "URL_TOO_LONG",
    417: "EXPECTATION", 421: "UNKNOWN_HOST", 429: "TOO_MANY_REQUESTS", 431: "HEADERS_TOO_LARGE", 500: "INTERNAL",
    502: "APP_FAILED", 503: "UNAVAILABLE", 504: "APP_TIMEOUT",
}  # fmt: skip


@cache
def _template(name: str) -> Template:
    return Template((_PAGES / name).read_text(encoding="utf-8"))


def page(gate: object, name: str, ancestors: str = "", **values: object) -> tuple[bytes, list[str]]:
    """(body, headers) of a page. Every value is escaped; the page may load nothing and run nothing but its own lines.
    `ancestors`: CSP sources of who may frame it; "": the console alone."""
    nonce = secrets.token_urlsafe(16)
    safe = {key: html.escape(str(value)) for key, value in values.items()}
    inner = _template(f"{name}.html").substitute(safe, nonce=nonce)
    body = _template("frame.html").substitute(title=safe["title"], inner=inner, nonce=nonce)
    ancestors = ancestors or f"{gate.config.public_url} 'self'"
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; img-src data:; "
        f"base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}"
    )
    fields = [
        "Content-Type: text/html; charset=utf-8", f"Content-Security-Policy: {policy}", "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff", "Referrer-Policy: no-referrer",
    ]  # fmt: skip
    return body.encode(), fields


def reply(gate: object, request: Request, status: int, body: bytes, fields: list[str]) -> None:
    """Write a whole answer and go on with the connection."""
    client = request.client
    if client.request is not request:
        return
    if not request.complete or request.upgrade or gate.draining:
        request.keep_alive = False
    connection = "" if request.keep_alive and request.version == "1.1" else (
        "Connection: keep-alive\r\n" if request.keep_alive else "Connection: close\r\n"
    )  # fmt: skip
    head = (
        f"HTTP/1.1 {status} {responses.get(status, '')}\r\n{''.join(field + chr(13) + chr(10) for field in fields)}"
        f"Content-Length: {len(body)}\r\n{connection}\r\n"
    ).encode("latin-1")
    request.status, request.begun = status, True
    if request.method == b"HEAD":
        body = b""
    request.sent = len(body)
    client.write(head + body)
    client.finished(request)


def problem(gate: object, request: Request, status: int, values: dict, fields: tuple[str, ...] = ()) -> None:
    """A JSON answer for a program."""
    body = json.dumps(values).encode()
    own = ["Content-Type: application/json", "Cache-Control: no-store", "X-Content-Type-Options: nosniff"]
    reply(gate, request, status, body, own + list(fields))


def notice(
    gate: object,
    request: Request,
    status: int,
    title: str,
    text: str,
    fields: tuple[str, ...] = (),
    detail: str = "",
    code: str = "",
    **more: object,
) -> None:
    """One sentence with a stable `code`, as a page, plain text or JSON, whichever the sender reads."""
    code = code or _CODES.get(status, "REFUSED")
    said = f"{title}: {text}" if text else title
    fields = (*fields, f"X-Error-Code: {code}", f"X-Error-Message: {_UNSAFE.sub(' ', said)[:500].strip()}")
    if request.wants_page:
        ancestors = request.route.ancestors if request.route is not None else ""
        body, own = page(gate, "notice", ancestors, title=title, text=text, detail=detail)
        reply(gate, request, status, body, own + list(fields))
    elif request.from_git:
        reply(gate, request, status, f"{said}\n".encode(), [*_PLAIN, *fields])
    else:
        problem(gate, request, status, {"error": said, "code": code, **more}, fields)


def refuse(gate: object, request: Request, status: int, message: str) -> None:
    """The request itself is wrong."""
    notice(gate, request, status, responses.get(status, "Refused"), message)


def misdirected(gate: object, request: Request) -> None:
    notice(
        gate, request, 421, "Nobody here has this name",
        f"Podium answers to {gate.hosts.known}. Check the address, or the settings public_url and apps_domain.",
    )  # fmt: skip


def missing(gate: object, request: Request) -> None:
    """A Space that does not exist and one that this visitor may not see: byte for byte the same."""
    if request.wants_page:
        here = f"{request.scheme.decode()}://{request.host.decode('latin-1')}/"
        link = f"{gate.config.public_url}/open?to={quote(here, safe='')}"
        body, fields = page(gate, "missing", title="404: nothing to see here", link=link)
        reply(gate, request, 404, body, [*fields, "X-Error-Code: RepoNotFound"])
    else:
        problem(gate, request, 404, {"error": "Repository not found"}, ("X-Error-Code: RepoNotFound",))


def nothing(gate: object, request: Request) -> None:
    problem(gate, request, 404, {"error": "There is nothing at this address.", "code": "NOT_FOUND"})


def unknowing(gate: object, request: Request) -> None:
    notice(
        gate, request, 503, "Podium is starting", "The list of Spaces is not loaded yet; try again in a moment.",
        ("Retry-After: 2",),
    )  # fmt: skip


def console_away(gate: object, request: Request) -> None:
    notice(
        gate, request, 503, "The control plane is restarting", "Running Spaces are not affected; try again in a moment.",
        ("Retry-After: 2",),
    )  # fmt: skip


def stage_title(stage: str) -> str:
    return _STAGES.get(stage, stage.replace("_", " ").capitalize() or "Starting")


def closed(gate: object, request: Request) -> None:
    """Nothing will come by itself: say why."""
    route = request.route
    status = 404 if route.stage == "DELETING" else 503
    notice(
        gate, request, status, stage_title(route.stage), route.reason, detail=route.title or route.id,
        code=f"SPACE_{route.stage}", stage=route.stage,
    )  # fmt: skip


def not_now(gate: object, request: Request, retry: int = _RETRY) -> None:
    """The Space sleeps or starts, and this request cannot wait for it."""
    route = request.route
    notice(
        gate, request, 503, stage_title(route.stage), route.reason or "The Space is not running at the moment.",
        (f"Retry-After: {retry}",), detail=route.title or route.id, code=f"SPACE_{route.stage}", stage=route.stage,
    )  # fmt: skip


def waiting(gate: object, request: Request) -> None:
    """What is going on, live, until the app is there."""
    route = request.route
    body, fields = page(
        gate, "waiting", route.ancestors, title=route.title or route.id, stage=stage_title(route.stage), reason=route.reason,
        elapsed=elapsed(route.since),
    )  # fmt: skip
    reply(gate, request, 503, body, [*fields, f"Retry-After: {_RETRY}"])


def elapsed(since: float | None) -> int:
    return max(0, int(time.time() - since)) if since else 0


def failed(gate: object, request: Request, status: int, reason: str) -> None:
    """The upstream did not do its part."""
    route = request.route
    if route is None:
        notice(
            gate, request, status, "The control plane failed", f"Trying to serve this, {reason}.", code="UNAVAILABLE"
        )
    else:
        name = route.title or route.id
        notice(gate, request, status, f"The app {name} failed", f"Trying to serve this, {reason}.", stage=route.stage)


def busy(gate: object, request: Request) -> None:
    notice(
        gate, request, 503, "This Space is busy", "Too many requests at the same time; try again.", ("Retry-After: 5",),
        code="SPACE_BUSY",
    )  # fmt: skip


def too_fast(gate: object, request: Request, wait: float, rate: float, burst: float) -> None:
    seconds = max(1, math.ceil(wait))
    fields = (
        f"Retry-After: {seconds}", f'RateLimit: "space";r=0;t={seconds}',
        f'RateLimit-Policy: "space";q={burst:g};w={burst / rate:g}',
    )  # fmt: skip
    notice(
        gate, request, 429, "Too many requests", f"One address may send {rate:g} requests a second to a Space.", fields
    )


def cookies_too_large(gate: object, request: Request) -> None:
    notice(
        gate, request, 431, "Too many cookies",
        f"Your browser sent more than {COOKIE_LIMIT // 1024} KB of cookies for this site, so it was asked to delete them; "
        "reload this page.",
        ('Clear-Site-Data: "cookies"',),
    )  # fmt: skip
