"""The parent of every app, on one machine and as PID 1 in a container. One file, standard library only.

Owns: starting the app under its limits, its log file, the ready probe, the stop protocol, and the end of everything the
app started. Does not know Spaces, users, routes or the sandbox: the command line it is given already holds the sandbox.

    python -I -S launcher.py SPEC.json        ("-" instead of the file: the JSON is in $LAUNCH_SPEC)

Members of the spec (only `argv` is required):

    argv, env, cwd     what to start; the environment is exactly `env`, or the launcher's own when there is no `env`
    env_fd             if given, the command gets an empty environment and, on this descriptor, a shell script that exports
                       `env`: what sets up a sandbox must not obey an author's LD_PRELOAD
    depth              processes between the launcher and the app (2 under bubblewrap, else 0)
    port, contract_port, ready_path       where the app must answer; see `Probe`
    outside            true in a container: it must answer at the container's address, loopback is not enough
    memory, processes, files, file_size, user_processes      limits: bytes, counts, bytes, RLIMIT_NPROC
    cgroup             name of the control group to try to create for the limits; "." is the one that it runs in
    grace              seconds between SIGTERM and SIGKILL
    log, log_limit     log file and its cap in bytes, "-" for clean lines on stdout; without `log` the app inherits
                       stdout and stderr
    status, bell, id   status file to keep, datagram socket to send `id` to on each change; status "-": tell it on stdout,
                       each time as one line that begins with the character \\x1e, which no line of the app has
    last_words         file to leave the last status in, cut to LAST_WORDS_LIMIT bytes: a cluster reads no more
    ended              file to leave when the app has ended. Where it is there at the start, nothing is started: the app of a
                       container is not run a second time because a cluster starts containers again

Signals: SIGTERM or SIGINT stops the app; the launcher exits when nothing of it is left, with the app's exit status
(128 + signal as shells have it). If the launcher itself is killed, the kernel kills the app (PR_SET_PDEATHSIG).
"""

import ctypes
import errno
import fcntl
import json
import os
import re
import resource
import select
import signal
import socket
import sys
import time
from collections import deque

TYPE_CHECKING = False  # typing's own costs 10 ms at each start
if TYPE_CHECKING:
    from collections.abc import Callable

KB, MB = 1024, 1024**2
LINE_LIMIT = 16 * KB  #: characters of a line that are kept
HEAD_LINES = 200  #: first lines of a log, which survive its cap
TAIL_LINES = 50  #: last lines told in the status when the app exits
LAST_WORDS = 32 * KB  #: bytes of a flood that are kept in case they are the last
LAST_WORDS_LIMIT = 4000  #: bytes; Kubernetes keeps 4096 of a container's termination message
LOG_RATE = 1 * MB  #: bytes of output per second kept in the long run
DRAIN_RATE = 50 * MB  #: bytes of output per second read at all; beyond that the app waits
PARTIAL_AFTER = 2.0  #: seconds until a line without its newline is shown

# ------------------------------------------------------------------------------------------------------------ log

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
        with open(self.path, "rb") as old, open(spare, "wb", opener=_private) as new:
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


def _private(path: str, flags: int) -> int:
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


# ------------------------------------------------------------------------------------------------------ processes


def children(pid: int) -> "list[int]":
    """Direct children of a process, of all its threads."""
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            try:
                with open(f"/proc/{pid}/task/{task}/children", "rb") as file:
                    found += map(int, file.read().split())
            except OSError:
                continue  # the thread is gone
    except OSError:
        pass
    return found


def descendants(pid: int) -> "list[int]":
    """All processes below `pid`, parents first. Orphans are below their subreaper, so nothing hides by daemonising."""
    found, queue = [], children(pid)
    while queue:
        child = queue.pop()
        found.append(child)
        queue += children(child)
    return found


