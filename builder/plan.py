"""What to install and what to start, as data: a Plan. `make` goes from Config and files to it through the pack of the sdk.
Pure but for reading files; the same files and the same Config always give the same Plan."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from builder import dependencies
from builder.config import Config
from builder.errors import Fault, FaultKind
from builder.frontmatter import FILE as README
from builder.packs import docker, gradio, static, streamlit
from builder.requirements import Line, Requirements
from builder.source import Reader

#: Raised whenever the same Plan must lead to another environment than before.
SCHEMA = 1

PACKS = {"gradio": gradio, "streamlit": streamlit, "static": static, "docker": docker}
NO_APP_HINT = "add app.py, or write `sdk` and `app_file` into the front matter of README.md"


@dataclass(frozen=True, slots=True)
class Plan:
    """`python` is what the author asked for ("" none); `lines` are requirements in the order uv sees them; `indexes` the
    author's own index options; `own_code`: installing may run code of this Space's own, so nothing is shared.
    `argv` and `env` may hold `{port}`, `{python}` and `{static_server}`, filled in by the runtime."""

    sdk: str
    argv: tuple[str, ...]
    port: int
    ready_path: str = "/"
    env: Mapping[str, str] = field(default_factory=dict)
    python: str = ""
    lines: tuple[Line, ...] = ()
    constraints: tuple[Line, ...] = ()
    indexes: tuple[str, ...] = ()
    prerelease: bool = False
    own_code: bool = False
    installs: bool = True
    packages: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def dependencies(self) -> dict[str, object]:
        """What decides the environment: two Plans that agree on this share one."""
        return {
            "schema": SCHEMA,
            "python": self.python,
            "requirements": [line.text for line in self.lines],
            "constraints": [line.text for line in self.constraints],
            "indexes": list(self.indexes),
            "prerelease": self.prerelease,
            "own_code": self.own_code,
        }


def digest(*parts: object) -> str:
    """24 hex digits of JSON-safe parts."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def make(config: Config, read: Reader, docker_allowed: bool = False) -> Plan:
    """The Plan of a revision. Raises Fault: kind NO_APP_FILE when there is nothing to run, CONFIG or BUILD otherwise."""
    sdk = config.sdk or _detect(read)
    pack = PACKS[sdk]
    if sdk == "docker" and not docker_allowed:
        raise Fault(
            "SDK",
            "sdk: docker needs the Docker or Kubernetes runtime; this Podium runs apps as processes",
            README,
            config.line("sdk"),
            "use gradio, streamlit or static, or ask the admin for the Docker runtime",
            FaultKind.CONFIG,
        )
    parts = pack.plan(config, read)
    notices = list(parts.warnings)
    if config.sdk is None:
        notices.append(f"recognised as a {sdk} app; write `sdk: {sdk}` into the front matter of README.md to be sure")
    if not parts.installs:
        return Plan(sdk, parts.argv, parts.port, parts.ready_path, parts.env, installs=False, warnings=tuple(notices))
    wanted = dependencies.read(read)
    lines = [*_sdk_lines(pack.PACKAGE, parts.requirements, config, wanted), *wanted.lines]
    apt = read("packages.txt")
    return Plan(
        sdk,
        parts.argv,
        parts.port,
        parts.ready_path,
        parts.env,
        python=_python(config, wanted.requires_python),
        lines=tuple(lines),
        constraints=tuple(wanted.constraints),
        indexes=tuple(wanted.indexes),
        prerelease=wanted.prerelease,
        own_code=wanted.own_code,
        packages=tuple(dependencies.packages(apt)) if apt is not None else (),
        warnings=(*notices, *wanted.warnings),
    )


def open_to_others(plan: Plan) -> Plan:
    """The Plan for a container: visitors come to the container's own address, so the app must not listen on loopback alone."""

    def opened(word: str) -> str:
        return re.sub(r"^((?:--[\w.]+=)?)127\.0\.0\.1$", r"\g<1>0.0.0.0", word)

    env = {name: opened(value) for name, value in plan.env.items()}
    return replace(plan, argv=tuple(map(opened, plan.argv)), env=env)


def _sdk_lines(package: str, extra: tuple[str, ...], config: Config, wanted: Requirements) -> list[Line]:
    """What the platform adds: the sdk at `sdk_version`, unpinned when the author's own files ask for it."""
    named = {line.name for line in wanted.lines}
    pin = f"=={config.sdk_version}" if config.sdk_version else ""
    lines = [Line(f"{extra[0]}{pin}", README, config.line("sdk_version") or config.line("sdk"), package)]
    for text in extra[1:]:
        name = re.match(r"[\w.-]+", text)[0]
        if name not in named:
            lines.append(Line(text, config.app_file or "app.py", 0, name))
    return lines


def _python(config: Config, requires: str) -> str:
    """The interpreter to ask for. `requires-python` of pyproject.toml counts only when the README says nothing."""
    return config.python_version or (f"requires:{requires}" if requires else "")


def _detect(read: Reader) -> str:
    for name in ("gradio", "streamlit", "static", "docker"):
        if PACKS[name].detect(read):
            return name
    raise Fault(
        "NO_APP_FILE",
        "there is no app.py, index.html or Dockerfile, so there is nothing to run",
        hint=NO_APP_HINT,
        kind=FaultKind.NO_APP_FILE,
    )
