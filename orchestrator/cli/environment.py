"""`podium space secret` and `podium space variable`: what an app finds in its environment. The values of secrets go in and
never come out."""

import sys
from typing import Annotated

import typer

from orchestrator.cli.connection import connect
from orchestrator.cli.output import moment, say, table

_PLAIN = {"no_args_is_help": True, "rich_markup_mode": None}
secrets = typer.Typer(help="Secrets of a Space.", **_PLAIN)
variables = typer.Typer(help="Variables of a Space.", **_PLAIN)

Id = Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The Space.")]
Key = Annotated[str, typer.Argument(metavar="KEY", help="Its name in the environment.")]
Value = Annotated[
    str | None,
    typer.Argument(metavar="[VALUE]", help="Its value; left out: read from standard input.", show_default=False),
]
Description = Annotated[str, typer.Option(help="What it is for.", show_default=False)]


def _path(space_id: str, kind: str) -> str:
    from orchestrator.cli.hub import space_path

    return space_path(space_id, f"/{kind}")


def _value(value: str | None, hidden: bool) -> str:
    """The value that was given, or asked for on a terminal, or all of standard input without its last newline."""
    if value is not None:
        return value
    if sys.stdin.isatty():
        return typer.prompt("Value", hide_input=hidden, err=True)
    return sys.stdin.read().removesuffix("\n")


def _set(context: typer.Context, id: str, kind: str, key: str, value: str, description: str) -> None:
    body = {"key": key, "value": value} | ({"description": description} if description else {})
    connect(context).post(_path(id, kind), body)
    say(f"{key} is set; {id} restarts with it.")


def _delete(context: typer.Context, id: str, kind: str, key: str) -> None:
    connect(context).delete(_path(id, kind), {"key": key})
    say(f"{key} is gone; {id} restarts without it.")


@secrets.command("list")
def secret_list(context: typer.Context, id: Id) -> None:
    """Names of the secrets, never their values."""
    found = connect(context).get(_path(id, "secrets"))
    table(
        ("secret", "description", "changed"),
        [(k, v.get("description"), moment(v.get("updatedAt"))) for k, v in found.items()],
    )


@secrets.command("set")
def secret_set(context: typer.Context, id: Id, key: Key, value: Value = None, description: Description = "") -> None:
    """Set a secret. Without VALUE it is read from standard input, so that it stays out of the shell's history."""
    _set(context, id, "secrets", key, _value(value, hidden=True), description)


@secrets.command("delete")
def secret_delete(context: typer.Context, id: Id, key: Key) -> None:
    """Remove a secret."""
    _delete(context, id, "secrets", key)


@variables.command("list")
def variable_list(context: typer.Context, id: Id) -> None:
    """Names and values of the variables."""
    found = connect(context).get(_path(id, "variables"))
    rows = [(k, v.get("value"), v.get("description"), moment(v.get("updatedAt"))) for k, v in found.items()]
    table(("variable", "value", "description", "changed"), rows)


@variables.command("set")
def variable_set(context: typer.Context, id: Id, key: Key, value: Value = None, description: Description = "") -> None:
    """Set a variable."""
    _set(context, id, "variables", key, _value(value, hidden=False), description)


@variables.command("delete")
def variable_delete(context: typer.Context, id: Id, key: Key) -> None:
    """Remove a variable."""
    _delete(context, id, "variables", key)
