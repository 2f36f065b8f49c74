"""The `Logs` port on files: `<directory>/<stream>.log`, in the launcher's own format (`runtime_images.launcher.LogFile`).

A line's index counts every line ever written to the stream, also those that the cap removed from the middle; it is told
in `LogLine.index`, and `last.index + 1` is where to go on. In place of the removed lines a reader gets one line that says
how many there were, with the index of the last of them. Followers look at their file ten times a second, one `stat` each,
and only while they follow: writers may be other processes, and no thread waits for anybody."""

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from orchestrator.errors import Invalid
from orchestrator.ports import LogLine
from runtime_images.launcher import LINE_LIMIT, LogFile, clean

_STREAM = re.compile(r"[a-z]{1,20}(?:/[A-Za-z0-9_][A-Za-z0-9._-]{0,127}){1,3}")
_LOOK_EVERY = 0.1  #: seconds
_BLOCK = 256 * 1024


class FileLogs:
    """`directory`: <data>/logs. `caps`: bytes kept by the first word of a stream's name; `cap` for all others."""

    def __init__(self, directory: Path, cap: int = 10 * 1024**2, caps: dict[str, int] | None = None) -> None:
        self._directory, self._cap, self._caps = Path(directory), cap, caps or {}

    def append(self, stream: str, *lines: str) -> None:
        """Lines may hold newlines; control characters but colours are removed. Raises OSError when the disk is full."""
        texts = [clean(part)[:LINE_LIMIT] for line in lines for part in (line.split("\n") if "\n" in line else (line,))]
        if texts:
            self._with_file(stream, lambda file: file.add(texts, time.time()))

    def end(self, stream: str) -> None:
        self._with_file(stream, LogFile.end)

    def read(self, stream: str, start: int = 0) -> tuple[list[LogLine], bool]:
        reader = _Reader(self._path(stream), start)
        lines: list[LogLine] = []
        while block := reader.take():
            lines += block
        return lines, reader.ended

    async def follow(self, stream: str, start: int = 0) -> AsyncIterator[LogLine]:
        reader = _Reader(self._path(stream), start)
        while True:
            for line in reader.take():
                yield line
            if reader.ended:
                return
            if not reader.more:
                await asyncio.sleep(_LOOK_EVERY)
            else:
                await asyncio.sleep(0)  # a long log must not hold up everybody else

    def tail(self, stream: str, count: int) -> list[LogLine]:
        return self.read(stream)[0][-count:] if count > 0 else []

    def remove(self, stream: str) -> None:
        self._path(stream).unlink(missing_ok=True)

    def _path(self, stream: str) -> Path:
        if not _STREAM.fullmatch(stream) or ".." in stream:
            raise Invalid(
                "LOG_STREAM", f"no log is called {ascii(stream[:100])}; write build/<key> or run/<instance id>"
            )
        return self._directory / f"{stream}.log"

    def _with_file(self, stream: str, use: Callable[[LogFile], None]) -> None:
        path = self._path(stream)
        path.parent.mkdir(parents=True, exist_ok=True)
        file = LogFile(str(path), self._caps.get(stream.partition("/")[0], self._cap))
        try:
            use(file)  # it locks the file: other threads and processes may write too
        finally:
            file.close()


class _Reader:
    """Reads a stream in order, block by block, from wherever its file is now."""

    def __init__(self, path: Path, start: int) -> None:
        self._path, self._start = path, max(0, start)
        self._inode, self._offset, self._rest = 0, 0, b""
        self._index = 0  #: of the next line in the file
        self._at = 0.0  #: when the last line happened
        self.ended = False  #: the last thing read was the end mark
        self.more = False  #: the last block was full

    def take(self) -> list[LogLine]:
        """The next lines, [] when nothing new is there (but see `more`)."""
        while True:
            block = self._block()
            if not block:
                return []
            if lines := self._parse(block):
                return lines

    def _block(self) -> bytes:
        self.more = False
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return b""
        if found.st_ino != self._inode or found.st_size < self._offset:
            # replaced by a shorter one (the cap): begin again, `_start` holds how far we are
            self._inode, self._offset, self._rest, self._index = found.st_ino, 0, b"", 0
        if found.st_size == self._offset:
            return b""
        try:
            with open(self._path, "rb") as file:
                if os.fstat(file.fileno()).st_ino != self._inode:
                    self.more = True
                    return b""
                file.seek(self._offset)
                block = file.read(_BLOCK)
        except FileNotFoundError:
            return b""
        self._offset += len(block)
        self.more = len(block) == _BLOCK
        return block

    def _parse(self, block: bytes) -> list[LogLine]:
        *rows, self._rest = (self._rest + block).split(b"\n")
        lines: list[LogLine] = []
        for row in rows:
            if row.startswith(b"#"):
                if row.startswith(b"# gap "):
                    self._index += int(row[6:])
                    if self._index > self._start:
                        missing = self._index - self._start
                        lines.append(
                            LogLine(self._at, f"[podium] {missing:,} lines were left out here", self._index - 1)
                        )
                        self._start = self._index
                self.ended = row == b"# end"
                continue
            self.ended = False
            if self._index >= self._start:
                stamp, _, text = row.partition(b" ")
                self._at = _seconds(stamp)
                lines.append(LogLine(self._at, text.decode("utf-8", "replace"), self._index))
                self._start = self._index + 1
            self._index += 1
        return lines


def _seconds(stamp: bytes) -> float:
    try:
        return float(stamp)
    except ValueError:
        return 0.0  # a line that a crash tore
