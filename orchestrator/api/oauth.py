"""OAuth 2 and OpenID Connect for programs: tokens, devices, keys, claims. The pages on which people agree are web/oauth.py's.

No cookie counts here, so every origin may ask: the scripts of a static Space run on another host."""

import asyncio
from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from orchestrator.api.identity import BaseDep, PartsDep, SignedInDep, address_of, parts_of
from orchestrator.api.oauth_claims import discovery, public_keys, user_info
from orchestrator.api.oauth_server import Asked, Server
from orchestrator.errors import TooMany
from orchestrator.services.devices import EXPIRES_IN, INTERVAL
from orchestrator.services.oauth import COMMAND_LINE

router = APIRouter(tags=["sign-in"])
_FORM_LIMIT = 64 * 1024  #: bytes
_OPEN = {"Access-Control-Allow-Origin": "*"}
_SECRET = {**_OPEN, "Cache-Control": "no-store", "Pragma": "no-cache"}


def refused(status: int, error: str, why: str) -> Response:
    """An error as RFC 6749 writes it (section 5.2); the library puts its own the same way."""
    return JSONResponse({"error": error, "error_description": why}, status, _SECRET)


async def _asked(request: Request) -> Asked | Response:
    """The form as the protocol sees it, or what is wrong with it."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":  # as trusted publishers ask (huggingface_hub `_oidc.py`)
        why = "Tokens of other providers are not exchanged here; use an access token, or send a form for other grants"
        return refused(400, "unsupported_grant_type", why)
    if kind != "application/x-www-form-urlencoded":
        return refused(400, "invalid_request", "Send a form as application/x-www-form-urlencoded")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _FORM_LIMIT:
            return refused(413, "invalid_request", "The form is too large")
    try:
        pairs = parse_qsl(bytes(body).decode("ascii"), keep_blank_values=True, max_num_fields=50)
    except ValueError:
        return refused(400, "invalid_request", "The form cannot be read")
    if not all((name + value).isascii() and (name + value).isprintable() for name, value in pairs):
        return refused(400, "invalid_request", "The form holds characters that no parameter has")
    if len({name for name, _ in pairs}) < len(pairs):
        return refused(400, "invalid_request", "A parameter was sent twice")
    return Asked("POST", pairs, dict(request.headers))


def answer(made: object) -> Response:
    """What the protocol answers, as a response."""
    body = dict(made.body) if isinstance(made.body, dict | list) else {}
    return JSONResponse(
        body, made.status, {**_SECRET, **{k: v for k, v in made.headers.items() if k != "Content-Type"}}
    )


@router.post("/oauth/token")
async def token(request: Request) -> Response:
    """A code, an approved device or a refresh token becomes an access token."""
    return await _answered(request, lambda server, asked: server.create_token_response(asked))


@router.post("/oauth/revoke")
async def revoke(request: Request) -> Response:
    """A token, of whichever sort, ends with all that came of the same consent (RFC 7009). One that is not known is no error."""
    return await _answered(request, lambda server, asked: server.create_endpoint_response("revocation", asked))


async def _answered(request: Request, ask: Callable[[Server, Asked], object]) -> Response:
    asked = await _asked(request)
    if isinstance(asked, Response):
        return asked
    parts = parts_of(request)
    try:
        return answer(await asyncio.to_thread(ask, Server(parts.oauth, parts.devices), asked))
    except ValueError:  # the library will not put every character into the words of an error
        return refused(400, "invalid_request", "The form holds a value that cannot be right")


@router.post("/oauth/device")
async def device(request: Request, base: BaseDep) -> Response:
    """A program without a browser wants to sign its user in (RFC 8628, 3.1)."""
    asked = await _asked(request)
    if isinstance(asked, Response):
        return asked
    if asked.payload.client_id != COMMAND_LINE:
        return refused(400, "invalid_client", "Only the hf command line signs in this way")
    agent = request.headers.get("user-agent", "")
    try:
        begin = parts_of(request).devices.begin
        device_code, user_code = await asyncio.to_thread(begin, COMMAND_LINE, address_of(request), agent)
    except TooMany as error:
        return refused(429, "slow_down", error.message)
    page = f"{base}/oauth/device"
    told = {
        "device_code": device_code,
        "user_code": user_code,
        "verification_uri": page,
        "verification_uri_complete": f"{page}?user_code={user_code}",
        "expires_in": EXPIRES_IN,
        "interval": INTERVAL,
    }
    return JSONResponse(told, 200, _SECRET)


@router.get("/oauth/userinfo")
@router.post("/oauth/userinfo")
def userinfo(caller: SignedInDep, parts: PartsDep) -> Response:
    """Claims about the user whose token this is, as far as its scope goes."""
    told = caller.token
    if told is None or not told.client_id or "openid" not in told.scope.split():
        return refused(403, "insufficient_scope", "This needs a token that was given for the scope openid")
    orgs = parts.accounts.orgs_of(caller.user)
    return JSONResponse(user_info(caller.user, told.scope, parts.oauth.issuer, orgs), 200, _SECRET)


@router.get("/.well-known/openid-configuration")
@router.get("/.well-known/oauth-authorization-server")
def configuration(parts: PartsDep, base: BaseDep) -> Response:
    issuer = parts.oauth.issuer
    same = urlsplit(base).netloc == urlsplit(issuer).netloc  # a proxy with TLS may stand in front and not say so
    headers = {**_OPEN, "Cache-Control": "private, max-age=300", "Vary": "Host"}
    return JSONResponse(discovery(issuer, issuer if same else base), 200, headers)


@router.get("/oauth/jwks")
def keys(parts: PartsDep) -> Response:
    return JSONResponse(public_keys(parts.oauth), 200, {**_OPEN, "Cache-Control": "public, max-age=3600"})


@router.options("/oauth/token", include_in_schema=False)
@router.options("/oauth/revoke", include_in_schema=False)
@router.options("/oauth/userinfo", include_in_schema=False)
@router.options("/oauth/jwks", include_in_schema=False)
@router.options("/.well-known/openid-configuration", include_in_schema=False)
def preflight() -> Response:
    """Scripts of other origins may ask; the browser sends no cookie with it."""
    allowed = {
        "Access-Control-Allow-Methods": "GET, POST",
        "Access-Control-Allow-Headers": "authorization, content-type",
        "Access-Control-Max-Age": "3600",
    }
    return Response(status_code=204, headers={**_OPEN, **allowed})
