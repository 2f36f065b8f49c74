"""What every page shares: the services, the templates, the visitor, and the headers that keep strangers' content harmless."""

import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from orchestrator.api.identity import address_of
from orchestrator.api.sse import ANEW
from orchestrator.domain.caller import STRANGER, Caller, require_admin, role_on
from orchestrator.domain.records import AnyRepo, Space
from orchestrator.domain.space import Role
from orchestrator.errors import Unauthorized
from web.addresses import named
from web.assets import Assets
from web.markdown import comment, paragraph
from web.session import Cookies, Form, Visit, read_form
from web.shapes import FILTERS

if TYPE_CHECKING:
    from orchestrator.api.parts import Parts

#: what happened, in one sentence, by the word in `?done=`: a redirect carries the word only
DONE = {
    "created": "Your Space is there. Push something to it.",
    "made": "It is there. Put files into it.",
    "paused": "Paused. Nobody but you can start it again.",
    "restarted": "Restarting with a fresh copy of the files.",
    "rebuilding": "Building again from nothing.",
    "rolledback": "Going back to that build.",
    "sleep": "Sleep time saved.",
    "visibility": "Visibility saved.",
    "secret": "Secret saved. The app restarts with it.",
    "variable": "Variable saved. The app restarts with it.",
    "unset": "Removed. The app restarts without it.",
    "hardware": "Hardware saved.",
    "replicas": "Replicas saved. What runs goes on.",
    "asked": "Asked. An admin decides; the answer is shown here.",
    "withdrawn": "Taken back.",
    "approve": "Given. The Space moves now.",
    "refuse": "Refused. Whoever asked reads why.",
    "quota": "Quota saved.",
    "noquota": "Quota removed.",
    "committed": "Committed. What runs follows by itself.",
    "stored": "Committed.",
    "moved": "Moved. This is its page now.",
    "deleted": "The Space is gone.",
    "gone": "It is gone.",
    "letin": "You are in. Its files are yours to read.",
    "waiting": "Asked. Its people decide; the answer is shown here.",
    "gate": "Gate saved.",
    "decided": "Decided. Whoever asked sees it on the page.",
    "talk": "Saved.",
    "unshared": "That link lets nobody in any more.",
    "revoked": "The token works no more.",
    "notice": "Done. Everybody sees it now.",
    "collecting": "Collecting. Reload in a moment to see what was freed.",
    "measuring": "Measuring. Reload in a moment to see it.",
    "takendown": "Taken down. Its people read why.",
    "putback": "Put back. It may run again.",
    "adminpaused": "Paused. Its people can start it again.",
    "profile": "Profile saved.",
    "password": "Password changed. Every other browser is signed out.",
    "browser": "That browser is signed out.",
    "member": "Members changed.",
    "invited": "Invited. They are a member when they have accepted.",
    "joined": "You are a member now.",
    "declined": "Declined.",
    "read": "Marked as read.",
    "notified": "Saved. You are told of these.",
    "organisation": "The organisation is there.",
    "admin": "Saved.",
    "left": "You are no member of it any more.",
    "domain": "Asked for. Make the two records in DNS, then check.",
    "looked": "Looked at DNS. What was found is below.",
    "undomain": "Removed. The app is served there no more.",
    "embedding": "Saved. It counts from the next time the app is opened.",
    "frozen": "Frozen. What is pushed from now on waits.",
    "thawed": "Thawed. What waited is built now.",
    "same": "Nothing was changed, so nothing was committed.",
    "frontmatter": "Written to README.md as a commit.",
    "first": "Welcome. You run this Podium now.",
    "everywhere": "You are signed out everywhere else.",
    "signedout": "You are signed out.",
    "webhook": "Webhook saved.",
    "unhooked": "Deleted. That URL is told nothing more.",
    "resent": "It is sent again now. Reload to see how it went.",
    "linked": "Linked. You may sign in that way now.",
    "unlinked": "Unlinked. It signs you in no more.",
}


