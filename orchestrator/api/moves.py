"""Repos under another name: move and duplicate (hub-api reference 2.3, 2.5)."""

from fastapi import APIRouter
from pydantic import Field

from orchestrator.api.identity import BaseDep, CallerDep, PartsDep, SignedInDep
from orchestrator.api.params import Body, OpenRepoDep
from orchestrator.api.repos import SettingIn, WithVisibility, kind_named, parted, settings_in, where
from orchestrator.domain.bucket import BucketKind
from orchestrator.domain.caller import Caller
from orchestrator.domain.records import AnyRepo, Space
from orchestrator.domain.space import Role, Visibility
from orchestrator.errors import Conflict, Invalid
from orchestrator.services.spaces import NewSpace

router = APIRouter(tags=["repos"])


class Move(Body):
    from_repo: str = Field(alias="fromRepo", max_length=300)
    to_repo: str = Field(alias="toRepo", max_length=300)
    type: str | None = None


class Copy(WithVisibility):
    repository: str = Field(max_length=300)
    hardware: str | None = None
    sleep_seconds: float | None = Field(None, alias="sleepTimeSeconds")
    secrets: list[SettingIn] | None = None
    variables: list[SettingIn] | None = None
    volumes: list | None = None
    storage_tier: str | None = Field(None, alias="storageTier")
    resource_group: str | None = Field(None, alias="resourceGroupId")


@router.post("/api/repos/move")
def move(body: Move, caller: SignedInDep, parts: PartsDep, base: BaseDep):
    """Another name, another owner, or both, of a repo or a bucket. The old name leads to the new one until it is taken again."""
    if body.type == BucketKind.BUCKET:
        bucket = parts.buckets.find(caller, *parted(body.from_repo), Role.ADMIN)
        return where(parts.buckets.move(caller, bucket, *parted(body.to_repo)), base)
    kind = kind_named(body.type)
    repo = parts.hosted.find(caller, kind, *parted(body.from_repo), Role.ADMIN, code=False)
    return where(parts.moves.move(caller, repo, *parted(body.to_repo)), base)


@router.post("/api/{kind}/{owner}/{name}/duplicate")
def duplicate(body: Copy, repo: OpenRepoDep, caller: CallerDep, parts: PartsDep, base: BaseDep):
    """A copy of the files as they are on main; of a Space with its variables, but not its secrets. 409 carries the `url` of
    what has that name."""
    owner, name = parted(body.repository)
    for key, value in (
        ("volumes", body.volumes),
        ("resourceGroupId", body.resource_group),
        ("storageTier", body.storage_tier),
    ):
        if value:
            raise Invalid("NOT_SUPPORTED", f'"{key}" is not supported by this Podium; leave it out')
    try:
        made = _made(parts, caller, repo, body, owner, name)
    except Conflict as error:
        if error.code != "RepoExists":
            raise
        known = parts.hosted.find(caller, repo.kind, owner, name, code=False)
        raise Conflict(error.code, error.message, **where(known, base)) from None
    return where(made, base)


def _made(parts, caller: Caller, repo: AnyRepo, body: Copy, owner: str, name: str) -> AnyRepo:
    visibility = body.chosen(None if repo.visibility is Visibility.PUBLIC else repo.visibility)
    if not isinstance(repo, Space):
        return parts.duplicates.duplicate(caller, repo, owner, name, visibility)
    new = NewSpace(
        name,
        owner,
        None,
        visibility,
        body.hardware,
        body.sleep_seconds,
        secrets=settings_in(body.secrets),
        variables=settings_in(body.variables),
    )
    return parts.duplicates.duplicate_space(caller, repo, new)
