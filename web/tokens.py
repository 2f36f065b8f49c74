"""Access tokens of the one who is signed in: make, see once, revoke."""

import time

from fastapi import APIRouter, Depends, Request, Response

from orchestrator.domain.grants import DISCUSS, GATED, WEBHOOKS_READ, WEBHOOKS_WRITE, Grants
from orchestrator.errors import CallerError, Invalid
from web.page import Console, go
from web.session import Visit

#: What counts everywhere, by the name of its box in the form.
BOXES = {
    "discussions": ("write in discussions", (DISCUSS,)),
    "gated": ("read gated repos", (GATED,)),
    "webhooks": ("see and change webhooks", (WEBHOOKS_READ, WEBHOOKS_WRITE)),
}
SPANS = {"": "never", "7": "in a week", "30": "in 30 days", "90": "in 90 days", "365": "in a year"}


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    accounts = console.parts.accounts

    def page(
        request: Request, visit: Visit, status: int = 200, made: str = "", error: str = "", form: dict | None = None
    ) -> Response:
        user = visit.caller.user
        values = {
            "tokens": sorted(accounts.tokens(user), key=lambda t: -t.created_at),
            "owner": user,
            "orgs": accounts.orgs_of(user),
            "owners": [user, *(org for org, _ in accounts.orgs_of(user))],
            "boxes": BOXES,
            "spans": SPANS,
        }
        return console.show(
            request, visit, "account/tokens.html", status=status, made=made, error=error, form=form or {}, **values
        )

    def grants(visit: Visit, form: dict[str, str]) -> Grants:
        owners = {
            name.removeprefix("owner."): role for name, role in form.items() if name.startswith("owner.") and role
        }
        everywhere = [word for box, (_, words) in BOXES.items() if form.get(box) for word in words]
        return accounts.grants(visit.caller.user, owners, repos_of(form.get("repos", "")), everywhere)

    @router.get("/settings/tokens")
    def tokens(request: Request, visit: Visit = Depends(console.member)) -> Response:
        return page(request, visit)

    @router.post("/settings/tokens")
    def make(
        request: Request, form: dict[str, str] = Depends(console.form), visit: Visit = Depends(console.member)
    ) -> Response:
        name, role = form.get("name", "").strip(), form.get("role", "read")
        try:
            made = accounts.add_token(
                visit.caller.user,
                role,
                name,
                actor=visit.caller.name,
                grants=grants(visit, form) if role == "fineGrained" else None,
                expires_at=ends(form.get("ends", "")),
            )
        except CallerError as error:
            return page(request, visit, 422, error=error.message, form=form)
        return page(request, visit, made=made)

    @router.post("/settings/tokens/revoke")
    def revoke(form: dict[str, str] = Depends(console.form), visit: Visit = Depends(console.member)) -> Response:
        accounts.revoke_token(visit.caller.user, form.get("id", ""), visit.caller.name, keep=visit.session)
        return go("/settings/tokens?done=revoked")

    return router


def repos_of(text: str) -> dict[str, str]:
    """Lines of `owner/name read` or `owner/name write` by name; without a word it is read. Raises Invalid `TOKEN_GRANTS`."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if len(words) > 2:
            raise Invalid("TOKEN_GRANTS", f"line {number} of the repos has {len(words)} words; write owner/name write")
        if words:
            found[words[0]] = words[1] if len(words) == 2 else "read"
    return found


def ends(days: str) -> float | None:
    """Epoch seconds. Raises Invalid `TOKEN_EXPIRY`."""
    if days not in SPANS:
        raise Invalid("TOKEN_EXPIRY", "choose one of the times that the form offers")
    return time.time() + int(days) * 86400 if days else None
