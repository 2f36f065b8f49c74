"""What a sample Space promises: reads and checks `expect.toml`. Owns its schema; does not run anything.
The keys are explained in README.md beside this file, and `test_samples.py` holds the two together."""

import re
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import GenericAlias
from typing import Any

APPS = Path(__file__).parent
STAGES = frozenset(["NO_APP_FILE", "CONFIG_ERROR", "BUILD_ERROR", "RUNTIME_ERROR", "RUNNING"])


@dataclass(frozen=True)
class Http:
    """One request to the app and what must come back."""

    path: str
    method: str = "GET"
    status: int = 200
    contains: str = ""
    header: dict[str, str] = field(default_factory=dict)
    accept: str = "*/*"


@dataclass(frozen=True)
class Gradio:
    """One call through `gradio_client`."""

    api_name: str
    result: Any
    args: list = field(default_factory=list)


@dataclass(frozen=True)
class Expect:
    """The whole of `expect.toml`. `folder` is the sample's own."""

    folder: Path
    stage: str
    within: float = 240.0
    reason: str = ""
    code: str = ""
    log: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    http: list[Http] = field(default_factory=list)
    gradio: list[Gradio] = field(default_factory=list)
    script: str = ""

    @property
    def runs(self) -> bool:
        return "RUNNING" in self.stage.split("|")

    @property
    def stages(self) -> set[str]:
        return set(self.stage.split("|"))


def folders() -> list[Path]:
    """Every sample, by name."""
    return sorted(path.parent for path in APPS.glob("*/expect.toml"))


def load(folder: Path) -> Expect:
    """The promise of one sample. Raises ValueError naming file, key and what was expected."""
    where = folder / "expect.toml"
    data = tomllib.loads(where.read_text())
    promise = _record(Expect, {"folder": folder, **data}, str(where))
    if not promise.stages <= STAGES:
        raise ValueError(
            f"{where}: stage {promise.stage!r}; write one of {', '.join(sorted(STAGES))}, or several with |"
        )
    if not set(promise.log) <= {"build", "run"}:
        raise ValueError(f"{where}: log has {sorted(promise.log)}; it may have build and run")
    if promise.script and not (folder / promise.script).is_file():
        raise ValueError(f"{where}: script {promise.script!r} is not in the folder")
    if promise.gradio and not promise.runs:
        raise ValueError(f"{where}: [[gradio]] calls need an app that runs")
    for pattern in (promise.reason, *promise.log.values(), *(p for h in promise.http for p in h.header.values())):
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"{where}: {pattern!r} is not a regular expression: {error}") from None
    return promise


def _record(kind: type, data: dict, where: str) -> Any:
    """`data` as a `kind`, with nothing unknown, nothing missing and every type right."""
    known = {f.name: f for f in fields(kind)}
    if unknown := sorted(set(data) - set(known)):
        raise ValueError(f"{where}: unknown key {', '.join(unknown)}; known: {', '.join(known)}")
    try:
        return kind(**{name: _value(known[name].type, value, f"{where}: {name}") for name, value in data.items()})
    except TypeError as error:
        raise ValueError(f"{where}: {error}") from None


def _value(kind: Any, value: Any, where: str) -> Any:
    if kind is Any or kind is Path:
        return value
    if isinstance(kind, GenericAlias):
        if kind.__origin__ is dict:
            if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
                raise ValueError(f"{where} must be a table of strings")
            return value
        item = kind.__args__[0]
        if not isinstance(value, list):
            raise ValueError(f"{where} must be an array of tables, [[{where.rsplit(' ', 1)[1]}]]")
        return [_record(item, one, f"{where}[{number}]") for number, one in enumerate(value)]
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{where} is {value!r}; write a {kind.__name__}")
    return value
