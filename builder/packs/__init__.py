"""One module per sdk: `detect(read)` tells whether files without front matter look like it, `plan(config, read)` gives the
Parts of a Plan. They share the finding of the app file, which is here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from builder.config import Config
from builder.errors import Fault, FaultKind
from builder.frontmatter import FILE as README
from builder.source import Reader
from builder.text import shown

TEXT_LIMIT = 512 * 1024  #: bytes of an app file that are searched for imports


@dataclass(frozen=True, slots=True)
class Parts:
    """What a pack knows. `requirements`: the sdk itself first, without a version, then what the app file needs."""

    argv: tuple[str, ...]
    port: int
    ready_path: str = "/"
    env: Mapping[str, str] = field(default_factory=dict)
    requirements: tuple[str, ...] = ()
    installs: bool = True
    warnings: tuple[str, ...] = ()


def imports(read: Reader, path: str, module: str) -> bool:
    """Whether a Python file imports `module`."""
    if path not in read.source.files:
        return False
    text = (read(path, TEXT_LIMIT) or b"").decode("utf-8", "replace")
    return bool(re.search(rf"^\s*(?:import\s+(?:[\w., ]*\b)?{module}\b|from\s+{module}\b)", text, re.MULTILINE))


def mentioned(read: Reader, package: str) -> bool:
    """Whether requirements.txt names a package."""
    if "requirements.txt" not in read.source.files:
        return False
    text = (read("requirements.txt", TEXT_LIMIT) or b"").decode("utf-8", "replace")
    return bool(re.search(rf"^\s*{package}\b", text, re.MULTILINE | re.IGNORECASE))


def app_file(config: Config, read: Reader, default: str, ending: str) -> str:
    """The file to run. Raises Fault of kind NO_APP_FILE when it is not there, naming what is."""
    path = config.app_file or default
    line = config.line("app_file")
    where = {"file": README if line else "", "line": line, "kind": FaultKind.NO_APP_FILE}
    if path in read.source.files:
        read(path, 1)
        return path
    if read.source.is_folder(path):
        raise Fault("APP_FILE", f"{shown(path)!r} is a folder; name a file such as {shown(path)}/{default}", **where)
    if path in read.source.links:
        raise Fault("APP_FILE", f"{shown(path)!r} is a symbolic link; name the file itself", **where)
    candidates = sorted(name for name in read.source.files if name.endswith(ending) and name.count("/") <= 2)
    near = [*get_close_matches(path, candidates, 1, 0.5), *[c for c in candidates if "/" not in c], *candidates]
    mean = f", did you mean {shown(near[0])!r}?" if near else ""
    hint = f"write `app_file: {shown(near[0])}` into README.md, or add {path}" if near else f"add {path}"
    advice = mean or f"; add it, or name another with `app_file` in {README}"
    raise Fault("APP_FILE", f"there is no {shown(path)!r} in this repo{advice}", hint=hint, **where)
