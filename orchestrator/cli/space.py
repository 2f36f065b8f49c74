"""`podium space`: a running Podium from outside, over HTTP, with HF_ENDPOINT and HF_TOKEN like every other client of the
Hub. Owns the commands; how logs are followed and stages awaited is in watch.py, secrets and variables in environment.py."""

import sys
from typing import Annotated

import typer

from orchestrator.cli import environment, serving
from orchestrator.cli.connection import connect, server
from orchestrator.cli.output import as_json, facts, log_line, moment, say, seconds, table

_LISTED = ["runtime", "sdk", "private", "lastModified"]
_PLAIN = {"no_args_is_help": True, "rich_markup_mode": None}
app = typer.Typer(help="Spaces of a running Podium: look, wait, restart, roll back.", **_PLAIN)
app.add_typer(environment.secrets, name="secret")
app.add_typer(environment.variables, name="variable")
app.add_typer(serving.domains, name="domain")
app.add_typer(serving.members, name="member")
app.command("embed")(serving.embed)
app.command("freeze")(serving.freeze)
app.command("thaw")(serving.thaw)

Id = Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The Space.")]
Json = Annotated[bool, typer.Option("--json", help="Print the server's JSON.")]


app.callback()(server)


def _path(space_id: str, rest: str = "") -> str:
    from orchestrator.cli.hub import space_path

    return space_path(space_id, rest)


# -------------------------------------------------------------------------------------------------------------- looking


@app.command("list")
def list_(
    context: typer.Context,
    author: Annotated[str, typer.Option(help="Only those of this user or organisation.", show_default=False)] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 1000,
    json: Json = False,
) -> None:
    """The Spaces that you may see."""
    wanted = {"author": author} if author else {}
    found = list(connect(context).pages("/api/spaces", limit, expand=_LISTED, **wanted))
    if json:
        return as_json(found)
    rows = [
        (
            s.get("id"),
            (s.get("runtime") or {}).get("stage"),
            s.get("sdk"),
            s.get("private"),
            moment(s.get("lastModified")),
        )
        for s in found
    ]
    table(("space", "stage", "sdk", "private", "changed"), rows)


@app.command()
def info(context: typer.Context, id: Id, json: Json = False) -> None:
    """What a Space is and how it is: URL, stage with reason, revision, sdk, sleep time."""
    hub = connect(context)
    space, runtime = hub.get(_path(id)), hub.get(_path(id, "/runtime"))
    if json:
        return as_json({**space, "runtime": runtime})
    asleep_after, frozen = runtime.get("gcTimeout"), runtime.get("frozen")
    facts(
        {
            "space": space.get("id"),
            "url": space.get("host"),
            "stage": runtime.get("stage"),
            "reason": runtime.get("reason"),
            "error": runtime.get("errorMessage"),
            "deploys": frozen and f"frozen, {(frozen.get('waiting') or 'nothing')[:7]} waits",
            "sdk": " ".join(filter(None, (space.get("sdk"), runtime.get("sdkVersion")))),
            "revision": space.get("sha"),
            "hardware": (runtime.get("hardware") or {}).get("requested"),
            "replicas": _replicas(runtime.get("replicas") or {}),
            "sleeps after": "never" if not asleep_after or asleep_after < 0 else seconds(asleep_after),
            "private": space.get("private"),
            "changed": moment(space.get("lastModified")),
        }
    )


def _replicas(told: dict) -> str:
    """Only where there are to be several."""
    return f"{told.get('current', 0)} of {told['requested']}" if told.get("requested", 1) > 1 else ""


@app.command()
def builds(context: typer.Context, id: Id, json: Json = False) -> None:
    """The builds of a Space, newest first; the number is what `rollback` takes."""
    found = connect(context).get(_path(id, "/builds"))
    if json:
        return as_json(found)
    rows = [
        (
            b.get("number"),
            "serving" if b.get("serving") else b.get("state"),
            str(b.get("sha", ""))[:7],
            b.get("title"),
            moment(b.get("createdAt")),
            (b.get("fault") or {}).get("message"),
        )
        for b in found
    ]
    table(("build", "state", "commit", "title", "since", "error"), rows)


