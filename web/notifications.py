"""What the visitor was told and is asked: the list of notifications, open invitations, and what they want to hear of. The number
at the top of every page is made with the page; nothing asks for it again."""

from fastapi import APIRouter, Depends, Request, Response

from orchestrator.api.params import cursor_of, time_cursor
from orchestrator.domain.invitation import MAY
from orchestrator.domain.notification import KINDS
from orchestrator.domain.repo import RepoKind
from orchestrator.errors import Invalid
from orchestrator.services.notifications import PAGE
from web.page import Console, go
from web.session import Form, Visit


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    inbox, invitations = console.parts.notifications, console.parts.invitations

    @router.get("/notifications")
    def notifications(
        request: Request, unread: str = "", before: str = "", visit: Visit = Depends(console.member)
    ) -> Response:
        """Newest first; `before` goes on after a page."""
        only = unread == "1"
        found = inbox.list(visit.caller, unread=only, after=time_cursor(before[:200]), limit=PAGE + 1)
        shown = found[:PAGE]
        values = {
            "owner": visit.caller.user,
            "orgs": console.parts.accounts.orgs_of(visit.caller.user),
            "found": shown,
            "only_unread": only,
            "older": cursor_of(shown[-1].at.hex(), shown[-1].id) if len(found) > PAGE else "",
            "newest": shown[0].at.hex() if shown else "",
            "invitations": invitations.mine(visit.caller),
            "may": MAY,
            "kinds": KINDS,
            "chosen": inbox.chosen(visit.caller),
        }
        return console.show(request, visit, "account/notifications.html", **values)

    @router.post("/notifications/open")
    def open_one(form: Form = Depends(console.form), visit: Visit = Depends(console.member)) -> Response:
        """To what it is about; it is read then."""
        return go(inbox.open(visit.caller, form.get("id", "")))

    @router.post("/notifications/read")
    def read(form: Form = Depends(console.form), visit: Visit = Depends(console.member)) -> Response:
        """One; or all that the page could show, and not what came meanwhile."""
        back = "/notifications?unread=1&done=read" if form.get("unread") else "/notifications?done=read"
        if form.get("id"):
            inbox.mark(visit.caller, [form["id"]])
        else:
            inbox.mark(visit.caller, None, until=_moment(form.get("until", "")))
        return go(back)

    @router.post("/notifications/choose")
    def choose(form: Form = Depends(console.form), visit: Visit = Depends(console.member)) -> Response:
        inbox.choose(visit.caller, [kind for kind in KINDS if form.get(kind) == "1"])
        return go("/notifications?done=notified#choose")

    @router.post("/notifications/answer")
    def answer(form: Form = Depends(console.form), visit: Visit = Depends(console.member)) -> Response:
        """To an invitation."""
        accept = form.get("answer") == "accept"
        offer = invitations.answer(visit.caller, form.get("id", ""), accept)
        if not accept:
            return go("/notifications?done=declined")
        prefix = RepoKind(offer.kind).prefix if offer.kind in list(RepoKind) else ""
        return go(f"/{prefix}{offer.name}?done=joined")

    return router


def _moment(text: str) -> float:
    try:
        return float.fromhex(text[:40])
    except (ValueError, OverflowError):
        raise Invalid("FORM", "This page is too old; reload it.") from None
