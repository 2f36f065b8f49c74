"""Errors as HTTP answers: the only place that picks statuses. The body is the Hub's `{"error": …}` with our `code`; the headers
are those that `huggingface_hub` reads (utils/_http.py: X-Error-Code, X-Error-Message)."""

import logging
import math
import re
from collections.abc import Callable
from functools import partial
from urllib.parse import unquote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Match

from orchestrator import errors
from orchestrator.api.identity import parts_of

log = logging.getLogger(__name__)

#: Makes a page of an error, for people; None: answer with JSON.
Page = Callable[[Request, int, str, str], Response | None]

_STATUS = (
    (errors.Unauthorized, 401),
    (errors.Forbidden, 403),
    (errors.NotFound, 404),
    (errors.Conflict, 409),
    (errors.Stale, 412),
    (errors.TooLarge, 413),
    (errors.Unfit, 422),
    (errors.Invalid, 400),
    (errors.TooMany, 429),
    (errors.Moved, 307),
)
_CODES = {400: "BAD_REQUEST", 404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "TOO_LARGE"}
_UNSAFE = re.compile(r"[^\x20-\x7e\xa0-\xff]+")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
#: Paths that clients ask, and no browser for a page.
_FOR_PROGRAMS = re.compile(r"/api/|/[^/]+/[^/]+/[^/]+/(resolve|raw)/")
_BEARER = 'Bearer realm="podium"'
RETRY_AFTER = 2  #: seconds, when something of ours is down


def status_of(error: errors.CallerError) -> int:
    return next(status for kind, status in _STATUS if isinstance(error, kind))


def header_text(message: str) -> str:
    """A message as a header value: one line, latin-1, at most 500 characters. Pure."""
    return _UNSAFE.sub(" ", message)[:500].strip()


def problem(status: int, code: str, message: str, headers: dict[str, str] | None = None, **extra: object) -> Response:
    """The answer for one error. `extra` are more members of the body. Clients put the full stop after the message."""
    message = message.removesuffix(".")
    told = {"X-Error-Code": code, "X-Error-Message": header_text(message), "Cache-Control": "no-store"}
    return JSONResponse({"error": message, "code": code, **extra}, status, {**told, **(headers or {})})


def of_caller(error: errors.CallerError, stranger: bool = False) -> Response:
    """`stranger`: nobody said who is asking. The Hub answers 401 then where a repo is private or is none; clients tell its two
    meanings apart by the code."""
    headers, status = {}, status_of(error)
    if stranger and error.code == "RepoNotFound":
        headers, status = {"WWW-Authenticate": _BEARER}, 401
    if isinstance(error, errors.TooMany):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if isinstance(error, errors.Unauthorized):
        headers["WWW-Authenticate"] = _BEARER
    if "commit" in error.extra:  # tells the client which commit has no such file, so that it may remember the miss
        headers["X-Repo-Commit"] = str(error.extra["commit"])
    return problem(status, error.code, error.message, headers, **error.extra)


def moved_to(request: Request, error: errors.Moved) -> str:
    """The request's address, relative, with the new name in the place of the old one; everything else as it was sent. It is the
    same when the old name stood in the body."""
    raw, query = _address(request)
    parts, old, new = raw.split("/"), error.old.lower().split("/"), error.new.split("/")
    for at in range(len(parts) - 1):
        owner, name = (unquote(part).lower() for part in parts[at : at + 2])
        if [owner, name.removesuffix(".git")] == old:
            parts[at : at + 2] = [new[0], new[1] + (".git" if name.endswith(".git") else "")]
            break
    return "/".join(parts) + query


def _address(request: Request) -> tuple[str, str]:
    """Path and query as they were sent."""
    raw = request.scope.get("raw_path") or request.scope["path"].encode()
    query = request.scope.get("query_string", b"").decode("latin-1")
    return raw.decode("latin-1"), f"?{query}" if query else ""


