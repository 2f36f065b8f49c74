"""From a cluster's objects, as real ones look, to what is seen of an instance and what its author reads."""

import json
from dataclasses import replace

import pytest

from orchestrator.domain.hardware import Hardware
from orchestrator.domain.seen import Image, InstanceState
from orchestrator.ports import LaunchSpec
from orchestrator.runtimes import container, manifests, pod_events, pods, waits
from orchestrator.runtimes import pod_facts as facts

MB = 1024**2
NOW = 1_795_000_100.0
MADE = "2026-11-18T11:06:40Z"  # 1_795_000_000
STARTED = 1_795_000_000.0
HARDWARE = Hardware("cpu-basic", "CPU basic", 1, 300 * MB, 1024 * MB)
GPU = replace(HARDWARE, resource="nvidia.com/gpu", count=1)
GPU_TAKEN = (
    "0/2 nodes are available: 1 Insufficient nvidia.com/gpu, 1 node(s) had taint {nvidia.com/gpu: present}, that the pod "
    "didn't tolerate."
)


def deployment(hardware=HARDWARE, argv=("python", "app.py"), notes=None, conditions=(), **about) -> dict:
    image = Image("i", "gradio", argv, reference="reg/app@sha256:00", startup_timeout=60.0)
    spec = LaunchSpec("s-abc-1", "abc", "key", image, hardware, {})
    made = manifests.deployment(spec, container.note_of(spec, 1.0, STARTED), "me", "env", manifests.Options())
    made["metadata"] |= {"uid": "d1", "resourceVersion": "1", "creationTimestamp": MADE, **about}
    made["metadata"]["annotations"] |= notes or {}
    made["status"] = {"conditions": list(conditions)}
    return made


def pod(
    state=None, last=None, uid="p1", made=MADE, hardware=HARDWARE, conditions=(), restarts=0, about=None, **status
) -> dict:
    spec = deployment(hardware)["spec"]["template"]["spec"]
    found = {"phase": "Running", "podIP": "10.244.1.7", "conditions": list(conditions), **status}
    if state is not None:
        found["containerStatuses"] = [
            {
                "name": "app",
                "state": state,
                "lastState": last or {},
                "restartCount": restarts,
                "ready": "running" in state,
            }
        ]
    labels = {"podium/instance": "s-abc-1"}
    return {
        "metadata": {
            "name": f"s-abc-1-{uid}",
            "uid": uid,
            "creationTimestamp": made,
            "labels": labels,
            **(about or {}),
        },
        "spec": {**spec, "nodeName": "node-1"},
        "status": found,
    }


RUNNING = {"running": {"startedAt": "2026-11-18T11:06:50Z"}}
CREATING = {"waiting": {"reason": "ContainerCreating"}}


def seen(pod_uid="p1", **found) -> dict:
    return {"podium/seen": json.dumps({"pod": pod_uid, **found})}


def waiting(reason, message="") -> dict:
    return {"waiting": {"reason": reason, "message": message}}


def terminated(code=1, message="", reason="Error") -> dict:
    return {"terminated": {"exitCode": code, "reason": reason, "message": message}}


def see(made, *there, events=(), nodes=(), ahead=0, now=NOW):
    return pods.see(made, there, now, events, nodes, ahead)


# ---------------------------------------------------------------------------------------------------------- states


def test_starting_then_ready():
    one = see(deployment(), pod(RUNNING), now=STARTED + 20)
    assert (one.state, one.address, one.fault, one.waiting) == (InstanceState.STARTING, "", None, "")
    one = see(deployment(notes=seen(ready_at=STARTED + 12)), pod(RUNNING))
    assert (one.state, one.address, one.ready_at) == (InstanceState.READY, "10.244.1.7:7860", STARTED + 12)
    assert (one.id, one.space_id, one.launch_key, one.started_at) == ("s-abc-1", "abc", "key", STARTED)
    six = pod(RUNNING, podIP="fd00::7")
    assert see(deployment(notes=seen(ready_at=1.0)), six).address == "[fd00::7]:7860"


def test_what_was_seen_of_another_pod_does_not_count():
    old, new = pod(RUNNING, about={"deletionTimestamp": MADE}), pod(RUNNING, uid="p2", made="2026-11-18T11:07:40Z")
    one = see(deployment(notes=seen("p1", ready_at=1.0)), old, new)
    assert (one.state, one.address, one.started_at) == (InstanceState.STARTING, "", STARTED + 60)
    assert see(deployment(notes=seen("p2", ready_at=1.0)), old, new).state is InstanceState.READY


