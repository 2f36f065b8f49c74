"""`podium hardware`: the catalogue, requests, quotas, usage and capacity of a running Podium, over HTTP. What a Space gets is
`podium space hardware`. The example of a catalogue is printed without a server."""

import csv
import math
import sys
from importlib import resources
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from orchestrator.cli.connection import connect, server
from orchestrator.cli.output import as_json, moment, say, seconds, table
from orchestrator.errors import Invalid

if TYPE_CHECKING:
    from orchestrator.cli.hub import Hub

_PLAIN = {"no_args_is_help": True, "rich_markup_mode": None}
PATH = "/api/podium/hardware"
_SPANS = {"m": 60.0, "h": 3600.0, "d": 86400.0}
app = typer.Typer(help="Hardware: what there is, who asks for it, who may use how much.", **_PLAIN)

Json = Annotated[bool, typer.Option("--json", help="Print the server's JSON.")]
Id = Annotated[str, typer.Argument(metavar="REQUEST", help="Id of the request, or OWNER/NAME of its Space.")]


app.callback()(server)


# ------------------------------------------------------------------------------------------------------------- looking


@app.command("list")
def list_(context: typer.Context, json: Json = False) -> None:
    """The flavours, with price and who may use them. The first is what new Spaces get."""
    found = connect(context).get("/api/spaces/hardware")
    if json:
        return as_json(found)
    rows = [
        (
            f["name"],
            f["prettyName"],
            f["cpu"],
            f["ram"],
            _accelerator(f.get("accelerator")),
            _price(f),
            f.get("allowed"),
        )
        for f in found
    ]
    table(("hardware", "name", "cpu", "memory", "accelerator", "price", "for"), rows)


def _accelerator(found: dict | None) -> str:
    return f"{found['quantity']} x {found['manufacturer']} {found['model']}" if found else ""


def _price(flavor: dict) -> str:
    cost = flavor.get("unitCostUSD") or 0
    return f"{cost:.2f} {flavor.get('currency', 'USD')}/h" if cost else "free"


@app.command()
def example() -> None:
    """Print a catalogue with comments, to begin with: podium hardware example > hardware.yaml"""
    sys.stdout.write((resources.files("orchestrator") / "domain" / "hardware.example.yaml").read_text("utf-8"))


@app.command()
def capacity(context: typer.Context, json: Json = False) -> None:
    """What each node has, who uses it, and who waits for it, in order. For admins."""
    found = connect(context).get(PATH + "/capacity")
    if json:
        return as_json(found)
    rows = []
    for node in found["nodes"]:
        state = "ready" if node["ready"] else node["trouble"] or "not ready"
        used = [f"{name}: {node['used'].get(name, 0)} of {has} used" for name, has in node["resources"].items()]
        holders = sorted({one["space"] or "others" for one in node["instances"] if one["resources"]})
        rows.append((node["name"], state, "; ".join(used) or "no accelerators", ", ".join(holders)))
    rows += [
        (f"waiting {place}", one["flavor"], f"since {moment(one['since'])}", one["space"])
        for place, one in enumerate(found["waiting"], 1)
    ]
    table(("node", "state", "accelerators", "used by"), rows)


@app.command()
def usage(
    context: typer.Context,
    since: Annotated[str, typer.Option(help="First day, such as 2026-11-01; the first of this month.")] = "",
    before: Annotated[str, typer.Option(help="Up to this day or moment; now.")] = "",
    owner: Annotated[str, typer.Option(help="Only this user or organisation.")] = "",
    space: Annotated[str, typer.Option(metavar="OWNER/NAME", help="Only this Space.")] = "",
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table for spreadsheets.")] = False,
    json: Json = False,
) -> None:
    """Hours and cost by owner, Space and hardware."""
    given = {"since": since, "before": before, "owner": owner, "space": space}
    found = connect(context).get(PATH + "/usage", **{name: value for name, value in given.items() if value})
    if json:
        return as_json(found)
    columns = ("owner", "space", "hardware", "hours", f"cost {found['currency']}")
    rows = [(r["owner"], r["space"], r["hardware"], f"{r['hours']:.2f}", f"{r['cost']:.2f}") for r in found["rows"]]
    if as_csv:
        return csv.writer(sys.stdout, lineterminator="\n").writerows([columns, *rows])
    table(columns, [*rows, ("all", "", "", f"{_sum(found, 'hours'):.2f}", f"{_sum(found, 'cost'):.2f}")])


def _sum(found: dict, what: str) -> float:
    return sum(row[what] for row in found["rows"])


# ------------------------------------------------------------------------------------------------------------ deciding


@app.command()
def requests(
    context: typer.Context,
    all_: Annotated[bool, typer.Option("--all", help="Those decided about as well.")] = False,
    json: Json = False,
) -> None:
    """Requests that wait for an admin: all for admins, for others those of their Spaces."""
    found = connect(context).get(PATH + "/requests", **({} if all_ else {"state": "pending"}))
    if json:
        return as_json(found)
    rows = [
        (r["id"], r["space"], r["flavor"], r["state"], r["asker"], moment(r["createdAt"]), r["note"] or r["reason"])
        for r in found
    ]
    table(("request", "space", "hardware", "state", "asked by", "since", "why"), rows)


@app.command()
def approve(
    context: typer.Context,
    request: Id,
    for_: Annotated[
        str, typer.Option("--for", metavar="TIME", help="Such as 30m, 8h or 7d; then back to the default hardware.")
    ] = "",
    reason: Annotated[str, typer.Option(help="A word to who asked.")] = "",
) -> None:
    """Give a Space the hardware that was asked for."""
    hub = connect(context)
    body = {"reason": reason} | ({"seconds": _time(for_)} if for_ else {})
    done = hub.post(f"{PATH}/requests/{_request(hub, request)}/approve", body)
    until = f" until {moment(done['expiresAt'])}" if done.get("expiresAt") else ""
    say(f"{done['space']} moves to {done['flavor']}{until}; watch: podium space wait {done['space']}")


