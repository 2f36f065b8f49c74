"""What an app writes, as a log: lines that are clean, cut and limited in rate, in a file that has a cap. Knows no process."""

import fcntl
import os
import re
import time
from collections import deque

from . import KB, MB

TYPE_CHECKING = False  # typing's own costs 10 ms at each start
if TYPE_CHECKING:
    from collections.abc import Callable

LINE_LIMIT = 16 * KB  #: characters of a line that are kept
HEAD_LINES = 200  #: first lines of a log, which survive its cap
TAIL_LINES = 50  #: last lines told in the status when the app exits
LAST_WORDS = 32 * KB  #: bytes of a flood that are kept in case they are the last
LOG_RATE = 1 * MB  #: bytes of output per second kept in the long run
PARTIAL_AFTER = 2.0  #: seconds until a line without its newline is shown

_ODD = re.compile(
    r"(?P<keep>\x1b\[[0-9;:]{0,40}m|\t)"
    r"|\x1b\[[0-?]*[ -/]*[@-~]?"  # other CSI: cursor, erase, modes
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC, DCS and the like: titles, links, clipboard
    r"|\x1b[ -/]*[0-~]?"
    r"|(?P<shown>[\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069])"  # would reorder or break the line
    r"|[\x00-\x1f\x7f-\x9f\ud800-\udfff]"
)


def clean(text: str) -> str:
    """`text` as one harmless line: colours (SGR) and tabs stay, other control characters and escape sequences go,
    characters that reorder or break lines are shown as \\uXXXX."""
    if text.isprintable():
        return text
    return _ODD.sub(lambda m: m["keep"] or (f"\\u{ord(m['shown']):04x}" if m["shown"] else ""), text)


class LogFile:
    """A capped log. Each line is `<epoch seconds> <text>`; a line starting with `#` is a note to readers:
    `# gap N` stands for N lines that the cap removed, `# end` says that no more will come (unless lines follow).

    Several processes may append: each write holds a lock on the file. Past `cap` bytes the file is replaced by its first
    HEAD_LINES lines, a gap, and its newest half; a line's index (gaps counted) never changes."""

    digits = 3  #: of a second

    def __init__(self, path: str, cap: int) -> None:
        self.path, self.cap = path, max(cap, 4 * KB)
        self._fd = -1

    def add(self, texts: "list[str]", at: float) -> None:
        """Append lines that happened at `at`. Raises OSError when the disk will not take them."""
        stamp = f"{at:.{self.digits}f} "
        self._write("".join([f"{stamp}{text}\n" for text in texts]).encode("utf-8", "replace"))

    def end(self) -> None:
        self._write(b"# end\n")

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write(self, data: bytes) -> None:
        self._lock()
        try:
            size = os.fstat(self._fd).st_size
            if size and os.pread(self._fd, 1, size - 1) != b"\n":
                data = b"\n" + data  # a crash tore the last line
            while data:
                data = data[os.write(self._fd, data) :]
            if os.fstat(self._fd).st_size > self.cap:
                self._shrink()
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def _lock(self) -> None:
        """Open and lock the file that `path` names now: another writer may have replaced it."""
        while True:
            if self._fd < 0:
                self._fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            try:
                if os.stat(self.path).st_ino == os.fstat(self._fd).st_ino:
                    return
            except FileNotFoundError:
                pass
            self.close()

    def _shrink(self) -> None:
        spare = f"{self.path}.new"
        with open(self.path, "rb") as old, open(spare, "wb", opener=private) as new:
            kept = 0
            for _ in range(HEAD_LINES):
                line = old.readline()
                if line.startswith(b"#") or kept + len(line) > self.cap // 8:
                    old.seek(-len(line), os.SEEK_CUR)
                    break
                new.write(line)
                kept += len(line)
            gap, until = 0, os.fstat(old.fileno()).st_size - self.cap // 2
            while old.tell() < until:
                line = old.readline()
                if line.startswith(b"# gap "):
                    gap += int(line[6:])
                elif not line.startswith(b"#"):
                    gap += 1
            new.write(b"# gap %d\n" % gap)
            while block := old.read(64 * KB):
                new.write(block)
        os.replace(spare, self.path)
        self.close()
        self._lock()


