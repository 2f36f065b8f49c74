"""Fixtures that start the real thing. `podium` is one for the whole session, shared by tests that harm nobody, so that
environments are made once; `own_podium` is one per module for tests that kill parts of it or count its processes.
`postgres` and `redis` are servers of the session; `database` is a new database of each kind in turn.

Tests in `DRIVEN` drive a dozen processes, engines and clusters on a machine that others may keep busy: one that
fails is tried once more, and the summary names it (`rerun`), so that it is seen.

How the files are shared out between processes is in lanes.py."""

from pathlib import Path

import pytest
from hypothesis import settings

from tests import lanes, migrated, servers
from tests.podium import Podium

settings.register_profile("untimed", deadline=None)  # how long an example takes says what else the machine does
settings.load_profile("untimed")

_HERE = Path(__file__).parent
_ENGINES = ("cluster_input", "image_builds", "kubernetes", "own_images", "registry", "runtime")
DRIVEN = {_HERE / name for name in ("chart", "e2e", *(f"contracts/test_{one}.py" for one in _ENGINES))}
_TURNS = lanes.Turns()


def pytest_collection_modifyitems(items):
    for item in items:
        if not DRIVEN.isdisjoint((item.path, *item.path.parents)):
            item.add_marker(pytest.mark.flaky(reruns=1))
    items.sort(key=lambda item: lanes.rank(item.nodeid))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    _TURNS.take(item.nodeid)
    return (yield)


def pytest_xdist_make_scheduler(config, log):
    return lanes.ByLane(config, log)


class _AtOnce:
    """Says what failed when it fails: a run of an hour that is ended from outside never comes to its summary."""

    def __init__(self, terminal):
        self.terminal = terminal

    def pytest_runtest_logreport(self, report):
        if report.outcome in ("failed", "rerun"):
            crash = getattr(report.longrepr, "reprcrash", None)
            reason = (crash.message if crash else str(report.longrepr)).strip().partition("\n")[0]
            self.terminal.ensure_newline()
            self.terminal.line(
                f"{report.outcome} after {report.duration:.0f} s: {report.nodeid} ({report.when}): {reason}"
            )


def pytest_sessionstart(session):
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if terminal and not hasattr(session.config, "workerinput"):
        session.config.pluginmanager.register(_AtOnce(terminal))


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


@pytest.fixture(scope="session")
def postgres():
    yield from _served(servers.Postgres())


@pytest.fixture(scope="session")
def redis():
    yield from _served(servers.Redis())


def _served(server: servers.Server):
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(params=["sqlite", "postgres"])
def empty_database(request, tmp_path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/podium.db"
    return request.getfixturevalue("postgres").database()


@pytest.fixture(params=["sqlite", "postgres"])
def database(request, tmp_path) -> str:
    """URL of a database that was migrated and holds nothing; a copy, because migrating takes most of a second."""
    if request.param == "postgres":
        server = request.getfixturevalue("postgres")
        return server.database(request.getfixturevalue("migrated_postgres"))
    return migrated.sqlite(tmp_path)


@pytest.fixture(scope="session")
def migrated_postgres(postgres) -> str:
    from orchestrator.store.engine import Store

    store = Store(postgres.database())
    store.migrate()
    store.close()
    return store.url


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
