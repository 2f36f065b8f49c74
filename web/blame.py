"""Which commit each line of a file comes from, beside the file."""

from fastapi import Depends, Request, Response

from orchestrator.domain.tree import Blame
from web import highlight
from web.addresses import RepoPages
from web.files import TEXT_LIMIT, entry_of, kind_of, open_repo
from web.page import Console
from web.session import Visit

LINES = 10_000  #: of a file that is shown with its history


def routes(console: Console) -> RepoPages:
    router = RepoPages()
    repos, refs = console.parts.repos, console.parts.community.refs

    @router.get("/blame/{rest:path}")
    def blame(request: Request, visit: Visit = Depends(console.visit)) -> Response:
        repo, _, commit, path, values = open_repo(console, request, visit, gate=True)
        entry = entry_of(console, repo, commit, path)
        data = repos.read(repo.id, commit, path, TEXT_LIMIT + 1) or b""
        why_not = _why_not(path, data, bool(entry.large))
        lines = [] if why_not else highlight.lines(path, data.decode("utf-8", "replace"))
        if len(lines) > LINES:
            lines, why_not = [], f"has more than {LINES:,} lines"
        found = refs.blame(repo.id, commit, path) if lines else []
        values |= {"lines": lines, "why_not": why_not, "blamed": of_lines(found, len(lines))}
        values["open"] = sum(one is None for one in values["blamed"])
        return console.show(request, visit, "repo/blame.html", **values)

    return router


def of_lines(found: list[Blame], count: int) -> list[tuple[Blame, bool] | None]:
    """For each line its piece, and whether that begins there; None where nobody knows."""
    told: list[tuple[Blame, bool] | None] = [None] * count
    for one in found:
        for at in range(max(1, one.first), min(count, one.first + one.count - 1) + 1):
            told[at - 1] = (one, at == one.first)
    return told


def _why_not(path: str, data: bytes, large: bool) -> str:
    if large or kind_of(path, data) != "text":
        return "is not text"
    return f"is larger than {TEXT_LIMIT // 1000} kB" if len(data) > TEXT_LIMIT else ""
