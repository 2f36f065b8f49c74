"""Writing a repo over HTTP: preupload and commit (hub-api reference 2.17, 2.18). A commit's body is read to disk as it comes
and then line by line, so that memory holds one file of it at a time."""

import tempfile
from base64 import b64decode
from binascii import Error as Base64Error
from typing import IO, Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from orchestrator.api.files import REPO, Revision, entries_of
from orchestrator.api.heavy import heavy
from orchestrator.api.identity import BaseDep, CallerDep, PartsDep
from orchestrator.api.ndjson import lines, whole
from orchestrator.api.params import OpenBody, RepoDep
from orchestrator.domain.discussions import pr_number
from orchestrator.domain.globs import Ignored
from orchestrator.domain.large import ATTRIBUTES, ATTRIBUTES_LIMIT, Attributes, check_oid, check_size, pointer_text
from orchestrator.domain.push import WRITTEN, amount
from orchestrator.domain.records import AnyRepo
from orchestrator.domain.space import MAIN
from orchestrator.domain.tree import Change
from orchestrator.errors import Invalid, TooLarge
from orchestrator.services.attributes import mode_of, with_attributes
from orchestrator.services.discussions import refuse_disabled
from orchestrator.services.ref_access import require_ref, require_voice

router = APIRouter(tags=["files"])
_BATCH = 1000
_IGNORE_LIMIT = 256 * 1024  #: bytes of a .gitignore that are read
_MESSAGE_LIMIT = 64 * 1024
_MORE = 1000  #: lines of a commit beyond those that its files need
_OPERATIONS = ("file", "lfsFile", "deletedFile", "deletedFolder", "deletedEntry")


class FileToCome(OpenBody):
    path: str
    size: int = Field(0, ge=0)
    sample: str | None = None


class Preupload(OpenBody):
    files: list[FileToCome] = Field(max_length=_BATCH)
    git_ignore: str | None = Field(None, alias="gitIgnore")
    git_attributes: str | None = Field(None, alias="gitAttributes", max_length=ATTRIBUTES_LIMIT)


def _flag(value: str) -> bool:
    return value.lower() in ("1", "true")


def wants_request(create_pr: Annotated[str, Query(max_length=10)] = "") -> bool:
    """Whether the commit is to open a pull request (`create_pr=1`)."""
    return _flag(create_pr)


def no_hot_reload(hot_reload: Annotated[str, Query(max_length=10)] = "") -> None:
    if _flag(hot_reload):
        raise Invalid(
            "NOT_SUPPORTED", "hot reload is not supported by this Podium; commit without it, it is live in seconds"
        )


WantsRequest = Annotated[bool, Depends(wants_request)]


def repo_to_commit_to(
    repo: RepoDep, caller: CallerDep, parts: PartsDep, revision: Revision, request: WantsRequest
) -> AnyRepo:
    """The repo, if the caller may commit to this revision of it: everybody who reads it may open a pull request."""
    if request:
        require_voice(caller, repo)
        refuse_disabled(repo)
        parts.gates.check(caller, repo)
    else:
        require_ref(parts.pushes.store, caller, repo, branch_of(revision))
    return repo


CommitRepoDep = Annotated[AnyRepo, Depends(repo_to_commit_to)]


@router.post(REPO + "/preupload/{revision}")
def preupload(body: Preupload, space: CommitRepoDep, parts: PartsDep, revision: Revision):
    """How to send each file: within the commit (`regular`), or before it as an object of its own (`lfs`). `oid`: what is there
    now, so that the client can skip what did not change; `shouldIgnore`: .gitignore says so."""
    limit = parts.large.limits.file
    if huge := [file for file in body.files if file.size > limit]:
        shown = ", ".join(f"{file.path[:200]} ({amount(file.size)})" for file in huge[:5])
        message = f"one file may have {amount(limit)}: {shown}; leave it out or make it smaller"
        raise TooLarge("FILE_TOO_LARGE", message)
    commit = _commit_of(parts, space, revision)
    there = entries_of(parts, space.id, commit, [f.path for f in body.files]) if commit else []
    have = {e.path: e.large.oid if e.large else e.oid for e in parts.large.seen(space.id, there)}
    ignored = _ignored(parts, space, commit, body.git_ignore)
    attributes = _attributes(parts, space, commit, body.git_attributes)
    answers = []
    for file in body.files:
        mode = mode_of(attributes, file.path, file.size, _sample(file), parts.file_limit)
        answer: dict[str, Any] = {"path": file.path, "uploadMode": mode, "shouldIgnore": ignored(file.path)}
        answers.append(answer | ({"oid": have[file.path]} if file.path in have else {}))
    return {"files": answers, "commitOid": commit}


