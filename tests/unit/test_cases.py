"""What is remembered of instances that simply run: it is what a fresh look would find, whatever happens to their objects."""

import random
from types import SimpleNamespace

import pytest

from orchestrator.runtimes.cases import Cases
from tests.unit.test_pods import CREATING, RUNNING, STARTED, pod, see, terminated
from tests.unit.test_standing import LATER, several

READY = {"a": STARTED, "b": STARTED}


def cluster(deployment: dict, *pods: dict) -> tuple[Cases, dict[str, SimpleNamespace]]:
    copies = {kind: SimpleNamespace(items={}) for kind in ("deployments", "pods", "events", "nodes")}
    copies["deployments"].items = {"s-abc-1": deployment}
    copies["pods"].items = {one["metadata"]["name"]: one for one in pods}
    return Cases(**copies), copies


def running(uid: str, **more) -> dict:
    return pod(RUNNING, uid=uid, podIP=f"10.244.1.{ord(uid)}", **more)


def test_who_simply_runs_is_read_once():
    cases, copies = cluster(several(2, **READY), running("a"), running("b"))
    first = cases()["s-abc-1"]
    assert first.at_rest and cases()["s-abc-1"] is first and cases("abc")["s-abc-1"] is first and cases("other") == {}
    copies["pods"].items = dict(copies["pods"].items)  # another pod's news
    assert cases()["s-abc-1"] is first
    copies["pods"].items["s-abc-1-b"] = running("b", conditions=[{"type": "Ready", "status": "True"}])
    copies["pods"].items = dict(copies["pods"].items)
    assert cases()["s-abc-1"] is not first
    copies["deployments"].items = {}
    assert cases() == {} and cases.objects("s-abc-1")[0] is None


#: States in which time alone, or another's doing, changes what is to be seen or done.
RESTLESS = {
    "one does not answer": (several(2, a=STARTED), running("a"), running("b")),
    "one is not there": (several(2, **READY), running("a")),
    "one too many": (several(1, **READY), running("a"), running("b")),
    "starting": (several(1), pod(CREATING, uid="a")),
    "ended": (several(1, a=STARTED), pod(terminated(1), uid="a")),
    "stopping": (several(1, {"podium/stop-at": f"{STARTED + 1e6}"}, a=STARTED), running("a")),
    "shrinking": (several(2, {"podium/shrink": f"1 {STARTED + 1e6}"}, **READY), running("a"), running("b")),
    "a silent node": (several(1, a=STARTED), running("a", conditions=[{"type": "Ready", "status": "False"}])),
    "taken away": (several(1, a=STARTED), running("a", about={"deletionTimestamp": LATER})),
}


@pytest.mark.parametrize("what", RESTLESS)
def test_everything_else_is_looked_at_each_time(what):
    cases, _ = cluster(*RESTLESS[what])
    first = cases()["s-abc-1"]
    assert not first.at_rest and cases()["s-abc-1"] is not first


def test_what_is_remembered_is_what_is_there():
    """Random histories of one instance's objects."""
    dice = random.Random(7)
    shapes = [
        *RESTLESS.values(),
        (several(2, **READY), running("a"), running("b")),
        (several(1, a=STARTED), running("a")),
    ]
    cases, copies = cluster(*shapes[0])
    for _ in range(300):
        deployment, *pods = dice.choice(shapes)
        copies["deployments"].items = {"s-abc-1": deployment}
        copies["pods"].items = {one["metadata"]["name"]: one for one in pods}
        for _ in range(dice.randrange(1, 3)):
            assert cases()["s-abc-1"].seen.addresses == see(deployment, *pods).addresses
