"""The settings of a Space: its card, environment, hardware, sleep, visibility, history, and what stops, moves or ends it."""

from functools import partial

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from orchestrator.domain.records import Space
from orchestrator.domain.space import Role
from orchestrator.errors import Invalid
from orchestrator.services.spaces import Spaces
from web import front_matter, hardware, members, serving, storage, webhooks
from web.page import Console
from web.repo import header
from web.repo_settings import Action, Change, delete, move, perform, simply, visibility
from web.session import Form, Visit

SLEEPS = (300, 900, 3600, 6 * 3600, 86400, 172800, 7 * 86400, -1)


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    spaces, environment = console.parts.spaces, console.parts.environment

    def settings_page(
        request: Request,
        visit: Visit,
        space: Space,
        status: int = 200,
        typed: Form | None = None,
        sites: Form | None = None,
        **said: str,
    ) -> Response:
        oversight = console.parts.oversight
        values = header(console, visit, space, "settings") | {
            "secrets": environment.all(visit.caller, space, True),
            "variables": environment.all(visit.caller, space, False),
            "builds": spaces.builds(space, 12),
            "deeds": oversight.of_space(space, 12),
            "card": front_matter.of_space(console, space, typed),
            "sleeps": _sleeps(space),
            "sleep_now": -1 if space.wish.sleep_after is None else int(space.wish.sleep_after),
            "can_own": console.may_own(visit, space),
            **hardware.of_space(console, visit, space),
            **members.of_repo(console, visit, space),
            **webhooks.of_repo(console, visit, space),
            **storage.of_repo(console, space, "measure" in request.query_params),
            **serving.of_space(console, space, sites),
            "error": "",
            "section": "",
        }
        return console.show(request, visit, "space/settings.html", status=status, **values | said)

    @router.get("/spaces/{owner}/{name}/settings")
    def settings(request: Request, owner: str, name: str, visit: Visit = Depends(console.member)) -> Response:
        return settings_page(request, visit, console.space(visit, owner, name, Role.WRITE))

    @router.post("/spaces/{owner}/{name}/settings/card/check")
    def check(
        owner: str, name: str, form: Form = Depends(console.form), visit: Visit = Depends(console.member)
    ) -> Response:
        """What would become of the form, while it is typed: the block, or what is wrong with which field."""
        space = console.space(visit, owner, name, Role.WRITE)
        return JSONResponse(front_matter.check(console, space, form), headers={"Cache-Control": "no-store"})

    @router.post("/spaces/{owner}/{name}/settings/{action}")
    def act(
        request: Request,
        owner: str,
        name: str,
        action: str,
        form: Form = Depends(console.form),
        visit: Visit = Depends(console.member),
    ) -> Response:
        space = console.space(visit, owner, name, Role.WRITE)
        typed, sites = form if action == "card" else None, form if action == "embedding" else None

        def refused(message: str, section: str) -> Response:
            return settings_page(request, visit, space, 422, typed, sites, error=message, section=section)

        return perform(console, visit, space, form, (action, ACTIONS), refused)

    return router


def _sleeps(space: Space) -> list[int]:
    now = space.wish.sleep_after
    return list(SLEEPS) if now is None or int(now) in SLEEPS else sorted({*SLEEPS[:-1], int(now)}) + [-1]


def _put(secret: bool) -> Change:
    def put(console: Console, visit: Visit, space: Space, form: Form) -> str:
        key, value = form.get("key", "").strip(), form.get("value", "").replace("\r\n", "\n")
        console.parts.environment.put(visit.caller, space, key, value, secret, form.get("description", "").strip())
        return "secret" if secret else "variable"

    return put


def _unset(console: Console, visit: Visit, space: Space, form: Form) -> str:
    console.parts.environment.remove(visit.caller, space, form.get("key", ""), form.get("kind") == "secret")
    return "unset"


def _sleep(console: Console, visit: Visit, space: Space, form: Form) -> str:
    try:
        seconds = float(form.get("seconds", ""))
    except ValueError:
        raise Invalid("SLEEP_TIME", "Choose a sleep time from the list.") from None
    console.parts.spaces.set_sleep(visit.caller, space, seconds)
    return "sleep"


def _rollback(console: Console, visit: Visit, space: Space, form: Form) -> str:
    console.parts.spaces.rollback(visit.caller, space, form.get("build", ""))
    return "rolledback"


ACTIONS: dict[str, Action] = {
    "card": (front_matter.save, "card", "/settings"),
    "secret": (_put(True), "environment", "/settings"),
    "variable": (_put(False), "environment", "/settings"),
    "unset": (_unset, "environment", "/settings"),
    "sleep": (_sleep, "sleep", "/settings"),
    "hardware": (hardware.choose, "hardware", "/settings"),
    "replicas": (hardware.replicas, "replicas", "/settings"),
    "withdraw": (hardware.withdraw, "hardware", "/settings"),
    "visibility": (visibility, "visibility", "/settings"),
    "member": (members.change, "members", "/settings"),
    "leave": (members.leave, "members", ""),
    "domain": (serving.add_domain, "domains", "/settings"),
    "check-domain": (serving.check_domain, "domains", "/settings"),
    "remove-domain": (serving.remove_domain, "domains", "/settings"),
    "embedding": (serving.set_embedding, "embedding", "/settings"),
    "freeze": (simply(Spaces.freeze, "frozen"), "builds", "/settings"),
    "thaw": (simply(Spaces.thaw, "thawed"), "builds", "/settings"),
    "pause": (simply(Spaces.pause, "paused"), "", ""),
    "restart": (simply(Spaces.restart, "restarted"), "", ""),
    "rebuild": (simply(partial(Spaces.restart, factory=True), "rebuilding"), "", ""),
    "rollback": (_rollback, "", ""),
    "move": (move, "move", "/settings"),
    "delete": (delete, "delete", ""),
}