def of_validation(error: RequestValidationError) -> Response:
    """400 as on the Hub, with every place and what is wrong there; values are not echoed, they may be secrets."""
    details = [{"loc": [_word(part) for part in e["loc"]], "msg": _advice(e)} for e in error.errors()][:50]
    first = details[0] if details else {"loc": [], "msg": "the request cannot be read"}
    where = ".".join(str(part) for part in first["loc"] if part != "body") or "body"
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return problem(400, "INVALID", f"{where}: {first['msg']}{more}", details=details)


def _word(part: object) -> object:
    return part if isinstance(part, int) else header_text(str(part))[:80]


def _advice(error: dict) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such field; leave it out"
    return str(error["msg"]).removeprefix("Value error, ")


def of_http(request: Request, error: HTTPException) -> Response:
    """What the framework itself refuses: no such path, method not allowed, a body that cannot be parsed."""
    if isinstance(error.__cause__, errors.CallerError):
        return of_caller(error.__cause__)
    headers = dict(error.headers or {})
    message = str(error.detail)
    if error.status_code == 404:
        message = "There is nothing at this address."
    if error.status_code == 405:
        headers["Allow"] = ", ".join(allowed_methods(request))
        message = f"{request.method} is not allowed here; use {headers['Allow']}."
    return problem(error.status_code, _CODES.get(error.status_code, "HTTP"), message, headers)


def allowed_methods(request: Request) -> list[str]:
    """Every method that some route has for this path, not only those of the first one; HEAD goes with GET (`head.py`)."""
    routes = request.app.routes

    def has(method: str) -> bool:
        scope = {**request.scope, "method": method}
        return any(route.matches(scope)[0] is Match.FULL for route in routes)

    return [method for method in _METHODS if has(method) or (method == "HEAD" and has("GET"))]


def shown(page: Page | None, request: Request, answer: Response, code: str, message: str) -> Response:
    """The answer as a page where a browser asks outside of /api and `page` makes one."""
    made = page(request, answer.status_code, code, message) if page and _wants_page(request) else None
    return made or answer


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")


def _is_stranger(request: Request) -> bool:
    """A program asks, for the API or a file, and no credential came with it. Clients keep cookies for as long as they run, also
    those that name nobody, such as the one for forms, once they have looked at a page."""
    named = any(name in request.headers for name in ("authorization", "x-hf-authorization"))
    named = named or parts_of(request).session_cookie in request.cookies
    return not named and not _wants_page(request) and bool(_FOR_PROGRAMS.match(request.url.path))


def install(app: FastAPI, page: Page | None = None) -> None:
    """Register the handlers. `page` is asked first for people's browsers outside of /api."""
    told = partial(shown, page)

    async def caller_error(request: Request, error: errors.CallerError) -> Response:
        if isinstance(error, errors.Moved):
            there = moved_to(request, error)
            if there != "".join(_address(request)):
                answer = of_caller(error)
                answer.headers["Location"] = there
                return answer
            error = errors.NotFound("RepoNotFound", error.message)  # a body names it: going there again would not end
        return told(request, of_caller(error, _is_stranger(request)), error.code, error.message)

    async def unavailable(request: Request, error: errors.Unavailable) -> Response:
        log.warning("%s %s: %s", request.method, request.url.path, error)
        message = "Podium cannot answer right now; nothing was changed, try again in a moment."
        answer = problem(503, "UNAVAILABLE", message, {"Retry-After": str(RETRY_AFTER)})
        return told(request, answer, "UNAVAILABLE", message)

    async def invalid(request: Request, error: RequestValidationError) -> Response:
        answer = of_validation(error)
        return told(request, answer, "INVALID", answer.headers["X-Error-Message"])

    async def http(request: Request, error: HTTPException) -> Response:
        answer = of_http(request, error)
        return told(request, answer, answer.headers["X-Error-Code"], answer.headers["X-Error-Message"])

    app.add_exception_handler(errors.CallerError, caller_error)
    app.add_exception_handler(errors.Unavailable, unavailable)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
