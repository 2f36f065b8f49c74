"""Repos of every kind as a whole: create, delete, settings, and who may do what (hub-api reference 1.5, 2.1-2.4)."""

from typing import Literal

import yaml
from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from pydantic import Field

from orchestrator.api.commits import content_of
from orchestrator.api.identity import BaseDep, CallerDep, PartsDep, SignedInDep
from orchestrator.api.params import Body, OpenRepoDep, RepoDep, WritableRepoDep
from orchestrator.api.readme import first_files, readme
from orchestrator.domain.bucket import Bucket
from orchestrator.domain.caller import Caller
from orchestrator.domain.records import AnyRepo
from orchestrator.domain.repo import RepoKind
from orchestrator.domain.space import MAIN, Role, Visibility
from orchestrator.domain.tree import Change
from orchestrator.errors import Conflict, Invalid
from orchestrator.services.spaces import NewSpace

router = APIRouter(tags=["repos"])
_SPACE_ONLY = (
    "sdk",
    "sdkVersion",
    "hardware",
    "sleepTimeSeconds",
    "secrets",
    "variables",
    "short_description",
    "template",
)
REFUSED_SETTINGS = ("storageTier", "devModeEnabled", "volumes", "resourceGroupId")


class SettingIn(Body):
    key: str
    value: str
    description: str | None = None


class FileIn(Body):
    path: str
    content: str
    encoding: Literal["utf-8", "base64"] = "utf-8"


class WithVisibility(Body):
    visibility: Visibility | None = None
    private: bool | None = Field(None, description="what clients before 1.8 send")

    def chosen(self, otherwise: Visibility | None = None) -> Visibility | None:
        """Raises Invalid `VISIBILITY` when both fields are there and disagree."""
        old = None if self.private is None else Visibility.PRIVATE if self.private else Visibility.PUBLIC
        if self.visibility and old and self.private != (self.visibility is Visibility.PRIVATE):
            raise Invalid("VISIBILITY", '"visibility" and "private" contradict each other; send only "visibility"')
        return self.visibility or old or otherwise


class NewRepo(WithVisibility):
    name: str
    organization: str | None = None
    type: str | None = Field(None, description="space, model, dataset or kernel; absent means a model")
    sdk: str | None = None
    sdk_version: str | None = Field(None, alias="sdkVersion", max_length=40)
    hardware: str | None = None
    sleep_seconds: float | None = Field(None, alias="sleepTimeSeconds")
    secrets: list[SettingIn] | None = None
    variables: list[SettingIn] | None = None
    short_description: str | None = Field(None, max_length=60)
    license: str | None = Field(None, max_length=100)
    files: list[FileIn] | None = None
    region: str | None = Field(None, description="there is only one: here")
    lfsmultipartthresh: int | None = Field(None, description="sent by old clients, means nothing")
    template: str | None = Field(None, max_length=300, description="the Space that it begins as a copy of")
    storage_tier: str | None = Field(None, alias="storageTier")
    dev_mode: bool | None = Field(None, alias="devModeEnabled")
    volumes: list | None = None
    resource_group: str | None = Field(None, alias="resourceGroupId")


class RepoName(Body):
    name: str
    organization: str | None = None
    type: str | None = None


class RepoSettings(WithVisibility):
    gated: bool | str | None = None
    discussions_disabled: bool | None = Field(None, alias="discussionsDisabled")
    xet_enabled: bool | None = Field(None, alias="xetEnabled", description="sent by old clients; it always is")


def kind_named(word: str | None) -> RepoKind:
    """The kind that a body names; none means a model. Raises Invalid `REPO_TYPE`."""
    try:
        return RepoKind(word or RepoKind.MODEL)
    except ValueError:
        raise Invalid(
            "REPO_TYPE", f"type is {ascii((word or '')[:40])}; write space, model, dataset or kernel"
        ) from None


def parted(full_name: str) -> tuple[str, str]:
    """Owner and name. Raises Invalid `NAME`."""
    owner, slash, name = full_name.partition("/")
    if not slash or not owner or not name or "/" in name:
        raise Invalid("NAME", f"{ascii(full_name[:200])} is not the name of a repo; write owner/name")
    return owner, name


