"""What must hold of the chart whatever the values: what it may do in the cluster, how its pods are closed, what it refuses.
Rendered by the real helm; skips where that is not."""

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from orchestrator.settings import Settings
from orchestrator.settings import load as load_settings

CHART = Path(__file__).parents[2] / "helm" / "podium"
pytestmark = pytest.mark.skipif(not shutil.which("helm"), reason="needs helm")

SMALL = {
    "publicUrl": "https://podium.example.org",
    "appsDomain": "apps.example.net",
    "database": {"url": "postgresql://podium:secret@db/podium"},
    "redis": {"url": "redis://redis:6379/0"},
    "registry": {"url": "registry.example.org/podium"},
}
_TRIAL = {"enabled": True, "image": "registry.example.org/server:1"}
TRIAL = {key: SMALL[key] for key in ("publicUrl", "appsDomain")} | {
    "trial": {"postgresql": _TRIAL, "redis": _TRIAL, "registry": _TRIAL},
}
LARGE = SMALL | {
    "imagePullSecrets": ["pull"],
    "settings": {"rate_limit": 50, "body_limit": 21474836480, "kube_share": 0.5},
    "hardware": "flavors:\n  - {name: cpu-basic, cpu: 2, memory: 16 GB}\n",
    "keys": {"existingSecret": "my-keys"},
    "caBundle": {"existingConfigMap": "company-ca"},
    "database": {"existingSecret": "my-db", "key": "dsn"},
    "redis": {"existingSecret": "my-redis"},
    "registry": {"url": "registry.example.org/podium", "existingSecret": "push", "pullSecret": "pull", "http": True},
    "apps": {"namespace": "spaces", "storage": {"size": "20Gi", "storageClass": "fast"}, "dnsPolicy": "ClusterFirst"},
    "control": {"replicas": 2},
    "gateway": {"autoscaling": {"enabled": True}, "service": {"type": "LoadBalancer"}},
    "builder": {"replicas": 3, "nodeSelector": {"pool": "builds"}, "tolerations": [{"operator": "Exists"}]},
    "buildkit": {"enabled": True, "image": "moby/buildkit:v0.32.2-rootless", "config": "debug = true\n"},
    "ingress": {"enabled": True, "className": "nginx", "consoleTls": "console-tls", "appsTls": "apps-tls"},
    "gatewayApi": {"enabled": True, "parentRefs": [{"name": "public", "namespace": "gateways"}]},
    "domains": {
        "enabled": True,
        "annotations": {"certificates.example.org/by": "name"},
        "parentRefs": [{"name": "any"}],
    },
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "hostAliases": [{"ip": "10.96.0.9", "hostnames": ["podium-control"]}],
}
SHAPES = {"small": SMALL, "trial": TRIAL, "large": LARGE}
NEW = ("--kube-version", "1.35.0")


def helm(*words: str, values: dict) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["helm", *words, str(CHART), "-f", "-"], input=json.dumps(values), capture_output=True, text=True, timeout=120
    )


def render(values: dict, *words: str) -> list[dict]:
    done = helm("template", "podium", "--namespace", "podium", *words, values=values)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


@pytest.fixture(scope="module", params=SHAPES)
def objects(request) -> list[dict]:
    return render(SHAPES[request.param], *NEW)


#: Kinds that a cluster learns from others: their schemas are not Kubernetes' own.
_OF_OTHERS = ("gateway.networking.k8s.io/", "monitoring.coreos.com/")


@pytest.mark.parametrize("version", ["1.33", "1.35", "1.37"])
def test_kubernetes_knows_each_field(objects, version):
    for one in objects:
        if not one["apiVersion"].startswith(_OF_OTHERS):
            kubernetes_validate.validate(one, version, strict=True)


def of(objects: list[dict], kind: str, name: str = "") -> list[dict]:
    return [one for one in objects if one["kind"] == kind and (not name or one["metadata"]["name"] == name)]


def pods(objects: list[dict]) -> list[tuple[str, dict]]:
    workloads = [one for one in objects if one["kind"] in ("Deployment", "Job")]
    return [(one["metadata"]["name"], one["spec"]["template"]["spec"]) for one in workloads]


def containers(objects: list[dict]) -> list[tuple[str, dict]]:
    return [
        (f"{name}/{one['name']}", one)
        for name, pod in pods(objects)
        for one in (*pod.get("initContainers", ()), *pod["containers"])
    ]


@pytest.mark.parametrize("shape", SHAPES)
def test_helm_finds_no_fault(shape):
    done = helm("lint", "--strict", values=SHAPES[shape])
    assert done.returncode == 0, done.stdout


