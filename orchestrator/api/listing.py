"""Lists of Spaces: pages, filters, search. Must be routed before `/api/spaces/{owner}/{name}`."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from orchestrator.api import views
from orchestrator.api.identity import BaseDep, CallerDep, PartsDep
from orchestrator.api.params import cursor_of, listed, next_link, read_cursor
from orchestrator.api.show import shown
from orchestrator.domain.caller import Caller
from orchestrator.domain.records import Space
from orchestrator.domain.stage import Stage
from orchestrator.errors import Invalid
from orchestrator.services.spaces import SDKS

router = APIRouter(tags=["spaces"])
_PAGE = 100
_LOOKS = 20  #: pages of rows that one request looks through for rows that pass the filters
_SORTS = {"createdAt": "created_at"}  # every other order is by last change: nobody can like anything here


@dataclass(frozen=True)
class Wanted:
    """What a list is asked for."""

    author: str | None
    search: str | None
    sort: str
    limit: int
    tags: tuple[str, ...]
    models: tuple[str, ...]
    datasets: tuple[str, ...]
    linked: bool
    after: tuple[float, str] | None


def wanted(
    request: Request,
    author: Annotated[str | None, Query(max_length=300)] = None,
    search: Annotated[str | None, Query(max_length=300)] = None,
    sort: Literal["createdAt", "lastModified", "likes", "likes30d", "trendingScore", "mainSize"] = "lastModified",
    direction: Annotated[Literal["-1"] | None, Query(description="descending is the only direction")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000_000)] = _PAGE,
    linked: bool = False,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Wanted:
    lists = [tuple(listed(request, name)) for name in ("filter", "models", "datasets")]
    order = _SORTS.get(sort, "last_modified")
    return Wanted(author, search, order, min(limit, _PAGE), *lists, linked, _after(cursor))


def _after(cursor: str | None) -> tuple[float, str] | None:
    if not cursor:
        return None
    at, space_id = read_cursor(cursor, 2)
    try:
        moment = float.fromhex(at)
        if not math.isfinite(moment):
            raise ValueError
        return moment, space_id
    except (ValueError, OverflowError):
        raise Invalid("CURSOR", "this cursor was not made by Podium; start again without one") from None


@router.get("/api/spaces")
def spaces(
    request: Request,
    response: Response,
    caller: CallerDep,
    parts: PartsDep,
    base: BaseDep,
    want: Annotated[Wanted, Depends(wanted)],
    full: bool = False,
):
    """Spaces that the caller may see, newest first, in pages (`Link: …; rel="next"`). Filters: `author`, `search`, `filter`
    (a tag or an sdk), `models`, `datasets`, `linked`. `expand`: only these keys."""
    expand = listed(request, "expand")
    found, last = _page(parts, caller, want)
    if last is not None:
        at = last.created_at if want.sort == "created_at" else last.updated_at
        response.headers.update(next_link(request, base, cursor=cursor_of(at.hex(), last.id), limit=want.limit))
    return [views.space(shown(parts, caller, space), full, expand) for space in found]


def _page(parts, caller: Caller, want: Wanted) -> tuple[list[Space], Space | None]:
    """One page, and where the next one begins (None: there is none)."""
    page: list[Space] = []
    after = want.after
    sdk = next((tag for tag in want.tags if tag in SDKS), None)
    asked = {"owner": want.author, "search": want.search, "sdk": sdk, "sort": want.sort, "limit": _PAGE + 1}
    last: Space | None = None
    for _ in range(_LOOKS):
        rows = parts.spaces.list(caller, after=after, **asked)
        for space in rows[:_PAGE]:
            if len(page) == want.limit:
                return page, last
            last = space
            if _passes(space, want):
                page.append(space)
        if len(rows) <= _PAGE:
            return page, None
        assert last is not None
        after = (last.created_at if want.sort == "created_at" else last.updated_at, last.id)
    return page, last


def _passes(space: Space, want: Wanted) -> bool:
    have = {tag.lower() for tag in views.tags(space.sdk, space.card)}
    if any(tag.lower() not in have for tag in want.tags):
        return False
    models, datasets = space.card.get("models") or [], space.card.get("datasets") or []
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
    tags = listed(request, "filter")
    hits = []
    for space in parts.spaces.list(caller, sdk=sdk, limit=1000):
        score = _score(space, words)
        runs = include_not_running or space.stage.value.startswith(Stage.RUNNING.value) or space.stage is Stage.SLEEPING
        if score > 0 and runs and all(tag in views.tags(space.sdk, space.card) for tag in tags):
            hits.append((score, space))
    hits.sort(key=lambda hit: -hit[0])
    return [views.found(space, score) for score, space in hits[:_PAGE]]


def _score(space: Space, words: list[str]) -> float:
    """How well a Space fits, from 0 to 1: a word in its name or title counts more than one in what is said about it."""
    title = f"{space.full_name} {space.card.get('title') or ''}".lower()
    about = f"{space.card.get('short_description') or ''} {' '.join(views.tags(space.sdk, space.card))}".lower()
    if not words:
        return 1.0
    return sum(1.0 if word in title else 0.5 if word in about else 0.0 for word in words) / len(words)
