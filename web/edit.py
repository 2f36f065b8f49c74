"""Changing files in the browser: edit, add, upload, delete. Each is one commit to a branch, under the rules of a push."""

from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from orchestrator.domain.records import Space
from orchestrator.domain.space import Role
from orchestrator.errors import CallerError, Invalid, NotFound, Stale, TooLarge
from orchestrator.ports import Change
from web.files import TEXT_LIMIT, entry_of, kind_of, open_repo
from web.page import Console, go
from web.session import Visit, read_upload

_FILES = 100  #: of one upload
_MESSAGE = 500


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    parts = console.parts

    def begin(request: Request, visit: Visit, owner: str, name: str) -> tuple[Space, str, str, str, dict]:
        """As `open_repo`, for those who may write, on a branch. Raises NotFound for another revision."""
        console.space(visit, owner, name, Role.WRITE, code=True)
        return on_branch(request, visit, owner, name)

    def on_branch(request: Request, visit: Visit, owner: str, name: str) -> tuple[Space, str, str, str, dict]:
        """The same for everybody who reads the code: they may propose a change."""
        space, revision, commit, path, values = open_repo(console, request, visit, owner, name)
        if commit and f"refs/heads/{revision}" not in parts.repos.refs(space.id):
            raise NotFound("RevisionNotFound", "Only branches can be changed; choose one above the files.")
        return space, revision, commit, path, values

    def form_page(request: Request, visit: Visit, values: dict, status: int = 200, **more: object) -> Response:
        shown = {"text": "", "path": "", "message": "", "error": "", "fresh": False, "parent": values["commit"]} | more
        return console.show(request, visit, "space/edit.html", status=status, **values | shown)

    @router.get("/spaces/{owner}/{name}/edit/{rest:path}")
    def edit(request: Request, owner: str, name: str, visit: Visit = Depends(console.member)) -> Response:
        space, _, commit, path, values = on_branch(request, visit, owner, name)
        entry_of(console, space, commit, path)
        data = parts.repos.read(space.id, commit, path, TEXT_LIMIT + 1) or b""
        if len(data) > TEXT_LIMIT or kind_of(path, data) != "text" or not _utf8(data):
            raise Invalid(
                "NOT_TEXT", "Only text in UTF-8 of at most 400 kB can be edited here; upload the file instead."
            )
        return form_page(request, visit, values, text=data.decode(), path=path)

    @router.get("/spaces/{owner}/{name}/new/{rest:path}")
    def new(request: Request, owner: str, name: str, visit: Visit = Depends(console.member)) -> Response:
        *_, folder, values = on_branch(request, visit, owner, name)
        return form_page(request, visit, values, path=f"{folder}/" if folder else "", fresh=True)

    @router.get("/spaces/{owner}/{name}/upload/{rest:path}")
    def upload_page(request: Request, owner: str, name: str, visit: Visit = Depends(console.member)) -> Response:
        values = begin(request, visit, owner, name)[4]
        return console.show(request, visit, "space/upload.html", **values, error="", limit=parts.file_limit)

    def save(request: Request, visit: Visit, owner: str, name: str, form: dict[str, str], fresh: bool) -> Response:
        space, revision, _, old, values = on_branch(request, visit, owner, name)
        proposed = bool(form.get("propose")) or not values["can_change"]
        path, text = form.get("path", "").strip().strip("/") or old, form.get("text", "").replace("\r\n", "\n")
        message = form.get("message", "").strip()[:_MESSAGE] or f"{'Add' if fresh else 'Change'} {path}"[:_MESSAGE]
        changes = [Change(path, text.encode("utf-8", "replace"))]
        if old and path != old and not fresh:
            changes.append(Change(old, None))
        parent = form.get("parent", "")[:40] or None
        try:
            if fresh and _there(console, space, revision, path):
                raise Invalid("PATH_CLASH", f"There is a file {path[:100]!r} already; open it and edit it.")
            base = f"refs/heads/{revision}"
            if proposed:
                made, _ = parts.community.pull_requests.open_with(visit.caller, space, changes, message, parent, base)
                return go(f"/{space.path}/discussions/{made.num}")
            parts.pushes.commit(visit.caller, space, changes, message, parent, base)
        except CallerError as error:
            said = _STALE if isinstance(error, Stale) else error.message
            kept = {
                "text": text,
                "path": path,
                "message": form.get("message", ""),
                "fresh": fresh,
                "parent": parent or "",
            }
            return form_page(request, visit, values, status=422, error=said, **kept)
        return go(_after(space, revision, path))

    @router.post("/spaces/{owner}/{name}/edit/{rest:path}")
    @router.post("/spaces/{owner}/{name}/new/{rest:path}")
    async def write(request: Request, owner: str, name: str, visit: Visit = Depends(console.member)) -> Response:
        form, files = await read_upload(request, visit.key, 3 * TEXT_LIMIT, field_limit=3 * TEXT_LIMIT)
        for _, file in files:
            file.close()
        fresh = request.url.path.split("/")[4] == "new"
        return await run_in_threadpool(save, request, visit, owner, name, form, fresh)

    def store(request: Request, visit: Visit, owner: str, name: str, form: dict, files: list) -> Response:
        space, revision, _, folder, values = begin(request, visit, owner, name)
        try:
            changes = list(_changes(files, folder, parts.file_limit))
            if not changes:
                raise Invalid("UPLOAD", "Choose at least one file.")
            what = changes[0].path if len(changes) == 1 else f"{len(changes)} files"
            message = form.get("message", "").strip()[:_MESSAGE] or f"Upload {what}"[:_MESSAGE]
            parts.pushes.commit(visit.caller, space, changes, message, None, f"refs/heads/{revision}")
        except CallerError as error:
            more = {"error": error.message, "limit": parts.file_limit}
            return console.show(request, visit, "space/upload.html", status=422, **values, **more)
        return go(_after(space, revision, folder, "tree"))

    @router.post("/spaces/{owner}/{name}/upload/{rest:path}")
    async def upload(request: Request, owner: str, name: str, visit: Visit = Depends(console.member)) -> Response:
        form, files = await read_upload(request, visit.key, parts.push_limit, count=_FILES)
        try:
            return await run_in_threadpool(store, request, visit, owner, name, form, files)
        finally:
            for _, file in files:
                file.close()

    @router.post("/spaces/{owner}/{name}/remove/{rest:path}")
    def remove(
        request: Request,
        owner: str,
        name: str,
        form: dict[str, str] = Depends(console.form),
        visit: Visit = Depends(console.member),
    ) -> Response:
        space, revision, _, path, _ = begin(request, visit, owner, name)
        change = Change(path, None)
        parts.pushes.commit(visit.caller, space, [change], f"Delete {path}"[:_MESSAGE], None, f"refs/heads/{revision}")
        return go(_after(space, revision, path.rpartition("/")[0], "tree"))

    return router


