"""The hardware page: what there is and what it costs, who asks, who may use how much, who used what; and for admins what to do
about it. What one Space gets is on its settings page."""

import time

from fastapi import APIRouter, Depends, Request, Response

from orchestrator.domain.decide import RouteState
from orchestrator.domain.hardware import Access, Hardware
from orchestrator.domain.records import RequestState, Space
from orchestrator.errors import CallerError, Invalid, NotFound
from web.page import Console, go
from web.session import Form, Visit

SPANS = {"": None, "3600": "1 hour", "28800": "8 hours", "86400": "1 day", "604800": "7 days", "2592000": "30 days"}


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    allotment = console.parts.allotment

    def page(request: Request, visit: Visit, status: int = 200, error: str = "") -> Response:
        caller = visit.caller
        sums, since, _ = allotment.usage.sums(caller)
        lately = [one for one in allotment.requests.list(caller, limit=30) if one[0].state is not RequestState.PENDING]
        nodes, queue = (allotment.capacity.nodes(), allotment.capacity.queue()) if caller.is_admin else ((), [])
        ids = {held.space_id for node in nodes for held in node.held} | {one.space_id for one in queue}
        values = {
            "flavors": [(flavor, price(flavor), who(flavor)) for flavor in allotment.flavors.values()],
            "asked": allotment.requests.list(caller, RequestState.PENDING),
            "decided": lately[:10],
            "sums": sorted(sums, key=lambda one: -one.cost)[:50],
            "cost": sum(one.cost for one in sums),
            "since": time.strftime("%B %Y", time.gmtime(since)),
            "quotas": allotment.quotas.list(caller),
            "currency": allotment.default.currency,
            "nodes": nodes,
            "queue": queue,
            "names": {i: space.full_name for i in ids if (space := console.parts.spaces.get(i))},
            "spans": SPANS,
            "error": error,
            "owner": caller.user,
            "orgs": console.parts.accounts.orgs_of(caller.user),
        }
        return console.show(request, visit, "account/hardware.html", status=status, **values)

    @router.get("/hardware")
    def hardware(request: Request, visit: Visit = Depends(console.member)) -> Response:
        return page(request, visit)

    @router.post("/hardware/{action}")
    def act(
        request: Request, action: str, form: Form = Depends(console.form), visit: Visit = Depends(console.admin)
    ) -> Response:
        try:
            if action == "approve":
                seconds = float(form["for"]) if form.get("for") in SPANS and form.get("for") else None
                reason = form.get("reason", "").strip()
                allotment.requests.approve(visit.caller, form.get("id", ""), seconds=seconds, reason=reason)
            elif action == "refuse":
                allotment.requests.refuse(visit.caller, form.get("id", ""), form.get("reason", ""))
            elif action == "quota":
                limits = {"hours": amount(form, "hours"), "price": amount(form, "price")}
                count = amount(form, "count")
                limits["count"] = None if count is None else int(count)
                allotment.quotas.put(visit.caller, form.get("owner", "").strip(), form.get("flavor", ""), **limits)
            elif action == "noquota":
                allotment.quotas.drop(visit.caller, form.get("owner", ""), form.get("flavor", ""))
            else:
                raise NotFound("ACTION", "There is no such action.")
        except CallerError as error:
            if error.code == "ACTION":
                raise
            return page(request, visit, 422, error.message)
        return go(f"/hardware?done={action}")

    return router


def amount(form: Form, name: str) -> float | None:
    """A number of a form, None for an empty field. Raises Invalid `QUOTA`."""
    text = form.get(name, "").strip()
    try:
        return float(text) if text else None
    except ValueError:
        raise Invalid("QUOTA", f"{name} is {text[:40]!r}; write a number, or nothing for no limit") from None


def price(flavor: Hardware) -> str:
    return f"{flavor.price:.2f} {flavor.currency} an hour" if flavor.price else "free"


def who(flavor: Hardware) -> str:
    if flavor.access is Access.OWNERS:
        return ", ".join(flavor.owners)
    return {Access.EVERYONE: "everyone", Access.REQUEST: "on request", Access.ADMINS: "given by admins"}[flavor.access]


# ---------------------------------------------------------------------------------------- on the settings of a Space


def of_space(console: Console, visit: Visit, space: Space) -> dict[str, object]:
    """What the settings page shows: the flavours to choose from, and what became of the last request."""
    allotment = console.parts.allotment
    wanted = space.hardware_asked or space.wish.hardware
    flavors = [
        (
            flavor,
            f"{flavor.pretty_name} · {price(flavor)}{_free(console, flavor)}{_note(flavor, visit, space, allotment.default)}",
        )
        for flavor in allotment.flavors.values()
        if flavor.access is not Access.ADMINS or visit.caller.is_admin or flavor.name == wanted
    ]
    current = allotment.flavors.get(space.running_hardware or space.wish.hardware)
    most = allotment.replicas.most
    return {
        "replicas_most": most if most > 1 or space.wish.replicas > 1 else 0,
        "replicas_single": allotment.replicas.single,
        "replicas_now": len(space.addresses) or 1 if space.route is RouteState.OPEN else 0,
        "flavors": flavors,
        "hardware_now": current.pretty_name if current else space.running_hardware or space.wish.hardware,
        "hardware_wanted": wanted,
        "hardware_known": wanted in allotment.flavors,
        "hardware_request": allotment.requests.latest(space),
        "exclusive": any(flavor.count for flavor in allotment.flavors.values()),
    }


def _free(console: Console, flavor: Hardware) -> str:
    """How many of its accelerators nobody has now; nothing where they are not counted."""
    if not flavor.count or flavor.elastic:
        return ""
    fits = [
        node
        for node in console.parts.allotment.capacity.nodes()
        if node.ready and (not node.reserves or flavor.node_selector.items() <= node.labels.items())
    ]
    has = sum(node.resources.get(flavor.resource, 0) for node in fits)
    used = sum(held.resources.get(flavor.resource, 0) for node in fits for held in node.held)
    return f" · {max(0, has - used)} of {has} free now" if has else " · none here now"


def _note(flavor: Hardware, visit: Visit, space: Space, default: Hardware) -> str:
    if visit.caller.is_admin or flavor.name == default.name or flavor.open_to(space.owner):
        return ""
    return " · an admin decides" if flavor.access is Access.REQUEST else f" · for {who(flavor)}"


def choose(console: Console, visit: Visit, space: Space, form: Form) -> str:
    """The form of the settings page; returns the word for `?done=`."""
    requests = console.parts.allotment.requests
    first = form.get("goes_first") == "1"
    if first != space.wish.goes_first:
        space = requests.set_goes_first(visit.caller, space, first)
    asked = requests.choose(visit.caller, space, form.get("flavor", ""), form.get("note", "").strip())
    return "asked" if asked.hardware_asked else "hardware"


def replicas(console: Console, visit: Visit, space: Space, form: Form) -> str:
    count = form.get("replicas", "").strip()
    if not count.isascii() or not count.isdigit() or len(count) > 6:
        raise Invalid("REPLICAS", f"replicas is {count[:40]!r}; write a whole number")
    console.parts.allotment.replicas.set(visit.caller, space, int(count))
    return "replicas"


def withdraw(console: Console, visit: Visit, space: Space, form: Form) -> str:
    console.parts.allotment.requests.withdraw(visit.caller, space)
    return "withdrawn"
