"""requirements.txt and what it includes, read into lines that uv may see. Owns what such a line may say, wherever it stands.
Pure: files come through `Files`, nothing is installed."""

import ipaddress
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import NoReturn
from urllib.parse import urlsplit

from builder.errors import Fault
from builder.text import UNPRINTABLE, masked, shown

SIZE_LIMIT = 1 << 20  #: bytes of one file
LINES_LIMIT = 5000
LINE_LIMIT = 4000  #: characters of one requirement, hashes not counted
DEPTH_LIMIT = 5
INCLUDES_LIMIT = 100

#: path -> content, or None when there is no such file. Raises Fault for a folder, a symlink or an LFS pointer.
Files = Callable[[str], bytes | None]

_OPTION = re.compile(r"(--?[A-Za-z][\w-]*)(?:[ \t]*=[ \t]*|[ \t]+|(?=[./]|https?:)|$)(.*)", re.DOTALL)
_COMMENT = re.compile(r"(^|[ \t]+)#.*$")
#: The requirements that nearly everybody writes, read without a library.
_SIMPLE = re.compile(
    r"([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)(?:\[[A-Za-z0-9_, -]*\])?"
    r"(?: ?(?:==|>=|<=|~=|!=|<|>) ?[0-9]+(?:\.[0-9]+){1,4}(?: ?, ?(?:>=|<=|!=|<|>) ?[0-9]+(?:\.[0-9]+){0,4}){0,3})?",
    re.ASCII,
)
_PATHLIKE = re.compile(r"(\.{0,2}/|\.\.?$|~|[A-Za-z]:[\\/]|\\)|.*\.(whl|zip|tar\.gz|tgz)$")
_INCLUDES = {"-r": False, "--requirement": False, "-c": True, "--constraint": True}
_INDEXES = {"-i": "--index-url", "--index-url": "--index-url", "--extra-index-url": "--extra-index-url",
            "-f": "--find-links", "--find-links": "--find-links"}  # fmt: skip
_IGNORED = {"--prefer-binary", "--trusted-host", "--use-feature", "--use-pep517", "--require-hashes", "--no-cache-dir", "-q",
            "--quiet", "-U", "--upgrade", "--only-binary", "--no-deps", "--default-timeout", "--timeout"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One requirement as uv will read it, and where the author wrote it (`line` 0: the platform asks for it)."""

    text: str
    file: str
    line: int
    name: str = ""  #: normalised package name, "" for a bare URL

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(slots=True)
class Requirements:
    """`indexes`: options such as `--extra-index-url U` that the author gave. `own_code`: installing may run code that only
    this Space's author vouches for (URLs, version control, foreign indexes, no wheels), so nothing is shared."""

    lines: list[Line] = field(default_factory=list)
    constraints: list[Line] = field(default_factory=list)
    indexes: list[str] = field(default_factory=list)
    prerelease: bool = False
    own_code: bool = False
    warnings: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    requires_python: str = ""


def decoded(name: str, data: bytes) -> str:
    """Text of a dependency file. Raises Fault REQ_ENCODING or TOO_LARGE."""
    if len(data) > SIZE_LIMIT:
        raise Fault("TOO_LARGE", f"the file has {len(data)} bytes; at most {SIZE_LIMIT} are read", name)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:200]:
        raise Fault("REQ_ENCODING", "the file is UTF-16 (as PowerShell writes with >); save it as UTF-8", name)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Fault("REQ_ENCODING", "the file is not UTF-8; save it as UTF-8", name, line) from None


