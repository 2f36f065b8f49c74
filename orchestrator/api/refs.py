"""Refs of a repo over the API: list, branches, tags, squash, compare (hub-api reference 2.11, 2.13)."""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import Field

from orchestrator.api.files import REPO, Revision
from orchestrator.api.identity import CallerDep, PartsDep
from orchestrator.api.params import OpenBody, OpenRepoDep, RepoDep, Segment, WritableRepoDep
from orchestrator.domain.push import CONVERTED, printable
from orchestrator.domain.tree import EMPTY_TREE, Changed, TreeEntry
from orchestrator.errors import Invalid

router = APIRouter(tags=["refs"])
_NAME_LIMIT = 250
_DIFF_LIMIT = 32 * 1024**2
_PATH_LIMIT = 5000
RefName = Annotated[Segment, Path(max_length=_NAME_LIMIT)]


class NewBranch(OpenBody):
    start: str | None = Field(None, alias="startingPoint", max_length=_NAME_LIMIT)
    empty: bool | None = Field(None, alias="emptyBranch", description="without files and history")
    overwrite: bool | None = Field(None, description="move a branch that is there")


class NewTag(OpenBody):
    tag: str = Field(max_length=_NAME_LIMIT)
    message: str | None = None


class Squash(OpenBody):
    message: str | None = None


@router.get(REPO + "/refs")
def refs(repo: RepoDep, parts: PartsDep, include_prs: bool = False, include_pull_requests: bool = False):
    """Branches and tags, and with `include_prs` the refs of pull requests."""
    told: dict[str, list] = {"branches": [], "converts": [], "tags": []}
    for prefix, group in (("refs/heads/", "branches"), (CONVERTED, "converts"), ("refs/tags/", "tags")):
        told[group] = _listed(parts.community.refs.below(repo.id, prefix), prefix)
    told["branches"].sort(key=lambda branch: branch["name"] != "main")
    if include_prs or include_pull_requests:
        found = _listed(parts.community.refs.below(repo.id, "refs/pr/"), "refs/pr/")
        told["pullRequests"] = sorted(found, key=lambda one: int(one["name"]) if one["name"].isdigit() else 0)
    return told


def _listed(found: dict[str, str], prefix: str) -> list[dict[str, str]]:
    return [{"name": ref.removeprefix(prefix), "ref": ref, "targetCommit": commit} for ref, commit in found.items()]


@router.post(REPO + "/branch/{branch}")
def create_branch(
    branch: RefName, repo: WritableRepoDep, caller: CallerDep, parts: PartsDep, body: NewBranch | None = None
):
    """A branch at `startingPoint`, without it at main."""
    body = body or NewBranch()
    ref, commit = parts.community.branches.create(
        caller, repo, branch, body.start, bool(body.empty), bool(body.overwrite)
    )
    return {"name": branch, "ref": ref, "targetCommit": commit}


@router.delete(REPO + "/branch/{branch}")
def delete_branch(branch: RefName, repo: WritableRepoDep, caller: CallerDep, parts: PartsDep):
    parts.community.branches.delete(caller, repo, branch)
    return {"success": True}


@router.post(REPO + "/tag/{revision}")
def create_tag(revision: Revision, body: NewTag, repo: WritableRepoDep, caller: CallerDep, parts: PartsDep):
    """A tag on a revision, annotated when there is a message."""
    ref, commit = parts.community.branches.tag(caller, repo, revision, body.tag, body.message or "")
    return {"name": body.tag, "ref": ref, "targetCommit": commit}


@router.delete(REPO + "/tag/{tag}")
def delete_tag(tag: RefName, repo: WritableRepoDep, caller: CallerDep, parts: PartsDep):
    parts.community.branches.untag(caller, repo, tag)
    return {"success": True}


@router.post(REPO + "/super-squash/{revision}")
def super_squash(revision: Revision, repo: RepoDep, caller: CallerDep, parts: PartsDep, body: Squash | None = None):
    """Make the history of a branch one commit. Its files stay; what it was cannot be had again."""
    return {"commitOid": parts.community.branches.squash(caller, repo, revision, (body and body.message) or "")}


@router.get(REPO + "/compare/{compare}", response_class=StreamingResponse)
def compare(compare: Revision, repo: OpenRepoDep, parts: PartsDep, raw: bool = False):
    """A patch from one revision to another, `base..head`; `base...head`: from where the two parted; one revision: what it
    changed. `raw`: a line per file in place of the patch."""
    dots = "..." if "..." in compare else ".."
    base, found, head = compare.partition(dots)
    if not base or (found and not head):
        raise Invalid("COMPARE", "write two revisions with dots between them, main..branch or main...branch, or one")
    if found:
        ends = [name if name == EMPTY_TREE else parts.repos.resolve(repo.id, name) for name in (base, head)]
    else:
        one = parts.repos.log(repo.id, parts.repos.resolve(repo.id, base), limit=1)[0]
        ends = [one.parents[0] if one.parents else EMPTY_TREE, one.id]
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-cache"}
    if raw:
        text = _listing(parts, repo.id, parts.community.refs.changed(repo.id, *ends, dots == "..."))
        return PlainTextResponse(text, headers=headers)
    patch = parts.community.refs.diff(repo.id, *ends, dots == "...", _DIFF_LIMIT)
    return StreamingResponse(patch, media_type="text/plain; charset=utf-8", headers=headers)


def _listing(parts, repo_id: str, changed: list[Changed]) -> str:
    """As the Hub prints it and its Rust client reads it: text or binary, bytes, then git's own line."""
    there = [TreeEntry(one.path, "file", one.after[1], one.size, one.after[0]) for one in changed]
    large = {entry.oid: entry.large.size for entry in parts.large.seen(repo_id, there) if entry.large}
    return "".join(
        f"{'B' if one.is_binary else 'T'} {large.get(one.after[1], one.size)}\t:{one.before[0]} {one.after[0]} "
        f"{one.before[1]}... {one.after[1]}... "
        + "\t".join((one.status, *(printable(path, _PATH_LIMIT) for path in (one.path, one.moved_to) if path)))
        + "\n"
        for one in changed
    )
