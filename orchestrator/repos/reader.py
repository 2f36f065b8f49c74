"""Warm `git cat-file` processes: a client that fetches the small files of a repo one by one must not cost a start of git for
each. Owns the processes and their few lines of protocol (git-cat-file(1), `--batch`); what is read is git.py's.

A process is used by one thread at a time and ends after some idle seconds, or with us: its standard input closes."""

import os
import select
import subprocess
import threading
import time
from collections.abc import Callable

from orchestrator.repos.process import Git, end, failed, limit

IDLE_SECONDS = 10.0
SMALL = 1024**2  #: bytes; larger objects are for a process of their own, which hands them on bit by bit
_KEPT = 8  #: idle processes
_PATIENCE = 60.0  #: seconds for one answer
_ASK_LIMIT = 8000  #: bytes of a name


class Reader:
    """The idle processes of all repos."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._idle: list[tuple[float, _Process]] = []  # longest idle first
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def info(self, git_dir: str, name: bytes) -> tuple[str, str, int] | None:
        """Object id, type and size in bytes of what git knows under this name; None if that is nothing, or not one thing.
        Raises GitFailed, NotFound for a repo that is gone."""
        if b"\n" in name or b"\0" in name or len(name) > _ASK_LIMIT:
            return None
        words = self._asked(git_dir, "--batch-check", lambda process: process.line(name)).split(b" ")
        if len(words) != 3 or not words[2].isdigit():  # `… missing`, `… ambiguous`
            return None
        return words[0].decode(), words[1].decode(), int(words[2])

    def blob(self, git_dir: str, name: bytes) -> bytes | None:
        """The bytes of a blob of at most `SMALL`; None if it is larger, or none. Raises as `info`."""
        found = self.info(git_dir, name)
        if found is None or found[1] != "blob" or found[2] > SMALL:
            return None
        # By its id: the name could mean another object by now.
        return self._asked(git_dir, "--batch", lambda process: process.object(found[0].encode()))

    def forget(self, git_dir: str) -> None:
        """End what idles in a repo that is to be removed."""
        with self._lock:
            gone = [process for _, process in self._idle if process.does[0] == git_dir]
            self._idle = [one for one in self._idle if one[1] not in gone]
        for process in gone:
            process.close()

    def _asked(self, git_dir: str, mode: str, question: Callable[["_Process"], bytes]) -> bytes:
        while True:
            process = self._taken(git_dir, mode)
            try:
                answer = question(process)
            except (OSError, ValueError) as error:
                process.close()
                if process.fresh:
                    raise failed(git_dir, "cat-file", -1, str(error)) from None
                continue  # it died or was ended while idle: another one answers
            except BaseException:
                process.close()
                raise
            process.fresh = False
            self._put_back(process)
            return answer

    def _taken(self, git_dir: str, mode: str) -> "_Process":
        with self._lock:
            for at in range(len(self._idle) - 1, -1, -1):
                if self._idle[at][1].does == (git_dir, mode):
                    return self._idle.pop(at)[1]
        return _Process(self._git, git_dir, mode)

    def _put_back(self, process: "_Process") -> None:
        with self._lock:
            self._idle.append((time.monotonic(), process))
            surplus = [one for _, one in self._idle[:-_KEPT]]
            self._idle = self._idle[-_KEPT:]
            self._wake_later()
        for one in surplus:
            one.close()

    def _wake_later(self) -> None:
        """Within the lock: one timer while anything idles."""
        if self._timer is None and self._idle:
            self._timer = threading.Timer(IDLE_SECONDS, self._sweep)
            self._timer.daemon = True
            self._timer.start()

    def _sweep(self) -> None:
        with self._lock:
            before = time.monotonic() - IDLE_SECONDS / 2
            old = [process for since, process in self._idle if since < before]
            self._idle = [one for one in self._idle if one[0] >= before]
            self._timer = None
            self._wake_later()
        for process in old:
            process.close()


class _Process:
    def __init__(self, git: Git, git_dir: str, mode: str) -> None:
        self.does = (git_dir, mode)
        self.fresh = True  #: it has not answered yet
        self._process = subprocess.Popen(
            git.command(git_dir, "cat-file", mode),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=git.environment(),
            cwd="/",
            start_new_session=True,
        )
        limit(self._process.pid)
        self._in = self._process.stdin.fileno()
        self._out = self._process.stdout.fileno()
        self._ready = select.poll()
        self._ready.register(self._out, select.POLLIN)
        self._rest = b""

    def object(self, oid: bytes) -> bytes:
        size = int(self.line(oid).rpartition(b" ")[2])
        while len(self._rest) <= size:  # a newline follows
            self._more()
        data, self._rest = self._rest[:size], self._rest[size + 1 :]
        return data

    def line(self, name: bytes) -> bytes:
        os.write(self._in, name + b"\n")
        while b"\n" not in self._rest:
            self._more()
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _more(self) -> None:
        if not self._ready.poll(_PATIENCE * 1000):
            raise ValueError(f"no answer in {_PATIENCE:.0f} s")
        piece = os.read(self._out, SMALL)
        if not piece:
            raise ValueError("git ended")
        self._rest += piece

    def close(self) -> None:
        end(self._process)
