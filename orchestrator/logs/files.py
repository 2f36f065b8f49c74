"""The `Logs` port on files: `<directory>/<stream>.log`, in the launcher's own format (`runtime_images.launcher.log.LogFile`).

A line's index counts every line ever written to the stream, also those that the cap removed from the middle; it is told
in `LogLine.index`, and `last.index + 1` is where to go on. In place of the removed lines a reader gets one line that says
how many there were, with the index of the last of them. Followers look at their file ten times a second, one `stat` each,
and only while they follow: writers may be other processes, and no thread waits for anybody.

Builders on other machines write to the same directory on a shared volume, where the repos and environments are too; a bell tells
followers at once, so that they need not wait until the network file system notices. The text itself goes through nothing else: a
log is an append-only file with a cap, and neither Redis, which may be emptied at any time, nor the database has to carry it."""

import asyncio
import io
import os
import re
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

from orchestrator.errors import Invalid
from orchestrator.ports import Bell, LogLine
from runtime_images.launcher.log import LINE_LIMIT, LogFile, clean

_STREAM = re.compile(r"[a-z]{1,20}(?:/[A-Za-z0-9_][A-Za-z0-9._-]{0,127}){1,3}")
_LOOK_EVERY = 0.1  #: seconds
_BLOCK = 256 * 1024


class FileLogs:
    """`directory`: <data>/logs. `caps`: bytes kept by the first word of a stream's name; `cap` for all others. `bell`: tells
    followers on other machines of news at once; without it they find them by themselves."""

    def __init__(
        self, directory: Path, cap: int = 10 * 1024**2, caps: dict[str, int] | None = None, bell: Bell | None = None
    ) -> None:
        self._directory, self._cap, self._caps, self._bell = Path(directory), cap, caps or {}, bell

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
        try:
            while block := reader.take():
                lines += block
        finally:
            reader.close()
        return lines, reader.ended

    async def follow(self, stream: str, start: int = 0) -> AsyncIterator[LogLine]:
        reader = _Reader(self._path(stream), start)
        try:
            with self._hearing(stream) as rung:
                while True:
                    for line in reader.take():
                        yield line
                    if reader.ended:
                        return
                    if reader.more:
                        await asyncio.sleep(0)  # a long log must not hold up everybody else: a pause after each block
                        continue
                    if await rung(_LOOK_EVERY):
                        reader.freshen()
        finally:
            reader.close()

    def tail(self, stream: str, count: int) -> list[LogLine]:
        if count <= 0:
            return []
        return self.read(stream, _length(self._path(stream)) - count)[0][-count:]

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
        if self._bell:
            self._bell.ring(_topic(stream))

    def _hearing(self, stream: str) -> AbstractContextManager[Callable[[float], Awaitable[bool]]]:
        """As `Bell.hearing`, of news of this stream or of another one with the same topic; never, without a bell."""
        return self._bell.hearing(_topic(stream)) if self._bell else nullcontext(_nothing_heard)


class _Reader:
    """Reads a stream in order, block by block, from wherever its file is now."""

    def __init__(self, path: Path, start: int) -> None:
        self._path, self._start = path, max(0, start)
        self._file: io.FileIO | None = None
        self._inode, self._rest = 0, b""
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

    def freshen(self) -> None:
        """Opening a file makes a network file system ask what is new in it."""
        with suppress(OSError):
            os.close(os.open(self._path, os.O_RDONLY))

    def close(self) -> None:
        if self._file:
            self._file.close()

    def _block(self) -> bytes:
        self.more = False
        try:
            if os.stat(self._path).st_ino != self._inode or not self._file:
                # Replaced by a shorter one (the cap): begin again; `_start` holds how far we are. The old one is held open
                # until now, or the new one might have been given its number.
                file = open(self._path, "rb", buffering=0)  # noqa: SIM115
                self.close()
                self._file, self._inode = file, os.fstat(file.fileno()).st_ino
                self._rest, self._index = b"", 0
        except FileNotFoundError:
            return b""
        block = self._file.read(_BLOCK) or b""
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


async def _nothing_heard(timeout: float) -> bool:
    await asyncio.sleep(timeout)
    return False


def _topic(stream: str) -> str:
    """A few topics for all streams: bells remember topics."""
    return f"log/{zlib.crc32(stream.encode()) % 64}"


def _seconds(stamp: bytes) -> float:
    try:
        return float(stamp)
    except ValueError:
        return 0.0  # a line that a crash tore


def _length(path: Path) -> int:
    """How many lines the stream has had."""
    try:
        data = b"\n" + path.read_bytes()
    except FileNotFoundError:
        return 0
    length = data.count(b"\n") - 1
    at = data.find(b"\n#")
    while at >= 0:
        note = data[at + 1 : data.find(b"\n", at + 1)]
        length += int(note[6:]) - 1 if note.startswith(b"# gap ") else -1
        at = data.find(b"\n#", at + 1)
    return length
