"""The tags of a repo: those that its card lists, and those that follow from the rest of the card (hub-docs, "Model cards",
"Dataset cards"). Filters of lists compare with these. Pure."""

from collections.abc import Iterator
from typing import Any

from orchestrator.domain.records import AnyRepo, Space
from orchestrator.domain.repo import RepoKind

#: Keys of a dataset's card that become tags with their name before them.
_DATASET_KEYS = (
    "annotations_creators", "language_creators", "language", "license", "multilinguality", "size_categories",
    "source_datasets", "task_categories", "task_ids", "modality", "benchmark",
)  # fmt: skip


def tags(repo: AnyRepo, card: dict[str, Any]) -> list[str]:
    """Without repetition, in a fixed order."""
    if isinstance(repo, Space):
        found = [*([repo.sdk] if repo.sdk else []), *texts(card.get("tags"))]
    elif repo.kind is RepoKind.MODEL:
        found = [*_of_model(card)]
    else:
        found = [*_of_dataset(card)]
    return list(dict.fromkeys(found))


def _of_model(card: dict[str, Any]) -> Iterator[str]:
    yield from texts(card.get("library_name"))
    yield from texts(card.get("tags"))
    yield from texts(card.get("pipeline_tag"))
    yield from texts(card.get("language"))
    for key, prefix in (("datasets", "dataset"), ("base_model", "base_model"), ("license", "license")):
        yield from (f"{prefix}:{value}" for value in texts(card.get(key)))
    relation = card.get("base_model_relation")
    if isinstance(relation, str):
        yield from (f"base_model:{relation}:{value}" for value in texts(card.get("base_model")))


def _of_dataset(card: dict[str, Any]) -> Iterator[str]:
    for key in _DATASET_KEYS:
        yield from (f"{key}:{value}" for value in texts(card.get(key)))
    yield from texts(card.get("tags"))


def texts(value: object) -> list[str]:
    """The texts of what an author wrote as one text or as a list."""
    if isinstance(value, str):
        return [value] if value else []
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
