"""The console that most tests of the API ask, one for each file, and two who ask it. A file that needs another one has a fixture
of the same name."""

import pytest


@pytest.fixture(scope="module")
def console(tmp_path_factory):
    from tests.console import Console  # which imports all of the control plane: not for tests of pure functions

    with Console(tmp_path_factory.mktemp("console")).listening() as console:
        yield console


@pytest.fixture(scope="module")
def ada(console):
    with console.client() as client:
        yield client


@pytest.fixture(scope="module")
def stranger(console):
    with console.client(None) as client:
        yield client
