"""Reads one revision from a bare git repo as data: the list of its entries, the bytes of its blobs. Owns how git is called;
never a checkout, a hook, a filter or a setting of the repo's. Judges no name: that is `source.py`."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO

from builder.errors import Fault, TransientError

#: git is told to read nothing but this repo: no settings of the machine, no replaced objects, no fetching of missing ones.
_ENV = {
    "PATH": os.environ.get("PATH", os.defpath),
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_TERMINAL_PROMPT": "0",
}
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, symlink or submodule of a revision. `size` in bytes; `mode` as git writes it (`100644`). `place`: the
    file with its bytes, where git holds only a pointer to a large file; `sha256` and `size` are of that."""

    path: bytes
    mode: str
    oid: str
    size: int
    sha256: str = ""
    place: str = ""


def entries(git_dir: str, revision: str, limit: int) -> list[Entry]:
    """Files of a revision in git's order, at most `limit` of them.

    Raises Fault TOO_MANY_FILES or TREE_BOMB (more than `4 * limit` directories), TransientError when git fails."""
    command = [*_git(git_dir), "ls-tree", "-r", "-t", "-l", "-z", "--full-tree", revision]
    found: list[Entry] = []
    folders = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_ENV) as git:
        try:
            records = _records(git.stdout)
            for record in records:
                head, _, path = record.partition(b"\t")
                mode, kind, oid, size = head.split()
                if kind == b"tree":
                    folders += 1
                    if folders > 4 * limit:
                        raise Fault(
                            "TREE_BOMB", f"the repo has more than {4 * limit} folders; at most {limit} files are run"
                        )
                    continue
                found.append(Entry(path, mode.decode(), oid.decode(), int(size) if size != b"-" else 0))
                if len(found) > limit:
                    total = limit + 1 + sum(1 for _ in zip(records, range(20 * limit), strict=False))
                    raise Fault("TOO_MANY_FILES", f"the repo has {total} files or more; at most {limit} are allowed")
        except (ValueError, UnicodeDecodeError):
            raise TransientError(f"git lists a damaged object in {git_dir}") from None
        finally:
            git.stdout.close()
            if git.poll() is None and len(found) > limit or folders > 4 * limit:
                git.kill()
            error = git.stderr.read(4096)
    if git.returncode:
        raise TransientError(f"git cannot read revision {revision}: {error.decode('utf-8', 'replace').strip()}")
    return found


def _git(git_dir: str) -> list[str]:
    return ["git", "-c", "safe.directory=*", "-c", "core.fsmonitor=false", "--git-dir", git_dir]


def _records(stream: BinaryIO) -> Iterator[bytes]:
    """NUL-terminated records."""
    rest = b""
    while chunk := stream.read1(_CHUNK):
        *whole, rest = (rest + chunk).split(b"\0")
        yield from whole
        if len(rest) > 1 << 20:
            raise ValueError("record too long")


class Objects:
    """Blobs by id, from one `git cat-file --batch` process. Use as a context manager; not for two threads."""

    def __init__(self, git_dir: str) -> None:
        self._git = subprocess.Popen(
            [*_git(git_dir), "cat-file", "--batch"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_ENV,
        )

    def __enter__(self) -> "Objects":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._git.kill()
        self._git.communicate()

    def copy(self, oid: str, target: BinaryIO) -> int:
        """Write a blob into `target`, return its size. Raises TransientError when the object is missing or damaged."""
        size = self._ask(oid)
        left = size
        while left:
            chunk = self._git.stdout.read(min(left, _CHUNK))
            if not chunk:
                raise TransientError(f"git object {oid} is damaged")
            target.write(chunk)
            left -= len(chunk)
        self._git.stdout.read(1)
        return size

    def read(self, entry: Entry, limit: int) -> bytes:
        """The first `limit` bytes of a blob; the caller has looked at `entry.size`."""
        size = self._ask(entry.oid)
        data = self._git.stdout.read(min(size, limit))
        left = size - len(data) + 1
        while left and (chunk := self._git.stdout.read(min(left, _CHUNK))):
            left -= len(chunk)
        if left:
            raise TransientError(f"git object {entry.oid} is damaged")
        return data

    def _ask(self, oid: str) -> int:
        try:
            self._git.stdin.write(oid.encode() + b"\n")
            self._git.stdin.flush()
            answer = self._git.stdout.readline().split()
        except BrokenPipeError:
            raise TransientError("git stopped while its objects were read") from None
        if len(answer) != 3 or answer[1] != b"blob":
            raise TransientError(f"git object {oid} is missing")
        return int(answer[2])
