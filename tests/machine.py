"""The servers of a Kubernetes on this very machine, for tests that stop them: whoever started the cluster left a file with each
one's process id beside its kubeconfig. Owns ending, starting again as they were, and cutting a node's cable."""

import functools
import os
import re
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil

from tests import kube
from tests.support import eventually

NEEDED = ("apiserver", "registry", "kubelet-1", "kubelet-2", "containerd-1", "containerd-2")


@functools.cache
def trouble() -> str:
    """Why tests cannot stop the cluster's servers here, "" when they can."""
    if why_not := kube.trouble():
        return why_not
    if os.geteuid() != 0:
        return "needs root, to stop servers of the cluster"
    missing = [name for name in NEEDED if not _file(name).exists()]
    return f"needs a cluster on this machine; there is no {_file(missing[0])}" if missing else ""


def _file(name: str) -> Path:
    return Path(kube.kubeconfig()).parent / f"{name}.pid"


class Server:
    """One of them. `start` gives it the command line, environment, directory, output, network and priority that
    it had."""

    def __init__(self, name: str) -> None:
        self.name, self._file = name, _file(name)
        self._look()

    def _look(self) -> None:
        self._process = psutil.Process(int(self._file.read_text()))
        self._words, self._environ = self._process.cmdline(), self._process.environ()
        self._nice = self._process.nice()
        self._place, self._output = self._process.cwd(), os.readlink(f"/proc/{self._process.pid}/fd/1")
        self._network = os.open(f"/proc/{self._process.pid}/ns/net", os.O_RDONLY)

    def kill(self) -> None:
        """Without a chance to tidy up. What it started lives on."""
        self._process.kill()
        with suppress(psutil.TimeoutExpired):
            self._process.wait(20)

    def start(self) -> None:
        """Nothing if it runs."""
        with suppress(psutil.Error):
            if self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE:
                return
        with open(self._output, "ab") as output:
            made = subprocess.Popen(
                ["nsenter", f"--net=/proc/self/fd/{self._network}", *self._words], cwd=self._place, env=self._environ,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, pass_fds=[self._network],
            )  # fmt: skip
        self._file.write_text(f"{made.pid}\n")
        self._process = psutil.Process(made.pid)
        self._process.nice(self._nice)  # not that of the tests

    def option(self, name: str) -> str:
        """The word after `name` on its command line."""
        return self._words[self._words.index(name) + 1]

    def close(self) -> None:
        os.close(self._network)

    # -- a node's cable

    def cable(self, up: bool) -> None:
        """Plug or pull the cable between its network and this machine, at this end, so that its routes stay."""
        inside = ["nsenter", f"--net=/proc/self/fd/{self._network}", "ip", "-o", "link", "show", "eth0"]
        number = re.search(r"eth0@if(\d+)", _output(*inside, pass_fds=[self._network]))
        assert number, f"{self.name} has no cable"
        here = re.search(rf"^{number[1]}: ([^@:]+)", _output("ip", "-o", "link"), re.MULTILINE)
        assert here, f"the other end of the cable of {self.name} is not here"
        name = here[1]
        subprocess.run(["ip", "link", "set", name, "up" if up else "down"], check=True)


def _output(*words: str, **options) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True, **options).stdout


def api_answers() -> None:
    """Wait until the API server does."""
    from orchestrator.runtimes.kubernetes_api import Cluster

    eventually(
        lambda: Cluster("default", kube.kubeconfig()).page("nodes", {}), 60, "the API server answering", every=0.2
    )


def node_is(name: str, wanted: str, timeout: float = 60) -> float:
    """Wait until the node's Ready is `wanted` ("True", "Unknown"); returns when."""
    from orchestrator.runtimes.kubernetes_api import Cluster

    def ready() -> str:
        node = Cluster("default", kube.kubeconfig()).get("nodes", name)
        return next(one["status"] for one in node["status"]["conditions"] if one["type"] == "Ready")

    eventually(lambda: ready() == wanted, timeout, f"{name} having Ready {wanted}", every=0.3)
    return time.monotonic()
