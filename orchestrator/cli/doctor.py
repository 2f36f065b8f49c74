"""`podium doctor`: what is here, what is missing, what that costs, what to type. Owns the order and the table; the looking is
in checks.py and surroundings.py."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.output import as_json, say, table
from orchestrator.settings import Settings, load

if TYPE_CHECKING:
    from orchestrator.cli.check import Check


def doctor(
    data: Annotated[
        Path | None, typer.Option(help="Data directory.  [PODIUM_DATA, ./data]", show_default=False)
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port that `up` will use.  [PODIUM_PORT, 8000]", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check this machine: what is missing, what that costs, what to type. Exit code 1 if Podium cannot run."""
    settings = load(data=data, port=port)
    found = examine(settings)
    if json:
        from dataclasses import asdict

        as_json([asdict(check) for check in found])
    else:
        _show(found, settings)
    raise typer.Exit(1 if any(check.state == "bad" for check in found) else 0)


def examine(settings: Settings) -> "list[Check]":
    """All checks in their order, made at the same time."""
    from concurrent.futures import ThreadPoolExecutor

    from orchestrator.cli import apart, checks, surroundings

    uv = checks.find_uv()
    looks = (
        checks.python,
        lambda: checks.uv(uv),
        lambda: checks.interpreters(uv),
        checks.git,
        checks.git_lfs,
        lambda: checks.sandbox(settings.sandbox),
        lambda: apart.app_ports(settings.runtime),
        lambda: checks.docker(settings.runtime),
        lambda: checks.hardware(settings),
        lambda: checks.registry(settings),
        lambda: checks.sign_in(settings),
        checks.user,
        lambda: surroundings.disk(settings.data),
        surroundings.memory,
        lambda: surroundings.clock(surroundings.changed_at(settings.data)),
        lambda: surroundings.port(settings.host, settings.port),
        lambda: surroundings.names(settings),
        lambda: surroundings.index(uv, settings),
        lambda: surroundings.certificates(settings),
    )
    if sys.stderr.isatty():
        say("Looking at this machine …")
    with ThreadPoolExecutor(len(looks)) as pool:
        return [look.result() for look in [pool.submit(look) for look in looks]]


def _show(found: "list[Check]", settings: Settings) -> None:
    table(("", "what", "found", "cost", "type"), [(c.state, c.name, c.found, c.cost, c.fix) for c in found])
    bad = sum(check.state == "bad" for check in found)
    warned = sum(check.state == "warn" for check in found)
    if bad:
        say(f"Podium cannot run here yet: {bad} of {len(found)} checks failed.")
    else:
        but = f", with {warned} warning{'' if warned == 1 else 's'}" if warned else ""
        say(f"Podium can run here{but}: podium up --data {settings.data}")
