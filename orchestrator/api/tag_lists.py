"""Which tags there are, by what they say (`HfApi.get_model_tags`, `get_dataset_tags`): of the repos that the caller may see."""

from collections.abc import Iterable

from fastapi import APIRouter

from orchestrator.api.cardtags import typed
from orchestrator.api.identity import CallerDep, PartsDep
from orchestrator.domain.records import AnyRepo
from orchestrator.domain.repo import RepoKind

router = APIRouter(tags=["repos"])
_LOOKED_AT = 1000  #: repos, those that changed last


@router.get("/api/models-tags-by-type")
def model_tags(caller: CallerDep, parts: PartsDep):
    """Type -> tags of models."""
    return by_type(parts.hosted.list(caller, RepoKind.MODEL, limit=_LOOKED_AT))


@router.get("/api/datasets-tags-by-type")
def dataset_tags(caller: CallerDep, parts: PartsDep):
    """Type -> tags of datasets."""
    return by_type(parts.hosted.list(caller, RepoKind.DATASET, limit=_LOOKED_AT))


def by_type(repos: Iterable[AnyRepo]) -> dict[str, list[dict[str, str]]]:
    """Pure. Types and tags in the order of the alphabet."""
    found = sorted({pair for repo in repos for pair in typed(repo, repo.card)})
    told: dict[str, list[dict[str, str]]] = {}
    for kind, tag in found:
        label = tag.removeprefix(f"{kind}:")
        told.setdefault(kind, []).append({"type": kind, "id": tag, "label": label})
    return told
