"""The history of builds, and going back in it. Podium's own, in the style of the Hub's paths."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from orchestrator.api import views
from orchestrator.api.identity import CallerDep, PartsDep
from orchestrator.api.params import Body, ChangeableDep, SpaceCodeDep
from orchestrator.api.spaces import SPACE

router = APIRouter(tags=["builds"])


class Rollback(Body):
    build: int | str = Field(
        "", description="number or id of a good build, or its (short) commit; the one before if left out"
    )


@router.get(SPACE + "/builds")
def builds(space: SpaceCodeDep, parts: PartsDep, limit: Annotated[int, Query(ge=1, le=100)] = 20):
    """Builds, newest first."""
    return [views.build(one, space.running_revision) for one in parts.spaces.builds(space, limit)]


@router.post(SPACE + "/rollback")
def rollback(body: Rollback, space: ChangeableDep, caller: CallerDep, parts: PartsDep):
    """Run an earlier good build again, at once. The next push to main goes on from there."""
    return views.build(parts.spaces.rollback(caller, space, str(body.build)), space.running_revision)
