"""Secrets and variables of a Space. Values of secrets are never answered."""

from fastapi import APIRouter

from orchestrator.api import views
from orchestrator.api.identity import CallerDep, PartsDep
from orchestrator.api.params import Body, ChangeableDep
from orchestrator.api.spaces import SPACE
from orchestrator.domain.caller import Caller
from orchestrator.domain.records import Space

router = APIRouter(tags=["secrets and variables"])


class SettingBody(Body):
    key: str
    value: str
    description: str | None = None


class SettingKey(Body):
    key: str


def _all(parts, caller: Caller, space: Space, secret: bool) -> dict[str, views.Json]:
    return {one.key: views.setting(one) for one in parts.environment.all(caller, space, secret)}


@router.get(SPACE + "/secrets")
def secrets(space: ChangeableDep, caller: CallerDep, parts: PartsDep):
    """Names, descriptions and dates; never a value."""
    return _all(parts, caller, space, True)


@router.post(SPACE + "/secrets")
def put_secret(body: SettingBody, space: ChangeableDep, caller: CallerDep, parts: PartsDep):
    """Add or replace one; the app starts again with it."""
    parts.environment.put(caller, space, body.key, body.value, True, body.description or "")
    return _all(parts, caller, space, True)


@router.delete(SPACE + "/secrets")
def delete_secret(body: SettingKey, space: ChangeableDep, caller: CallerDep, parts: PartsDep):
    parts.environment.remove(caller, space, body.key, True)
    return _all(parts, caller, space, True)


@router.get(SPACE + "/variables")
def variables(space: ChangeableDep, caller: CallerDep, parts: PartsDep):
    return _all(parts, caller, space, False)


@router.post(SPACE + "/variables")
def put_variable(body: SettingBody, space: ChangeableDep, caller: CallerDep, parts: PartsDep):
    """Add or replace one; the app starts again with it."""
    parts.environment.put(caller, space, body.key, body.value, False, body.description or "")
    return _all(parts, caller, space, False)


@router.delete(SPACE + "/variables")
def delete_variable(body: SettingKey, space: ChangeableDep, caller: CallerDep, parts: PartsDep):
    parts.environment.remove(caller, space, body.key, False)
    return _all(parts, caller, space, False)
