"""Large files in git: the pointer that stands in a tree for an object stored by its SHA-256 (git-lfs, docs/spec.md), and which
paths `.gitattributes` gives to LFS (gitattributes(5)). Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.domain.globs import Rules
from orchestrator.errors import Invalid

POINTER_MIN, POINTER_LIMIT = 100, 1024  #: bytes; nothing outside is a pointer
SIZE_LIMIT = 2**53  #: above it JSON of some clients loses digits
VERSION = "https://git-lfs.github.com/spec/v1"
ATTRIBUTES = ".gitattributes"
ATTRIBUTES_LIMIT = 1024**2  #: bytes of it that are read
_OID = re.compile(r"[0-9a-f]{64}")
_POINTER = re.compile(
    rb"version https://(?:git-lfs\.github\.com/spec/v1|hawser\.github\.com/spec/v1)\n"
    rb"(?:ext-\d-[^\n]*\n)*oid sha256:([0-9a-f]{64})\nsize (\d{1,16})\n?"
)
_WORDS = re.compile(r'"(?:[^"\\]|\\.)*"|\S+')


@dataclass(frozen=True, slots=True)
class Pointer:
    """The object that a file of a revision stands for: its SHA-256, its bytes, and the bytes of the pointer itself."""

    oid: str
    size: int
    pointer_size: int = 0


@dataclass(frozen=True, slots=True)
class LargeObject:
    """An object that a repo owns. `place` is its name in the storage; times are epoch seconds."""

    oid: str
    size: int
    place: str
    owned_at: float = 0.0


def read_pointer(content: bytes) -> Pointer | None:
    """The pointer that is all of a file's content, None when it is no pointer."""
    if not POINTER_MIN <= len(content) < POINTER_LIMIT:
        return None
    match = _POINTER.fullmatch(content)
    if not match or int(match[2]) > SIZE_LIMIT:
        return None
    return Pointer(match[1].decode(), int(match[2]), len(content))


def pointer_text(oid: str, size: int) -> bytes:
    """What is committed in place of the object."""
    return f"version {VERSION}\noid sha256:{oid}\nsize {size}\n".encode()


def is_binary(sample: bytes) -> bool:
    """Whether the beginning of a file is no UTF-8 text; a character that the end cuts in half is none the less."""
    if b"\0" in sample:
        return True
    try:
        sample.decode()
    except UnicodeDecodeError as error:
        return error.start < len(sample) - 3
    return False


def check_oid(oid: object) -> str:
    """The SHA-256 itself. Raises Invalid `LFS_OID`."""
    if not isinstance(oid, str) or not _OID.fullmatch(oid):
        raise Invalid("LFS_OID", "an LFS object is named by its SHA-256: 64 hexadecimal digits in lower case")
    return oid


def check_size(size: object) -> int:
    """Bytes of an object. Raises Invalid `LFS_SIZE`."""
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= SIZE_LIMIT:
        raise Invalid("LFS_SIZE", f"the size of an LFS object is a number of bytes from 0 to {SIZE_LIMIT}")
    return size


class Attributes:
    """The root's `.gitattributes`, as far as it says what LFS keeps. A line that cannot be read says nothing, as with git. Raises
    Invalid `PATTERNS`."""

    def __init__(self, text: str = "") -> None:
        macros = {"binary": None}
        self._rules = Rules()
        for line in text.splitlines():
            words = _WORDS.findall(line.strip())
            if not words or words[0].startswith("#"):
                continue
            large = _filter_of(words[1:], macros)
            if words[0].startswith("[attr]"):
                macros[words[0].removeprefix("[attr]")] = large
            elif large is not None and (pattern := _pattern(words[0])):
                self._rules.add(pattern, large)

    def large(self, path: str) -> bool:
        """Whether LFS keeps this path; the last line that says something decides. Raises Invalid `PATTERNS`."""
        return self._rules.last(path) is True


def attributes_for(text: str, paths: Iterable[str]) -> str | None:
    """The content of `.gitattributes` with lines for those of `paths` that it does not give to LFS yet; None: it does already."""
    known = Attributes(text)
    lines = [f"{_quoted(path)} filter=lfs diff=lfs merge=lfs -text" for path in paths if not known.large(path)]
    if not lines:
        return None
    start = text if not text or text.endswith("\n") else text + "\n"
    return start + "\n".join(lines) + "\n"


def _filter_of(words: list[str], macros: dict[str, bool | None]) -> bool | None:
    """What attributes say about the filter: LFS, another or none, or nothing."""
    said: bool | None = None
    for word in words:
        name = word.lstrip("-!").partition("=")[0]
        if name == "filter":
            said = word == "filter=lfs"
        elif macros.get(name) is not None and word == name:
            said = macros[name]
    return said


def _pattern(word: str) -> str:
    """The pattern at the start of a line; "" for what has no meaning in this file."""
    if word.startswith('"') and word.endswith('"') and len(word) > 1:
        word = re.sub(r"\\(.)", r"\1", word[1:-1])
    return "" if word.startswith("!") or word.endswith("/") else word.replace("[[:space:]]", "\\ ")


def _quoted(path: str) -> str:
    """A path as a pattern that matches it and nothing else."""
    escaped = re.sub(r"([\\*?\[])", r"\\\1", path)
    return ("/" if "/" not in path else "") + re.sub(r"\s", "[[:space:]]", escaped)