@pytest.mark.parametrize("text", ["{", "[]", "3", '{"pod": 3}', ""])
def test_a_broken_sighting_is_none(text):
    assert see(deployment(notes={"podium/seen": text}), pod(RUNNING)).state is InstanceState.STARTING


def test_stopping_and_draining():
    ready = seen(ready_at=1.0)
    draining = see(deployment(notes={**ready, "podium/stop-at": str(NOW + 5)}), pod(RUNNING))
    assert (draining.state, draining.draining, draining.address) == (InstanceState.STOPPING, True, "10.244.1.7:7860")
    over = see(deployment(notes={**ready, "podium/stop-at": str(NOW - 5)}), pod(RUNNING))
    assert (over.state, over.draining) == (InstanceState.STOPPING, False)
    going = see(deployment(notes={**ready, "podium/stop-at": str(NOW + 5)}, deletionTimestamp=MADE), pod(RUNNING))
    assert (going.state, going.draining) == (InstanceState.STOPPING, False)


def test_others_deployments_are_none_of_ours():
    made = deployment()
    made["metadata"]["name"] = "somebody-elses"
    assert see(made, pod(RUNNING)) is None
    assert see({"metadata": {"name": "x", "uid": "u"}}) is None


def test_a_silent_node_is_told_when_the_app_is_silent_too():
    lost = pod(RUNNING, conditions=[{"type": "Ready", "status": "False"}])
    assert facts.on_lost_node(lost)
    assert see(deployment(notes=seen(ready_at=1.0)), lost).state is InstanceState.READY, "it may well answer"
    one = see(deployment(notes=seen(ready_at=1.0, silent=True)), lost)
    assert (one.state, one.address, one.waiting) == (InstanceState.STARTING, "", "the node node-1 does not answer")


def test_what_answers_on_a_silent_node_serves_until_its_follower_does():
    silent, going = [{"type": "Ready", "status": "False"}], {"deletionTimestamp": MADE}
    given_up = pod(RUNNING, conditions=silent, about=going)
    unplaced = pod(uid="p2", made="2026-11-18T11:07:40Z", phase="Pending", podIP="")
    follower = pod(RUNNING, uid="p2", made="2026-11-18T11:07:40Z", podIP="10.244.2.9")
    for newer in (unplaced, follower):
        one = see(deployment(notes=seen(ready_at=1.0)), given_up, newer)
        assert (one.state, one.address) == (InstanceState.READY, "10.244.1.7:7860")
        one = see(deployment(notes=seen(ready_at=1.0, silent=True)), given_up, newer)
        assert (one.state, one.address) == (InstanceState.STARTING, "")
    one = see(deployment(notes=seen("p2", ready_at=1.0)), given_up, follower)
    assert (one.state, one.address) == (InstanceState.READY, "10.244.2.9:7860")
    stopped_by_kubelet = pod(RUNNING, conditions=[silent[0] | {"reason": "ContainersNotReady"}], about=going)
    one = see(deployment(notes=seen(ready_at=1.0)), stopped_by_kubelet, follower)
    assert (one.state, one.address) == (InstanceState.STARTING, "")


def test_startup_is_counted_from_the_containers_start():
    unplaced = pod(conditions=[{"type": "PodScheduled", "status": "False", "message": GPU_TAKEN}], hardware=GPU)
    one = see(deployment(GPU), unplaced, now=STARTED + 5000)
    assert one.started_at + one.startup_timeout >= STARTED + 5060 and one.fault is None
    begun = see(deployment(), pod(RUNNING), now=STARTED + 5000)
    assert begun.startup_timeout == 70.0
    assert (begun.fault.code, begun.fault.message) == (
        "APP_TIMEOUT",
        "the app did not answer on port 7860 within 60 seconds",
    )
    assert see(deployment(GPU), unplaced, now=STARTED + 200_000).startup_timeout == 60 + pods.DAY


