"""The Community tab: discussions and pull requests, told in order, with the changes of a pull request and what may be done."""

from fastapi import APIRouter, Depends, Request, Response

from orchestrator.domain.discussions import Discussion
from orchestrator.domain.records import Space
from orchestrator.errors import CallerError, Forbidden, NotFound
from web import diff
from web.page import Console, go
from web.session import Visit
from web.space import header

Form = dict[str, str]
_PAGES = 1000
_PR_DIFF = 1_000_000  #: characters that are shown


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    talk, pulls = console.parts.community.discussions, console.parts.community.pull_requests

    def page(request: Request, visit: Visit, space: Space, status: int = 200, p: int = 0, **more: str) -> Response:
        live = more.get("show", "open") != "closed"
        found, count, _ = talk.page(space, p, live=live)
        values = header(console, visit, space, "community") | {"found": found, "page": p, "live": live}
        values |= {"older": p + 1 if (p + 1) * 25 < count and found else 0, "error": "", "title": "", "text": ""} | more
        return console.show(request, visit, "space/community.html", status=status, **values)

    @router.get("/spaces/{owner}/{name}/discussions")
    def listed(
        request: Request,
        owner: str,
        name: str,
        show: str = "open",
        p: int = 0,
        visit: Visit = Depends(console.visit),
    ) -> Response:
        space = console.space(visit, owner, name, code=True)
        return page(request, visit, space, p=max(0, min(p, _PAGES)), show=show)

    @router.post("/spaces/{owner}/{name}/discussions")
    def begin(
        request: Request,
        owner: str,
        name: str,
        form: Form = Depends(console.form),
        visit: Visit = Depends(console.member),
    ) -> Response:
        space = console.space(visit, owner, name, code=True)
        title, text = form.get("title", ""), form.get("text", "").replace("\r\n", "\n")
        try:
            made = talk.open(visit.caller, space, title, text)
        except CallerError as error:
            return page(request, visit, space, 422, error=error.message, title=title, text=text)
        return go(f"/{space.path}/discussions/{made.num}")

    def shown(
        request: Request,
        visit: Visit,
        space: Space,
        one: Discussion,
        status: int = 200,
        error: str = "",
        text: str = "",
    ) -> Response:
        values = header(console, visit, space, "community") | {"one": one, "told": talk.told(one), "error": error}
        values |= {"commits": [], "files": [], "cut": False, "conflicts": [], "text": text}
        if one.is_pull_request:
            patch = pulls.diff(space, one)
            files, cut = diff.parse(patch[:_PR_DIFF])
            conflicts = pulls.conflicts(space, one)
            values |= {"commits": pulls.commits(space, one), "files": files, "cut": cut or len(patch) > _PR_DIFF}
            values["conflicts"] = ["the whole history"] if conflicts is True else conflicts
        values["own"] = visit.caller.user is not None and visit.caller.user.id == one.author_id
        return console.show(request, visit, "space/discussion.html", status=status, **values)

    @router.get("/spaces/{owner}/{name}/discussions/{num}")
    def one(request: Request, owner: str, name: str, num: int, visit: Visit = Depends(console.visit)) -> Response:
        space = console.space(visit, owner, name, code=True)
        return shown(request, visit, space, talk.get(space, num))

    @router.post("/spaces/{owner}/{name}/discussions/{num}/{action}")
    def act(
        request: Request,
        owner: str,
        name: str,
        num: int,
        action: str,
        form: Form = Depends(console.form),
        visit: Visit = Depends(console.member),
    ) -> Response:
        space = console.space(visit, owner, name, code=True)
        found, text = talk.get(space, num), form.get("text", "").replace("\r\n", "\n")
        try:
            if action == "comment":
                talk.comment(visit.caller, space, found, text)
            elif action == "merge":
                pulls.merge(visit.caller, space, found)
            elif action in ("open", "closed"):
                talk.set_status(visit.caller, space, found, action)
            else:
                raise NotFound("ACTION", "There is no such action.")
        except (NotFound, Forbidden):
            raise
        except CallerError as error:
            return shown(request, visit, space, found, 422, error.message, text)
        return go(f"/{space.path}/discussions/{num}")

    return router
