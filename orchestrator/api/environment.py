"""Secrets and variables of a Space: the same three verbs for both. Values of secrets are never answered."""

from fastapi import APIRouter

from orchestrator.api import views
from orchestrator.api.identity import CallerDep, PartsDep
from orchestrator.api.params import Body, ChangeableDep
from orchestrator.api.parts import Parts
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


def _routes(name: str, secret: bool) -> None:
    path = f"{SPACE}/{name}s"

    def answer(parts: Parts, caller: Caller, space: Space) -> dict[str, views.Json]:
        return {one.key: views.setting(one) for one in parts.environment.all(caller, space, secret)}

    @router.get(path, name=f"{name}s", summary=f"All {name}s")
    def all_of(space: ChangeableDep, caller: CallerDep, parts: PartsDep):
        return answer(parts, caller, space)

    @router.post(path, name=f"put_{name}", summary=f"Add or replace a {name}; the app starts again with it")
    def put(body: SettingBody, space: ChangeableDep, caller: CallerDep, parts: PartsDep):
        parts.environment.put(caller, space, body.key, body.value, secret, body.description or "")
        return answer(parts, caller, space)

    @router.delete(path, name=f"delete_{name}", summary=f"Remove a {name}; the app starts again without it")
    def delete(body: SettingKey, space: ChangeableDep, caller: CallerDep, parts: PartsDep):
        parts.environment.remove(caller, space, body.key, secret)
        return answer(parts, caller, space)


_routes("secret", True)
_routes("variable", False)
