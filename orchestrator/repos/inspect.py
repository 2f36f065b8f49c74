"""Facts about a push, read from git's quarantine with bounded work: new objects, the files of each new tip, what looks like an
access token. Owns no rule: those are `domain/push.py`."""

import os
import re
import tempfile
import unicodedata
from collections.abc import Iterator
from typing import IO

from orchestrator.domain.large import POINTER_LIMIT, POINTER_MIN
from orchestrator.domain.push import (
    COMMIT_LIMIT,
    ENTRIES_LIMIT,
    OBJECTS_LIMIT,
    SCANNED,
    Pushed,
    RefUpdate,
    Revision,
    Sighting,
    secrets_in,
)
from orchestrator.domain.space import MAIN
from orchestrator.errors import Invalid
from orchestrator.repos.pointers import pointers
from orchestrator.repos.process import Git, GitFailed
from orchestrator.repos.quarantine import environment

README_LIMIT = 256 * 1024
_SCAN_ALL = 64 * 1024**2  #: bytes searched in one push
_LISTED = 5
_NAMES_LIMIT = 16 * 1024**2  #: bytes of paths of one revision that are compared with each other
_SIGHTINGS = 1000
#: Names that no build takes: control characters, and those that change the direction of what follows them.
_ODD = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def inspect(git: Git, git_dir: str, updates: tuple[RefUpdate, ...], quarantine: str, file_limit: int) -> Pushed:
    env = environment(git_dir, quarantine)
    tips = list(dict.fromkeys(update.new for update in updates if not update.deletes))
    found = _Objects(file_limit)
    with tempfile.TemporaryFile() as to_scan:
        if tips:
            _read(found, git, git_dir, tips, env, to_scan)
        to_scan.seek(0)
        sightings = tuple(_sightings(git, git_dir, to_scan.read(), found.paths, env))
    pointed = pointers(git, git_dir, found.small, env)
    main = next((u.new for u in updates if u.ref == MAIN and not u.deletes), None)
    # What was here already was judged when it came; of main the words are told each time.
    commits = [commit for commit in _commits(git, git_dir, tips, env) if commit in found.commits or commit == main]
    return Pushed(
        repo_bytes=disk_usage(git_dir),
        objects=found.count,
        big=tuple(found.big),
        big_count=found.big_count,
        heavy=tuple(found.heavy),
        revisions=tuple(_revision(git, git_dir, commit, env) for commit in commits),
        sightings=sightings,
        readme=_readme(git, git_dir, main, env) if main else None,
        large={pointer.oid: (found.small[blob], pointer.size) for blob, pointer in pointed.items()},
    )


def _read(found: "_Objects", git: Git, git_dir: str, tips: list[str], env: dict[str, str], to_scan: IO[bytes]) -> None:
    """Raises Invalid `BAD_PACK` when a tip, or what it needs, is neither in the push nor in the repo."""
    try:
        found.read(git, git_dir, tips, env, to_scan)
    except GitFailed as failure:
        if not re.search("bad object|missing|could not read", failure.detail, re.IGNORECASE):
            raise
        message = "the push names objects that it does not bring; push again from a complete clone, nothing was stored"
        raise Invalid("BAD_PACK", message) from None


class _Objects:
    """One pass over the objects that are new to the repo."""

    def __init__(self, file_limit: int) -> None:
        self.file_limit = file_limit
        self.count = 0
        self.big: list[tuple[str, int]] = []
        self.big_count = 0
        self.heavy: list[str] = []
        self.commits: set[str] = set()
        self.paths: dict[str, str] = {}
        self.small: dict[str, str] = {}  #: what has the size of a pointer to a large object
        self._budget = _SCAN_ALL

    def read(self, git: Git, git_dir: str, tips: list[str], env: dict[str, str], to_scan: IO[bytes]) -> None:
        wanted = "".join(f"{tip}\n" for tip in tips)
        commands = (
            ("rev-list", "--objects", "--stdin", "--not", "--all"),  # options within stdin need git 2.42
            ("cat-file", "--batch-check=%(objecttype) %(objectname) %(objectsize) %(rest)", "--buffer"),
        )
        with git.pipe(git_dir, *commands, stdin=wanted.encode(), env=env) as out:
            for line in out:
                self.count += 1
                if self.count > OBJECTS_LIMIT:
                    break
                self._object(line, to_scan)

    def _object(self, line: bytes, to_scan: IO[bytes]) -> None:
        kind, oid, size_text, rest = (line.rstrip(b"\n").split(b" ", 3) + [b"", b""])[:4]
        size = int(size_text) if size_text.isdigit() else 0
        if kind == b"commit":
            self.commits.add(oid.decode())
            if size > COMMIT_LIMIT:
                self.heavy.append(oid.decode())
        if kind != b"blob":
            return
        if size > self.file_limit:
            self.big_count += 1
            if len(self.big) < _LISTED:
                self.big.append((rest.decode("utf-8", "replace"), size))
        if POINTER_MIN <= size < POINTER_LIMIT:
            self.small[oid.decode()] = rest.decode("utf-8", "replace")
        if 20 <= size <= SCANNED and size <= self._budget:
            self._budget -= size
            self.paths[oid.decode()] = rest.decode("utf-8", "replace")
            to_scan.write(oid + b"\n")


