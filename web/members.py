"""The members of one repo on its settings page, whatever its kind."""

from orchestrator.domain.invitation import MAY, Invitation
from orchestrator.domain.records import AnyRepo
from orchestrator.domain.space import Role
from orchestrator.errors import Invalid, NotFound
from web.page import Console
from web.session import Form, Visit


def of_repo(console: Console, visit: Visit, repo: AnyRepo) -> dict[str, object]:
    """The values of the panel."""
    return {
        "members": console.parts.collaborators.of(visit.caller, repo),
        "invited": console.parts.collaborators.invited(visit.caller, repo),
        "may": MAY,
        "owned_by_many": console.parts.accounts.owner(repo.owner).kind == "org",
    }


def change(console: Console, visit: Visit, repo: AnyRepo, form: Form) -> str:
    """Invite somebody, give a member another role, or remove them."""
    name, role = form.get("user", "").strip()[:96], Role.named(form.get("role", "")[:20])
    try:
        if role is Role.NONE:
            console.parts.collaborators.remove(visit.caller, repo, name)
        else:
            made, _ = console.parts.collaborators.put(visit.caller, repo, name, role)
            return "invited" if isinstance(made, Invitation) else "member"
    except NotFound as error:
        raise Invalid(error.code, error.message) from None
    return "member"


def leave(console: Console, visit: Visit, repo: AnyRepo, form: Form) -> str:
    console.parts.collaborators.remove(visit.caller, repo, visit.caller.name)
    return "left"
