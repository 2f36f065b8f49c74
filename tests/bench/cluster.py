"""Podium on Kubernetes and on Docker: a push of code only and a wake, beside what the cluster (or engine) needs for a trivial pod
(or container) and what the app needs to boot by itself, all in one run; and what the cluster is asked and holds while thousands
of Spaces sleep. Not measured where there is no cluster or engine."""

import http.client
import http.server
import secrets
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median

import httpx
import yaml

from tests import containers, kube
from tests.bench import control, rig
from tests.bench.figures import Figure
from tests.e2e import probe
from tests.podium import Podium
from tests.space import Space
from tests.support import eventually, free_port

ROUNDS = 3
SLEEPERS, RUNNING = 2_000, 30
QUIET = 60.0  #: seconds of nothing
PAGE = {"README.md": "---\nsdk: static\n---\n", "index.html": "<p>page"}
#: Answers as soon as a process of this image can.
TRIVIAL = """import socket
server = socket.create_server(("0.0.0.0", {port}))
while True: server.accept()[0].sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\nhere")"""


def run(_: object, folder: Path) -> list[Figure]:
    figures = []
    if why := kube.trouble():
        print(f"(Kubernetes not measured: {why})", end=" ")
    else:
        figures += kubernetes(folder / "kubernetes")
    if why := containers.trouble():
        print(f"(Docker not measured: {why})", end=" ")
    else:
        figures += docker(folder / "docker")
    return figures


# ---------------------------------------------------------------------------------------------------------- kubernetes


def kubernetes(folder: Path) -> list[Figure]:
    folder.mkdir()
    namespace, door = kube.Namespace(), Door(folder / "kubeconfig")
    settings = {
        "runtime": "kubernetes", "base_image": containers.base(), "registry": f"{kube.REGISTRY}/podium-test",
        "kubeconfig": str(door.path), "kube_namespace": namespace.name, "kube_share": "0.01",
    }  # fmt: skip
    try:
        with rig.podium(folder / "podium", **settings) as podium:
            figures = fast(podium, "Kubernetes", lambda image: pod_floor(namespace, image), limits=(2.0, 0.5))
            return figures + crowd(podium, namespace, door)
    finally:
        namespace.remove()
        door.close()


def pod_floor(namespace: kube.Namespace, image: str) -> float:
    """Seconds from creating a pod of the app's own image until a trivial process in it answers."""
    name, port = f"floor-{secrets.token_hex(3)}", 8000
    container = {"name": "c", "image": image, "command": ["python3", "-S", "-c", TRIVIAL.format(port=port)]}
    body = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0, "restartPolicy": "Never"},
    }  # fmt: skip
    pods = f"/api/v1/namespaces/{namespace.name}/pods"
    began, address = time.monotonic(), ""

    def answers() -> bool:
        nonlocal address
        address = address or namespace.ask("GET", f"{pods}/{name}")["status"].get("podIP", "")
        return bool(address) and httpx.get(f"http://{address}:{port}/", timeout=2).text == "here"

    namespace.ask("POST", pods, body)
    eventually(answers, 60, "a trivial pod answering", every=0.03)
    took = time.monotonic() - began
    namespace.ask("DELETE", f"{pods}/{name}")
    return took


def crowd(podium: Podium, namespace: kube.Namespace, door: "Door") -> list[Figure]:
    """What thousands that sleep, and a few that run, cost the cluster."""
    awake = [podium.space(f"awake-{number}") for number in range(RUNNING)]
    for one in awake:
        one.push(files=PAGE)
    for one in awake:
        one.wait("RUNNING", timeout=600)
    podium.stop()
    control.sleepers(podium.data, podium.owner, SLEEPERS)
    podium.start()
    for one in awake:  # a plain stop took the pods along
        one.wait("RUNNING", timeout=600)
    idle = control.idle(podium)
    door.asked.clear()
    end = time.monotonic() + QUIET
    eventually(lambda: time.monotonic() > end, QUIET + 5, every=0.5)
    asked = Counter(door.asked)
    held = {kind: len(namespace.all(kind)) for kind in ("deployments", "pods", "secrets", "services", "configmaps")}
    ours = {kind: count for kind, count in held.items() if kind not in ("configmaps", "secrets")}
    for one in awake:
        one.delete()
    what = f"{SLEEPERS} sleeping and {RUNNING} running Spaces; "
    return [
        Figure("requests to the API server at rest", sum(asked.values()) * 60 / QUIET, 60, "1/min", what + str(dict(asked))),
        Figure("objects of the cluster per running Space", sum(ours.values()) / RUNNING, 2, "", what + str(held)),
        Figure("CPU at rest, Kubernetes", idle, 1.0, "% of a core", what + f"over {control.QUIET:g} s, all of Podium"),
    ]  # fmt: skip


