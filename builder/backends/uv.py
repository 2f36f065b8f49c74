"""How uv is called: the binary, its environment, its arguments. Owns what uv may see of the machine's settings (proxies, CA
bundles, the admin's indexes; nothing else). Knows no Plan."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from builder.errors import Fault, FaultKind, TransientError
from builder.frontmatter import FILE as README
from builder.request import Index
from builder.text import shown

_PASSED = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
           "http_proxy", "https_proxy", "all_proxy", "no_proxy", "SYSTEMROOT")  # fmt: skip


def binary() -> str:
    """Path of uv. Raises TransientError when it is not installed."""
    import uv

    try:
        return os.fsdecode(uv.find_uv_bin())
    except FileNotFoundError:
        raise TransientError("uv is not installed; run: pip install uv") from None


def environment(index: Index, cache: Path, home: Path) -> dict[str, str]:
    """The variables of uv and of what it starts."""
    env = {name: os.environ[name] for name in _PASSED if name in os.environ}
    env.update(
        HOME=str(home),
        USER="user",  # /etc/passwd does not know whom authors' code runs as
        LOGNAME="user",
        LANG="C.UTF-8",
        NO_COLOR="1",
        GIT_TERMINAL_PROMPT="0",
        GIT_CONFIG_NOSYSTEM="1",
        UV_CACHE_DIR=str(cache),
        UV_NO_PROGRESS="1",
        UV_PYTHON_DOWNLOADS="never",
        UV_HTTP_TIMEOUT="60",
    )
    if index.ca_bundle:
        env.update(SSL_CERT_FILE=index.ca_bundle, GIT_SSL_CAINFO=index.ca_bundle)
    if index.url:
        env["UV_DEFAULT_INDEX"] = index.url
    if index.extra:
        env["UV_INDEX"] = " ".join(index.extra)
    return env


def own_python() -> tuple[str, str]:
    """The interpreter that Podium runs on (below any virtual environment) and its version."""
    base = getattr(sys, "_base_executable", sys.executable) or sys.executable
    return os.path.realpath(base), ".".join(map(str, sys.version_info[:3]))


def find_python(wanted: str, line: int, env: Mapping[str, str]) -> tuple[str, str, str]:
    """Interpreter for a `python_version` (or `requires:<specifier>`): its path, its version and a warning ("" none).

    The exact version, else the same minor with a warning. Raises Fault PYTHON_VERSION naming what this machine has."""
    own, version = own_python()
    requires = wanted.removeprefix("requires:") if wanted.startswith("requires:") else ""
    if not wanted or wanted in (version, version.rpartition(".")[0]) or (requires and satisfies(version, requires)):
        return own, version, ""
    minor = ".".join(wanted.split(".")[:2])
    for request in (requires,) if requires else dict.fromkeys((wanted, minor)):
        if not requires and request == version.rpartition(".")[0]:
            return own, version, f"python_version {wanted} is not on this machine; {version} is used"
        path = _ask(["python", "find", "--no-config", "--no-project", "--resolve-links", "--system", request], env)
        if path:
            found = _version_of(path)
            differs = not requires and request != wanted
            return path, found, f"python_version {wanted} is not on this machine; {found} is used" if differs else ""
    here = ", ".join(installed(env)) or version
    raise Fault(
        "PYTHON_VERSION",
        f"Python {shown(requires or wanted)} is not on this machine; it has {here}",
        "pyproject.toml" if requires else README,
        0 if requires else line,
        f"write python_version: '{version.rpartition('.')[0]}', or ask the admin to install it",
        FaultKind.CONFIG,
    )


def installed(env: Mapping[str, str]) -> list[str]:
    """Minor versions of the interpreters on this machine, newest first."""
    listed = _ask(["python", "list", "--no-config", "--only-installed"], env) or ""
    own = own_python()[1].rpartition(".")[0]
    minors = {own, *re.findall(r"^cpython-(3\.\d+)\.", listed, re.MULTILINE)}
    return sorted(minors, key=lambda minor: int(minor.split(".")[1]), reverse=True)


def satisfies(version: str, requires: str) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(requires).contains(version)
    except InvalidSpecifier:
        raise Fault("REQ_SYNTAX", f"requires-python {shown(requires)!r} is not a specifier", "pyproject.toml") from None


def _ask(arguments: list[str], env: Mapping[str, str]) -> str | None:
    try:
        done = subprocess.run(
            [binary(), *arguments], env=dict(env), capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise TransientError("uv does not answer when asked for interpreters") from None
    return done.stdout.strip() if done.returncode == 0 else None


def _version_of(python: str) -> str:
    code = "import sys; print('.'.join(map(str, sys.version_info[:3])))"
    try:
        done = subprocess.run([python, "-I", "-S", "-c", code], capture_output=True, text=True, timeout=30, env={})
        return done.stdout.strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TransientError(f"the interpreter {python} does not run: {error}") from None


def versions(lock: str) -> dict[str, str]:
    """Package -> version of a lock."""
    return dict(re.findall(r"^([\w.-]+)==([^\s;\\]+)", lock, re.MULTILINE))


def exports(index: Index) -> str:
    """Shell lines that tell uv inside of a build what `environment` tells it here. Indexes may hold a password: a secret."""
    values = {"UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never", "UV_HTTP_TIMEOUT": "60", "NO_COLOR": "1"}
    values |= {"UV_DEFAULT_INDEX": index.url} if index.url else {}
    values |= {"UV_INDEX": " ".join(index.extra)} if index.extra else {}
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())