@app.command()
def refuse(
    context: typer.Context,
    request: Id,
    reason: Annotated[str, typer.Option(help="Why; whoever asked reads it.")],
) -> None:
    """Refuse a request, with a reason."""
    hub = connect(context)
    done = hub.post(f"{PATH}/requests/{_request(hub, request)}/refuse", {"reason": reason})
    say(f"{done['asker']} is told why {done['space']} does not get {done['flavor']}.")


def _request(hub: "Hub", given: str) -> str:
    """The id of a request; that of the pending one for the name of a Space."""
    if "/" not in given:
        return quote(given, safe="")
    pending = hub.get(PATH + "/requests", state="pending", limit=1000)
    found = next((one["id"] for one in pending if one["space"].lower() == given.lower()), None)
    if found is None:
        raise Invalid("REQUEST", f"{given[:100]} asks for nothing now; `podium hardware requests` lists who does")
    return found


def _time(text: str) -> float:
    number, unit = text[:-1], text[-1:]
    try:
        found = float(number) * _SPANS[unit]
        if math.isfinite(found):
            return found
    except (ValueError, KeyError):
        pass
    raise Invalid("EXPIRY", f"--for is {text[:40]!r}; write a time such as 30m, 8h or 7d")


# -------------------------------------------------------------------------------------------------------------- quotas


@app.command()
def quota(
    context: typer.Context,
    owner: Annotated[str, typer.Argument(metavar="[OWNER]", help="User or organisation; all if left out.")] = "",
    flavor: Annotated[str, typer.Argument(metavar="[FLAVOR]", help="Which one; '*' for all together.")] = "",
    hours: Annotated[float | None, typer.Option(min=0, help="Hours a month.", show_default=False)] = None,
    count: Annotated[int | None, typer.Option(min=0, help="Spaces on it.", show_default=False)] = None,
    price: Annotated[float | None, typer.Option(min=0, help="Cost a month.", show_default=False)] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take it away: nothing is allowed then.")] = False,
    json: Json = False,
) -> None:
    """Show quotas, or set one: what is left out is not limited. Without a quota an owner may use nothing that has a price or an
    accelerator, but what an admin gave to one Space."""
    hub, given = connect(context), {"hours": hours, "count": count, "price": price}
    if odd := [name for name in ("hours", "price") if given[name] is not None and not math.isfinite(given[name])]:
        raise Invalid("QUOTA", f"--{odd[0]} is {given[odd[0]]}; write a number, or leave it out for no limit")
    changes = remove or any(value is not None for value in given.values())
    if changes and not flavor:
        raise Invalid("QUOTA", "say whose quota of what: podium hardware quota OWNER FLAVOR --hours 20")
    path = f"{PATH}/quotas/{quote(owner, safe='')}/{quote(flavor, safe='')}"
    if remove:
        hub.delete(path)
    elif changes:
        hub.put(path, {name: value for name, value in given.items() if value is not None})
    found = hub.get(PATH + "/quotas", **({"owner": owner} if owner else {}))
    found = [one for one in found if flavor in ("", one["flavor"])]
    if json:
        return as_json(found)
    rows = [
        (
            one["owner"],
            one["flavor"],
            _of(one["usedHours"], one["hours"]),
            _of(one["usedCount"], one["count"]),
            _of(one["usedPrice"], one["price"]),
        )
        for one in found
    ]
    table(("owner", "hardware", "hours this month", "Spaces", "cost this month"), rows)


def _of(used: float, limit: float | None) -> str:
    return f"{used:.10g} of {'any' if limit is None else f'{limit:.10g}'}"


# ---------------------------------------------------------------------------------------------------- of one Space


def of_space(
    context: typer.Context, space_id: str, flavor: str, note: str, cancel: bool, goes_first: bool | None
) -> None:
    """`podium space hardware`: show, ask, take back."""
    from orchestrator.cli.hub import space_path

    hub = connect(context)
    if cancel:
        hub.delete(space_path(space_id, "/hardware/request"))
        say(f"{space_id} asks for nothing any more.")
        return
    if flavor:
        body = {"flavor": flavor, "note": note} | ({} if goes_first is None else {"goesFirst": goes_first})
        told = hub.post(space_path(space_id, "/hardware"), body)
        request = told.get("hardwareRequest") or {}
        if request.get("state") == "pending":
            say(f"An admin decides whether {space_id} gets {flavor}; see: podium space hardware {space_id}")
        else:
            say(f"{space_id} moves to {flavor}; watch: podium space wait {space_id}")
        return
    if goes_first is not None:
        raise Invalid("HARDWARE", f"say which hardware, too: podium space hardware {space_id} FLAVOR --old-first")
    runtime = hub.get(space_path(space_id, "/runtime"))
    request = hub.get(space_path(space_id, "/hardware/request")) or {}
    hardware = runtime.get("hardware") or {}
    rows = [("has", hardware.get("current") or "nothing yet"), ("wants", hardware.get("requested"))]
    if request:
        about = f"{request['flavor']}: {request['state']}, asked by {request['asker']} {moment(request['createdAt'])}"
        rows += [("request", about), ("decided by", request.get("decidedBy")), ("because", request.get("reason"))]
        rows += [("until", moment(request.get("expiresAt")))]
    asleep_after = runtime.get("gcTimeout")
    rows += [("sleeps after", seconds(asleep_after) if asleep_after else "never"), ("now", runtime.get("reason"))]
    table(("", ""), [row for row in rows if row[1]])
