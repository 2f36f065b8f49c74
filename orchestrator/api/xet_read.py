"""The read half of Xet (hub-docs, docs/xet/api.md): clients that have `hf_xet` fetch large files in pieces and at once. Files are
stored whole, so xorbs are made as they are asked for: a *virtual xorb* is so many bytes of one object, cut into raw chunks. Owns
their layout and nothing on disk."""

import hashlib
import math
import struct
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from orchestrator.api.identity import BaseDep, PartsDep
from orchestrator.api.ranges import span
from orchestrator.api.xet import CAS, TOKEN_SECONDS, Hash, may
from orchestrator.errors import NotFound

router = APIRouter(include_in_schema=False)
CHUNK = 64 * 1024  #: bytes of a chunk
CHUNKS = 512  #: chunks of a virtual xorb: 32 MiB
XORB = CHUNK * CHUNKS
HEADER = 8  #: bytes before each chunk


def xorb_name(oid: str, number: int) -> str:
    """A name that no other xorb has; clients keep what they fetched by it. Pure."""
    return hashlib.sha256(f"{oid} {number} {CHUNK}".encode()).hexdigest()


def packed_size(length: int) -> int:
    """Bytes of so many bytes as raw chunks. Pure."""
    return length + HEADER * math.ceil(length / CHUNK)


def terms_of(oid: str, size: int, start: int, end: int, url_of) -> dict:
    """What must be fetched for bytes `start` to `end` of an object, as JSON of the protocol. Pure but for `url_of(number)`."""
    terms, fetch = [], {}
    for number in range(start // XORB, math.ceil(end / XORB)):
        base = number * XORB
        length = min(XORB, size - base)
        first = max(0, start - base) // CHUNK
        last = math.ceil(min(end - base, length) / CHUNK)
        unpacked = min(last * CHUNK, length) - first * CHUNK
        name, chunks = xorb_name(oid, number), {"start": first, "end": last}
        terms.append({"hash": name, "unpacked_length": unpacked, "range": chunks})
        from_byte = first * (CHUNK + HEADER)
        to_byte = from_byte + packed_size(unpacked) - 1
        fetch[name] = [{"range": chunks, "url": url_of(number), "url_range": {"start": from_byte, "end": to_byte}}]
    return {"offset_into_first_range": start % CHUNK, "terms": terms, "fetch_info": fetch}


@router.get(CAS + "/v1/reconstructions/{oid}")
def reconstruction(
    request: Request,
    repo_id: str,
    epoch: str,
    oid: Hash,
    parts: PartsDep,
    base: BaseDep,
    authorization: Annotated[str, Header()] = "",
):
    """Of what an object is made; a range of it when one is asked for."""
    may(parts, repo_id, authorization, "xet-read", "xet-write")
    found = parts.large.owned(repo_id, [oid]).get(oid)
    if found is None:
        raise NotFound("XET_UNKNOWN", "There is no such file here.")
    start, end, status = span(request, found.size, {"ETag": oid})
    if status == 416:
        return Response(status_code=416)
    ticket = parts.links.sign("xet-get", TOKEN_SECONDS, repo=repo_id, oid=oid, size=found.size)
    return terms_of(oid, found.size, start, end, lambda number: f"{base}/api/xet/pieces/{oid}/{number}?sign={ticket}")


@router.get("/api/xet/pieces/{oid}/{number}")
def piece(
    request: Request,
    oid: Hash,
    number: Annotated[int, Path(ge=0, lt=2**40)],
    parts: PartsDep,
    sign: Annotated[str, Query(max_length=2000)] = "",
):
    """Bytes of a virtual xorb."""
    told = parts.links.read(sign, "xet-get")
    base = number * XORB
    if told["oid"] != oid or base >= told["size"]:
        raise NotFound("XET_UNKNOWN", "There is no such xorb here.")
    length = min(XORB, told["size"] - base)
    headers = {
        "ETag": f'"{xorb_name(oid, number)}"',
        "Accept-Ranges": "bytes",
        "Content-Type": "application/octet-stream",
        "Cache-Control": "private, no-cache",  # the address is the credential
    }
    start, end, status = span(request, packed_size(length), headers)
    headers["Content-Length"] = str(end - start)
    if start >= end:
        return Response(status_code=status, headers=headers)
    first, last = start // (CHUNK + HEADER), math.ceil(end / (CHUNK + HEADER))
    data = parts.large.read(told["repo"], oid, base + first * CHUNK, base + min(last * CHUNK, length))
    skip = start - first * (CHUNK + HEADER)
    return StreamingResponse(_cut(_chunked(data), skip, end - start), status, headers)


def _chunked(data: Iterator[bytes]) -> Iterator[bytes]:
    """Raw chunks of a stream, some of them at a time. Copies each byte once: gigabytes pass here."""
    rest = b""
    for piece in data:
        piece = rest + piece if rest else piece
        whole = len(piece) - len(piece) % CHUNK
        if whole:
            view = memoryview(piece)
            yield b"".join(part for at in range(0, whole, CHUNK) for part in (_header(CHUNK), view[at : at + CHUNK]))
        rest = piece[whole:]
    if rest:
        yield _header(len(rest)) + rest


def _header(length: int) -> bytes:
    size = struct.pack("<I", length)[:3]
    return b"\0" + size + b"\0" + size


def _cut(pieces: Iterator[bytes], skip: int, length: int) -> Iterator[bytes]:
    for piece in pieces:
        told = piece[skip : skip + length]
        skip = max(0, skip - len(piece))
        length -= len(told)
        if told:
            yield told
        if length <= 0:
            return
