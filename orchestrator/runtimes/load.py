"""What instances take of their hardware, as a kernel, an engine and a cluster tell it: reads each of them, in one round for all
instances, and makes a `Load` of it. Knows no Space and starts nothing but nvidia-smi."""

import csv
import os
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from orchestrator.domain.load import Load, together
from orchestrator.runtimes.machine import NVIDIA, Share
from orchestrator.runtimes.nodes import quantity
from runtime_images.launcher.processes import anonymous_memory, descendants

MB = 1024**2
_SHORTEST = 2.0  #: seconds over which CPU time is told as cores
_TICK = os.sysconf("SC_CLK_TCK")
_SMI = ("nvidia-smi", "--query-gpu=index,utilization.gpu,memory.used", "--format=csv,noheader,nounits")
_SMI_SECONDS = 5.0


class Rates:
    """From seconds of CPU time to cores: what was used since the last look."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, tuple[float, float, float | None]] = {}  # instance -> when, seconds, cores

    def cores(self, instance: str, seconds: float | None) -> float | None:
        """None at the first look at an instance, and when its time went back: it is another one."""
        if seconds is None:
            return None
        now = self._clock()
        at, before, cores = self._known.get(instance, (0.0, float("inf"), None))
        if seconds < before:
            cores = None
        elif now - at < _SHORTEST:
            return cores
        else:
            cores = (seconds - before) / (now - at)
        self._known[instance] = (now, seconds, cores)
        return cores

    def keep(self, instances: Iterable[str]) -> None:
        """Forget all others."""
        there = set(instances)
        self._known = {name: known for name, known in self._known.items() if name in there}


# ------------------------------------------------------------------------------------------------------ this machine


def of_launcher(status: Mapping) -> tuple[float | None, int | None]:
    """(seconds of CPU time, bytes) of the processes below a launcher, from its control group where there is one that tells, else
    from /proc."""
    groups = [str(path) for path in status.get("cgroups") or ()]
    if groups and os.path.exists(f"{groups[0]}/cpu.stat"):
        return _unified(groups[0])
    launcher = status.get("launcher", 0)
    pids = descendants(launcher) if launcher else []
    if not pids:
        return None, None
    memory = next((found for path in groups if (found := _of_group(path)) is not None), None)
    # The launcher's own count has those that ended and that it has seen off.
    seconds = sum(_seconds(pid) for pid in pids) + _seconds(launcher, only_ended=True)
    return seconds, anonymous_memory(pids) if memory is None else memory


def _unified(path: str) -> tuple[float | None, int | None]:
    """Of a control group of version 2."""
    told, memory = _pairs(f"{path}/cpu.stat"), _number(f"{path}/memory.current")
    seconds = told["usage_usec"] / 1e6 if "usage_usec" in told else None
    if memory is not None:  # files that were read are given back as soon as anybody needs the room
        memory = max(0, memory - _pairs(f"{path}/memory.stat").get("inactive_file", 0))
    return seconds, memory


def _of_group(path: str) -> int | None:
    """Bytes of a control group of version 1; the one that counts processes knows none."""
    used = _number(f"{path}/memory.usage_in_bytes")
    return None if used is None else max(0, used - _pairs(f"{path}/memory.stat").get("total_inactive_file", 0))


def _seconds(pid: int, only_ended: bool = False) -> float:
    """CPU time of a process and of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return sum(map(int, fields[13:15] if only_ended else fields[11:15])) / _TICK
    except (OSError, ValueError):
        return 0.0


def _number(path: str) -> int | None:
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):
        return None


def _pairs(path: str) -> dict[str, int]:
    """A file of lines `name number`."""
    try:
        rows = [line.split() for line in Path(path).read_text().splitlines()]
        return {row[0]: int(row[1]) for row in rows if len(row) == 2}
    except (OSError, ValueError):
        return {}


def of_accelerators(shares: Mapping[str, Share]) -> dict[str, Load]:
    """By instance, of those that have some of this machine's: each is one instance's alone. NVIDIA's driver tells; of others
    nothing is known."""
    holders = {name: share.gpus for name, share in shares.items() if share.resource == NVIDIA and share.gpus}
    if not holders:
        return {}
    try:
        done = subprocess.run(_SMI, capture_output=True, text=True, timeout=_SMI_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return {}
    told = read_smi(done.stdout)
    return {name: together(told[number] for number in gpus if number in told) for name, gpus in holders.items()}


def read_smi(text: str) -> dict[int, Load]:
    """What nvidia-smi says, by number; `[N/A]` is not known."""
    found = {}
    for row in csv.reader(text.splitlines()):
        cells = [cell.strip() for cell in row]
        if len(cells) == 3 and cells[0].isdigit():
            busy = int(cells[1]) / 100 if cells[1].isdigit() else None
            found[int(cells[0])] = Load(gpu=busy, gpu_memory=int(cells[2]) * MB if cells[2].isdigit() else None)
    return found


# ------------------------------------------------------------------------------------------------- engine and cluster


def of_container(stats: Mapping) -> tuple[float | None, int | None]:
    """(seconds of CPU time, bytes) from what a Docker engine tells of a container; it tells nothing of one that has ended."""
    total = ((stats.get("cpu_stats") or {}).get("cpu_usage") or {}).get("total_usage")
    memory = stats.get("memory_stats") or {}
    used, more = memory.get("usage"), memory.get("stats") or {}
    if used is not None:
        used = max(0, used - (more.get("inactive_file") or more.get("total_inactive_file") or 0))
    return total / 1e9 if total and used is not None else None, used


def of_pods(metrics: Iterable[Mapping], instances: Mapping[str, str]) -> dict[str, Load]:
    """By instance, from the items of metrics.k8s.io. `instances`: name of a pod -> its instance."""
    found: dict[str, list[Load]] = {}
    for one in metrics:
        instance = instances.get((one.get("metadata") or {}).get("name", ""))
        for told in (one.get("containers") or ()) if instance else ():
            usage = told.get("usage") or {}
            load = Load(
                quantity(usage["cpu"]) if "cpu" in usage else None,
                int(quantity(usage["memory"])) if "memory" in usage else None,
            )
            found.setdefault(instance, []).append(load)
    return {instance: together(loads) for instance, loads in found.items()}
