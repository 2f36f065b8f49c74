"""The page of the first start: whoever has the link that `podium up` printed makes the first admin. Nothing once there is one."""

from fastapi import APIRouter, Depends, Request, Response

from orchestrator.errors import CallerError, NotFound
from web.page import Console, go
from web.session import Form, Visit


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    people = console.parts.people

    def page(request: Request, visit: Visit, code: str, status: int = 200, **said: str) -> Response:
        values = {"code": code, "name": "", "fullname": "", "error": ""} | said
        return console.show(request, visit, "first_run.html", status=status, **values)

    @router.get("/login/first")
    def first(request: Request, code: str = "", visit: Visit = Depends(console.visit)) -> Response:
        if not people.is_setup(code[:200]):
            raise NotFound("SETUP_CODE", "This link made the first admin already, or is not whole.")
        return page(request, visit, code)

    @router.post("/login/first")
    def make(request: Request, form: Form = Depends(console.form), visit: Visit = Depends(console.visit)) -> Response:
        code, name, fullname = (
            form.get("code", "")[:200],
            form.get("name", "").strip(),
            form.get("fullname", "").strip(),
        )
        try:
            secret = people.first_admin(code, name, form.get("password", ""), fullname[:100])
        except CallerError as error:
            if error.code == "SETUP_CODE":
                raise
            return page(request, visit, code, 422, name=name, fullname=fullname, error=error.message)
        response = go("/docs?done=first")
        console.cookies.sign_in(response, secret)
        return response

    return router