def start_time(pid: int) -> int:
    """Clock ticks after boot at which the process started, 0 if it is gone or a zombie. Pid and this name it for good."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in (b"Z", b"X") else int(fields[19])


def anonymous_memory(pids: "list[int]", exact: bool = False) -> int:
    """Bytes that these processes hold and no file backs. `exact` shares out pages held by several (slower)."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup" if exact else f"/proc/{pid}/status", "rb") as file:
                for line in file:
                    if line.startswith((b"Pss_Anon:", b"Pss_Shmem:") if exact else (b"RssAnon:", b"RssShmem:")):
                        total += int(line.split()[1]) * KB
        except OSError:
            continue
    return total


def listening(pids: "list[int]") -> "set[tuple[str, int]]":
    """(address, port) of the TCP sockets that these processes accept connections on."""
    sockets: dict[str, tuple[str, int]] = {}
    for table in ("tcp", "tcp6"):
        try:
            with open(f"/proc/net/{table}") as file:
                rows = [line.split() for line in file][1:]
        except OSError:
            continue
        for row in rows:
            if row[3] == "0A":
                address, port = row[1].split(":")
                sockets[f"socket:[{row[9]}]"] = (kernel_address(address), int(port, 16))
    found = set()
    for pid in pids:
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                try:
                    target = os.readlink(f"/proc/{pid}/fd/{fd}")
                except OSError:
                    continue
                if target in sockets:
                    found.add(sockets[target])
        except OSError:
            continue
    return found


def kernel_address(text: str) -> str:
    """An address of /proc/net/tcp*: hexadecimal words in the machine's byte order."""
    raw = b"".join(int(text[i : i + 8], 16).to_bytes(4, sys.byteorder) for i in range(0, len(text), 8))
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)


class Cgroup:
    """A control group of its own for the app, version 1 or 2, where we may create one. Without it `Launcher` measures."""

    ROOT = "/sys/fs/cgroup"

    def __init__(self, name: str, memory: int, processes: int) -> None:
        self.memory = self.pids = ""
        self.unified = os.path.exists(f"{self.ROOT}/cgroup.controllers")
        wrapper = 8  # the sandbox's own processes
        if self.unified:
            self._make_unified(name, memory, processes + wrapper)
        else:
            own = self._own()
            self.memory = self._make(
                "memory", own, name, {"memory.limit_in_bytes": memory, "memory.memsw.limit_in_bytes": memory}
            )
            self.pids = self._make("pids", own, name, {"pids.max": processes + wrapper})

    def _own(self) -> "dict[str, str]":
        with open("/proc/self/cgroup") as file:
            rows = [line.strip().split(":", 2) for line in file]
        return {kind: path for _, kinds, path in rows for kind in kinds.split(",")}

    def _make(self, kind: str, own: "dict[str, str]", name: str, limits: "dict[str, int]") -> str:
        path = os.path.join(self.ROOT, kind, own.get(kind, "/").lstrip("/"), "podium", name)
        return self._create(path, limits, next(iter(limits)))

    def _make_unified(self, name: str, memory: int, processes: int) -> None:
        top = f"{self.ROOT}/podium"
        try:
            for parent in (self.ROOT, top):
                os.makedirs(parent, exist_ok=True)
                with open(f"{parent}/cgroup.subtree_control", "w") as file:
                    file.write("+memory +pids")
        except OSError:
            return
        limits = {"memory.max": memory, "pids.max": processes, "memory.swap.max": 0, "memory.oom.group": 1}
        self.memory = self.pids = self._create(f"{top}/{name}", limits, "memory.max")

    def _create(self, path: str, limits: "dict[str, int]", needed: str) -> str:
        try:
            os.makedirs(path, exist_ok=True)
        except OSError:
            return ""
        for key, value in limits.items():
            try:
                with open(f"{path}/{key}", "w") as file:
                    file.write(str(value))
            except OSError:
                if key == needed:
                    self._discard(path)
                    return ""
        return path

    def enter(self) -> None:
        """Called by the app's process before it becomes the app."""
        for path in {self.memory, self.pids} - {""}:
            with open(f"{path}/cgroup.procs", "w") as file:
                file.write("0")

    def members(self) -> "list[int]":
        return [
            int(pid) for path in {self.memory, self.pids} - {""} for pid in self._read(path, "cgroup.procs").split()
        ]

    def killed(self) -> int:
        """How many of its processes the kernel killed for memory."""
        text = self._read(self.memory, "memory.events" if self.unified else "memory.oom_control")
        return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("oom_kill ")), 0)

    def peak(self) -> int:
        text = self._read(self.memory, "memory.peak" if self.unified else "memory.max_usage_in_bytes")
        return int(text) if text.strip().isdigit() else 0

    def remove(self) -> None:
        for path in {self.memory, self.pids} - {""}:
            self._discard(path)

    def _discard(self, path: str) -> None:
        for _ in range(20):
            try:
                return os.rmdir(path)
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(0.01)  # the kernel still takes its last process apart

    def _read(self, path: str, name: str) -> str:
        if not path:
            return ""
        try:
            with open(f"{path}/{name}") as file:
                return file.read()
        except OSError:
            return ""