@router.post("/api/repos/create")
def create(body: NewRepo, caller: CallerDep, parts: PartsDep, base: BaseDep):
    """Make a repo with a first commit. 409 carries the `url` of the one that is there (`exist_ok`)."""
    kind = kind_named(body.type)
    _check(body, kind)
    files = [
        Change(file.path, content_of(file.content, file.encoding, file.path, parts.file_limit))
        for file in body.files or ()
    ]
    template = parts.hosted.find(caller, kind, *parted(body.template)) if body.template else None
    try:
        repo = _made(parts, caller, kind, body)
    except Conflict as error:
        if error.code != "RepoExists":
            raise
        known = parts.hosted.find(
            caller, kind, parts.accounts.namespace(caller, body.organization).name, body.name, code=False
        )
        raise Conflict(error.code, error.message, **where(known, base)) from None
    if template:
        return where(parts.duplicates.fill(caller, template, repo), base)
    text = (
        readme(repo.name, body.sdk, body.sdk_version or "", body.short_description or "", body.license or "")
        if kind.runs
        else f"---\n{yaml.safe_dump({'license': body.license})}---\n"
        if body.license
        else ""
    )
    parts.pushes.commit(caller, repo, first_files(kind, text, files), "initial commit", None, MAIN)
    return where(repo, base)


def _check(body: NewRepo, kind: RepoKind) -> None:
    sent = body.model_dump(by_alias=True)
    refused = next((name for name in REFUSED_SETTINGS if sent[name]), None)
    if refused:
        raise Invalid("NOT_SUPPORTED", f'"{refused}" is not supported by this Podium; leave it out')
    odd = None if kind.runs else next((name for name in _SPACE_ONLY if sent[name]), None)
    if odd:
        raise Invalid("REPO_TYPE", f'"{odd}" is for Spaces; leave it out, or write "type": "space"')


def _made(parts, caller: Caller, kind: RepoKind, body: NewRepo) -> AnyRepo:
    if kind.runs:
        return parts.spaces.create(caller, _new_space(body))
    return parts.hosted.create(caller, kind, body.name, body.organization, body.chosen())


def _new_space(body: NewRepo) -> NewSpace:
    return NewSpace(
        body.name,
        body.organization,
        body.sdk,
        body.chosen(),
        body.hardware,
        body.sleep_seconds,
        secrets=settings_in(body.secrets),
        variables=settings_in(body.variables),
    )


def settings_in(given: list[SettingIn] | None) -> dict[str, tuple[str, str]]:
    return {one.key: (one.value, one.description or "") for one in given or ()}


def where(repo: AnyRepo | Bucket, base: str) -> dict[str, object]:
    return {"url": f"{base}/{repo.path}", "name": repo.full_name, "id": repo.id}


@router.delete("/api/repos/delete", response_class=PlainTextResponse)
def delete(body: RepoName, caller: SignedInDep, parts: PartsDep):
    """Gone at once for everybody; what is left is taken down after."""
    repo = parts.hosted.find(
        caller, kind_named(body.type), body.organization or caller.name, body.name, Role.ADMIN, code=False
    )
    parts.hosted.delete(caller, repo)
    return PlainTextResponse("OK")


@router.put("/api/{kind}/{owner}/{name}/settings")
def settings(body: RepoSettings, space: RepoDep, caller: CallerDep, parts: PartsDep):
    """Change who may see it, who may read its files, and whether it is talked about."""
    changed = parts.hosted.change(
        caller,
        space,
        visibility=body.chosen(space.visibility),
        gated=_gate(body.gated),
        discussions_disabled=body.discussions_disabled,
    )
    return {
        "visibility": changed.visibility.value,
        "private": changed.private,
        "gated": changed.gated or False,
        "discussionsDisabled": changed.discussions_disabled,
        "xetEnabled": True,
    }


def _gate(value: bool | str | None) -> str | None:
    if value is None or value in ("auto", "manual"):
        return value
    if value is False:
        return ""
    raise Invalid("GATED", f"gated is {ascii(value)[:40]}; write auto, manual or false")


@router.get("/api/{kind}/{owner}/{name}/auth-check", response_class=Response)
def auth_check(space: OpenRepoDep):
    return Response(status_code=200)


@router.get("/api/{kind}/{owner}/{name}/auth-check/write", response_class=Response)
def auth_check_write(space: WritableRepoDep):
    return Response(status_code=200)
