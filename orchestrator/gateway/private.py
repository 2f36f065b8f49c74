"""The way in to a private Space. Owns the order in which a visitor's proofs count and the question to the control plane; whether
a proof is good is `access`'s to say, what follows from it `dispatch`'s."""

import json
import re

from orchestrator.errors import Unavailable
from orchestrator.gateway import access
from orchestrator.gateway.request import Request
from orchestrator.gateway.routes import Route

_TOKEN_LIMIT = 512
_NAMES = re.compile(rb"[\w!#$%&'*+.^`|~, -]{1,1000}").fullmatch
#: Stands for a Space that is not there, for which the same is done: an answer that came sooner would tell it from a hidden one.
NOWHERE = Route({"label": "nowhere", "space": "nowhere", "state": "closed", "private": True}, "")


def allowed(gate: object, request: Request, route: Route) -> bool | None:
    """May this visitor see a private Space? None: ask the control plane about its token."""
    if (
        gate.hosts.door(request.host) != request.door
    ):  # at a domain of its people's own, whose cookies are not safe with us
        return False
    gate.access.load(gate.table.keys)
    name = _host(gate, route)
    noted = request.noted
    origin = b"%b://%b" % (request.scheme, request.host)
    sign = access.split_sign(request.target)[1]
    if sign is not None:
        claims = gate.access.sign_claims(sign, route, (name, request.host.decode("latin-1").lower()))
        if claims is not None:
            request.signed = claims
            return True
    if gate.access.cookie_allows(noted.get(b"cookie"), route, name) and access.same_origin(
        noted, request.method, request.upgrade, origin
    ):
        request.signed = {} if sign is not None else None
        return True
    token = _token(request)
    if not token.startswith("hf_") or len(token) > _TOKEN_LIMIT:
        return False
    if request.allowed is not None:
        return request.allowed
    return gate.access.token_allows(token, route)


async def ask(gate: object, request: Request, route: Route) -> bool:
    """What the control plane says of the token, or said lately while it is away."""
    token = _token(request)
    try:
        status, body = await gate.control.call("POST", "/internal/authorize", {"token": token, "space": route.space})
        verdict = bool(json.loads(body)["allowed"]) if status == 200 else None
    except (Unavailable, ValueError, KeyError, TypeError):
        verdict = None
    return gate.access.token_answer(token, route, verdict)


def exchange(gate: object, request: Request, route: Route) -> list[str]:
    """The header of the redirect in which the signed link becomes a cookie, and the address bar loses the signature."""
    target = access.split_sign(request.target)[0].decode("latin-1")
    fields = [
        f"Location: {request.scheme.decode()}://{request.host.decode('latin-1')}{target}",
        "Referrer-Policy: no-referrer", "Cache-Control: no-store",
    ]  # fmt: skip
    if request.signed:
        gate.access.spend(request.signed)
        until = request.signed.get("until")
        fields.append(f"Set-Cookie: {gate.access.cookie(route, _host(gate, route), until)}")
    return fields


def preflight(request: Request) -> list[str]:
    """The header that lets a page of any site send its request, if a browser asks first whether it may show a token here (a CORS
    preflight); else empty. A browser asks without the token, so a private Space must answer like one that is not there. Cookies
    stay away, because nothing here allows credentials, and whether the page may read the answer is said with the answer."""
    noted = request.noted
    method, names = (noted.get(b"access-control-request-" + what, b"") for what in (b"method", b"headers"))
    shown = {name.strip().lower() for name in names.split(b",")} & {b"authorization", b"x-hf-authorization"}
    if request.method != b"OPTIONS" or b"origin" not in noted or not shown or not (_NAMES(method) and _NAMES(names)):
        return []
    return [
        "Access-Control-Allow-Origin: *", f"Access-Control-Allow-Methods: {method.decode()}",
        f"Access-Control-Allow-Headers: {names.decode()}", "Access-Control-Max-Age: 600", "Vary: Origin",
    ]  # fmt: skip


def _host(gate: object, route: Route) -> str:
    return f"{route.label.decode()}.{gate.hosts.apps_domain}"


def _token(request: Request) -> str:
    noted = request.noted
    return access.bearer(noted.get(b"x-hf-authorization")) or access.bearer(noted.get(b"authorization")) or ""
