"""What every page of a repo shows on top, whatever its kind."""

from orchestrator.domain.caller import role_on
from orchestrator.domain.records import AnyRepo, Space
from orchestrator.domain.space import Role
from web.page import Console
from web.session import Visit


def header(console: Console, visit: Visit, repo: AnyRepo, tab: str) -> dict[str, object]:
    """The values of `repo/_base.html`; pages of Spaces read `space`."""
    values: dict[str, object] = {
        "repo": repo,
        "liked": console.parts.likes.is_liked(visit.caller, repo),
        "tab": tab,
        "base": f"/{repo.path}",
        "can_change": console.may_change(visit, repo),
        "sees_code": role_on(visit.caller, repo, code=True) >= Role.READ,
    }
    if isinstance(repo, Space):
        url = console.parts.app_url(repo.label)
        values |= {"space": repo, "app_url": url, "outside": f"/open?to={url}/" if repo.private else url}
    return values
