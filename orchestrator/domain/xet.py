"""The two formats in which Xet clients send files (hub-docs, docs/xet/xorb.md and shard.md): xorbs, which are runs of
compressed chunks, and shards, which say of which chunks each file is made. Pure: reads streams that it is given, and keeps a few
MB at a time."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import lz4.frame

from orchestrator.errors import Invalid

XORB_LIMIT = 64 * 1024**2 + 1024**2  #: bytes of one xorb as it is sent: 64 MiB of chunks and their headers
SHARD_LIMIT = 64 * 1024**2  #: bytes of one shard
CHUNK_LIMIT = 256 * 1024  #: bytes of one chunk; clients cut at 128 KiB
CHUNKS_LIMIT = 64 * 1024  #: chunks of one xorb
FILES_LIMIT = 100_000  #: files of one shard
PIECES_LIMIT = 256 * 1024  #: terms of one file; clients take eight chunks together at least
_HEADER = 8
_FOOTER = b"XETBLOB"
_TAG = b"HFRepoMetaData\0"
_VERIFIED, _HAS_SHA256 = 1 << 31, 1 << 30
_END = b"\xff" * 32
_RAW, _LZ4, _GROUPED_LZ4 = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Term:
    """Chunks `start` to `end` of a xorb, `size` bytes when unpacked."""

    xorb: str
    start: int
    end: int
    size: int


@dataclass(frozen=True, slots=True)
class File:
    """A file as a shard describes it; `sha256` is "" when the client did not say. `hash`: what the client calls it."""

    terms: tuple[Term, ...]
    sha256: str
    hash: str = ""

    @property
    def size(self) -> int:
        return sum(term.size for term in self.terms)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Where a chunk's data is in its xorb, and how it is packed."""

    at: int
    packed: int
    scheme: int
    size: int


def chunks_of(xorb: BinaryIO, length: int) -> list[Chunk]:
    """The chunks of a xorb of `length` bytes. Raises Invalid `XORB`."""
    found: list[Chunk] = []
    at = 0
    while at < length:
        xorb.seek(at)
        head = xorb.read(_HEADER)
        if head.startswith(_FOOTER) and found:
            return found
        if len(head) < _HEADER or head[0] != 0:
            raise Invalid("XORB", f"there is no chunk at byte {at} of this xorb; send it again")
        packed, scheme, size = int.from_bytes(head[1:4], "little"), head[4], int.from_bytes(head[5:8], "little")
        at += _HEADER
        if scheme > _GROUPED_LZ4 or not 0 < size <= CHUNK_LIMIT or at + packed > length:
            raise Invalid(
                "XORB", f"chunk {len(found)} of this xorb is cut off or packed in an unknown way; send it again"
            )
        found.append(Chunk(at, packed, scheme, size))
        if len(found) > CHUNKS_LIMIT:
            raise Invalid("XORB", f"a xorb has at most {CHUNKS_LIMIT} chunks")
        at += packed
    if not found:
        raise Invalid("XORB", "this xorb is empty")
    return found


def unpack(data: bytes, chunk: Chunk) -> bytes:
    """The bytes of a chunk. Raises Invalid `XORB`."""
    if chunk.scheme != _RAW:
        try:
            data = lz4.frame.LZ4FrameDecompressor().decompress(data, max_length=chunk.size + 1)
        except RuntimeError:
            data = b""
    if len(data) != chunk.size:
        raise Invalid("XORB", "a chunk of this xorb cannot be unpacked; send it again")
    return _together(data) if chunk.scheme == _GROUPED_LZ4 else data


def _together(data: bytes) -> bytes:
    """Undo the grouping of every fourth byte that makes numbers pack better."""
    whole = bytearray(len(data))
    at = 0
    for lane in range(4):
        count = (len(data) + 3 - lane) // 4
        whole[lane::4] = data[at : at + count]
        at += count
    return bytes(whole)


def files_of(shard: BinaryIO) -> Iterator[File]:
    """The files that a shard describes, in its order; what stands behind them is not read. Raises Invalid `SHARD`."""
    head = shard.read(48)
    if len(head) < 48 or not head.startswith(_TAG):
        raise Invalid("SHARD", "this is not a shard; use a newer Xet client")
    if (version := struct.unpack_from("<Q", head, 32)[0]) != 2:
        raise Invalid("SHARD", f"shards of version {version} are not known here, only those of version 2")
    for _ in range(FILES_LIMIT):
        record = _record(shard)
        if record.startswith(_END):
            return
        called, (flags, count) = name_of(record[:32]), struct.unpack_from("<II", record, 32)
        if count > PIECES_LIMIT:
            raise Invalid("SHARD", f"this shard describes a file of {count} pieces, at most {PIECES_LIMIT}")
        names: dict[bytes, str] = {}  # each is held once, however often it is named
        terms = tuple(_term(_record(shard), names) for _ in range(count))
        if flags & _VERIFIED:
            for _ in range(count):
                _record(shard)
        yield File(terms, name_of(_record(shard)[:32]) if flags & _HAS_SHA256 else "", called)
    raise Invalid("SHARD", f"a shard describes at most {FILES_LIMIT} files")


def _record(shard: BinaryIO) -> bytes:
    record = shard.read(48)
    if len(record) < 48:
        raise Invalid("SHARD", "this shard is cut off; send it again")
    return record


def _term(record: bytes, names: dict[bytes, str]) -> Term:
    _, size, start, end = struct.unpack_from("<IIII", record, 32)
    if start >= end:
        raise Invalid("SHARD", "this shard names chunks that end before they begin")
    digest = record[:32]
    return Term(names.get(digest) or names.setdefault(digest, name_of(digest)), start, end, size)


def name_of(digest: bytes) -> str:
    """A hash as Xet prints it: four little-endian numbers of 64 bits. SHA-256 is stored in that order, too."""
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", digest))


def wanted(chunks: list[Chunk], term: Term) -> list[Chunk]:
    """Those of the chunks of a xorb that a term names. Raises Invalid `SHARD` when they are not there or have another size."""
    found = chunks[term.start : term.end]
    if len(found) != term.end - term.start or sum(chunk.size for chunk in found) != term.size:
        raise Invalid("SHARD", f"this shard names chunks that the xorb {term.xorb[:16]} does not have")
    return found


def unpacked(xorb: BinaryIO, chunks: list[Chunk], term: Term, gathered: int, write: Callable[[bytes], object]) -> None:
    """Give the bytes of a term to `write`, about `gathered` at a time. Raises Invalid `SHARD`, `XORB`."""
    pieces: list[bytes] = []
    held = 0
    for chunk in wanted(chunks, term):
        xorb.seek(chunk.at)
        pieces.append(unpack(xorb.read(chunk.packed), chunk))
        held += chunk.size
        if held >= gathered:
            write(b"".join(pieces))
            pieces, held = [], 0
    if pieces:
        write(b"".join(pieces))
