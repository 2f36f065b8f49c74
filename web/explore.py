"""The front page: Spaces as cards, found by words, page by page; and the one that makes a new one."""

import math

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from orchestrator.api.readme import first_files, readme
from orchestrator.domain.caller import role_on
from orchestrator.domain.records import Space
from orchestrator.domain.repo import RepoKind
from orchestrator.domain.space import MAIN, Role, Visibility
from orchestrator.errors import Conflict, Forbidden, Invalid
from orchestrator.services.spaces import SDKS, NewSpace
from web.page import Console, go
from web.session import Visit
from web.shapes import stage_tone, stage_words
from web.story import FIRST_COMMIT

PAGE = 24
SORTS = {"last_modified": "Recently changed", "created_at": "Newest"}


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    spaces = console.parts.spaces

    @router.get("/")
    @router.get("/spaces")
    def explore(
        request: Request,
        q: str = "",
        sort: str = "last_modified",
        sdk: str = "",
        mine: str = "",
        after: str = "",
        visit: Visit = Depends(console.visit),
    ) -> Response:
        sort, q = sort if sort in SORTS else "last_modified", q.strip()[:100]
        sdk = sdk if sdk in SDKS else ""
        owner = visit.caller.name if mine and visit.caller.user else None
        found = spaces.list(
            visit.caller, owner=owner, search=q or None, sdk=sdk or None, sort=sort, limit=PAGE + 1, after=place(after)
        )
        shown, more = found[:PAGE], len(found) > PAGE
        next_after = mark(shown[-1], sort) if more else ""
        values = {"spaces": shown, "q": q, "sort": sort, "sdk": sdk, "mine": bool(mine), "next_after": next_after}
        values |= {"sorts": SORTS, "sdks": SDKS, "first_page": not after}
        return console.show(request, visit, "explore.html", **values)

    @router.get("/explore/stages")
    def stages(ids: str = Query("", max_length=3000), visit: Visit = Depends(console.visit)) -> Response:
        """The stages of the cards on a page, for those that this visitor may see."""
        found = [spaces.get(i) for i in ids.split(",")[: 4 * PAGE] if i]
        seen = [s for s in found if s and role_on(visit.caller, s) >= Role.READ]
        body = {s.id: [stage_tone(s.stage), stage_words(s.stage)] for s in seen}
        return JSONResponse(body, headers={"Cache-Control": "no-store"})

    def new_page(request: Request, visit: Visit, status: int = 200, error: str = "", **form: str) -> Response:
        orgs = console.parts.accounts.orgs_of(visit.caller.user) if visit.caller.user else []
        owners = [visit.caller.name, *(org.name for org, role in orgs if role >= Role.WRITE)]
        values = {"owner": visit.caller.name, "name": "", "sdk": "gradio", "visibility": "public"} | form
        return console.show(request, visit, "new.html", status=status, owners=owners, error=error, form=values)

    @router.get("/new")
    def new(request: Request, visit: Visit = Depends(console.member)) -> Response:
        return new_page(request, visit)

    @router.post("/new")
    def create(
        request: Request, form: dict[str, str] = Depends(console.form), visit: Visit = Depends(console.member)
    ) -> Response:
        given = {k: form.get(k, "").strip()[:200] for k in ("owner", "name", "sdk", "visibility")}
        try:
            visibility = Visibility(given["visibility"])
        except ValueError:
            visibility = Visibility.PUBLIC
        try:
            made = spaces.create(
                visit.caller, NewSpace(given["name"], given["owner"] or None, given["sdk"] or None, visibility)
            )
        except (Invalid, Conflict, Forbidden) as error:
            return new_page(request, visit, 422, error.message, **given)
        files = first_files(RepoKind.SPACE, readme(made.name, made.sdk), ())
        console.parts.pushes.commit(visit.caller, made, files, FIRST_COMMIT, None, MAIN)
        return go(f"/{made.path}?done=created")

    return router


def mark(space: Space, sort: str) -> str:
    """Where the next page begins: after this one."""
    return f"{(space.created_at if sort == 'created_at' else space.updated_at)!r}~{space.id}"


def place(after: str) -> tuple[float, str] | None:
    """The inverse of `mark`; nonsense is the beginning."""
    moment, _, ident = after.partition("~")
    try:
        at = float(moment)
    except ValueError:
        return None
    return (at, ident[:40]) if ident and math.isfinite(at) else None
