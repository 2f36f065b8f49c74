"""Kubernetes as tests need it: whether a cluster is here, a namespace of one's own, images in its registry. Owns no Podium."""

import functools
import os
import secrets
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from tests import containers

REGISTRY = os.environ.get("PODIUM_TEST_REGISTRY", "localhost:5000")
_KUBECONFIGS = (
    os.environ.get("PODIUM_TEST_KUBECONFIG", ""), os.environ.get("KUBECONFIG", ""), "/var/lib/kube-test/admin.conf",
)  # fmt: skip


def kubeconfig() -> str:
    """Path of an admin's kubeconfig, "" if there is none."""
    return next((path for path in _KUBECONFIGS if path and os.path.exists(path)), "")


@functools.cache
def trouble() -> str:
    """Why tests cannot use Kubernetes here, "" when they can."""
    try:
        from orchestrator.runtimes.kubernetes_api import Cluster
    except ImportError:
        return "needs the Python package kubernetes"
    if why_not := containers.trouble():
        return why_not
    if not kubeconfig():
        return "needs a Kubernetes cluster, and PODIUM_TEST_KUBECONFIG"
    try:
        Cluster("default", kubeconfig()).page("nodes", {})
    except Exception as error:
        return f"needs a Kubernetes cluster that answers: {error}"
    return ""


class Namespace:
    """A namespace of its own, removed afterwards with all that is in it."""

    def __init__(self) -> None:
        from orchestrator.runtimes.kubernetes_api import Cluster

        self.name = f"podium-test-{secrets.token_hex(4)}"
        self.cluster = Cluster(self.name, kubeconfig())
        about = {"name": self.name, "labels": {"podium-test": "1"}}
        self.ask("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": about})

    def ask(self, method: str, path: str, body: dict | None = None) -> dict:
        return self.cluster._ask(method, path, (), body)

    def give(self, node: str, resource: str, count: int) -> None:
        """Let a node advertise an accelerator that nobody else's tests ask for; 0 takes it away."""
        change = {"status": {part: {resource: str(count) if count else None} for part in ("capacity", "allocatable")}}
        self.ask("PATCH", f"/api/v1/nodes/{node}/status", change)

    def all(self, kind: str) -> list[dict]:
        group = "/apis/apps/v1" if kind in ("deployments", "replicasets") else "/api/v1"
        return self.ask("GET", f"{group}/namespaces/{self.name}/{kind}")["items"]

    def remove(self) -> None:
        with suppress(LookupError):
            self.ask("DELETE", f"/api/v1/namespaces/{self.name}")


def runtime(namespace: str, data: Path, config: str = "", length: float = 45.0, **options):
    """The adapter under test, on a namespace."""
    from orchestrator.runtimes.kubernetes import KubernetesRuntime
    from orchestrator.runtimes.kubernetes_api import Cluster
    from orchestrator.runtimes.manifests import Options

    cluster = Cluster(namespace, config or kubeconfig())
    options.setdefault("share", 0.05)  # others test on these nodes too
    return KubernetesRuntime(cluster, data, "test", Options(namespace, **options), grace=1.0, length=length)


def image_of(source: Path) -> str:
    """Reference, by digest, of an image with the files of `source` as the app's."""
    return push(containers.image_of(source))


def push(image: str) -> str:
    name = f"{REGISTRY}/podium-test/app:{image.removeprefix('sha256:')[:24]}"
    containers.docker("tag", image, name)
    containers.docker("push", "-q", name)
    digests = containers.docker("image", "inspect", "--format", '{{join .RepoDigests " "}}', image).split()
    containers.docker("rmi", "--no-prune", name)
    return next(one for one in digests if one.startswith(f"{REGISTRY}/"))


class Shim:
    """A door to the API server that can be slammed: `mode` is open, refuse (resets), hang (accepts and says nothing), or
    garbage (answers, but not in its language)."""

    path = Path()

    def __init__(self, host: str, port: int) -> None:
        self.mode, self._there = "open", (host, port)
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = self._door.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def set(self, mode: str) -> None:
        """Also breaks what is under way, unless it hangs: then it just stops."""
        self.mode = mode
        if mode != "hang":
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            self._open.clear()

    def close(self) -> None:
        self.set("refuse")
        self._door.close()

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._door.accept()
            except OSError:
                return
            if self.mode == "refuse":
                here.close()
                continue
            if self.mode == "garbage":
                with suppress(OSError):
                    here.sendall(b"\x15\x03HTTP/1.1 200 OK\r\n\r\n{" + secrets.token_bytes(40))
                here.close()
                continue
            self._open.append(here)
            threading.Thread(target=self._serve, args=(here,), daemon=True).start()

    def _serve(self, here: socket.socket) -> None:
        with suppress(OSError):
            there = socket.create_connection(self._there)
            self._open.append(there)
            threading.Thread(target=self._pump, args=(there, here), daemon=True).start()
            self._pump(here, there)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while block := source.recv(65536):
                if self.mode == "hang":
                    self._wait()
                sink.sendall(block)
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _wait(self) -> None:
        while self.mode == "hang":
            time.sleep(0.02)


def shimmed(path: Path) -> Shim:
    """A shim, and a kubeconfig at its `path` that leads through it."""
    about = yaml.safe_load(Path(kubeconfig()).read_text())
    there = urlsplit(about["clusters"][0]["cluster"]["server"])
    shim = Shim(there.hostname or "", there.port or 443)
    shim.path = path
    about["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{shim.port}"
    path.write_text(yaml.safe_dump(about))
    return shim
