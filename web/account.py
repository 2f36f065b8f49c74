"""Settings of the one who is signed in and of their organisations: profile, password, browsers, members, what was used."""

from fastapi import APIRouter, Depends, Request, Response

from orchestrator.api.identity import address_of
from orchestrator.domain.caller import role_in
from orchestrator.domain.invitation import MAY
from orchestrator.domain.records import Owner
from orchestrator.domain.space import Role
from orchestrator.errors import CallerError, NotFound, Unauthorized
from web.charts import columns
from web.page import Console, go
from web.people import role_of
from web.session import Form, Visit


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    accounts, people, allotment = console.parts.accounts, console.parts.people, console.parts.allotment
    identities = console.parts.identities

    def spending(visit: Visit, owner: Owner) -> dict[str, object]:
        """What the owner used this month, by flavour, and what is allowed."""
        sums, _, _ = allotment.usage.sums(visit.caller, owner=owner.name)
        by_flavor: dict[str, float] = {}
        for one in sums:
            by_flavor[one.hardware] = by_flavor.get(one.hardware, 0.0) + one.seconds / 3600
        return {
            "chart": columns(list(by_flavor.items()), "hours by hardware", digits=1),
            "sums": sorted(sums, key=lambda one: (-one.cost, -one.seconds))[:20],
            "cost": sum(one.cost for one in sums),
            "quotas": allotment.quotas.list(visit.caller, owner.name),
            "currency": allotment.default.currency,
        }

    def page(request: Request, visit: Visit, status: int = 200, section: str = "", error: str = "") -> Response:
        user = visit.caller.user
        values = {
            "owner": user,
            "browsers": people.browsers(visit.caller, visit.session),
            "orgs": accounts.orgs_of(user),
            "provider": identities.name,
            "identities": identities.of(user),
            "passwords": identities.rules.passwords,
            "error": error,
            "section": section,
        }
        return console.show(request, visit, "account/me.html", status=status, **values, **spending(visit, user))

    @router.get("/settings")
    def me(request: Request, visit: Visit = Depends(console.member)) -> Response:
        return page(request, visit)

    @router.post("/settings/profile")
    def profile(
        request: Request, form: Form = Depends(console.form), visit: Visit = Depends(console.member)
    ) -> Response:
        try:
            people.set_profile(visit.caller, visit.caller.user, form.get("fullname", ""), form.get("email", ""))
        except CallerError as error:
            return page(request, visit, 422, "profile", error.message)
        return go("/settings?done=profile")

    @router.post("/settings/password")
    def password(
        request: Request, form: Form = Depends(console.form), visit: Visit = Depends(console.member)
    ) -> Response:
        if not identities.rules.passwords:
            raise NotFound("PASSWORD_OFF", f"Here people sign in with {identities.name}, not with a password.")
        old, new = form.get("old", "").strip()[:4096], form.get("new", "")[:4096]
        try:
            secret = people.change_password(visit.caller, old, new, address_of(request))
        except Unauthorized:
            return page(request, visit, 422, "password", "That is not your password, nor a token of yours.")
        except CallerError as error:
            return page(request, visit, 422, "password", error.message)
        response = go("/settings?done=password")
        console.cookies.sign_in(response, secret)
        return response

    @router.post("/settings/browsers")
    def browsers(form: Form = Depends(console.form), visit: Visit = Depends(console.member)) -> Response:
        people.end_browser(visit.caller, form.get("id", ""))
        return go("/settings?done=browser#browsers")

    @router.post("/settings/browsers/end")
    def sign_out_elsewhere(form: Form = Depends(console.form), visit: Visit = Depends(console.member)) -> Response:
        accounts.sign_out_everywhere(visit.caller.user, keep=visit.session)
        return go("/settings?done=everywhere#browsers")

    # organisations

    def org_of(visit: Visit, name: str) -> Owner:
        """One that the visitor belongs to. Raises NotFound for every other."""
        try:
            org = accounts.owner(name)
        except NotFound:
            org = None
        if org is None or org.kind != "org" or role_in(visit.caller, org.id) < Role.READ:
            raise NotFound("OWNER", "There is no such organisation of yours.")
        return org

    def org_page(request: Request, visit: Visit, org: Owner, status: int = 200, error: str = "") -> Response:
        runs_it = role_in(visit.caller, org.id) >= Role.ADMIN
        values = {
            "owner": org,
            "orgs": accounts.orgs_of(visit.caller.user),
            "members": accounts.members(org),
            "invited": console.parts.invitations.to(org) if runs_it else (),
            "may": MAY,
            "runs_it": runs_it,
            "error": error,
        }
        return console.show(request, visit, "account/org.html", status=status, **values, **spending(visit, org))

    @router.get("/settings/organisations/{name}")
    def organisation(request: Request, name: str, visit: Visit = Depends(console.member)) -> Response:
        return org_page(request, visit, org_of(visit, name))

    @router.post("/settings/organisations/{name}/{action}")
    def change(
        request: Request,
        name: str,
        action: str,
        form: Form = Depends(console.form),
        visit: Visit = Depends(console.member),
    ) -> Response:
        org, done = org_of(visit, name), action
        try:
            if action == "profile":
                private = form.get("private") == "1"
                people.set_profile(visit.caller, org, form.get("fullname", ""), form.get("email", ""), private)
            elif action == "member":
                role = role_of(form.get("role", ""))
                invited = people.set_member(visit.caller, org, form.get("user", "").strip(), role)
                done = "invited" if invited else done
            else:
                raise NotFound("ACTION", "There is no such action.")
        except CallerError as error:
            if error.code in ("ACTION", "FORBIDDEN"):
                raise
            return org_page(request, visit, org, 422, error.message)
        if action == "member" and form.get("user", "").lower() == visit.caller.name.lower() and role is Role.NONE:
            return go("/settings?done=member")
        return go(f"/settings/organisations/{org.name}?done={done}")

    return router
