"""Which Podium a command speaks to, and as whom: `--endpoint` and `--token`, or HF_ENDPOINT and HF_TOKEN as for every other
client of the Hub. The client itself is hub.py, imported only when a command runs."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from orchestrator.cli.hub import Hub


def server(
    context: typer.Context,
    endpoint: Annotated[str, typer.Option(envvar="HF_ENDPOINT", help="Where Podium is.")] = "http://localhost:8000",
    token: Annotated[str, typer.Option(envvar="HF_TOKEN", help="Access token.", show_default=False)] = "",
) -> None:
    """The callback of every group of commands that needs a running Podium."""
    context.obj = (endpoint, token)


def connect(context: typer.Context) -> "Hub":
    from orchestrator.cli.hub import Hub

    return Hub(*context.obj)
