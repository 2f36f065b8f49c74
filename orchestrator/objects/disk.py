"""Large objects in a directory (ports.Objects), each a file that is written once and read only."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from orchestrator.errors import Unavailable
from orchestrator.objects.incoming import Incoming, Landing

PLACE = re.compile(r"[0-9a-f]{64}\.[0-9a-f]{8}")
CHUNK = 512 * 1024  #: bytes of one piece of an answer; each costs a hop to a thread


class DiskObjects:
    """`root` holds the objects in folders by their first digits, and `incoming/`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._landing = Landing(root / "incoming", self._keep)
        self.tidy = self._landing.tidy

    def receive(self, name: str = "") -> Incoming:
        return self._landing.receive(name)

    def size(self, place: str) -> int | None:
        try:
            return self._at(place).stat().st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unavailable(error) from None

    def read(self, place: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        return pieces(self._at(place), start, end)

    def path(self, place: str) -> str:
        path = self._at(place)
        if not path.is_file():
            raise Unavailable(f"the large object {place} is not there")
        return str(path)

    def remove(self, place: str) -> None:
        with suppress(OSError):
            self._at(place).unlink(missing_ok=True)

    def _at(self, place: str) -> Path:
        return self._root / place_in(place)

    def _keep(self, path: Path, place: str) -> None:
        target = self._at(place)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.chmod(path, 0o400)
        os.rename(path, target)
        for folder in (target.parent, target.parent.parent, self._root):
            _fsync(folder)


def place_in(place: str) -> str:
    """The path of an object below its root. Raises ValueError for what is no place: it comes from our own tables."""
    if not PLACE.fullmatch(place):
        raise ValueError(f"not a place of an object: {place!r}")
    return f"{place[:2]}/{place[2:4]}/{place}"


def pieces(path: Path, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """Bytes of a file. Opens it at once, so that what is missing is known before the first piece. Raises Unavailable."""
    try:
        file = open(path, "rb", buffering=0)  # noqa: SIM115  (closed by the generator)
        file.seek(start)
    except OSError as error:
        raise _unavailable(error) from None
    return _pieces(file, None if end is None else end - start)


def _pieces(file, left: int | None) -> Iterator[bytes]:
    with file:
        while left is None or left > 0:
            chunk = file.read(CHUNK if left is None else min(CHUNK, left))
            if not chunk:
                if left:
                    raise Unavailable("a large object is shorter than it was")
                return
            if left is not None:
                left -= len(chunk)
            yield chunk


def _fsync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unavailable(error: OSError) -> Unavailable:
    return Unavailable(f"the storage of large files failed: {error.strerror or error}")
