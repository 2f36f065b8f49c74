"""The page that makes a Space: from a template in one click, from a repo elsewhere, from a zip, or by copied commands."""

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from orchestrator.api.readme import first_files, readme
from orchestrator.domain.caller import Caller
from orchestrator.domain.records import Space
from orchestrator.domain.repo import RepoKind
from orchestrator.domain.space import MAIN, Visibility
from orchestrator.errors import CallerError, Invalid
from orchestrator.ports import Change
from orchestrator.services.spaces import SDKS, NewSpace
from web import archive
from web.new_repo import owners_for, usual
from web.page import Console, go
from web.session import Visit, read_upload
from web.starters import STARTERS, starter
from web.story import FIRST_COMMIT

_FIELDS = ("owner", "name", "sdk", "visibility", "way", "template", "url", "copy")
_BEGIN = {"name": "", "sdk": "", "way": "template", "template": "gradio", "url": "", "copy": ""}


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    parts = console.parts

    def page(request: Request, visit: Visit, status: int = 200, error: str = "", **form: str) -> Response:
        owners = owners_for(parts, visit)
        begin = _BEGIN | {"owner": visit.caller.name, "visibility": usual(owners, form.get("owner", ""))}
        values = {
            "owners": [one.name for one in owners],
            "error": error,
            "form": begin | form,
            "starters": STARTERS,
            "limit": parts.push_limit,
        }
        return console.show(request, visit, "new.html", status=status, **values)

    @router.get("/new")
    def new(
        request: Request,
        owner: str = "",
        name: str = "",
        template: str = "",
        url: str = "",
        copy: str = "",
        visit: Visit = Depends(console.member),
    ) -> Response:
        """`/new?template=chat&name=my-chat`, `/new?url=…` and `/new?copy=owner/name` are links that others may give to this
        page, filled in."""
        given = {"owner": owner, "name": name, "template": template if starter(template) else "", "url": url}
        if url:
            given["way"] = "git"
        if copy:
            source = original(visit.caller, copy)
            given |= {"copy": source.full_name, "way": "copy", "name": name or source.name}
        return page(request, visit, **{k: v[:500] for k, v in given.items() if v})

    def original(caller: Caller, name: str) -> Space:
        """The Space that is copied, for those who may read its code."""
        owner, _, rest = name.partition("/")
        return parts.spaces.find(caller, owner, rest, code=True)

    def make(caller: Caller, given: dict[str, str], upload) -> Space:
        """The Space with its first commit; one whose first files could not be had is not left behind."""
        way, files, sdk = given["way"], [], given["sdk"] or None
        source = original(caller, given["copy"]) if way == "copy" else None
        if way == "git":
            parts.imports.check(given["url"])
        elif way == "zip":
            if upload is None:
                raise Invalid("ZIP", "Choose the zip file that holds your app.")
            files = archive.changes(upload, parts.file_limit, parts.push_limit)
        elif begin := starter(given["template"]) if given["template"] and not sdk else None:
            files, sdk = begin.files(), begin.sdk
        try:
            visibility = Visibility(given["visibility"])
        except ValueError:
            visibility = None
        asked = NewSpace(given["name"], given["owner"] or None, sdk, visibility)
        if source:
            return parts.duplicates.duplicate_space(caller, source, asked)
        made = parts.spaces.create(caller, asked)
        try:
            fill(caller, made, way, files, sdk, given["url"])
        except CallerError:
            parts.spaces.discard(caller, made)
            raise
        return made

    def fill(caller: Caller, made: Space, way: str, files: list[Change], sdk: str | None, url: str) -> None:
        if way == "git":
            parts.imports.bring(caller, made, url)
            return
        title = FIRST_COMMIT if not files else "Upload of a zip" if way == "zip" else "Begin with a template"
        has_readme = any(change.path.lower() == "readme.md" for change in files)
        sdk = sdk or (_guess(files) if way == "zip" else None)
        text = "" if has_readme else readme(made.name, sdk)
        parts.pushes.commit(caller, made, first_files(RepoKind.SPACE, text, files), title, None, MAIN)

    @router.post("/new")
    async def create(request: Request, visit: Visit = Depends(console.member)) -> Response:
        form, files = await read_upload(request, visit.key, parts.push_limit)
        upload = files[0][1] if files else None
        given = {name: form.get(name, "").strip()[:500] for name in _FIELDS}
        try:
            made = await run_in_threadpool(make, visit.caller, given, upload)
        except CallerError as error:
            kept = {name: value for name, value in given.items() if value} | {"error": error.message}
            return await run_in_threadpool(lambda: page(request, visit, 422, **kept))
        finally:
            if upload is not None:
                upload.close()
        return go(f"/{made.path}?done=created")

    return router


def _guess(files: list[Change]) -> str | None:
    """The sdk of an app without front matter, where the files leave no doubt."""
    names = {change.path for change in files}
    asked = b"".join(c.content or b"" for c in files if c.path in ("requirements.txt", "app.py")).lower()
    if "Dockerfile" in names:
        return "docker"
    found = [sdk for sdk in SDKS if sdk in ("gradio", "streamlit") and sdk.encode() in asked]
    if "app.py" in names and len(found) == 1:
        return found[0]
    return "static" if "index.html" in names and "app.py" not in names else None
