"""The seam of large objects, beside `ports.py`: where their bytes come in, lie and are read. objects/disk.py, objects/s3.py."""

from collections.abc import Iterator
from typing import Protocol


class Incoming(Protocol):
    """Bytes on their way in, on this machine, gone unless they are kept. One thread at a time, but for `write_at`."""

    def write(self, data: bytes) -> None: ...

    def write_at(self, offset: int, data: bytes) -> None:
        """For parts that come in any order; `sha256` then reads everything once more."""

    @property
    def size(self) -> int: ...

    def sha256(self) -> str:
        """Of everything so far, 64 hexadecimal digits."""

    def keep(self, place: str) -> None:
        """Store the bytes under a new name; durable on return. Raises Unavailable."""

    def close(self) -> None:
        """Let go; what was neither kept nor named is removed."""

    def drop(self) -> None:
        """Remove what was not kept."""


class Objects(Protocol):
    """Large objects by a name that is never used twice (`place`). Knows no repo and no owner."""

    def receive(self, name: str = "") -> Incoming:
        """`name`: bytes that come in several requests, found again under it for some hours. Raises Unavailable."""

    def size(self, place: str) -> int | None:
        """Bytes, None when it is not there. Raises Unavailable."""

    def read(self, place: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Bytes `start` to `end` in chunks. Raises Unavailable, also when it is not there."""

    def path(self, place: str) -> str:
        """A file of this machine with all of it, for builders; read only. Raises Unavailable."""

    def remove(self, place: str) -> None: ...

    def tidy(self) -> None:
        """Clear away what uploads that ended long ago left, and copies that nobody has read for long."""
