"""The environment and the command line of an app. Pure. Nothing of Podium's own environment gets in.

Who wins, from the last to the first: plain defaults, the image, variables and secrets of the Space, then what only the
runtime knows. A value of the image that holds `{port}` counts as the runtime's: it says where the app must answer."""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.domain.seen import Image

_DEFAULTS = {"LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", "TERM": "xterm-256color", "COLUMNS": "120"}
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Seats:
    """Where the app finds things, as it sees them itself."""

    home: str
    tmp: str
    data: str
    python: str  #: for `{python}`
    static_server: str  #: for `{static_server}`
    site: str = ""  #: directory of runtime_images/site/sitecustomize.py


def app_environment(image: Image, given: Mapping[str, str], port: int, seats: Seats) -> dict[str, str]:
    """All variables of the app."""
    ours = {
        "HOME": seats.home,
        "USER": "user",
        "LOGNAME": "user",
        "TMPDIR": seats.tmp,
        "SPACE_DATA_DIR": seats.data,
        "PATH": f"{seats.home}/.local/bin:{_SYSTEM_PATH}",
    }
    if image.environment:
        ours["VIRTUAL_ENV"] = image.environment
        ours["PATH"] = f"{image.environment}/bin:{ours['PATH']}"
    if seats.site:
        path = given.get("PYTHONPATH") or image.env.get("PYTHONPATH")
        ours["PYTHONPATH"] = f"{seats.site}:{path}" if path else seats.site
    told = {name: value.replace("{port}", str(port)) for name, value in image.env.items() if "{port}" in value}
    return _DEFAULTS | dict(image.env) | dict(given) | told | ours


def app_command(image: Image, port: int, seats: Seats) -> list[str]:
    """The app's command line, with `{port}`, `{python}` and `{static_server}` filled in."""
    names = {"{port}": str(port), "{python}": seats.python, "{static_server}": seats.static_server}
    words = []
    for word in image.argv:
        for name, value in names.items():
            word = word.replace(name, value)
        words.append(word)
    return words
