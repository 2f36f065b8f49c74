"""Likes (hub-api reference 2.14). POST is what the Hub's own pages send; its Python client can only take a like back."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from orchestrator.api import views
from orchestrator.api.identity import BaseDep, CallerDep, PartsDep, SignedInDep
from orchestrator.api.params import KindDep, Name, Owner, cursor_of, next_link, time_cursor
from orchestrator.domain.records import AnyRepo
from orchestrator.errors import NotFound

router = APIRouter(tags=["likes"])
_AT = "/api/{kind}/{owner}/{name}"
_PAGE = 100
Cursor = Annotated[str | None, Query(max_length=200)]


def _seen(kind, owner: str, name: str, caller, parts) -> AnyRepo:
    return parts.hosted.find(caller, kind, owner, name, code=False)


@router.post(_AT + "/like")
def like(kind: KindDep, owner: Owner, name: Name, caller: SignedInDep, parts: PartsDep):
    repo = _seen(kind, owner, name, caller, parts)
    parts.likes.like(caller, repo)
    return {"liked": True, "likes": parts.hosted.get(repo.id).likes}


@router.delete(_AT + "/like")
def unlike(kind: KindDep, owner: Owner, name: Name, caller: SignedInDep, parts: PartsDep):
    repo = _seen(kind, owner, name, caller, parts)
    parts.likes.unlike(caller, repo)
    return {"liked": False, "likes": parts.hosted.get(repo.id).likes}


@router.get(_AT + "/likers")
def likers(
    request: Request,
    response: Response,
    kind: KindDep,
    owner: Owner,
    name: Name,
    caller: CallerDep,
    parts: PartsDep,
    base: BaseDep,
    cursor: Cursor = None,
):
    """Who likes it, newest first, in pages."""
    found = parts.likes.likers(_seen(kind, owner, name, caller, parts), _PAGE + 1, time_cursor(cursor))
    if len(found) > _PAGE:
        last, at = found[_PAGE - 1]
        response.headers.update(next_link(request, base, cursor=cursor_of(at.hex(), last.id)))
    return [views.member(user, base) | {"likedAt": views.iso(at)} for user, at in found[:_PAGE]]


@router.get("/api/users/{user}/likes")
def liked(
    request: Request,
    response: Response,
    user: Name,
    caller: CallerDep,
    parts: PartsDep,
    base: BaseDep,
    cursor: Cursor = None,
):
    """What a user likes, as far as the caller may see it, newest first, in pages."""
    owner = parts.accounts.owner(user)
    if owner.kind != "user":
        raise NotFound("OWNER", f"there is no user {ascii(user[:96])}")
    found, more = parts.likes.liked(caller, owner, _PAGE, time_cursor(cursor))
    if more:
        response.headers.update(next_link(request, base, cursor=cursor_of(more[0].hex(), more[1])))
    return [
        {"createdAt": views.iso(at), "repo": {"name": repo.full_name, "type": repo.kind.value}} for repo, at in found
    ]
