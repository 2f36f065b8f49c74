"""The large files of a repo: all of them and taking some out for good, for whoever looks after its storage; and giving some to
another repo, for whoever copies them (hub-api 2.13)."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from orchestrator.api import views
from orchestrator.api.files import REPO
from orchestrator.api.identity import BaseDep, CallerDep, PartsDep
from orchestrator.api.params import OpenBody, OpenRepoDep, WritableRepoDep, cursor_of, next_link, read_cursor
from orchestrator.api.repos import kind_named, parted
from orchestrator.domain.caller import role_on
from orchestrator.domain.large import check_oid
from orchestrator.domain.push import WRITTEN
from orchestrator.domain.space import MAIN, Role
from orchestrator.errors import CallerError
from orchestrator.ports import Change, TreeEntry
from orchestrator.services.ref_access import require_voice

router = APIRouter(tags=["files"])
_PAGE = 1000


class Deletions(OpenBody):
    sha: list[str] = Field(max_length=10_000)
    rewrite_history: bool = Field(True, alias="rewriteHistory")


class Batch(OpenBody):
    deletions: Deletions


class Target(OpenBody):
    type: str | None = Field(None, max_length=20, description="model, dataset or space; a model without it")
    name: str = Field(max_length=300, description="owner/name")


class Given(OpenBody):
    sha256: str = Field(max_length=64)


class Copies(OpenBody):
    target: Target
    files: list[Given] = Field(max_length=_PAGE)


@router.get(REPO + "/lfs-files")
def lfs_files(
    request: Request,
    response: Response,
    space: WritableRepoDep,
    parts: PartsDep,
    base: BaseDep,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=_PAGE)] = _PAGE,
):
    """Every large file that the repo owns, in pages; `ref` and the name are those of a branch that has it, main first, or of a
    pull request."""
    after = read_cursor(cursor, 1)[0] if cursor else ""
    found = parts.large.of(space.id, after, limit + 1)
    if len(found) > limit:
        response.headers.update(next_link(request, base, cursor=cursor_of(found[limit - 1].oid)))
    named = {entry.large.oid: (ref, entry.path) for ref, entry in reversed(_at_tips(parts, space.id, True))}
    answers = []
    for one in found[:limit]:
        ref, path = named.get(one.oid, ("", one.oid))
        told = {
            "fileOid": one.oid,
            "oid": one.oid,
            "filename": path,
            "size": one.size,
            "pushedAt": views.iso(one.owned_at),
        }
        answers.append(told | ({"ref": ref.removeprefix("refs/heads/")} if ref else {}))
    return answers


@router.post(REPO + "/lfs-files/batch")
def delete_lfs_files(body: Batch, space: WritableRepoDep, caller: CallerDep, parts: PartsDep):
    """Take large files out of every branch, by a commit on each, and let go of their bytes for good. Older commits keep the
    pointers, which then stand for nothing."""
    doomed = {check_oid(oid) for oid in body.deletions.sha}
    gone: dict[str, list[str]] = {}
    for ref, entry in _at_tips(parts, space.id):
        if entry.large.oid in doomed:
            gone.setdefault(ref, []).append(entry.path)
    for ref, paths in gone.items():
        changes = [Change(path, None) for path in paths]
        parts.pushes.commit(caller, space, changes, "Delete large files for good", None, ref)
    parts.large.let_go(space.id, doomed)
    return {"success": True}


@router.post(REPO + "/lfs-files/duplicate")
def duplicate_lfs_files(body: Copies, source: OpenRepoDep, caller: CallerDep, parts: PartsDep):
    """Have another repo own large files of this one, so that a commit there may name them without their being uploaded again.
    What cannot be given is told file by file."""
    target = parts.hosted.find(caller, kind_named(body.target.type), *parted(body.target.name))
    parts.gates.check(caller, target)
    require_voice(caller, target)
    failed, guest = [], role_on(caller, target, code=True) < Role.WRITE
    for oid in dict.fromkeys(one.sha256 for one in body.files):
        try:
            parts.large.give(source.id, target.id, check_oid(oid), guest)
        except CallerError as error:
            failed.append({"sha256": oid, "error": error.message})
    return {"success": not failed, "failed": failed}


def _at_tips(parts, repo_id: str, of_requests: bool = False) -> list[tuple[str, TreeEntry]]:
    """(full ref, entry) of the large files of all branches, those of main first; then those of pull requests."""
    refs = {ref: oid for prefix in WRITTEN for ref, oid in parts.community.refs.below(repo_id, prefix).items()}
    refs |= parts.community.refs.below(repo_id, "refs/pr/") if of_requests else {}
    found = []
    for ref in sorted(refs, key=lambda ref: (ref != MAIN, ref.startswith("refs/pr/"), ref)):
        entries = parts.large.seen(repo_id, parts.repos.tree(repo_id, refs[ref], "", True))
        found += [(ref, entry) for entry in entries if entry.large]
    return found
