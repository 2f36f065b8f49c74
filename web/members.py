"""The members of one repo on its settings page, whatever its kind."""

from orchestrator.domain.records import AnyRepo
from orchestrator.domain.space import Role
from orchestrator.errors import Invalid, NotFound
from web.page import Console
from web.session import Form, Visit


def of_repo(console: Console, visit: Visit, repo: AnyRepo) -> dict[str, object]:
    """The values of the panel."""
    return {
        "members": console.parts.collaborators.of(visit.caller, repo),
        "owned_by_many": console.parts.accounts.owner(repo.owner).kind == "org",
    }


def change(console: Console, visit: Visit, repo: AnyRepo, form: Form) -> str:
    """Let somebody in, give them another role, or remove them."""
    name, role = form.get("user", "").strip()[:96], Role.named(form.get("role", "")[:20])
    try:
        if role is Role.NONE:
            console.parts.collaborators.remove(visit.caller, repo, name)
        else:
            console.parts.collaborators.put(visit.caller, repo, name, role)
    except NotFound as error:
        raise Invalid(error.code, error.message) from None
    return "member"


def leave(console: Console, visit: Visit, repo: AnyRepo, form: Form) -> str:
    console.parts.collaborators.remove(visit.caller, repo, visit.caller.name)
    return "left"
