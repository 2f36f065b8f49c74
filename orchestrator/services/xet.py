"""Uploads by Xet: xorbs gather until a shard says what files they are; each file is rebuilt, checked by its SHA-256 and stored
like any large file. Owns how long xorbs are kept.

A client remembers what it has sent to an address and sends it no second time (its shard cache). So xorbs are kept by repo and
*epoch*, both part of the address: what was sent to an epoch is there as long as the epoch, and when it goes the address goes with
it, and clients begin anew. No repo can name the chunks of another."""

import hashlib
import logging
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

from orchestrator.domain.push import amount
from orchestrator.domain.xet import File, chunks_of, files_of, unpacked
from orchestrator.errors import Invalid, NotFound, TooLarge, Unavailable
from orchestrator.services.large_files import LargeFiles, check_hash
from orchestrator.services.xorbs import Layouts

log = logging.getLogger(__name__)
IDLE = 420.0  #: seconds without a byte after which an epoch ends that holds a xorb of which no file was made
KEPT = 24 * 3600.0  #: the same for one without: whoever uploads a similar file sends only what changed
_NAME = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"[0-9a-f]{8,64}")
_EPOCH = re.compile(r"[0-9a-f]{16}")
READING = "0" * 16  #: the epoch of those who only read; nothing is ever sent to it
_CLOSED = "closed"  #: a mark in the folder of an epoch to whose address nobody is sent any more
_NAMED = 0o400  #: mode of a xorb of which a file was made
_COMING = "coming-"  #: begins the name of a xorb that is on its way
_GATHERED = 1024**2
_USED = 5.0  #: seconds between signs that an epoch is used


