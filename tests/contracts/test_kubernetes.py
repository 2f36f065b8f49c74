"""What only a cluster has: places that are taken, nodes and images that are not there, an API server that goes away. On a real
one; what every runtime must do is in test_runtime.py."""

import json
import os
import secrets
import shutil
import tempfile
import time
import urllib.request
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.domain.hardware import Hardware, Toleration
from orchestrator.domain.seen import Image, InstanceState
from orchestrator.errors import Unavailable
from orchestrator.ports import LaunchSpec
from tests import containers, kube
from tests.support import eventually

MB = 1024**2
SERVE = """
import http.server, os
http.server.SimpleHTTPRequestHandler.log_message = lambda *_: None
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
ANYWHERE = (Toleration("nvidia.com/gpu", operator="Exists"),)
CPU = Hardware("cpu-basic", "CPU basic", 0.5, 100 * MB, 100 * MB, tolerations=ANYWHERE)
pytestmark = [pytest.mark.skipif(bool(kube.trouble()), reason=kube.trouble() or "-"), pytest.mark.timeout(600)]


class World:
    """A namespace, a runtime on it, and ways to launch small apps there."""

    def __init__(self, root: Path) -> None:
        self.root, self.data = root, root / "data"
        self.data.mkdir()
        self.namespace = kube.Namespace()
        self.runtime = self.open()
        self.opened = [self.runtime]
        self.given: list[tuple[str, str]] = []

    def open(self, **more):
        return kube.runtime(self.namespace.name, self.data, **more)

    def another(self, **more):
        made = self.open(**more)
        self.opened.append(made)
        return made

    def give(self, node: str, count: int) -> Hardware:
        """A flavour with an accelerator that only this test has."""
        resource = f"example.com/gpu-{secrets.token_hex(3)}"
        self.namespace.give(node, resource, count)
        self.given.append((node, resource))
        return replace(CPU, name="gpu", accelerator="GPU", resource=resource, count=1)

    def spec(self, code: str, name: str = "s-abc-1", hardware: Hardware = CPU, **image) -> LaunchSpec:
        reference = image.pop("reference", None) or self.image(f"FROM {containers.runtime_image()}\n")
        argv = image.pop("argv", ("/opt/podium/python", "-u", "-c", code))
        made = Image("sha", "gradio", argv, {"PORT": "{port}"}, reference=reference, **image)
        return LaunchSpec(name, name.split("-")[1], "key", made, hardware, {})

    def image(self, dockerfile: str) -> str:
        place = Path(tempfile.mkdtemp(dir=self.root))
        (place / "Dockerfile").write_text(dockerfile)
        return kube.push(containers.docker("build", "-q", "--label", "podium.test=1", str(place)))

    def launch(self, code: str = SERVE, **more) -> str:
        spec = self.spec(code, **more)
        self.runtime.launch(spec)
        return spec.instance_id

    def see(self, name: str = "s-abc-1", runtime=None):
        return next((one for one in (runtime or self.runtime).list() if one.id == name), None)

    def until(self, state: InstanceState, name: str = "s-abc-1", timeout: float = 60, runtime=None):
        return eventually(lambda: (one := self.see(name, runtime)) and one.state is state and one, timeout, f"{state}")

    def pods(self, name: str = "s-abc-1") -> list[dict]:
        return [one for one in self.namespace.all("pods") if one["metadata"]["labels"]["podium/instance"] == name]

    def log(self, name: str = "s-abc-1") -> list[str]:
        path = self.data / "logs" / "run" / f"{name}.log"
        return [line.partition(" ")[2] for line in path.read_text().splitlines()] if path.exists() else []

    def close(self) -> None:
        for one in self.runtime.list():
            self.runtime.stop(one.id)
        eventually(lambda: self.runtime.list() == [], 60)
        for one in self.opened:
            one.close()
        for node, resource in self.given:
            self.namespace.give(node, resource, 0)
        self.namespace.remove()


@pytest.fixture
def world():
    root = Path(tempfile.mkdtemp(prefix="podium-test-"))
    root.chmod(0o755)
    made = World(root)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(root)


# ---------------------------------------------------------------------------------------------------------- places


def test_a_gpu_app_runs_where_the_gpus_are_and_the_next_one_waits_its_turn(world):
    gpu = world.give("node-2", 2)
    first = world.launch(name="s-one-1", hardware=replace(gpu, count=2))
    world.until(InstanceState.READY, first)
    (pod,) = world.pods(first)
    assert pod["spec"]["nodeName"] == "node-2"
    second = world.launch(name="s-two-1", hardware=gpu)
    eventually(lambda: world.see(second).waiting, 10)
    told = eventually(lambda: (said := world.see(second).waiting).startswith("waiting for a GPU") and said, 10)
    assert told.startswith("waiting for a GPU: 0 of 2 nodes fit (") and "no GPU free" in told and "ahead" not in told
    third = world.launch(name="s-three-1", hardware=gpu)
    eventually(lambda: world.see(third).waiting.endswith("1 ahead of it"), 10)
    assert world.see(second).startup_timeout >= 1800.0, "a wait for a place is not the app's startup"
    world.runtime.stop(first)
    for name in (second, third):
        world.until(InstanceState.READY, name)


def test_what_no_node_will_ever_fit_is_said_with_the_largest(world):
    gpu = world.give("node-2", 4)
    name = world.launch(hardware=replace(gpu, count=8))
    assert eventually(lambda: world.see(name).waiting, 10) == "no node has 8 GPUs; the largest has 4"


def test_a_selector_that_no_node_has(world):
    name = world.launch(hardware=replace(CPU, node_selector={"no-such": "label"}))
    told = eventually(lambda: world.see(name).waiting, 10)
    assert told.startswith("waiting for a place: 0 of 2 nodes fit (") and "of another kind" in told


def test_a_full_quota_is_said(world):
    quota = {"metadata": {"name": "cap"}, "spec": {"hard": {"pods": "0"}}}
    world.namespace.cluster.create("resourcequotas", {"apiVersion": "v1", "kind": "ResourceQuota", **quota})
    name = world.launch()
    told = eventually(lambda: world.see(name).waiting, 20)
    assert "quota 'cap'" in told and "pods=0" in told


# ---------------------------------------------------------------------------------------------------------- images


def test_an_image_that_does_not_come_is_said_and_left_to_whoever_launches_again(world):
    name = world.launch(reference=f"localhost:5999/app@sha256:{'0' * 64}")
    one = eventually(
        lambda: (one := world.see(name)).waiting == "the registry does not answer; trying again" and one, 20
    )
    assert one.state is InstanceState.STARTING
    eventually(lambda: world.see(name) is None, 60)
    world.launch()
    world.until(InstanceState.READY, name)


def test_an_authors_own_image(world):
    own = world.image(f"FROM {containers.base()}\nWORKDIR /tmp\nCMD python3 -m http.server 8080\n")
    world.runtime.launch(world.spec("", argv=(), reference=own, port=8080))
    assert world.until(InstanceState.READY).address.endswith(":8080")
    exits = world.image(f"FROM {containers.base()}\nCMD echo last words; exit 3\n")
    world.runtime.launch(world.spec("", "s-two-1", argv=(), reference=exits))
    assert world.until(InstanceState.EXITED, "s-two-1").fault.message == "the app exited with code 3: last words"
    eventually(lambda: "last words" in world.log("s-two-1"))
    missing = world.image(f'FROM {containers.base()}\nCMD ["/no/such/program"]\n')
    world.runtime.launch(world.spec("", "s-three-1", argv=(), reference=missing))
    fault = world.until(InstanceState.EXITED, "s-three-1").fault
    assert "could not be started" in fault.message and "/no/such/program" in fault.message


# ------------------------------------------------------------------------------------------------------------- ends


def test_a_pod_that_somebody_deletes_is_replaced_and_is_no_fault_of_the_app(world):
    name = world.launch()
    before = world.until(InstanceState.READY)
    (pod,) = world.pods()
    world.namespace.cluster.delete("pods", pod["metadata"]["name"], grace=0)
    eventually(lambda: world.see(name).state is InstanceState.STARTING and world.see(name).address == "", 20)
    after = world.until(InstanceState.READY)
    assert after.address != before.address and after.fault is None


def test_an_app_is_not_run_a_second_time_by_the_cluster(world):
    name = world.launch("print('begun'); import sys; sys.exit(5)")
    assert world.until(InstanceState.EXITED).fault.message == "the app exited with code 5: begun"
    eventually(lambda: world.pods()[0]["status"]["containerStatuses"][0]["restartCount"] == 1, 20)
    eventually(lambda: "running" in world.pods()[0]["status"]["containerStatuses"][0]["state"], 30)
    assert world.log(name).count("begun") == 1
    assert world.see(name).state is InstanceState.EXITED


def test_an_app_that_fills_its_disk_is_told_so(world):
    code = f"{'fill'!r}\nfor n in range(30):\n    open(f'/tmp/{{n}}', 'wb').write(bytes(10_000_000))\n{SERVE}"
    name = world.launch(code)
    assert world.until(InstanceState.EXITED, name, 60).fault.code == "APP_DISK"


# ------------------------------------------------------------------------------------------------- Podium comes and goes

COUNTING = f"""
import os, threading, time
def count():
    n = 0
    while True:
        n += 1
        os.write(1, b"line %d\\n" % n)
        time.sleep(0.01)
