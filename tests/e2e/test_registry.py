"""`podium up --runtime docker` with a registry: pushes, the registry going away and coming back, and an engine that has lost the
image. The apps are static pages, so that nothing but images takes time."""

import os
import time

import pytest

from tests import containers, registry
from tests.podium import Podium
from tests.support import Prober, eventually

pytestmark = [
    pytest.mark.skipif(bool(registry.trouble()), reason=registry.trouble() or "-"),
    pytest.mark.skipif(bool(containers.trouble()), reason=containers.trouble() or "-"),
    pytest.mark.timeout(600),
]
README = "---\nsdk: static\n---\n"


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    made = registry.Registry(tmp_path_factory.mktemp("registry")).start()
    yield made
    made.stop()
    containers.forget(made.host)


@pytest.fixture(scope="module")
def box(tmp_path_factory, kept):
    settings = {"runtime": "docker", "base_image": containers.base(), "registry": f"{kept.host}/e2e"}
    podium = Podium(tmp_path_factory.mktemp("pushed"), **settings)
    yield from containers.boxed(podium)


@pytest.fixture
def boxed(box, request):
    made = box.space(request.node.name.replace("_", "-")[:40].strip("-"))
    made.push(files={"README.md": README, "index.html": "1"})
    made.wait("RUNNING", timeout=300)
    yield made
    made.close()
    made.delete()


def ask(space) -> str:
    with space.client() as client:
        return client.get("/").text


def test_a_push_replaces_the_version_without_a_gap_and_without_a_builder(boxed):
    with Prober(boxed, "/") as prober:
        began = time.monotonic()
        boxed.push(files={"README.md": README, "index.html": "2"})
        eventually(lambda: ask(boxed) == "2", 60)
        print(f"from before the push to the new version: {time.monotonic() - began:.2f} s")
        boxed.wait("RUNNING")
    assert prober.failures == [] and prober.bodies == ["1", "2"]
    log = boxed.logs("build")
    assert any("one layer" in line for line in log) and not any("Step" in line for line in log)


def test_a_registry_that_is_away_stops_no_app_and_loses_no_push(boxed, kept):
    with Prober(boxed, "/") as prober:
        kept.stop()
        try:
            boxed.push(files={"README.md": README, "index.html": "2"})
            eventually(
                lambda: any("registry" in line for line in boxed.logs("build")) or boxed.stage() != "RUNNING", 60
            )
            assert ask(boxed) == "1"
        finally:
            kept.start()
        eventually(lambda: ask(boxed) == "2", 60)
    assert prober.failures == []


def test_what_the_engine_has_lost_is_pulled_and_what_the_registry_has_lost_is_built(boxed, box, kept):
    def asleep_and_lost() -> None:
        eventually(lambda: boxed.stage() == "SLEEPING" and containers.of_owner(containers.owner(box)) == [], 60)
        for image in containers.apps_of_owner(containers.owner(box)):
            containers.docker("image", "rm", "-f", image)

    boxed.sleep_after(5)
    asleep_and_lost()
    assert ask(boxed) == "1"
    asleep_and_lost()
    for tag in kept.tags("e2e/podium-app"):
        kept.remove("e2e/podium-app", kept.digest("e2e/podium-app", tag))
    eventually(lambda: ask(boxed) == "1", 90)


@pytest.mark.skipif(not os.environ.get("PODIUM_TEST_SLOW"), reason="installs Gradio; set PODIUM_TEST_SLOW=1")
def test_a_gradio_sample(box):
    from tests.apps import expect

    space = box.space("gradio-pushed")
    try:
        space.push(expect.APPS / "gradio_interface")
        space.wait("RUNNING", timeout=600)
        promise = expect.load(expect.APPS / "gradio_interface")
        for call in promise.gradio:
            assert space.gradio().predict(*call.args, api_name=call.api_name) == call.result
    finally:
        space.close()
        space.delete()
