"""What admins look at and do: how everything stands, every Space, the queue of builds, people, usage. The audit log has a file
of its own, and so have hardware and its quotas."""

import calendar
import math
import time

from fastapi import APIRouter, Depends, Request, Response

from orchestrator.domain.records import RequestState, Space
from orchestrator.domain.seen import BuildState
from orchestrator.domain.space import Role
from orchestrator.domain.stage import INTERMEDIATE, Stage
from orchestrator.errors import CallerError, NotFound
from orchestrator.services.oversight import TROUBLED
from orchestrator.services.spaces import Spaces
from orchestrator.services.usage import as_csv
from web.page import Console, go
from web.repo_settings import Change, simply
from web.session import Form, Visit

PAGE = 50
#: word in `?show=` -> (words, stages)
GROUPS: dict[str, tuple[str, tuple[Stage, ...]]] = {
    "": ("All", ()),
    "running": ("Running", (Stage.RUNNING, Stage.RUNNING_BUILDING, Stage.RUNNING_APP_STARTING)),
    "failed": ("Failed", TROUBLED),
    "busy": ("Building or starting", tuple(INTERMEDIATE)),
    "sleeping": ("Sleeping", (Stage.SLEEPING,)),
    "paused": ("Paused", (Stage.PAUSED,)),
}


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False, prefix="/admin")
    parts = console.parts
    oversight, allotment = parts.oversight, parts.allotment

    def overview(request: Request, visit: Visit, status: int = 200, error: str = "") -> Response:
        stages = parts.spaces.by_stage()
        groups = {word: sum(stages.get(s.value, 0) for s in members) for word, (_, members) in GROUPS.items() if word}
        sums, _, _ = allotment.usage.sums(visit.caller)
        nodes = allotment.capacity.nodes()
        queue = allotment.capacity.queue()
        values = {
            "total": sum(stages.values()),
            "groups": groups,
            "failed": oversight.spaces(visit.caller, stages=TROUBLED, limit=8),
            "asked": allotment.requests.list(visit.caller, RequestState.PENDING),
            "builds": parts.queue.open(),
            "gpus": accelerators(nodes),
            "waiting": [(one, parts.spaces.get(one.space_id)) for one in queue],
            "cost": sum(one.cost for one in sums),
            "currency": allotment.default.currency,
            "health": parts.health.parts(visit.caller),
            "banner": oversight.banner(),
            "error": error,
        }
        return console.show(request, visit, "admin/overview.html", status=status, **values)

    @router.get("")
    def start(request: Request, visit: Visit = Depends(console.admin)) -> Response:
        return overview(request, visit)

    @router.post("/notice")
    def notice(request: Request, form: Form = Depends(console.form), visit: Visit = Depends(console.admin)) -> Response:
        text = "" if form.get("away") else form.get("text", "")
        try:
            oversight.set_banner(visit.caller, text, form.get("tone", "calm"))
        except CallerError as error:
            return overview(request, visit, 422, error.message)
        return go("/admin?done=notice")

    def spaces_page(
        request: Request, visit: Visit, show: str = "", q: str = "", after: str = "", status: int = 200, error: str = ""
    ) -> Response:
        show, q = show if show in GROUPS else "", q.strip()[:100]
        found = oversight.spaces(visit.caller, stages=GROUPS[show][1], search=q, after=place(after), limit=PAGE + 1)
        last = found[PAGE - 1][0] if len(found) > PAGE else None
        values = {
            "found": found[:PAGE],
            "show": show,
            "q": q,
            "groups": GROUPS,
            "next_after": f"{last.updated_at!r}~{last.id}" if last else "",
            "currency": allotment.default.currency,
            "error": error,
        }
        return console.show(request, visit, "admin/spaces.html", status=status, **values)

    @router.get("/spaces")
    def spaces(
        request: Request, show: str = "", q: str = "", after: str = "", visit: Visit = Depends(console.admin)
    ) -> Response:
        return spaces_page(request, visit, show, q, after)

    @router.post("/spaces/{action}")
    def act(
        request: Request, action: str, form: Form = Depends(console.form), visit: Visit = Depends(console.admin)
    ) -> Response:
        owner, _, name = form.get("space", "").partition("/")
        space = console.space(visit, owner, name, Role.ADMIN)
        try:
            done = COMMANDS[action](console, visit, space, form) if action in COMMANDS else ""
        except CallerError as error:
            return spaces_page(request, visit, q=space.full_name, status=422, error=error.message)
        if not done:
            raise NotFound("ACTION", "There is no such action.")
        return go(f"/admin/spaces?done={done}&q={space.full_name}")

    @router.get("/builds")
    def builds(request: Request, visit: Visit = Depends(console.admin)) -> Response:
        found = oversight.builds(visit.caller)
        active = [one for one in found if one[0].state in (BuildState.RUNNING, BuildState.QUEUED)]
        return console.show(request, visit, "admin/builds.html", active=active, ended=found[len(active) :])

    @router.get("/usage")
    def usage(request: Request, month: str = "", visit: Visit = Depends(console.admin)) -> Response:
        since, before = span(month)
        sums, since, before = allotment.usage.sums(visit.caller, since, before)
        owners: dict[str, list[float]] = {}
        for one in sums:
            sum_ = owners.setdefault(one.owner, [0.0, 0.0])
            sum_[0], sum_[1] = sum_[0] + one.seconds, sum_[1] + one.cost
        values = {
            "owners": sorted(owners.items(), key=lambda pair: (-pair[1][1], -pair[1][0])),
            "sums": sorted(sums, key=lambda one: (-one.cost, -one.seconds))[:200],
            "month": time.strftime("%Y-%m", time.gmtime(since)),
            "words": time.strftime("%B %Y", time.gmtime(since)),
            "months": months(),
            "currency": allotment.default.currency,
        }
        return console.show(request, visit, "admin/usage.html", **values)

    @router.get("/usage.csv")
    def usage_csv(month: str = "", visit: Visit = Depends(console.admin)) -> Response:
        sums, since, _ = allotment.usage.sums(visit.caller, *span(month))
        name = time.strftime("usage-%Y-%m.csv", time.gmtime(since))
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
        return Response(as_csv(sums, allotment.default.currency), media_type="text/csv", headers=headers)

    return router


