"""The audit log as a page with filters, and as a file."""

import calendar
import time

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from orchestrator.services.oversight import Sought
from web.page import Console
from web.session import Visit

PAGE = 100
#: beginnings of actions that are worth a click
KINDS = (
    "space.",
    "bucket.",
    "push",
    "hardware.",
    "quota.",
    "secret.",
    "variable.",
    "token.",
    "user.",
    "org.",
    "notice.",
)
FORMS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
_DAY = 86400.0


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    oversight = console.parts.oversight

    def sought(
        actor: str = Query("", max_length=96),
        action: str = Query("", max_length=40),
        target: str = Query("", max_length=200),
        since: str = Query("", max_length=10),
        before: str = Query("", max_length=10),
    ) -> Sought:
        """The filters of the form; a day that is none is as good as not given. `before` includes its day."""
        end = day(before)
        return Sought(actor.strip(), action.strip(), target.strip(), day(since), None if end is None else end + _DAY)

    @router.get("/admin/audit")
    def log(
        request: Request,
        below: int | None = Query(None, ge=0, le=2**62),
        wanted: Sought = Depends(sought),
        visit: Visit = Depends(console.admin),
    ) -> Response:
        rows = oversight.log(visit.caller, wanted, below, PAGE + 1)
        kept = {
            name: request.query_params.get(name, "")[:200] for name in ("actor", "action", "target", "since", "before")
        }
        values = {
            "rows": [row for _, row in rows[:PAGE]],
            "more": rows[PAGE - 1][0] if len(rows) > PAGE else None,
            "kept": kept,
            "kinds": KINDS,
            "first_page": below is None,
        }
        return console.show(request, visit, "admin/audit.html", **values)

    @router.get("/admin/audit.{form}")
    def export(form: str, wanted: Sought = Depends(sought), visit: Visit = Depends(console.admin)) -> Response:
        form = form if form in FORMS else "csv"
        name = time.strftime(f"audit-%Y-%m-%d.{form}", time.gmtime())
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
        return StreamingResponse(oversight.export(visit.caller, wanted, form), media_type=FORMS[form], headers=headers)

    return router


def day(text: str) -> float | None:
    """The first second of `2026-11-22` in UTC, None for anything else. Pure."""
    try:
        return float(calendar.timegm(time.strptime(text, "%Y-%m-%d")))
    except ValueError:
        return None
