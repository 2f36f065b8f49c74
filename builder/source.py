"""The app's files: judged by name, mode and size before a byte is written, then written beside everything else and never on
top of it. Owns what a revision may contain. Reads git through `objects.py`."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from builder import large
from builder.errors import Fault, TransientError
from builder.large import POINTER, POINTER_LIMIT
from builder.objects import Entry, Objects, entries
from builder.text import UNPRINTABLE, shown

_NAME_LIMIT = 255  #: bytes, what Linux file systems take
_PATH_LIMIT = 3000  #: bytes, leaves room for the directory above in PATH_MAX
_LINK_HOPS = 40
#: Files at the root that nothing runs: a push that changes only these keeps the running instance.
_UNRUN = frozenset({"README.md", ".gitattributes", ".gitignore"})


@dataclass(frozen=True, slots=True)
class Source:
    """The entries of a revision that passed. `links`: symlink path -> target. `warnings`: sentences for the author."""

    files: Mapping[str, Entry]
    links: Mapping[str, str]
    warnings: tuple[str, ...]

    def digest(self, whole: bool = False) -> str:
        """Hash of what runs: paths, modes and contents; `whole` counts README.md and the like too."""
        items = [(path, entry.mode, entry.oid) for path, entry in self.files.items() if whole or runs(path)]
        items += [(path, "120000", target) for path, target in self.links.items()]
        return hashlib.sha256(repr(sorted(items)).encode()).hexdigest()

    def is_folder(self, path: str) -> bool:
        return any(known.startswith(path + "/") for known in self.files)


class Reader:
    """Small files of a revision by path: a callable for `requirements.read` and the packs."""

    def __init__(self, source: Source, objects: Objects) -> None:
        self.source = source
        self._objects = objects

    def __call__(self, path: str, limit: int = 2 << 20) -> bytes | None:
        """Content up to `limit` bytes, None when there is no such file. Raises Fault FILE_KIND for a folder or a symlink,
        LFS_POINTER for a pointer."""
        entry = self.source.files.get(path)
        if entry is None:
            if path in self.source.links:
                raise Fault("FILE_KIND", "the file is a symbolic link; commit the file itself", path)
            if self.source.is_folder(path):
                raise Fault("FILE_KIND", "this is a folder; a file is expected here", path)
            return None
        data = large.head(entry, self._objects, limit)
        if entry.size < POINTER_LIMIT and data.startswith(POINTER):
            message = (
                "the file is a Git LFS pointer to an object that is not here; push it with `git lfs push --all origin`"
            )
            raise Fault("LFS_POINTER", message, path)
        return data


def runs(path: str) -> bool:
    """Whether a change of this file may change what the app does."""
    return path not in _UNRUN and not (path.upper().startswith("LICENSE") and "/" not in path)


def look(
    git_dir: str,
    revision: str,
    objects: Objects,
    files_limit: int,
    size_limit: int,
    given: Mapping[str, str] = MappingProxyType({}),
) -> Source:
    """Judge a revision; `given`: the large files of it by their SHA-256. Raises Fault PATH_CHARS, PATH_LENGTH, PATH_UNSAFE,
    WHITEOUT, SYMLINK, SUBMODULE, TOO_MANY_FILES, TREE_BOMB, TOO_LARGE; TransientError when the repo cannot be read."""
    files: dict[str, Entry] = {}
    links: dict[str, str] = {}
    total = 0
    for entry in entries(git_dir, revision, files_limit):
        path = checked_path(entry.path)
        if path in files or path in links:
            raise Fault("PATH_UNSAFE", f"the commit lists {shown(path)!r} twice; commit the folder again")
        if entry.mode == "160000":
            raise Fault("SUBMODULE", f"{shown(path)} is a git submodule; submodules are not fetched, commit its files")
        if entry.mode == "120000":
            if entry.size > _PATH_LIMIT:
                raise Fault("SYMLINK", f"{shown(path)} is a symbolic link to a name that is too long")
            links[path] = objects.read(entry, _PATH_LIMIT).decode("utf-8", "surrogateescape")
            continue
        if entry.mode not in ("100644", "100755", "100664"):
            raise Fault("PATH_UNSAFE", f"{shown(path)} has the mode {entry.mode}; only plain files are run")
        files[path] = large.real(entry, objects, given)
        total += files[path].size
    if total > size_limit:
        largest = max(files, key=lambda path: files[path].size)
        raise Fault(
            "TOO_LARGE",
            f"the files of this revision have {_mb(total)}, at most {_mb(size_limit)} are run; "
            f"the largest is {shown(largest)} with {_mb(files[largest].size)}",
        )
    for path, target in links.items():
        check_link(path, target, links)
    return Source(files, links, tuple(_twins([*files, *links])))


def checked_path(raw: bytes) -> str:
    """The path as text. Raises Fault when a name could do harm on disk, in a terminal or on a page."""
    try:
        path = raw.decode()
    except UnicodeDecodeError:
        name = shown(raw.decode("utf-8", "backslashreplace"))
        raise Fault("PATH_CHARS", f"the file name {name} is not UTF-8; rename it") from None
    if UNPRINTABLE.search(path):
        raise Fault("PATH_CHARS", f"the file name {shown(path)} holds control or direction characters; rename it")
    parts = path.split("/")
    if any(part in ("", ".", "..") or part.casefold() == ".git" or "\\" in part for part in parts):
        raise Fault("PATH_UNSAFE", f"the file name {shown(path)!r} is not allowed; rename it")
    for part in parts:
        if part.startswith(".wh."):
            raise Fault("WHITEOUT", f"{shown(path)}: names that begin with .wh. mean deletion in images; rename it")
        if len(part.encode()) > _NAME_LIMIT:
            raise Fault("PATH_LENGTH", f"{shown(path)}: a name has more than {_NAME_LIMIT} bytes; shorten it")
    if len(raw) > _PATH_LIMIT:
        raise Fault("PATH_LENGTH", f"{shown(path)}: the path has {len(raw)} bytes, at most {_PATH_LIMIT} are allowed")
    return path


def check_link(path: str, target: str, links: Mapping[str, str]) -> None:
    """Walk a symlink as the kernel would, through the other symlinks. Raises Fault SYMLINK when it leaves the repo or loops."""

    def refuse(why: str) -> Fault:
        return Fault(
            "SYMLINK", f"{shown(path)} -> {shown(target)} {why}; links must be relative and stay inside the repo"
        )

    if UNPRINTABLE.search(target) or not target:
        raise refuse("is not a name")
    walked = path.split("/")[:-1]
    ahead = target.split("/")[::-1]
    hops = 1
    if target.startswith("/"):
        raise refuse("leaves the repo")
    while ahead:
        part = ahead.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not walked:
                raise refuse("leaves the repo")
            walked.pop()
            continue
        walked.append(part)
        further = links.get("/".join(walked))
        if further is not None:
            hops += 1
            if hops > _LINK_HOPS:
                raise refuse("goes round in a circle")
            if further.startswith("/"):
                raise refuse("leaves the repo")
            walked.pop()
            ahead.extend(further.split("/")[::-1])


def _twins(paths: Iterable[str]) -> Iterable[str]:
    seen: dict[str, str] = {}
    for path in paths:
        other = seen.setdefault(path.casefold(), path)
        if other != path:
            yield f"{shown(other)} and {shown(path)} differ only in upper and lower case; some machines cannot hold both"


def _mb(size: int) -> str:
    return f"{size / 1024**2:.1f} MB"


def export(source: Source, objects: Objects, target: Path, scratch: Path) -> tuple[str, ...]:
    """Write all files below `target`, which appears at once and whole; if it is there already, nothing is written.
    `scratch` is a directory on the same file system. Returns the paths that are Git LFS pointers.

    Raises Fault PATH_UNSAFE when two names need the same place, TransientError when the disk fails."""
    if target.is_dir():
        os.utime(target)
        return pointers(source, objects)
    work = scratch / f"export-{secrets.token_hex(8)}"
    try:
        work.mkdir(parents=True)
        for path, entry in source.files.items():
            _write(work, path, entry, objects)
        for path, link in source.links.items():
            place = work / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(link)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            work.rename(target)
        except OSError:
            if not target.is_dir():
                raise
        return pointers(source, objects)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        name = shown(str(error.filename).removeprefix(str(work)).lstrip("/"))
        raise Fault(
            "PATH_UNSAFE", f"{name} is both a file and a folder in this commit; commit the folder again"
        ) from None
    except OSError as error:
        raise TransientError(f"cannot write the app's files: {error}") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _write(root: Path, path: str, entry: Entry, objects: Objects) -> None:
    place = os.path.join(root, path)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    handle = os.open(
        place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o755 if entry.mode == "100755" else 0o644
    )
    with os.fdopen(handle, "wb") as file:
        large.copy(entry, objects, file)


def pointers(source: Source, objects: Objects) -> tuple[str, ...]:
    """Paths of Git LFS pointers whose objects were not given: small files of the size that pointers have."""
    small = ((path, entry) for path, entry in source.files.items() if large.may_point(entry) and not entry.place)
    return tuple(path for path, entry in small if objects.read(entry, len(POINTER)) == POINTER)