class OwnCgroup(Cgroup):
    """The control group that a container runs in: its limits are set, it is only read. Kubernetes sets none on processes."""

    def __init__(self) -> None:
        self.unified = os.path.exists(f"{self.ROOT}/cgroup.controllers")
        self.memory = self.ROOT if self.unified else f"{self.ROOT}/memory"
        self.pids = self.ROOT if self.unified else f"{self.ROOT}/pids"
        if self._read(self.pids, "pids.max").strip() == "max":
            self.pids = ""

    def enter(self) -> None:
        pass

    def members(self) -> "list[int]":
        return []  # it holds the launcher too, and what a person started beside it

    def remove(self) -> None:
        pass


def own_address() -> str:
    """The IPv4 address that others reach this container at; loopback when it has no network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))  # sends nothing: it only chooses the route
            return sock.getsockname()[0]
        except OSError:
            return "127.0.0.1"


# ---------------------------------------------------------------------------------------------------------- probe


class Probe:
    """One attempt to get an HTTP answer, without waiting: `step` until it returns a verdict.

    Verdicts: `refused`, `silent` (no answer in time), `odd` (not HTTP), or the status as a string of digits."""

    TIMEOUT = 10.0

    def __init__(self, port: int, path: str, host: str = "127.0.0.1") -> None:
        self.port, self.connected = port, False
        self.deadline = time.monotonic() + self.TIMEOUT
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: podium-ready\r\nAccept: */*\r\n"
            "Connection: close\r\n\r\n"
        ).encode()
        self._answer = b""
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self._refused = self.socket.connect_ex((host, port)) not in (0, errno.EINPROGRESS)

    def events(self) -> int:
        return select.POLLOUT if self._request else select.POLLIN

    def step(self, ready: bool) -> "str | None":
        """The verdict, or None while it waits. `ready`: the socket can be read or written now."""
        if self._refused:
            return "refused"
        if not ready:
            return "silent" if time.monotonic() >= self.deadline else None
        try:
            if self._request:
                if self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    return "refused"
                self.connected = True
                self._request = self._request[self.socket.send(self._request) :]
                return None
            block = self.socket.recv(64)
        except BlockingIOError:
            return None
        except OSError:
            return "odd" if self.connected else "refused"
        self._answer += block
        if len(self._answer) >= 12 or not block:
            head = self._answer[:12].decode("latin-1")
            return head[9:12] if head.startswith("HTTP/1.") and head[9:12].isdigit() else "odd"
        return None

    def rest(self, ready: bool) -> bool:
        """After the verdict: swallow the rest of the answer, as a reset would show up in the app's log. False when done."""
        try:
            if not self.connected or (ready and not self.socket.recv(64 * KB)):
                return False
        except BlockingIOError:
            pass
        except OSError:
            return False
        return time.monotonic() < self.deadline

    def close(self) -> None:
        self.socket.close()


# ------------------------------------------------------------------------------------------------------- launcher

