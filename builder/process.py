"""Runs one command of a build: its own limits, a deadline, a memory watch, output as clean lines, nothing of it left over.
Owns isolation (bubblewrap, dropped privileges). Knows nothing of uv."""

import ctypes
import os
import resource
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from builder.text import clean_line

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_KEPT = 2 << 20  #: bytes of output kept for the explanation of a failure
_LIBC = ctypes.CDLL(None, use_errno=True)
#: What a sandbox sees of the machine, read-only; what is not there is left out.
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ssl", "/etc/ca-certificates", "/etc/pki",
           "/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/passwd", "/etc/group", "/etc/ld.so.cache",
           "/etc/alternatives", "/etc/localtime", "/run/systemd/resolve")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limits:
    """`deadline` on the monotonic clock; `memory` in bytes for all processes together; `processes` counts all
    of the user's, so it is set (not 0) only for a user of their own or in a sandbox."""

    deadline: float
    memory: int
    processes: int = 0
    file_size: int = 20 << 30


@dataclass(frozen=True, slots=True)
class Outcome:
    """`reason`: "" it ended by itself, "timeout" or "memory". `output`: what it wrote, clean, newest part."""

    code: int
    reason: str
    output: str


@dataclass(frozen=True, slots=True)
class Box:
    """What a command that runs strangers' code may see. `uid`: whom it runs as when Podium is root, None: unchanged."""

    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    uid: int | None = None


def boxed(command: Sequence[str], box: Box, cwd: str) -> list[str]:
    """The command inside bubblewrap: no home, no data of Podium's, own processes; the network is shared. Read-only system.
    An app's box (`orchestrator/runtimes/sandbox.py`) is another one: it has users, volumes, devices and a life of days."""
    drop = []
    if box.uid is not None and os.geteuid() == 0:
        ids = [f"--reuid={box.uid}", f"--regid={box.uid}", "--clear-groups"]
        drop = ["setpriv", *ids, "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
    shares = [word for path in (*_SYSTEM, *box.readable) for word in ("--ro-bind-try", path, path)]
    shares += [word for path in box.writable for word in ("--bind", path, path)]
    above = {str(parent) for path in (*_SYSTEM, *box.readable, *box.writable) for parent in Path(path).parents}
    # bubblewrap makes missing parents closed to all but root; shorter ones first.
    shares = [word for path in sorted(above - {"/", "/tmp"}) for word in ("--perms", "0755", "--dir", path)] + shares
    base = ["bwrap", "--die-with-parent", "--new-session", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
    return [*base, "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", *shares, "--chdir", cwd, *drop, *command]


def can_box() -> bool:
    """Whether bubblewrap is installed and allowed to work."""
    if not shutil.which("bwrap"):
        return False
    test = ["bwrap", "--ro-bind", "/", "/", "--unshare-pid", "--proc", "/proc", "--dev", "/dev", "true"]
    return subprocess.run(test, capture_output=True, stdin=subprocess.DEVNULL, timeout=20).returncode == 0


def run(
    command: Sequence[str],
    cwd: str,
    env: Mapping[str, str],
    limits: Limits,
    on_line: Callable[[str], None] = lambda line: None,
    uid: int | None = None,
    clean: Callable[[bytes], str] = clean_line,
) -> Outcome:
    """Run to the end or to a limit. Children go down with it, and with the builder. `clean` makes text of a line."""
    parent = os.getpid()
    _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # what leaves the group stays below us
    others = _below()
    process = subprocess.Popen(
        list(command),
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        user=uid,
        group=uid,
        extra_groups=[] if uid is not None else None,
        process_group=0,
        preexec_fn=lambda: _confine(limits, parent),
    )
    reader = _Output(on_line, clean)
    reason = ""
    try:
        with selectors.DefaultSelector() as ready:
            ready.register(process.stdout, selectors.EVENT_READ)
            looked = time.monotonic()
            while not reader.ended:
                if ready.select(0.5):
                    reader.feed(os.read(process.stdout.fileno(), 1 << 16))
                elif process.poll() is not None:  # a child of it, about to be ended too, may keep the pipe open
                    break
                now = time.monotonic()
                if now >= limits.deadline:
                    reason = "timeout"
                elif now - looked >= 1.0:
                    looked = now
                    reason = "memory" if _memory(process.pid) > limits.memory else ""
                if reason:
                    break
        if not reason:
            try:
                process.wait(max(0.1, limits.deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                reason = "timeout"
    finally:
        _end(process)
        _end_strays(others)
    reader.close()
    return Outcome(process.returncode, reason, "\n".join(reader.kept))


def _confine(limits: Limits, parent: int) -> None:
    """Between fork and exec."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    os.umask(0o022)
    for kind, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_DATA, limits.memory),
        (resource.RLIMIT_FSIZE, limits.file_size),
        (resource.RLIMIT_NPROC, limits.processes or resource.RLIM_INFINITY),
    ):
        hard = resource.getrlimit(kind)[1]
        if value != resource.RLIM_INFINITY:
            resource.setrlimit(kind, (value, value) if hard == resource.RLIM_INFINITY else (min(value, hard), hard))


def _end(process: subprocess.Popen) -> None:
    """Kill the whole group. In a sandbox the kernel also ends what left the group."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
    process.stdout.close()


def _end_strays(others: set) -> None:
    """Kill what left the group, as code outside of a sandbox can: it must not meddle with what is done next, as root. New ones
    may appear while the old ones die, so look again."""
    for _ in range(100):
        strays = _below() - others
        if not strays:
            return
        for stray in strays:
            with suppress(OSError):
                os.kill(stray, signal.SIGKILL)
        for stray in strays:
            with suppress(OSError):
                os.waitpid(stray, os.WNOHANG)
        time.sleep(0.01)


def _below() -> set[int]:
    """Processes below us."""
    import psutil

    return {process.pid for process in psutil.Process().children(recursive=True)}


def _memory(pid: int) -> int:
    """Resident bytes of a process and all its children."""
    import psutil

    total = 0
    try:
        top = psutil.Process(pid)
        for each in (top, *top.children(recursive=True)):
            try:
                total += each.memory_info().rss
            except psutil.Error:
                continue
    except psutil.Error:
        pass
    return total


@dataclass
class _Output:
    """Bytes to clean lines; keeps the newest."""

    on_line: Callable[[str], None]
    clean: Callable[[bytes], str]
    kept: list[str] = field(default_factory=list)
    rest: bytes = b""
    size: int = 0
    ended: bool = False

    def feed(self, chunk: bytes) -> None:
        if not chunk:
            self.ended = True
            return
        *lines, self.rest = (self.rest + chunk).split(b"\n")
        if len(self.rest) > 1 << 18:
            lines, self.rest = [*lines, self.rest], b""
        for raw in lines:
            self.take(self.clean(raw))

    def take(self, line: str) -> None:
        self.kept.append(line)
        self.size += len(line) + 1
        while self.size > _KEPT:
            self.size -= len(self.kept.pop(0)) + 1
        self.on_line(line)

    def close(self) -> None:
        if self.rest:
            self.take(self.clean(self.rest))
            self.rest = b""
