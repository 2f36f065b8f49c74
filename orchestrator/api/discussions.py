"""Discussions and pull requests (hub-api reference 2.15)."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from orchestrator.api import discussion_views as views
from orchestrator.api.files import REPO
from orchestrator.api.identity import BaseDep, CallerDep, PartsDep, SignedInDep
from orchestrator.api.params import OpenBody, RepoDep, Segment
from orchestrator.domain.caller import Caller
from orchestrator.domain.discussions import TEXT_LIMIT, Discussion, Happening
from orchestrator.domain.records import AnyRepo
from orchestrator.errors import CallerError
from orchestrator.services.discussions import refuse_disabled

router = APIRouter(tags=["discussions"])
ONE = REPO + "/discussions/{num}"
Num = Annotated[int, Path(ge=1, le=999_999_999)]
_TEXT = 2 * TEXT_LIMIT
_KINDS = {"all": None, "discussion": False, "pull_request": True}
_STATES = {"all": None, "open": True, "closed": False}


class NewDiscussion(OpenBody):
    title: str = Field(max_length=1000)
    description: str = Field("", max_length=_TEXT)
    pull_request: bool = Field(False, alias="pullRequest")


class Said(OpenBody):
    comment: str = Field(max_length=_TEXT)


class Edited(OpenBody):
    content: str = Field(max_length=_TEXT)


class NewTitle(OpenBody):
    title: str = Field(max_length=1000)


class NewStatus(OpenBody):
    status: str = Field(max_length=40)
    comment: str | None = Field(None, max_length=_TEXT)


class Merging(OpenBody):
    comment: str | None = Field(None, max_length=_TEXT)


@router.get(REPO + "/discussions")
def discussions(
    repo: RepoDep,
    parts: PartsDep,
    base: BaseDep,
    p: Annotated[int, Query(ge=0, le=100_000)] = 0,
    which: Annotated[Literal["all", "discussion", "pull_request"], Query(alias="type")] = "all",
    status: Literal["all", "open", "closed"] = "all",
    author: Annotated[str | None, Query(max_length=100)] = None,
    search: Annotated[str | None, Query(max_length=200)] = None,
    sort: Annotated[str, Query(max_length=40)] = "recently-created",
):
    """A page of 50, newest first. `open` shows drafts too, `closed` what was merged."""
    refuse_disabled(repo)
    filters = {"pull_request": _KINDS[which], "live": _STATES[status], "author": author or None, "search": search}
    rows, count, closed = parts.community.discussions.page(repo, p, oldest_first=sort == "oldest", **filters)
    shown = [views.discussion(one, repo, base) for one in rows]
    return {"discussions": shown, "count": count, "start": p * 50, "numClosedDiscussions": closed}


@router.head(REPO + "/discussions", include_in_schema=False)
def discussions_head(repo: RepoDep):
    """Browsers ask whether discussions are open here, and read the error's header when they are not."""
    refuse_disabled(repo)
    return Response()


@router.post(REPO + "/discussions")
def create(body: NewDiscussion, repo: RepoDep, caller: SignedInDep, parts: PartsDep, base: BaseDep):
    """Open a discussion or, with `pullRequest`, a draft of a pull request against main."""
    if body.pull_request:
        one = parts.community.pull_requests.open(caller, repo, body.title, body.description or "Pull request opened.")
    else:
        one = parts.community.discussions.open(caller, repo, body.title, body.description or "Discussion opened.")
    return {
        "num": one.num,
        "id": one.id,
        "pullRequest": one.is_pull_request,
        "url": f"{base}/{repo.path}/discussions/{one.num}",
    }


@router.get(ONE)
def details(
    num: Num,
    repo: RepoDep,
    caller: CallerDep,
    parts: PartsDep,
    base: BaseDep,
    diff: Annotated[str, Query(max_length=10)] = "",
):
    """All that happened in it, oldest first; of a pull request also its conflicts and, with `diff=1`, its patch."""
    one = parts.community.discussions.get(repo, num)
    events = [_event(parts, event, base) for event in parts.community.discussions.told(one)]
    if one.is_pull_request:
        events += [views.commit(commit, base) for commit in parts.community.pull_requests.commits(repo, one)]
        # The first comment opens it, whenever its commits were made.
        events = [*events[:1], *sorted(events[1:], key=lambda event: event["createdAt"])]
    told = views.details(one, repo, base, events)
    if one.is_pull_request:
        told["filesWithConflicts"] = parts.community.pull_requests.conflicts(repo, one)
        if diff.lower() in ("1", "true") and _is_open(parts, caller, repo):
            told["diff"] = parts.community.pull_requests.diff(repo, one)
    return told


def _is_open(parts, caller: Caller, repo: AnyRepo) -> bool:
    """Whether the caller is past the gate of the repo: a patch shows its files."""
    try:
        parts.gates.check(caller, repo)
    except CallerError:
        return False
    return True


def _event(parts, event: Happening, base: str) -> views.Json:
    return views.happening(event, base, parts.community.markdown)


def _one(num: Num, repo: RepoDep, parts: PartsDep) -> Discussion:
    return parts.community.discussions.get(repo, num)


@router.post(ONE + "/comment")
def comment(num: Num, body: Said, repo: RepoDep, caller: SignedInDep, parts: PartsDep, base: BaseDep):
    said = parts.community.discussions.comment(caller, repo, _one(num, repo, parts), body.comment)
    return {"newMessage": _event(parts, said, base)}


@router.post(ONE + "/comment/{comment_id}/edit")
def edit(
    num: Num, comment_id: Segment, body: Edited, repo: RepoDep, caller: SignedInDep, parts: PartsDep, base: BaseDep
):
    """For who wrote it."""
    said = parts.community.discussions.edit(caller, repo, _one(num, repo, parts), comment_id, body.content)
    return {"updatedComment": _event(parts, said, base)}


@router.post(ONE + "/comment/{comment_id}/hide")
def hide(num: Num, comment_id: Segment, repo: RepoDep, caller: SignedInDep, parts: PartsDep, base: BaseDep):
    """For who wrote it and for those who may change the repo. Cannot be undone."""
    said = parts.community.discussions.hide(caller, repo, _one(num, repo, parts), comment_id)
    return {"updatedComment": _event(parts, said, base)}


@router.post(ONE + "/title")
def rename(num: Num, body: NewTitle, repo: RepoDep, caller: SignedInDep, parts: PartsDep, base: BaseDep):
    renamed = parts.community.discussions.rename(caller, repo, _one(num, repo, parts), body.title)
    return {"newTitle": _event(parts, renamed, base)}


@router.post(ONE + "/status")
def set_status(num: Num, body: NewStatus, repo: RepoDep, caller: SignedInDep, parts: PartsDep, base: BaseDep):
    """`open`, `closed`, or `draft` of a pull request."""
    one = _one(num, repo, parts)
    changed = parts.community.discussions.set_status(caller, repo, one, body.status, body.comment or "")
    return {"newStatus": _event(parts, changed, base)}


@router.post(ONE + "/merge")
def merge(num: Num, repo: RepoDep, caller: CallerDep, parts: PartsDep, base: BaseDep, body: Merging | None = None):
    """Put an open pull request into its base, as one commit. For those who may change the repo."""
    one = _one(num, repo, parts)
    changed = parts.community.pull_requests.merge(caller, repo, one, (body and body.comment) or "")
    return {"newStatus": _event(parts, changed, base)}
