"""Fixtures that start the real thing. `podium` is one for the whole session, shared by tests that harm nobody, so that
environments are made once; `own_podium` is one per module for tests that kill parts of it or count its processes."""

import pytest

from tests.podium import Podium


@pytest.fixture(scope="session")
def podium(tmp_path_factory):
    yield from _running(Podium(tmp_path_factory.mktemp("podium")))


@pytest.fixture(scope="module")
def own_podium(tmp_path_factory):
    yield from _running(Podium(tmp_path_factory.mktemp("own")))


def _running(podium: Podium):
    """Ends with a clean stop, which fails the last test that used it when a process is left."""
    try:
        yield podium.start()
        podium.stop()
    finally:
        podium.end()


@pytest.fixture
def space(podium, request):
    """A new Space of the session's Podium, named after the test, deleted afterwards."""
    yield from _space(podium, request)


@pytest.fixture
def own_space(own_podium, request):
    yield from _space(own_podium, request)


def _space(podium: Podium, request):
    name = "".join(c if c.isalnum() else "-" for c in request.node.name.lower()).strip("-")[:40].strip("-")
    while "--" in name:
        name = name.replace("--", "-")
    space = podium.space(name)
    yield space
    space.close()
    if podium.request("GET", f"/api/spaces/{space.id}", token=space.owner_token).status_code == 200:
        space.delete()