def _attributes(parts, space: AnyRepo, commit: str | None, given: str | None) -> Attributes:
    if given is None:
        given = _attributes_of(parts, space, commit).decode("utf-8", "replace")
    return Attributes(given)


def _attributes_of(parts, space: AnyRepo, commit: str | None) -> bytes:
    return (commit and parts.repos.read(space.id, commit, ATTRIBUTES, ATTRIBUTES_LIMIT)) or b""


def _sample(file: FileToCome) -> bytes:
    try:
        return b64decode(file.sample or "", validate=True)
    except (Base64Error, ValueError):
        raise Invalid(
            "SAMPLE", f'{ascii(file.path[:200])}: "sample" must be the first bytes of the file in base64'
        ) from None


def _commit_of(parts, space: AnyRepo, revision: str) -> str | None:
    """The commit of a revision; None where main has none yet."""
    if branch_of(revision) == MAIN and parts.repos.head(space.id) is None:
        return None
    return parts.repos.resolve(space.id, revision)


def _ignored(parts, space: AnyRepo, commit: str | None, given: str | None):
    text = given
    if text is None and commit:
        text = (parts.repos.read(space.id, commit, ".gitignore", _IGNORE_LIMIT) or b"").decode("utf-8", "replace")
    if not text:
        return lambda path: False
    return Ignored(text[:_IGNORE_LIMIT].splitlines()).__contains__


def branch_of(revision: str) -> str:
    """The full ref that a commit to `revision` moves."""
    return revision if revision.startswith("refs/") else f"refs/heads/{revision}"


@router.post(REPO + "/commit/{revision}", dependencies=[Depends(no_hot_reload)])
async def commit(
    request: Request,
    space: CommitRepoDep,
    caller: CallerDep,
    parts: PartsDep,
    base: BaseDep,
    revision: Revision,
    opens_request: WantsRequest,
):
    """One commit. Body: NDJSON, a header first, then one line per operation; a small one may be one JSON object. With
    `create_pr=1` it opens a pull request against the branch."""
    ref = branch_of(revision)
    if not ref.startswith(WRITTEN) and not pr_number(ref):
        raise Invalid("REF", f"only branches and pull requests take commits, not {ascii(revision[:100])}")
    with tempfile.TemporaryFile(dir=parts.scratch) as body:
        await _spool(request, body, parts.push_limit, parts.files_limit)
        is_json = request.headers.get("content-type", "").startswith("application/json")
        oid, num = await heavy(request, _apply, parts, caller, space, body, ref, opens_request, is_json)
    made = {"pullRequestUrl": f"{base}/{space.path}/discussions/{num}"} if num else {}
    return made | {
        "success": True,
        "commitOid": oid,
        "commitUrl": f"{base}/{space.path}/commit/{oid}",
        "hookOutput": "",
    }


