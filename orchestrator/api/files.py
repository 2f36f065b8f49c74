"""Reading a repo: tree, refs, commits, and the bytes of files (hub-api reference 2.9-2.12, 2.16)."""

import re
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from mimetypes import guess_type
from typing import Annotated
from urllib.parse import parse_qs, quote, unquote

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from orchestrator.api import expanded, views
from orchestrator.api.identity import BaseDep, PartsDep, base_url, caller_of, parts_of
from orchestrator.api.params import (
    Name,
    Owner,
    RepoDep,
    Segment,
    cursor_of,
    is_storable,
    kind_at,
    listed,
    next_link,
    read_cursor,
)
from orchestrator.api.ranges import bytes_between, etags, span
from orchestrator.domain.space import Visibility
from orchestrator.domain.tree import TreeEntry
from orchestrator.errors import Invalid, NotFound

router = APIRouter(tags=["files"])
#: The bytes of files. Apart, to be asked first: clients fetch them by the thousand, and each route that is asked before costs.
bytes_router = APIRouter(tags=["files"])
REPO = "/api/{kind}/{owner}/{name}"
Revision = Annotated[Segment, Path(max_length=500)]
FilePath = Annotated[Segment, Path(max_length=5000)]
_BYTES = "/{{kind:kind}}/{{owner}}/{{name}}/{}/{{revision}}/{{path:path}}"
_PAGE = 1000
_PATHS = 2000
_WHOLE = 1024**2  #: bytes of a file that is answered at once; each piece of a stream is a hop to a thread and back
#: Types that a browser shows without running anything; all else is plain text or a download.
_SHOWN = re.compile(r"image/(png|jpeg|gif|webp|avif|bmp)|audio/[\w.+-]+|video/[\w.+-]+|application/json")
_EMBEDDED = ("image", "audio", "video")  #: as browsers say it: part of a page that shows it, no download
_TEXT = re.compile(r"text/.*|application/(javascript|x-sh|x-python|xml|x-yaml|toml)|image/svg\+xml|.*\+(xml|json)")


def folder_in(request: Request) -> str:
    """The path below the revision; none means the root."""
    return unquote(str(request.path_params.get("path", ""))).strip("/")


def inside(path: str) -> str:
    """The path if it can name an entry of a tree; git refuses the others, each in its own way. Raises NotFound."""
    if path and any(part in ("", ".", "..") for part in path.split("/")):
        raise NotFound("EntryNotFound", "a path has no empty, '.' or '..' component")
    return path


@router.get(REPO + "/tree/{revision}")
@router.get(REPO + "/tree/{revision}/{path:path}")
def tree(
    request: Request,
    response: Response,
    space: RepoDep,
    parts: PartsDep,
    base: BaseDep,
    revision: Revision,
    path: Annotated[str, Depends(folder_in)],
    recursive: bool = False,
    expand: bool = False,
    limit: Annotated[int, Query(ge=1)] = _PAGE,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
):
    """Files and folders below a path, in pages. `expand`: with the commit that touched each last."""
    commit = parts.repos.resolve(space.id, revision)
    try:
        entries = parts.repos.tree(space.id, commit, inside(path), recursive)
    except NotFound as error:
        raise _missing(error, commit, path) from None
    entries = [e for e in entries if e.type == "directory"] + [
        e for e in entries if e.type != "directory"
    ]  # as on the Hub
    start = _offset(cursor)
    end = start + min(limit, expanded.PAGE if expand else _PAGE)
    if end < len(entries):
        response.headers.update(next_link(request, base, cursor=cursor_of(end)))
    response.headers["X-Repo-Commit"] = commit
    shown = [views.entry(entry) for entry in parts.large.seen(space.id, entries[start:end])]
    return expanded.with_last_commits(parts.community.refs, space.id, commit, shown) if expand else shown


def _offset(cursor: str | None) -> int:
    given = read_cursor(cursor, 1)[0] if cursor else "0"
    if not given.isdecimal() or len(given) > 12:
        raise Invalid("CURSOR", "this cursor was not made by Podium; start again without one")
    return int(given)