threading.Thread(target=count, daemon=True).start()
{SERVE}"""


def counted(world) -> list[int]:
    return [int(line.split()[1]) for line in world.log() if line.startswith("line ")]


def test_a_log_has_each_line_once_through_restarts_and_broken_streams(world):
    world.launch(COUNTING)
    world.until(InstanceState.READY)
    for _ in range(3):
        last = eventually(lambda: counted(world)[-1])
        world.runtime._cluster.close()  # every stream breaks
        eventually(lambda last=last: counted(world)[-1] > last + 50, 30)
    world.runtime.close()
    world.runtime = world.another()
    last = counted(world)[-1]
    eventually(lambda: counted(world)[-1] > last + 50, 30)
    lines = counted(world)
    assert lines == list(range(1, lines[-1] + 1))


def test_each_replica_has_its_own_lines_once_through_a_restart(world):
    world.launch(COUNTING)
    world.runtime.scale(world.until(InstanceState.READY).id, 2)

    def of_each() -> dict[str, list[int]]:
        """What replicas have counted, by the mark of their lines; "" while there was one."""
        told: dict[str, list[int]] = {}
        for mark, _, number in (line.partition("line ") for line in world.log() if "line " in line):
            told.setdefault(mark, []).append(int(number.split()[0]))
        return told

    def both(more: int) -> dict[str, list[int]] | None:
        told = of_each()
        marked = [numbers for mark, numbers in told.items() if mark]
        return told if len(marked) == 2 and all(len(numbers) > more for numbers in marked) else None

    before = eventually(lambda: both(30), 60)
    world.runtime.close()
    world.runtime = world.another()
    most = max(map(len, before.values()))
    told = eventually(lambda: both(most + 100), 60)
    alone = told.pop("")
    new, old = sorted(told.values())  # one has counted from its begin, one goes on where it was when it was alone
    assert new == list(range(1, new[-1] + 1)) and alone + old == list(range(1, old[-1] + 1))


def test_two_control_planes_see_the_same_and_write_the_log_once(world):
    other = world.another()
    world.launch(COUNTING)
    here, there = world.until(InstanceState.READY), world.until(InstanceState.READY, runtime=other)
    assert (here.address, here.ready_at, here.started_at) == (there.address, there.ready_at, there.started_at)
    world.runtime.close()  # who wrote the log; the other goes on
    last = counted(world)[-1]
    eventually(lambda: counted(world)[-1] > last + 100, 30)
    world.runtime = other
    lines = counted(world)
    assert lines == list(range(1, lines[-1] + 1))
    other.launch(world.spec(SERVE))
    assert len(other.list()) == 1


def test_no_answer_from_the_api_server_is_no_empty_list(world, monkeypatch):
    shim = kube.shimmed(world.root / "kubeconfig")
    try:
        monkeypatch.setattr("orchestrator.runtimes.kubernetes._STALE", 4.0)
        monkeypatch.setattr("orchestrator.runtimes.kubernetes_api.SLACK", 1.0)
        through = world.another(config=str(world.root / "kubeconfig"), length=2.0)
        world.launch()
        ready = world.until(InstanceState.READY, runtime=through)
        for mode in ("refuse", "hang"):
            shim.set(mode)
            assert [one.address for one in through.list()] == [ready.address], "a moment's silence changes nothing"
            began = time.monotonic()
            with pytest.raises(Unavailable):
                through.launch(world.spec(SERVE, "s-two-1"))
            with pytest.raises(Unavailable):
                through.stop("s-abc-1")
            assert time.monotonic() - began < 40
            eventually(lambda: _raises(through.list), 30)
            shim.set("open")
            eventually(lambda: len(through.list()) == 1, 60)
            assert through.list()[0].address == ready.address
        assert len(world.runtime.list()) == 1
    finally:
        shim.close()


def _raises(call) -> bool:
    try:
        call()
    except Unavailable:
        return True
    return False


def test_at_rest_the_api_server_is_asked_little(world, monkeypatch):
    asked = []
    through = world.another()
    send = through._cluster._send
    world.launch()
    world.until(InstanceState.READY, runtime=through)
    time_began = time.monotonic()
    through._cluster._send = lambda *words: (asked.append(words[1]), send(*words))[1]
    eventually(lambda: time.monotonic() - time_began > 20, 30)
    assert len(asked) <= 6, asked


# ---------------------------------------------------------------------------------------------------------- replicas

NAMED = """
import http.server, os, threading, uuid
name = uuid.uuid4().hex
class Say(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/die":
            os._exit(7)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(name.encode())
    log_message = lambda *_: None
print("here is", name, flush=True)
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Say).serve_forever()
"""


def say(address: str, path: str = "/") -> str:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
        f"http://{address}{path}", timeout=5
    ) as answer:
        return answer.read().decode()


def test_replicas_come_and_go_while_the_first_one_goes_on(world):
    world.launch(NAMED)
    first = world.until(InstanceState.READY)
    name = say(first.address)
    world.runtime.scale(first.id, 3)

    def answering(count: int, waiting: str = ""):
        one = world.see()
        return one.state is InstanceState.READY and len(one.addresses) == count and waiting in one.waiting and one

    three = eventually(lambda: answering(3), 60)
    assert (three.asked, three.started_at, three.ready_at) == (3, first.started_at, first.ready_at)
    names = {say(address) for address in three.addresses}
    assert len(names) == 3 and name in names and three.addresses[0] == first.address
    assert [one.waiting for one in three.replicas] == [False] * 3
    assert {held.instance_id for node in world.runtime.capacity() for held in node.held if held.space_id == "abc"} == {
        "s-abc-1"
    }

    with suppress(OSError):
        say(three.addresses[1], "/die")
    two = eventually(lambda: answering(2), 20)
    assert three.addresses[1] not in two.addresses and "one ended: the app exited with code 7" in two.waiting
    again = eventually(lambda: answering(3), 60)
    another = say(again.addresses[2])
    assert again.addresses[0] == first.address and another not in names, "another in its place"
    # A cluster may start the one that ended once more before it is replaced, and that one speaks too.
    said = eventually(lambda: (told := spoken(world, *names, another)) and len(told) == 4 and told, 10)
    marks = [said.pop(name), *sorted(said.values())]
    assert marks[0] == "" and len(set(marks)) == 4, "the first was alone when it spoke; the others say who they are"
    assert {mark[1:6] for mark in said.values()} >= {
        one["metadata"]["name"][-5:] for one in living(world) if one["status"]["podIP"] not in first.address
    }

    (gone,) = [one for one in world.pods() if one["status"]["podIP"] in again.addresses[2]]
    world.namespace.cluster.delete("pods", gone["metadata"]["name"], grace=0)
    eventually(lambda: answering(2), 20)
    other = eventually(lambda: answering(3), 60)
    assert other.addresses[:2] == again.addresses[:2]

    world.runtime.scale(first.id, 1, drain=2.0)
    assert world.see().addresses == (first.address,), "those that go are in no address any more"
    assert len(living(world)) == 3, "and have time to finish"
    eventually(lambda: len(world.pods()) == 1, 30)
    assert say(first.address) == name and world.see().replicas[0].address == first.address
    assert world.see().asked == 1 and len(world.namespace.all("deployments")) == 1
    with suppress(OSError):
        say(first.address, "/die")
    assert world.until(InstanceState.EXITED).fault.message.startswith("the app exited with code 7")


def spoken(world, *names: str) -> dict[str, str]:
    """What stands before the words of each that has spoken once."""
    lines = [line.partition("here is ") for line in world.log() if "here is " in line]
    told = {name: mark for mark, _, name in lines if name in names}
    return told if len(lines) == len(set(lines)) else {}


def living(world) -> list[dict]:
    return [one for one in world.pods() if "deletionTimestamp" not in one["metadata"]]


# ---------------------------------------------------------------------------------------------------------- volumes


def test_a_volume_outlives_its_instances_and_goes_with_the_space(world):
    place = world.root / "volume"
    place.mkdir()
    os.chown(place, 1000, 1000)
    pv = f"/api/v1/persistentvolumes/{world.namespace.name}"
    spec = {
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": world.namespace.name,
        "hostPath": {"path": str(place)}, "persistentVolumeReclaimPolicy": "Retain",
    }  # fmt: skip
    about = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": world.namespace.name}, "spec": spec}
    world.namespace.ask("POST", "/api/v1/persistentvolumes", about)
    try:
        world.runtime.close()
        world.runtime = world.another(storage="1Gi", storage_class=world.namespace.name)
        world.launch("open('/data/kept', 'w').write('yes')\n" + SERVE, name="s-abc-1")
        world.until(InstanceState.READY, "s-abc-1")
        world.runtime.stop("s-abc-1")
        eventually(lambda: world.runtime.list() == [], 60)
        world.launch("print(open('/data/kept').read())\n" + SERVE, name="s-abc-2")
        world.until(InstanceState.READY, "s-abc-2")
        eventually(lambda: "yes" in world.log("s-abc-2"))
        assert [one["metadata"]["name"] for one in world.namespace.all("persistentvolumeclaims")] == ["data-abc"]
        world.runtime.stop("s-abc-2")
        eventually(lambda: world.runtime.list() == [], 60)
        world.runtime.forget_space("abc")
        eventually(lambda: world.namespace.all("persistentvolumeclaims") == [], 30)
    finally:
        world.namespace.ask("DELETE", pv)


def test_what_the_cluster_refuses_is_an_end_with_its_words(world):
    name = world.launch(reference="Not A Name")
    one = world.see(name)
    if one.state is not InstanceState.EXITED:  # some clusters let it in, and no node can fetch it
        one = world.until(InstanceState.EXITED, name)
    assert "image" in one.fault.message.lower()
    world.runtime.stop(name)
    eventually(lambda: world.runtime.list() == [], 60)


def test_secrets_go_with_their_instance(world):
    world.launch()
    eventually(lambda: [s for s in world.namespace.all("secrets") if s["metadata"].get("ownerReferences")], 10)
    made = json.dumps([*world.namespace.all("deployments"), *world.pods()])
    assert "LAUNCH_SPEC" not in made
    world.runtime.stop("s-abc-1")
    eventually(lambda: not [s for s in world.namespace.all("secrets") if s["type"] == "Opaque"], 60)
