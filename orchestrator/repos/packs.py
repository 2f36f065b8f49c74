"""The packs of one repo: which there are, several made into one, everything into one and what no ref leads to into another,
set apart. Owns how packs take the place of others: new ones are durable before the old ones go, and no object is in old ones only
(gitformat-pack(5), git-pack-objects(1): `--cruft`). Loses nothing, may run beside writers; `care.py` says when, and what ends."""

import mmap
import os
import struct
import time
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator import failpoints
from orchestrator.repos.durable import remove, sync
from orchestrator.repos.process import WALL_CLOCK, Git, GitFailed

PATIENCE = 3600.0  #: seconds for packing all of a repo
_REST = (".bitmap", ".rev", ".pack", ".mtimes", ".keep")  #: without its index, which goes first, a pack is nothing
_NAME = 20  #: bytes of an object's name
_TABLE = 8 + 256 * 4  #: where the names begin in an index, after how many begin with each byte


@dataclass(frozen=True, slots=True)
class Pack:
    """`path`: without an ending. `size` in bytes. `cruft`: what nothing names, since `at` (epoch seconds); `bitmap`: it has
    everything that was named when it was made."""

    path: str
    size: int
    at: float
    cruft: bool
    bitmap: bool

    @property
    def name(self) -> str:
        return os.path.basename(self.path)


def packs(git_dir: str) -> list[Pack]:
    """The smallest first; not those that a push is just bringing."""
    folder = os.path.join(git_dir, "objects", "pack")
    with os.scandir(folder) as entries:
        names = {entry.name for entry in entries}
    found = []
    for name in names:
        base, ending = os.path.splitext(name)
        if ending != ".idx" or f"{base}.pack" not in names:
            continue
        path, cruft = os.path.join(folder, base), f"{base}.mtimes" in names
        try:
            about = os.stat(path + ".pack")
            if not cruft and f"{base}.keep" in names and os.stat(path + ".keep").st_mtime > time.time() - WALL_CLOCK:
                continue
        except FileNotFoundError:
            continue
        found.append(Pack(path, about.st_size, about.st_mtime, cruft, f"{base}.bitmap" in names))
    return sorted(found, key=lambda pack: (pack.size, pack.name))


def combine(git: Git, git_dir: str) -> None:
    """Small packs and loose objects into one pack, so that each pack is twice as large as all smaller ones together: what is
    large is seldom written again."""
    all_packs = [pack for pack in packs(git_dir) if not pack.cruft]
    few = all_packs[: _few([pack.size for pack in all_packs])]
    others = [f"^{pack.name}.pack" for pack in all_packs[len(few) :]]
    asked = [*(f"{pack.name}.pack" for pack in few), *others]
    made = _made(git, git_dir, asked, "--stdin-packs", "--unpacked")
    if made or few:
        replace(git_dir, few, made)
    git.run(git_dir, "prune-packed", "-q", timeout=WALL_CLOCK)


def _few(sizes: Sequence[int]) -> int:
    """How many of these, smallest first, are to become one."""
    total, count = 0, 0
    for at, size in enumerate(sizes):
        if size < 2 * total:
            count = at + 1
        total += size
    return count


def part(git: Git, git_dir: str, tips: Iterable[str]) -> None:
    """Everything that these and all refs lead to into one pack, all else into another one."""
    old = packs(git_dir)
    remove(*(f"{pack.path}.keep" for pack in old))  # of pushes that died: git would leave out what they have alone
    named = _made(git, git_dir, tips, "--revs", "--all", "--write-bitmap-index")
    asked = [*(f"{name}.pack" for name in named), *(f"-{pack.name}.pack" for pack in old if pack.name not in named)]
    unnamed = _made(git, git_dir, asked, "--cruft")
    replace(git_dir, old, [*named, *unnamed])
    git.run(git_dir, "prune-packed", "-q", timeout=WALL_CLOCK)


def _made(git: Git, git_dir: str, asked: Iterable[str], *flags: str) -> list[str]:
    """Names of the packs that git made, complete and in the repo."""
    stdin = "".join(f"{line}\n" for line in asked).encode()
    target = os.path.join(git_dir, "objects", "pack", "pack")
    words = ("pack-objects", "-q", "--non-empty", "--delta-base-offset", *flags, target)
    out = git.run(git_dir, *words, stdin=stdin, timeout=PATIENCE)
    return [f"pack-{line}" for line in out.decode().split()]


def replace(git_dir: str, old: Sequence[Pack], new: Sequence[str]) -> None:
    """New packs are there: the old ones go. Raises GitFailed, and removes none, where an object would be lost."""
    folder = os.path.join(git_dir, "objects", "pack")
    sync(folder)
    gone = [pack for pack in old if pack.name not in new]
    going = {pack.name for pack in gone}
    left = [pack.path for pack in packs(git_dir) if pack.name not in going and (not pack.cruft or pack.name in new)]
    _check([pack.path for pack in gone], left)
    failpoints.hit("after_pack")
    for pack in gone:
        drop(pack)
    sync(folder)


def drop(pack: Pack) -> int:
    """Returns the bytes freed."""
    freed = remove(pack.path + ".idx")
    failpoints.hit("after_index")
    return freed + remove(*(pack.path + ending for ending in _REST))


def _check(gone: Iterable[str], left: Iterable[str]) -> None:
    with _Indexes(gone) as going, _Indexes(left) as staying:
        for byte in range(256):
            if lost := going.beginning(byte) - staying.beginning(byte):
                raise GitFailed("pack-objects", 0, f"{len(lost)} objects are in no new pack; the old packs stay")


class Names(Sequence):
    """The names of a pack's objects, in order, from its index."""

    def __init__(self, path: str) -> None:
        with open(path + ".idx", "rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if self._map[:8] != b"\377tOc\0\0\0\2":
            raise GitFailed("index", 0, f"{path}.idx is of a kind that is not known here")
        self._ends = struct.unpack(">256I", self._map[8:_TABLE])

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, at: int) -> bytes:  # type: ignore[override]
        return self._map[_TABLE + at * _NAME : _TABLE + (at + 1) * _NAME]

    def __contains__(self, name: object) -> bool:
        assert isinstance(name, bytes)
        first, end = self._range(name[0])
        at = bisect_left(self, name, first, end)
        return at < end and self[at] == name

    def _range(self, byte: int) -> tuple[int, int]:
        return self._ends[byte - 1] if byte else 0, self._ends[byte]

    def beginning(self, byte: int) -> set[bytes]:
        first, end = self._range(byte)
        table = self._map[_TABLE + first * _NAME : _TABLE + end * _NAME]
        return {table[at : at + _NAME] for at in range(0, len(table), _NAME)}

    def close(self) -> None:
        self._map.close()


class _Indexes:
    """Several of them, while they are open."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = paths
        self._open: list[Names] = []

    def __enter__(self) -> "_Indexes":
        self._open = [Names(path) for path in self._paths]
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._open:
            one.close()

    def beginning(self, byte: int) -> set[bytes]:
        return set().union(*(one.beginning(byte) for one in self._open))


def has_any(pack: Pack, names: Iterable[bytes]) -> bool:
    """Whether the pack has one of these objects (hexadecimal)."""
    found = Names(pack.path)
    try:
        return any(bytes.fromhex(name.decode()) in found for name in names)
    finally:
        found.close()