def test_what_keeps_it_from_being_ready():
    made = deployment(notes=seen(listening_elsewhere=["127.0.0.1:7860"], port=7860))
    fault = see(made, pod(RUNNING)).fault
    assert (fault.code, fault.message) == ("APP_PORT", "the app listens on 127.0.0.1:7860 only, expected 0.0.0.0")
    fault = see(deployment(notes=seen(reason="the app answers / with status 500")), pod(RUNNING)).fault
    assert fault.code == "APP_NOT_READY"


# ----------------------------------------------------------------------------------------------------------- waits


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (GPU_TAKEN, "waiting for a GPU: 0 of 2 nodes fit (1 has no GPU free, 1 is kept for others)"),
        ("0/3 nodes are available: 1 Insufficient nvidia.com/gpu, 2 node(s) had untolerated taint {nvidia.com/gpu: present}. "
         "preemption: 0/3 nodes are available: 1 No preemption victims found for incoming pod, 2 Preemption is not helpful.",
         "waiting for a GPU: 0 of 3 nodes fit (1 has no GPU free, 2 are kept for others)"),
        ("0/1 nodes are available: 1 Insufficient cpu.", "waiting for a place: 0 of 1 node fits (1 has no CPU free)"),
        ("0/5 nodes are available: 1 Too many pods, 2 Insufficient memory, 2 node(s) didn't match Pod's node affinity/selector.",
         "waiting for a place: 0 of 5 nodes fit (1 is full of pods, 2 have no memory free, 2 are of another kind)"),
        ("0/2 nodes are available: 2 node(s) were unschedulable.", "waiting for a place: 0 of 2 nodes fit (2 take no new pods)"),
        ("0/2 nodes are available: 1 node(s) had taint {node.kubernetes.io/unreachable: }, that the pod didn't tolerate, 1 "
         "node(s) had taint {node.kubernetes.io/disk-pressure: }, that the pod didn't tolerate.",
         "waiting for a place: 0 of 2 nodes fit (1 is not ready, 1 is low on disk)"),
        ("no nodes available to schedule pods", "waiting for a place: no nodes available to schedule pods"),
        ("", "waiting for a place"),
    ],
)  # fmt: skip
def test_the_scheduler_in_plain_words(message, sentence):
    one = pod(conditions=[{"type": "PodScheduled", "status": "False", "message": message}], hardware=GPU)
    assert see(deployment(GPU), one).waiting == sentence


def test_who_waits_longer_and_what_never_fits():
    one = pod(conditions=[{"type": "PodScheduled", "status": "False", "message": GPU_TAKEN}], hardware=GPU)
    assert see(deployment(GPU), one, ahead=3).waiting.endswith(
        "(1 has no GPU free, 1 is kept for others), 3 ahead of it"
    )
    nodes = [{"status": {"allocatable": {"nvidia.com/gpu": "4"}}}, {"status": {"allocatable": {"cpu": "4"}}}]
    assert "0 of 2" in see(deployment(GPU), one, nodes=nodes).waiting
    eight = pod(conditions=one["status"]["conditions"], hardware=replace(GPU, count=8))
    assert see(deployment(GPU), eight, nodes=nodes).waiting == "no node has 8 GPUs; the largest has 4"
    assert "0 of 2" in see(deployment(GPU), eight).waiting, "nodes may be hidden from us"


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ('pods "s-abc-1-7d" is forbidden: exceeded quota: cap, requested: pods=1, used: pods=400, limited: pods=400',
         "waiting for room in the cluster's quota 'cap': asked for pods=1, in use pods=400 of pods=400"),
        ('pods "s-abc-1-7d" is forbidden: no PriorityClass with name demos was found',
         "the cluster does not let it in: forbidden: no PriorityClass with name demos was found"),
    ],
)  # fmt: skip
def test_a_pod_that_is_not_let_in(message, sentence):
    made = deployment(conditions=[{"type": "ReplicaFailure", "status": "True", "message": message}])
    assert see(made).waiting == sentence


@pytest.mark.parametrize(
    ("reason", "message", "state", "words"),
    [
        ("ErrImagePull", 'rpc error: code = NotFound desc = failed to pull image "r/a@sha256:0": r/a@sha256:0: not found',
         InstanceState.EXITED, "the image is gone from the registry"),
        ("ErrImagePull", "dial tcp 10.0.0.1:5000: connect: connection refused", InstanceState.STARTING, "does not answer"),
        ("ImagePullBackOff", 'Back-off pulling image "r/a"', InstanceState.STARTING, "cannot be fetched; trying again"),
        ("ErrImagePull", "unexpected status code: 401 Unauthorized", InstanceState.STARTING, "does not let the cluster"),
        ("ErrImagePull", "no match for platform in manifest: not found", InstanceState.EXITED, "kind of processor"),
        ("InvalidImageName", 'couldn\'t parse image reference "A"', InstanceState.EXITED, "a name that cannot be"),
    ],
)  # fmt: skip
def test_images(reason, message, state, words):
    one = see(deployment(), pod(waiting(reason, message), phase="Pending"))
    assert one.state is state
    assert words in (one.fault.message if one.fault else one.waiting)


