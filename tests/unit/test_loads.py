"""What apps take of their hardware: read from the kernel, an engine and a cluster, sampled, rolled up, told to owners."""

import os
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from orchestrator.domain.caller import STRANGER, Caller
from orchestrator.domain.load import HOUR, MINUTE, Load, Span, joined, together
from orchestrator.domain.seen import InstanceSeen, InstanceState
from orchestrator.domain.space import Role
from orchestrator.errors import PodiumError, Unavailable
from orchestrator.runtimes import load
from orchestrator.runtimes.docker import DockerRuntime
from orchestrator.runtimes.kubernetes import KubernetesRuntime
from orchestrator.runtimes.kubernetes_api import Cluster
from orchestrator.runtimes.machine import Share
from orchestrator.runtimes.manifests import INSTANCE, OWNER
from orchestrator.services.loads import HOURS_KEPT, Loads
from tests.contracts.test_store import add, owner, space, store  # noqa: F401
from tests.memory import MemoryRuntime
from tests.support import eventually

MB = 1024**2
BUSY = "import os,time\nx = bytearray(30 * 1024**2)\nif os.fork():\n  time.sleep(60)\nwhile True: pass\n"


def test_cores_are_what_was_used_since_the_last_look():
    now = [100.0]
    rates = load.Rates(lambda: now[0])
    assert rates.cores("a", 5.0) is None
    now[0] = 110.0
    assert rates.cores("a", 10.0) == pytest.approx(0.5)
    now[0] = 111.0
    assert rates.cores("a", 10.9) == pytest.approx(0.5)  # too soon to tell anew
    now[0] = 120.0
    assert rates.cores("a", 30.0) == pytest.approx(2.0)
    assert rates.cores("a", 1.0) is None and rates.cores("b", None) is None  # another process of this name
    rates.keep(["b"])
    assert rates.cores("a", 31.0) is None


def test_processes_below_a_launcher_are_counted_without_control_groups():
    starter = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BUSY!r}])"
    process = subprocess.Popen([sys.executable, "-c", starter], start_new_session=True)
    try:
        status = {"launcher": process.pid, "cgroups": []}
        eventually(lambda: (load.of_launcher(status)[1] or 0) > 30 * MB, 30)
        before = load.of_launcher(status)[0]
        eventually(lambda: load.of_launcher(status)[0] > before + 0.1, 30)
    finally:
        os.killpg(process.pid, 9)
        process.wait()
    assert load.of_launcher({"launcher": process.pid}) == (None, None) == load.of_launcher({})


