"""`podium up --runtime kubernetes`: Spaces are images in a registry and pods of a real cluster; all else is as without."""

import pytest

from tests import containers, kube
from tests.e2e import probe
from tests.e2e.test_docker import push
from tests.podium import Podium
from tests.space import App
from tests.support import Prober, eventually

#: Small enough for a cluster that others test on too, and at home on its GPU node as well.
HARDWARE = """
flavors:
  - name: cpu-basic
    cpu: 0.1
    memory: 1 GB
    disk: 1 GB
    tolerations: [{key: nvidia.com/gpu, operator: Exists}]
  - name: a10g-small
    pretty_name: Nvidia A10G
    cpu: 0.1
    memory: 1 GB
    disk: 1 GB
    accelerator: Nvidia A10G
    node_selector: {nvidia.com/gpu.present: "true"}
    tolerations: [{key: nvidia.com/gpu, operator: Exists}]
    price: 1.00
"""
pytestmark = [
    pytest.mark.skipif(bool(kube.trouble()), reason=kube.trouble() or "-"),
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def namespace():
    made = kube.Namespace()
    yield made
    try:  # what was deleted last may still be on its way out
        eventually(lambda: not made.all("deployments"), 60, "all Deployments going")
    finally:
        made.remove()


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    made = kube.shimmed(tmp_path_factory.mktemp("kube") / "config")
    yield made
    made.close()


@pytest.fixture(scope="module")
def team(namespace, shim, tmp_path_factory):
    """A Podium whose apps are pods; it reaches the cluster through a door that tests can shut."""
    place = tmp_path_factory.mktemp("team")
    (place / "hardware.yaml").write_text(HARDWARE)
    settings = {"runtime": "kubernetes", "base_image": containers.base(), "registry": f"{kube.REGISTRY}/podium-test"}
    cluster = {"kubeconfig": str(shim.path), "kube_namespace": namespace.name, "hardware": str(place / "hardware.yaml")}
    podium = Podium(place, **settings, **cluster)
    try:
        yield podium.start()
        podium.stop()
    finally:
        podium.end()


@pytest.fixture
def space(team, request):
    made = team.space(request.node.name.replace("_", "-")[:40].strip("-"))
    yield made
    made.close()
    made.delete()


def running(space) -> None:
    push(space, "1")
    space.wait("RUNNING", timeout=500)
    assert probe.ask(space) == "1"


def test_a_new_version_replaces_the_old_one_without_a_gap(space, namespace):
    running(space)
    assert len(namespace.all("deployments")) == 1
    with Prober(space) as prober:
        push(space, "2")
        eventually(lambda: probe.ask(space) == "2", 120)
        space.wait("RUNNING")
    assert prober.failures == []
    assert prober.bodies == ["1", "2"]
    eventually(lambda: len(namespace.all("deployments")) == 1, 60)


def test_sleep_and_wake(space, namespace):
    running(space)
    space.sleep_after(5)
    eventually(lambda: not any(namespace.all(kind) for kind in ("deployments", "pods", "replicasets")), 60)
    assert space.stage() == "SLEEPING"
    space.sleep_after(3600)
    assert probe.ask(space) == "1"


def test_running_apps_outlive_podium_and_the_api_server(space, team, shim, namespace):
    running(space)
    before = [one["metadata"]["uid"] for one in namespace.all("pods")]
    with Prober(space) as prober:
        for mode in ("refuse", "hang"):
            shim.set(mode)
            end = len(prober.answers) + 100
            eventually(lambda end=end: len(prober.answers) > end, 60)
            shim.set("open")
    assert prober.failures == []
    shim.set("refuse")
    team.kill9("up", "control", "gateway")
    team.start()
    assert probe.ask(space) == "1", "routes are known without the cluster"
    shim.set("open")
    push(space, "2")
    eventually(lambda: probe.ask(space) == "2", 120)
    space.wait("RUNNING")
    eventually(lambda: not set(before) & {one["metadata"]["uid"] for one in living(namespace)}, 60)


def test_an_admin_gives_a_gpu_and_the_app_moves_to_its_node(space, team, namespace):
    running(space)
    root = team.user("root", admin=True)
    asked = team.cli("space", "hardware", space.id, "a10g-small")
    assert "An admin decides" in asked.stderr
    with Prober(space) as prober:
        team.cli("hardware", "approve", space.id, HF_TOKEN=root)
        eventually(lambda: probe.ask(space, "/env/ACCELERATOR") == "Nvidia A10G", 120)
        space.wait("RUNNING")
    assert prober.failures == [], "its old instance serves until the new one does"
    assert space.runtime()["hardware"] == {"current": "a10g-small", "requested": "a10g-small"}
    (pod,) = eventually(lambda: (found := living(namespace)) and len(found) == 1 and found)
    assert pod["spec"]["nodeName"] == "node-2"
    assert pod["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    told = team.request("GET", "/api/podium/hardware/capacity", token=root).json()
    (node,) = [one for one in told["nodes"] if one["name"] == "node-2"]
    assert [one["space"] for one in node["instances"] if one["resources"]] == [space.id]

    def seconds() -> float:
        rows = team.request("GET", "/api/podium/hardware/usage", token=root).json()["rows"]
        return sum(row["seconds"] for row in rows if (row["space"], row["hardware"]) == (space.id, "a10g-small"))

    eventually(lambda: seconds() > 0, 30)
    refused = team.request("POST", f"/api/spaces/{space.id}/hardware", {"flavor": "a10g-small-x"}, root)
    assert refused.status_code == 400 and "it has cpu-basic, a10g-small" in refused.json()["error"]


class Visitor(App):
    """A browser that has just come to an app, and keeps what it is given."""

    def __init__(self, space) -> None:
        super().__init__(space.url)
        self.cookie = ""
        with self.client() as client:
            page = {"accept": "text/html", "sec-fetch-mode": "navigate"}
            self.served_by = client.get("/about", headers=page).text

    def client(self, **options):
        return super().client(event_hooks={"response": [self._keep]}, **options)

    def _keep(self, answer) -> None:
        self.cookie = answer.headers.get("set-cookie", "").partition(";")[0] or self.cookie

    @property
    def headers(self) -> dict[str, str]:
        return {"cookie": self.cookie} if self.cookie else {}


def test_each_visitor_stays_with_one_of_two_replicas_and_goes_on_when_it_dies(space, team, namespace):
    running(space)
    (deployment,) = eventually(lambda: (found := namespace.all("deployments")) and len(found) == 1 and found, 60)
    (pod,) = eventually(lambda: (found := living(namespace)) and len(found) == 1 and found, 60)
    alone, instance = Visitor(space), space.runtime()["sha"]
    assert alone.cookie == ""

    def answer(count: int, wanted: int = 2) -> bool:
        return space.runtime()["replicas"] == {"requested": wanted, "current": count}

    with Prober(alone, "/about") as session:
        assert space.api("POST", "/replicas", {"replicas": 2}).json()["replicas"] == {"requested": 2, "current": 1}
        eventually(lambda: answer(2), 60)
        pair = eventually(lambda: two_of({one.served_by: one for one in (Visitor(space) for _ in range(8))}), 60)
        end = len(session.answers) + 20
        eventually(lambda: len(session.answers) > end, 60)
    assert session.failures == [] and session.bodies == [alone.served_by], "it survives that another is added"

    goes, stays = pair[alone.served_by], next(one for by, one in pair.items() if by != alone.served_by)
    with Prober(goes, "/about", 0.02) as first, Prober(stays, "/about", 0.02) as second:
        eventually(lambda: len(first.answers) > 20 and len(second.answers) > 20, 60)
        namespace.cluster.delete("pods", pod["metadata"]["name"])
        eventually(lambda: first.bodies[-1] == stays.served_by, 60)
        eventually(lambda: answer(2) and pod["metadata"]["name"] not in names(living(namespace)), 60)
        end = len(first.answers) + 40
        eventually(lambda: len(first.answers) > end, 60)
        space.api("POST", "/replicas", {"replicas": 1})
        eventually(lambda: answer(1, 1) and len(namespace.all("pods")) == 1, 60)
        space.api("POST", "/replicas", {"replicas": 2})
        eventually(lambda: answer(2), 60)
        end = len(first.answers) + 40
        eventually(lambda: len(first.answers) > end, 60)
    assert first.failures == [] and second.failures == []
    assert first.bodies[0] == goes.served_by and first.bodies[-1] == stays.served_by
    assert second.bodies == [stays.served_by], "the older one stays when there are to be fewer"
    assert [one["metadata"]["uid"] for one in namespace.all("deployments")] == [deployment["metadata"]["uid"]]
    assert (space.stage(), space.runtime()["sha"]) == ("RUNNING", instance)


def two_of(found: dict) -> dict | None:
    return found if len(found) == 2 else None


def names(pods: list[dict]) -> set[str]:
    return {one["metadata"]["name"] for one in pods}


def living(namespace) -> list[dict]:
    return [one for one in namespace.all("pods") if "deletionTimestamp" not in one["metadata"]]
