"""Collections (huggingface_hub `hf_api`, "Collection API")."""

from html import escape
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import Field

from orchestrator.api.cardtags import texts
from orchestrator.api.identity import BaseDep, CallerDep, PartsDep, SignedInDep
from orchestrator.api.params import Body, Name, cursor_of, listed, next_link, time_cursor
from orchestrator.api.views import Json, avatar_url, iso
from orchestrator.domain.caller import Caller
from orchestrator.domain.collection import Collection, CollectionItem
from orchestrator.domain.records import AnyRepo, Owner
from orchestrator.errors import Invalid

router = APIRouter(tags=["collections"])
_AT = "/api/collections/{owner}/{slug}"
_PAGE = 100


class ItemName(Body):
    id: str = Field(max_length=400)
    type: str = Field(max_length=40)


class NewCollection(Body):
    title: str
    namespace: str | None = None
    description: str | None = None
    private: bool = False
    item: ItemName | None = None
    resource_group: str | None = Field(None, alias="resourceGroupId")


class Changes(Body):
    title: str | None = None
    description: str | None = None
    private: bool | None = None
    theme: str | None = None
    position: int | None = Field(None, ge=0, le=1_000_000)


class NewItem(Body):
    item: ItemName
    note: str | None = None


class ItemChanges(Body):
    note: str | None = None
    position: int | None = Field(None, ge=0, le=1_000_000)


@router.get("/api/collections")
def collections(
    request: Request,
    response: Response,
    caller: CallerDep,
    parts: PartsDep,
    base: BaseDep,
    item: Annotated[list[str], Query(max_length=20, description="models/acme/m; any of them")] = [],  # noqa: B006
    q: Annotated[str, Query(max_length=250, description="part of the title or the description")] = "",
    sort: Literal["lastModified", "trending", "upvotes"] = "lastModified",
    limit: Annotated[int, Query(ge=1, le=1_000_000)] = _PAGE,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
):
    """Collections that the caller may see, last changed first, whatever `sort` says: nobody votes here."""
    count = min(limit, _PAGE)
    found = parts.collections.list(caller, listed(request, "owner"), item, count + 1, time_cursor(cursor), q.strip())
    if len(found) > count:
        last = found[count - 1]
        response.headers.update(next_link(request, base, cursor=cursor_of(last.updated_at.hex(), last.id)))
    return [_brief(parts, caller, one, base) for one in found[:count]]


@router.post("/api/collections")
def create(body: NewCollection, caller: SignedInDep, parts: PartsDep, base: BaseDep):
    if body.resource_group:
        raise Invalid("NOT_SUPPORTED", "there are no resource groups here; leave resourceGroupId out")
    made = parts.collections.create(caller, body.namespace, body.title, body.description, body.private)
    if body.item:
        made = parts.collections.add_item(caller, made.slug, body.item.type, body.item.id, None)
    return _whole(parts, caller, made, base)


@router.get(_AT)
def collection(owner: Name, slug: Name, caller: CallerDep, parts: PartsDep, base: BaseDep):
    return _whole(parts, caller, parts.collections.find(caller, f"{owner}/{slug}"), base)


@router.patch(_AT)
def change(owner: Name, slug: Name, body: Changes, caller: SignedInDep, parts: PartsDep, base: BaseDep):
    """Change what is given; a new title makes a new slug, and the old one still leads here."""
    values = {key: value for key, value in body.model_dump().items() if value is not None}
    changed = parts.collections.change(caller, f"{owner}/{slug}", **values)
    return {"success": True, "data": _whole(parts, caller, changed, base)}


@router.delete(_AT, response_class=PlainTextResponse)
def delete(owner: Name, slug: Name, caller: SignedInDep, parts: PartsDep):
    parts.collections.delete(caller, f"{owner}/{slug}")
    return PlainTextResponse("OK")


@router.post(_AT + "/resource-group", include_in_schema=False)
def group(owner: Name, slug: Name, caller: SignedInDep):
    raise Invalid("NOT_SUPPORTED", "there are no resource groups here; say who may see it with `private`")


@router.post(_AT + "/items")
def add_item(owner: Name, slug: Name, body: NewItem, caller: SignedInDep, parts: PartsDep, base: BaseDep):
    changed = parts.collections.add_item(caller, f"{owner}/{slug}", body.item.type, body.item.id, body.note)
    return _whole(parts, caller, changed, base)


@router.patch(_AT + "/items/{item}")
def change_item(owner: Name, slug: Name, item: Name, body: ItemChanges, caller: SignedInDep, parts: PartsDep):
    changed = parts.collections.change_item(caller, f"{owner}/{slug}", item, body.note, body.position)
    return {"success": True, "data": {"_id": changed.id, "position": changed.position} | _note(changed)}


@router.delete(_AT + "/items/{item}", response_class=PlainTextResponse)
def remove_item(owner: Name, slug: Name, item: Name, caller: SignedInDep, parts: PartsDep):
    parts.collections.remove_item(caller, f"{owner}/{slug}", item)
    return PlainTextResponse("OK")


def _whole(parts, caller: Caller, one: Collection, base: str) -> Json:
    items = parts.collections.items(caller, one)
    shown = [_item(item, what) for item, what in items if what is not None]
    return _facts(one, parts.accounts.owner(one.owner), base) | {"items": shown}


def _brief(parts, caller: Caller, one: Collection, base: str) -> Json:
    """As in lists: the first four items, and no position, which clients count by themselves."""
    told = _whole(parts, caller, one, base)
    return {key: value for key, value in told.items() if key != "position"} | {"items": told["items"][:4]}


def _facts(one: Collection, owner: Owner, base: str) -> Json:
    told: Json = {
        "slug": one.slug,
        "title": one.title,
        "owner": {"_id": owner.id, "name": owner.name, "fullname": owner.fullname, "type": owner.kind},
        "lastUpdated": iso(one.updated_at),
        "gating": False,
        "position": one.position,
        "private": one.private,
        "theme": one.theme,
        "upvotes": 0,
        "isUpvotedByUser": False,
        "shareUrl": f"{base}/collections/{one.slug}",
    }
    told["owner"]["avatarUrl"] = avatar_url(base, owner)
    return told | ({"description": one.description} if one.description else {})


def _item(item: CollectionItem, what: AnyRepo | Collection) -> Json:
    told: Json = {"_id": item.id, "type": item.kind, "position": item.position} | _note(item)
    if isinstance(what, Collection):
        return told | {"id": what.id, "slug": what.slug, "title": what.title, "private": what.private}
    told |= {
        "id": what.full_name,
        "author": what.owner,
        "private": what.private,
        "gated": what.gated or False,
        "likes": what.likes,
        "lastModified": iso(what.updated_at),
        "repoType": what.kind.value,
    }
    pipeline = texts(what.card.get("pipeline_tag"))
    return told | ({"pipeline_tag": pipeline[0]} if pipeline else {})


def _note(item: CollectionItem) -> Json:
    return {"note": {"html": escape(item.note), "text": item.note}} if item.note else {}