class Door(http.server.ThreadingHTTPServer):
    """Plain HTTP in, the API server behind, and a list of what was asked. `path`: a kubeconfig that leads here."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Passed)
        self.asked: list[str] = []
        from kubernetes import client, config

        there = client.Configuration()
        config.load_kube_config(kube.kubeconfig(), client_configuration=there)
        self.there = httpx.URL(there.host)
        self.tls = ssl.create_default_context(cafile=there.ssl_ca_cert)
        if there.cert_file:
            self.tls.load_cert_chain(there.cert_file, there.key_file)
        self.token = there.get_api_key_with_prefix("authorization") or ""
        self.path = path
        cluster = {"name": "x", "cluster": {"server": f"http://127.0.0.1:{self.server_port}"}}
        context = {"name": "x", "context": {"cluster": "x", "user": "x"}}
        about = {"apiVersion": "v1", "kind": "Config", "current-context": "x", "users": [{"name": "x", "user": {}}]}
        path.write_text(yaml.safe_dump(about | {"clusters": [cluster], "contexts": [context]}))
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class _Passed(http.server.BaseHTTPRequestHandler):
    """One request, handed on and counted."""

    def _pass(self) -> None:
        door: Door = self.server  # type: ignore[assignment]
        kind = "watch" if "watch=true" in self.path else "log" if "/log?" in self.path else "list or get"
        door.asked.append(kind if self.command == "GET" else self.command)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name: self.headers[name] for name in ("accept", "content-type") if name in self.headers}
        if door.token:
            headers["authorization"] = door.token
        there = http.client.HTTPSConnection(door.there.host, door.there.port, context=door.tls, timeout=400)
        with suppress(OSError):
            there.request(self.command, self.path, body or None, headers)
            answer = there.getresponse()
            self.send_response_only(answer.status)
            self.send_header("Content-Type", answer.getheader("content-type", ""))
            self.send_header("Connection", "close")
            self.end_headers()
            while block := answer.read1(65536):
                self.wfile.write(block)
                self.wfile.flush()
        there.close()

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _pass

    def log_message(self, *_: object) -> None:
        pass


# -------------------------------------------------------------------------------------------------------------- docker


def docker(folder: Path) -> list[Figure]:
    folder.mkdir()
    podium = Podium(folder / "podium", runtime="docker", base_image=containers.base())
    figures: list[Figure] = []
    for one in containers.boxed(podium):
        figures = fast(one, "Docker", run_floor, limits=(0.0, 0.5))
    return figures


def run_floor(image: str) -> float:
    """Seconds from `docker run` of the app's own image until a trivial process in it answers."""
    port, name = free_port(), f"podium-bench-{secrets.token_hex(3)}"
    words = ["-d", "--rm", "--name", name, "-p", f"127.0.0.1:{port}:8000", "--entrypoint", "python3", image]
    began = time.monotonic()
    containers.docker("run", *words, "-S", "-c", TRIVIAL.format(port=8000))
    try:
        eventually(lambda: httpx.get(f"http://127.0.0.1:{port}/", timeout=2).text == "here", 60, every=0.02)
        return time.monotonic() - began
    finally:
        containers.docker("rm", "-f", name)


# ---------------------------------------------------------------------------------------------------------------- both


def fast(podium: Podium, where: str, floor, limits: tuple[float, float]) -> list[Figure]:
    """Pushes of code only and wakes of an app that boots in a second or two. `limits`: seconds that a push and a wake may take
    beside floor and boot; 0 for what has no limit here."""
    space = podium.space(f"bench-{where.lower()}")
    push(space, "1", 400)
    pushes, wakes, floors, boots, work = [], [], [], [], []
    for version in map(str, range(2, 2 + ROUNDS)):
        pushes.append(rig.seconds(lambda version=version: push(space, version)))
        space.wait("RUNNING")
        work.append(image_work(space))
        space.sleep_after(2)
        space.wait("SLEEPING")
        with image_of(podium, space) as image:
            floors.append(floor(image))
            boots.append(boot(image))
        wakes.append(rig.seconds(lambda version=version: wake(space, version)))
        space.sleep_after(3600)
    space.delete()
    beside = f"floor {median(floors):.2f} s, the app's boot {median(boots):.2f} s, medians of {ROUNDS}"
    base = median(floors) + median(boots)
    figures = [
        Figure(f"wake, {where}", median(wakes), base + limits[1], "s", f"{beside}; limit: both + {limits[1]:g} s")
    ]
    if limits[0]:
        figures.append(
            Figure(
                f"code-only push, {where}",
                median(pushes),
                base + limits[0],
                "s",
                f"{beside}; limit: both + {limits[0]:g} s",
            )
        )
        figures.append(Figure(f"image work of that push, {where}", median(work), 0.7, "s", "reading, files and push"))
    return figures


def push(space: Space, version: str, timeout: float = 100) -> None:
    app = probe.code(version).replace('host="127.0.0.1"', 'host="0.0.0.0"')
    probe.push(space, version, app_py=app)
    eventually(lambda: probe.ask(space) == version, timeout, f"version {version}")


def wake(space: Space, version: str) -> None:
    with space.client(timeout=180) as client:
        assert client.get("/version").text == version, "the held request was not answered by the app"


def image_work(space: Space) -> float:
    last = space.api("GET", "/builds").json()[0]
    return sum(last["phases"].get(name, 0.0) for name in ("clone", "files", "push"))


@contextmanager
def image_of(podium: Podium, space: Space) -> Iterator[str]:
    """Reference of the image that the Space runs."""
    from orchestrator.settings import Settings
    from orchestrator.store.engine import Store

    store = Store(Settings(data=podium.data).database)
    try:
        with store.read() as tx:
            found = tx.spaces.find(space.owner, space.name)
            good = tx.builds.of(found.id, 1)[0]
        yield good.image.reference
    finally:
        store.close()


def boot(image: str) -> float:
    """Seconds from `python app.py` in a container that is there already until the app answers."""
    port, name = free_port(), f"podium-bench-{secrets.token_hex(3)}"
    words = ["-d", "--rm", "--name", name, "--network", "host", "--entrypoint", "sleep", image, "600"]
    containers.docker("run", *words)
    try:
        environ = ["-e", f"GRADIO_SERVER_PORT={port}", "-w", "/app"]
        began = time.monotonic()
        containers.docker("exec", "-d", *environ, name, "python", "app.py")
        eventually(lambda: httpx.get(f"http://127.0.0.1:{port}/version", timeout=5).status_code == 200, 60)
        return time.monotonic() - began
    finally:
        containers.docker("rm", "-f", name)
