"""The launcher itself: one loop over the app's output, the probe's socket and signals, until nothing of the app is left."""

import fcntl
import json
import os
import select
import signal
import sys
import time

from . import KB, MB
from .app import become, libc
from .cgroup import Cgroup, OwnCgroup
from .log import LogFile, Output, Stdout
from .probe import Probe, own_address
from .processes import anonymous_memory, children, descendants, listening
from .status import Status, ending

DRAIN_RATE = 50 * MB  #: bytes of output per second read at all; beyond that the app waits
_SUBREAPER = 36


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
        self.status = Status(spec)

    # -- starting

    def start(self) -> None:
        libc.prctl(_SUBREAPER, 1, 0, 0, 0)
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
            become(self.spec, self.cgroup, stdout, me)
        if stdout >= 0:
            os.close(stdout)
        groups = [path for path in (self.cgroup.memory, self.cgroup.pids) if path] if self.cgroup else []
        self.status.tell(pid=self.child, pgid=self.child, port=self.port, started_at=time.time(), cgroups=groups)

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
        if self.status.now["state"] == "starting" and self.port:
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
        if self.status.now["state"] == "starting" and self.port:
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
        elif now >= self.next_look and self.status.now["state"] == "starting":
            self.next_look = now + 1.0
            self._look_elsewhere()

    def _judge(self, verdict: str) -> None:
        if verdict == "refused":
            return
        if not verdict.isdigit():
            words = "accepts connections but does not answer" if verdict == "silent" else "does not speak HTTP"
            self.status.tell(reason=f"port {self.port} {words}")
        elif int(verdict) >= 500:
            self.status.tell(reason=f"the app answers {self.spec.get('ready_path', '/')} with status {verdict}")
        elif any(port == self.port for _, port in listening(self._pids())):
            self.status.tell(state="ready", ready_at=time.time(), port=self.port, reason="", listening_elsewhere=[])
        else:
            self.status.tell(reason=f"port {self.port} is held by another program")

    def _look_elsewhere(self) -> None:
        """The app does not answer: where does it listen instead?"""
        found = listening(self._pids())
        reached = ("0.0.0.0", "::", self.host) if self.spec.get("outside") else ("0.0.0.0", "127.0.0.1")
        if any(port == self.port and address in reached for address, port in found):
            return self.status.tell(listening_elsewhere=[])
        contract = self.spec.get("contract_port")
        if any(port == contract and address in (*reached, "::") for address, port in found):
            self.port = contract  # it insists on the port of the contract, and nobody else has it
            return None
        names = sorted(f"[{a}]:{p}" if ":" in a else f"{a}:{p}" for a, p in found)
        return self.status.tell(listening_elsewhere=names)

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
        self.status.tell(reason=words)
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
        self.status.tell(state="stopping")
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
        reason = self.status.now.get("reason", "") if self.killed_for else ""
        if out_of_memory and not reason:
            reason = self._memory_words(self.cgroup.peak() if self.cgroup else 0)
        if self.cgroup:
            self.cgroup.remove()
        if self.out:
            self.out.finish()
        self.status.tell(
            state="exited", exited_at=time.time(), exit_code=None if number else code, signal=number, oom=out_of_memory,
            reason=reason, asked=self.stop_asked, tail=list(self.out.tail) if self.out else [],
        )  # fmt: skip
        self.status.leave_last_words()
        self._note(ending(self.status.now))
        try:
            if self.spec.get("ended"):
                os.close(os.open(self.spec["ended"], os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            if self.out:
                self.out.log.end()
        except OSError:
            pass
        return 128 + number if number else code


def main() -> int:
    if len(sys.argv) != 2:
        sys.stderr.write("usage: launch.py SPEC.json (or - to read $LAUNCH_SPEC)\n")
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