@app.command()
def logs(
    context: typer.Context,
    id: Id,
    build: Annotated[bool, typer.Option("--build", help="The build log instead of the app's own.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the log ends.")] = False,
    tail: Annotated[int, typer.Option("--tail", "-n", min=0, help="Only the last lines; 0: all.")] = 0,
) -> None:
    """Print the app's log, or the build log."""
    from orchestrator.cli import watch

    for line in watch.log(connect(context), id, "build" if build else "run", follow, tail):
        log_line(line.text)


@app.command()
def wait(
    context: typer.Context,
    id: Id,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds; 0: as long as it takes.")] = 0,
) -> None:
    """Wait until a Space runs. Exit code 0 when it does, 1 when it cannot, 124 after the timeout."""
    from orchestrator.cli import watch

    raise typer.Exit(watch.wait(connect(context), id, timeout))


# ------------------------------------------------------------------------------------------------------------- commands


@app.command()
def pause(context: typer.Context, id: Id) -> None:
    """Stop a Space; visits do not wake it, `restart` does."""
    connect(context).post(_path(id, "/pause"))
    say(f"{id} is paused; start it again: podium space restart {id}")


@app.command()
def restart(
    context: typer.Context,
    id: Id,
    factory: Annotated[bool, typer.Option("--factory", help="Build again from nothing, too.")] = False,
) -> None:
    """Start a Space again, also when it is paused or asleep."""
    connect(context).post(_path(id, "/restart"), **({"factory": "true"} if factory else {}))
    say(f"{id} {'is built again and then started' if factory else 'is started again'}; watch: podium space wait {id}")


@app.command(context_settings={"ignore_unknown_options": True})
def sleep(
    context: typer.Context,
    id: Id,
    after: Annotated[int, typer.Argument(metavar="SECONDS", help="Without use until it sleeps; -1: never.")],
) -> None:
    """Set when a Space goes to sleep."""
    connect(context).post(_path(id, "/sleeptime"), {"seconds": after})
    say(f"{id} never sleeps." if after == -1 else f"{id} sleeps after {seconds(after)} without use.")


@app.command()
def hardware(
    context: typer.Context,
    id: Id,
    flavor: Annotated[
        str, typer.Argument(metavar="[FLAVOR]", help="What to move to; left out: show what it has. See hardware list.")
    ] = "",
    note: Annotated[str, typer.Option(help="Why, for the admin who decides.")] = "",
    cancel: Annotated[bool, typer.Option("--cancel", help="Take a request back.")] = False,
    first: Annotated[
        bool | None,
        typer.Option(
            "--old-first/--old-stays",
            help="When hardware is taken: stop the old instance at once, or keep it until there is room.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show or change the hardware of a Space; what needs an admin's word is asked for."""
    from orchestrator.cli.hardware import of_space

    of_space(context, id, flavor, note, cancel, first)


@app.command()
def replicas(
    context: typer.Context,
    id: Id,
    count: Annotated[
        int | None, typer.Argument(metavar="[COUNT]", help="How many; left out: show them.", show_default=False)
    ] = None,
) -> None:
    """Show or change how many equal copies of a Space run. What runs goes on."""
    hub = connect(context)
    runtime = (
        hub.post(_path(id, "/replicas"), {"replicas": count}) if count is not None else hub.get(_path(id, "/runtime"))
    )
    told = runtime.get("replicas") or {}
    if count is not None:
        return say(
            f"{id} is to have {count} {'replica' if count == 1 else 'replicas'}; see: podium space replicas {id}"
        )
    facts({"wanted": told.get("requested"), "answer": told.get("current", 0), "now": runtime.get("reason")})


@app.command()
def rollback(
    context: typer.Context,
    id: Id,
    which: Annotated[
        str,
        typer.Argument(metavar="[BUILD]", help="Number of a good build, or its commit; the one before if left out."),
    ] = "",
) -> None:
    """Run an earlier good build again, at once and without building. `podium space builds` lists them."""
    build = connect(context).post(_path(id, "/rollback"), {"build": which})
    say(f"{id} goes back to build {build['number']}; watch: podium space wait {id}")


@app.command()
def delete(
    context: typer.Context, id: Id, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False
) -> None:
    """Delete a Space with its repo, builds and /data. Asks on a terminal."""
    _path(id)
    if not yes and sys.stdin.isatty():
        typer.confirm(f"Delete {id} with its repo, builds and data?", abort=True, err=True)
    owner, _, name = id.partition("/")
    connect(context).delete("/api/repos/delete", {"type": "space", "name": name, "organization": owner})
    say(f"{id} is deleted.")