def test_events_tell_more():
    uid = {"involvedObject": {"uid": "p1"}}
    mount = {**uid, "reason": "FailedMount", "message": 'MountVolume.SetUp failed for volume "data"'}
    other = {"involvedObject": {"uid": "p9"}, "reason": "FailedMount", "message": "not mine"}
    creating = pod(CREATING, phase="Pending", conditions=[{"type": "PodScheduled", "status": "True"}])
    assert see(deployment(), creating).waiting == "the node node-1 fetches the image"
    assert see(deployment(), creating, events=[mount, other]).waiting.startswith(
        "its volume cannot be mounted: MountVolume"
    )
    attach = {**uid, "reason": "FailedAttachVolume", "message": 'Multi-Attach error for volume "pvc-1"'}
    assert "lets go of its volume" in see(deployment(), creating, events=[attach]).waiting
    back_off = pod(waiting("ImagePullBackOff", "Back-off"), phase="Pending")
    pull = {**uid, "reason": "Failed", "message": 'Failed to pull image "x": dial tcp: i/o timeout'}
    assert see(deployment(), back_off, events=[pull]).waiting == "the registry does not answer; trying again"


# ------------------------------------------------------------------------------------------------------------ ends

WORDS = {"state": "exited", "exit_code": 1, "signal": 0, "oom": False, "asked": False, "reason": ""}


def words(**more) -> str:
    return json.dumps({**WORDS, **more})


