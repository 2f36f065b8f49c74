"""Users and organisations, for admins: who there is, what is theirs, who may come in, who is an admin."""

from fastapi import APIRouter, Depends, Request, Response

from orchestrator.domain.space import Role
from orchestrator.errors import CallerError, NotFound
from web.page import Console, go
from web.session import Form, Visit


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    accounts, people, oversight = console.parts.accounts, console.parts.people, console.parts.oversight

    def page(request: Request, visit: Visit, status: int = 200, **said: str) -> Response:
        standing = oversight.owners(visit.caller)
        values = {
            "users": [one for one in standing if one.owner.kind == "user"],
            "orgs": [one for one in standing if one.owner.kind == "org"],
            "currency": console.parts.allotment.default.currency,
            "link": "",
            "link_of": "",
            "error": "",
        }
        return console.show(request, visit, "admin/people.html", status=status, **values | said)

    @router.get("/admin/people")
    def all_people(request: Request, visit: Visit = Depends(console.admin)) -> Response:
        return page(request, visit)

    @router.post("/admin/people/{action}")
    def act(
        request: Request, action: str, form: Form = Depends(console.form), visit: Visit = Depends(console.admin)
    ) -> Response:
        name, actor = form.get("name", "").strip(), visit.caller.name
        try:
            if action == "user":
                accounts.add_user(name, admin=form.get("admin") == "1", fullname=form.get("fullname", ""), actor=actor)
                return invite(request, visit, name)
            if action == "link":
                return invite(request, visit, name)
            if action == "organisation":
                accounts.add_org(name, fullname=form.get("fullname", ""), actor=actor)
                return go(f"/settings/organisations/{name}?done=organisation")
            if action == "admin":
                people.set_admin(visit.caller, name, form.get("admin") == "1")
                return go("/admin/people?done=admin")
        except CallerError as error:
            return page(request, visit, 422, error=error.message)
        raise NotFound("ACTION", "There is no such action.")

    def invite(request: Request, visit: Visit, name: str) -> Response:
        """Shown once: whoever has the link is that user."""
        secret = accounts.sign_in_link(name, visit.caller.name)
        return page(request, visit, link=f"{console.parts.public_url}/login?code={secret}", link_of=name)

    return router


def role_of(word: str) -> Role:
    return Role.NONE if word == "none" else Role.named(word)
