"""The output of a container, followed into the log file of its instance through the launcher's own cleaner and caps. Owns one
thread per container, and where to go on after a restart of Podium or of the engine."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from runtime_images.launcher.log import LogFile, Output

_END = 65536  #: bytes at the end of a log that are read to find where to go on
_AGAIN = 0.5  #: seconds until a stream that broke is opened again


class Follower:
    """`open(since)` gives the container's output from that time (epoch seconds) on; `running()` tells whether more may come,
    `ending()` says at the end how it ended, "" when the output itself says so. `since`: where to begin, None: where the log
    ends; `log`: what to write to instead of a log of that path and cap."""

    def __init__(
        self, path: Path, cap: int, open: Callable[[float], Iterator[bytes]], running: Callable[[], bool],
        ending: Callable[[], str], since: float | None = None, log: LogFile | None = None,
    ) -> None:  # fmt: skip
        self._path, self._open, self._running, self._ending = path, open, running, ending
        self._since = since
        self._out = Output(log or LogFile(str(path), cap))
        self._lock = threading.Lock()
        self._closed = False
        self.heard = False  #: all output was read
        self._thread = threading.Thread(target=self._follow, name=f"log-{path.stem}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def tail(self) -> list[str]:
        """The last lines."""
        with self._lock:
            return list(self._out.tail)

    def tick(self) -> None:
        """Show a line that waits for its newline. To be called now and then."""
        with self._lock:
            self._out.tick()

    def join(self, timeout: float) -> None:
        """Wait until all was written."""
        self._thread.join(timeout)

    def close(self) -> None:
        """Podium ends: write no more, say nothing of an end."""
        self._closed = True

    def _follow(self) -> None:
        since = last_time(self._path) if self._since is None else self._since
        if since < 0:
            self.heard = True
            return  # it was read to its end before
        while not self._closed:
            try:
                for chunk in self._open(since):
                    if self._closed:
                        return
                    with self._lock:
                        self._out.feed(chunk)
                    since = time.time()
            except Exception:
                time.sleep(_AGAIN)  # the engine was restarted, or the container is gone
            if not self._running():
                break
        if self._closed:
            return
        with self._lock, suppress(OSError):
            self._out.finish()
        self.heard = True
        words = self._ending()  # may ask for the tail
        with self._lock, suppress(OSError):
            if words:
                self._out.say(f"[podium] {words}")
            self._out.log.end()
            self._out.log.close()


def last_time(path: Path, ours: Callable[[bytes], bool] = lambda _: True) -> float:
    """When the last line in a log was written, of those that are `ours` (each without its time); 0 when there is none, -1
    when the log has ended."""
    try:
        with path.open("rb") as file:
            left_out = file.seek(max(0, path.stat().st_size - _END))
            lines = file.read().splitlines()[1 if left_out else 0 :]
    except OSError:
        return 0.0
    if lines and lines[-1].startswith(b"# end"):
        return -1.0
    parts = [(stamp, text) for stamp, _, text in (line.partition(b" ") for line in lines)]
    found = [stamp for stamp, text in parts if ours(text)]
    if not found and left_out:  # whoever wrote none of these many lines wrote the last one before them
        found = [stamp for stamp, _ in parts[:1]]
    for stamp in reversed(found):
        with suppress(ValueError):
            return float(stamp) + 0.001
    return 0.0
