"""What nodes have and who has it, from objects as clusters tell them."""

import pytest

from orchestrator.domain.hardware import Hardware, Toleration
from orchestrator.domain.room import never_fits, room
from orchestrator.domain.seen import Held, NodeSeen, Taint
from orchestrator.runtimes import nodes


def node(name="node-2", ready="True", gpus="4", taints=(), **spec) -> dict:
    has = {"cpu": "3920m", "memory": "7918Mi", "ephemeral-storage": "100", "pods": "110", "nvidia.com/gpu": gpus}
    return {
        "metadata": {"name": name, "labels": {"nvidia.com/gpu.product": "NVIDIA-A10G"}},
        "spec": {"taints": list(taints), **spec},
        "status": {"allocatable": has, "conditions": [{"type": "Ready", "status": ready}]},
    }


def pod(instance: str, where: str = "node-2", gpus: str = "1", phase: str = "Running") -> dict:
    requests = {"cpu": "250m", "memory": "1073741824", "nvidia.com/gpu": gpus}
    return {
        "metadata": {"labels": {"podium/instance": instance, "podium/space": instance.split("-")[1]}},
        "spec": {"nodeName": where, "containers": [{"resources": {"requests": requests}}]},
        "status": {"phase": phase},
    }


GPU_TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}


def test_what_a_node_has_and_who_has_it():
    passing = {"key": "node.kubernetes.io/memory-pressure", "effect": "NoSchedule"}
    placed = [pod("s-a-1"), pod("s-b-1", phase="Failed"), pod("s-c-1", where="node-9"), pod("s-d-1", where="")]
    assert nodes.capacity([node(taints=[GPU_TAINT, passing])], placed) == (
        NodeSeen(
            "node-2", True, "", 3.92, 7918 * 2**20, {"nvidia.com/gpu": 4},
            (Held("s-a-1", "a", 0.25, 2**30, {"nvidia.com/gpu": 1}),), {"nvidia.com/gpu.product": "NVIDIA-A10G"},
            (Taint("nvidia.com/gpu", "present", "NoSchedule"),), True,
        ),
    )  # fmt: skip


def test_the_queue_can_use_it():
    gpu = Hardware(
        "a10g", "Nvidia A10G", 2, 2**30, 2**30, exclusive=True, accelerator="Nvidia A10G", resource="nvidia.com/gpu", count=2,
        tolerations=(Toleration("nvidia.com/gpu", "present", "NoSchedule"),),
    )  # fmt: skip
    seen = nodes.capacity([node(taints=[GPU_TAINT]), node("node-1", gpus="0")], [pod("s-a-1", gpus="3")])
    assert never_fits(gpu, seen) == ""
    assert room("b", gpu, seen, (), 1.0).reason == "waiting for 2 x Nvidia A10G: 1 of 4 free, you are next"


@pytest.mark.parametrize(
    ("found", "trouble"),
    [
        (node(ready="Unknown"), "its kubelet does not answer"),
        (node(ready="False"), "it says that it is not ready"),
        (node(unschedulable=True), "it takes no new pods"),
        ({"metadata": {"name": "bare"}}, "it says that it is not ready"),
    ],
)
def test_nodes_that_take_nothing(found, trouble):
    (one,) = nodes.capacity([found], [])
    assert (one.ready, one.trouble) == (False, trouble)


@pytest.mark.parametrize(
    ("text", "number"),
    [("250m", 0.25), ("2", 2.0), ("1.5", 1.5), ("7Gi", 7 * 2**30), ("8127032Ki", 8127032 * 2**10), ("1k", 1000.0), ("", 0.0),
     (None, 0.0), ("1..2", 0.0), ("3Xi", 0.0), (4, 4.0)],
)  # fmt: skip
def test_quantities(text, number):
    assert nodes.quantity(text) == number