def test_a_control_group_of_version_2_is_read(tmp_path):
    files = {
        "cpu.stat": "usage_usec 2500000\nuser_usec 1\n",
        "memory.current": "5000\n",
        "memory.stat": "inactive_file 1000\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert load.of_launcher({"cgroups": [str(tmp_path)]}) == (2.5, 4000)


def test_what_nvidia_smi_says():
    assert load.read_smi("0, 35, 1200\n1, [N/A], 5\nrubbish\n") == {
        0: Load(gpu=0.35, gpu_memory=1200 * MB),
        1: Load(gpu=None, gpu_memory=5 * MB),
    }
    assert load.of_accelerators({"a": Share("cpu")}) == {}


def test_what_docker_says():
    stats = {
        "cpu_stats": {"cpu_usage": {"total_usage": 1_500_000_000}},
        "memory_stats": {"usage": 900, "stats": {"inactive_file": 100}, "limit": 10**9},
    }
    assert load.of_container(stats) == (1.5, 800)
    older = {"cpu_stats": stats["cpu_stats"], "memory_stats": {"usage": 900, "stats": {"total_inactive_file": 200}}}
    assert load.of_container(older) == (1.5, 700)
    assert load.of_container({"cpu_stats": {"cpu_usage": {"total_usage": 0}}, "memory_stats": {}}) == (None, None)
    assert load.of_container({}) == (None, None)


def test_what_a_metrics_server_says():
    items = [
        {
            "metadata": {"name": "p1"},
            "containers": [{"name": "app", "usage": {"cpu": "250000000n", "memory": "128Ki"}}],
        },
        {"metadata": {"name": "p2"}, "containers": [{"usage": {"cpu": "1500u"}}]},
        {"metadata": {"name": "others"}, "containers": [{"usage": {"cpu": "1"}}]},
        {"metadata": {"name": "p1"}},
    ]
    found = load.of_pods(items, {"p1": "i1", "p2": "i2", "p3": "i3"})
    assert found["i1"] == Load(pytest.approx(0.25), 128 * 1024) and found["i2"] == Load(pytest.approx(0.0015), None)
    assert set(found) == {"i1", "i2"}


def test_the_docker_runtime_asks_the_engine_about_what_runs():
    def known(name: str, running: bool) -> SimpleNamespace:
        note = SimpleNamespace(id=name, share=Share("cpu-basic"))
        return SimpleNamespace(note=note, name=f"podium-{name}", state={"Running": running})

    stats = {
        "podium-a": {"cpu_stats": {"cpu_usage": {"total_usage": 10**9}}, "memory_stats": {"usage": 500, "stats": {}}},
        "podium-gone": None,
    }
    runtime = SimpleNamespace(
        _lock=threading.Lock(),
        _known={name: known(name, name != "c") for name in ("a", "c", "gone")},
        _engine=SimpleNamespace(stats=stats.__getitem__),
        _rates=load.Rates(),
    )
    assert DockerRuntime.loads(runtime) == {"a": Load(None, 500)}


def test_the_kubernetes_runtime_asks_a_metrics_server_and_not_soon_again_where_there_is_none():
    asked = []

    class Told:
        answer: object = [
            {"metadata": {"name": f"p{n}"}, "containers": [{"usage": {"cpu": "1", "memory": "1Mi"}}]} for n in (1, 2)
        ]

        def metrics(self, labels):
            asked.append(labels)
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

    pods = {n: {"metadata": {"name": f"p{n}", "labels": {INSTANCE: "i1"}}} for n in (1, 2)}
    cluster, mirror = Told(), SimpleNamespace(items=pods)
    runtime = SimpleNamespace(_cluster=cluster, _pods=mirror, _owner="me", _untold_until=0.0)
    assert KubernetesRuntime.loads(runtime) == {"i1": Load(2.0, 2 * MB)} and asked == [f"{OWNER}=me"]
    cluster.answer = LookupError("the server could not find the requested resource")
    assert KubernetesRuntime.loads(runtime) is None and KubernetesRuntime.loads(runtime) is None and len(asked) == 2
    runtime._untold_until, cluster.answer = 0.0, Unavailable("503")
    assert KubernetesRuntime.loads(runtime) is None and len(asked) == 3


def test_metrics_are_asked_of_the_namespace():
    asked = []

    class Door(Cluster):
        namespace = "podium-apps"

        def __init__(self, answer):
            self.answer = answer

        def _ask(self, *words):
            asked.append(words)
            return self.answer

    assert Door({"items": [{"a": 1}, 3]}).metrics("x=y") == [{"a": 1}] and Door({}).metrics("") == []
    path = "/apis/metrics.k8s.io/v1beta1/namespaces/podium-apps/pods"
    assert asked[0] == ("GET", path, [("labelSelector", "x=y")])


def test_instances_of_a_space_are_added_up_and_the_unknown_stays_unknown():
    assert together([Load(0.5, 10), Load(None, 5, 0.5, 3), Load(1.0, None, 1.0)]) == Load(1.5, 15, 0.75, 3)
    assert together([]) == together([Load()]) == Load()


def test_spans_are_joined_in_equal_steps():
    spans = [Span(0.0, 1.0, 2.0, 10.0, 20), Span(60.0, 3.0, 5.0, 30.0, 40), Span(200.0, 1.0), Span(999.0, 9.0)]
    first, second, third = joined(spans, 0.0, 100.0, 3)
    assert (
        first == Span(0.0, 2.0, 5.0, 20.0, 40) and second == Span(100.0) and third.cpu == 1.0 and third.memory is None
    )


class Clock:
    def __init__(self):
        self.now = 1_800_000_000.0

    def __call__(self):
        return self.now


def running(number: int, state: InstanceState = InstanceState.READY) -> InstanceSeen:
    return InstanceSeen(f"i{number}", f"{number:024x}", "k", state, 1.0)


@pytest.fixture
def sampled(store):  # noqa: F811
    """(loads, runtime, clock) with one Space of Ada's that runs."""
    ada = owner(store, "ada")
    add(store, space(1, ada))
    runtime, clock = MemoryRuntime(), Clock()
    runtime.instances = {"i1": running(1), "i2": running(2, InstanceState.EXITED)}
    runtime.load = {"i1": Load(0.5, 100), "i2": Load(9.0, 9), "i9": Load(9.0, 9)}
    return Loads(store, runtime, clock), runtime, clock


def test_minutes_become_hours_and_end(store, sampled):  # noqa: F811
    loads, runtime, clock = sampled
    begin = clock.now = clock.now - clock.now % HOUR
    for cpu in (0.5, 1.5):
        runtime.load["i1"] = Load(cpu, int(cpu * 100))
        loads.sample()
        clock.now += 60
    clock.now = begin + HOUR + 5
    loads.sample()
    with store.read() as tx:
        assert [(s.cpu, s.memory_peak) for s in tx.loads.of(f"{1:024x}", MINUTE, begin, begin + HOUR)] == [
            (0.5, 50),
            (1.5, 150),
        ]
        assert tx.loads.of(f"{1:024x}", HOUR, begin, begin + HOUR) == [Span(begin, 1.0, 1.5, 100.0, 150)]
        assert tx.loads.of(f"{2:024x}", MINUTE, 0, 4e9) == []
    clock.now += 26 * HOUR
    loads.sample()
    with store.read() as tx:
        assert tx.loads.of(f"{1:024x}", MINUTE, begin, begin + HOUR) == []
        assert len(tx.loads.of(f"{1:024x}", HOUR, begin, begin + HOUR)) == 1
    clock.now += HOURS_KEPT
    loads.sample()
    with store.read() as tx:
        assert tx.loads.of(f"{1:024x}", HOUR, begin, begin + HOUR) == []


def test_where_nothing_runs_nothing_is_asked_or_written(store, sampled, monkeypatch):  # noqa: F811
    loads, runtime, clock = sampled
    loads.sample()
    runtime.instances = {"i2": running(2, InstanceState.EXITED)}
    monkeypatch.setattr(runtime, "loads", lambda: pytest.fail("asked"))
    monkeypatch.setattr(store, "write", lambda: pytest.fail("written"))
    loads.sample()
    assert loads.told


def test_a_runtime_that_cannot_tell_is_told_so(store, sampled):  # noqa: F811
    loads, runtime, clock = sampled
    runtime.load = None
    loads.sample()
    assert not loads.told
    with store.read() as tx:
        assert tx.loads.of(f"{1:024x}", MINUTE, 0, 4e9) == [] and loads.now(tx.spaces.get(f"{1:024x}")) is None


def test_only_its_people_see_what_a_space_takes(store, sampled):  # noqa: F811
    loads, _, _ = sampled
    with store.read() as tx:
        one = tx.spaces.get(f"{1:024x}")
        ada = Caller(tx.accounts.owner(one.owner_id), Role.ADMIN)
    with pytest.raises(PodiumError):
        loads.of_space(STRANGER, one, 1)
    loads.sample()
    for days, points in ((1, 96), (7, 84), (30, 90), (90, 90)):
        spans = loads.of_space(ada, one, days)
        assert (len(spans), spans[-1].cpu, spans[-1].memory) == (points, 0.5, 100.0), days
        assert [span.cpu for span in spans[:-1]] == [None] * (points - 1)
    assert loads.now(one) == Load(0.5, 100)