def test_every_object_is_labelled_and_named_once(objects):
    wanted = {"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component",
              "app.kubernetes.io/managed-by", "helm.sh/chart"}  # fmt: skip
    for one in objects:
        assert wanted <= set(one["metadata"]["labels"]), one["metadata"]["name"]
    names = [(one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]) for one in objects]
    assert len(names) == len(set(names)), sorted(names)


def test_rights_are_few_and_among_the_apps(objects):
    for role in of(objects, "ClusterRole"):
        assert role["rules"] == [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]}]
    allowed = {"deployments", "secrets", "persistentvolumeclaims", "pods", "pods/log", "events"}
    for role in of(objects, "Role"):
        assert role["metadata"]["namespace"] != "podium"
        for rule in role["rules"]:
            assert set(rule["resources"]) <= allowed and "*" not in rule["verbs"]
            assert "create" not in rule["verbs"] or "pods" not in rule["resources"]
    bound = [subject["name"] for one in objects if one["kind"].endswith("Binding") for subject in one["subjects"]]
    assert set(bound) == {"podium-control"}


def test_only_the_control_plane_has_a_token_of_the_cluster(objects):
    for name, pod in pods(objects):
        assert pod["automountServiceAccountToken"] is (name == "podium-control"), name
        assert pod["enableServiceLinks"] is False, f"{name}: PODIUM_CONTROL_PORT would be an unknown setting"


def test_pods_are_restricted(objects):
    for name, pod in pods(objects):
        assert pod["securityContext"]["runAsNonRoot"] is True and pod["securityContext"]["runAsUser"] == 1000
        if name != "podium-buildkit":
            assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not any(pod.get(word) for word in ("hostNetwork", "hostPID", "hostIPC"))
        assert not any("hostPath" in volume for volume in pod["volumes"]), name
    for name, one in containers(objects):
        if name == "podium-buildkit/buildkitd":
            continue
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }, name  # fmt: skip


def test_containers_have_limits_probes_and_a_version(objects):
    for name, one in containers(objects):
        assert one["resources"]["requests"]["memory"] and one["resources"]["limits"]["memory"], name
        assert re.search(r":[^/:]+$", one["image"]) and not one["image"].endswith(":latest"), name
    for name, pod in pods(objects):
        for one in pod["containers"] if name != "podium-migrate" else ():
            assert one.get("livenessProbe") or one.get("readinessProbe"), f"{name}/{one['name']}"


def test_mounts_have_volumes(objects):
    for name, pod in pods(objects):
        known = {volume["name"] for volume in pod["volumes"]}
        for one in (*pod.get("initContainers", ()), *pod["containers"]):
            assert {mount["name"] for mount in one["volumeMounts"]} <= known, f"{name}/{one['name']}"


def test_what_pods_refer_to_is_made_or_named_by_the_operator(objects):
    made = {(one["kind"], one["metadata"]["name"]) for one in objects}
    brought = {"my-keys", "my-db", "my-redis", "company-ca", "push", "pull"}
    text = json.dumps([pod for _, pod in pods(objects)])
    kinds = {
        "Secret": r'"secretKeyRef": {"(?:key": "[^"]+", ")?name": "([^"]+)"|"secretName": "([^"]+)"',
        "ConfigMap": r'"configMap(?:Ref)?": {"name": "([^"]+)"',
        "PersistentVolumeClaim": r'"claimName": "([^"]+)"',
        "ServiceAccount": r'"serviceAccountName": "([^"]+)"',
    }
    for kind, pattern in kinds.items():
        found = {
            name for groups in re.findall(pattern, text) for name in ([groups] if isinstance(groups, str) else groups)
        }
        found.discard("")
        assert found, kind
        assert {(kind, name) for name in found - brought} <= made


def test_selectors_match_pods_and_do_not_overlap(objects):
    chosen = {}
    for one in of(objects, "Deployment"):
        labels = one["spec"]["template"]["metadata"]["labels"]
        selector = one["spec"]["selector"]["matchLabels"]
        assert selector.items() <= labels.items()
        chosen[one["metadata"]["name"]] = frozenset(selector.items())
    assert len(set(chosen.values())) == len(chosen)
    for service in of(objects, "Service"):
        assert frozenset(service["spec"]["selector"].items()) == chosen[service["metadata"]["name"]]


