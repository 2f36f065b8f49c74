"""The front page: Spaces as cards, found by words, filters and order, page by page. What a new one begins with is `new.py`."""

import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from orchestrator.api.cardtags import texts
from orchestrator.domain.caller import STRANGER, Caller, role_on
from orchestrator.domain.records import AnyRepo, Space
from orchestrator.domain.repo import RepoKind
from orchestrator.domain.space import Role
from orchestrator.services.spaces import SDKS
from web.page import Console
from web.session import Visit
from web.shapes import plain, stage_tone, stage_words

PAGE = 24
TREND = 4  #: how many stand in the row of what is liked lately
SORTS = {
    "trending": "Trending",
    "likes": "Most liked",
    "downloads": "Most downloaded",
    "last_modified": "Recently changed",
    "created_at": "Newest",
}
_FIRST = "last_modified"
_TAGS = 14
_KEPT = 30.0  #: seconds


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for. `mine`: of the visitor and their organisations."""

    q: str = ""
    sort: str = _FIRST
    sdk: str = ""
    tag: str = ""
    hardware: str = ""
    running: str = ""
    mine: str = ""
    after: str = ""

    @property
    def narrowed(self) -> bool:
        return any((self.q, self.sdk, self.tag, self.hardware, self.running, self.mine, self.after))

    def fields(self, **changed: str) -> dict[str, str]:
        """For a link to the same list, but for what is `changed`; it begins at the top."""
        fields = asdict(replace(self, **({"after": ""} | changed)))
        return {k: v for k, v in fields.items() if v and (k, v) != ("sort", _FIRST)}


def wanted(
    q: str = "",
    sort: str = _FIRST,
    sdk: str = "",
    tag: str = "",
    hardware: str = "",
    running: str = "",
    mine: str = "",
    after: str = "",
) -> Wanted:
    """Whatever the address says; nonsense is nothing."""
    return Wanted(
        " ".join(q.split())[:100],
        sort if sort in SORTS else _FIRST,
        sdk if sdk in SDKS else "",
        plain(tag, 60),
        plain(hardware, 60),
        "1" if running else "",
        "1" if mine else "",
        after[:100],
    )


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    spaces, lately = console.parts.spaces, _Lately(console)

    @router.get("/")
    @router.get("/spaces")
    def explore(request: Request, want: Wanted = Depends(wanted), visit: Visit = Depends(console.visit)) -> Response:
        found, next_after = look(console, visit.caller, want)
        plain_list = not want.narrowed and want.sort == _FIRST
        trending = lately.liked(visit.caller) if plain_list else []
        values = {
            "spaces": found,
            "trending": trending if len(trending) > 1 else [],
            "want": want,
            "next_after": next_after,
            "sorts": SORTS,
            "sdks": SDKS,
            "flavors": [f for f in console.parts.allotment.flavors.values()],
            "tags": lately.tags(),
        }
        return console.show(request, visit, "explore.html", **values)

    @router.get("/explore/stages")
    def stages(ids: str = Query("", max_length=3000), visit: Visit = Depends(console.visit)) -> Response:
        """The stages of the cards on a page, for those that this visitor may see."""
        found = [spaces.get(i) for i in ids.split(",")[: 4 * PAGE] if i]
        seen = [s for s in found if s and role_on(visit.caller, s) >= Role.READ]
        body = {s.id: [stage_tone(s.stage), stage_words(s.stage)] for s in seen}
        return JSONResponse(body, headers={"Cache-Control": "no-store"})

    return router


def look(
    console: Console, caller: Caller, want: Wanted, owner: str | None = None, kind: RepoKind = RepoKind.SPACE
) -> tuple[list[AnyRepo], str]:
    """One page of repos of a kind, and where the next one begins ("": this was the last)."""
    owner = caller.name if want.mine and caller.user else owner
    runs = {"sdk": want.sdk or None, "tag": want.tag, "hardware": want.hardware, "running": bool(want.running)}
    found = console.parts.hosted.list(
        caller,
        kind,
        owner=owner,
        words=want.q.split()[:6],
        sort=want.sort,
        limit=PAGE + 1,
        after=place(want.after),
        **(runs if kind.runs else {}),
    )
    shown = found[:PAGE]
    if len(found) <= PAGE:
        return shown, ""
    last = shown[-1]
    trend = console.parts.likes.trends([last.id])[last.id] if want.sort == "trending" else 0
    return shown, mark(last, want.sort, trend)


def mark(repo: AnyRepo, sort: str, trend: int = 0) -> str:
    """Where the next page begins: after this one."""
    values = {
        "created_at": repo.created_at,
        "last_modified": repo.updated_at,
        "likes": repo.likes,
        "downloads": repo.downloads,
        "trending": trend,
    }
    return f"{float(values[sort])!r}~{repo.id}"


def place(after: str) -> tuple[float, str] | None:
    """The inverse of `mark`; nonsense is the beginning."""
    moment, _, ident = after.partition("~")
    try:
        at = float(moment)
    except ValueError:
        return None
    return (at, ident[:40]) if ident and math.isfinite(at) else None


class _Lately:
    """What is asked of many Spaces at once, kept for a while: common tags, and who was liked this week. Of Spaces that everybody
    sees; those shown are looked up again, so that one that was hidden meanwhile stays hidden."""

    def __init__(self, console: Console) -> None:
        self._spaces, self._likes = console.parts.spaces, console.parts.likes
        self._kept: dict[str, tuple[float, list[str]]] = {}

    def tags(self) -> list[str]:
        return self._fresh("tags", self._common)

    def liked(self, caller: Caller) -> list[Space]:
        found = (self._spaces.get(space_id) for space_id in self._fresh("liked", self._trending))
        seen = [s for s in found if s and not s.wish.deleted and role_on(caller, s) >= Role.READ]
        return [space for space in seen if stage_tone(space.stage) != "bad"][:TREND]

    def _fresh(self, name: str, make: Callable[[], list[str]]) -> list[str]:
        at, known = self._kept.get(name, (-math.inf, []))
        if time.monotonic() - at > _KEPT:
            self._kept[name] = (time.monotonic(), known := make())
        return known

    def _common(self) -> list[str]:
        seen = Counter(
            tag.lower()
            for space in self._spaces.list(STRANGER, limit=300)
            for tag in dict.fromkeys(texts(space.card.get("tags")))
            if 1 < len(tag) <= 30 and tag.isprintable()
        )
        return [tag for tag, _ in seen.most_common(_TAGS)]

    def _trending(self) -> list[str]:
        row = self._spaces.list(STRANGER, sort="trending", limit=3 * TREND)
        trends = self._likes.trends([space.id for space in row])
        return [space.id for space in row if trends[space.id]]