class Console:
    """Handed to each file of pages."""

    def __init__(self, parts: "Parts") -> None:
        self.parts = parts
        self.cookies = Cookies(parts.session_cookie)
        self.assets = Assets()
        self.apps = parts.app_url("*")  #: where apps live, as a CSP source
        self.templates = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.templates.filters.update(FILTERS, paragraph=paragraph, comment=lambda text: Markup(comment(text)))
        self.templates.globals.update(asset=self.assets.url, public_url=parts.public_url)

    # who

    def visit(self, request: Request) -> Visit:
        """The browser's session; one that has ended is a stranger's. Access tokens mean nothing here."""
        secret = self.cookies.session_of(request)
        caller = self.parts.accounts.by_session(secret) if secret else None
        key, new = self.cookies.key_of(request)
        return Visit(replace(caller or STRANGER, address=address_of(request)), secret, key, new)

    def visits(self, request: Request, visit: Visit) -> Callable[[], Visit]:
        """The same visitor for what goes on for long, looked at anew now and then: who signs out, or is put out of an
        organisation, sees no more of it."""
        looked = time.monotonic()

        def now() -> Visit:
            nonlocal visit, looked
            if time.monotonic() - looked > ANEW:
                visit, looked = self.visit(request), time.monotonic()
            return visit

        return now

    def member(self, request: Request) -> Visit:
        """As `visit`. Raises Unauthorized for a stranger: the error page sends them to sign in and back."""
        visit = self.visit(request)
        if visit.caller.user is None:
            raise Unauthorized("AUTH_REQUIRED", "Sign in first.")
        return visit

    def admin(self, request: Request) -> Visit:
        """As `member`. Raises Forbidden for who is no admin."""
        visit = self.member(request)
        require_admin(visit.caller)
        return visit

    async def form(self, request: Request) -> Form:
        return await read_form(request, self.cookies.key_of(request)[0])

    # what

    def space(self, visit: Visit, owner: str, name: str, needed: Role = Role.READ, code: bool = False) -> Space:
        return self.parts.spaces.find(visit.caller, owner, name, needed, code)

    def repo(
        self, visit: Visit, request: Request, needed: Role = Role.READ, *, code: bool = True, gate: bool = False
    ) -> AnyRepo:
        """The repo whose page is asked for, of any kind. `code`: its files rather than its app; `gate`: for those past its gate.
        Raises as `lookup.find`, and `check_gate`."""
        found = self.parts.hosted.find(visit.caller, *named(request), needed, code)
        if gate:
            self.parts.gates.check(visit.caller, found)
        return found

    def frame_url(self, caller: Caller, space: Space) -> str:
        """The app's own URL, with a ticket when it is private."""
        url = self.parts.app_url(space.label)
        if not space.private:
            return url
        host = url.partition("://")[2].partition(":")[0]
        return f"{url}/?__sign={self.parts.signing.ticket(space, host, caller.name)}"

    # how

    def show(
        self,
        request: Request,
        visit: Visit | None,
        template: str,
        *,
        status: int = 200,
        frames: str = "'none'",
        forms: str = "'self'",
        **values: Any,
    ) -> HTMLResponse:
        """A page. `frames`, `forms`: CSP sources of what it may frame and where its forms may lead."""
        visit = visit or Visit(STRANGER, "", *self.cookies.key_of(request))
        nonce = secrets.token_urlsafe(16)
        theme = request.cookies.get("podium-theme", "")
        shared = {
            "request": request,
            "me": visit.caller.user,
            "caller": visit.caller,
            "proof": visit.proof,
            "nonce": nonce,
            "theme": theme if theme in ("light", "dark") else "",
            "done": DONE.get(request.query_params.get("done", ""), ""),
            "path": request.url.path,
            "notice": self.parts.oversight.banner(),
            "unread": self.parts.notifications.unread(visit.caller),
            "version": self.parts.version,
        }
        html = self.templates.get_template(template).render(shared | values)
        response = HTMLResponse(html, status)
        response.headers.update(security_headers(nonce, frames, forms))
        if visit.new_key:
            self.cookies.remember_key(response, visit.key)
        return response

    def may_change(self, visit: Visit, repo: AnyRepo) -> bool:
        return role_on(visit.caller, repo) >= Role.WRITE

    def may_own(self, visit: Visit, repo: AnyRepo) -> bool:
        return role_on(visit.caller, repo) >= Role.ADMIN


def security_headers(nonce: str, frames: str, forms: str) -> dict[str, str]:
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self' https: data:; "
        f"connect-src 'self'; frame-src {frames}; form-action {forms}; base-uri 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "strict-origin-when-cross-origin",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "geolocation=(), payment=(), usb=()",
    }


def go(url: str) -> Response:
    """After a form: look at `url` with GET."""
    return RedirectResponse(url, 303)