def accelerators(nodes) -> tuple[int, int]:
    """(used, all there are). Pure."""
    there = sum(count for node in nodes for count in node.resources.values())
    used = sum(count for node in nodes for held in node.held for count in held.resources.values())
    return used, there


def place(after: str) -> tuple[float, str] | None:
    """The place in a list that `?after=` names; None for the begin and for nonsense. Pure."""
    moment, _, space_id = after.partition("~")
    try:
        value = float(moment)
    except ValueError:
        return None
    return (value, space_id[:24]) if math.isfinite(value) and space_id else None


def months(count: int = 12) -> list[tuple[str, str]]:
    """(value, words) of this month and those before it."""
    now = time.gmtime()
    years = [divmod(now.tm_year * 12 + now.tm_mon - 1 - back, 12) for back in range(count)]
    return [(f"{y}-{m + 1:02d}", time.strftime("%B %Y", (y, m + 1, 1, 0, 0, 0, 0, 1, 0))) for y, m in years]


def span(month: str) -> tuple[float | None, float | None]:
    """Begin and end of `2026-11`; (None, None), which is this month until now, for anything else."""
    known = dict(months())
    if month not in known or month == next(iter(known)):
        return None, None
    year, number = (int(part) for part in month.split("-"))
    ends = (year + number // 12, number % 12 + 1)
    return tuple(float(_midnight(*one)) for one in ((year, number), ends))  # type: ignore[return-value]


def _midnight(year: int, month: int) -> int:
    return calendar.timegm((year, month, 1, 0, 0, 0))


def _take_down(console: Console, visit: Visit, space: Space, form: Form) -> str:
    console.parts.spaces.take_down(visit.caller, space, form.get("reason", ""))
    return "takendown"


COMMANDS: dict[str, Change] = {
    "take-down": _take_down,
    "put-back": simply(Spaces.put_back, "putback"),
    "pause": simply(Spaces.pause, "adminpaused"),
    "restart": simply(Spaces.restart, "restarted"),
}
