"""The processes of this machine as tests ask for them: who belongs to a data directory, who runs a Space. Read only, except
for `kill` and `end_with_us`; a process that ends while it is looked at is simply not there."""

import ctypes
import os
import signal
from collections.abc import Iterable

import psutil


def of_space(space_id: str) -> set[int]:
    """Processes that were told that they are this Space."""
    return {p.pid for p in psutil.process_iter() if _environ(p).get("SPACE_ID") == space_id and _alive(p)}


def of_data(data: str) -> list[psutil.Process]:
    """Everything whose command line, environment or working directory names the data directory, and its descendants."""
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        if process.pid != os.getpid() and _mentions(process, data) and _alive(process):
            for one in (process, *_children(process)):
                found[one.pid] = one
    return [process for process in found.values() if _alive(process)]


def of_podium(data: str, part: str) -> list[psutil.Process]:
    """Podium's own processes by their command: `up`, `control`, `gateway`, `builder`."""

    def is_part(process: psutil.Process) -> bool:
        line = cmdline(process)
        ours = any("orchestrator" in word or word.rsplit("/", 1)[-1] == "podium" for word in line)
        return ours and part in line and _mentions(process, data) and _alive(process)

    return [process for process in psutil.process_iter() if is_part(process)]


def kill(victims: Iterable[psutil.Process]) -> None:
    """End them with SIGKILL, in the order given, and wait until they are gone."""
    victims = list(victims)
    for process in victims:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            pass
    psutil.wait_procs(victims, timeout=10)


def end_with_us() -> None:
    """A `preexec_fn`: when the tests die, however they die, the child is asked to end (PR_SET_PDEATHSIG is 1)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def cmdline(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except (psutil.Error, OSError):
        return []


def cpu_seconds(found: Iterable[psutil.Process]) -> float:
    """User and system time that they have used so far."""
    return sum(times.user + times.system for times in (process.cpu_times() for process in found))


def _environ(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except (psutil.Error, OSError, ValueError):
        return {}


def _mentions(process: psutil.Process, mark: str) -> bool:
    try:
        here = process.cwd()
    except (psutil.Error, OSError):
        here = ""
    return here.startswith(mark) or any(mark in w for w in (*cmdline(process), *_environ(process).values()))


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
