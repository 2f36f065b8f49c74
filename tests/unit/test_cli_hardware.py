"""`podium hardware` and `podium space hardware` against the real API on a real socket."""

from importlib import resources

import pytest

from orchestrator.domain.hardware_file import parse
from orchestrator.domain.seen import Held, NodeSeen
from tests.console import Console
from tests.unit.command_line import podium_says

FLAVORS = parse((resources.files("orchestrator") / "domain" / "hardware.example.yaml").read_text())


@pytest.fixture
def console(tmp_path, monkeypatch):
    made = Console(tmp_path, FLAVORS)
    root = made.parts.accounts.add_user("root", admin=True)
    made.roots = made.parts.accounts.add_token(root, "write", "root")
    made.runtime.nodes = (NodeSeen("gpu-1", resources={"nvidia.com/gpu": 4}),)
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{made.port}")
    with made.listening():
        made.space()
        yield made


@pytest.fixture
def ada(console, monkeypatch):
    return lambda *words: (monkeypatch.setenv("HF_TOKEN", console.token), podium_says(*words))[1]


@pytest.fixture
def root(console, monkeypatch):
    return lambda *words: (monkeypatch.setenv("HF_TOKEN", console.roots), podium_says(*words))[1]


def test_the_example_can_be_used(tmp_path):
    assert list(parse(podium_says("hardware", "example").out)) == list(FLAVORS)


def test_a_request_from_asking_to_approval(ada, root):
    assert (
        "t4-small\tNvidia T4 - small\t4 vCPU\t15 GB\t1 x Nvidia T4\t0.40 USD/h\trequest" in ada("hardware", "list").out
    )
    said = ada("space", "hardware", "ada/demo", "t4-small", "--note", "for a talk", "--old-first")
    assert (said.code, "An admin decides" in said.err) == (0, True)
    shown = ada("space", "hardware", "ada/demo").out
    assert "wants\tt4-small" in shown and "t4-small: pending, asked by ada" in shown
    assert "ada/demo\tt4-small\tpending\tada" in root("hardware", "requests").out
    assert ada("hardware", "approve", "ada/demo").code == 2
    said = root("hardware", "approve", "ada/demo", "--for", "8h", "--reason", "fine")
    assert said.code == 0 and "ada/demo moves to t4-small until" in said.err
    shown = ada("space", "hardware", "ada/demo").out
    assert "t4-small: approved" in shown and "because\tfine" in shown and "until\t" in shown
    assert root("hardware", "requests").out == ""
    assert "approved" in root("hardware", "requests", "--all").out


def test_a_refusal_and_a_request_taken_back(ada, root):
    ada("space", "hardware", "ada/demo", "t4-small")
    assert root("hardware", "refuse", "ada/demo", "--reason", "use the CPU").code == 0
    assert "because\tuse the CPU" in ada("space", "hardware", "ada/demo").out
    ada("space", "hardware", "ada/demo", "t4-small")
    assert ada("space", "hardware", "ada/demo", "--cancel").code == 0
    said = root("hardware", "refuse", "ada/demo", "--reason", "x")
    assert (said.code, "asks for nothing now" in said.err) == (2, True)


def test_quotas_usage_and_capacity(console, ada, root):
    assert "[HARDWARE_QUOTA]" in ada("space", "hardware", "ada/demo", "cpu-upgrade").err
    said = root("hardware", "quota", "ada", "cpu-upgrade", "--hours", "20", "--count", "2")
    assert said.out == "ada\tcpu-upgrade\t0 of 20\t0 of 2\t0 of any\n"
    assert ada("space", "hardware", "ada/demo", "cpu-upgrade").code == 0
    assert ada("hardware", "quota").out == "ada\tcpu-upgrade\t0 of 20\t1 of 2\t0 of any\n"
    assert ada("hardware", "usage").out == "all\t\t\t0.00\t0.00\n"
    assert ada("hardware", "usage", "--csv").out == "owner,space,hardware,hours,cost USD\n"
    assert root("hardware", "quota", "ada", "cpu-upgrade", "--remove").out == ""
    assert root("hardware", "quota", "ada", "--hours", "1").code == 2
    assert "[QUOTA]" in root("hardware", "quota", "ada", "cpu-upgrade", "--hours", "inf").err
    space = console.parts.spaces.list(console.parts.accounts.caller(f"Bearer {console.roots}"))[0]
    console.runtime.nodes = (
        NodeSeen("n", resources={"nvidia.com/gpu": 4}, held=(Held("i", space.id, resources={"nvidia.com/gpu": 1}),)),
    )
    console.parts.allotment.capacity.nodes(fresh=True)
    assert root("hardware", "capacity").out == "n\tready\tnvidia.com/gpu: 1 of 4 used\tada/demo\n"
    assert ada("hardware", "capacity").code == 2


@pytest.mark.parametrize("time", ["soon", "8", "h", "1w", "infh", "nanh", ""])
def test_a_time_that_is_none_is_refused(ada, root, time):
    ada("space", "hardware", "ada/demo", "t4-small")
    said = root("hardware", "approve", "ada/demo", f"--for={time}")
    assert (said.code, "[EXPIRY]" in said.err) == ((2, True) if time else (0, False))


def test_replicas_are_set_and_shown(ada):
    said = ada("space", "replicas", "ada/demo", "3")
    assert said.code == 0 and "ada/demo is to have 3 replicas" in said.err
    assert "wanted\t3" in ada("space", "replicas", "ada/demo").out
    assert "replicas\t0 of 3" in ada("space", "info", "ada/demo").out
    said = ada("space", "replicas", "ada/demo", "0")
    assert said.code == 2 and "write a number from 1 to 10" in said.err
    assert ada("space", "replicas", "ada/demo", "1").code == 0
    assert "replicas" not in ada("space", "info", "ada/demo").out