def test_apps_are_reached_by_podium_and_reach_the_internet_alone(objects):
    (policy,) = [one for one in of(objects, "NetworkPolicy") if one["metadata"].get("namespace")]
    assert policy["spec"]["podSelector"] == {} and policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    (door,) = policy["spec"]["ingress"]
    parts = [source["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for source in door["from"]]
    assert parts == ["gateway", "control"]
    for source in door["from"]:
        assert source["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "podium"}
    names, outside = policy["spec"]["egress"]
    assert {port["port"] for port in names["ports"]} == {53}
    block = outside["to"][0]["ipBlock"]
    private = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10", "127.0.0.0/8"}
    assert block["cidr"] == "0.0.0.0/0" and private <= set(block["except"])


def test_nobody_but_gateways_reaches_the_control_plane(objects):
    (policy,) = of(objects, "NetworkPolicy", "podium-control")
    sources = [
        one["podSelector"]["matchLabels"]
        for one in policy["spec"]["ingress"][0]["from"]
        if "namespaceSelector" not in one
    ]
    assert [one["app.kubernetes.io/component"] for one in sources] == ["gateway"]


def test_strangers_builds_do_not_reach_what_a_cloud_tells_its_nodes(objects):
    found = of(objects, "NetworkPolicy", "podium-buildkit-out")
    assert len(found) == len(of(objects, "Deployment", "podium-buildkit"))
    for policy in found:
        blocks = [to["ipBlock"] for rule in policy["spec"]["egress"] for to in rule.get("to", ()) if "ipBlock" in to]
        assert {"169.254.169.254/32", "fd00:ec2::254/128"} <= {one for block in blocks for one in block["except"]}


def test_settings_are_settings_of_podium(objects, monkeypatch):
    """Each process takes what it is given, as Podium itself reads it."""
    maps = {one["metadata"]["name"]: one["data"] for one in of(objects, "ConfigMap")}
    given = {"PODIUM_DATABASE_URL": "postgresql://podium@db/podium", "PODIUM_REDIS_URL": "redis://redis/0"}
    for name, pod in pods(objects):
        for one in pod["containers"]:
            env = {item["name"]: item.get("value", "") for item in one.get("env", ())}
            for source in one.get("envFrom", ()):
                env = maps[source["configMapRef"]["name"]] | env
            env |= {key: value for key, value in given.items() if key in env}
            with monkeypatch.context() as patch:
                for key, value in env.items():
                    patch.setenv(key, value)
                settings = load_settings()
            if one["name"] in ("control", "builder"):
                assert (settings.runtime, settings.builds) == ("kubernetes", "celery"), name
            if one["name"] == "gateway":
                assert settings.control_url == "http://podium-control:9000" and not settings.database_url
    assert Settings  # every variable above was known, or `load` would have refused it


def test_settings_of_the_operator_arrive_as_written():
    (made,) = of(render(LARGE), "ConfigMap", "podium-settings")
    assert made["data"]["PODIUM_BODY_LIMIT"] == "21474836480"
    assert made["data"]["PODIUM_RATE_LIMIT"] == "50" and made["data"]["PODIUM_KUBE_SHARE"] == "0.5"
    assert made["data"]["PODIUM_TRUSTED_PROXIES"] == "1"
    (hardware,) = of(render(LARGE), "ConfigMap", "podium-hardware")
    assert hardware["data"]["hardware.yaml"] == LARGE["hardware"]


def test_the_gateway_gets_the_feed_token_and_no_other_key(objects):
    (gateway,) = of(objects, "Deployment", "podium-gateway")
    (keys,) = [one for one in gateway["spec"]["template"]["spec"]["volumes"] if one["name"] == "keys"]
    assert keys["secret"]["items"] == [{"key": "feed.token", "path": "feed.token"}]


def test_generated_keys_are_good_keys():
    from orchestrator.services.signing import Signing
    from orchestrator.services.vault import Vault

    (secret,) = of(render(SMALL), "Secret", "podium-keys")
    assert secret["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    plain = {name: base64.b64decode(value) for name, value in secret["data"].items()}
    assert set(plain) == {"sign.pem", "oidc.pem", "cookie.key", "feed.token", "secrets.key"}
    vault = Vault(plain["secrets.key"])
    assert vault.unlock("space", "KEY", vault.lock("space", "KEY", "value")) == "value"
    signing = Signing(plain["sign.pem"], plain["cookie.key"].decode(), plain["feed.token"].decode())
    assert "PUBLIC KEY" in signing.public()["sign_key"]
    assert len(base64.urlsafe_b64decode(signing.public()["cookie_key"])) == 32 and len(signing.feed_token) > 40


def test_old_and_new_clusters_get_what_they_know():
    def versions(*words):
        made = render(LARGE, *words)
        return {
            one["kind"]: one["apiVersion"]
            for one in made
            if one["kind"] in ("HorizontalPodAutoscaler", "PodDisruptionBudget")
        }

    assert versions(*NEW) == {"HorizontalPodAutoscaler": "autoscaling/v2", "PodDisruptionBudget": "policy/v1"}
    old = {"HorizontalPodAutoscaler": "autoscaling/v2beta2", "PodDisruptionBudget": "policy/v1beta1"}
    assert versions("--kube-version", "1.20.0") == old


def test_one_replica_has_no_disruption_budget():
    assert [one["metadata"]["name"] for one in of(render(SMALL), "PodDisruptionBudget")] == ["podium-gateway"]


def test_ingress_has_both_names_and_others_only_when_told():
    made = render(LARGE)
    (ingress,) = of(made, "Ingress", "podium")
    assert [rule["host"] for rule in ingress["spec"]["rules"]] == ["podium.example.org", "*.apps.example.net"]
    (route,) = of(made, "HTTPRoute", "podium")
    assert route["spec"]["hostnames"] == ["podium.example.org", "*.apps.example.net"]
    (ingress,) = of(made, "Ingress", "podium-domains")
    (rule,) = ingress["spec"]["rules"]
    assert "host" not in rule and rule["http"]["paths"][0]["backend"]["service"]["name"] == "podium-gateway"
    assert ingress["metadata"]["annotations"] == LARGE["domains"]["annotations"]
    (route,) = of(made, "HTTPRoute", "podium-domains")
    assert "hostnames" not in route["spec"] and route["spec"]["parentRefs"] == [{"name": "any"}]
    without = render({key: value for key, value in LARGE.items() if key != "domains"})
    assert len(of(without, "Ingress")) == len(of(without, "HTTPRoute")) == 1


REFUSED = {
    "a misspelt value": (SMALL | {"gatewey": {}}, "additional properties 'gatewey' not allowed"),
    "a misspelt value inside": (SMALL | {"gateway": {"replica": 2}}, "additional properties 'replica' not allowed"),
    "a word for a number": (SMALL | {"control": {"replicas": "two"}}, "got string, want integer"),
    "latest": (SMALL | {"image": {"tag": "latest"}}, "/image/tag"),
    "a registry with https": (SMALL | {"registry": {"url": "https://r.example.org/x"}}, "/registry/url"),
    "a setting in capitals": (SMALL | {"settings": {"RATE_LIMIT": 1}}, "RATE_LIMIT"),
    "no URL": ({key: value for key, value in SMALL.items() if key != "publicUrl"}, "publicUrl must be the console's URL"),
    "the console among the apps": (SMALL | {"publicUrl": "https://x.apps.example.net"}, "must not be inside appsDomain"),
    "no database": (SMALL | {"database": {}}, "name a PostgreSQL"),
    "no Redis": (SMALL | {"redis": {}}, "name a Redis"),
    "no registry": (SMALL | {"registry": {}}, "name a registry"),
    "a trial without an image": (SMALL | {"trial": {"redis": {"enabled": True}}}, "trial.redis.image must name an image"),
    "buildkit without an image": (SMALL | {"buildkit": {"enabled": True}}, "buildkit.image must name an image"),
    "half of the certificates": (SMALL | {"buildkit": {"tls": {"serverSecret": "mine"}}}, "must both be named, or neither"),
    "domains without a door": (SMALL | {"domains": {"enabled": True}}, "domains.enabled needs ingress.enabled"),
    "two on one disk": (
        SMALL | {"control": {"replicas": 2}, "data": {"accessModes": ["ReadWriteOnce"]}}, "need data.accessModes",
    ),
    "apps beside Podium": (SMALL | {"apps": {"namespace": "podium"}}, "apps.namespace must not be the release's own"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_mistakes_are_refused_with_a_sentence(what):
    values, words = REFUSED[what]
    done = helm("template", "podium", "--namespace", "podium", values=values)
    assert done.returncode != 0 and words in done.stderr, done.stderr


def test_every_value_is_in_the_schema():
    def compare(values, schema, path=""):
        for key, value in values.items():
            assert key in schema["properties"], f"{path}{key}"
            if isinstance(value, dict) and "properties" in schema["properties"][key]:
                compare(value, schema["properties"][key], f"{path}{key}.")
        assert schema["additionalProperties"] is False, path

    compare(yaml.safe_load((CHART / "values.yaml").read_text()), json.loads((CHART / "values.schema.json").read_text()))
