"""Requests for hardware and what becomes of them, quotas, usage, capacity: paths of Podium's own below /api/podium, for the Hub
has none. Choosing hardware itself is the Hub's path, in spaces.py."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from orchestrator.api import hardware_views as views
from orchestrator.api.identity import PartsDep, SignedInDep
from orchestrator.api.params import Body, ChangeableDep, Segment
from orchestrator.api.views import iso
from orchestrator.domain.caller import require_admin
from orchestrator.domain.records import RequestState
from orchestrator.errors import Invalid
from orchestrator.services.usage import as_csv

router = APIRouter(tags=["hardware"])
PATH = "/api/podium/hardware"
Text = Annotated[str, Query(max_length=200)]


class Approval(Body):
    seconds: float | None = Field(None, description="for so long; then the Space goes back to the default flavour")
    reason: str = ""


class Refusal(Body):
    reason: str = Field(description="why; whoever asked reads it")


class QuotaWish(Body):
    hours: float | None = Field(None, description="a month; left out: no limit")
    count: int | None = Field(None, description="Spaces on it; left out: no limit")
    price: float | None = Field(None, description="a month, in the catalogue's currency; left out: no limit")


# ------------------------------------------------------------------------------------------------------------ requests


@router.get(PATH + "/requests")
def requests(caller: SignedInDep, parts: PartsDep, state: Text = "", limit: Annotated[int, Query(ge=1, le=1000)] = 200):
    """Newest first: all for admins, for others those of Spaces that they may change."""
    found = parts.allotment.requests.list(caller, _state(state), limit)
    return [views.hardware_request(request, space) for request, space in found]


@router.post(PATH + "/requests/{request_id}/approve")
def approve(request_id: Segment, body: Approval, caller: SignedInDep, parts: PartsDep):
    parts.allotment.requests.approve(caller, request_id, seconds=body.seconds, reason=body.reason)
    return views.hardware_request(*parts.allotment.requests.find(request_id))


@router.post(PATH + "/requests/{request_id}/refuse")
def refuse(request_id: Segment, body: Refusal, caller: SignedInDep, parts: PartsDep):
    parts.allotment.requests.refuse(caller, request_id, body.reason)
    return views.hardware_request(*parts.allotment.requests.find(request_id))


@router.get("/api/spaces/{owner}/{name}/hardware/request")
def request_of(space: ChangeableDep, parts: PartsDep):
    """The last request of a Space and what became of it; null when there was none."""
    request = parts.allotment.requests.latest(space)
    return views.hardware_request(request, space) if request else None


@router.delete("/api/spaces/{owner}/{name}/hardware/request")
def withdraw(space: ChangeableDep, caller: SignedInDep, parts: PartsDep):
    parts.allotment.requests.withdraw(caller, space)
    return request_of(space, parts)


def _state(word: str) -> RequestState | None:
    try:
        return RequestState(word) if word else None
    except ValueError:
        known = ", ".join(state.value for state in RequestState)
        raise Invalid("STATE", f"state is {word[:40]!r}; write {known}, or leave it out") from None


# -------------------------------------------------------------------------------------------------------------- quotas


@router.get(PATH + "/quotas")
def quotas(caller: SignedInDep, parts: PartsDep, owner: Text = ""):
    """With what of them is used this month. All for admins, for others those of themselves and their organisations."""
    return [views.quota(*found) for found in parts.allotment.quotas.list(caller, owner)]


@router.put(PATH + "/quotas/{owner}/{flavor}")
def put_quota(owner: Segment, flavor: Segment, body: QuotaWish, caller: SignedInDep, parts: PartsDep):
    """`flavor` may be `*`: all that need a quota, together."""
    parts.allotment.quotas.put(caller, owner, flavor, body.hours, body.count, body.price)
    return quotas(caller, parts, owner)


@router.delete(PATH + "/quotas/{owner}/{flavor}")
def drop_quota(owner: Segment, flavor: Segment, caller: SignedInDep, parts: PartsDep):
    parts.allotment.quotas.drop(caller, owner, flavor)
    return quotas(caller, parts, owner)


# --------------------------------------------------------------------------------------------------- usage, capacity


@router.get(PATH + "/usage")
def usage(
    caller: SignedInDep,
    parts: PartsDep,
    since: Text = "",
    before: Text = "",
    owner: Text = "",
    space: Text = "",
    format: Text = "json",
):
    """Seconds and cost by owner, Space and flavour, between two moments (ISO 8601; this month when left out)."""
    if format not in ("json", "csv"):
        raise Invalid("FORMAT", f"format is {format[:40]!r}; write json or csv")
    begin, end = _moment("since", since), _moment("before", before)
    sums, begin, end = parts.allotment.usage.sums(caller, begin, end, owner, space)
    currency = parts.allotment.default.currency
    if format == "csv":
        name = f"usage-{iso(begin)[:10]}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(as_csv(sums, currency), media_type="text/csv; charset=utf-8", headers=headers)
    return {
        "since": iso(begin),
        "before": iso(end),
        "currency": currency,
        "rows": [views.usage(one) for one in sums],
    }


def _moment(what: str, text: str) -> float | None:
    """Epoch seconds of an ISO 8601 day or moment, in UTC unless it says otherwise."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise Invalid("RANGE", f"{what} is {text[:40]!r}; write a day such as 2026-11-01") from None


@router.get(PATH + "/capacity")
def capacity(caller: SignedInDep, parts: PartsDep):
    """What each node has, who uses it, who waits for it. For admins."""
    require_admin(caller)
    nodes, waiting = parts.allotment.capacity.nodes(), parts.allotment.capacity.queue()
    names = {i: space.full_name for i in _ids(nodes, waiting) if (space := parts.spaces.get(i))}
    return {
        "nodes": [views.node(node, names) for node in nodes],
        "waiting": [
            {"space": names.get(one.space_id, ""), "flavor": one.hardware.name, "since": iso(one.since)}
            for one in waiting
            if one.space_id in names
        ],
    }


def _ids(nodes, waiting) -> set[str]:
    return {held.space_id for node in nodes for held in node.held} | {one.space_id for one in waiting}
