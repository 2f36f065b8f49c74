"""Podium installed on a cluster by its chart, with images made here; driven by its users through the in-cluster gateway. Owns the
release, its namespaces and volumes; of this machine it needs Docker, helm and kubectl."""

import json
import secrets
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import httpx

from tests.chart.kube import CHART, Failed, Kube, run, volumes_on_this_machine
from tests.space import Space
from tests.support import Loopback, bearer, eventually

ROOT = CHART.parents[1]
RELEASE = "podium"
SOCKET = Path("/var/run/docker.sock")
#: Small enough for the nodes of a test; the GPU flavour goes where GPUs are.
HARDWARE = """\
flavors:
  - {name: cpu-basic, cpu: 1, memory: 1 GB, disk: 5 GB}
  - name: a10g-small
    pretty_name: Nvidia A10G - small
    cpu: 1
    memory: 1 GB
    disk: 5 GB
    accelerator: Nvidia A10G
    count: 1
    node_selector: {nvidia.com/gpu.present: "true"}
    tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]
    price: 1.05
    allowed: request
"""


class Installed:
    """As far as `tests.space.Space` is concerned, a Podium like any other. `node_port`: of the gateway on every node; the one
    after it is the registry's, when Podium is to have its `own_registry`.
    `registry` has Podium's images, and else those of Spaces."""

    def __init__(
        self, kube: Kube, home: Path, node_port: int, base: str, registry: str, own_registry: bool = False
    ) -> None:
        self.own_registry = own_registry
        self.kube, self.home, self.port = kube, home, node_port
        self.base, self.registry = base, registry
        self.apps = f"{kube.namespace}-apps"
        self.url = f"http://localhost:{node_port}"
        self.owner, self.token = "demo", ""
        self.place = Path(tempfile.gettempdir()) / kube.namespace
        self.http = httpx.Client(base_url=self.url, transport=Loopback(), timeout=60)
        self.tag = ""

    # -- images

    def images(self) -> None:
        """Podium's own, and that of the trial's servers."""
        builds = ROOT / "runtime_images" / "podium" / "build.py"
        name = f"{self.registry}/podium:{secrets.token_hex(4)}"
        run(sys.executable, str(builds), "--base", self.base, "--tag", name, "--clients", "--push")
        self.tag = name.rpartition(":")[2]
        run(
            "docker",
            "build",
            "-q",
            "-t",
            self.servers,
            "--build-arg",
            f"BASE={self.base}",
            str(CHART.parents[1] / "tests/chart/servers"),
        )
        run("docker", "push", "-q", self.servers)

    @property
    def servers(self) -> str:
        return f"{self.registry}/podium-servers:1"

    # -- the release

    def up(self, **values: object) -> None:
        """Install, or upgrade what is there, and wait until everything is ready."""
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {
            "name": self.kube.namespace, "labels": {"kubernetes.io/metadata.name": self.kube.namespace}}}  # fmt: skip
        self.kube.apply(space)
        if not self.kube.has_storage():
            claims = [
                f"{RELEASE}-{one}" for one in ("data", "postgresql", *(["registry"] if self.own_registry else []))
            ]
            self.kube.apply(*volumes_on_this_machine(self.kube.namespace, self.place, claims))
        told = json.dumps(merged(self.values(), values))
        words = ("upgrade", "--install", RELEASE, str(CHART), "-f", "-", "--wait", "--timeout", "10m")
        self.kube.helm(*words, stdin=told)
        eventually(lambda: self.http.get("/readyz").status_code == 200, 60, "the console through the gateway")

    def values(self) -> dict:
        servers = {"enabled": True, "image": self.servers}
        host, _, port = self.registry.partition(":")
        values: dict = {
            "image": {"repository": f"{self.registry}/podium", "tag": self.tag},
            "publicUrl": self.url,
            "appsDomain": "localhost",
            "settings": {"base_image": self.base, "stop_grace": 2, "sleep_after": 3600},
            "hardware": HARDWARE,
            "gateway": {"service": {"type": "NodePort", "nodePort": self.port, "externalTrafficPolicy": "Cluster"}},
            "trial": {"postgresql": dict(servers), "redis": dict(servers)},
            "builder": self._engine(),
            "data": {"size": "10Gi"},
        }
        for part in ("control", "gateway", "builder", "migrate"):  # nodes of a test are small
            values.setdefault(part, {})["resources"] = {"requests": {"cpu": "20m", "memory": "64Mi"}}
        if self.own_registry:
            values["trial"]["registry"] = servers | {"nodePort": self.port + 1, "storage": "10Gi"}
        else:
            values["registry"] = {"url": f"{self.registry}/{self.kube.namespace}"}
            if host == "localhost":  # nodes have a mirror of that name, pods have not
                values["registry"]["podAddress"] = f"{self._this_machine()}:{port}"
        if not self.kube.has_storage():
            for one in (values["data"], values["trial"]["postgresql"], values["trial"].get("registry", {})):
                one["storageClass"] = self.kube.namespace
        if not self.kube.has_dns():
            values |= {"dnsPolicy": "Default"} | self._fixed(values)
        return values

    def _engine(self) -> dict:
        """Where no buildkitd image is to be had, builders use the Docker engine of their node, by its socket. That is as good as
        root on the node, and not for an installation that strangers push to."""
        if not SOCKET.exists():
            return {}
        volume = {"name": "engine", "hostPath": {"path": str(SOCKET), "type": "Socket"}}
        return {
            "extraVolumes": [volume],
            "extraVolumeMounts": [{"name": "engine", "mountPath": str(SOCKET)}],
            "supplementalGroups": [SOCKET.stat().st_gid],
        }

    def _this_machine(self) -> str:
        """The address at which pods reach this machine: the API server's, which runs here."""
        server = self.kube.kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}")
        return httpx.URL(server.strip()).host

    def _fixed(self, values: dict) -> dict:
        """Addresses that are known beforehand, and the names for them."""
        parts = ("control", *values["trial"])
        known = {
            one["metadata"]["name"]: one["spec"]["clusterIP"]
            for one in self.kube.items("services", "-l", f"app.kubernetes.io/instance={RELEASE}")
        }
        free = iter(self.kube.free_addresses(len(parts)))
        found = {part: known.get(f"{RELEASE}-{part}") or next(free) for part in parts}
        for part in values["trial"]:
            values["trial"][part]["clusterIP"] = found[part]
        names = [{"ip": address, "hostnames": [f"{RELEASE}-{part}"]} for part, address in found.items()]
        return {"hostAliases": names, "control": {"clusterIP": found["control"]}}

    def remove(self) -> None:
        """Everything, volumes and images on this machine too."""
        self.kube.helm("uninstall", RELEASE, "--ignore-not-found", "--wait")
        self.kube.kubectl("delete", "namespace", self.apps, self.kube.namespace, "--ignore-not-found", "--timeout=180s")
        self.kube.kubectl("delete", "pv", "-l", f"podium-installed-in={self.kube.namespace}", "--ignore-not-found")
        shutil.rmtree(self.place, ignore_errors=True)
        if self.tag:
            run("docker", "rmi", f"{self.registry}/podium:{self.tag}")

    def words(self) -> str:
        """What is there and what it said, for whoever must find out why it does not come up."""
        told = [self.kube.kubectl("get", "pods,events", "-o", "wide")]
        for part in ("control", "gateway", "builder", "postgresql"):
            with suppress(Failed):
                told.append(self.kube.kubectl("logs", f"deploy/{RELEASE}-{part}", "--all-containers", "--tail", "30"))
        return "\n".join(told)[-8000:]

    # -- users and Spaces

    def cli(self, *words: str) -> str:
        """`podium …` in a control plane."""
        return self.kube.kubectl("exec", f"deploy/{RELEASE}-control", "-c", "control", "--", "podium", *words)

    def user(self, name: str, admin: bool = False) -> str:
        """Make a user; returns the token."""
        return self.cli("user", "add", name, *(["--admin"] if admin else [])).strip().splitlines()[-1]

    def space(self, name: str) -> Space:
        return Space(self, self.owner, name, self.token)  # type: ignore[arg-type]

    def request(self, method: str, path: str, json: object = None, token: str | None = None) -> httpx.Response:
        return self.http.request(method, path, json=json, headers=bearer(token) if token else {})

    def nodes(self) -> set[str]:
        """Nodes that ready apps run on."""
        pods = self.kube.items("pods", "-n", self.apps)
        return {pod["spec"]["nodeName"] for pod in pods if _ready(pod)}

    def pods(self, part: str) -> list[str]:
        """Names of the ready pods of a part of Podium."""
        selector = f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component={part}"
        return [pod["metadata"]["name"] for pod in self.kube.items("pods", "-l", selector) if _ready(pod)]


def merged(values: dict, more: dict) -> dict:
    """As helm merges: dictionaries member by member."""
    both = {key: merged(values[key], more[key]) for key in values.keys() & more.keys() if isinstance(values[key], dict)}
    return values | more | both


def _ready(pod: dict) -> bool:
    conditions = pod["status"].get("conditions", ())
    going = "deletionTimestamp" in pod["metadata"]
    return not going and any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
