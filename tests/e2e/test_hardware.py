"""Hardware from asking to the bill on a real Podium: an app moves to what an admin gave it without a gap, is metered through a
crash of the control plane, stops when its quota is used up, and goes on when there is more."""

import subprocess
import sys

import pytest

from tests.e2e import probe
from tests.podium import Podium
from tests.support import Prober, eventually

CATALOGUE = """
currency: EUR
flavors:
  - {name: cpu-basic, cpu: 1, memory: 1 GB}
  - {name: cpu-big, pretty_name: Big CPU, cpu: 2, memory: 2 GB, price: 3.60, allowed: request}
"""


@pytest.fixture
def podium(tmp_path):
    (tmp_path / "hardware.yaml").write_text(CATALOGUE)
    made = Podium(tmp_path, hardware=str(tmp_path / "hardware.yaml"))
    made.start()
    made.root = made.user("root", admin=True)
    yield made
    made.stop()


def usage(podium, hardware: str) -> float:
    found = podium.request("GET", "/api/podium/hardware/usage", token=podium.root).json()
    return sum(row["seconds"] for row in found["rows"] if row["hardware"] == hardware)


def memory(space) -> str:
    with space.client() as client:
        return client.get("/env/MEMORY").text


def test_from_asking_to_the_bill(podium):
    space = podium.space("demo")
    probe.running(space, "1")
    assert memory(space) == "1Gi"
    done = podium.cli("space", "hardware", space.id, "cpu-big", "--note", "for a talk")
    assert "An admin decides" in done.stderr
    assert space.runtime()["hardware"] == {"current": "cpu-basic", "requested": "cpu-big"}
    with Prober(space) as prober:
        podium.cli("hardware", "approve", space.id, HF_TOKEN=podium.root)
        eventually(lambda: memory(space) == "2Gi", 120, "the app on its new hardware")
        space.wait("RUNNING")
    assert prober.failures == []
    assert space.runtime()["hardware"] == {"current": "cpu-big", "requested": "cpu-big"}

    eventually(lambda: usage(podium, "cpu-big") > 0, 30, "its use being noted")
    podium.kill9("control")
    eventually(lambda: podium.http.get("/readyz").status_code == 200, 60)
    before = usage(podium, "cpu-big")
    eventually(lambda: usage(podium, "cpu-big") > before, 60, "being metered after a crash")
    assert podium.cli("hardware", "usage", "--csv").stdout.startswith("owner,space,hardware,hours,cost EUR\n")

    podium.cli("hardware", "quota", podium.owner, "cpu-big", "--hours", "0.0001", HF_TOKEN=podium.root)
    stopped = space.wait("PAUSED")
    assert f"{podium.owner} has used its 0.0001 hours of cpu-big for this month" in stopped["reason"]
    podium.cli("hardware", "quota", podium.owner, "cpu-big", "--hours", "100", HF_TOKEN=podium.root)
    space.wait("RUNNING")
    assert memory(space) == "2Gi"


def test_a_mistake_in_the_catalogue_is_said_at_start(tmp_path):
    (tmp_path / "hardware.yaml").write_text(CATALOGUE.replace("cpu: 2", "cpu: two"))
    words = [sys.executable, "-m", "orchestrator.cli", "up", "--data", str(tmp_path / "data")]
    environ = Podium(tmp_path, hardware=str(tmp_path / "hardware.yaml")).environ
    done = subprocess.run(words, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert f"{tmp_path}/hardware.yaml:5: cpu of cpu-big is 'two'; write a number of CPUs" in done.stderr
    assert "[HARDWARE_FILE]" in done.stderr and "Traceback" not in done.stderr
