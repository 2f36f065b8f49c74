"""Buckets: files by path that one owner has, changed in place, without a history; what they hold are large objects. Owns what may
be written into one. Pure."""

import json
import re
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.domain.push import printable
from orchestrator.domain.repo import RepoKind
from orchestrator.domain.space import Visibility
from orchestrator.errors import Invalid, Unfit

PATH_LIMIT = 1024  #: bytes; a database's index takes no more
FILES_LIMIT = 1_000_000  #: files of one bucket
_TIME_LIMIT = 253_402_300_799_000  #: milliseconds; the last ones that a date can be made of
_HASH = re.compile(r"[0-9a-f]{64}")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\U0010ffff]")
#: Sorts behind every path that begins with the text before it.
LAST = "\U0010ffff"


class BucketKind(StrEnum):
    """The word of a bucket where repos have theirs."""

    BUCKET = "bucket"

    @property
    def plural(self) -> str:
        return "buckets"


@dataclass(frozen=True, slots=True)
class Bucket:
    """Reads like a repo wherever only its name and who may see it matter. `size`: bytes of all its files."""

    id: str
    owner: str  #: name of the owner
    owner_id: str
    name: str
    visibility: Visibility = Visibility.PUBLIC
    creator_id: str = ""
    size: int = 0
    files: int = 0
    version: int = 0  #: counts the batches that changed it
    created_at: float = 0.0
    updated_at: float = 0.0

    @property
    def kind(self) -> BucketKind:
        return BucketKind.BUCKET

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def path(self) -> str:
        """Where its page and its files are, below the console's URL."""
        return f"buckets/{self.full_name}"

    @property
    def private(self) -> bool:
        return self.visibility is Visibility.PRIVATE

    @property
    def code_private(self) -> bool:
        return self.private

    @property
    def deleted(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class BucketFile:
    """`oid`: SHA-256 of its bytes. `changed_at`: when the file was changed where it came from."""

    path: str
    oid: str
    size: int
    changed_at: float | None
    uploaded_at: float


@dataclass(frozen=True, slots=True)
class BucketFolder:
    """What stands before a slash in paths. `uploaded_at`: of the newest file below."""

    path: str
    uploaded_at: float


@dataclass(frozen=True, slots=True)
class Put:
    """Have a file at `path`, of what was uploaded as `hash`, or of what `source` (kind, owner/name) has by that hash."""

    path: str
    hash: str
    changed_at: float | None = None
    source: tuple[RepoKind | BucketKind, str] | None = None


@dataclass(frozen=True, slots=True)
class Remove:
    path: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one operation of a batch was not done."""

    path: str
    error: str


Operation = Put | Remove


def read_operation(line: bytes, number: int) -> Operation:
    """One line of a batch as clients send it. Raises Invalid `BATCH`."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict) or not isinstance(told.get("path"), str):
        raise Invalid("BATCH", f'line {number} of the batch is not a JSON object with a "type" and a "path"')
    match told.get("type"):
        case "deleteFile":
            return Remove(told["path"])
        case "addFile":
            return Put(told["path"], _hash(told, number), _changed(told, number))
        case "copyFile":
            return Put(told["path"], _hash(told, number), _changed(told, number), _source(told, number))
    raise Invalid("BATCH", f'the "type" of line {number} is none; write addFile, copyFile or deleteFile')


def _hash(told: dict, number: int) -> str:
    given = told.get("xetHash")
    if not isinstance(given, str) or not _HASH.fullmatch(given):
        raise Invalid("BATCH", f'the "xetHash" of line {number} must be 64 hexadecimal digits in lower case')
    return given


def _changed(told: dict, number: int) -> float | None:
    given = told.get("mtime")
    if given is None:
        return None
    if not isinstance(given, int) or isinstance(given, bool) or not 0 <= given <= _TIME_LIMIT:
        raise Invalid("BATCH", f'the "mtime" of line {number} must be a number of milliseconds since 1970')
    return given / 1000


def _source(told: dict, number: int) -> tuple[RepoKind | BucketKind, str]:
    word, name = told.get("sourceRepoType"), told.get("sourceRepoId")
    kinds = {kind.value: kind for kind in (*RepoKind, *BucketKind)}
    if not isinstance(word, str) or word not in kinds:
        raise Invalid("BATCH", f'the "sourceRepoType" of line {number} must be one of {", ".join(kinds)}')
    if not isinstance(name, str) or len(name) > 300 or name.count("/") != 1 or _CONTROL.search(name):
        raise Invalid("BATCH", f'the "sourceRepoId" of line {number} must be owner/name')
    return kinds[word], name


def check_path(path: str) -> str:
    """The path itself. Raises Unfit `PATH`."""
    why = ""
    if not path or path.startswith("/"):
        why = "it is empty or starts with '/'"
    elif _CONTROL.search(path):
        why = "it has control or direction characters; leave them out"
    elif len(path.encode()) > PATH_LIMIT:
        why = f"it is longer than {PATH_LIMIT} bytes"
    elif any(part in ("", ".", "..") for part in path.split("/")):
        why = "no part of it may be empty, '.' or '..'"
    if why:
        raise Unfit("PATH", f"the path {printable(path, 100)!r} cannot be used: {why}")
    return path
