"""The Community tab: discussions and pull requests, told in order, with the changes of a pull request and what may be done."""

from fastapi import Depends, Request, Response

from orchestrator.domain.discussions import Discussion
from orchestrator.domain.records import AnyRepo
from orchestrator.errors import CallerError, Forbidden, NotFound
from web import diff
from web.addresses import RepoPages
from web.page import Console, go
from web.repo import header
from web.session import Form, Visit

_PAGES = 1000
_PR_DIFF = 1_000_000  #: characters that are shown


def routes(console: Console) -> RepoPages:
    router = RepoPages()
    talk, pulls = console.parts.community.discussions, console.parts.community.pull_requests

    def page(request: Request, visit: Visit, repo: AnyRepo, status: int = 200, p: int = 0, **more: str) -> Response:
        live = more.get("show", "open") != "closed"
        found, count, _ = talk.page(repo, p, live=live)
        values = header(console, visit, repo, "community") | {"found": found, "page": p, "live": live}
        values |= {"older": p + 1 if (p + 1) * 25 < count and found else 0, "error": "", "title": "", "text": ""} | more
        return console.show(request, visit, "repo/community.html", status=status, **values)

    @router.get("/discussions")
    def listed(
        request: Request,
        show: str = "open",
        p: int = 0,
        visit: Visit = Depends(console.visit),
    ) -> Response:
        repo = console.repo(visit, request)
        return page(request, visit, repo, p=max(0, min(p, _PAGES)), show=show)

    @router.post("/discussions")
    def begin(
        request: Request,
        form: Form = Depends(console.form),
        visit: Visit = Depends(console.member),
    ) -> Response:
        repo = console.repo(visit, request)
        title, text = form.get("title", ""), form.get("text", "").replace("\r\n", "\n")
        try:
            made = talk.open(visit.caller, repo, title, text)
        except CallerError as error:
            return page(request, visit, repo, 422, error=error.message, title=title, text=text)
        return go(f"/{repo.path}/discussions/{made.num}")

    def shown(
        request: Request,
        visit: Visit,
        repo: AnyRepo,
        one: Discussion,
        status: int = 200,
        error: str = "",
        text: str = "",
    ) -> Response:
        values = header(console, visit, repo, "community") | {"one": one, "told": talk.told(one), "error": error}
        values |= {"commits": [], "files": [], "cut": False, "conflicts": [], "text": text}
        values["gated"] = one.is_pull_request and not past_gate(repo, visit)
        if one.is_pull_request and not values["gated"]:
            patch = pulls.diff(repo, one)
            files, cut = diff.parse(patch[:_PR_DIFF])
            conflicts = pulls.conflicts(repo, one)
            values |= {"commits": pulls.commits(repo, one), "files": files, "cut": cut or len(patch) > _PR_DIFF}
            values["conflicts"] = ["the whole history"] if conflicts is True else conflicts
        values["own"] = visit.caller.user is not None and visit.caller.user.id == one.author_id
        return console.show(request, visit, "repo/discussion.html", status=status, **values)

    def past_gate(repo: AnyRepo, visit: Visit) -> bool:
        try:
            console.parts.gates.check(visit.caller, repo)
        except CallerError:
            return False
        return True

    @router.get("/discussions/{num}")
    def one(request: Request, num: int, visit: Visit = Depends(console.visit)) -> Response:
        repo = console.repo(visit, request)
        return shown(request, visit, repo, talk.get(repo, num))

    @router.post("/discussions/{num}/{action}")
    def act(
        request: Request,
        num: int,
        action: str,
        form: Form = Depends(console.form),
        visit: Visit = Depends(console.member),
    ) -> Response:
        repo = console.repo(visit, request)
        found, text = talk.get(repo, num), form.get("text", "").replace("\r\n", "\n")
        try:
            if action == "comment":
                talk.comment(visit.caller, repo, found, text)
            elif action == "merge":
                pulls.merge(visit.caller, repo, found)
            elif action in ("open", "closed"):
                talk.set_status(visit.caller, repo, found, action)
            else:
                raise NotFound("ACTION", "There is no such action.")
        except (NotFound, Forbidden):
            raise
        except CallerError as error:
            return shown(request, visit, repo, found, 422, error.message, text)
        return go(f"/{repo.path}/discussions/{num}")

    return router
