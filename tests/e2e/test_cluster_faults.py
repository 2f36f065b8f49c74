"""The servers that a team's Podium stands on are stopped, cut off and restarted, while visitors ask without pause, an author
pushes without pause, and a gateway dies in the middle of each fault. What must hold is judged by `tests.team.Storm`: every
question is answered, no version comes back, every push that git called done is built or superseded, and after healing what main
says is what runs. Outages last seconds here, not minutes: beyond the time limits and the longest back-off nothing new happens.
Who wants to see it sets TEST_OUTAGE to the seconds that the long ones shall last.

helm/podium/README.md tells of the faults and what was measured."""

import os
import secrets
import subprocess
import time
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from orchestrator import failpoints
from tests import crowd, kube, machine
from tests.support import eventually
from tests.team import Storm, Team

OUTAGE = float(os.environ.get("TEST_OUTAGE", "0"))
pytestmark = [
    pytest.mark.skipif(bool(machine.trouble()), reason=machine.trouble() or "-"),
    pytest.mark.timeout(900 + 2 * OUTAGE),
]
PAGE = {"README.md": "---\nsdk: static\n---\n", "index.html": "<p>page", "version": "1"}


@pytest.fixture(scope="module")
def namespace():
    made = kube.Namespace()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    made = kube.shimmed(tmp_path_factory.mktemp("kube") / "config")
    yield made
    made.close()


@pytest.fixture(scope="module")
def team(namespace, shim, tmp_path_factory):
    made = Team(tmp_path_factory.mktemp("team"), namespace, shim)
    try:
        yield made.start()
        for part in (*made.gateways, made.builder, made.control):
            assert part.stop() == 0, part.said()[-2000:]
    finally:
        made.end()


@pytest.fixture(scope="module")
def busy(team):
    """A Space that is pushed to all the time, and its author."""
    space = team.space("busy").create("static")
    author = crowd.Author(team.home / "author", lambda: remote(team, space))
    assert author.push().done, author.pushes
    space.wait("RUNNING", timeout=300)
    return space, author


@pytest.fixture(scope="module")
def calm(team, busy):
    """A Space that nobody pushes to."""
    space = team.space("calm")
    space.push(files=PAGE)
    space.wait("RUNNING", timeout=120)
    return space


def remote(team, space) -> str:
    """Through a gateway that lives, as whatever stands before several of them sees to."""
    alive = [one.port for one in team.gateways if one.process.poll() is None]
    return f"http://{team.owner}:{team.token}@localhost:{(alive or team.ports())[-1]}/spaces/{space.id}"


@pytest.fixture
def server(request):
    """Servers of the cluster by name; running again afterwards, whatever happened."""
    found: dict[str, machine.Server] = {}

    def get(name: str) -> machine.Server:
        return found.setdefault(name, machine.Server(name))

    yield get
    for name in sorted(found):  # containerd before its kubelet
        found[name].start()
    for name in ("kubelet-1", "kubelet-2"):
        if name in found:
            found[name].cable(up=True)
            machine.node_is(f"node-{name[-1]}", "True")
    if "apiserver" in found:
        machine.api_answers()
    for one in found.values():
        one.close()


@pytest.fixture
def storm(team, busy, calm, request):
    def make(*more, excused=()) -> Storm:
        made.append(Storm(team, busy[1], [busy[0], calm, *more], excused))
        return made[0]

    made: list[Storm] = []
    yield make
    print(request.node.name, made[0].measured if made else "")


# ---------------------------------------------------------------------------------------------------------- PostgreSQL


def test_postgresql_is_restarted_and_then_its_connections_are_reset_in_the_middle_of_everything(storm, team):
    with storm() as people:
        team.postgres.stop()
        people.gateway_dies()
        team.postgres.start()
        for _ in range(25):
            team.postgres.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'podium'"
            )
            people.lasts(0.2)


def test_postgresql_accepts_and_never_answers(storm, team):
    with storm() as people:
        team.postgres.freeze()
        try:
            people.gateway_dies()
            people.lasts(max(16, OUTAGE))  # longer than one transaction may take
        finally:
            team.postgres.thaw()


