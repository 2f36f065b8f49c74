"""`podium space domain`, `member`, `embed`, `freeze` and `thaw`: where a Space is served, who works on it, who frames it, and
when it is deployed."""

from typing import Annotated
from urllib.parse import quote

import typer

from orchestrator.cli.connection import connect
from orchestrator.cli.output import as_json, facts, moment, say, table

_PLAIN = {"no_args_is_help": True, "rich_markup_mode": None}
domains = typer.Typer(help="Domains of your own for a Space.", **_PLAIN)
members = typer.Typer(help="Single users who may read or change a Space.", **_PLAIN)

Id = Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The Space.")]
Domain = Annotated[str, typer.Argument(metavar="DOMAIN", help="Such as demo.example.com.")]
User = Annotated[str, typer.Argument(metavar="USER", help="Their user name.")]
Json = Annotated[bool, typer.Option("--json", help="Print the server's JSON.")]


def _path(space_id: str, *rest: str) -> str:
    from orchestrator.cli.hub import space_path

    return space_path(space_id, "".join(f"/{quote(one, safe='')}" for one in rest))


# ------------------------------------------------------------------------------------------------------------- domains


@domains.command("list")
def domain_list(context: typer.Context, id: Id, json: Json = False) -> None:
    """The domains of a Space, and how each stands."""
    found = connect(context).get(_path(id, "domains"))
    if json:
        return as_json(found)
    rows = [(one["domain"], one["state"], moment(one.get("checkedAt")), one.get("reason")) for one in found]
    table(("domain", "state", "looked at", "reason"), rows)


@domains.command("add")
def domain_add(context: typer.Context, id: Id, domain: Domain) -> None:
    """Ask for a domain; prints the records to make in DNS. It is served once they are found."""
    made = connect(context).post(_path(id, "domains"), {"domain": domain})
    table(("type", "name", "value"), [(one["type"], one["name"], one["value"]) for one in made["records"]])
    say(f"Make these records in DNS, then: podium space domain check {id} {made['domain']}")


@domains.command("check")
def domain_check(context: typer.Context, id: Id, domain: Domain, json: Json = False) -> None:
    """Look at DNS now. Exit code 0 when the Space is served at the domain, 1 when not."""
    found = connect(context).post(_path(id, "domains", domain, "check"))
    if json:
        as_json(found)
    else:
        facts({name: found.get(name) for name in ("domain", "state", "reason", "found")})
    raise typer.Exit(0 if found.get("served") else 1)


@domains.command("remove")
def domain_remove(context: typer.Context, id: Id, domain: Domain) -> None:
    """Serve the Space there no more, at once."""
    connect(context).delete(_path(id, "domains", domain))
    say(f"{id} is served at {domain} no more.")


# ------------------------------------------------------------------------------------------------------------- members


@members.command("list")
def member_list(context: typer.Context, id: Id, json: Json = False) -> None:
    """Who was let into a Space, or is invited; members of its organisation are not listed."""
    found = connect(context).get(_path(id, "collaborators"))
    if json:
        return as_json(found)
    rows = [(one["user"], one["role"], one["state"], one["invitedBy"], moment(one["createdAt"])) for one in found]
    table(("user", "role", "state", "invited by", "since"), rows)


@members.command("add")
def member_add(
    context: typer.Context,
    id: Id,
    user: User,
    role: Annotated[str, typer.Option(help="read or write.")] = "write",
) -> None:
    """Invite a user to a Space, or change what a member may do."""
    made = connect(context).put(_path(id, "collaborators", user), {"role": role})
    if made["state"] == "invited":
        say(f"{made['user']} is invited to {made['role']} {id}, and a member when they have accepted.")
    else:
        say(f"{made['user']} may {made['role']} {id}.")


@members.command("remove")
def member_remove(context: typer.Context, id: Id, user: User) -> None:
    """Shut a user out again, or take an invitation back; with your own name: leave."""
    connect(context).delete(_path(id, "collaborators", user))
    say(f"{user} is no member of {id} any more.")


# ----------------------------------------------------------------------------------------------------- frames, deploys


def embed(
    context: typer.Context,
    id: Id,
    sites: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ORIGIN]...", help="Sites, such as https://example.com or https://*.example.com."),
    ] = None,
    anyone: Annotated[bool, typer.Option("--anyone", help="Any site.")] = False,
    nobody: Annotated[bool, typer.Option("--nobody", help="No site but the console.")] = False,
) -> None:
    """Which sites may show the app in a frame; without any of these: show them."""
    if sum((bool(sites), anyone, nobody)) > 1:
        raise typer.BadParameter("name sites, or --anyone, or --nobody")
    hub, path = connect(context), _path(id, "embedding")
    wanted = {"origins": None if anyone else list(sites or ())}
    allowed = (hub.put(path, wanted) if sites or anyone or nobody else hub.get(path))["origins"]
    table(("may frame it",), [(site,) for site in (["anyone"] if allowed is None else allowed or ["nobody"])])


def freeze(context: typer.Context, id: Id) -> None:
    """Keep what runs: pushes to main are stored and wait until `thaw`."""
    connect(context).post(_path(id, "freeze"))
    say(f"Deploys of {id} are frozen; let main run again: podium space thaw {id}")


def thaw(context: typer.Context, id: Id) -> None:
    """Deploy main's newest commit, if it waited, and follow main again."""
    connect(context).post(_path(id, "thaw"))
    say(f"{id} follows main again; watch: podium space wait {id}")
