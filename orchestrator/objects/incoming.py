"""Bytes on their way in (ports.Incoming): a file on this machine that is hashed while it grows. Owns the directory of such files
and how long they are waited for. Where they go in the end is the storage's affair."""

import fcntl
import hashlib
import os
import re
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from orchestrator.errors import Unavailable

_NAME = re.compile(r"[0-9a-z-]{1,120}")
_CHUNK = 4 * 1024**2
ABANDONED = (
    420.0  #: seconds without a byte after which an upload belongs to nobody: no client goes on with one after that
)


class Incoming:
    """`keep_as(path, place)` stores the file under a name of the storage's and may take it away."""

    def __init__(self, path: Path, named: bool, keep_as: Callable[[Path, str], None]) -> None:
        self.path = path
        self._named, self._keep_as = named, keep_as
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._handle, fcntl.LOCK_SH)  # tells `Landing.tidy` that somebody is at it
        except OSError as error:
            raise _unavailable(error) from None
        self._hash = None if named else hashlib.sha256()
        self._written = 0
        self._done = False

    @property
    def size(self) -> int:
        return os.fstat(self._handle).st_size

    def write(self, data: bytes) -> None:
        self.write_at(self._written, data)
        if self._hash:
            self._hash.update(data)
        self._written += len(data)

    def write_at(self, offset: int, data: bytes) -> None:
        try:
            view = memoryview(data)
            while view:
                done = os.pwrite(self._handle, view, offset)
                view, offset = view[done:], offset + done
        except OSError as error:
            raise _unavailable(error) from None

    def sha256(self) -> str:
        if self._hash:
            return self._hash.hexdigest()
        whole = hashlib.sha256()
        at = 0
        while chunk := os.pread(self._handle, _CHUNK, at):
            whole.update(chunk)
            at += len(chunk)
        return whole.hexdigest()

    def keep(self, place: str) -> None:
        try:
            os.fsync(self._handle)
            self._keep_as(self.path, place)
        except OSError as error:
            raise _unavailable(error) from None
        self.drop()

    def close(self) -> None:
        if not self._named:
            self.drop()
        elif not self._done:
            os.close(self._handle)
            self._done = True

    def drop(self) -> None:
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
        if not self._done:
            os.close(self._handle)
            self._done = True


class Landing:
    """The directory of what comes in."""

    def __init__(self, folder: Path, keep_as: Callable[[Path, str], None]) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder, self._keep_as = folder, keep_as

    def receive(self, name: str = "") -> Incoming:
        """See `ports.Objects.receive`."""
        if name and not _NAME.fullmatch(name):
            raise ValueError(f"not a name of parts: {name!r}")
        file = f"parts-{name}" if name else f"one-{secrets.token_hex(12)}"
        return Incoming(self._folder / file, bool(name), self._keep_as)

    def tidy(self) -> None:
        """Remove what nobody writes to any more."""
        before = time.time() - ABANDONED
        for path in self._folder.iterdir():
            with suppress(OSError):
                if path.stat().st_mtime < before and not _is_held(path):
                    path.unlink()


def _is_held(path: Path) -> bool:
    handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _unavailable(error: OSError) -> Unavailable:
    return Unavailable(f"the storage of large files failed: {error.strerror or error}")
