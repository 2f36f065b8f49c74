"""Repos as a whole: create, delete, settings, and whether a README can be used (hub-api reference 1.4, 1.5, 2.1-2.4)."""

from typing import Literal

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import Field

from builder import config
from builder.errors import Fault
from orchestrator.api.commits import content_of
from orchestrator.api.identity import BaseDep, CallerDep, PartsDep, SignedInDep
from orchestrator.api.params import Body, OpenBody, RepoDep, WritableRepoDep
from orchestrator.api.readme import first_files, readme
from orchestrator.domain.caller import Caller
from orchestrator.domain.records import Space
from orchestrator.domain.space import MAIN, Role, Visibility
from orchestrator.errors import Conflict, Invalid, repo_not_found
from orchestrator.ports import Change
from orchestrator.services.spaces import NewSpace

router = APIRouter(tags=["repos"])
REFUSED_SETTINGS = ("storageTier", "devModeEnabled", "volumes", "resourceGroupId", "template")


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

    def chosen(self, otherwise: Visibility) -> Visibility:
        """Raises Invalid `VISIBILITY` when both fields are there and disagree."""
        old = None if self.private is None else Visibility.PRIVATE if self.private else Visibility.PUBLIC
        if self.visibility and old and self.private != (self.visibility is Visibility.PRIVATE):
            raise Invalid("VISIBILITY", '"visibility" and "private" contradict each other; send only "visibility"')
        return self.visibility or old or otherwise


class NewRepo(WithVisibility):
    name: str
    organization: str | None = None
    type: str | None = Field(None, description='"space"; absent means a model, which Podium does not host')
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
    template: str | None = None
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


class Readme(OpenBody):
    content: str
    repo_type: str | None = Field(None, alias="repoType")


@router.post("/api/repos/create")
def create(body: NewRepo, caller: CallerDep, parts: PartsDep, base: BaseDep):
    """Make a Space with a first commit. 409 carries the `url` of the one that is there (`exist_ok`)."""
    if body.type != "space":
        raise Invalid(
            "REPO_TYPE", f'type is {ascii((body.type or "model")[:40])}; Podium hosts Spaces: write "type": "space"'
        )
    sent = body.model_dump(by_alias=True)
    refused = next((name for name in REFUSED_SETTINGS if sent[name]), None)
    if refused:
        raise Invalid("NOT_SUPPORTED", f'"{refused}" is not supported by this Podium; leave it out')
    files = [
        Change(file.path, content_of(file.content, file.encoding, file.path, parts.file_limit))
        for file in body.files or ()
    ]
    try:
        space = parts.spaces.create(caller, _new_space(body))
    except Conflict as error:
        if error.code != "RepoExists":
            raise
        known = _known(parts, caller, body)
        raise Conflict(error.code, error.message, **_where(known, base)) from None if known else error
    text = readme(space.name, body.sdk, body.sdk_version or "", body.short_description or "", body.license or "")
    parts.pushes.commit(caller, space, first_files(text, files), "initial commit", None, MAIN)
    return _where(space, base)


def _new_space(body: NewRepo) -> NewSpace:
    return NewSpace(
        body.name,
        body.organization,
        body.sdk,
        body.chosen(Visibility.PUBLIC),
        body.hardware,
        body.sleep_seconds,
        secrets={one.key: (one.value, one.description or "") for one in body.secrets or ()},
        variables={one.key: (one.value, one.description or "") for one in body.variables or ()},
    )


def _known(parts, caller: Caller, body: NewRepo) -> Space:
    return parts.spaces.find(caller, parts.accounts.namespace(caller, body.organization).name, body.name)


def _where(space: Space, base: str) -> dict[str, object]:
    return {"url": f"{base}/{space.path}", "name": space.full_name, "id": space.id}


@router.delete("/api/repos/delete")
def delete(body: RepoName, caller: SignedInDep, parts: PartsDep):
    """Gone at once for everybody; what is left is taken down after."""
    if body.type != "space":
        raise repo_not_found()
    space = parts.spaces.find(caller, body.organization or caller.name, body.name, Role.ADMIN)
    parts.spaces.delete(caller, space)
    return PlainTextResponse("OK")


@router.put("/api/{kind}/{owner}/{name}/settings")
def settings(body: RepoSettings, space: RepoDep, caller: CallerDep, parts: PartsDep):
    """Change who may see it."""
    if body.gated or body.discussions_disabled:
        raise Invalid("NOT_SUPPORTED", "gating and discussions are not supported by this Podium; leave them out")
    wanted = body.chosen(space.visibility)
    changed = parts.spaces.set_visibility(caller, space, wanted)
    return {"visibility": changed.visibility.value, "private": changed.private, "gated": False}


@router.get("/api/{kind}/{owner}/{name}/auth-check")
def auth_check(space: RepoDep):
    return Response(status_code=200)


@router.get("/api/{kind}/{owner}/{name}/auth-check/write")
def auth_check_write(space: WritableRepoDep):
    return Response(status_code=200)


@router.post("/api/validate-yaml")
def validate_yaml(body: Readme):
    """Whether the front matter of a README can be used. Clients ask before every commit that touches README.md, and read JSON
    whatever the status."""
    if (body.repo_type or "space") != "space":
        return {"errors": [], "warnings": []}
    try:
        warnings = config.parse(body.content).warnings
    except Fault as fault:
        return JSONResponse({"errors": [{"message": fault.advice(), "code": fault.code}], "warnings": []}, 400)
    return {"errors": [], "warnings": [{"message": warning} for warning in warnings]}


@router.get("/schema/space.json")
def schema():
    """JSON schema of a Space's front matter."""
    return JSONResponse(config.schema(), media_type="application/schema+json")
