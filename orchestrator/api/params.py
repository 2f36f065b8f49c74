"""How parameters are read: path segments, lists, flags, pages, JSON bodies. Shared by the routes; no route in here."""

import base64
import math
import re
from binascii import Error as Base64Error
from typing import Annotated
from urllib.parse import unquote, urlencode

from fastapi import Depends, Path, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator
from starlette.convertors import StringConvertor, register_url_convertor

from orchestrator.api.identity import CallerDep, PartsDep
from orchestrator.domain.caller import require
from orchestrator.domain.records import AnyRepo, Space
from orchestrator.domain.repo import PLURALS, RepoKind
from orchestrator.domain.space import Role
from orchestrator.errors import Invalid, repo_not_found
from orchestrator.services.ref_access import require_voice

_SURROGATE = re.compile("[\ud800-\udfff]")
#: A path segment whose `%2F` and `%25` are still encoded (envelope.py).
Segment = Annotated[str, AfterValidator(unquote)]
Owner = Annotated[Segment, Path(max_length=300)]
Name = Annotated[Segment, Path(max_length=300)]


class Body(BaseModel):
    """A JSON body that refuses fields it does not know: nobody sets `owner_id` by guessing."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _storable(cls, data: object) -> object:
        if not is_storable(data):
            raise ValueError(
                "a value in the body holds a NUL character, half of a surrogate pair, or a number without an end; leave it out"
            )
        return data


def is_storable(data: object) -> bool:
    """Neither UTF-8 nor JSON nor every database has a place for NUL, halves of surrogate pairs, NaN and Infinity, and nothing
    here has a use for them. However deep the data are."""
    left = [data]
    while left:
        one = left.pop()
        if isinstance(one, str) and ("\0" in one or _SURROGATE.search(one)):
            return False
        if isinstance(one, float) and not math.isfinite(one):
            return False
        if isinstance(one, dict):
            left += (*one, *one.values())
        elif isinstance(one, list):
            left += one
    return True


class OpenBody(Body):
    """A JSON body in which later clients may send more than we read."""

    model_config = ConfigDict(extra="ignore")


def listed(request: Request, name: str) -> list[str]:
    """The values of `name=a&name=b`, `name[]=a` or `name=a,b`. Clients of all generations differ."""
    given = request.query_params.getlist(name) + request.query_params.getlist(f"{name}[]")
    return [part.strip() for value in given for part in value.split(",") if part.strip()]


def next_link(request: Request, base: str, **changed: object) -> dict[str, str]:
    """The Link header of a next page: the same query with `changed`; clients add nothing to it."""
    kept = [(k, v) for k, v in request.query_params.multi_items() if k not in changed]
    query = urlencode([*kept, *((k, str(v)) for k, v in changed.items())])
    path = request.scope.get("raw_path", b"").decode("latin-1") or request.url.path
    return {"Link": f'<{base}{path}?{query}>; rel="next"'}


def cursor_of(*values: object) -> str:
    return base64.urlsafe_b64encode(":".join(str(v) for v in values).encode()).decode().rstrip("=")


def read_cursor(cursor: str, count: int) -> list[str]:
    """The `count` values of a cursor. Raises Invalid `CURSOR`."""
    try:
        values = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split(":")
    except (Base64Error, ValueError):
        values = []
    if len(values) != count:
        raise Invalid("CURSOR", "this cursor was not made by Podium; start again without one")
    return values


def time_cursor(cursor: str | None) -> tuple[float, str] | None:
    """The (number, id) after which a page begins, made by `cursor_of(number.hex(), id)`. Raises Invalid `CURSOR`."""
    if not cursor:
        return None
    number, ident = read_cursor(cursor, 2)
    try:
        value = float.fromhex(number)
        if not math.isfinite(value) or abs(value) > 1e15:
            raise ValueError
    except (ValueError, OverflowError):
        raise Invalid("CURSOR", "this cursor was not made by Podium; start again without one") from None
    return value, ident


def space_of(owner: Owner, name: Name, caller: CallerDep, parts: PartsDep) -> Space:
    """The Space named by the path if the caller may see its app."""
    return parts.spaces.find(caller, owner, name)


def space_code(owner: Owner, name: Name, caller: CallerDep, parts: PartsDep) -> Space:
    """The Space named by the path if the caller may see its files."""
    return parts.spaces.find(caller, owner, name, code=True)


def changeable(owner: Owner, name: Name, caller: CallerDep, parts: PartsDep) -> Space:
    """The Space named by the path if the caller may change it."""
    return parts.spaces.find(caller, owner, name, Role.WRITE)


class _Kind(StringConvertor):
    """`{kind:kind}`: a path segment that is `models`, `datasets` or `spaces`, for routes that stand before others."""

    regex = "|".join(PLURALS)


register_url_convertor("kind", _Kind())


def kind_at(plural: str) -> RepoKind:
    """Raises NotFound for what is no kind."""
    if plural not in PLURALS:
        raise repo_not_found()
    return PLURALS[plural]


async def kind_of(kind: Annotated[str, Path(max_length=40)]) -> RepoKind:
    return kind_at(kind)


KindDep = Annotated[RepoKind, Depends(kind_of)]


def repo_of(kind: KindDep, owner: Owner, name: Name, caller: CallerDep, parts: PartsDep) -> AnyRepo:
    """The repo of `/api/{kind}/{owner}/{name}` if the caller may see its files; reading them may need more: `OpenRepoDep`."""
    return parts.hosted.find(caller, kind, owner, name)


RepoDep = Annotated[AnyRepo, Depends(repo_of)]


def writable_repo(repo: RepoDep, caller: CallerDep) -> AnyRepo:
    require(caller, repo, Role.WRITE, code=True)
    return repo


def open_repo(repo: RepoDep, caller: CallerDep, parts: PartsDep) -> AnyRepo:
    """The repo if the caller may read its files: they are past its gate. Raises Forbidden `GatedRepo`."""
    parts.gates.check(caller, repo)
    return repo


def voice_repo(repo: Annotated[AnyRepo, Depends(open_repo)], caller: CallerDep) -> AnyRepo:
    """The repo if the caller may bring something to it: writers, and whoever may open a pull request."""
    require_voice(caller, repo)
    return repo


WritableRepoDep = Annotated[AnyRepo, Depends(writable_repo)]
OpenRepoDep = Annotated[AnyRepo, Depends(open_repo)]
VoiceRepoDep = Annotated[AnyRepo, Depends(voice_repo)]
SpaceDep = Annotated[Space, Depends(space_of)]
SpaceCodeDep = Annotated[Space, Depends(space_code)]
ChangeableDep = Annotated[Space, Depends(changeable)]
