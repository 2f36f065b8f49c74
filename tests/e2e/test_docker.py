"""`podium up --runtime docker`: Spaces are images and containers of a real engine, and everything else is as without it."""

import os

import pytest

from tests import containers
from tests.e2e import probe
from tests.podium import Podium
from tests.support import Prober, eventually

pytestmark = [
    pytest.mark.skipif(bool(containers.trouble()), reason=containers.trouble() or "-"),
    pytest.mark.timeout(600),
]

DOCKERFILE = """\
FROM {base}
# Anything goes as long as it answers on app_port as user 1000.
COPY --chown=1000:1000 . /srv
USER 1000
CMD ["python3", "-m", "http.server", "8080", "--directory", "/srv"]
"""
README = "---\ntitle: Own Dockerfile\nsdk: docker\napp_port: 8080\n---\n"


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    """A Podium on the Docker engine. Afterwards nothing of it is left there."""
    podium = Podium(tmp_path_factory.mktemp("docker"), runtime="docker", base_image=containers.base())
    yield from containers.boxed(podium)


def push(space, version: str) -> None:
    """The probe as visitors of a container reach it: it listens on all addresses."""
    probe.push(space, version, app_py=probe.code(version).replace('host="127.0.0.1"', 'host="0.0.0.0"'))


def running(space) -> None:
    push(space, "1")
    space.wait("RUNNING", timeout=500)
    assert probe.ask(space) == "1"


@pytest.fixture
def boxed(box, request):
    made = box.space(request.node.name.replace("_", "-")[:40].strip("-"))
    yield made
    made.close()
    made.delete()


def test_a_new_version_replaces_the_old_one_without_a_gap(boxed, box):
    running(boxed)
    eventually(
        lambda: len(containers.of_owner(containers.owner(box))) == 1, 60
    )  # those of tests before may still be going
    with Prober(boxed) as prober:
        push(boxed, "2")
        eventually(lambda: probe.ask(boxed) == "2", 120)
        boxed.wait("RUNNING")
    assert prober.failures == []
    assert prober.bodies == ["1", "2"]
    assert any("CACHED" in line for line in boxed.logs("build"))
    eventually(lambda: len(containers.of_owner(containers.owner(box))) == 1, 60)


def test_sleep_and_wake(boxed, box):
    running(boxed)
    boxed.sleep_after(5)
    eventually(lambda: containers.of_owner(containers.owner(box)) == [], 60)
    assert boxed.stage() == "SLEEPING"
    boxed.sleep_after(3600)
    assert probe.ask(boxed) == "1"


def test_running_apps_outlive_podium_and_are_adopted(boxed, box):
    running(boxed)
    before = containers.of_owner(containers.owner(box), "--no-trunc")
    box.kill9("up", "control", "gateway")
    box.start()
    assert probe.ask(boxed) == "1"
    boxed.wait("RUNNING")
    assert containers.of_owner(containers.owner(box), "--no-trunc") == before


def test_an_authors_own_dockerfile(boxed):
    files = {"README.md": README, "index.html": "own", "Dockerfile": DOCKERFILE.format(base=containers.base())}
    boxed.push(files=files)
    boxed.wait("RUNNING")
    with boxed.client() as client:
        assert client.get("/index.html").text == "own"
    refused = files["Dockerfile"].replace("COPY", "RUN --network=host true\nCOPY")
    boxed.push(files={"Dockerfile": refused})
    fault = boxed.wait("BUILD_ERROR")["errorMessage"]
    assert fault.startswith("Dockerfile:3: ") and "--network=host" in fault
    with boxed.client() as client:
        assert client.get("/index.html").text == "own", "the old version serves on"


@pytest.mark.skipif(not os.environ.get("PODIUM_TEST_SLOW"), reason="installs Gradio; set PODIUM_TEST_SLOW=1")
def test_a_gradio_sample(boxed):
    from tests.apps import expect

    boxed.push(expect.APPS / "gradio_interface")
    boxed.wait("RUNNING", timeout=600)
    promise = expect.load(expect.APPS / "gradio_interface")
    for call in promise.gradio:
        assert boxed.gradio().predict(*call.args, api_name=call.api_name) == call.result