class Stdout:
    """A LogFile's place in a container, whose engine keeps the lines and their times."""

    cap = 10 * MB

    def add(self, texts: "list[str]", at: float) -> None:
        data = "".join([f"{text}\n" for text in texts]).encode("utf-8", "replace")
        while data:
            data = data[os.write(1, data) :]

    def end(self) -> None:
        pass


def private(path: str, flags: int) -> int:
    """An opener of files that are nobody else's."""
    return os.open(path, flags, 0o600)


class Output:
    """Turns the bytes an app writes into log lines: cut, cleaned, limited in rate. Constant memory whatever comes.

    A bare carriage return (a progress bar) starts the line again; the state of such a line is shown every PARTIAL_AFTER."""

    def __init__(self, log: "LogFile | Stdout", clock: "Callable[[], float]" = time.monotonic) -> None:
        self.log, self._clock = log, clock
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._burst = float(max(log.cap, MB))
        self._tokens, self._refilled = self._burst, self._clock()
        self._partial, self._partial_since, self._skipping = b"", 0.0, False
        self._lost_bytes, self._lost_lines, self._last_lost = 0, 0, b""

    def feed(self, chunk: bytes) -> None:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._refilled) * LOG_RATE)
        self._refilled = now
        if self._tokens < (256 * KB if self._lost_bytes else len(chunk)):
            self._lost_bytes += len(chunk)
            self._lost_lines += chunk.count(b"\n")
            self._last_lost = (self._last_lost + chunk)[-LAST_WORDS:]
            return
        if self._lost_bytes:
            self._tell_loss()
            chunk = chunk[chunk.find(b"\n") + 1 :]
        self._tokens -= len(chunk)
        self._split(chunk, now)

    def tick(self) -> None:
        """Show a line that waits for its newline."""
        if self._partial and self._clock() - self._partial_since >= PARTIAL_AFTER:
            shown, _, rest = self._partial.rpartition(b"\r")
            self._partial = rest if shown else b""
            self._partial_since = self._clock()
            self.say(self._text(shown or rest))

    def finish(self) -> None:
        """The app is gone: write what is left, and the last lines even of a flood."""
        if self._lost_bytes:
            first = 1 if len(self._last_lost) == LAST_WORDS else 0  # likely only the end of a line
            last = self._last_lost.split(b"\n")[first:][-TAIL_LINES:]
            self._tell_loss()
            self._partial = b""
            self.say(*(self._text(line[:LINE_LIMIT]) for line in last if line))
        if self._partial:
            self.say(self._text(self._partial))
        self._partial = b""

    def say(self, *texts: str) -> None:
        if not texts:
            return
        self.tail.extend(texts)
        try:
            self.log.add(list(texts), time.time())
        except OSError:
            pass  # a full disk must not stop the app

    def _split(self, chunk: bytes, now: float) -> None:
        *lines, rest = (self._partial + chunk).split(b"\n")
        if lines and self._skipping:
            lines, self._skipping = lines[1:], False
        if lines or not self._partial:
            self._partial_since = now
        if self._skipping:
            rest = b""
        elif len(rest) > LINE_LIMIT:
            if b"\r" in rest:
                rest = rest[rest.rindex(b"\r", 0, -1) + 1 :] if b"\r" in rest[:-1] else rest
            if len(rest) > LINE_LIMIT:
                lines.append(rest)
                rest, self._skipping = b"", True
        self._partial = rest
        self.say(*map(self._text, lines))

    def _text(self, line: bytes) -> str:
        line = line.rstrip(b"\r")
        if b"\r" in line:
            line = line[line.rindex(b"\r") + 1 :]
        cut = len(line) > LINE_LIMIT
        return clean(line[:LINE_LIMIT].decode("utf-8", "replace")) + (" [cut: the line is too long]" if cut else "")

    def _tell_loss(self) -> None:
        lost = f"{self._lost_lines:,} lines, {self._lost_bytes / MB:.1f} MB"
        self._lost_bytes = self._lost_lines = 0
        self._last_lost, self._skipping = b"", False
        if self._partial:
            self.say(self._text(self._partial))
            self._partial = b""
        self.say(f"[podium] not kept: {lost}; an app may write {LOG_RATE // MB} MB of log per second")