class Reader:
    """Follows `-r` and `-c` inside the repo."""

    def __init__(self, files: Files, found: Requirements) -> None:
        self.files = files
        self.found = found
        self.included = 0

    def include(self, name: str, data: bytes, above: tuple[str, ...], constraint: bool) -> None:
        if name not in self.found.files:
            self.found.files.append(name)
        for number, text in _logical(decoded(name, data)):
            if len(self.found.lines) + len(self.found.constraints) > LINES_LIMIT:
                raise Fault("TOO_LARGE", f"there are more than {LINES_LIMIT} requirements", name, number)
            if text.startswith("-"):
                self.option(text, name, number, above, constraint)
            else:
                line, own = requirement(text, name, number)
                (self.found.constraints if constraint else self.found.lines).append(line)
                self.found.own_code |= own

    def option(self, text: str, name: str, number: int, above: tuple[str, ...], constraint: bool) -> None:
        match = _OPTION.fullmatch(text)
        word, value = (match[1], match[2].strip().strip("'\"")) if match else (text, "")
        if word not in _INDEXES | _INCLUDES | dict.fromkeys(_IGNORED) and text[:2] in _INCLUDES and text[1] != "-":
            word, value = text[:2], text[2:].strip()
        if word in _INCLUDES:
            self.nested(value, name, number, above, constraint or _INCLUDES[word])
        elif word in _INDEXES:
            check_url(value, name, number, ("https", "http"))
            self.found.indexes.append(f"{_INDEXES[word]} {value}")
            self.found.own_code = True
        elif word in ("-e", "--editable"):
            if _is_path(value):
                _path(value, name, number)
            line, own = requirement(value, name, number)
            self.found.lines.append(line)
            self.found.own_code |= own
        elif word == "--pre":
            self.found.prerelease = True
        elif word in ("--no-binary", "--config-settings", "--global-option"):
            self.found.own_code = True
            self.found.warnings.append(
                f"{name}:{number}: {shown(word)} is not followed; uv builds from source when it must"
            )
        elif word in _IGNORED:
            self.found.warnings.append(f"{name}:{number}: {shown(word)} is not needed here and is left out")
        else:
            raise Fault("REQ_SYNTAX", f"{shown(text)!r} is not an option that is read here; remove it", name, number)

    def nested(self, value: str, name: str, number: int, above: tuple[str, ...], constraint: bool) -> None:
        if "://" in value:
            raise Fault("REQ_URL", f"{shown(masked(value))!r}: only files of this repo can be included", name, number)
        path = _inside(PurePosixPath(name).parent, value)
        if path is None:
            raise Fault(
                "REQ_PATH", f"{shown(value)!r} is outside of this repo; include files of the repo only", name, number
            )
        self.included += 1
        if self.included > INCLUDES_LIMIT:
            raise Fault("TOO_LARGE", f"there are more than {INCLUDES_LIMIT} included files", name, number)
        if path == name or path in above:
            raise Fault("REQ_PATH", f"{shown(path)!r} includes itself; remove one of the -r lines", name, number)
        if len(above) >= DEPTH_LIMIT:
            raise Fault("REQ_PATH", f"files include each other deeper than {DEPTH_LIMIT} levels", name, number)
        data = self.files(path)
        if data is None:
            raise Fault("REQ_PATH", f"{shown(path)!r} is not in this repo", name, number)
        self.include(path, data, (*above, name), constraint)


def requirement(text: str, file: str, line: int) -> tuple[Line, bool]:
    """One requirement, and whether it may run its author's code. Raises Fault REQ_SYNTAX, REQ_PATH or REQ_URL."""
    if UNPRINTABLE.search(text.replace("\t", " ")):
        raise Fault("REQ_SYNTAX", f"{shown(text)!r} holds control or direction characters; remove them", file, line)
    bare, _, hashes = text.partition(" --hash")
    bare = bare.strip()
    if len(bare) > LINE_LIMIT:
        raise Fault(
            "REQ_SYNTAX", f"{shown(bare)!r} has {len(bare)} characters; at most {LINE_LIMIT} are read", file, line
        )
    if _is_path(bare):
        _path(bare, file, line)
    if re.match(r"[\w+.-]+:", bare) and "@ " not in bare.split(":")[0]:
        check_url(bare, file, line, ("https", "http", "git+https"))
        return Line(text, file, line), True
    simple = _SIMPLE.fullmatch(bare)
    if simple:
        return Line(bare + (f" --hash{hashes}" if hashes else ""), file, line, normal(simple[1])), False
    from packaging.requirements import InvalidRequirement, Requirement  # late: it costs more than most builds need

    try:
        parsed = Requirement(bare)
    except InvalidRequirement:
        _syntax(bare, file, line)
    if parsed.url:
        if parsed.url.startswith("file:") or "://" not in parsed.url:
            _path(parsed.url, file, line)
        check_url(parsed.url, file, line, ("https", "http", "git+https"))
    return Line(bare + (f" --hash{hashes}" if hashes else ""), file, line, normal(parsed.name)), parsed.url is not None