# --------------------------------------------------------------------------------------------------------------- Redis


def test_redis_is_restarted_empty_is_away_and_never_answers(storm, team):
    with storm() as people:
        team.redis.stop()
        people.gateway_dies()
        people.lasts(max(6, OUTAGE))
        team.redis.start()  # keeps nothing on disk
        people.lasts(2)
        team.redis.freeze()
        people.lasts(max(12, OUTAGE))  # longer than one command may take
        team.redis.thaw()


# ---------------------------------------------------------------------------------------------------------- Kubernetes


def test_the_way_to_the_api_server_breaks_in_three_ways(storm, team, shim):
    with storm() as people:
        try:
            for how, seconds in (("refuse", 4), ("garbage", 4), ("hang", 16)):  # longer than an answer may take
                shim.set(how)
                people.lasts(seconds if how == "garbage" else max(seconds, OUTAGE))
                shim.set("open")
                people.gateway_dies()
        finally:
            shim.set("open")


def test_the_api_server_dies_and_comes_back(storm, team, server):
    apiserver = server("apiserver")
    with storm() as people:
        apiserver.kill()
        people.gateway_dies()
        people.lasts(5)
        apiserver.start()
        machine.api_answers()


def test_containerd_and_kubelet_of_the_node_are_restarted(storm, server):
    containerd, kubelet = server("containerd-1"), server("kubelet-1")
    with storm() as people:
        containerd.kill()
        people.gateway_dies()
        kubelet.kill()
        people.lasts(2)
        containerd.start()
        eventually(lambda: ctr(containerd, "version"), 30, "containerd answering", every=0.2)  # no kubelet waits for it
        kubelet.start()
        machine.node_is("node-1", "True")


# ------------------------------------------------------------------------------------------------------------ registry


def test_the_registry_is_away_at_a_push(storm, team, server):
    registry = server("registry")
    with storm() as people:
        registry.kill()
        people.gateway_dies()
        people.lasts(8)
        registry.start()


def test_the_registry_is_away_when_a_node_needs_an_image(storm, team, server):
    """An app that sleeps is woken on a node that does not have its image any more."""
    registry = server("registry")
    space = placed(team, f"pulled-{secrets.token_hex(2)}", "cpu-basic", "7")
    (image,) = {pod["spec"]["containers"][0]["image"] for pod in pods(team, space)}
    space.sleep_after(1)
    space.wait("SLEEPING")
    eventually(lambda: not pods(team, space), 30)
    forget(server("containerd-1"), image)
    visitor = crowd.Visitor(urlsplit(space.url).hostname or "", team.ports)
    with storm() as people:
        people.author.stop()  # that pushes fail too is another test
        registry.kill()
        space.sleep_after(3600)  # which wakes it, too
        visitor.start()
        told = {}

        def said() -> bool:
            now = space.runtime()
            told[now["stage"], now["reason"]] = None
            return "the registry does not answer" in (now["reason"] or "")

        try:
            eventually(said, 40, every=0.2)
        except AssertionError as error:
            raise AssertionError(f"{error}: {list(told)}") from None
        people.gateway_dies()
        registry.start()
        eventually(lambda: visitor.answers and visitor.answers[-1].body.strip() == "7", 60)
    visitor.stop()
    space.delete()


def forget(containerd: machine.Server, image: str) -> None:
    """Take an image from a node, under all its names."""
    listed, digest = ctr(containerd, "images", "ls").splitlines(), image.partition("@")[2]
    names = [line.split()[0] for line in listed if digest in line]
    assert names, f"{image} is not on the node"
    ctr(containerd, "images", "rm", "--sync", *names)


