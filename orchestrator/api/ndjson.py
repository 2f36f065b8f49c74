"""The lines of a commit's body (hub-api reference 2.18). A line may hold a whole file, so a long one is never parsed as it is:
its "content" is found and decoded piece by piece, and what is around that is small. Memory holds one file, whatever was sent."""

import json
import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Iterator
from io import BytesIO
from typing import IO

from orchestrator.domain.push import amount
from orchestrator.errors import Invalid, TooLarge

LONG = 1024**2  #: bytes of a line from which on it is taken apart
TEXT = 16 * 1024**2  #: bytes of a file as a text in JSON; in base64 it may be as large as any
_AROUND = 64 * 1024  #: bytes of a long line before its content, and after it
_PIECE = 4 * 1024**2  #: bytes of base64 that are decoded at a time; a multiple of four
_GROUPS = (
    ("file", "files"), ("lfsFile", "lfsFiles"), ("deletedFile", "deletedFiles"), ("deletedFolder", "deletedFolders"),
    ("deletedEntry", "deletedEntries"),
)  # fmt: skip
_CONTENT = re.compile(rb'[{,]\s*"content"\s*:\s*"')  # quotes within a text are escaped, so this is in none
_QUOTE = re.compile(rb'(?<!\\)(?:\\\\)*"')


def lines(body: IO[bytes], limit: int) -> Iterator[tuple[str, dict]]:
    """(key, value) of each line; a "content" that is bytes has been decoded. `limit`: bytes of one file. Raises Invalid
    `COMMIT_BODY` with the number of the line, `COMMIT_CONTENT`, TooLarge `FILE_TOO_LARGE`."""
    number = 0
    while line := body.readline(LONG):
        number += 1
        is_long = len(line) == LONG and not line.endswith(b"\n")
        if not is_long and not line.strip():
            continue
        told = _Long(body, number, limit).told(line) if is_long else _object(line)
        if not isinstance(told.get("key"), str) or not isinstance(told.get("value"), dict):
            raise _no_object(number)
        yield told["key"], told["value"]


def whole(body: IO[bytes], limit: int) -> Iterator[tuple[str, dict]]:
    """The same of the one JSON object, of at most 1 MB, that some clients send in place of lines; of lines, where these were
    sent."""
    text = body.read(LONG)
    told = _object(text) if len(text) < LONG else {}
    if not told or "key" in told:
        body.seek(0)
        return lines(body, limit)
    found: list[tuple[str, object]] = [("header", told)]
    for key, name in _GROUPS:
        group = told.get(name) or []
        if not isinstance(group, list):
            raise Invalid("COMMIT_BODY", f'"{name}" must be a list of objects')
        found += [(key, value) for value in group]
    for key, value in found:
        if not isinstance(value, dict):
            raise Invalid("COMMIT_BODY", f"each {key} must be an object")
    return iter(found)  # type: ignore[arg-type]


def _object(line: bytes) -> dict:
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        told = None
    return told if isinstance(told, dict) else {}


def _no_object(number: int) -> Invalid:
    return Invalid("COMMIT_BODY", f'line {number} is not a JSON object {{"key": …, "value": {{…}}}}')


class _Long:
    """One long line of a body that can be read again."""

    def __init__(self, body: IO[bytes], number: int, limit: int) -> None:
        self._body, self._number, self._limit = body, number, limit

    def told(self, begin: bytes) -> dict:
        """What the line says; the body is behind it then."""
        found = _CONTENT.search(begin[:_AROUND])
        if not found:
            raise self._too_long()
        start = self._body.tell() - len(begin) + found.end()
        end = self._end(start)
        self._body.seek(end + 1)
        rest = self._body.readline(_AROUND)
        if len(rest) == _AROUND:
            raise self._too_long()
        told = _object(begin[: found.end()] + b'"' + rest)
        value, behind = told.get("value"), self._body.tell()
        if isinstance(value, dict) and value.get("content") == "":
            is_base64 = value.get("encoding") == "base64"
            value["content"] = self._decoded(start, end, value) if is_base64 else self._text(start, end)
            self._body.seek(behind)
        return told

    def _end(self, start: int) -> int:
        """Where the quote is that ends the text which begins at `start`."""
        self._body.seek(start)
        at = start
        while piece := self._body.read(_PIECE):
            quote, slash = piece.find(b'"'), piece.find(b"\\")
            if slash >= 0 and (quote < 0 or slash < quote):
                return self._escaped_end(start)
            if quote >= 0:
                return at + quote
            at += len(piece)
        raise _no_object(self._number)

    def _escaped_end(self, start: int) -> int:
        self._body.seek(start)
        text = self._body.read(TEXT + 1)
        if found := _QUOTE.search(text):
            return start + found.end() - 1
        raise _no_object(self._number) if len(text) <= TEXT else self._long_text()

    def _text(self, start: int, end: int) -> str:
        if end - start > TEXT:
            raise self._long_text()
        self._body.seek(start)
        content = _object(b'{"content":"' + self._body.read(end - start) + b'"}').get("content")
        if content is None:
            raise _no_object(self._number)
        return content

    def _decoded(self, start: int, end: int, value: dict) -> bytes:
        path = ascii(str(value.get("path"))[:200])
        if (size := (end - start) // 4 * 3 - 2) > self._limit:
            message = f"{path} has {amount(size)}; one file may have {amount(self._limit)}"
            raise TooLarge("FILE_TOO_LARGE", message)
        decoded = BytesIO()
        self._body.seek(start)
        for at in range(start, end, _PIECE):
            piece = self._body.read(min(_PIECE, end - at))
            try:
                if b"=" in piece and at + _PIECE < end:
                    raise Base64Error
                decoded.write(a2b_base64(piece, strict_mode=True))
            except Base64Error:
                message = f'{path}: "content" must be a text in the "encoding" base64 or utf-8'
                raise Invalid("COMMIT_CONTENT", message) from None
        return decoded.getvalue()

    def _long_text(self) -> TooLarge:
        message = f"line {self._number}: a file of more than {amount(TEXT)} as a text; send it in base64"
        return TooLarge("FILE_TOO_LARGE", message)

    def _too_long(self) -> TooLarge:
        message = (
            f"line {self._number} of the commit is too long: one file may have {amount(self._limit)}, and what is said of it "
            f"{amount(_AROUND)}"
        )
        return TooLarge("FILE_TOO_LARGE", message)
