"""The Files tab: folders and files, the README. What users made is shown as text or, for four kinds of image, sent from an
address of its own that runs nothing. What became of files is `history.py`, changing them `edit.py`."""

from urllib.parse import quote

from fastapi import Depends, Request, Response
from fastapi.responses import StreamingResponse
from markupsafe import Markup

from orchestrator.domain.records import AnyRepo
from orchestrator.domain.tree import TreeEntry
from orchestrator.errors import Invalid, NotFound
from web import highlight
from web.addresses import RepoPages, below
from web.markdown import readme
from web.page import Console
from web.repo import header
from web.session import Visit

TEXT_LIMIT = 400_000  #: bytes of a file that are shown
IMAGE_LIMIT = 10_000_000
IMAGES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}
_ENTRIES = 2000
_REFS = 100
_LFS = b"version https://git-lfs.github.com/spec/"


def open_repo(
    console: Console, request: Request, visit: Visit, gate: bool = False
) -> tuple[AnyRepo, str, str, str, dict]:
    """(repo, revision as asked, commit id or "" for an empty repo, path, what all pages of files share). `gate`: of what only
    those see who are past the repo's gate, which is everything but names and the card."""
    repo = console.repo(visit, request, gate=gate)
    revision, path = place(request)
    repos = console.parts.repos
    empty = revision == "main" and repos.head(repo.id) is None
    commit = "" if empty else repos.resolve(repo.id, revision)
    refs = repos.refs(repo.id)
    branches = sorted(ref[11:] for ref in refs if ref.startswith("refs/heads/"))
    values = header(console, visit, repo, "files") | {
        "revision": revision,
        "rev_url": quote(revision, safe=""),
        "commit": commit,
        "file_path": path,
        "branches": branches[:_REFS],
        "tag_names": sorted(ref[10:] for ref in refs if ref.startswith("refs/tags/"))[:_REFS],
    }
    values["can_edit"] = values["can_change"] and (revision in branches or not commit)
    return repo, revision, commit, path, values


def entry_of(console: Console, repo: AnyRepo, commit: str, path: str) -> TreeEntry:
    """With `large` where it stands for a large file. Raises NotFound `EntryNotFound` for what is not a file."""
    entry = console.parts.repos.entry(repo.id, commit, path) if commit and path else None
    if entry is None or entry.type != "file":
        raise NotFound("EntryNotFound", "There is no such file in this revision.")
    return console.parts.large.seen(repo.id, [entry])[0]


def readme_of(console: Console, repo: AnyRepo, commit: str, revision: str, entries: list[TreeEntry]) -> Markup | None:
    """The README among the entries of a folder, rendered; None when there is none, or when it is a large file."""
    found = next((e for e in entries if e.path.rpartition("/")[2].lower() == "readme.md" and e.type == "file"), None)
    data = console.parts.repos.read(repo.id, commit, found.path, TEXT_LIMIT) if found else None
    return None if data is None or data.startswith(_LFS) else _rendered(repo, data, found.path, revision)


def _rendered(repo: AnyRepo, data: bytes, path: str, revision: str) -> Markup:
    folder = path.rpartition("/")[0]
    here = f"{quote(revision, safe='')}{'/' + quote(folder) if folder else ''}"
    return readme(data.decode("utf-8", "replace"), f"/{repo.path}/blob/{here}", f"/{repo.path}/media/{here}")


def routes(console: Console) -> RepoPages:
    router = RepoPages()
    repos, large = console.parts.repos, console.parts.large

    @router.get("/tree/{rest:path}")
    def tree(request: Request, visit: Visit = Depends(console.visit)) -> Response:
        repo, revision, commit, path, values = open_repo(console, request, visit)
        entries = repos.tree(repo.id, commit, path) if commit else []
        entries = sorted(entries, key=lambda e: (e.type != "directory", e.path.lower()))
        last = next(iter(repos.log(repo.id, commit, limit=1)), None) if commit else None
        card = readme_of(console, repo, commit, revision, entries) if commit else None
        shown = large.seen(repo.id, entries[:_ENTRIES])
        values |= {"entries": shown, "hidden": len(entries) - len(shown), "last": last, "card": card}
        return console.show(request, visit, "repo/tree.html", **values)

    @router.get("/blob/{rest:path}")
    def blob(request: Request, plain: str = "", visit: Visit = Depends(console.visit)) -> Response:
        repo, revision, commit, path, values = open_repo(console, request, visit, gate=True)
        entry = entry_of(console, repo, commit, path)
        data = repos.read(repo.id, commit, path, TEXT_LIMIT + 1) or b""
        kind, card, lines = kind_of(path, data), None, []
        if entry.large and _image(path):
            kind = "image"
        markdown = path.lower().endswith((".md", ".markdown"))
        if kind == "text" and markdown and not plain:
            card = _rendered(repo, data[:TEXT_LIMIT], path, revision)
        elif kind == "text":
            lines = highlight.lines(path, data[:TEXT_LIMIT].decode("utf-8", "replace"))
        values |= {"entry": entry, "kind": kind, "lines": lines, "cut": len(data) > TEXT_LIMIT, "card": card}
        values |= {"markdown": markdown, "plain": bool(plain), "lfs": _pointer(data) if kind == "lfs" else {}}
        return console.show(request, visit, "repo/blob.html", **values)

    @router.get("/media/{rest:path}")
    def media(request: Request, visit: Visit = Depends(console.visit)) -> Response:
        """An image of the repo, of a kind that cannot hold a program."""
        repo, _, commit, path, _ = open_repo(console, request, visit, gate=True)
        entry, kind = entry_of(console, repo, commit, path), _image(path)
        size = entry.large.size if entry.large else entry.size
        if kind is None or size > IMAGE_LIMIT:
            raise Invalid(
                "IMAGE", "Only PNG, JPEG, GIF and WebP up to 10 MB are shown here; download the file instead."
            )
        headers = {
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "private, max-age=60",
            "Content-Length": str(size),
        }
        pieces = large.read(repo.id, entry.large.oid) if entry.large else repos.blob(repo.id, entry.oid)
        return StreamingResponse(pieces, media_type=kind, headers=headers)

    return router


def _image(path: str) -> str | None:
    """The media type of a file that is shown as an image."""
    return IMAGES.get(path.rpartition(".")[2].lower())


def kind_of(path: str, data: bytes) -> str:
    """text | image | lfs | binary"""
    if data.startswith(_LFS) and len(data) < 1024:
        return "lfs"
    if _image(path):
        return "image"
    return "binary" if b"\0" in data[:8000] else "text"


def _pointer(data: bytes) -> dict[str, str]:
    """The lines of a Git LFS pointer."""
    pairs = (line.partition(" ") for line in data.decode("utf-8", "replace").splitlines())
    return {key: value for key, _, value in pairs if key in ("oid", "size")}


def place(request: Request) -> tuple[str, str]:
    """(revision, path) behind the tab."""
    steps = below(request)[1:]
    if steps[:2] in (["refs", "pr"], ["refs", "convert"]):  # also where the slashes of a ref were not encoded
        steps[:3] = ["/".join(steps[:3])]
    path = "/".join(steps[1:]).strip("/")
    if any(ord(c) < 32 or ord(c) == 127 for c in path) or ".." in path.split("/"):
        raise NotFound("EntryNotFound", "There is no such file in this revision.")
    return steps[0] or "main" if steps else "main", path
