"""Kubernetes as tests need it: whether a cluster is here, a namespace of one's own, images in its registry. Owns no Podium."""

import functools
import os
import secrets
from contextlib import suppress
from pathlib import Path

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

    def all(self, kind: str) -> list[dict]:
        return self.cluster.page(kind, {})["items"]

    def remove(self) -> None:
        with suppress(LookupError):
            self.ask("DELETE", f"/api/v1/namespaces/{self.name}")


def runtime(namespace: str, data: Path, **options):
    """The adapter under test, on a namespace."""
    from orchestrator.runtimes.kubernetes import KubernetesRuntime
    from orchestrator.runtimes.kubernetes_api import Cluster
    from orchestrator.runtimes.manifests import Options

    return KubernetesRuntime(Cluster(namespace, kubeconfig()), data, "test", Options(namespace, **options), grace=1.0)


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
