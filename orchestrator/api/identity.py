"""Who sent this request, from where, and under which name did they reach us? Dependencies for routes; the pages use them too."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request

from orchestrator.api.parts import Parts
from orchestrator.domain.caller import Caller
from orchestrator.errors import Forbidden, Invalid, Unauthorized

_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_AUTHORIZATION_LIMIT = 4096


def parts_of(request: Request) -> Parts:
    return request.app.state.parts


def base_url(request: Request) -> str:
    """`scheme://host[:port]` as the client typed it, for URLs that it will parse: it accepts no other hostname than its
    own endpoint's (huggingface_hub RepoUrl). Our gateway overwrites X-Forwarded-*; anything odd: the configured URL."""
    public = urlsplit(parts_of(request).public_url)
    host = request.headers.get("x-forwarded-host") or request.headers.get("host", "")
    scheme = request.headers.get("x-forwarded-proto", "")
    if not _HOST.fullmatch(host):
        return f"{public.scheme}://{public.netloc}"
    return f"{scheme if scheme in ('http', 'https') else public.scheme}://{host}"


def address_of(request: Request) -> str:
    """Address of the client: what our gateway says, it overwrites the header."""
    told = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return told[:45] or (request.client.host if request.client else "")


def require_same_origin(request: Request) -> None:
    """A cookie may speak for an unsafe request only when one of our own pages sent it. Raises Forbidden `CROSS_ORIGIN`."""
    if request.headers.get("sec-fetch-site") == "same-origin":
        return
    if request.headers.get("origin") in (base_url(request), parts_of(request).public_url):
        return
    raise Forbidden(
        "CROSS_ORIGIN", "This request did not come from a page of this Podium; use an access token instead."
    )


def caller_of(request: Request) -> Caller:
    """The caller, by Authorization or else by session cookie. Raises Unauthorized for a credential that does not hold."""
    parts = parts_of(request)
    given = request.headers.getlist("authorization")
    if len(given) > 1 or any(len(value) > _AUTHORIZATION_LIMIT for value in given):
        raise Invalid("AUTH_HEADER", f"send one Authorization header of at most {_AUTHORIZATION_LIMIT} bytes")
    session = None if given else request.cookies.get(parts.session_cookie)
    caller = parts.accounts.caller(given[0] if given else None, session, address_of(request))
    if caller.via == "session" and request.method not in _SAFE_METHODS:
        require_same_origin(request)
    return caller


async def _signed_in(caller: Annotated[Caller, Depends(caller_of)]) -> Caller:
    """A caller who is somebody. Raises Unauthorized."""
    if caller.user is None:
        raise Unauthorized("AUTH_REQUIRED", "Sign in first: this needs an access token.")
    return caller


async def _parts(request: Request) -> Parts:
    return parts_of(request)


async def _base(request: Request) -> str:
    return base_url(request)


# What only looks at the request is asked on the loop: a hop to a thread and back would cost more than the look.
PartsDep = Annotated[Parts, Depends(_parts)]
BaseDep = Annotated[str, Depends(_base)]
CallerDep = Annotated[Caller, Depends(caller_of)]
SignedInDep = Annotated[Caller, Depends(_signed_in)]
