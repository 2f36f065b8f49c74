"""`podium gc`: has a running Podium collect what nothing needs any more, over HTTP, and says what it freed."""

import time
from typing import Annotated

import typer

from orchestrator.cli.output import moment, say, table
from orchestrator.domain.push import amount
from orchestrator.errors import Unavailable

PATH = "/api/podium/storage"
_LOOK = 1.0  #: seconds


def gc(
    endpoint: Annotated[str, typer.Option(envvar="HF_ENDPOINT", help="Where Podium is.")] = "http://localhost:8000",
    token: Annotated[str, typer.Option(envvar="HF_TOKEN", help="An admin's access token.", show_default=False)] = "",
    dry: Annotated[bool, typer.Option("--dry-run", help="Only measure, and say what would go.")] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait for the end of it.")] = 3600.0,
) -> None:
    """Remove builds, environments, images, logs and large files that nothing needs any more. For admins."""
    from orchestrator.cli.hub import Hub

    hub, until = Hub(endpoint, token), time.monotonic() + wait
    told = hub.post(f"{PATH}/{'measure' if dry else 'collect'}")
    while told["measuring"] or (not dry and told["round"] and not told["round"]["endedAt"]):
        if time.monotonic() > until:
            raise Unavailable("it goes on; look at Admin, Storage")
        time.sleep(_LOOK)
        told = hub.get(PATH)
    table(("what", "size"), [(one["name"], _said(one["size"])) for one in told["parts"]])
    if dry:
        say(f"A collection would free about {_said(told['collectable'])} (measured {moment(told['measuredAt'])}).")
        return
    last = told["round"]
    if last["error"]:
        raise Unavailable(f"freed {amount(last['freed'])}, then: {last['error']}")
    say(
        f"Freed {amount(last['freed'])}. Large files that nobody names go within ten minutes, "
        "history that no branch leads to after a day."
    )


def _said(size: int | None) -> str:
    return "not known" if size is None else amount(size)
