"""The pages that make a model, a dataset or a kernel: a name, an owner, who may see it. Its files come by git, by clients or by
upload."""

from fastapi import APIRouter, Depends, Request, Response

from orchestrator.api.parts import Parts
from orchestrator.api.readme import first_files
from orchestrator.domain.records import Owner
from orchestrator.domain.repo import PLAIN, RepoKind
from orchestrator.domain.space import MAIN, Role, Visibility
from orchestrator.errors import CallerError
from web.page import Console, go
from web.session import Form, Visit
from web.story import FIRST_COMMIT


def owners_for(parts: Parts, visit: Visit) -> list[Owner]:
    """Those under whom the visitor may make repos, themselves first."""
    if visit.caller.user is None:
        return []
    orgs = parts.accounts.orgs_of(visit.caller.user)
    return [visit.caller.user, *(org for org, role in orgs if role >= Role.WRITE)]


def usual(owners: list[Owner], chosen: str) -> str:
    """What is ticked under "who may see it?" at first. Nothing when that depends on an owner still to be chosen: a repo of an
    organisation that keeps its own private must not become public because nobody looked. Pure."""
    if not any(owner.private_by_default for owner in owners):
        return Visibility.PUBLIC.value
    return next((owner.visibility.value for owner in owners if owner.name.lower() == chosen.lower()), "")


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    parts = console.parts

    def page(request: Request, visit: Visit, kind: RepoKind, form: Form, error: str = "") -> Response:
        owners = owners_for(parts, visit)
        seen = {"visibility": usual(owners, form.get("owner", ""))}
        values = {"kind": kind, "owners": [one.name for one in owners], "form": seen | form, "error": error}
        return console.show(request, visit, "new_repo.html", status=422 if error else 200, **values)

    def add(kind: RepoKind) -> None:
        @router.get(f"/new/{kind}")
        def new(request: Request, owner: str = "", visit: Visit = Depends(console.member)) -> Response:
            return page(request, visit, kind, {"owner": owner[:96]})

        @router.post(f"/new/{kind}")
        def create(
            request: Request, form: Form = Depends(console.form), visit: Visit = Depends(console.member)
        ) -> Response:
            said = form.get("visibility")
            seen = Visibility(said) if said in ("private", "public") else None
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
