"""Which bytes of a file a request wants: one range at most, and what the client has already (RFC 9110, sections 13 and 14)."""

import re
from collections.abc import Iterable, Iterator
from http import HTTPStatus

from fastapi import Request

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


def etags(value: str) -> list[str]:
    """The tags of an If-None-Match header."""
    return [tag.strip().removeprefix("W/") for tag in value.split(",")]


def span(request: Request, size: int, headers: dict[str, str]) -> tuple[int, int, int]:
    """(start, end, status) of what to send of `size` bytes; adds Content-Range to `headers`. What is not one range of bytes is
    ignored."""
    asked = _RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    unless = request.headers.get("if-range")
    if not asked or asked[0] == "bytes=-" or (unless and unless != headers["ETag"]):
        return 0, size, HTTPStatus.OK
    if asked[1]:
        start, end = int(asked[1]), min(int(asked[2]) + 1 if asked[2] else size, size)
        if asked[2] and int(asked[2]) < int(asked[1]):
            return 0, size, HTTPStatus.OK
    else:
        start, end = max(0, size - int(asked[2])), size
    if start >= size:
        headers["Content-Range"] = f"bytes */{size}"
        return 0, 0, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return start, end, HTTPStatus.PARTIAL_CONTENT


def bytes_between(chunks: Iterable[bytes], start: int, end: int) -> Iterator[bytes]:
    """Bytes `start` to `end` of a stream."""
    at = 0
    for chunk in chunks:
        if at >= end:
            break
        piece = chunk[max(0, start - at) : end - at]
        at += len(chunk)
        if piece:
            yield piece
