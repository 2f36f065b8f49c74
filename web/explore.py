"""The front page: Spaces as cards, found by words, filters and order, page by page. What a new one begins with is `new.py`."""

import math
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from orchestrator.api.cardtags import texts
from orchestrator.domain.caller import STRANGER, Caller, role_on
from orchestrator.domain.records import Space
from orchestrator.domain.space import Role
from orchestrator.services.spaces import SDKS
from web.page import Console
from web.session import Visit
from web.shapes import plain, stage_tone, stage_words

PAGE = 24
TREND = 4  #: how many stand in the row of what is liked lately
SORTS = {"trending": "Trending", "likes": "Most liked", "last_modified": "Recently changed", "created_at": "Newest"}
_FIRST = "last_modified"
_TAGS = 14
_TAGS_FOR = 60.0  #: seconds that the list of tags is kept


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
    spaces, likes = console.parts.spaces, console.parts.likes
    tags = _Tags(console)

    @router.get("/")
    @router.get("/spaces")
    def explore(request: Request, want: Wanted = Depends(wanted), visit: Visit = Depends(console.visit)) -> Response:
        found, next_after = look(console, visit.caller, want)
        trending: list[Space] = []
        if not want.narrowed and want.sort == _FIRST:
            row = spaces.list(visit.caller, sort="trending", limit=3 * TREND)
            trends = likes.trends([space.id for space in row])
            trending = [space for space in row if trends[space.id] and stage_tone(space.stage) != "bad"][:TREND]
        values = {
            "spaces": found,
            "trending": trending if len(trending) > 1 else [],
            "want": want,
            "next_after": next_after,
            "sorts": SORTS,
            "sdks": SDKS,
            "flavors": [f for f in console.parts.allotment.flavors.values()],
            "tags": tags.common(),
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


def look(console: Console, caller: Caller, want: Wanted, owner: str | None = None) -> tuple[list[Space], str]:
    """One page of Spaces, and where the next one begins ("": this was the last)."""
    owner = caller.name if want.mine and caller.user else owner
    found = console.parts.spaces.list(
        caller,
        owner=owner,
        words=want.q.split()[:6],
        sdk=want.sdk or None,
        tag=want.tag,
        hardware=want.hardware,
        running=bool(want.running),
        sort=want.sort,
        limit=PAGE + 1,
        after=place(want.after),
    )
    shown = found[:PAGE]
    if len(found) <= PAGE:
        return shown, ""
    last = shown[-1]
    trend = console.parts.likes.trends([last.id])[last.id] if want.sort == "trending" else 0
    return shown, mark(last, want.sort, trend)


def mark(space: Space, sort: str, trend: int = 0) -> str:
    """Where the next page begins: after this one."""
    values = {
        "created_at": space.created_at,
        "last_modified": space.updated_at,
        "likes": space.likes,
        "trending": trend,
    }
    return f"{float(values[sort])!r}~{space.id}"


def place(after: str) -> tuple[float, str] | None:
    """The inverse of `mark`; nonsense is the beginning."""
    moment, _, ident = after.partition("~")
    try:
        at = float(moment)
    except ValueError:
        return None
    return (at, ident[:40]) if ident and math.isfinite(at) else None


class _Tags:
    """The tags that are used most among the Spaces that everybody sees, changed lately."""

    def __init__(self, console: Console) -> None:
        self._spaces = console.parts.spaces
        self._at, self._known = 0.0, []

    def common(self) -> list[str]:
        if time.monotonic() - self._at > _TAGS_FOR or not self._known:
            seen = Counter(
                tag.lower()
                for space in self._spaces.list(STRANGER, limit=300)
                for tag in dict.fromkeys(texts(space.card.get("tags")))
                if 1 < len(tag) <= 30 and tag.isprintable()
            )
            self._known = [tag for tag, _ in seen.most_common(_TAGS)]
            self._at = time.monotonic()
        return self._known
