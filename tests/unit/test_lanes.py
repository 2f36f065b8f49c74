"""How a run is shared out: nothing is named that is not there, and nobody uses the cluster while its servers are stopped."""

import threading

from tests import lanes
from tests.support import eventually


def test_what_is_named_is_there_and_in_one_lane():
    parts = [part for group in lanes.LANES.values() for part in group]
    assert len(set(parts)) == len(parts)
    for part in (*parts, *lanes.LONG):
        assert (lanes.ROOT / "tests" / part.path).exists(), part


def test_a_file_stays_together_but_for_what_runs_on_an_engine():
    runtime = "tests/contracts/test_runtime.py::test_an_exit_is_explained"
    assert lanes.lane(f"{runtime}[docker-x = (-SyntaxError-]") == "engine"
    assert lanes.lane(f"{runtime}[kubernetes-x = (-SyntaxError-]") == "cluster"
    assert lanes.lane(f"{runtime}[none-x = (-SyntaxError-]") == "tests/contracts/test_runtime.py"
    assert lanes.lane("tests/e2e/test_apps.py::test_app[docker_here]") == "podium"


def test_who_stops_servers_has_the_cluster_to_himself(tmp_path):
    place, entered = tmp_path / "lock", []
    use, stop, other = (lanes.Turns(place) for _ in range(3))
    fault, user = "tests/e2e/test_cluster_faults.py::test_x", "tests/contracts/test_kubernetes.py::test_x"
    use.take(user)
    other.take(user)
    waits = threading.Thread(target=lambda: (stop.take(fault), entered.append("stop")))
    waits.start()
    use.take("tests/unit/test_decide.py::test_x")
    waits.join(0.2)
    assert not entered, "one is left"
    other.take("tests/unit/test_decide.py::test_x")
    eventually(lambda: entered)
    later = threading.Thread(target=lambda: (use.take(user), entered.append("use")))
    later.start()
    later.join(0.2)
    assert entered == ["stop"]
    stop.take(user)
    eventually(lambda: entered == ["stop", "use"])