def ctr(containerd: machine.Server, *words: str) -> str:
    config = tomllib.loads(Path(containerd.option("--config")).read_text())
    command = ["ctr", "--address", config["grpc"]["address"], "--namespace", "k8s.io", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


# ----------------------------------------------------------------------------------------------------------- the node


def placed(team, name: str, hardware: str, version: str):
    """A Space that runs on some hardware."""
    space = team.space(name)
    space.push(files={**PAGE, "version": version})
    team.root = getattr(team, "root", "") or team.user("root", admin=True)
    if hardware != "cpu-basic":
        space.api("POST", "/hardware", {"flavor": hardware}, team.root)
    wanted = ["RUNNING", hardware]
    eventually(lambda: team.row(space, "stage, running_hardware") == wanted, 60, f"{name} on {hardware}", every=0.2)
    return space


def pods(team, space) -> list[dict]:
    (name,) = team.row(space, "id")
    found = team.namespace.all("pods")
    return [pod for pod in found if pod["metadata"]["labels"]["podium/space"] == name]


def nodes(team, space) -> set[str]:
    """Where its pods are that are to stay."""
    return {
        one["spec"].get("nodeName", "") for one in pods(team, space) if not one["metadata"].get("deletionTimestamp")
    }


def cordon(team, node: str, yes: bool) -> None:
    team.namespace.ask("PATCH", f"/api/v1/nodes/{node}", {"spec": {"unschedulable": yes or None}})


def test_the_gpu_node_falls_silent_and_then_dies_with_apps_on_it(storm, team, server):
    """First only its kubelet: both apps go on answering, and one moves to the other node meanwhile. Then its network: the GPU
    app has nowhere else to go, says so, and comes back with the node."""
    kubelet = server("kubelet-2")
    cordon(team, "node-1", True)
    try:
        gpu, moving = placed(team, "on-a-gpu", "gpu", "1"), placed(team, "by-the-gpus", "by-the-gpus", "1")
    finally:
        cordon(team, "node-1", False)
    assert nodes(team, gpu) == nodes(team, moving) == {"node-2"}
    with storm(gpu, moving, excused=(gpu,)) as people:
        mine = [people.visitors[one.name] for one in (gpu, moving)]
        kubelet.kill()
        people.gateway_dies()
        began = time.monotonic()
        machine.node_is("node-2", "Unknown")
        eventually(lambda: nodes(team, moving) == {"node-1"}, 60, "a follower on another node", every=0.2)
        print(f"a follower was placed after {time.monotonic() - began:.0f} s")
        people.lasts(5)
        assert not any(one.failures() for one in mine), "the apps are well, only their kubelet is not"
        kubelet.cable(up=False)
        people.lasts(2)
        assert not mine[1].failures(), "it is served from the other node by now"
        told = eventually(lambda: gpu.runtime()["reason"], 30, "the GPU app saying what it waits for", every=0.2)
        print(f"the GPU app says: {told}; visitors see {mine[0].answers[-1]}")
        assert gpu.stage() in ("RUNNING_APP_STARTING", "APP_STARTING")
        kubelet.start()
        kubelet.cable(up=True)
    assert nodes(team, gpu) == {"node-2"}
    for one in (gpu, moving):
        one.delete()


# ----------------------------------------------------------------------------------------------------- Podium's own parts


def test_the_control_plane_dies_at_each_durable_step(storm, team):
    """At whichever it comes to first, and once at each: also while it recovers from the death before."""
    left = set(failpoints.PUSH | failpoints.LOOK)
    with storm() as people:
        while left:
            team.control.kill()
            team.start_control(failpoint=" ".join(sorted(left)))
            eventually(lambda: team.control.process.poll() is not None, 60, f"dying at one of {left}", every=0.1)
            died = [name for name in left if f"dying at failpoint {name}\n" in team.control.said()]
            assert len(died) == 1, team.control.said()[-2000:]
            left.remove(died[0])
        people.gateway_dies()
        team.start_control()
        eventually(team.is_ready, 60, every=0.1)


def test_a_builder_dies_at_each_durable_step(storm, team):
    left = set(failpoints.BUILD)
    with storm() as people:
        while left:
            team.builder.kill()
            team.start_builder(failpoint=" ".join(sorted(left)))
            eventually(lambda: team.builder.process.poll() is not None, 60, f"dying at one of {left}", every=0.1)
            left -= {name for name in left if f"dying at failpoint {name}\n" in team.builder.said()}
        people.gateway_dies()
        team.start_builder()
