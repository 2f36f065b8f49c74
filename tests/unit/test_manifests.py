"""What Kubernetes is told of an instance, compared whole."""

import base64
import json

import kubernetes_validate
import pytest

from orchestrator.domain.hardware import Hardware, Toleration
from orchestrator.domain.seen import Image
from orchestrator.ports import LaunchSpec
from orchestrator.runtimes import container, manifests
from orchestrator.runtimes.manifests import Options

MB = 1024**2
CPU = Hardware("cpu-basic", "CPU basic", 2, 1024 * MB, 10_000 * MB, processes=40, files=256)
GPU = Hardware(
    "a10g", "Nvidia A10G", 4, 4096 * MB, 20_000 * MB, exclusive=True, accelerator="Nvidia A10G", resource="nvidia.com/gpu",
    count=2, node_selector={"nvidia.com/gpu.product": "NVIDIA-A10G"}, runtime_class="nvidia",
    tolerations=(Toleration("nvidia.com/gpu", "present", "NoSchedule"), Toleration("spot", operator="Exists")),
)  # fmt: skip
LABELS = {
    "app.kubernetes.io/managed-by": "podium", "app.kubernetes.io/component": "app", "podium/owner": "me",
    "podium/space": "abc", "podium/instance": "s-abc-1",
}  # fmt: skip
LOST = [
    {"key": f"node.kubernetes.io/{trouble}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30}
    for trouble in ("not-ready", "unreachable")
]


def spec(hardware=CPU, argv=("python", "app.py"), env=None, **image) -> LaunchSpec:
    made = Image("i", "gradio", argv, {"PORT": "{port}"}, reference="reg/app@sha256:00", **image)
    return LaunchSpec("s-abc-1", "abc", "key", made, hardware, {"TOKEN": "secret\nvalue"} if env is None else env)


def deployment(given: LaunchSpec, options: Options = Options()) -> dict:
    return manifests.deployment(given, container.note_of(given, 7.0, 100.5), "me", "s-abc-1-env", options)


def test_a_deployment():
    note = {
        "id": "s-abc-1", "space_id": "abc", "launch_key": "key", "port": 7860, "ready_path": "/", "started_at": 100.5,
        "startup_timeout": 1800.0, "grace": 7.0, "memory": 1024 * MB, "launcher": True,
        "share": {"hardware": "", "cpu": 0.0, "memory": 0, "resource": "", "gpus": []},
    }  # fmt: skip
    assert deployment(spec()) == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "s-abc-1", "labels": LABELS, "annotations": {"podium/note": json.dumps(note)}},
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": 0,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": {"podium/owner": "me", "podium/instance": "s-abc-1"}},
            "template": {
                "metadata": {"labels": LABELS},
                "spec": {
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "dnsPolicy": "Default",
                    "restartPolicy": "Always",
                    "hostname": "app",
                    "terminationGracePeriodSeconds": 12,
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": 1000,
                        "runAsGroup": 1000,
                        "fsGroup": 1000,
                        "fsGroupChangePolicy": "OnRootMismatch",
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "tolerations": LOST,
                    "containers": [
                        {
                            "name": "app",
                            "image": "reg/app@sha256:00",
                            "imagePullPolicy": "IfNotPresent",
                            "ports": [{"name": "http", "containerPort": 7860}],
                            "envFrom": [{"secretRef": {"name": "s-abc-1-env"}}],
                            "env": [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"}],
                            "resources": {
                                "limits": {
                                    "cpu": "2000m",
                                    "memory": str(1024 * MB),
                                    "ephemeral-storage": str(10_000 * MB),
                                },
                                "requests": {
                                    "cpu": "500m",
                                    "memory": str(256 * MB),
                                    "ephemeral-storage": str(2500 * MB),
                                },
                            },
                            "terminationMessagePath": "/dev/termination-log",
                            "terminationMessagePolicy": "FallbackToLogsOnError",
                            "securityContext": {
                                "allowPrivilegeEscalation": False,
                                "privileged": False,
                                "runAsNonRoot": True,
                                "capabilities": {"drop": ["ALL"]},
                            },
                            "volumeMounts": [
                                {"name": "data", "mountPath": "/data"},
                                {"name": "shm", "mountPath": "/dev/shm"},
                                {"name": "podium", "mountPath": "/run/podium"},
                            ],
                        }
                    ],
                    "volumes": [
                        {"name": "data", "emptyDir": {"sizeLimit": str(10_000 * MB)}},
                        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": str(512 * MB)}},
                        {"name": "podium", "emptyDir": {"sizeLimit": "1Mi"}},
                    ],
                },
            },
        },
    }


