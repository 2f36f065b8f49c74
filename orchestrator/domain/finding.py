"""What a repo is found by, and what its card says that it uses: plain text and names, made of its name and its card when they are
written. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.domain.repo import RepoKind

#: Keys of a card that are searched.
SAID = {
    RepoKind.SPACE: ("title", "short_description", "tags", "models", "datasets"),
    RepoKind.MODEL: (
        "pretty_name", "tags", "license", "language", "library_name", "pipeline_tag", "base_model", "task_categories",
    ),
}  # fmt: skip
SAID[RepoKind.DATASET] = SAID[RepoKind.KERNEL] = SAID[RepoKind.MODEL]
LENGTH = 4000  #: characters that are searched
_USES = 100  #: repos of one kind that a card may name
_NAME = 200


def text_of(kind: RepoKind, full_name: str, card: Mapping[str, Any]) -> str:
    """All that is searched, in lower case, one thing a line; the name first."""
    lines = [full_name, *(text for key in SAID[kind] for text in _texts(card.get(key)))]
    return "\n".join(" ".join(line.split()) for line in lines).lower()[:LENGTH]


def uses_of(kind: RepoKind, card: Mapping[str, Any]) -> list[tuple[RepoKind, str]]:
    """(kind, full name in lower case) of the models and datasets that a Space's card names."""
    if not kind.runs:
        return []
    found = []
    for used in (RepoKind.MODEL, RepoKind.DATASET):
        names = dict.fromkeys(name.strip().lower() for name in _texts(card.get(used.plural)))
        found += [(used, name) for name in list(names)[:_USES] if 0 < len(name) <= _NAME]
    return found


def _texts(value: object) -> Iterator[str]:
    """What an author wrote as one thing or as a list."""
    for item in value if isinstance(value, list) else (value,):
        if isinstance(item, str | int | float) and not isinstance(item, bool):
            yield str(item)