class Xet:
    """`root`: directory of this installation's own, shared by its control planes."""

    def __init__(self, root: Path, large: LargeFiles, clock: Callable[[], float] = time.time) -> None:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._root, self._large, self._clock = root, large, clock
        self._lock = threading.Lock()

    def epoch(self, repo_id: str, guest: bool = False) -> str:
        """The epoch that uploads to this repo begin in now. Guests, who may only propose changes, have one of their own: whoever
        sends first under a name is not asked again, and must not stand in the way of those who may write."""
        folder, begin = self._repo(repo_id), _begin(guest)
        with self._lock:
            mine = [path for path in _children(folder) if path.name.startswith(begin)]
            newest = max((path for path in mine if not (path / _CLOSED).exists()), key=_time, default=None)
            if newest is None:
                newest = folder / (begin + secrets.token_hex(8)[1:])
                newest.mkdir(parents=True, mode=0o700)
            with suppress(FileNotFoundError):
                os.utime(newest)
                return newest.name
        return self.epoch(repo_id, guest)

    def has(self, repo_id: str, epoch: str, name: str) -> bool:
        return self._xorb(self._epoch(repo_id, epoch), name).exists()

    @contextmanager
    def arriving(self, repo_id: str, epoch: str, name: str, guest: bool = False) -> Iterator["Arriving"]:
        """A xorb is on its way. Raises NotFound `XET_EPOCH`, Invalid `XORB`, TooLarge as `LargeFiles.check_room`."""
        folder = self._epoch(repo_id, epoch, guest)
        target = self._xorb(folder, name)
        self._check_room(repo_id, folder, guest)
        coming = target.with_name(f"{_COMING}{secrets.token_hex(8)}")
        try:
            with open(coming, "wb+") as file:
                yield Arriving(file, coming, target)
        except FileNotFoundError:  # the epoch ended meanwhile, or the repo is gone
            raise _ended() from None
        except OSError as error:
            raise Unavailable(f"the storage of xorbs failed: {error.strerror or error}") from None
        finally:
            coming.unlink(missing_ok=True)

    def _check_room(self, repo_id: str, folder: Path, guest: bool) -> None:
        """What gathers here without a shard is of nobody's repo yet, and must not fill the disk for all of them."""
        room, held = self._large.limits.room(guest) - self._large.usage(repo_id), 0
        with suppress(FileNotFoundError), os.scandir(folder) as entries:
            held = sum(entry.stat().st_size for entry in entries)
        if held > room:
            raise TooLarge(
                "REPO_TOO_LARGE",
                f"what was sent and not committed has {amount(held)}, there is room for {amount(max(0, room))}",
            )

    def take_shard(self, repo_id: str, epoch: str, shard: BinaryIO, guest: bool = False) -> None:
        """Rebuild the files of a shard and have the repo own them. Raises NotFound `XET_EPOCH`, Invalid `SHARD`, `XORB`,
        `LFS_HASH`, TooLarge."""
        folder = self._epoch(repo_id, epoch, guest)
        layouts = Layouts(folder)
        named: set[str] = set()
        try:
            for file in files_of(shard):  # all of it is understood before the first file is made
                named.update(term.xorb for term in file.terms)
                if not self._has(repo_id, file):
                    layouts.check(file)
            shard.seek(0)
            for file in files_of(shard):
                if not self._has(repo_id, file):
                    self._rebuild(repo_id, folder, file, guest, layouts)
        except Invalid:
            # What is here may be what is wrong, and the client would not send it again: it gets a new address next time.
            with suppress(FileNotFoundError):
                (folder / _CLOSED).touch()
            raise
        for name in named:
            with suppress(FileNotFoundError):  # of a file that the repo had already
                self._xorb(folder, name).chmod(_NAMED)

    def _has(self, repo_id: str, file: File) -> bool:
        have = self._large.owned(repo_id, [file.sha256]).get(file.sha256) if file.sha256 else None
        return have is not None and have.size == file.size

    def _rebuild(self, repo_id: str, folder: Path, file: File, guest: bool, layouts: Layouts) -> None:
        self._large.check_room(repo_id, file.size, guest)
        if file.sha256 and layouts.swells(file):
            found = hashlib.sha256()
            self._unpack(folder, file, layouts, found.update)
            check_hash(file.sha256, file.size, found.hexdigest(), file.size)
        incoming = self._large.receive()
        try:
            self._unpack(folder, file, layouts, incoming.write)
            oid = file.sha256 or incoming.sha256()
            self._large.take(repo_id, incoming, oid, file.size)
            if not file.sha256:
                self._large.call(repo_id, file.hash, oid)  # what the client will name it by
        finally:
            incoming.close()

    @staticmethod
    def _unpack(folder: Path, file: File, layouts: Layouts, write: Callable[[bytes], object]) -> None:
        used = 0.0
        for name, terms in groupby(file.terms, lambda term: term.xorb):
            with layouts.open(name) as packed:
                chunks = layouts.of(name)
                for term in terms:
                    unpacked(packed, chunks, term, _GATHERED, write)
                    if (now := time.monotonic()) - used > _USED:
                        os.utime(folder)
                        used = now

    def collect(self) -> None:
        """End the epochs that nobody uses."""
        now = self._clock()
        for repo in _children(self._root):
            for epoch in _children(repo):
                if _last_byte(epoch) < now - (KEPT if _is_whole(epoch) else IDLE):
                    gone = repo.with_name(f"gone-{secrets.token_hex(8)}")
                    with suppress(OSError):
                        epoch.rename(gone)
                        shutil.rmtree(gone, ignore_errors=True)
            with suppress(OSError):
                repo.rmdir()
        for gone in self._root.glob("gone-*"):
            shutil.rmtree(gone, ignore_errors=True)

    def forget(self, repo_id: str) -> None:
        """The repo is gone."""
        shutil.rmtree(self._repo(repo_id), ignore_errors=True)

    def repos(self) -> list[str]:
        """Repos that something was sent to."""
        return [path.name for path in _children(self._root)]

    def _repo(self, repo_id: str) -> Path:
        if not _ID.fullmatch(repo_id):
            raise ValueError(f"not a repo id: {repo_id!r}")
        return self._root / repo_id

    def _epoch(self, repo_id: str, epoch: str, guest: bool = False) -> Path:
        folder = self._repo(repo_id) / epoch
        try:
            if not _EPOCH.fullmatch(epoch) or (guest and not epoch.startswith(_begin(guest))):
                raise FileNotFoundError
            os.utime(folder)
        except FileNotFoundError:
            raise _ended() from None
        return folder

    @staticmethod
    def _xorb(folder: Path, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise Invalid("XORB", "a xorb is named by 64 hexadecimal digits")
        return folder / name


class Arriving:
    """A xorb while it comes."""

    def __init__(self, file: BinaryIO, coming: Path, target: Path) -> None:
        self._file, self._coming, self._target = file, coming, target
        self.write = file.write

    def done(self) -> bool:
        """All of it is here: look it through and keep it; whether it is new. Raises Invalid `XORB`."""
        length = self._file.tell()
        self._file.flush()
        chunks_of(self._file, length)
        if self._target.exists():
            return False
        self._coming.rename(self._target)
        return True


def _ended() -> NotFound:
    return NotFound("XET_EPOCH", "this upload took too long a pause; start it again")


def _begin(guest: bool) -> str:
    """The first letter of an epoch."""
    return "f" if guest else "0"


def _children(path: Path) -> list[Path]:
    try:
        return [child for child in path.iterdir() if child.is_dir() and not child.name.startswith("gone-")]
    except OSError:
        return []


def _is_whole(epoch: Path) -> bool:
    """Whether a file was made of every xorb here: then there is one, and clients know what they sent."""
    try:
        modes = {path.stat().st_mode & 0o777 for path in epoch.iterdir()}
    except OSError:
        return True
    return modes == {_NAMED}


def _last_byte(epoch: Path) -> float:
    """When somebody asked here last, or a xorb that is on its way had its last byte."""
    return max(map(_time, (epoch, *epoch.glob(f"{_COMING}*"))))


def _time(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return time.time()
