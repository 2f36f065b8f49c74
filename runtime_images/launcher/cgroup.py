"""Control groups: the limits that the kernel itself holds an app to, where we may set them or somebody has."""

import os
import time


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
