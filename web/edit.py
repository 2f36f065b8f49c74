"""Changing files in the browser: edit, add, upload, delete. Each is one commit to a branch, under the rules of a push."""

from urllib.parse import quote

from fastapi import Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from orchestrator.domain.records import AnyRepo
from orchestrator.domain.space import Role
from orchestrator.errors import CallerError, Invalid, NotFound, Stale, TooLarge
from orchestrator.ports import Change
from web.addresses import RepoPages, below
from web.files import TEXT_LIMIT, entry_of, kind_of, open_repo
from web.page import Console, go
from web.session import Visit, read_upload

_FILES = 100  #: of one upload
_MESSAGE = 500


def routes(console: Console) -> RepoPages:
    router = RepoPages()
    parts = console.parts

    def begin(request: Request, visit: Visit) -> tuple[AnyRepo, str, str, str, dict]:
        """As `open_repo`, for those who may write, on a branch. Raises NotFound for another revision."""
        console.repo(visit, request, Role.WRITE)
        return on_branch(request, visit)

    def on_branch(request: Request, visit: Visit) -> tuple[AnyRepo, str, str, str, dict]:
        """The same for everybody who reads the files: they may propose a change."""
        repo, revision, commit, path, values = open_repo(console, request, visit, gate=True)
        if commit and f"refs/heads/{revision}" not in parts.repos.refs(repo.id):
            raise NotFound("RevisionNotFound", "Only branches can be changed; choose one above the files.")
        return repo, revision, commit, path, values

    def form_page(request: Request, visit: Visit, values: dict, status: int = 200, **more: object) -> Response:
        shown = {"text": "", "path": "", "message": "", "error": "", "fresh": False, "parent": values["commit"]} | more
        return console.show(request, visit, "repo/edit.html", status=status, **values | shown)

    @router.get("/edit/{rest:path}")
    def edit(request: Request, visit: Visit = Depends(console.member)) -> Response:
        repo, _, commit, path, values = on_branch(request, visit)
        entry_of(console, repo, commit, path)
        data = parts.repos.read(repo.id, commit, path, TEXT_LIMIT + 1) or b""
        if len(data) > TEXT_LIMIT or kind_of(path, data) != "text" or not _utf8(data):
            raise Invalid(
                "NOT_TEXT", "Only text in UTF-8 of at most 400 kB can be edited here; upload the file instead."
            )
        return form_page(request, visit, values, text=data.decode(), path=path)

    @router.get("/new/{rest:path}")
    def new(request: Request, visit: Visit = Depends(console.member)) -> Response:
        *_, folder, values = on_branch(request, visit)
        return form_page(request, visit, values, path=f"{folder}/" if folder else "", fresh=True)

    @router.get("/upload/{rest:path}")
    def upload_page(request: Request, visit: Visit = Depends(console.member)) -> Response:
        values = begin(request, visit)[4]
        return console.show(request, visit, "repo/upload.html", **values, error="", limit=parts.file_limit)

    def save(request: Request, visit: Visit, form: dict[str, str], fresh: bool) -> Response:
        repo, revision, _, old, values = on_branch(request, visit)
        proposed = bool(form.get("propose")) or not values["can_change"]
        path, text = form.get("path", "").strip().strip("/") or old, form.get("text", "").replace("\r\n", "\n")
        message = form.get("message", "").strip()[:_MESSAGE] or f"{'Add' if fresh else 'Change'} {path}"[:_MESSAGE]
        changes = [Change(path, text.encode("utf-8", "replace"))]
        if old and path != old and not fresh:
            changes.append(Change(old, None))
        parent = form.get("parent", "")[:40] or None
        try:
            if fresh and _there(console, repo, revision, path):
                raise Invalid("PATH_CLASH", f"There is a file {path[:100]!r} already; open it and edit it.")
            base = f"refs/heads/{revision}"
            if proposed:
                made, _ = parts.community.pull_requests.open_with(visit.caller, repo, changes, message, parent, base)
                return go(f"/{repo.path}/discussions/{made.num}")
            parts.pushes.commit(visit.caller, repo, changes, message, parent, base)
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
        return go(_after(repo, revision, path))

    @router.post("/edit/{rest:path}")
    @router.post("/new/{rest:path}")
    async def write(request: Request, visit: Visit = Depends(console.member)) -> Response:
        form, files = await read_upload(request, visit.key, 3 * TEXT_LIMIT, field_limit=3 * TEXT_LIMIT)
        for _, file in files:
            file.close()
        fresh = below(request)[0] == "new"
        return await run_in_threadpool(save, request, visit, form, fresh)

    def store(request: Request, visit: Visit, form: dict, files: list) -> Response:
        repo, revision, _, folder, values = begin(request, visit)
        try:
            changes = list(_changes(files, folder, parts.file_limit))
            if not changes:
                raise Invalid("UPLOAD", "Choose at least one file.")
            what = changes[0].path if len(changes) == 1 else f"{len(changes)} files"
            message = form.get("message", "").strip()[:_MESSAGE] or f"Upload {what}"[:_MESSAGE]
            parts.pushes.commit(visit.caller, repo, changes, message, None, f"refs/heads/{revision}")
        except CallerError as error:
            more = {"error": error.message, "limit": parts.file_limit}
            return console.show(request, visit, "repo/upload.html", status=422, **values, **more)
        return go(_after(repo, revision, folder, "tree"))

    @router.post("/upload/{rest:path}")
    async def upload(request: Request, visit: Visit = Depends(console.member)) -> Response:
        form, files = await read_upload(request, visit.key, parts.push_limit, count=_FILES)
        try:
            return await run_in_threadpool(store, request, visit, form, files)
        finally:
            for _, file in files:
                file.close()

    @router.post("/remove/{rest:path}")
    def remove(
        request: Request,
        form: dict[str, str] = Depends(console.form),
        visit: Visit = Depends(console.member),
    ) -> Response:
        repo, revision, _, path, _ = begin(request, visit)
        change = Change(path, None)
        parts.pushes.commit(visit.caller, repo, [change], f"Delete {path}"[:_MESSAGE], None, f"refs/heads/{revision}")
        return go(_after(repo, revision, path.rpartition("/")[0], "tree"))

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


def _there(console: Console, repo: AnyRepo, revision: str, path: str) -> bool:
    head = console.parts.repos.head(repo.id, f"refs/heads/{revision}")
    if any(step in ("", ".", "..") for step in path.split("/")):
        return False  # the commit says what is wrong with it
    try:
        return bool(head and console.parts.repos.entry(repo.id, head, path))
    except NotFound:
        return False


def _utf8(data: bytes) -> bool:
    try:
        data.decode()
        return True
    except UnicodeDecodeError:
        return False


def _after(repo: AnyRepo, revision: str, path: str, tab: str = "blob") -> str:
    done = "committed" if repo.kind.runs else "stored"
    return f"/{repo.path}/{tab}/{quote(revision, safe='')}{'/' + quote(path) if path else ''}?done={done}"
