"""`podium`: the command line. Owns the tree of commands and the one place where errors become messages and exit codes.

    0  done            1  it ran, and the answer is no (`wait`, `doctor`)      2  the caller can mend it
    3  ours, try later     70  a bug of Podium      124  `wait` timed out      130  Ctrl-C

Every module here imports only what `--help` needs; a command imports the rest when it runs."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestrator import __version__
from orchestrator.cli import doctor, hardware, people, space, upkeep
from orchestrator.errors import CallerError, Unavailable

app = typer.Typer(
    help="Podium: push a Gradio, Streamlit or static repo, get a live URL. Start with `podium up`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
_failing = {"traceback": False}

Host = Annotated[str | None, typer.Option(help="Address to listen on.  [PODIUM_HOST, 127.0.0.1]", show_default=False)]
Port = Annotated[int | None, typer.Option(help="Port of the one front door.  [PODIUM_PORT, 8000]", show_default=False)]
Data = Annotated[Path | None, typer.Option(help="Data directory.  [PODIUM_DATA, ./data]", show_default=False)]
AppsDomain = Annotated[
    str | None,
    typer.Option(help="Spaces are at <owner>-<name>.<domain>.  [PODIUM_APPS_DOMAIN, localhost]", show_default=False),
]
Runtime = Annotated[
    str | None,
    typer.Option(help="Where apps run: process or docker.  [PODIUM_RUNTIME, process]", show_default=False),
]
WithParent = Annotated[bool, typer.Option(help="End when the parent process does.")]


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit()


@app.callback()
def _everywhere(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback when something fails.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    _failing["traceback"] = debug


@app.command()
def up(
    host: Host = None, port: Port = None, data: Data = None, apps_domain: AppsDomain = None, runtime: Runtime = None
) -> None:
    """Run Podium on this machine until Ctrl-C."""
    from orchestrator.cli import processes

    processes.up(host=host, port=port, data=data, apps_domain=apps_domain, runtime=runtime)


@app.command()
def demo(
    host: Host = None,
    port: Port = None,
    data: Data = None,
    apps_domain: AppsDomain = None,
    sample: Annotated[
        Path | None, typer.Option(help="Folder of the Space to push instead of the sample.", show_default=False)
    ] = None,
) -> None:
    """Run Podium and push a sample Space to it with git; keeps running until Ctrl-C."""
    from orchestrator.cli.demo import demo as run_demo

    run_demo(host=host, port=port, data=data, apps_domain=apps_domain, sample=sample)


@app.command(rich_help_panel="Parts")
def control(
    host: Host = None,
    port: Port = None,
    data: Data = None,
    apps_domain: AppsDomain = None,
    runtime: Runtime = None,
    with_parent: WithParent = False,
) -> None:
    """Run only the control plane (`up` does this)."""
    from orchestrator.cli import processes

    processes.control(
        data=data, with_parent=with_parent, host=host, port=port, apps_domain=apps_domain, runtime=runtime
    )


@app.command(rich_help_panel="Parts")
def gateway(
    host: Host = None,
    port: Port = None,
    data: Data = None,
    apps_domain: AppsDomain = None,
    with_parent: WithParent = False,
) -> None:
    """Run only the gateway (`up` does this)."""
    from orchestrator.cli import processes

    processes.gateway(data=data, with_parent=with_parent, host=host, port=port, apps_domain=apps_domain)


@app.command(rich_help_panel="Parts")
def builder(data: Data = None, with_parent: WithParent = False) -> None:
    """Run builds for a control plane that has PODIUM_BUILDS=celery, on this or another machine."""
    from orchestrator.cli import processes

    processes.builder(data=data, with_parent=with_parent)


@app.command(rich_help_panel="Parts")
def migrate(
    data: Data = None,
    wait: Annotated[float, typer.Option(help="Seconds that the database may take to answer.")] = 0.0,
) -> None:
    """Bring the database up to date and exit (`up` and `control` do this by themselves)."""
    from orchestrator.cli import processes

    processes.migrate(data, wait)


@app.command("new-signing-key", rich_help_panel="Parts")
def new_signing_key(data: Data = None) -> None:
    """Sign what apps are told about their users (OpenID Connect) with a new key from now on; the two before it stay known."""
    from orchestrator.services.oauth import OAuth
    from orchestrator.settings import load

    OAuth.new_key(load(data=data).key_directory / "oidc.pem")


app.add_typer(people.users, name="user")
app.add_typer(people.orgs, name="org")
app.add_typer(people.tokens, name="token")
app.add_typer(space.app, name="space")
app.add_typer(hardware.app, name="hardware")
app.command()(doctor.doctor)
app.command()(upkeep.gc)


def main() -> None:
    """Run the command line and exit. Whatever fails becomes one line on stderr, never a traceback (but for --debug)."""
    try:
        app(prog_name="podium")
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if _failing["traceback"]:
            raise
        message, code = _explain(error)
        print(f"podium: {message}", file=sys.stderr)
        sys.exit(code)


def _explain(error: Exception) -> tuple[str, int]:
    """What to say about an error, and the exit code."""
    if isinstance(error, CallerError):
        return f"{error.message} [{error.code}]", 2
    if isinstance(error, Unavailable):
        return f"{error} [UNAVAILABLE]", 3
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename or 'no file'} [OS_{error.errno}]", 3
    kind = type(error).__name__
    return f"unexpected {kind}: {error}; `podium --debug …` shows where, please report it [INTERNAL]", 70
