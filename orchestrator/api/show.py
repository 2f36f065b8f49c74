"""From a repo to what one caller may be shown of it: looks into git lazily. Used by lists and by the repo itself."""

import json
from collections.abc import Callable, Iterable

from orchestrator.api import views
from orchestrator.api.params import is_storable
from orchestrator.api.parts import Parts
from orchestrator.api.repo_views import Shown
from orchestrator.api.safetensors import weights
from orchestrator.domain.caller import Caller, role_on
from orchestrator.domain.records import AnyRepo, Space
from orchestrator.domain.space import Role
from orchestrator.errors import NotFound

_CONFIG_LIMIT = 1024**2
#: What of a model's config.json says what it is; all of it can be downloaded.
_CONFIG_KEYS = (
    "architectures",
    "model_type",
    "quantization_config",
    "auto_map",
    "task_specific_params",
    "tokenizer_config",
)
_MANY = 100


def shown(
    parts: Parts,
    caller: Caller,
    repo: AnyRepo,
    revision: str | None = None,
    blobs: bool = False,
    trend: Callable[[], int] | None = None,
) -> Shown:
    """`revision`: another than the head of main. Who may not see the code of a protected Space sees neither commit nor
    files. Raises NotFound `RevisionNotFound`."""
    app_url = parts.app_url(repo.label) if isinstance(repo, Space) else ""
    trend = trend or (lambda: parts.likes.trends([repo.id])[repo.id])
    if role_on(caller, repo, code=True) < Role.READ:
        if revision not in (None, "HEAD"):
            raise NotFound("RevisionNotFound", "Invalid rev id")
        return Shown(repo, app_url, None, {}, list, lambda: 0, trend)
    sha = parts.repos.resolve(repo.id, revision) if revision else repo.sha or parts.repos.head(repo.id)

    def files() -> list[views.Json]:
        entries = parts.repos.tree(repo.id, sha, "", True) if sha else []
        entries = parts.large.seen(repo.id, entries) if blobs else entries
        return [views.sibling(entry, blobs) for entry in entries if entry.type == "file"]

    return Shown(
        repo,
        app_url,
        sha,
        repo.card,
        files,
        lambda: parts.repos.size(repo.id) + parts.large.usage(repo.id),
        trend,
        lambda: _config(parts, repo, sha),
        lambda: weights(parts, repo, sha) if sha else None,
        lambda: _users(parts, caller, repo),
    )


def shown_all(parts: Parts, caller: Caller, repos: Iterable[AnyRepo]) -> list[Shown]:
    """The same of many, with one look for all trends."""
    repos = list(repos)
    trends = parts.likes.trends([repo.id for repo in repos])
    return [shown(parts, caller, repo, trend=lambda number=trends[repo.id]: number) for repo in repos]


def _config(parts: Parts, repo: AnyRepo, sha: str | None) -> views.Json | None:
    """The telling part of config.json; nothing when there is none, or what is there is not JSON."""
    text = parts.repos.read(repo.id, sha, "config.json", _CONFIG_LIMIT) if sha else None
    try:
        found = json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None
    told = {key: found[key] for key in _CONFIG_KEYS if key in found} if isinstance(found, dict) else None
    return told if is_storable(told) else None  # one that says NaN would keep every list that it is in from being told


def _users(parts: Parts, caller: Caller, repo: AnyRepo) -> list[str]:
    """Spaces whose cards name this repo."""
    return [one.full_name for one in parts.hosted.users(caller, repo, _MANY)]
