"""The pages that make a model or a dataset: a name, an owner, who may see it. Its files come by git, by clients or by upload."""

from fastapi import APIRouter, Depends, Request, Response

from orchestrator.api.readme import first_files
from orchestrator.domain.repo import PLAIN, RepoKind
from orchestrator.domain.space import MAIN, Role, Visibility
from orchestrator.errors import CallerError
from web.page import Console, go
from web.session import Visit
from web.story import FIRST_COMMIT

Form = dict[str, str]


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    parts = console.parts

    def page(request: Request, visit: Visit, kind: RepoKind, form: Form, error: str = "") -> Response:
        orgs = parts.accounts.orgs_of(visit.caller.user) if visit.caller.user else []
        owners = [visit.caller.name, *(org.name for org, role in orgs if role >= Role.WRITE)]
        values = {"kind": kind, "owners": owners, "form": form, "error": error}
        return console.show(request, visit, "new_repo.html", status=422 if error else 200, **values)

    def add(kind: RepoKind) -> None:
        @router.get(f"/new/{kind}")
        def new(request: Request, owner: str = "", visit: Visit = Depends(console.member)) -> Response:
            return page(request, visit, kind, {"owner": owner[:96]})

        @router.post(f"/new/{kind}")
        def create(
            request: Request, form: Form = Depends(console.form), visit: Visit = Depends(console.member)
        ) -> Response:
            seen = Visibility.PRIVATE if form.get("visibility") == "private" else Visibility.PUBLIC
            try:
                made = parts.hosted.create(
                    visit.caller, kind, form.get("name", "").strip(), form.get("owner") or None, seen
                )
            except CallerError as error:
                return page(request, visit, kind, form, error.message)
            parts.pushes.commit(visit.caller, made, first_files(kind, "", []), FIRST_COMMIT, None, MAIN)
            return go(f"/{made.path}?done=made")

    for kind in PLAIN:
        add(kind)
    return router
