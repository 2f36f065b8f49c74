"""Repos of every kind as the Hub's JSON: which keys there are, which are told when, what `expand` may name. Pure; what costs a
look into git, the disk or the database is a function, called only when asked for."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from orchestrator.api.cardtags import tags, texts
from orchestrator.api.views import Json, iso, runtime
from orchestrator.domain.records import AnyRepo, Space
from orchestrator.domain.repo import RepoKind
from orchestrator.errors import Invalid


@dataclass(frozen=True)
class Shown:
    """One repo on its way to JSON. `sha`, `card` and `files` are None or empty for who may not see its code. `app_url`: of a
    Space. `config`: what config.json of a model says; `weights`: how many parameters it
    has. `spaces`: names of the Spaces that use it."""

    repo: AnyRepo
    app_url: str
    sha: str | None
    card: Json
    files: Callable[[], list[Json]]
    used: Callable[[], int]
    trend: Callable[[], int] = lambda: 0
    config: Callable[[], Json | None] = lambda: None
    weights: Callable[[], Json | None] = lambda: None
    spaces: Callable[[], list[str]] = list


_Keys = dict[str, Callable[[Shown], object]]

_COMMON: _Keys = {
    "author": lambda s: s.repo.owner,
    "cardData": lambda s: s.card or None,
    "createdAt": lambda s: iso(s.repo.created_at),
    "disabled": lambda s: False,
    "gitalyUid": lambda s: None,
    "lastModified": lambda s: iso(s.repo.updated_at),
    "likes": lambda s: s.repo.likes,
    "private": lambda s: s.repo.private,
    "resourceGroup": lambda s: None,
    "sha": lambda s: s.sha,
    "siblings": lambda s: s.files(),
    "tags": lambda s: tags(s.repo, s.card),
    "trendingScore": lambda s: s.trend(),
    "usedStorage": lambda s: s.used(),
    "xetEnabled": lambda s: True,
}
_SPACE: _Keys = {
    "datasets": lambda s: texts(s.card.get("datasets")),
    "models": lambda s: texts(s.card.get("models")),
    "region": lambda s: None,
    "runtime": lambda s: runtime(s.repo, s.app_url),
    "sdk": lambda s: s.repo.sdk,
    "subdomain": lambda s: s.repo.label,
}
#: Of what does not run.
_PLAIN: _Keys = {
    "downloads": lambda s: s.repo.downloads,
    "downloadsAllTime": lambda s: s.repo.downloads_all,
    "gated": lambda s: s.repo.gated or False,
}
_MODEL: _Keys = {
    "baseModels": lambda s: _base_models(s.card),
    "childrenModelCount": lambda s: None,
    "config": lambda s: s.config(),
    "evalResults": lambda s: None,
    "gguf": lambda s: None,
    "inference": lambda s: None,
    "inferenceProviderMapping": lambda s: [],
    "library_name": lambda s: _text(s.card.get("library_name")),
    "mask_token": lambda s: _text(s.card.get("mask_token")),
    "model-index": lambda s: s.card.get("model-index"),
    "pipeline_tag": lambda s: _text(s.card.get("pipeline_tag")),
    "safetensors": lambda s: s.weights(),
    "spaces": lambda s: s.spaces(),
    "transformersInfo": lambda s: None,
    "widgetData": lambda s: s.card.get("widget"),
}
_DATASET: _Keys = {
    "citation": lambda s: None,
    "description": lambda s: _text(s.card.get("description")),
    "mainSize": lambda s: None,
    "paperswithcode_id": lambda s: _text(s.card.get("paperswithcode_id")),
}
EXPANDABLE: dict[RepoKind, _Keys] = {
    RepoKind.SPACE: dict(sorted((_COMMON | _SPACE).items())),
    RepoKind.MODEL: dict(sorted((_COMMON | _PLAIN | _MODEL).items())),
    RepoKind.DATASET: dict(sorted((_COMMON | _PLAIN | _DATASET).items())),
    RepoKind.KERNEL: dict(sorted((_COMMON | _PLAIN).items())),
}
_BRIEF = {
    RepoKind.SPACE: (
        "author", "likes", "trendingScore", "private", "sdk", "tags", "createdAt", "lastModified", "subdomain",
    ),
    RepoKind.MODEL: (
        "author", "likes", "trendingScore", "private", "gated", "downloads", "tags", "pipeline_tag", "library_name",
        "createdAt", "lastModified", "sha",
    ),
    RepoKind.DATASET: (
        "author", "likes", "trendingScore", "private", "gated", "disabled", "downloads", "tags", "createdAt",
        "lastModified", "sha", "description", "paperswithcode_id",
    ),
    RepoKind.KERNEL: (
        "author", "likes", "trendingScore", "private", "gated", "downloads", "tags", "createdAt", "lastModified", "sha",
    ),
}  # fmt: skip
_WHOLE = {
    RepoKind.SPACE: ("disabled", "sha", "cardData", "siblings", "runtime", "models", "datasets"),
    RepoKind.MODEL: ("disabled", "cardData", "siblings", "config", "model-index", "widgetData"),
    RepoKind.DATASET: ("cardData", "siblings"),
    RepoKind.KERNEL: ("cardData", "siblings"),
}


def repo(shown: Shown, full: bool = False, expand: Iterable[str] = (), more: Iterable[str] = ()) -> Json:
    """A repo as SpaceInfo, ModelInfo, DatasetInfo or KernelInfo read it. With `expand` only those keys; `more` are keys besides
    the usual ones. Raises Invalid `EXPAND` with the known ones."""
    kind = shown.repo.kind
    keys, wanted = EXPANDABLE[kind], tuple(expand)
    check_expand(kind, wanted)
    told: Json = {"_id": shown.repo.id, "id": shown.repo.full_name}
    usual = (*_BRIEF[kind], *(_WHOLE[kind] if full else ()), *more)
    told |= {key: keys[key](shown) for key in wanted or dict.fromkeys(usual)}
    if wanted:
        return told
    told |= {"visibility": shown.repo.visibility.value}
    if isinstance(shown.repo, Space):
        told |= {"host": shown.app_url, "gated": False}
        told |= {key: shown.card[key] for key in ("title", "emoji") if key in shown.card}
    if kind is RepoKind.MODEL:
        told["modelId"] = shown.repo.full_name
    return told


def check_expand(kind: RepoKind, wanted: Iterable[str]) -> None:
    """Raises Invalid `EXPAND` in the words that clients look for."""
    for at, key in enumerate(wanted):
        if key not in EXPANDABLE[kind]:
            known = "|".join(f'"{name}"' for name in EXPANDABLE[kind])
            raise Invalid("EXPAND", f"{ascii(key[:40])} cannot be expanded: expected one of {known} at expand[{at}]")


def _base_models(card: dict[str, Any]) -> Json | None:
    names = texts(card.get("base_model"))
    relation = _text(card.get("base_model_relation"))
    return {"relation": relation, "models": [{"id": name} for name in names]} if names else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
