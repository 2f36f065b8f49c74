"""Webhooks of the one who is signed in: which URL is told of what, what was sent, sending it again. What is sent, and when, is
the services' affair."""

from fastapi import APIRouter, Depends, Query, Request, Response

from orchestrator.domain.events import DOMAINS, WATCHABLE, Watched, Webhook
from orchestrator.domain.records import AnyRepo
from orchestrator.errors import CallerError, NotFound
from web.page import Console, go
from web.session import Form, Visit

HERE = "/settings/webhooks"
WORDS = {"repo": "Pushes, settings and stages", "discussion": "Discussions and pull requests"}
_LINES = 4000  #: characters of the list of what is watched


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False, prefix=HERE)
    webhooks, accounts = console.parts.community.webhooks, console.parts.accounts

    def page(
        request: Request,
        visit: Visit,
        one: Webhook | None,
        status: int = 200,
        typed: Form | None = None,
        error: str = "",
    ) -> Response:
        """All of them, or one with what was sent to it."""
        given = typed if typed is not None else told(one)
        values = {
            "owner": visit.caller.user,
            "orgs": accounts.orgs_of(visit.caller.user),
            "webhooks": webhooks.all(visit.caller) if one is None else [],
            "one": one,
            "sent": webhooks.deliveries(visit.caller, one.id) if one else [],
            "form": given,
            "domains": WORDS,
            "error": error,
        }
        return console.show(request, visit, "account/webhooks.html", status=status, **values)

    @router.get("")
    def every(
        request: Request, watch: str = Query("", max_length=300), visit: Visit = Depends(console.member)
    ) -> Response:
        return page(request, visit, None, typed=told(None) | {"watched": watch} if watch else None)

    @router.post("")
    def make(request: Request, form: Form = Depends(console.form), visit: Visit = Depends(console.member)) -> Response:
        try:
            secret = form.get("secret", "").strip()
            made = webhooks.create(visit.caller, form.get("url", "").strip(), watched(form), chosen(form), secret)
        except CallerError as error:
            return page(request, visit, None, 422, form, error.message)
        return go(f"{HERE}/{made.id}?done=webhook")

    @router.get("/{ident}")
    def show(request: Request, ident: str, visit: Visit = Depends(console.member)) -> Response:
        return page(request, visit, webhooks.get(visit.caller, ident))

    @router.post("/{ident}/{action}")
    def act(
        request: Request,
        ident: str,
        action: str,
        form: Form = Depends(console.form),
        visit: Visit = Depends(console.member),
    ) -> Response:
        one = webhooks.get(visit.caller, ident)
        try:
            if action == "save":
                changed = {"url": form.get("url", "").strip(), "watched": watched(form), "domains": chosen(form)}
                webhooks.update(visit.caller, one.id, **changed, secret=form.get("secret", "").strip() or None)
            elif action in ("enable", "disable"):
                webhooks.update(visit.caller, one.id, disabled=action == "disable")
            elif action == "replay":
                webhooks.replay(visit.caller, one.id, form.get("delivery", ""))
            elif action == "delete":
                webhooks.delete(visit.caller, one.id)
                return go(f"{HERE}?done=unhooked")
            else:
                raise NotFound("ACTION", "There is no such action.")
        except NotFound:
            raise
        except CallerError as error:
            return page(request, visit, one, 422, form, error.message)
        return go(f"{HERE}/{one.id}?done={'resent' if action == 'replay' else 'webhook'}")

    return router


def told(one: Webhook | None) -> Form:
    """The form as it stands."""
    if one is None:
        return {"url": "", "watched": "", **dict.fromkeys(DOMAINS, "1")}
    lines = "\n".join(f"{item.type} {item.name}" for item in one.watched)
    return {"url": one.url, "watched": lines, **dict.fromkeys(one.domains, "1")}


def watched(form: Form) -> list[Watched]:
    """One a line: what it is and its name; `owner/name` alone is a Space."""
    lines = (line.split() for line in form.get("watched", "")[:_LINES].splitlines() if line.strip())
    return [
        Watched(words[0], " ".join(words[1:]))
        if len(words) > 1 or words[0] in WATCHABLE
        else Watched("space", words[0])
        for words in lines
    ]


def chosen(form: Form) -> list[str]:
    return [word for word in DOMAINS if form.get(word) == "1"]


def of_repo(console: Console, visit: Visit, repo: AnyRepo) -> dict[str, object]:
    """For the settings of a repo: those of the visitor's webhooks that are told of it."""
    names = {repo.kind.value: repo.full_name.lower(), "user": repo.owner.lower(), "org": repo.owner.lower()}
    every = console.parts.community.webhooks.all(visit.caller)
    hooks = [one for one in every if any(names.get(item.type) == item.name.lower() for item in one.watched)]
    return {"hooks": hooks}
