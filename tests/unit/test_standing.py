"""Several pods as the replicas of one instance: who counts, who answers, what is noted, what is said of the others."""

import json

import pytest

from orchestrator.domain.seen import InstanceState
from orchestrator.runtimes import manifests, standing
from tests.unit.test_pods import CREATING, GPU, GPU_TAKEN, NOW, RUNNING, STARTED, deployment, pod, see, terminated

LATER = "2026-11-18T11:07:40Z"


def several(asked: int = 3, notes=None, **noted) -> dict:
    """A Deployment of so many pods, of which these have been noted: pod=since when it answers, or what was seen of it."""
    told = {uid: found if isinstance(found, dict) else {"ready_at": found} for uid, found in noted.items()}
    made = deployment(notes={"podium/seen": json.dumps({"pods": told}), **(notes or {})})
    made["spec"]["replicas"] = asked
    return made


def running(uid: str, last: int, **more) -> dict:
    return pod(RUNNING, uid=uid, podIP=f"10.244.1.{last}", **more)


A, B, C = running("a", 1), running("b", 2), running("c", 3, made=LATER)


def addresses(one) -> list[str]:
    return [address.removesuffix(":7860") for address in one.addresses]


def test_it_is_ready_when_one_answers_and_all_that_answer_are_seen():
    none = see(several(), A, B, C)
    assert (none.state, none.addresses, none.asked) == (InstanceState.STARTING, (), 3)
    one = see(several(b=STARTED + 5), A, B, C)
    assert (one.state, addresses(one), one.address, one.ready_at) == (
        InstanceState.READY, ["10.244.1.2"], "10.244.1.2:7860", STARTED + 5,
    )  # fmt: skip
    every = see(several(a=STARTED + 9, b=STARTED + 5, c=STARTED + 90), C, B, A)
    assert addresses(every) == ["10.244.1.1", "10.244.1.2", "10.244.1.3"], "the oldest first, whatever their order"
    assert (every.started_at, every.ready_at, every.waiting) == (STARTED, STARTED + 5, "")
    assert [(two.id, two.waiting) for two in every.replicas] == [("a", False), ("b", False), ("c", False)]


def test_one_that_dies_only_leaves_the_list():
    words = json.dumps({"state": "exited", "exit_code": 1, "tail": ["boom"]})
    dead = pod(RUNNING, last=terminated(1, words), uid="b", restarts=1)
    left = see(several(a=STARTED, b=STARTED), A, dead)
    assert (left.state, addresses(left), left.fault) == (InstanceState.READY, ["10.244.1.1"], None)
    assert left.waiting == "one ended: the app exited with code 1: boom"
    last = see(several(b=STARTED), A, dead)
    assert (last.state, last.fault.message) == (InstanceState.EXITED, "the app exited with code 1: boom")
    alone = see(several(1, a=STARTED, b=STARTED), A, dead)
    assert alone.state is InstanceState.EXITED, "where there is to be one, its end is the end"


def test_why_others_do_not_answer():
    unplaced = pod(
        conditions=[{"type": "PodScheduled", "status": "False", "message": GPU_TAKEN}],
        hardware=GPU,
        uid="c",
        phase="Pending",
    )
    unplaced["spec"]["nodeName"] = ""
    one = see(several(a=STARTED, b=STARTED), A, B, unplaced)
    assert one.waiting.startswith("waiting for a GPU: 0 of 2 nodes fit") and one.replicas[-1].waiting
    elsewhere = several(2, a=STARTED, b={"listening_elsewhere": ["127.0.0.1:7860"], "port": 7860})
    assert see(elsewhere, A, B).waiting == "the app listens on 127.0.0.1:7860 only, expected 0.0.0.0"
    silent = running("b", 2, conditions=[{"type": "Ready", "status": "False"}])
    assert see(several(2, a=STARTED, b={"ready_at": 1.0, "silent": True}), A, silent).waiting == (
        "the node node-1 does not answer"
    )
    refused = several(2, a=STARTED)
    refused["status"]["conditions"] = [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: cap"}]
    assert "quota" in see(refused, A).waiting
    assert see(several(2, a=STARTED), A, pod(CREATING, uid="b")).waiting == ""


def test_those_that_are_to_go_are_listed_no_more_and_cost_until_they_have_gone():
    ready = {"a": STARTED, "b": STARTED, "c": STARTED}
    one = see(several(3, {"podium/shrink": f"1 {NOW + 10:.3f}"}, **ready), A, B, C)
    assert (one.asked, addresses(one), len(one.replicas)) == (1, ["10.244.1.1"], 3)
    instead = see(several(3, {"podium/shrink": f"1 {NOW + 10:.3f}"}, b=STARTED, c=STARTED), A, B, C)
    assert addresses(instead) == ["10.244.1.2"], "one that answers stays"
    going = running("b", 2, about={"deletionTimestamp": LATER})
    assert len(see(several(1, **ready), A, going).replicas) == 1


@pytest.mark.parametrize("text", ["1", "x 5", "1 x", "1 ", ""])
def test_a_broken_wish_for_fewer_is_none(text):
    assert standing.shrinking(several(3, {"podium/shrink": text})) is None
    assert standing.asked(several(3, {"podium/shrink": text})) == 3


def test_notes_of_one_pod_are_as_ever_and_those_of_several_stay_apart():
    made, found = deployment(), {"ready_at": 5.0}
    one = standing.noting(made, [A], A, found)
    assert one == {"pod": "a", "ready_at": 5.0}, "the release before reads this"
    made["metadata"]["annotations"] |= manifests.seen_of(one)["metadata"]["annotations"]
    assert standing.noting(made, [A], A, found) is None and standing.told_of(made, A) == found
    made["spec"]["replicas"] = 2
    both = standing.noting(made, [A, B], B, {"reason": "it sulks"})
    assert both == {"pods": {"a": found, "b": {"reason": "it sulks"}}}
    made["metadata"]["annotations"] |= manifests.seen_of(both)["metadata"]["annotations"]
    assert standing.noting(made, [B, C], C, found) == {"pods": {"b": {"reason": "it sulks"}, "c": found}}
    assert standing.noting(made, [A, B], B, {}) == {"pod": "a", **found}


def test_a_replica_on_a_silent_node_serves_until_another_takes_its_place():
    lost = running("b", 2, conditions=[{"type": "Ready", "status": "False"}], about={"deletionTimestamp": LATER})
    assert addresses(see(several(2, a=1.0, b=1.0), A, lost, C)) == ["10.244.1.1", "10.244.1.2"]
    assert addresses(see(several(2, a=1.0, b=1.0, c=1.0), A, lost, C)) == ["10.244.1.1", "10.244.1.3"]
    assert addresses(see(several(2, a=1.0, b={"ready_at": 1.0, "silent": True}), A, lost, C)) == ["10.244.1.1"]
