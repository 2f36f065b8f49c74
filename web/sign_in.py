"""Signing in, by password, access token or one-time link; signing out; and the way from the console into a private app."""

from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request, Response

from orchestrator.api.identity import address_of
from orchestrator.errors import CallerError, NotFound, TooMany, Unauthorized
from web.page import Console, go
from web.session import Visit, safe_next


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    accounts, identities = console.parts.accounts, console.parts.identities

    def page(request: Request, visit: Visit, *, status: int = 200, **values: object) -> Response:
        shown = {"next": "/", "code": "", "error": "", "name": "", "first": accounts.is_empty()} | values
        shown |= {"provider": identities.name, "passwords": identities.rules.passwords}
        # A browser also holds the redirects after a form to `form-action`: the way to a private app must be in it.
        return console.show(request, visit, "sign_in.html", status=status, forms=f"'self' {console.apps}", **shown)

    @router.get("/login")
    def login(request: Request, next: str = "/", code: str = "", visit: Visit = Depends(console.visit)) -> Response:
        if visit.caller.user and not code:
            return go(safe_next(next))
        return page(request, visit, next=safe_next(next), code=code[:200])

    @router.post("/login")
    def enter(
        request: Request, form: dict[str, str] = Depends(console.form), visit: Visit = Depends(console.visit)
    ) -> Response:
        address, agent = address_of(request), request.headers.get("user-agent", "")
        after, name = safe_next(form.get("next")), form.get("name", "").strip()[:200]
        try:
            if form.get("code"):
                secret = accounts.follow_link(form["code"], address, agent)
            elif not identities.rules.passwords:
                raise Unauthorized("PASSWORD_OFF", f"Here you sign in with {identities.name}, not with a password.")
            else:
                secret = accounts.sign_in(name, form.get("password", "").strip()[:4096], address, agent)
        except (Unauthorized, TooMany) as error:
            status = 429 if isinstance(error, TooMany) else 401
            return page(request, visit, status=status, next=after, error=error.message, name=name)
        if visit.session:
            accounts.sign_out(visit.session)
        response = go(after)
        console.cookies.sign_in(response, secret)
        return response

    @router.post("/logout")
    def leave(
        request: Request, form: dict[str, str] = Depends(console.form), visit: Visit = Depends(console.visit)
    ) -> Response:
        """Out of here; and who came from the provider is shown the way out of there. A link, as in provider.py: a browser holds
        what follows a form to `form-action`."""
        if visit.session:
            accounts.sign_out(visit.session)
        url = identities.parting(console.cookies.farewell_of(request), visit.session)
        if url:
            response = console.show(request, None, "provider_leave.html", url=url, provider=identities.name)
            response.headers["Referrer-Policy"] = "no-referrer"
        else:
            response = go("/?done=signedout")
        console.cookies.sign_out(response)
        return response

    @router.get("/open")
    def open_app(request: Request, to: str = "", visit: Visit = Depends(console.visit)) -> Response:
        """Into an app from outside: those who may see the Space are sent on, with a ticket when it is private."""
        label = app_label(console, to)
        if label is None:
            raise NotFound("APP_ADDRESS", "This link does not lead to an app of this Podium.")
        try:
            space = console.parts.spaces.by_label(visit.caller, label)
        except CallerError:
            if visit.caller.user is None:
                raise Unauthorized("AUTH_REQUIRED", "Sign in first.") from None
            raise
        if not space.private:
            return go(to)
        ticket = console.parts.signing.ticket(space, urlsplit(to).hostname or "", visit.caller.name)
        target, _, fragment = to.partition("#")
        sign = f"{'&' if '?' in target else '?'}__sign={ticket}"
        response = go(target + sign + (f"#{fragment}" if fragment else ""))
        response.headers["Cache-Control"] = "no-store"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    return router


def app_label(console: Console, url: str) -> str | None:
    """The host label in an app's URL if it is exactly of the form that we give out; None for everything else."""
    if len(url) > 4000 or not url.isascii() or not url.isprintable() or "\\" in url or " " in url:
        return None
    try:
        parts = urlsplit(url)
        label = (parts.hostname or "").partition(".")[0]
    except ValueError:
        return None
    home = console.parts.app_url(label)
    rest = url[len(home) :]
    return label if label and url.startswith(home) and (not rest or rest[0] in "/?#") else None
