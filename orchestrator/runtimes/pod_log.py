"""The log of a pod as a `Follower` wants it: the kubelet's times taken off and kept as the times of the lines, what was read
before left out, and the launcher's own words handed on instead of shown. Owns where to go on after a break, and how lines tell
which of several replicas wrote them."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Protocol

from orchestrator.runtimes import container
from runtime_images.launcher.log import LogFile

_MARK = re.compile(rb"\[[bcdfghjklmnpqrstvwxz2456789]{5}\] ")  #: the letters that Kubernetes makes names of
_SAID = b"\x1e"  #: begins a line of the launcher's own


class LogSource(Protocol):
    def log(self, pod: str, since: str = "", previous: bool = False) -> Iterator[list[bytes]]: ...


class StampedLog(LogFile):
    """A log whose lines bear the times that they had in their pod, so that they tell after a restart where to go on."""

    digits = 6
    stamp = 0.0

    def __init__(
        self, path: str, cap: int, others: Callable[[], bool] = lambda: False, mark: Callable[[], str] = str
    ) -> None:
        """`others`: whether other pods write to it still, so that the end of this one is not its end. `mark`: what its lines
        begin with now."""
        super().__init__(path, cap)
        self._others, self._mark = others, mark

    def end(self) -> None:
        if not self._others():
            super().end()

    def add(self, texts: list[str], at: float) -> None:
        if mark := self._mark():
            texts = [mark + text for text in texts]
        super().add(texts, self.stamp or at)


class PodLog:
    """Opens and reopens the log of one pod. `said` gets the launcher's status whenever it tells it; `previous`: whether the
    container that counts has been started again since."""

    def __init__(
        self, source: LogSource, pod: str, log: StampedLog, said: Callable[[dict], None], previous: Callable[[], bool]
    ) -> None:  # fmt: skip
        self._source, self._pod, self._log, self._said, self._previous = source, pod, log, said, previous
        self._last: int | None = None  #: microseconds of the last line that was read

    def __call__(self, since: float) -> Iterator[bytes]:
        """Output from `since` on, or from where the last call of this ended."""
        if self._last is None:  # a follower asks for a millisecond later than what it has
            self._last = max(0, round((since - 0.001) * 1e6))
        before = self._last
        for lines in self._source.log(self._pod, _rfc3339(before) if before else "", self._previous()):
            shown = []
            for line in lines:
                at, text = _split(line)
                if at is None or at <= before:
                    continue  # the kubelet's own words have no time; and times are asked for in whole seconds
                before, self._last = 0, at
                if text.startswith(_SAID):
                    self._hear(text[1:])
                else:
                    shown.append(text)
            if shown:
                self._log.stamp = (self._last or 0) / 1e6
                yield b"\n".join(shown) + b"\n"

    def _hear(self, text: bytes) -> None:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return
        if isinstance(found, dict) and (status := container.checked(found)):
            self._said(status)


def mark_of(pod: str) -> str:
    """What begins each line of a pod that is one of several: the end of its name, which is its own."""
    return f"[{pod.rpartition('-')[2]}] "


def lines_of(pod: str) -> Callable[[bytes], bool]:
    """Whether a line may be this pod's: what bears no mark was written by one that was alone then."""
    own = mark_of(pod).encode()
    return lambda text: text.startswith(own) or not _MARK.match(text)


def _split(line: bytes) -> tuple[int | None, bytes]:
    """When a line was written, in microseconds, and the line; None for one that the container has not written."""
    stamp, space, text = line.partition(b" ")
    try:
        when = datetime.fromisoformat(stamp.decode("ascii"))
        return (int(when.timestamp()) * 1_000_000 + when.microsecond, text) if space else (None, line)
    except ValueError:
        return None, line


def _rfc3339(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