async def _spool(request: Request, body: IO[bytes], limit: int, files: int) -> None:
    """More lines than can stand for one revision are refused before anything is made of them."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise _too_large(limit)
    size = count = 0
    async for chunk in request.stream():
        size += len(chunk)
        count += chunk.count(b"\n")
        if size > limit:
            raise _too_large(limit)
        if count > 2 * files + _MORE:  # each file goes and another one comes
            raise TooLarge(
                "TOO_MANY_FILES", f"a revision may have {files} files, this commit has more than {count} lines"
            )
        await run_in_threadpool(body.write, chunk)
    body.seek(0)


def _too_large(limit: int) -> TooLarge:
    return TooLarge("TOO_LARGE", f"one commit may have {amount(limit)}; send it in several")


def _apply(
    parts, caller, space: AnyRepo, body: IO[bytes], ref: str, opens_request: bool, is_json: bool
) -> tuple[str, int]:
    """The commit, and the number of the pull request that it opened, or 0."""
    operations = (whole if is_json else lines)(body, parts.file_limit)
    key, header = next(operations, ("", {}))
    if key != "header":
        raise Invalid("COMMIT_BODY", 'the first line must be {"key": "header", "value": {"summary": …}}')
    message, parent = _message(header), header.get("parentCommit")
    if parent is not None and not isinstance(parent, str):
        raise Invalid("COMMIT_BODY", '"parentCommit" must be a commit id')
    changes = with_attributes(
        (_change(parts, space, key, value) for key, value in operations),
        lambda: _attributes_of(parts, space, _commit_of(parts, space, ref)),
    )
    if opens_request:
        one, oid = parts.community.pull_requests.open_with(caller, space, changes, message, parent or None, ref)
        return oid, one.num
    return parts.pushes.commit(caller, space, changes, message, parent or None, ref), 0


def _message(header: dict) -> str:
    parts = [header.get("summary") or "", header.get("description") or ""]
    if not all(isinstance(part, str) for part in parts):
        raise Invalid("COMMIT_BODY", '"summary" and "description" must be texts')
    message = "\n\n".join(part.strip() for part in parts if part.strip())
    if not message or len(message) > _MESSAGE_LIMIT or "\0" in message:
        raise Invalid("COMMIT_MESSAGE", f"write a commit message of at most {_MESSAGE_LIMIT // 1024} kB without NUL")
    return message.encode("utf-8", "replace").decode()


def _change(parts, space: AnyRepo, key: str, value: dict) -> Change:
    if key not in _OPERATIONS:
        raise Invalid("COMMIT_BODY", f"unknown operation {ascii(key[:40])}; write {', '.join(_OPERATIONS)}")
    path, old = value.get("path"), value.get("oldPath") or ""
    if not isinstance(path, str) or not isinstance(old, str):
        raise Invalid("COMMIT_BODY", f'{ascii(key[:40])} needs a "path", and "oldPath" must be one')
    match key:
        case "file":
            content = value.get("content")
            if content is not None or not old:
                content = content_of(content, value.get("encoding", "utf-8"), path, parts.file_limit)
            return Change(path, content, moved_from=old)
        case "lfsFile":
            return Change(path, _pointer(parts, space, path, value), moved_from=old)
        case "deletedFile":
            return Change(path, None)
        case "deletedFolder":
            return Change(path.rstrip("/"), None, folder=True)
        case _:
            return Change(path.rstrip("/"), None, folder=path.endswith("/"))


def _pointer(parts, space: AnyRepo, path: str, value: dict) -> bytes:
    """What is committed for a large file; without a size it is a copy of one that the repo has."""
    if value.get("algo", "sha256") != "sha256":
        raise Invalid("COMMIT_BODY", f'{ascii(path[:200])}: the only "algo" is sha256')
    oid, size = check_oid(value.get("oid")), value.get("size")
    return pointer_text(oid, parts.large.size_of(space.id, oid, path) if size is None else check_size(size))


def content_of(content: object, encoding: object, path: str, limit: int) -> bytes:
    """The bytes of a file in JSON; those of bytes are they. Raises Invalid `COMMIT_CONTENT`, TooLarge `FILE_TOO_LARGE`."""
    try:
        if isinstance(content, bytes):
            data = content
        elif not isinstance(content, str) or encoding not in ("base64", "utf-8"):
            raise ValueError
        else:
            data = b64decode(content, validate=True) if encoding == "base64" else content.encode()
    except (Base64Error, ValueError):
        message = f'{ascii(path[:200])}: "content" must be a text in the "encoding" base64 or utf-8'
        raise Invalid("COMMIT_CONTENT", message) from None
    if len(data) > limit:
        raise TooLarge(
            "FILE_TOO_LARGE", f"{ascii(path[:200])} has {amount(len(data))}; one file may have {amount(limit)}"
        )
    return data
