"""Signing in with the operator's OpenID Connect provider: the way there, the way back, and the links on the account page. Who
comes back is decided in `services/identities.py`.

The button is a link and not a form: a browser holds every redirect after a form to `form-action`, and nobody knows to how many
hosts a provider sends people on its way."""

import logging
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from orchestrator.api.problems import status_of
from orchestrator.errors import CallerError
from orchestrator.ports_provider import ProviderAway
from orchestrator.services.identities import FAREWELL_SECONDS, JOURNEY_SECONDS
from web.page import Console, go
from web.session import Form, Visit, safe_next

log = logging.getLogger(__name__)
_BACK = "/settings?done={}#identities"
_QUIET = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
_LIMIT = 16_000  #: characters of what a provider sends back


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    parts, identities, cookies = console.parts, console.parts.identities, console.cookies

    def failed(request: Request, visit: Visit, error: CallerError | ProviderAway) -> Response:
        """Why nobody was signed in, as a page, for the provider's own page is no place to go back to."""
        code, status = ("PROVIDER_AWAY", 503) if isinstance(error, ProviderAway) else (error.code, status_of(error))
        log.info("sign-in with %s ended as %s", identities.name, code)
        again = "/settings#identities" if visit.caller.user else "/login"
        values = {"code": code, "message": str(error), "again": again, "provider": identities.name}
        response = console.show(request, visit, "provider_failed.html", status=status, **values)
        cookies.keep_journey(response, "", 0)
        return response

    @router.get("/login/provider")
    def leave(request: Request, next: str = "/", visit: Visit = Depends(console.visit)) -> Response:
        """To the provider, to sign in."""
        try:
            url, kept = identities.begin(safe_next(next))
        except (CallerError, ProviderAway) as error:
            return failed(request, visit, error)
        response = RedirectResponse(url, 303, _QUIET)
        cookies.keep_journey(response, kept, int(JOURNEY_SECONDS))
        return response

    @router.get("/login/provider/callback")
    def arrive(request: Request, visit: Visit = Depends(console.visit)) -> Response:
        """From the provider, with a session or with the reason why not. What the browser kept is good once. Who signed out
        there comes back here, too, and with nothing: a provider need know one address only."""
        if not request.url.query and not cookies.journey_of(request):
            return go("/" if visit.caller.user else "/?done=signedout")
        agent = request.headers.get("user-agent", "")
        try:
            arrival = identities.finish(cookies.journey_of(request), told(request.url.query), visit.caller, agent)
        except (CallerError, ProviderAway) as error:
            return failed(request, visit, error)
        response = go(arrival.after)
        response.headers.update(_QUIET)
        cookies.keep_journey(response, "", 0)
        if arrival.session:
            if visit.session:
                parts.accounts.sign_out(visit.session)
            cookies.sign_in(response, arrival.session)
            cookies.keep_farewell(response, arrival.farewell, int(FAREWELL_SECONDS))
        return response

    @router.post("/settings/provider/link")
    def link(request: Request, form: Form = Depends(console.form), visit: Visit = Depends(console.member)) -> Response:
        """To the provider, to link who one is there. Only a form of ours begins it: a link elsewhere must not."""
        try:
            url, kept = identities.begin(_BACK.format("linked"), visit.caller.user)
        except (CallerError, ProviderAway) as error:
            return failed(request, visit, error)
        response = console.show(request, visit, "provider_go.html", url=url, provider=identities.name)
        response.headers.update(_QUIET)
        cookies.keep_journey(response, kept, int(JOURNEY_SECONDS))
        return response

    @router.post("/settings/provider/unlink")
    def unlink(form: Form = Depends(console.form), visit: Visit = Depends(console.member)) -> Response:
        identities.unlink(visit.caller, form.get("id", "")[:24])
        return go(_BACK.format("unlinked"))

    return router


def told(query: str) -> dict[str, str]:
    """The parameters of a query, {} when one of them stands in it twice: then nobody knows which is meant. Pure."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=50) if len(query) <= _LIMIT else []
    except ValueError:
        pairs = []
    found = dict(pairs)
    return found if len(found) == len(pairs) else {}