@pytest.mark.parametrize(
    ("message", "reason", "exit_code", "code", "sentence"),
    [
        (words(tail=["ModuleNotFoundError: No module named 'torch'"]), "Error", 1, "APP_EXITED", "'torch' is not installed"),
        (words(exit_code=None, signal=9, oom=True, reason="killed for memory: used 301 MB of 300 MB"), "OOMKilled", 137,
         "APP_OOM", "used 301 MB of 300 MB"),
        ("", "OOMKilled", 137, "APP_OOM", "it has 300 MB"),
        ("", "Error", 137, "APP_LOST", "ended from outside"),
        (words(asked=True), "Error", 143, "APP_LOST", "ended from outside"),
        ("forged {", "Error", 137, "APP_LOST", "ended from outside"),
        (words(exit_code=0), "Completed", 0, "APP_EXITED", "exit code 0"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("restarted", [True, False])
def test_how_an_app_with_a_launcher_ended(message, reason, exit_code, code, sentence, restarted):
    end = terminated(exit_code, message, reason)
    one = see(deployment(), pod(RUNNING, last=end, restarts=1) if restarted else pod(end))
    assert (one.state, one.fault.code) == (InstanceState.EXITED, code)
    assert sentence in one.fault.message


@pytest.mark.parametrize(
    ("end", "code", "sentence"),
    [
        (terminated(3, "first\nlast words\n"), "APP_EXITED", "the app exited with code 3: last words"),
        (terminated(139), "APP_EXITED", "SIGSEGV"),
        (terminated(137, reason="OOMKilled"), "APP_OOM", "300 MB"),
        (terminated(1, "exec /app: exec format error\n"), "APP_EXITED", "another kind of processor"),
        (terminated(128, "exec: \"serve\": executable file not found", "StartError"), "APP_EXITED", "could not be started"),
        (waiting("RunContainerError", "exec: \"x\": no such file"), "APP_EXITED", "no such file"),
        (waiting("CreateContainerError", "no command specified"), "APP_EXITED", "no command specified"),
    ],
)  # fmt: skip
def test_how_an_authors_own_image_ended(end, code, sentence):
    fault = see(deployment(argv=()), pod(end)).fault
    assert fault.code == code and sentence in fault.message


def test_what_a_kubelet_could_not_read_is_not_taken_for_the_apps_words():
    unread = (
        'Error on reading termination message from logs: failed to try resolving symlinks in path "/var/log/x/1.log"'
    )
    fault = see(deployment(argv=()), pod(terminated(2, unread))).fault
    assert fault.message == (
        "the app exited with code 2 (its node could not read its last words: failed to try resolving symlinks in path "
        '"/var/log/x/1.log")'
    )
    killed = see(deployment(), pod(terminated(137, unread, "OOMKilled"))).fault
    assert killed.code == "APP_OOM" and "it has 300 MB (its node could not read" in killed.message


@pytest.mark.parametrize(
    ("reason", "message", "code"),
    [
        ("Evicted", "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ", "APP_DISK"),
        ("Evicted", 'Usage of EmptyDir volume "data" exceeds the limit "1Gi". ', "APP_DISK"),
        ("Evicted", "The node was low on resource: memory. Container app was using 3Gi, which exceeds its request of 75Mi.", ""),
        ("Preempting", "Preempted in order to admit critical pod", ""),
        ("NodeLost", "Node node-1 which was running pod s-abc-1 is unresponsive", ""),
        ("Shutdown", "Node is shutting, evicting pods", ""),
        ("OutOfcpu", "Pod Node didn't have enough resource: cpu", ""),
    ],
)  # fmt: skip
def test_a_pod_that_the_cluster_put_out(reason, message, code):
    out = pod(None, phase="Failed", reason=reason, message=message)
    del out["status"]["podIP"]
    next_one = pod(CREATING, uid="p2", made="2026-11-18T11:07:40Z", phase="Pending")
    one = see(deployment(), out, next_one)
    assert (one.fault.code if one.fault else "") == code
    assert one.state is (InstanceState.EXITED if code else InstanceState.STARTING)


def test_a_pod_that_is_taken_away_is_no_end():
    going = pod(terminated(143), about={"deletionTimestamp": MADE})
    assert see(deployment(), going).state is InstanceState.STARTING
    assert facts.stopped(going) and not facts.alive(going)


@pytest.mark.parametrize(
    ("resource", "name"), [("amd.com/gpu", "GPU"), ("nvidia.com/mig-1g.10gb", "GPU"), ("x.org/npu", "x.org/npu")]
)
def test_accelerators_by_name(resource, name):
    told = waits.unschedulable(f"0/1 nodes are available: 1 Insufficient {resource}.", resource)
    assert told == f"waiting for a {name}: 0 of 1 node fits (1 has no {name} free)"


def test_a_start_has_its_moments():
    placed = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-18T11:06:41Z"}
    running = pod({"running": {"startedAt": "2026-11-18T11:06:45Z"}}, conditions=[placed])
    seen = pods.see(deployment(), [running], NOW)
    assert (seen.placed_at, seen.begun_at) == (STARTED + 1, STARTED + 5)
    waiting = {"type": "PodScheduled", "status": "False", "lastTransitionTime": "2026-11-18T11:06:41Z"}
    seen = pods.see(deployment(), [pod(conditions=[waiting], phase="Pending")], NOW)
    assert (seen.placed_at, seen.begun_at) == (None, None)


def told(uid, name, **more):
    return {
        "metadata": {"uid": uid, "creationTimestamp": MADE},
        "involvedObject": {"kind": "Pod", "name": name},
        **more,
    }


def test_what_a_cluster_says_of_a_space_is_of_its_pods_only():
    every = [
        told("e1", "s-abc-1-p1", reason="Pulled", type="Normal", lastTimestamp="2026-11-18T11:06:50Z"),
        told(
            "e2", "s-abc-0-gone", reason="Evicted", type="Warning", eventTime="2026-11-18T11:06:55.123456Z", count=None
        ),
        told("e3", "s-abcd-1-x", reason="Other", type="Warning"),
        told("e4", "s-abc-1-p1", reason="BackOff", type="Warning", series={"count": 7, "lastObservedTime": MADE}),
    ]
    found = pod_events.events(every, "abc")
    assert [(one.reason, one.warning, one.count, one.instance_id) for one in found] == [
        ("Evicted", True, 1, "s-abc-0"),
        ("Pulled", False, 1, "s-abc-1"),
        ("BackOff", True, 7, "s-abc-1"),
    ]
    assert found[0].at == pytest.approx(STARTED + 15.123456) and found[-1].at == STARTED
