"""The Files tab: directories, files, history, the README. What users made is shown as text or, for four kinds of image, sent
from an address of its own that runs nothing."""

from urllib.parse import quote, unquote

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from orchestrator.domain.records import Space
from orchestrator.domain.tree import TreeEntry
from orchestrator.errors import Invalid, NotFound
from web.markdown import readme
from web.page import Console
from web.session import Visit
from web.space import header

TEXT_LIMIT = 400_000  #: bytes of a file that are shown
IMAGE_LIMIT = 10_000_000
IMAGES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}
COMMITS = 50
_LFS = b"version https://git-lfs.github.com/spec/"


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    repos = console.parts.repos

    def open_repo(request: Request, visit: Visit, owner: str, name: str) -> tuple[Space, str, str, str, dict]:
        """(space, revision as asked, commit id or "" for an empty repo, path, shared values)."""
        space = console.space(visit, owner, name, code=True)
        revision, path = place(request)
        empty = revision == "main" and repos.head(space.id) is None
        commit = "" if empty else repos.resolve(space.id, revision)
        values = header(console, visit, space, "files")
        values |= {"revision": revision, "rev_url": quote(revision, safe=""), "commit": commit, "file_path": path}
        return space, revision, commit, path, values

    @router.get("/spaces/{owner}/{name}/tree/{rest:path}")
    def tree(request: Request, owner: str, name: str, visit: Visit = Depends(console.visit)) -> Response:
        space, _, commit, path, values = open_repo(request, visit, owner, name)
        entries = repos.tree(space.id, commit, path) if commit else []
        entries = sorted(entries, key=lambda e: (e.type != "directory", e.path.lower()))
        last = next(iter(repos.log(space.id, commit, limit=1)), None) if commit else None
        card = _card(space, commit, path, entries, values) if commit else None
        values |= {"entries": entries[:2000], "hidden": max(0, len(entries) - 2000), "last": last, "card": card}
        return console.show(request, visit, "space/tree.html", **values)

    def _card(space: Space, commit: str, path: str, entries: list[TreeEntry], values: dict) -> object:
        found = next(
            (e for e in entries if e.path.rpartition("/")[2].lower() == "readme.md" and e.type == "file"), None
        )
        data = repos.read(space.id, commit, found.path, TEXT_LIMIT) if found else None
        if data is None or data.startswith(_LFS):
            return None
        below = f"{values['rev_url']}{'/' + quote(path) if path else ''}"
        base = f"/{space.path}"
        return readme(data.decode("utf-8", "replace"), f"{base}/blob/{below}", f"{base}/media/{below}")

    @router.get("/spaces/{owner}/{name}/blob/{rest:path}")
    def blob(request: Request, owner: str, name: str, visit: Visit = Depends(console.visit)) -> Response:
        space, _, commit, path, values = open_repo(request, visit, owner, name)
        entry = _file(space, commit, path)
        data = repos.read(space.id, commit, path, TEXT_LIMIT + 1) or b""
        kind = _kind(path, data)
        lines = data[:TEXT_LIMIT].decode("utf-8", "replace").splitlines() if kind == "text" else []
        values |= {"entry": entry, "kind": kind, "lines": lines, "cut": len(data) > TEXT_LIMIT}
        return console.show(request, visit, "space/blob.html", **values)

    def _file(space: Space, commit: str, path: str) -> TreeEntry:
        entry = repos.entry(space.id, commit, path) if commit and path else None
        if entry is None or entry.type != "file":
            raise NotFound("EntryNotFound", "There is no such file in this revision.")
        return entry

    @router.get("/spaces/{owner}/{name}/commits/{rest:path}")
    def commits(request: Request, owner: str, name: str, p: int = 0, visit: Visit = Depends(console.visit)) -> Response:
        space, _, commit, _, values = open_repo(request, visit, owner, name)
        p = max(0, min(p, 10_000))
        found = repos.log(space.id, commit, skip=p * COMMITS, limit=COMMITS + 1) if commit else []
        values |= {"commits": found[:COMMITS], "more": p + 1 if len(found) > COMMITS else 0, "page": p}
        return console.show(request, visit, "space/commits.html", **values)

    @router.get("/spaces/{owner}/{name}/media/{rest:path}")
    def media(request: Request, owner: str, name: str, visit: Visit = Depends(console.visit)) -> Response:
        """An image of the repo, of a kind that cannot hold a program."""
        space, _, commit, path, _ = open_repo(request, visit, owner, name)
        entry, kind = _file(space, commit, path), IMAGES.get(path.rpartition(".")[2].lower())
        if kind is None or entry.size > IMAGE_LIMIT:
            raise Invalid(
                "IMAGE", "Only PNG, JPEG, GIF and WebP up to 10 MB are shown here; download the file instead."
            )
        headers = {
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "private, max-age=60",
            "Content-Length": str(entry.size),
        }
        return StreamingResponse(repos.blob(space.id, entry.oid), media_type=kind, headers=headers)

    return router


def _kind(path: str, data: bytes) -> str:
    """text | image | lfs | binary"""
    if data.startswith(_LFS) and len(data) < 1024:
        return "lfs"
    if path.rpartition(".")[2].lower() in IMAGES:
        return "image"
    return "binary" if b"\0" in data[:8000] else "text"


def place(request: Request) -> tuple[str, str]:
    """(revision, path) behind `/spaces/owner/name/<tree, blob, …>/`. Taken from the raw path, in which a revision with slashes
    (`refs%2Fpr%2F1`) is still one step."""
    raw = request.scope.get("raw_path") or quote(request.url.path).encode()
    steps = raw.decode("latin-1").split("?")[0].split("/")[5:]
    steps = [unquote(step) for step in steps]
    path = "/".join(steps[1:]).strip("/")
    if any(ord(c) < 32 or ord(c) == 127 for c in path) or ".." in path.split("/"):
        raise NotFound("EntryNotFound", "There is no such file in this revision.")
    return steps[0] or "main" if steps else "main", path