#: Variables that some shells do not let anybody set.
_SHELL_OWN = {"UID", "EUID", "PPID", "SHELLOPTS", "BASHOPTS", "BASH_VERSINFO", "PWD", "OLDPWD"}


def export_script(env: "dict[str, str]") -> int:
    """Descriptor of a file in memory that makes a POSIX shell export `env`."""
    fd = os.memfd_create("env", 0)
    for name, value in env.items():
        if re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name) and name not in _SHELL_OWN:
            quoted = value.replace("'", "'\\''")
            os.write(fd, f"export {name}='{quoted}'\n".encode("utf-8", "surrogateescape"))
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


_libc = ctypes.CDLL(None, use_errno=True)
_PDEATHSIG, _SUBREAPER = 1, 36


class Launcher:
    def __init__(self, spec: dict) -> None:
        self.spec = spec
        self.child = 0
        self.wait_status: int | None = None
        self.out: Output | None = None
        self.pipe = -1
        self.port = spec.get("port", 0)
        self.cgroup: Cgroup | None = None
        self.host = own_address() if spec.get("outside") else "127.0.0.1"
        self.probe: Probe | None = None
        self.answered: list[Probe] = []
        self.probe_pause, self.next_probe = 0.025, 0.0
        self.next_look = self.next_measure = 0.0
        self.stop_asked = False
        self.kill_at: float | None = None
        self.killed_for = ""
        self.seen_oom = 0
        self.status: dict = {"state": "starting", "launcher": os.getpid(), "launcher_start": start_time(os.getpid())}

    # -- telling

    def tell(self, **changes: object) -> None:
        """Change the status; write it and ring if that is news."""
        if all(self.status.get(key) == value for key, value in changes.items()) and "pid" in self.status:
            return
        self.status.update(changes)
        path = self.spec.get("status")
        if not path:
            return
        if path == "-":
            return self._tell_aloud()
        try:
            with open(f"{path}.new", "w", opener=_private) as file:
                json.dump(self.status, file)
            os.replace(f"{path}.new", path)
        except OSError:
            pass
        self.ring()

    def _tell_aloud(self) -> None:
        told = {name: value for name, value in self.status.items() if name != "tail"}
        try:
            os.write(1, f"\x1e{json.dumps(told)}\n".encode())
        except OSError:
            pass

    def _leave_last_words(self) -> None:
        """The status with as many of the last lines as there is room for."""
        if not (path := self.spec.get("last_words")):
            return
        told = dict(self.status, tail=[], cgroups=[])
        room = LAST_WORDS_LIMIT - len(json.dumps(told))
        for line in reversed(self.status["tail"]):
            line = line if len(line) <= 400 else f"{line[:300]} ... {line[-95:]}"
            room -= len(json.dumps(line)) + 2
            if room < 0:
                break
            told["tail"].insert(0, line)
        try:
            with open(path, "w") as file:
                json.dump(told, file)
        except OSError:
            pass

    def ring(self) -> None:
        bell = self.spec.get("bell")
        if not bell:
            return
        try:  # through the directory's descriptor: a socket's path may have 107 bytes, a data directory more
            directory = os.open(os.path.dirname(bell), os.O_PATH | os.O_DIRECTORY)
            try:
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
                    name = f"/proc/self/fd/{directory}/{os.path.basename(bell)}"
                    sock.sendto(self.spec.get("id", "").encode(), name)
            finally:
                os.close(directory)
        except OSError:
            pass  # nobody listens: the control plane is down and will look by itself

    # -- starting

    def start(self) -> None:
        _libc.prctl(_SUBREAPER, 1, 0, 0, 0)
        if self.spec.get("cgroup") == ".":
            self.cgroup = OwnCgroup()
        elif self.spec.get("cgroup"):
            self.cgroup = Cgroup(self.spec["cgroup"], self.spec["memory"], self.spec.get("processes", 512))
        stdout = -1
        if self.spec.get("log"):
            stdout_only = self.spec["log"] == "-"
            self.out = Output(
                Stdout() if stdout_only else LogFile(self.spec["log"], self.spec.get("log_limit", 10 * MB))
            )
            self.pipe, stdout = os.pipe()
            os.set_blocking(self.pipe, False)
            try:
                fcntl.fcntl(self.pipe, 1031, MB)  # F_SETPIPE_SZ: fewer, larger reads
            except OSError:
                pass
        me = os.getpid()
        self.child = os.fork()
        if self.child == 0:
            self._become_app(stdout, me)
        if stdout >= 0:
            os.close(stdout)
        groups = [path for path in (self.cgroup.memory, self.cgroup.pids) if path] if self.cgroup else []
        self.tell(pid=self.child, pgid=self.child, port=self.port, started_at=time.time(), cgroups=groups)

    def _become_app(self, stdout: int, parent: int) -> None:
        """In the child: never returns."""
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE):
                signal.signal(number, signal.SIG_DFL)
            _libc.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)
            null = os.open("/dev/null", os.O_RDONLY)
            os.dup2(null, 0)
            if stdout >= 0:
                os.dup2(stdout, 1)
                os.dup2(stdout, 2)
            if self.cgroup:
                self.cgroup.enter()
            self._limit()
            os.umask(self.spec.get("umask", 0o022))
            os.chdir(self.spec.get("cwd", "/"))
            argv, env = self.spec["argv"], self.spec.get("env")
            if env is None:
                env = {name: value for name, value in os.environ.items() if name != "LAUNCH_SPEC"}
            if fd := self.spec.get("env_fd"):
                os.dup2(export_script(env), fd)
                env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
            os.execvpe(argv[0], argv, env)
        except BaseException as problem:
            os.write(2, f"cannot start {self.spec['argv'][0]}: {problem}\n".encode())
        finally:
            os._exit(127)

    def _limit(self) -> None:
        wanted = {
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_NOFILE: self.spec.get("files"),
            resource.RLIMIT_FSIZE: self.spec.get("file_size"),
            resource.RLIMIT_NPROC: self.spec.get("user_processes"),
        }
        for kind, value in wanted.items():
            if value is not None:
                hard = resource.getrlimit(kind)[1]
                value = value if hard == resource.RLIM_INFINITY else min(value, hard)
                resource.setrlimit(kind, (value, value))
        try:  # when the whole machine runs out of memory, an app goes before Podium
            with open("/proc/self/oom_score_adj", "w") as file:
                file.write("500")
        except OSError:
            pass

    # -- the loop

    def run(self) -> int:
        """Until nothing of the app is left. Returns the exit status for the launcher itself."""
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._ask_stop)
        signal.signal(signal.SIGINT, self._ask_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.start()
        window, drained = time.monotonic(), 0
        while self.wait_status is None:
            now = time.monotonic()
            if now - window >= 0.1:
                window, drained = now, 0
            poll = select.poll()
            poll.register(wake_read, select.POLLIN)
            if self.pipe >= 0 and drained < DRAIN_RATE // 10:
                poll.register(self.pipe, select.POLLIN)
            for probe in [*self.answered, *([self.probe] if self.probe else ())]:
                poll.register(probe.socket, probe.events())
            ready = {fd for fd, _ in poll.poll(self._pause(now) * 1000)}
            if wake_read in ready:
                os.read(wake_read, 512)
                self._reap()
            if self.pipe in ready:
                drained += self._drain()
            self._work(ready)
        return self._finish()

    def _pause(self, now: float) -> float:
        """Seconds until something is due."""
        due = [self.next_measure, now + 1.0]
        if self.status["state"] == "starting" and self.port:
            due += [self.probe.deadline if self.probe else self.next_probe, self.next_look]
        if self.out and self.out._partial:
            due.append(now + 0.5)
        if self.kill_at is not None:
            due.append(self.kill_at)
        if self.pipe >= 0:
            due.append(now + 0.1) if self.out and self.out._lost_bytes else None
        return max(0.0, min(due) - now)

    def _work(self, ready: "set[int]") -> None:
        now = time.monotonic()
        if self.out:
            self.out.tick()
        if self.stop_asked and self.kill_at is None:
            self._begin_stop(now)
        if self.kill_at is not None and now >= self.kill_at:
            self._kill()
            self.kill_at = now + 1.0
        if now >= self.next_measure:
            self._measure(now)
        for probe in self.answered[:]:
            if not probe.rest(probe.socket.fileno() in ready):
                probe.close()
                self.answered.remove(probe)
        if self.status["state"] == "starting" and self.port:
            self._probe(ready, now)

    def _drain(self) -> int:
        try:
            block = os.read(self.pipe, 256 * KB)
        except BlockingIOError:
            return 0
        if not block:
            os.close(self.pipe)
            self.pipe = -1
        elif self.out:
            self.out.feed(block)
        return len(block)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.child:
                self.wait_status = status

    # -- ready?

    def _probe(self, ready: "set[int]", now: float) -> None:
        if self.probe is None and now >= self.next_probe:
            self.probe = Probe(self.port, self.spec.get("ready_path", "/"), self.host)
            ready = set()
        if self.probe is not None:
            verdict = self.probe.step(self.probe.socket.fileno() in ready)
            if verdict is not None:
                self.answered.append(self.probe)
                self.probe = None
                self.next_probe = time.monotonic() + self.probe_pause
                self.probe_pause = min(0.25, self.probe_pause * 1.1)
                self._judge(verdict)
        if self.next_look == 0.0:
            self.next_look = now + 3.0
        elif now >= self.next_look and self.status["state"] == "starting":
            self.next_look = now + 1.0
            self._look_elsewhere()

    def _judge(self, verdict: str) -> None:
        if verdict == "refused":
            return
        if not verdict.isdigit():
            words = "accepts connections but does not answer" if verdict == "silent" else "does not speak HTTP"
            self.tell(reason=f"port {self.port} {words}")
        elif int(verdict) >= 500:
            self.tell(reason=f"the app answers {self.spec.get('ready_path', '/')} with status {verdict}")
        elif any(port == self.port for _, port in listening(self._pids())):
            self.tell(state="ready", ready_at=time.time(), port=self.port, reason="", listening_elsewhere=[])
        else:
            self.tell(reason=f"port {self.port} is held by another program")

    def _look_elsewhere(self) -> None:
        """The app does not answer: where does it listen instead?"""
        found = listening(self._pids())
        reached = ("0.0.0.0", "::", self.host) if self.spec.get("outside") else ("0.0.0.0", "127.0.0.1")
        if any(port == self.port and address in reached for address, port in found):
            return self.tell(listening_elsewhere=[])
        contract = self.spec.get("contract_port")
        if any(port == contract and address in (*reached, "::") for address, port in found):
            self.port = contract  # it insists on the port of the contract, and nobody else has it
            return None
        names = sorted(f"[{a}]:{p}" if ":" in a else f"{a}:{p}" for a, p in found)
        return self.tell(listening_elsewhere=names)

    def _pids(self) -> "list[int]":
        return descendants(os.getpid())

    # -- limits

    def _measure(self, now: float) -> None:
        """Hold the app to its memory and processes where no control group does."""
        self.next_measure = now + 1.0
        if self.cgroup and (count := self.cgroup.killed()) > self.seen_oom:
            self.seen_oom = count
            self._note("the kernel ended a process of the app: " + self._memory_words(self.cgroup.peak()))
        if self.kill_at is not None:
            return
        if not (self.cgroup and self.cgroup.memory) and (limit := self.spec.get("memory")):
            used = anonymous_memory(pids := self._pids())
            if used > limit and (used := anonymous_memory(pids, exact=True)) > limit:
                self._end_for("memory", self._memory_words(used))
            self.next_measure = now + min(2.0, max(0.25, (limit - used) / (2048 * MB)))
        if not (self.cgroup and self.cgroup.pids) and (limit := self.spec.get("processes")):
            count = len(self._pids())
            if count > limit:
                self._end_for("processes", f"killed for processes: has {count} of {limit}")

    def _memory_words(self, used: int) -> str:
        limit = self.spec.get("memory", used)
        return f"killed for memory: used {used / MB:,.0f} MB of {limit / MB:,.0f} MB"

    def _end_for(self, what: str, words: str) -> None:
        self.killed_for = what
        self.tell(reason=words)
        self._note(words)
        self.kill_at = time.monotonic()

    def _note(self, words: str) -> None:
        if self.out:
            self.out.say(f"[podium] {words}")

    # -- the end

    def _ask_stop(self, *_: object) -> None:
        self.stop_asked = True

    def _begin_stop(self, now: float) -> None:
        self.kill_at = now + self.spec.get("grace", 10.0)
        self.tell(state="stopping")
        pid = self.child
        for _ in range(self.spec.get("depth", 0)):
            below = children(pid)
            if not below:
                self.kill_at = now  # still being set up
                return
            pid = below[0]
        try:
            os.killpg(os.getpgid(pid), signal.SIGTERM)
        except OSError:
            pass

    def _kill(self) -> None:
        """End every process that is left. Stopped first, so that none forks while the others die."""
        victims = set(self._pids()) | set(self.cgroup.members() if self.cgroup else ())
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in victims:
                try:
                    os.kill(pid, number)
                except OSError:
                    pass

    def _finish(self) -> int:
        """The app itself has ended: end what it left behind, then tell."""
        deadline = time.monotonic() + 10.0
        while time.monotonic() < deadline:
            self._kill()
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                break
            time.sleep(0.005)
        while self.pipe >= 0 and self._drain():
            pass
        code = os.waitstatus_to_exitcode(self.wait_status or 0)
        number = -code if code < 0 else (code - 128 if self.spec.get("depth") and 128 < code < 160 else 0)
        out_of_memory = self.killed_for == "memory" or bool(self.cgroup and self.cgroup.killed() and number == 9)
        reason = self.status.get("reason", "") if self.killed_for else ""
        if out_of_memory and not reason:
            reason = self._memory_words(self.cgroup.peak() if self.cgroup else 0)
        if self.cgroup:
            self.cgroup.remove()
        if self.out:
            self.out.finish()
        self.tell(
            state="exited", exited_at=time.time(), exit_code=None if number else code, signal=number, oom=out_of_memory,
            reason=reason, asked=self.stop_asked, tail=list(self.out.tail) if self.out else [],
        )  # fmt: skip
        self._leave_last_words()
        self._note(ending(self.status))
        try:
            if self.spec.get("ended"):
                os.close(os.open(self.spec["ended"], os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            if self.out:
                self.out.log.end()
        except OSError:
            pass
        return 128 + number if number else code


def ending(status: dict) -> str:
    """How an app ended, in words."""
    if status.get("asked"):
        return "stopped"
    if status.get("reason"):
        return status["reason"]
    if number := status.get("signal"):
        try:
            return f"the app was ended by {signal.Signals(number).name}"
        except ValueError:
            return f"the app was ended by signal {number}"
    return f"the app exited with code {status.get('exit_code')}"


def main() -> int:
    if len(sys.argv) != 2:
        sys.stderr.write("usage: launcher.py SPEC.json (or - to read $LAUNCH_SPEC)\n")
        return 2
    if sys.argv[1] == "-":
        spec = json.loads(os.environ["LAUNCH_SPEC"])
    else:
        with open(sys.argv[1], encoding="utf-8") as file:
            spec = json.load(file)
    if spec.get("ended") and os.path.exists(spec["ended"]):
        return rest()
    return Launcher(spec).run()


def rest() -> int:
    """The app has ended before: wait to be taken away."""
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    os.write(1, b"[podium] the app has ended and is not started again\n")
    signal.sigwait(signals)
    return 0


if __name__ == "__main__":
    sys.exit(main())