_STALE = "Somebody changed this branch meanwhile. Copy what you wrote, open the file again and put it in there."


def _changes(files: list, folder: str, limit: int):
    for name, file in files:
        content = file.read(limit + 1)
        if len(content) > limit:
            raise TooLarge(
                "FILE_TOO_LARGE", f"{name[:100]!r} is larger than {limit // 1024**2} MB; push it with git LFS."
            )
        # Browsers give a bare name; whatever else comes is not a path that we follow.
        leaf = name.replace("\\", "/").rpartition("/")[2]
        yield Change(f"{folder}/{leaf}" if folder else leaf, content)


def _there(console: Console, space: Space, revision: str, path: str) -> bool:
    head = console.parts.repos.head(space.id, f"refs/heads/{revision}")
    if any(step in ("", ".", "..") for step in path.split("/")):
        return False  # the commit says what is wrong with it
    try:
        return bool(head and console.parts.repos.entry(space.id, head, path))
    except NotFound:
        return False


def _utf8(data: bytes) -> bool:
    try:
        data.decode()
        return True
    except UnicodeDecodeError:
        return False


def _after(space: Space, revision: str, path: str, tab: str = "blob") -> str:
    return f"/{space.path}/{tab}/{quote(revision, safe='')}{'/' + quote(path) if path else ''}?done=committed"
