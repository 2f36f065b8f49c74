"""What happens when parts of Podium die with -9. A Podium of this module's own, so that nobody else is hurt."""

import pytest

from tests.e2e import probe
from tests.support import Prober, eventually


@pytest.fixture
def up(own_podium):
    """Running again after each test, whatever the test did to it."""
    yield own_podium
    if own_podium.process.poll() is not None:
        own_podium.start()


def test_the_whole_of_podium_dies_and_the_app_is_taken_up_again(up, own_space):
    probe.running(own_space)
    before, pids = probe.pid(own_space), own_space.pids()
    up.kill9("up", "control", "gateway", "builder") if up.part("builder") else up.kill9("up", "control", "gateway")
    assert not any(up.part(word) for word in ("up", "control", "gateway"))
    assert own_space.pids() == pids, "the app died with Podium"
    up.start()
    own_space.wait("RUNNING")
    assert probe.pid(own_space) == before, "a new instance was started instead of taking up the one that runs"
    assert own_space.pids() == pids, "there is more than before"


def test_an_app_that_died_meanwhile_is_started_again(up, own_space):
    import psutil

    from tests import processes

    probe.running(own_space)
    before, pids = probe.pid(own_space), own_space.pids()
    up.kill9("up", "control", "gateway")
    processes.kill([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)])
    eventually(lambda: not own_space.pids(), 20)
    up.start()
    eventually(lambda: probe.pid(own_space) != before, 60, "a new instance")
    own_space.wait("RUNNING")


def test_the_app_answers_while_the_control_plane_is_gone_and_it_comes_back(up, own_space):
    probe.running(own_space)
    before = probe.pid(own_space)
    old = {process.pid for process in up.part("control")}
    with Prober(own_space) as prober:
        up.kill9("control")
        eventually(lambda: {p.pid for p in up.part("control")} - old, 30, "the control plane being started again")
        eventually(lambda: up.http.get("/readyz").status_code == 200, 60, "the control plane being ready")
        own_space.wait("RUNNING")
    assert len(prober.answers) > 5
    assert prober.failures == []
    assert probe.pid(own_space) == before


def test_the_gateway_comes_back_while_the_control_plane_lives(up, own_space):
    probe.running(own_space)
    before = probe.pid(own_space)
    up.kill9("gateway")
    eventually(lambda: probe.ask(own_space) == "1", 30, "the gateway answering again")
    assert probe.pid(own_space) == before


def test_a_push_acknowledged_is_a_push_built(up, own_space):
    """Killed right after git was told that all is well: the new version comes up after the restart."""
    probe.running(own_space, "1")
    probe.push(own_space, "2")
    up.kill9("up", "control", "gateway")
    up.start()
    eventually(lambda: probe.ask(own_space) == "2", 120, "the pushed version")
    own_space.wait("RUNNING")


def test_a_build_that_was_interrupted_is_done_again(up, own_space):
    probe.push(own_space, "1")
    eventually(lambda: own_space.stage() in ("BUILDING", "APP_STARTING", "RUNNING"), 30)
    up.kill9("up", "control", "gateway")
    up.start()
    own_space.wait("RUNNING")
    assert probe.ask(own_space) == "1"


def test_ctrl_c_leaves_no_process_and_the_next_start_serves_again(up, own_space):
    probe.running(own_space)
    up.stop()
    assert not own_space.pids()
    up.start()
    own_space.wait("RUNNING")
    assert probe.ask(own_space) == "1"


def failpoints() -> list[str]:
    from orchestrator import failpoints, settings

    return sorted(failpoints.PUSH) if "failpoint" in settings.Settings.__dataclass_fields__ else []


@pytest.mark.parametrize("name", failpoints() or ["none"])
def test_death_at_each_durable_step_loses_nothing(own_podium, own_space, name):
    """The process dies in the middle of a push. Told "done": the new version must come. Told otherwise: the old one or the
    new one, whole, and pushing again works."""
    if name == "none":
        pytest.skip("this Podium has no setting `failpoint`")
    up = own_podium
    probe.running(own_space, "1")
    up.kill9("up", "control", "gateway")
    up.settings["PODIUM_FAILPOINT"] = name
    try:
        up.start()
        try:
            probe.push(own_space, "2")
            acknowledged = True
        except AssertionError:
            acknowledged = False
    finally:
        up.settings.pop("PODIUM_FAILPOINT")
        if any(up.part(word) for word in ("up", "control", "gateway")):
            up.kill9("up", "control", "gateway")
    up.start()
    if not acknowledged:
        own_space.wait("RUNNING")
        assert probe.ask(own_space) in ("1", "2")
        own_space.push(files={"app.py": probe.code("2")})
    eventually(lambda: probe.ask(own_space) == "2", 120, "version 2")
    own_space.wait("RUNNING")
