"""What became of the files: the list of commits, one commit as a diff, and which commit touched each entry of a folder last."""

from collections import OrderedDict

from fastapi import Depends, Request, Response
from fastapi.responses import JSONResponse

from orchestrator.domain.records import Space
from orchestrator.domain.tree import EMPTY_TREE, Commit
from orchestrator.errors import NotFound
from web import diff
from web.addresses import RepoPages
from web.files import open_repo
from web.page import Console
from web.session import Visit
from web.shapes import ago, plain

COMMITS = 50
PATCH_LIMIT = 1_000_000  #: bytes
_ENTRIES = 500
_KEPT = 300


def routes(console: Console) -> RepoPages:
    router = RepoPages()
    repos, refs = console.parts.repos, console.parts.community.refs
    known: OrderedDict[tuple[str, str, str], dict[str, list[str]]] = OrderedDict()

    @router.get("/commits/{rest:path}")
    def commits(request: Request, p: int = 0, visit: Visit = Depends(console.visit)) -> Response:
        repo, _, commit, _, values = open_repo(console, request, visit)
        p = max(0, min(p, 10_000))
        found = repos.log(repo.id, commit, skip=p * COMMITS, limit=COMMITS + 1) if commit else []
        values |= {"commits": found[:COMMITS], "more": p + 1 if len(found) > COMMITS else 0, "page": p}
        return console.show(request, visit, "repo/commits.html", **values)

    @router.get("/commit/{rest:path}")
    def commit(request: Request, visit: Visit = Depends(console.visit)) -> Response:
        repo, _, oid, _, values = open_repo(console, request, visit, gate=True)
        if not oid:
            raise NotFound("RevisionNotFound", "There is no such commit.")
        one = repos.log(repo.id, oid, limit=1)[0]
        files, cut = changes(one, repo.id)
        builds = console.parts.spaces.builds(repo, 50) if isinstance(repo, Space) and values["can_change"] else []
        builds = [build for build in builds if build.revision == oid]
        values |= {"one": one, "files": files, "cut": cut, "builds": builds}
        return console.show(request, visit, "repo/commit.html", **values)

    def changes(one: Commit, repo_id: str) -> tuple[list[diff.FileDiff], bool]:
        base = one.parents[0] if one.parents else EMPTY_TREE
        patch = b"".join(refs.diff(repo_id, base, one.id, False, PATCH_LIMIT))
        files, cut = diff.parse(patch.decode("utf-8", "replace"))
        return files, cut or len(patch) >= PATCH_LIMIT

    @router.get("/lasts/{rest:path}")
    def lasts(request: Request, visit: Visit = Depends(console.visit)) -> Response:
        """Entry -> [title, commit, when], asked for by the page once it is shown: a long history takes its time."""
        repo, _, oid, path, _ = open_repo(console, request, visit)
        key = (repo.id, oid, path)
        if key not in known:
            paths = [entry.path for entry in repos.tree(repo.id, oid, path)[:_ENTRIES]] if oid else []
            found = refs.last_commits(repo.id, oid, paths) if paths else {}
            known[key] = {p: [plain(c.title, 100), c.id, ago(c.at)] for p, c in found.items()}
            while len(known) > _KEPT:
                known.popitem(last=False)
        return JSONResponse(known[key], headers={"Cache-Control": "private, max-age=60"})

    return router
