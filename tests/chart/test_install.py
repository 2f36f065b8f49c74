"""Podium installed on a real cluster by its chart, with its own image and a registry of its own: it serves what is pushed,
its parts may go and come, and its rights end where they should."""

import secrets
import socket

import pytest

from tests import containers
from tests import kube as cluster
from tests.chart.installed import RELEASE, Installed
from tests.chart.kube import Failed, Kube, trouble
from tests.support import Prober, eventually

REASON = cluster.trouble() or trouble(cluster.kubeconfig())
pytestmark = [pytest.mark.skipif(bool(REASON), reason=REASON or "there is all"), pytest.mark.timeout(1500)]
PAGE = {"README.md": "---\nsdk: static\n---\n", "index.html": "<h1>one</h1>", "version": "1"}


def node_ports() -> int:
    """A NodePort that is free together with the next one."""
    for port in range(31000 + secrets.randbelow(400) * 2, 32700, 2):
        with socket.socket() as one, socket.socket() as two:
            if one.connect_ex(("127.0.0.1", port)) and two.connect_ex(("127.0.0.1", port + 1)):
                return port
    raise AssertionError("no free NodePorts")


@pytest.fixture(scope="module")
def podium(tmp_path_factory):
    kube = Kube(cluster.kubeconfig(), f"podium-test-{secrets.token_hex(3)}")
    home = tmp_path_factory.mktemp("installed")
    podium = Installed(kube, home, node_ports(), containers.base(), cluster.REGISTRY, own_registry=True)
    try:
        podium.images()
        podium.up(control={"replicas": 2})
        podium.owner = f"acme{podium.port}"
        podium.token = podium.user(podium.owner, admin=True)
        yield podium
    except Failed as error:
        raise AssertionError(f"{error}\n{podium.words()}") from None
    finally:
        podium.remove()


@pytest.fixture(scope="module")
def site(podium):
    space = podium.space("site")
    space.push(files=PAGE)
    space.wait("RUNNING", timeout=120)
    yield space
    space.close()


def test_a_pushed_space_answers_through_the_gateway(podium, site):
    with site.client() as visitor:
        assert visitor.get("/version").text == "1"
    assert len(podium.nodes()) == 1
    assert podium.request("GET", "/internal/feed").status_code == 404
    assert len(podium.pods("control")) == 2 and len(podium.pods("gateway")) == 2


def test_it_answers_while_all_parts_of_podium_are_replaced(podium, site):
    kube = podium.kube
    keys = kube.kubectl("get", "secret", f"{RELEASE}-keys", "-o", "jsonpath={.data}")
    with Prober(site) as visitor:
        eventually(lambda: visitor.bodies == ["1"], 10)
        kube.kubectl("delete", "pod", podium.pods("gateway")[0], podium.pods("control")[0], "--wait=false")
        podium.up(control={"replicas": 2}, settings={"session_days": 7})  # migrates, and replaces every pod
        site.push(files={"version": "2"})
        eventually(lambda: visitor.bodies[-1] == "2", 120, "the new version", every=0.2)
    assert not visitor.failures, visitor.failures[:5]
    assert visitor.bodies == ["1", "2"]
    assert kube.kubectl("get", "secret", f"{RELEASE}-keys", "-o", "jsonpath={.data}") == keys


def test_apps_are_served_while_control_plane_and_database_are_away(podium, site):
    kube = podium.kube
    words = ("deploy", f"{RELEASE}-control", f"{RELEASE}-postgresql", f"{RELEASE}-redis")
    with Prober(site) as visitor:
        kube.kubectl("scale", "--replicas=0", *words)
        eventually(lambda: not podium.pods("control") and not podium.pods("postgresql"), 30, every=0.5)
        before = len(visitor.answers)
        eventually(lambda: len(visitor.answers) > before + 40, 30)
        kube.kubectl("scale", "--replicas=1", *words)
        eventually(lambda: podium.http.get("/readyz").status_code == 200, 60, every=0.5)
    assert not visitor.failures, visitor.failures[:5]


def test_rights_end_where_they_should(podium):
    account = f"system:serviceaccount:{podium.kube.namespace}:{RELEASE}-control"

    def may(namespace: str, *words: str) -> bool:
        try:
            return podium.kube.kubectl("auth", "can-i", *words, "--as", account, "-n", namespace).startswith("yes")
        except Failed:
            return False

    assert (
        may(podium.apps, "create", "deployments.apps")
        and may(podium.apps, "get", "pods/log")
        and may("", "list", "nodes")
    )
    for words in (
        ("create", "pods"),
        ("create", "pods/exec"),
        ("create", "serviceaccounts/token"),
        ("create", "roles"),
    ):
        assert not may(podium.apps, *words), words
    for words in (("get", "secrets"), ("list", "pods"), ("create", "deployments.apps"), ("delete", "nodes")):
        assert not may(podium.kube.namespace, *words) and not may("kube-system", *words), words
