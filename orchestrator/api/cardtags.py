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
    return list(dict.fromkeys(tag for _, tag in typed(repo, card)))


def typed(repo: AnyRepo, card: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(what it tells of, tag) as `tags` has them: `license`, `license:mit`. What tells of nothing in particular is `other`."""
    if isinstance(repo, Space):
        yield from (("sdk", repo.sdk),) if repo.sdk else ()
        yield from _all("other", card.get("tags"))
    elif repo.kind is RepoKind.MODEL:
        yield from _of_model(card)
    else:
        yield from _of_dataset(card)


def _of_model(card: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield from _all("library", card.get("library_name"))
    yield from _all("other", card.get("tags"))
    yield from _all("pipeline_tag", card.get("pipeline_tag"))
    yield from _all("language", card.get("language"))
    for key, prefix in (("datasets", "dataset"), ("base_model", "base_model"), ("license", "license")):
        yield from _all(prefix, card.get(key), f"{prefix}:")
    relation = card.get("base_model_relation")
    if isinstance(relation, str):
        yield from _all("base_model", card.get("base_model"), f"base_model:{relation}:")
    yield from (("other", key) for key in ("co2_eq_emissions", "model-index") if card.get(key))


def _of_dataset(card: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key in _DATASET_KEYS:
        yield from _all(key, card.get(key), f"{key}:")
    yield from _all("other", card.get("tags"))


def _all(type: str, value: object, prefix: str = "") -> Iterator[tuple[str, str]]:
    return ((type, f"{prefix}{text}") for text in texts(value))


def texts(value: object) -> list[str]:
    """The texts of what an author wrote as one text or as a list."""
    if isinstance(value, str):
        return [value] if value else []
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