Asked = tuple[list[str], bool]


async def asked_paths(request: Request) -> Asked:
    """`paths` and `expand` of a form or of a JSON body. Raises Invalid `PATHS`."""
    body = await request.body()
    paths: object = None
    expand: object = request.query_params.get("expand")
    try:
        media = request.headers.get("content-type", "")
        if media.startswith("application/json"):
            told = await request.json()
            if isinstance(told, dict):
                paths, expand = told.get("paths"), told.get("expand", expand)
        elif not media.startswith("multipart/"):
            fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_PATHS + 10)
            paths = fields.get("paths", []) + fields.get("paths[]", [])
            expand = fields.get("expand", [expand])[-1]
    except (ValueError, RecursionError):
        pass
    paths = [paths] if isinstance(paths, str) else paths
    if (
        not isinstance(paths, list)
        or len(paths) > _PATHS
        or not all(isinstance(p, str) for p in paths)
        or not is_storable(paths)
    ):
        raise Invalid("PATHS", f"send a form or a JSON body with at most {_PATHS} texts under 'paths'")
    return paths, expand is True or str(expand).lower() in ("true", "1")


@router.post(REPO + "/paths-info/{revision}")
def paths_info(space: RepoDep, parts: PartsDep, revision: Revision, asked: Annotated[Asked, Depends(asked_paths)]):
    """What these paths are; those that are not there are left out. `expand`: with the commit that touched each last."""
    paths, expand = asked
    commit = parts.repos.resolve(space.id, revision)
    shown = [views.entry(entry) for entry in parts.large.seen(space.id, entries_of(parts, space.id, commit, paths))]
    return expanded.with_last_commits(parts.community.refs, space.id, commit, shown) if expand else shown


def entries_of(parts, repo_id: str, commit: str, paths: Iterable[str]) -> list[TreeEntry]:
    """The entries that are there; one look into git, not one per path, when there are many."""
    wanted = dict.fromkeys(path.strip("/") for path in paths)
    if len(wanted) > 8:
        every = {entry.path: entry for entry in parts.repos.tree(repo_id, commit, "", True)}
        folders = {parent for path in every for parent in _parents(path)}
        found = [
            every.get(path) or (_entry(parts, repo_id, commit, path) if path in folders else None) for path in wanted
        ]
    else:
        found = [_entry(parts, repo_id, commit, path) for path in wanted]
    return [entry for entry in found if entry]


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _entry(parts, repo_id: str, commit: str, path: str) -> TreeEntry | None:
    try:
        return parts.repos.entry(repo_id, commit, inside(path)) if path else None
    except (NotFound, Invalid):
        return None


@router.get(REPO + "/commits/{revision}")
def commits(
    request: Request,
    response: Response,
    space: RepoDep,
    parts: PartsDep,
    base: BaseDep,
    revision: Revision,
    p: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
):
    """History, newest first, in pages."""
    commit = parts.repos.resolve(space.id, revision)
    found = parts.repos.log(space.id, commit, p * limit, limit + 1)
    if len(found) > limit:
        response.headers.update(next_link(request, base, p=p + 1))
    response.headers["X-Total-Count"] = str(parts.repos.count(space.id, commit))
    formatted = "formatted" in listed(request, "expand")
    return [views.commit(one, formatted) for one in found[:limit]]


