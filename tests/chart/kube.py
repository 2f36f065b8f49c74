"""The cluster as an installation needs it, through `kubectl` and `helm`: running them, and what this cluster lacks that others
have (DNS, storage). Owns no Podium."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

CHART = Path(__file__).parents[2] / "helm" / "podium"


class Failed(AssertionError):
    """A command failed; its words."""


def run(*words: str, stdin: str = "", timeout: float = 900, env: Mapping[str, str] | None = None) -> str:
    """Run a program and return its output. Raises Failed with what it said."""
    done = subprocess.run(
        words, input=stdin, capture_output=True, text=True, timeout=timeout, env={**os.environ, **(env or {})}
    )
    if done.returncode:
        raise Failed(f"{' '.join(words)[:300]}: {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


class Kube:
    """A cluster by its kubeconfig, and one namespace in it."""

    def __init__(self, kubeconfig: str, namespace: str) -> None:
        self.env = {"KUBECONFIG": kubeconfig}
        self.namespace = namespace

    def kubectl(self, *words: str, stdin: str = "", timeout: float = 300) -> str:
        return run("kubectl", "-n", self.namespace, *words, stdin=stdin, timeout=timeout, env=self.env)

    def helm(self, *words: str, stdin: str = "", timeout: float = 900) -> str:
        return run("helm", "-n", self.namespace, *words, stdin=stdin, timeout=timeout, env=self.env)

    def items(self, kind: str, *words: str) -> list[dict]:
        return json.loads(self.kubectl("get", kind, *words, "-o", "json"))["items"]

    def apply(self, *objects: dict) -> None:
        made = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "-f", "-", stdin=json.dumps(made))

    def has_dns(self) -> bool:
        return bool(self.items("services", "-A", "-l", "k8s-app=kube-dns"))

    def has_storage(self) -> bool:
        mark = "storageclass.kubernetes.io/is-default-class"
        return any(one["metadata"].get("annotations", {}).get(mark) == "true" for one in self.items("storageclasses"))

    def free_addresses(self, count: int) -> list[str]:
        """ClusterIPs beside the API server's that no Service has."""
        services = self.items("services", "-A")
        taken = {one["spec"].get("clusterIP") for one in services}
        api = next(one for one in services if one["metadata"]["name"] == "kubernetes")["spec"]["clusterIP"]
        first, second, *_ = api.split(".")
        free = (f"{first}.{second}.200.{last}" for last in range(10, 250))
        return [address for address in free if address not in taken][:count]


def volumes_on_this_machine(namespace: str, place: Path, claims: Sequence[str]) -> list[dict]:
    """PersistentVolumes for claims where the cluster makes none: directories that every node sees, because all nodes are this
    machine."""
    made = []
    for claim in claims:
        directory = place / claim
        directory.mkdir(parents=True, exist_ok=True)
        os.chown(directory, 1000, 1000)
        made.append(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": f"{namespace}-{claim}", "labels": {"podium-installed-in": namespace}},
                "spec": {
                    "storageClassName": namespace,
                    "capacity": {"storage": "100Gi"},
                    "accessModes": ["ReadWriteMany", "ReadWriteOnce"],
                    "persistentVolumeReclaimPolicy": "Retain",
                    "hostPath": {"path": str(directory)},
                    "claimRef": {"namespace": namespace, "name": claim, "kind": "PersistentVolumeClaim", "apiVersion": "v1"},
                },
            }
        )  # fmt: skip
    return made


def trouble(kubeconfig: str) -> str:
    """Why nothing can be installed here, "" when it can."""
    for program in ("helm", "kubectl", "docker"):
        if not shutil.which(program):
            return f"needs {program}"
    if not kubeconfig:
        return "needs a Kubernetes cluster, and KUBECONFIG"
    try:
        run("kubectl", "version", timeout=20, env={"KUBECONFIG": kubeconfig})
    except (Failed, subprocess.TimeoutExpired) as error:
        return f"needs a Kubernetes cluster that answers: {error}"
    return ""
