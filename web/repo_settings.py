"""Settings: of models and datasets all of them, and what those of Spaces share with them: who may see it, its name, its end."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Depends, Request, Response

from orchestrator.domain.caller import Caller
from orchestrator.domain.records import AnyRepo, Space
from orchestrator.domain.repo import PLAIN
from orchestrator.domain.space import Role, Visibility
from orchestrator.errors import Conflict, Forbidden, Invalid, NotFound
from orchestrator.services.gates import ACCEPTED, PENDING, REJECTED
from orchestrator.services.repos import GATES
from orchestrator.services.spaces import Spaces
from web import members, storage, webhooks
from web.addresses import RepoPages
from web.page import Console, go
from web.repo import header
from web.session import Form, Visit

#: Of a repo, by what was typed; gives the word for `?done=`.
Change = Callable[[Console, Visit, Any, Form], str]
#: the change, section of the settings page, tab to land on
Action = tuple[Change, str, str]
_SHOWN = 100
_REASON = 200  #: characters


def routes(console: Console) -> RepoPages:
    router = RepoPages(PLAIN)
    gates = console.parts.gates

    def page(request: Request, visit: Visit, repo: AnyRepo, error: str = "", section: str = "") -> Response:
        asked = {}
        if repo.gated:
            asked = {s: gates.requests(visit.caller, repo, s, _SHOWN) for s in (PENDING, ACCEPTED, REJECTED)}
        values = header(console, visit, repo, "settings") | {
            "can_own": console.may_own(visit, repo),
            "asked": asked,
            **members.of_repo(console, visit, repo),
            **webhooks.of_repo(console, visit, repo),
            **storage.of_repo(console, repo, False),
            "error": error,
            "section": section,
        }
        return console.show(request, visit, "repo/settings.html", status=422 if error else 200, **values)

    @router.get("/settings")
    def settings(request: Request, visit: Visit = Depends(console.member)) -> Response:
        return page(request, visit, console.repo(visit, request, Role.WRITE))

    @router.post("/settings/{action}")
    def act(
        request: Request,
        action: str,
        form: Form = Depends(console.form),
        visit: Visit = Depends(console.member),
    ) -> Response:
        repo = console.repo(visit, request, Role.WRITE)
        return perform(console, visit, repo, form, (action, ACTIONS), lambda *said: page(request, visit, repo, *said))

    return router


def perform(
    console: Console,
    visit: Visit,
    repo: AnyRepo,
    form: Form,
    asked: tuple[str, Mapping[str, Action]],
    refused: Callable[[str, str], Response],
) -> Response:
    """Do what was `asked` for, an action among those that there are, and lead to where it shows; or `refused(message, section)`.
    Raises NotFound `ACTION`, and Forbidden for who may not."""
    action, known = asked
    if action not in known:
        raise NotFound("ACTION", "There is no such action.")
    do, section, back = known[action]
    try:
        done = do(console, visit, repo, form)
    except (Invalid, Conflict, Forbidden) as error:
        if error.code in ("FORBIDDEN", "TOKEN_READ_ONLY"):
            raise
        return refused(error.message, section)
    if action == "leave":
        return go(f"/?done={done}")
    if action == "delete":
        return go(f"/?done={done}" if repo.kind.runs else f"/{repo.kind.plural}?done={done}")
    now = console.parts.hosted.get(repo.id) or repo
    return go(f"/{now.path}{back}?done={done}{f'#{section}' if section else ''}")


# of every kind


def simply(do: Callable[[Spaces, Caller, Space], object], done: str) -> Change:
    """A change of a Space for which nothing is typed."""

    def change(console: Console, visit: Visit, space: Space, form: Form) -> str:
        do(console.parts.spaces, visit.caller, space)
        return done

    return change


def visibility(console: Console, visit: Visit, repo: AnyRepo, form: Form) -> str:
    try:
        wanted = Visibility(form.get("visibility", ""))
    except ValueError:
        raise Invalid("VISIBILITY", "Choose public, protected or private.") from None
    console.parts.hosted.change(visit.caller, repo, visibility=wanted)
    return "visibility"


def move(console: Console, visit: Visit, repo: AnyRepo, form: Form) -> str:
    owner, name = form.get("owner", "").strip() or repo.owner, form.get("name", "").strip() or repo.name
    console.parts.moves.move(visit.caller, repo, owner, name)
    return "moved"


def delete(console: Console, visit: Visit, repo: AnyRepo, form: Form) -> str:
    typed = form.get("confirm", "").strip()
    if typed != repo.full_name:
        raise Invalid("CONFIRM", f"To delete it, type {repo.full_name} exactly; you typed {typed[:60]!r}.")
    console.parts.hosted.delete(visit.caller, repo)
    return "deleted" if repo.kind.runs else "gone"


# of models and datasets


def _gate(console: Console, visit: Visit, repo: AnyRepo, form: Form) -> str:
    if form.get("gated", "") not in GATES:
        raise Invalid("GATED", "Choose one from the list.")
    console.parts.hosted.change(visit.caller, repo, gated=form.get("gated", ""))
    return "gate"


def _decide(console: Console, visit: Visit, repo: AnyRepo, form: Form) -> str:
    reason = form.get("reason", "").strip()[:_REASON]
    try:
        console.parts.gates.decide(visit.caller, repo, form.get("status", ""), None, form.get("id", "")[:40], reason)
    except NotFound as error:  # withdrawn meanwhile, or somebody else decided
        raise Invalid(error.code, error.message) from None
    return "decided"


def _grant(console: Console, visit: Visit, repo: AnyRepo, form: Form) -> str:
    try:
        console.parts.gates.grant(visit.caller, repo, form.get("user", "").strip()[:96])
    except NotFound as error:
        raise Invalid(error.code, error.message) from None
    return "decided"


def _talk(console: Console, visit: Visit, repo: AnyRepo, form: Form) -> str:
    console.parts.hosted.change(visit.caller, repo, discussions_disabled=not form.get("open"))
    return "talk"


ACTIONS: dict[str, Action] = {
    "visibility": (visibility, "visibility", "/settings"),
    "member": (members.change, "members", "/settings"),
    "leave": (members.leave, "members", ""),
    "gate": (_gate, "access", "/settings"),
    "decide": (_decide, "access", "/settings"),
    "grant": (_grant, "access", "/settings"),
    "talk": (_talk, "talk", "/settings"),
    "move": (move, "move", "/settings"),
    "delete": (delete, "delete", ""),
}
