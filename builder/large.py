"""Large files of a revision: where git holds only a pointer, the bytes lie in a file that the request names by its SHA-256
(git-lfs, docs/spec.md). Owns reading pointers, and that what is copied is what the pointer says."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import BinaryIO

from builder.errors import TransientError
from builder.objects import Entry, Objects

POINTER = b"version https://git-lfs"  #: how a pointer begins
POINTER_LIMIT = 1024  #: bytes, the format allows no more
_LINES = re.compile(rb"oid sha256:([0-9a-f]{64})\nsize (\d{1,16})\n?\Z", re.MULTILINE)
_CHUNK = 1 << 20


def may_point(entry: Entry) -> bool:
    return 100 <= entry.size < POINTER_LIMIT and entry.mode.startswith("100")


def real(entry: Entry, objects: Objects, given: Mapping[str, str]) -> Entry:
    """The entry with the size and the place of the file that it stands for; unchanged when it stands for none that was given."""
    if not given or not may_point(entry):
        return entry
    content = objects.read(entry, POINTER_LIMIT)
    match = _LINES.search(content) if content.startswith(POINTER) else None
    if not match or (place := given.get(match[1].decode())) is None:
        return entry
    return replace(entry, size=int(match[2]), sha256=match[1].decode(), place=place)


def copy(entry: Entry, objects: Objects, target: BinaryIO) -> int:
    """Write a file of the app into `target`, return its size. Raises TransientError when it is missing or damaged."""
    if not entry.place:
        return objects.copy(entry.oid, target)
    digest, size = hashlib.sha256(), 0
    with _opened(entry) as source:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            target.write(chunk)
            size += len(chunk)
    if digest.hexdigest() != entry.sha256 or size != entry.size:
        raise TransientError(f"the large file {entry.sha256} is damaged in the storage")
    return size


def head(entry: Entry, objects: Objects, limit: int) -> bytes:
    """The first `limit` bytes of a file."""
    if not entry.place:
        return objects.read(entry, limit)
    with _opened(entry) as source:
        return source.read(limit)


def _opened(entry: Entry) -> BinaryIO:
    try:
        return open(entry.place, "rb")
    except OSError as error:
        raise TransientError(f"the large file {entry.sha256} cannot be read: {error.strerror}") from None
