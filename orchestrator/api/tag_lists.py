"""Which tags there are, by what they say (`HfApi.get_model_tags`, `get_dataset_tags`): of the repos that the caller may see."""

from collections.abc import Iterable, Iterator

from fastapi import APIRouter

from orchestrator.api.cardtags import tags, texts
from orchestrator.api.identity import CallerDep, PartsDep
from orchestrator.domain.records import AnyRepo
from orchestrator.domain.repo import RepoKind

router = APIRouter(tags=["repos"])
_LOOKED_AT = 1000  #: repos, those that changed last
#: Keys of a model's card whose values are tags as they are.
_BARE = {"library": "library_name", "pipeline_tag": "pipeline_tag", "language": "language"}
_OTHER = "other"


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
    found = sorted({pair for repo in repos for pair in _typed(repo)})
    told: dict[str, list[dict[str, str]]] = {}
    for kind, tag in found:
        label = tag.removeprefix(f"{kind}:")
        told.setdefault(kind, []).append({"type": kind, "id": tag, "label": label})
    return told


def _typed(repo: AnyRepo) -> Iterator[tuple[str, str]]:
    bare = {value: kind for kind, key in _BARE.items() for value in texts(repo.card.get(key))}
    for tag in tags(repo, repo.card):
        kind, colon, _ = tag.partition(":")
        yield (bare.get(tag) or (kind if colon and kind.isidentifier() else _OTHER)), tag
