"""Buckets as a whole, as `hf buckets` and HfApi ask for them: create, list, show, settings, delete. Moving is `moves.py`'s, their
files are `bucket_files.py`'s."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import Field

from orchestrator.api.identity import BaseDep, CallerDep, PartsDep
from orchestrator.api.params import Name, Owner, Segment, cursor_of, next_link, read_cursor
from orchestrator.api.repos import WithVisibility, where
from orchestrator.api.views import iso
from orchestrator.domain.bucket import Bucket
from orchestrator.domain.space import Role
from orchestrator.errors import Conflict, Invalid

router = APIRouter(tags=["buckets"])
BUCKET = "/api/buckets/{owner}/{name}"
_PAGE = 1000


class NewBucket(WithVisibility):
    region: str | None = Field(None, max_length=20, description="there is only one: here")
    resource_group: str | None = Field(None, alias="resourceGroupId", max_length=100, description="there are none")


def bucket_of(owner: Owner, name: Name, caller: CallerDep, parts: PartsDep) -> Bucket:
    return parts.buckets.find(caller, owner, name)


def writable_bucket(owner: Owner, name: Name, caller: CallerDep, parts: PartsDep) -> Bucket:
    return parts.buckets.find(caller, owner, name, Role.WRITE)


def own_bucket(owner: Owner, name: Name, caller: CallerDep, parts: PartsDep) -> Bucket:
    return parts.buckets.find(caller, owner, name, Role.ADMIN)


BucketDep = Annotated[Bucket, Depends(bucket_of)]
WritableBucketDep = Annotated[Bucket, Depends(writable_bucket)]
OwnBucketDep = Annotated[Bucket, Depends(own_bucket)]


def view(bucket: Bucket) -> dict[str, object]:
    return {
        "_id": bucket.id,
        "id": bucket.full_name,
        "author": bucket.owner,
        "visibility": bucket.visibility.value,
        "private": bucket.private,
        "createdAt": iso(bucket.created_at),
        "updatedAt": iso(bucket.updated_at),
        "size": bucket.size,
        "totalFiles": bucket.files,
    }


@router.get("/api/buckets/{namespace}")
def listed(
    request: Request,
    response: Response,
    namespace: Annotated[Segment, Path(max_length=300, description="a user, an organisation, or me")],
    caller: CallerDep,
    parts: PartsDep,
    base: BaseDep,
    search: Annotated[str, Query(max_length=200)] = "",
    cursor: Annotated[str | None, Query(max_length=300)] = None,
    limit: Annotated[int, Query(ge=1, le=_PAGE)] = _PAGE,
):
    """The buckets of a user or an organisation that the caller may see, by name, in pages."""
    after = read_cursor(cursor, 1)[0] if cursor else ""
    found = parts.buckets.list(caller, namespace, limit + 1, after, search)
    if len(found) > limit:
        response.headers.update(next_link(request, base, cursor=cursor_of(found[limit - 1].name)))
    return [view(bucket) for bucket in found[:limit]]


@router.post(BUCKET)
def create(body: NewBucket, owner: Owner, name: Name, caller: CallerDep, parts: PartsDep, base: BaseDep):
    """Make an empty bucket; `me` stands for the caller. 409 carries the `url` of the one that is there (`exist_ok`)."""
    if body.resource_group:
        raise Invalid("NOT_SUPPORTED", '"resourceGroupId" is not supported by this Podium; leave it out')
    try:
        return where(parts.buckets.create(caller, owner, name, body.chosen()), base)
    except Conflict as error:
        if error.code != "RepoExists":
            raise
        mine = caller.name if owner == "me" else owner
        raise Conflict(error.code, error.message, **where(parts.buckets.find(caller, mine, name), base)) from None


@router.get(BUCKET)
def info(bucket: BucketDep):
    return view(bucket)


@router.put(BUCKET + "/settings")
def settings(body: WithVisibility, bucket: OwnBucketDep, caller: CallerDep, parts: PartsDep):
    """Change who may see it."""
    return view(parts.buckets.set_visibility(caller, bucket, body.chosen(bucket.visibility) or bucket.visibility))


@router.delete(BUCKET, response_class=Response, status_code=204)
def delete(bucket: OwnBucketDep, caller: CallerDep, parts: PartsDep):
    """Gone at once with all its files."""
    parts.buckets.delete(caller, bucket)
    return Response(status_code=204)
