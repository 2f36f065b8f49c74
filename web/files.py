"""The Files tab: folders and files, the README. What users made is shown as text or, for four kinds of image, sent from an
address of its own that runs nothing. What became of files is `history.py`, changing them `edit.py`."""

from urllib.parse import quote, unquote

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from orchestrator.domain.records import Space
from orchestrator.domain.tree import TreeEntry
from orchestrator.errors import Invalid, NotFound
from web import highlight
from web.markdown import readme
from web.page import Console
from web.session import Visit
from web.space import header

TEXT_LIMIT = 400_000  #: bytes of a file that are shown
IMAGE_LIMIT = 10_000_000
IMAGES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}
_ENTRIES = 2000
_REFS = 100
_LFS = b"version https://git-lfs.github.com/spec/"


def open_repo(
    console: Console, request: Request, visit: Visit, owner: str, name: str
) -> tuple[Space, str, str, str, dict]:
    """(space, revision as asked, commit id or "" for an empty repo, path, what all pages of files share)."""
    space = console.space(visit, owner, name, code=True)
    revision, path = place(request)
    repos = console.parts.repos
    empty = revision == "main" and repos.head(space.id) is None
    commit = "" if empty else repos.resolve(space.id, revision)
    named = repos.refs(space.id)
    branches = sorted(ref[11:] for ref in named if ref.startswith("refs/heads/"))
    values = header(console, visit, space, "files") | {
        "revision": revision,
        "rev_url": quote(revision, safe=""),
        "commit": commit,
        "file_path": path,
        "branches": branches[:_REFS],
        "tag_names": sorted(ref[10:] for ref in named if ref.startswith("refs/tags/"))[:_REFS],
    }
    values["can_edit"] = values["can_change"] and (revision in branches or not commit)
    return space, revision, commit, path, values


def entry_of(console: Console, space: Space, commit: str, path: str) -> TreeEntry:
    """Raises NotFound `EntryNotFound` for what is not a file."""
    entry = console.parts.repos.entry(space.id, commit, path) if commit and path else None
    if entry is None or entry.type != "file":
        raise NotFound("EntryNotFound", "There is no such file in this revision.")
    return entry


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    repos = console.parts.repos

    @router.get("/spaces/{owner}/{name}/tree/{rest:path}")
    def tree(request: Request, owner: str, name: str, visit: Visit = Depends(console.visit)) -> Response:
        space, _, commit, path, values = open_repo(console, request, visit, owner, name)
        entries = repos.tree(space.id, commit, path) if commit else []
        entries = sorted(entries, key=lambda e: (e.type != "directory", e.path.lower()))
        last = next(iter(repos.log(space.id, commit, limit=1)), None) if commit else None
        card = _card(space, commit, path, entries, values) if commit else None
        values |= {"entries": entries[:_ENTRIES], "hidden": max(0, len(entries) - _ENTRIES), "last": last, "card": card}
        return console.show(request, visit, "space/tree.html", **values)

    def _card(space: Space, commit: str, path: str, entries: list[TreeEntry], values: dict) -> object:
        found = next(
            (e for e in entries if e.path.rpartition("/")[2].lower() == "readme.md" and e.type == "file"), None
        )
        data = repos.read(space.id, commit, found.path, TEXT_LIMIT) if found else None
        return None if data is None or data.startswith(_LFS) else rendered(space, data, path, values)

    def rendered(space: Space, data: bytes, folder: str, values: dict) -> object:
        below = f"{values['rev_url']}{'/' + quote(folder) if folder else ''}"
        base = f"/{space.path}"
        return readme(data.decode("utf-8", "replace"), f"{base}/blob/{below}", f"{base}/media/{below}")

    @router.get("/spaces/{owner}/{name}/blob/{rest:path}")
    def blob(
        request: Request, owner: str, name: str, plain: str = "", visit: Visit = Depends(console.visit)
    ) -> Response:
        space, _, commit, path, values = open_repo(console, request, visit, owner, name)
        entry = entry_of(console, space, commit, path)
        data = repos.read(space.id, commit, path, TEXT_LIMIT + 1) or b""
        kind, card, lines = kind_of(path, data), None, []
        markdown = path.lower().endswith((".md", ".markdown"))
        if kind == "text" and markdown and not plain:
            card = rendered(space, data[:TEXT_LIMIT], path.rpartition("/")[0], values)
        elif kind == "text":
            lines = highlight.lines(path, data[:TEXT_LIMIT].decode("utf-8", "replace"))
        values |= {"entry": entry, "kind": kind, "lines": lines, "cut": len(data) > TEXT_LIMIT, "card": card}
        values |= {"markdown": markdown, "plain": bool(plain), "lfs": _pointer(data) if kind == "lfs" else {}}
        return console.show(request, visit, "space/blob.html", **values)

    @router.get("/spaces/{owner}/{name}/media/{rest:path}")
    def media(request: Request, owner: str, name: str, visit: Visit = Depends(console.visit)) -> Response:
        """An image of the repo, of a kind that cannot hold a program."""
        space, _, commit, path, _ = open_repo(console, request, visit, owner, name)
        entry, kind = entry_of(console, space, commit, path), IMAGES.get(path.rpartition(".")[2].lower())
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


def kind_of(path: str, data: bytes) -> str:
    """text | image | lfs | binary"""
    if data.startswith(_LFS) and len(data) < 1024:
        return "lfs"
    if path.rpartition(".")[2].lower() in IMAGES:
        return "image"
    return "binary" if b"\0" in data[:8000] else "text"


def _pointer(data: bytes) -> dict[str, str]:
    """The lines of a Git LFS pointer."""
    pairs = (line.partition(" ") for line in data.decode("utf-8", "replace").splitlines())
    return {key: value for key, _, value in pairs if key in ("oid", "size")}


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