def test_a_gpu_and_what_the_operator_says():
    options = Options("apps", "ClusterFirst", ("one", "two"), "demos", "20Gi", "fast", share=1.0)
    pod = deployment(spec(GPU, argv=(), port=8080), options)["spec"]["template"]["spec"]
    plain = deployment(spec())["spec"]["template"]["spec"]
    changed = {
        name: pod[name] for name in pod if pod[name] != plain.get(name) and name not in ("containers", "volumes")
    }
    assert changed == {
        "dnsPolicy": "ClusterFirst",
        "terminationGracePeriodSeconds": 7,  # no launcher in it that needs time of its own
        "tolerations": [
            {"key": "nvidia.com/gpu", "operator": "Equal", "value": "present", "effect": "NoSchedule"},
            {"key": "spot", "operator": "Exists"},
            *LOST,
        ],
        "nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-A10G"},
        "runtimeClassName": "nvidia",
        "priorityClassName": "demos",
        "imagePullSecrets": [{"name": "one"}, {"name": "two"}],
    }
    (one,) = pod["containers"]
    assert "env" not in one
    assert one["ports"] == [{"name": "http", "containerPort": 8080}]
    assert one["resources"]["limits"] == one["resources"]["requests"]
    assert one["resources"]["limits"] == {
        "cpu": "4000m", "memory": str(4096 * MB), "ephemeral-storage": str(20_000 * MB), "nvidia.com/gpu": "2",
    }  # fmt: skip
    assert pod["volumes"][0] == {"name": "data", "persistentVolumeClaim": {"claimName": "data-abc"}}


def test_the_environment_is_in_the_secret_and_nowhere_else():
    made = manifests.secret("s-abc-1-env", "me", spec(), 7.0)
    env = {name: base64.b64decode(value).decode() for name, value in made.pop("data").items()}
    assert made == {
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "immutable": True,
        "metadata": {"name": "s-abc-1-env", "labels": LABELS},
    }  # fmt: skip
    assert (env["TOKEN"], env["PORT"], env["SPACE_DATA_DIR"]) == ("secret\nvalue", "7860", "/data")
    order = json.loads(env["LAUNCH_SPEC"])
    assert (order["status"], order["last_words"], order["ended"]) == ("-", "/dev/termination-log", "/run/podium/ended")
    assert (order["processes"], order["files"], order["file_size"]) == (40, 256, 10_000 * MB)
    assert "secret" not in json.dumps(deployment(spec())).replace("secretRef", "")


def test_what_goes_with_the_deployment_and_what_does_not():
    made = {"metadata": {"name": "s-abc-1", "uid": "u1"}}
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "s-abc-1", "uid": "u1"}
    assert manifests.owned_by(made) == {"metadata": {"ownerReferences": [owner]}}
    volume = manifests.volume("me", "abc", Options(storage="20Gi", storage_class="fast", storage_mode="ReadWriteMany"))
    assert volume == {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data-abc", "labels": {k: v for k, v in LABELS.items() if k != "podium/instance"}},
        "spec": {
            "accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "20Gi"}}, "storageClassName": "fast",
        },
    }  # fmt: skip
    assert "storageClassName" not in manifests.volume("me", "abc", Options(storage="20Gi"))["spec"]


@pytest.mark.parametrize("version", ["1.33", "1.37"])
@pytest.mark.parametrize("hardware", [CPU, GPU])
def test_kubernetes_knows_each_field(hardware, version):
    options = Options(storage="20Gi", storage_class="fast", storage_mode="ReadWriteMany")
    given = spec(hardware)
    for one in (
        deployment(given, options), manifests.secret("s-abc-1-env", "me", given, 7.0), manifests.volume("me", "abc", options)
    ):  # fmt: skip
        kubernetes_validate.validate(one, version, strict=True)
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(one | {"specs": {}}, version, strict=True)