def normal(name: str) -> str:
    """A package name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def check_url(url: str, file: str, line: int, schemes: tuple[str, ...]) -> None:
    """Raises Fault REQ_PATH for a file, REQ_URL for a scheme or a host that builds may not reach."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise Fault("REQ_URL", f"{shown(masked(url))!r} is not a URL", file, line) from None
    if "${" in url:  # uv would fill in what is in its environment: the admin's passwords, for whatever host is named
        hint = "write it out, or download the file when the app starts, with a secret"
        raise Fault("REQ_URL", f"{shown(masked(url))!r}: variables are not filled in", file, line, hint)
    scheme = parts.scheme.lower()
    if _is_path(url) or scheme == "file" or not scheme:
        _path(url, file, line)
    if scheme not in schemes:
        hint = "write git+https://host/owner/repo@commit" if scheme.startswith("git") else ""
        allowed = ", ".join(f"{name}://" for name in schemes)
        raise Fault(
            "REQ_URL", f"{shown(masked(url))!r}: only {allowed} can be fetched while building", file, line, hint
        )
    if not host or _is_private(host):
        raise Fault(
            "REQ_URL", f"{shown(masked(url))!r}: {shown(host) or 'no host'!s} is not a public address", file, line
        )


def _is_private(host: str) -> bool:
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal", ".home.arpa")):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        try:  # 2130706433, 0x7f.1 and the like are addresses to the C library
            address = ipaddress.ip_address(socket.inet_aton(host))
        except (OSError, ValueError):
            return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return not mapped.is_global or mapped.is_multicast


def _is_path(text: str) -> bool:
    head = re.split(r"[ \t;\[]", text, maxsplit=1)[0]
    return "://" not in text and " @ " not in text and bool(_PATHLIKE.match(head) or "/" in head and "@" not in head)


def _inside(folder: PurePosixPath, value: str) -> str | None:
    """A path relative to `folder` in normal form, None when it leaves the repo."""
    if not value or value.startswith(("/", "~")) or "\\" in value or UNPRINTABLE.search(value):
        return None
    parts: list[str] = []
    for part in (*folder.parts, *value.split("/")):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts) or None


def _path(value: str, file: str, line: int) -> NoReturn:
    raise Fault(
        "REQ_PATH",
        f"{shown(value)!r} is a path; packages are installed from an index, before the app's files are there",
        file,
        line,
        "write the package's name, or git+https://host/owner/repo@commit",
    )


def _syntax(text: str, file: str, line: int) -> NoReturn:
    hint = ""
    if match := re.match(r"(?:!|%)?(?:python\S* -m )?pip3? install\s+(.*)", text):
        hint = f"write only the package: {shown(match[1])!r}"
    elif re.match(r"(import|from)\s", text):
        hint = "this file lists packages, one a line, no Python"
    elif match := re.search(r"=>|=<|(?<![=<>!~])=(?!=)|>>|<<|\s=\s", text):
        wrong = match[0]
        right = {"=>": ">=", "=<": "<="}.get(wrong, "==" if "=" in wrong else wrong[0] + "=")
        hint = f"did you mean {right!r}?"
    elif " " in text and re.fullmatch(r"[\w.-]+(\s+[\w.-]+)+", text):
        hint = "write one package a line"
    message = f"{shown(masked(text))!r} is not a requirement such as 'numpy>=2'"
    raise Fault("REQ_SYNTAX", f"{message} ({hint})" if hint else message, file, line, hint)


def _logical(text: str) -> list[tuple[int, str]]:
    """Lines as pip joins them: comments gone, a trailing backslash continues. With the number of the first line of each."""
    result: list[tuple[int, str]] = []
    held, start = "", 0
    for number, line in enumerate(text.split("\n"), 1):
        line = line.rstrip("\r")
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            held, start = held + line[:-1] + " ", start or number
            continue
        whole = re.sub(r"[ \t]+", " ", _COMMENT.sub("", held + line).strip())
        if whole:
            result.append((start or number, whole))
        held, start = "", 0
    if held.strip():
        result.append((start, held.strip()))
    return result
