"""All that a repo asks to install: requirements.txt and pre-requirements.txt, else pyproject.toml with uv.lock; packages.txt.
Owns which file counts; lines are judged by `requirements.py`. Pure."""

import re
import tomllib

from builder.errors import Fault
from builder.requirements import LINES_LIMIT, Files, Reader, Requirements, decoded, requirement
from builder.text import shown

_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+(=[\w.:~+-]+)?", re.ASCII)


def read(files: Files) -> Requirements:
    """Everything the repo asks to install from an index. Raises Fault REQ_SYNTAX, REQ_PATH, REQ_URL, REQ_ENCODING, REQ_FILE,
    TOO_LARGE, LFS_POINTER."""
    found = Requirements()
    for name in ("pre-requirements.txt", "requirements.txt"):
        data = files(name)
        if data is not None:
            Reader(files, found).include(name, data, (), constraint=False)
    pyproject = files("pyproject.toml")
    if pyproject is not None:
        _pyproject(decoded("pyproject.toml", pyproject), found, "requirements.txt" in found.files)
        if "pyproject.toml" in found.files and (lock := files("uv.lock")) is not None:
            _uv_lock(decoded("uv.lock", lock), found)
    return found


def _pyproject(text: str, found: Requirements, unused: bool) -> None:
    name = "pyproject.toml"
    try:
        project = tomllib.loads(text).get("project", {})
        wanted = project.get("dependencies", [])
        found.requires_python = _requires_python(project.get("requires-python", ""), text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        at = re.search(r" \(at line (\d+), column \d+\)", str(error))
        line = int(at[1]) if at else 0
        raise Fault("REQ_SYNTAX", f"the file is not valid TOML: {shown(str(error))}", name, line) from None
    except AttributeError:
        raise Fault("REQ_SYNTAX", "`project` must be a table; write a line of [project]", name) from None
    if unused:
        if wanted:
            found.warnings.append(f"{name}: its dependencies are not installed, because there is a requirements.txt")
        return
    if not isinstance(wanted, list) or not all(isinstance(item, str) for item in wanted):
        raise Fault("REQ_SYNTAX", "project.dependencies must be a list of texts", name)
    if wanted:
        found.files.append(name)
    for item in wanted[:LINES_LIMIT]:
        position = text.find(item)
        line, own = requirement(item.strip(), name, text.count("\n", 0, position) + 1 if position >= 0 else 0)
        found.lines.append(line)
        found.own_code |= own


def _requires_python(value: object, text: str) -> str:
    """`requires-python` if it can be read. Raises Fault REQ_SYNTAX with its line."""
    if value == "":
        return ""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # late: most repos have no pyproject.toml

    try:
        if isinstance(value, str):
            SpecifierSet(value)
            return value
    except InvalidSpecifier:
        pass
    position = text.find("requires-python")
    raise Fault(
        "REQ_SYNTAX",
        f"requires-python is {shown(str(value))!r}; write versions in quotes, such as '>=3.11'",
        "pyproject.toml",
        text.count("\n", 0, position) + 1,
    )


def _uv_lock(text: str, found: Requirements) -> None:
    """The versions of uv.lock as constraints; a package locked at several versions (by platform) stays free."""
    name = "uv.lock"
    try:
        locked = tomllib.loads(text).get("package", [])
        pins = [
            (p["name"], p["version"], p.get("source", {})) for p in locked if isinstance(p, dict) and "version" in p
        ]
    except (tomllib.TOMLDecodeError, AttributeError, KeyError, TypeError, RecursionError) as error:
        raise Fault(
            "REQ_SYNTAX", f"the file is not a lock of uv: {shown(str(error))}; write it again with uv lock", name
        ) from None
    found.files.append(name)
    names = [pin[0] for pin in pins]
    for package, version, source in pins[:LINES_LIMIT]:
        if isinstance(source, dict) and "registry" in source and names.count(package) == 1:
            found.constraints.append(requirement(f"{package}=={version}", name, 0)[0])
        elif isinstance(source, dict) and ("git" in source or "url" in source):
            found.warnings.append(
                f"{name}: {shown(str(package))} does not come from an index; its newest release is taken"
            )


def packages(data: bytes) -> list[str]:
    """Debian packages of packages.txt. Raises Fault PACKAGES with the line."""
    names: list[str] = []
    for number, line in enumerate(decoded("packages.txt", data).split("\n"), 1):
        for word in line.partition("#")[0].split():
            if not _PACKAGE.fullmatch(word):
                raise Fault(
                    "PACKAGES", f"{shown(word)!r} is not a Debian package name such as ffmpeg", "packages.txt", number
                )
            names.append(word)
    return names