def _sightings(git: Git, git_dir: str, oids: bytes, paths: dict[str, str], env: dict[str, str]) -> Iterator[Sighting]:
    if not oids:
        return
    seen = set()
    with git.pipe(git_dir, ("cat-file", "--batch", "--buffer"), stdin=oids, env=env) as out:
        while header := out.readline():
            oid, _, size = header.decode().split()
            content = out.read(int(size) + 1)[:-1]
            for secret, line in secrets_in(content):
                if secret not in seen and len(seen) < _SIGHTINGS:
                    seen.add(secret)
                    yield Sighting(secret, paths.get(oid, ""), line)


def _commits(git: Git, git_dir: str, tips: list[str], env: dict[str, str]) -> list[str]:
    """The commits that the new tips name; a tag of something else has none."""
    if not tips:
        return []
    asked = "".join(f"{tip}^{{commit}}\n" for tip in tips).encode()
    out = git.run(git_dir, "cat-file", "--batch-check=%(objecttype) %(objectname)", stdin=asked, env=env)
    rows = [line.split(" ", 1) for line in out.decode().splitlines()]
    return list(dict.fromkeys(row[1] for row in rows if row[0] == "commit"))


def _revision(git: Git, git_dir: str, commit: str, env: dict[str, str]) -> Revision:
    """Count the files of a tree, which may unfold to any number of them, or be nested deeper than git can walk."""
    count = size = 0
    names: list[str] = []
    try:
        with git.pipe(git_dir, ("ls-tree", "-r", "-z", "--name-only", commit), env=env, timeout=60) as out:
            for record in records(out):
                count += 1
                size += len(record)
                if size <= _NAMES_LIMIT:
                    names.append(record.decode("utf-8", "replace"))
                if count > ENTRIES_LIMIT:
                    names.clear()
                    break
    except GitFailed as failure:
        return Revision(commit, count, fault=failure.detail or "its trees are nested too deeply")
    folded: dict[str, str] = {}
    twins = []
    for name in names:
        other = folded.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if other != name and len(twins) < _LISTED:
            twins.append((other, name))
    odd = tuple(name for name in names if _ODD.search(name))[:_LISTED]
    return Revision(commit, count, tuple(twins), odd)


def _readme(git: Git, git_dir: str, commit: str, env: dict[str, str]) -> bytes | None:
    asked = f"{commit}:README.md\n".encode()
    kind = git.run(git_dir, "cat-file", "--batch-check=%(objecttype)", stdin=asked, env=env)
    if kind.strip() != b"blob":
        return None
    with git.pipe(git_dir, ("cat-file", "blob", f"{commit}:README.md"), env=env) as out:
        return out.read(README_LIMIT)


def records(out: IO[bytes]) -> Iterator[bytes]:
    """NUL-ended records of a stream."""
    rest = b""
    while chunk := out.read(64 * 1024):
        *whole, rest = (rest + chunk).split(b"\0")
        yield from whole
    if rest:
        yield rest


def disk_usage(folder: str) -> int:
    """Bytes of all files below a folder; what vanishes meanwhile is not counted. (The builder counts its own environments:
    repos and compiler do not know each other.)"""
    total = 0
    for top, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(top, name)).st_size
            except OSError:
                pass
    return total