@bytes_router.head(_BYTES.format("resolve"), include_in_schema=False)
@bytes_router.get(_BYTES.format("resolve"))
@bytes_router.head(_BYTES.format("raw"), include_in_schema=False)
@bytes_router.get(_BYTES.format("raw"))
def resolve(
    request: Request,
    kind: Annotated[str, Path(max_length=40)],
    owner: Owner,
    name: Name,
    revision: Revision,
    path: FilePath,
    download: bool = False,
):
    """The bytes of a file; one byte range may be asked for. Its ETag is the git object id, of a large file its SHA-256. `raw`
    shows what is in git, of a large file its pointer."""
    # No dependencies: all in one hop to a thread, because these come by the thousand.
    parts, base, caller = parts_of(request), base_url(request), caller_of(request)
    space = parts.hosted.find(caller, kind_at(kind), owner, name)
    parts.gates.check(caller, space)
    commit = parts.repos.resolve(space.id, revision)
    try:
        entry = parts.repos.entry(space.id, commit, inside(path))
    except (NotFound, Invalid) as error:
        raise _missing(error, commit, path) from None
    if entry.type != "file":
        raise _missing(None, commit, path)
    if "/raw/" not in request.scope["route"].path and request.headers.get("sec-fetch-dest") not in _EMBEDDED:
        parts.downloads.note(space.id, caller.name if caller.user else caller.address)
    large = None if "/raw/" in request.scope["route"].path else parts.large.seen(space.id, [entry])[0].large
    size = large.size if large else entry.size
    headers = _headers(entry, commit, download) | {"X-Linked-Size": str(size)} | _cached(space, revision == commit)
    if large:
        headers |= {"ETag": f'"{large.oid}"', "X-Linked-Etag": f'"{large.oid}"'} | _pieces(
            space, base, large.oid, commit
        )
    if headers["ETag"] in etags(request.headers.get("if-none-match", "")):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    start, end, status = span(request, size, headers)
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return Response(status_code=status, headers=headers)
    headers["Content-Length"] = str(end - start)
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    if large:
        return StreamingResponse(parts.large.read(space.id, large.oid, start, end), status, headers)
    pieces = bytes_between(parts.repos.blob(space.id, entry.oid), start, end)
    if entry.size <= _WHOLE:
        return Response(b"".join(pieces), status, headers)
    return StreamingResponse(pieces, status, headers)


def _missing(error: Exception | None, commit: str, path: str) -> NotFound:
    """Not there; the commit tells the client that it may remember this. Another error stays what it is."""
    if isinstance(error, NotFound) and error.code != "EntryNotFound":
        return error
    shown = path if path.isprintable() and len(path) < 200 else ascii(path[:200])
    return NotFound("EntryNotFound", f"There is no file {shown!r} at {commit[:12]}.", commit=commit)


def _headers(entry: TreeEntry, commit: str, download: bool) -> dict[str, str]:
    return {"X-Repo-Commit": commit} | harmless(entry.path, entry.oid, download)


def harmless(path: str, etag: str, download: bool) -> dict[str, str]:
    """A repo holds whatever strangers pushed, and this is the console's own origin: nothing of it may ever run here."""
    name = path.rpartition("/")[2]
    guessed = guess_type(name)[0] or ("application/octet-stream" if "." in name else "text/plain")
    media = (
        guessed
        if _SHOWN.fullmatch(guessed)
        else "text/plain"
        if _TEXT.fullmatch(guessed)
        else "application/octet-stream"
    )
    attach = download or media == "application/octet-stream"
    return {
        "ETag": f'"{etag}"',
        "Accept-Ranges": "bytes",
        "Content-Type": f"{media}; charset=utf-8" if media == "text/plain" else media,
        "Content-Disposition": f"{'attachment' if attach else 'inline'}; filename*=UTF-8''{quote(name, safe='')}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "same-site",
    }


def _pieces(space, base: str, oid: str, commit: str) -> dict[str, str]:
    """Tells clients that have Xet where to fetch the file in pieces; others do not look."""
    token = f"{base}/api/{space.kind.plural}/{space.full_name}/xet-read-token/{commit}"
    return {"X-Xet-Hash": oid, "Link": f'<{token}>; rel="xet-auth"'}


def _cached(space, fixed: bool) -> dict[str, str]:
    """How long caches between us and the client may answer for us. What a commit id names never changes, but a repo may become
    private; a copy in a shared cache ends soon after. None keeps what some of its visitors may not have."""
    if space.visibility is not Visibility.PUBLIC or space.gated:
        return {"Cache-Control": "private, no-cache"}
    return {"Cache-Control": "public, max-age=300" if fixed else "public, no-cache", "Vary": "Authorization, Cookie"}
