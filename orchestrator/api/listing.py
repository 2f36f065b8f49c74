"""Lists of repos: pages, filters, search. Must be routed before `/api/spaces/{owner}/{name}`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from orchestrator.api import repo_views, views
from orchestrator.api.cardtags import tags, texts
from orchestrator.api.identity import BaseDep, CallerDep, PartsDep
from orchestrator.api.params import cursor_of, listed, next_link, time_cursor
from orchestrator.api.show import shown_all
from orchestrator.domain.caller import Caller
from orchestrator.domain.records import AnyRepo, Repo, Space
from orchestrator.domain.repo import RepoKind
from orchestrator.domain.stage import Stage
from orchestrator.errors import Invalid
from orchestrator.services.spaces import SDKS

router = APIRouter(tags=["repos"])
_PAGE = 100
_LOOKS = 20  #: pages of rows that one request looks through for rows that pass the filters
#: Every other order is by last change: nobody measures sizes here.
_SORTS = {
    "createdAt": "created_at",
    "downloads": "downloads",
    "likes": "likes",
    "likes7d": "trending",
    "likes30d": "likes",
    "trendingScore": "trending",
}
#: What `apps` may name (huggingface.js, `local-apps`): each runs what has the tag gguf.
_GGUF_APPS = ("llama.cpp", "ollama", "lmstudio", "jan", "koboldcpp")
_Value = Callable[[AnyRepo], float]


@dataclass(frozen=True)
class Wanted:
    """What a list is asked for. Texts of filters in lower case."""

    author: str | None
    search: tuple[str, ...]
    sort: str
    limit: int
    tags: tuple[str, ...]
    models: tuple[str, ...]
    datasets: tuple[str, ...]
    linked: bool
    gated: bool | None
    after: tuple[float, str] | None


def wanted(
    request: Request,
    author: Annotated[str | None, Query(max_length=300)] = None,
    search: Annotated[list[str] | None, Query(max_length=10, description="parts of the name")] = None,
    sort: Literal[
        "createdAt", "lastModified", "downloads", "likes", "likes7d", "likes30d", "trendingScore", "mainSize"
    ] = "lastModified",
    direction: Annotated[Literal["-1"] | None, Query(description="descending is the only direction")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000_000)] = _PAGE,
    linked: bool = False,
    gated: bool | None = None,
    pipeline_tag: Annotated[str | None, Query(max_length=100)] = None,
    library: Annotated[str | None, Query(max_length=300)] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Wanted:
    lists = [tuple(listed(request, name)) for name in ("filter", "models", "datasets")]
    more = [tag for given in (pipeline_tag, library) if given for tag in given.split(",")]
    wishes = tuple(tag.strip().lower() for tag in (*lists[0], *more))
    parts = tuple(part.lower()[:300] for part in search or () if part)
    order = _SORTS.get(sort, "last_modified")
    return Wanted(author, parts, order, min(limit, _PAGE), wishes, *lists[1:], linked, gated, time_cursor(cursor))


WantedDep = Annotated[Wanted, Depends(wanted)]


@router.get("/api/spaces")
def spaces(
    request: Request,
    response: Response,
    caller: CallerDep,
    parts: PartsDep,
    base: BaseDep,
    want: WantedDep,
    full: bool = False,
):
    """Spaces that the caller may see, newest first, in pages (`Link: …; rel="next"`). Filters: `author`, `search`, `filter`
    (a tag or an sdk), `models`, `datasets`, `linked`, each of which has them told, too. `expand`: only these keys."""
    more = ("models", "datasets") if want.linked or want.models or want.datasets else ()
    return _list(request, response, caller, parts, base, RepoKind.SPACE, want, full, more)


@router.get("/api/models")
def models(
    request: Request,
    response: Response,
    caller: CallerDep,
    parts: PartsDep,
    base: BaseDep,
    want: WantedDep,
    full: bool = False,
    card: Annotated[bool, Query(alias="cardData")] = False,
    config: bool = False,
    inference: str = "",
    inference_provider: str = "",
    apps: str = "",
    num_parameters: str = "",
):
    """Models that the caller may see, in pages. Filters: `author`, `search`, `filter` (tags), `pipeline_tag`, `gated`;
    `apps` as far as an app runs all GGUF models and nothing else; `inference` and `inference_provider` find none, for nobody runs
    models for others here; `num_parameters` is refused, for nobody notes them here."""
    if any(app not in _GGUF_APPS for app in apps.split(",") if app):
        known = ", ".join(_GGUF_APPS)
        raise Invalid("NOT_SUPPORTED", f"This Podium knows what {known} run; for other apps filter by tags.")
    if apps:
        want = replace(want, tags=(*want.tags, "gguf"))
    if num_parameters:
        raise Invalid(
            "NOT_SUPPORTED", "This Podium does not filter by size; expand=safetensors tells it of each model."
        )
    if inference or inference_provider:
        return []
    more = (*(("cardData",) if card else ()), *(("config",) if config else ()), *(("siblings",) if full else ()))
    return _list(request, response, caller, parts, base, RepoKind.MODEL, want, False, more)


@router.get("/api/datasets")
def datasets(
    request: Request,
    response: Response,
    caller: CallerDep,
    parts: PartsDep,
    base: BaseDep,
    want: WantedDep,
    full: bool = False,
):
    """Datasets that the caller may see, in pages. Filters: `author`, `search`, `filter` (tags), `gated`."""
    return _list(request, response, caller, parts, base, RepoKind.DATASET, want, full, ())


@router.get("/api/kernels")
def kernels(request: Request, response: Response, caller: CallerDep, parts: PartsDep, base: BaseDep, want: WantedDep):
    """Kernels that the caller may see, in pages. Filters: `author`, `search`, `filter` (tags), `gated`."""
    return _list(request, response, caller, parts, base, RepoKind.KERNEL, want, False, ())


def _list(
    request: Request,
    response: Response,
    caller: Caller,
    parts,
    base: str,
    kind: RepoKind,
    want: Wanted,
    full: bool,
    more,
) -> list[views.Json]:
    expand = listed(request, "expand")
    repo_views.check_expand(kind, expand)
    value = _value(parts, want.sort)
    found, last = _page(parts, caller, kind, want, value)
    if last is not None:
        mark = cursor_of(value(last).hex(), last.id)
        response.headers.update(next_link(request, base, cursor=mark, limit=want.limit))
    return [repo_views.repo(shown, full, expand, more) for shown in shown_all(parts, caller, found)]


def _value(parts, sort: str) -> _Value:
    """What repos are sorted by."""
    match sort:
        case "created_at":
            return lambda repo: repo.created_at
        case "likes":
            return lambda repo: float(repo.likes)
        case "downloads":
            return lambda repo: float(repo.downloads)
        case "trending":
            return lambda repo: float(parts.likes.trends([repo.id])[repo.id])
    return lambda repo: repo.updated_at


def _page(parts, caller: Caller, kind: RepoKind, want: Wanted, value: _Value) -> tuple[list[AnyRepo], AnyRepo | None]:
    """One page, and after which repo the next one begins (None: there is none)."""
    page: list[AnyRepo] = []
    after = want.after
    search = want.search[0] if want.search else None
    asked: dict[str, object] = {"owner": want.author, "search": search, "sort": want.sort, "limit": _PAGE + 1}
    if kind is RepoKind.SPACE:
        asked["sdk"] = next((tag for tag in want.tags if tag in SDKS), None)
        named = [(RepoKind.MODEL, m) for m in want.models] + [(RepoKind.DATASET, d) for d in want.datasets]
        asked["uses"] = next(iter(named), None)
    elif want.gated is not None:
        asked["gated"] = want.gated
    last: AnyRepo | None = None
    for _ in range(_LOOKS):
        rows = parts.hosted.list(caller, kind, after=after, **asked)
        for repo in rows[:_PAGE]:
            if len(page) == want.limit:
                return page, last
            last = repo
            if _passes(repo, want):
                page.append(repo)
        if len(rows) <= _PAGE:
            return page, None
        assert last is not None
        after = (value(last), last.id)
    return page, last


def _passes(repo: AnyRepo, want: Wanted) -> bool:
    if any(part not in repo.full_name.lower() for part in want.search[1:]):
        return False
    have = {tag.lower() for tag in tags(repo, repo.card)}
    if any(tag not in have for tag in want.tags):
        return False
    if isinstance(repo, Repo):
        return True
    models, datasets = texts(repo.card.get("models")), texts(repo.card.get("datasets"))
    if want.linked and not (models or datasets):
        return False
    return all(m in models for m in want.models) and all(d in datasets for d in want.datasets)


@router.get("/api/spaces/semantic-search")
def search(
    request: Request,
    caller: CallerDep,
    parts: PartsDep,
    q: Annotated[str, Query(max_length=300)] = "",
    sdk: Annotated[str | None, Query(max_length=40)] = None,
    include_not_running: Annotated[bool, Query(alias="includeNonRunning")] = False,
):
    """Spaces whose name, title, description or tags hold the words of `q`, best first."""
    words = q.lower().split()
    asked = listed(request, "filter")
    hits: list[tuple[float, Space]] = []
    for space in parts.spaces.list(caller, sdk=sdk, limit=1000):
        score = _score(space, words)
        runs = include_not_running or space.stage.value.startswith(Stage.RUNNING.value) or space.stage is Stage.SLEEPING
        if score > 0 and runs and all(tag in tags(space, space.card) for tag in asked):
            hits.append((score, space))
    hits.sort(key=lambda hit: -hit[0])
    trends = parts.likes.trends([space.id for _, space in hits[:_PAGE]])
    return [views.found(space, score, trends[space.id]) for score, space in hits[:_PAGE]]


def _score(space: Space, words: list[str]) -> float:
    """How well a Space fits, from 0 to 1: a word in its name or title counts more than one in what is said about it."""
    title = f"{space.full_name} {space.card.get('title') or ''}".lower()
    about = f"{space.card.get('short_description') or ''} {' '.join(tags(space, space.card))}".lower()
    if not words:
        return 1.0
    return sum(1.0 if word in title else 0.5 if word in about else 0.0 for word in words) / len(words)
