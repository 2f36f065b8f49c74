"""Where people agree: to a Space that wants to know them (OAuth), and to a program that shows a code (RFC 8628). What follows
from it is told to programs by api/oauth.py.

Both pages stand in no frame, both forms prove that our own page sent them, and an answer goes to no other place than the
host of the Space that asked."""

from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from orchestrator.api.oauth_server import Asked, OAuth2Error, Server
from orchestrator.domain.caller import role_on
from orchestrator.domain.sign_in import Device
from orchestrator.domain.space import Role
from orchestrator.errors import Forbidden, Invalid, NotFound
from orchestrator.services.oauth import Client
from web.page import Console, go
from web.session import Visit

#: What a scope lets a Space do, in words for those who are asked.
SCOPES = {
    "openid": "know who you are on this Podium",
    "profile": "see your name and picture",
    "email": "see your e-mail address",
    "read-memberships": "see your organisations",
    "read-repos": "read your private Spaces, models and datasets",
    "gated-repos": "read gated repos that were opened to you",
    "write-repos": "change your Spaces, models and datasets",
    "manage-repos": "create, change and delete your Spaces, models and datasets",
    "write-discussions": "write in discussions and pull requests as you",
    "webhooks": "see and change your webhooks",
}
_LIMIT = 8000  #: characters of an authorization request


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    parts = console.parts

    def asks(query: str, visit: Visit) -> tuple[Server, Asked, Client, object]:
        """The request as the protocol sees it. Raises Invalid for one that nobody must be sent on from: who asks, or where
        the answer would go, is not certain; OAuth2Error for one that the Space is told about."""
        if len(query) > _LIMIT:
            raise Invalid("OAUTH_REQUEST", "This sign-in request is too long.")
        try:
            pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=50)
            odd = any(not (name + value).isascii() or not (name + value).isprintable() for name, value in pairs)
        except ValueError:
            odd = True
        if odd:
            raise Invalid("OAUTH_REQUEST", "This sign-in request holds characters that none has.")
        asked, server = Asked("GET", pairs), Server(parts.oauth, parts.devices)
        client = parts.oauth.client(str(asked.payload.client_id or "")[:100])
        if client is None or client.space is None:
            raise NotFound("OAUTH_CLIENT", "The app that sent you here is not known to this Podium, or no longer.")
        if visit.caller.user and role_on(visit.caller, client.space) < Role.READ:
            raise NotFound("OAUTH_CLIENT", "The app that sent you here is not known to this Podium, or no longer.")
        try:
            return server, asked, client, server.get_consent_grant(asked, visit.caller.user)
        except OAuth2Error as error:
            if not error.redirect_uri:
                raise Invalid("OAUTH_REQUEST", f"The app asked wrongly: {error.description or error.error}") from None
            raise
        except ValueError:
            raise Invalid("OAUTH_REQUEST", "The app asked wrongly: a value cannot be right.") from None

    def back(client: Client, location: str) -> Response:
        """To the app's own host, or a domain of its people's. Where this Podium has no TLS the app has none either, whatever
        scheme it wrote."""
        home = parts.oauth.home(client, location)
        if not home:
            raise Invalid("OAUTH_REQUEST", "The app asked wrongly: the answer would not go to it.")
        secure = "https://" + home.partition("://")[2]
        if location.startswith(secure) and not home.startswith("https://"):
            location = home + location.removeprefix(secure)
        answer = RedirectResponse(location, 302)
        answer.headers.update({"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
        return answer

    def refuse(client: Client, error: OAuth2Error) -> Response:
        return back(client, dict(error()[2])["Location"])

    def denied(asked: Asked, error: str, why: str) -> str:
        told = {"error": error, "error_description": why}
        state = {"state": asked.payload.state} if asked.payload.state else {}
        uri = asked.payload.redirect_uri
        return f"{uri}{'&' if '?' in uri else '?'}{urlencode(told | state | {'iss': parts.oauth.issuer})}"

    @router.get("/oauth/authorize")
    def authorize(request: Request, visit: Visit = Depends(console.visit)) -> Response:
        """Who asks for what, and the two answers."""
        try:
            _, asked, client, _ = asks(request.url.query, visit)
        except OAuth2Error as error:
            return refuse(_client(parts, request), error)
        if visit.caller.user is None:
            console.member(request)
        if asked.payload.data.get("prompt") == "none":
            return back(client, denied(asked, "consent_required", "The user must agree first"))
        home = parts.oauth.home(client, asked.payload.redirect_uri)
        values = {
            "space": client.space,
            "host": home,
            "scopes": [(one, SCOPES[one]) for one in asked.scope.split()],
            "admitted": parts.oauth.admits(client, visit.caller.user),
            "organisations": client.organisations,
            "hours": max(1, round(client.seconds / 3600)),
            "query": request.url.query,
        }
        # A browser also holds the redirect after a form to `form-action`.
        return console.show(request, visit, "consent.html", forms=f"'self' {console.apps} {home}", **values)

    @router.post("/oauth/authorize")
    def agree(
        request: Request, form: dict[str, str] = Depends(console.form), visit: Visit = Depends(console.member)
    ) -> Response:
        """The user's answer; a new look at everything that was asked, for the page could be old."""
        try:
            server, asked, client, grant = asks(form.get("query", ""), visit)
        except OAuth2Error:
            raise Invalid("OAUTH_REQUEST", "The app asked wrongly.") from None
        if form.get("answer") != "yes":
            return back(client, denied(asked, "access_denied", "The user refused"))
        if not parts.oauth.admits(client, visit.caller.user):
            raise Forbidden("OAUTH_ORGANISATION", "Only members of certain organisations may sign in to this Space.")
        made = server.create_authorization_response(asked, visit.caller.user, grant)
        location = made.headers["Location"]
        return back(client, f"{location}{'&' if '?' in location else '?'}{urlencode({'iss': parts.oauth.issuer})}")

    @router.get("/oauth/device")
    def device(
        request: Request, user_code: str = "", done: str = "", visit: Visit = Depends(console.member)
    ) -> Response:
        """The code of a waiting program: typed, or come with the link; then who asks."""
        found: Device | None = None
        error = ""
        if user_code:
            try:
                found = parts.devices.asked(visit.caller.user, user_code)
            except NotFound as problem:
                error = problem.message
        return console.show(
            request, visit, "device.html", status=404 if error else 200, device=found, error=error, ended=done
        )

    @router.post("/oauth/device/answer")
    def answer(form: dict[str, str] = Depends(console.form), visit: Visit = Depends(console.member)) -> Response:
        approved = form.get("answer") == "yes"
        parts.devices.decide(visit.caller.user, form.get("user_code", ""), approved)
        return go(f"/oauth/device?done={'device' if approved else 'devicedenied'}")

    return router


def _client(parts: object, request: Request) -> Client:
    client = parts.oauth.client(request.query_params.get("client_id", "")[:100])
    if client is None:
        raise NotFound("OAUTH_CLIENT", "The app that sent you here is not known to this Podium, or no longer.")
    return client
