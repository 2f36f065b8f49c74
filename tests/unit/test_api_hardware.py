"""Hardware over the API, on real services and a real database: who gets what at once, who asks, what admins decide, what quotas
refuse, and the unmodified client's own calls."""

import time
from dataclasses import replace
from importlib import resources

import pytest

from orchestrator.domain.hardware import Access
from orchestrator.domain.hardware_file import parse
from orchestrator.domain.records import Usage
from orchestrator.domain.seen import Held, NodeSeen
from orchestrator.domain.space import Role
from tests.console import Console

GPU = "nvidia.com/gpu"
FLAVORS = parse((resources.files("orchestrator") / "domain" / "hardware.example.yaml").read_text())
FLAVORS["lab-gpu"] = replace(FLAVORS["t4-small"], name="lab-gpu", access=Access.OWNERS, owners=("acme",))
REQUESTS = "/api/podium/hardware/requests"


@pytest.fixture
def console(tmp_path):
    made = Console(tmp_path, FLAVORS)
    root = made.parts.accounts.add_user("root", admin=True)
    made.roots = made.parts.accounts.add_token(root, "write", "root")
    made.runtime.nodes = (NodeSeen("gpu-1", resources={GPU: 4}),)
    with made.listening():
        yield made


@pytest.fixture
def ada(console):
    with console.client() as client:
        yield client


@pytest.fixture
def root(console):
    with console.client(console.roots) as client:
        yield client


def ask(client, space: str, flavor: str, **more):
    return client.post(f"/api/spaces/{space}/hardware", json={"flavor": flavor, **more})


def asked(client, space: str = "ada/demo", flavor: str = "t4-small") -> dict:
    answer = ask(client, space, flavor, note="for a talk")
    assert answer.status_code == 200, answer.text
    return answer.json()["hardwareRequest"]


def actions(console, target: str = "ada/demo") -> list[str]:
    with console.store.read() as tx:
        return [row.action for row in reversed(tx.audit.of(target))]


def test_a_member_asks_and_an_admin_approves(console, ada, root):
    console.space()
    told = ask(ada, "ada/demo", "t4-small", note="for a talk").json()
    assert told["hardware"] == {"current": None, "requested": "t4-small"}
    request = told["hardwareRequest"]
    assert (request["state"], request["asker"], request["note"], request["current"]) == (
        "pending",
        "ada",
        "for a talk",
        "cpu-basic",
    )
    assert [one["id"] for one in root.get(REQUESTS, params={"state": "pending"}).json()] == [request["id"]]
    done = root.post(f"{REQUESTS}/{request['id']}/approve", json={"seconds": 3600}).json()
    assert (done["state"], done["decidedBy"]) == ("approved", "root") and done["expiresAt"]
    space = console.parts.spaces.find(console.parts.accounts.caller(f"Bearer {console.token}"), "ada", "demo")
    assert (space.wish.hardware, space.hardware_asked) == ("t4-small", "")
    assert space.wish.sleep_after == 3600 and space.wish.hardware_until > time.time() + 3500
    assert actions(console)[-2:] == ["hardware.ask", "hardware.approve"]
    assert [notice["event"] for notice in console.notices] == ["hardware.asked", "hardware.approved"]
    again = root.post(f"{REQUESTS}/{request['id']}/refuse", json={"reason": "late"})
    assert again.status_code == 409 and "approved by root already" in again.json()["error"]


def test_an_admin_refuses_with_a_reason(console, ada, root):
    console.space()
    request = asked(ada)
    assert root.post(f"{REQUESTS}/{request['id']}/refuse", json={"reason": "  "}).headers["x-error-code"] == "REASON"
    assert root.post(f"{REQUESTS}/{request['id']}/refuse", json={"reason": "use the CPU"}).status_code == 200
    told = ada.get("/api/spaces/ada/demo/hardware/request").json()
    assert (told["state"], told["reason"]) == ("refused", "use the CPU")
    assert ada.get("/api/spaces/ada/demo/runtime").json()["hardware"]["requested"] == "cpu-basic"


def test_a_request_is_taken_back_and_replaced(console, ada, root):
    console.space()
    first = asked(ada)
    assert ada.request("DELETE", "/api/spaces/ada/demo/hardware/request").json()["state"] == "withdrawn"
    assert root.post(f"{REQUESTS}/{first['id']}/approve", json={}).status_code == 409
    second, third = asked(ada), asked(ada)
    states = {one["id"]: one["state"] for one in ada.get(REQUESTS).json()}
    assert states == {first["id"]: "withdrawn", second["id"]: "withdrawn", third["id"]: "pending"}


def test_only_admins_decide_and_strangers_see_nothing(console, ada):
    console.space()
    request = asked(ada)
    with (
        console.client(console.bobs) as bob,
        console.client(None) as stranger,
        console.client(console.read_token) as reader,
    ):
        assert bob.get(REQUESTS).json() == []
        assert stranger.get(REQUESTS).status_code == 401
        for client in (bob, ada, reader):
            for verb, body in (("approve", {}), ("refuse", {"reason": "x"})):
                answer = client.post(f"{REQUESTS}/{request['id']}/{verb}", json=body)
                assert (answer.status_code, answer.headers["x-error-code"]) == (403, "ADMIN")
        assert ask(reader, "ada/demo", "t4-small").status_code == 403
        for path in ("/api/podium/hardware/capacity", "/api/spaces/ada/demo/hardware/request"):
            assert bob.get(path).status_code == 403
        assert bob.put("/api/podium/hardware/quotas/bob/t4-small", json={"hours": 9}).status_code == 403


@pytest.mark.parametrize(
    ("flavor", "status", "code", "says"),
    [
        ("h100", 400, "HARDWARE", "it has cpu-basic, cpu-upgrade"),
        ("a10g-largex4", 403, "HARDWARE_ACCESS", "given by admins only"),
        ("lab-gpu", 403, "HARDWARE_ACCESS", "lab-gpu is for acme"),
        ("cpu-upgrade", 403, "HARDWARE_QUOTA", "ada has no quota for cpu-upgrade"),
    ],
)
def test_what_a_member_cannot_have_is_refused_with_the_reason(console, ada, flavor, status, code, says):
    console.space()
    answer = ask(ada, "ada/demo", flavor)
    assert (answer.status_code, answer.headers["x-error-code"]) == (status, code)
    assert says in answer.json()["error"]
    assert ada.get("/api/spaces/ada/demo/runtime").json()["hardware"]["requested"] == "cpu-basic"


def test_what_can_never_fit_is_refused_with_figures(console, ada, root):
    console.space()
    console.runtime.nodes = (NodeSeen("a", resources={GPU: 2}), NodeSeen("b", resources={GPU: 3}))
    console.parts.allotment.capacity.nodes(fresh=True)
    answer = ask(root, "ada/demo", "a10g-largex4")
    assert answer.status_code == 400 and "no node has 4 x nvidia.com/gpu; the largest has 3" in answer.json()["error"]


def test_an_admin_moves_a_space_at_once_without_a_quota(console, root):
    console.space()
    assert ask(root, "ada/demo", "a10g-largex4").json()["hardware"]["requested"] == "a10g-largex4"
    space = console.parts.spaces.list(console.parts.accounts.caller(f"Bearer {console.roots}"))[0]
    assert console.parts.allotment.quotas.denied(space) == ""
    assert space.wish.sleep_after == 1800
    refused = root.post("/api/spaces/ada/demo/sleeptime", json={"seconds": 9999})
    assert refused.headers["x-error-code"] == "SLEEP_TIME" and "sleep after 1800 seconds" in refused.json()["error"]
    ask(root, "ada/demo", "cpu-basic")
    space = console.parts.spaces.get(space.id)
    assert (space.wish.hardware, space.wish.sleep_after) == ("cpu-basic", 172800)


def test_quotas_open_limit_and_close(console, ada, root):
    console.space("one")
    console.space("two")
    path = "/api/podium/hardware/quotas/ada/cpu-upgrade"
    assert root.put(path, json={"hours": 10, "count": 1, "price": 1}).json()[0]["hours"] == 10
    assert ask(ada, "ada/one", "cpu-upgrade").status_code == 200
    over = ask(ada, "ada/two", "cpu-upgrade")
    assert over.status_code == 403 and "ada may have 1 Space on cpu-upgrade, and has 1" in over.json()["error"]
    space = console.parts.spaces.find(console.parts.accounts.caller(f"Bearer {console.token}"), "ada", "one")
    now = time.time()
    used = Usage(
        "s-1", 1.0, space.id, "ada/one", space.owner_id, "ada", "cpu-upgrade", 0.03, now - 36100, now - 100, False
    )
    with console.store.write() as tx:
        tx.usage.extend(used)
    assert "ada has used its 10 hours of cpu-upgrade for this month" in console.parts.allotment.quotas.denied(space)
    told = ada.get("/api/podium/hardware/quotas").json()
    assert [(one["usedHours"], one["usedCount"], one["usedPrice"]) for one in told] == [(10.0, 1, 0.3)]
    root.put(path, json={"hours": 11})
    assert console.parts.allotment.quotas.denied(space) == ""
    assert root.delete(path).json() == []
    assert "ada has no quota" in console.parts.allotment.quotas.denied(space)


def test_usage_is_reported_as_json_and_as_csv(console, ada, root):
    console.space()
    space = console.parts.spaces.find(console.parts.accounts.caller(f"Bearer {console.token}"), "ada", "demo")
    row = Usage("s-1", 1.0, space.id, "ada/demo", space.owner_id, "ada", "t4-small", 0.4, 1000.0, 4600.0, False)
    with console.store.write() as tx:
        tx.usage.extend(row)
    path, day = "/api/podium/hardware/usage", {"since": "1970-01-01", "before": "1970-01-02"}
    told = ada.get(path, params=day).json()
    row = {"owner": "ada", "space": "ada/demo", "hardware": "t4-small", "seconds": 3600.0, "hours": 1.0, "cost": 0.4}
    assert (told["currency"], told["rows"]) == ("USD", [row])
    half = ada.get(path, params={"since": "1970-01-01T00:46:40Z", "before": "1970-01-02"}).json()
    assert half["rows"][0]["seconds"] == 1800
    assert root.get(path, params=day | {"space": "ada/demo"}).json()["rows"] == [row]
    lines = root.get(path, params=day | {"format": "csv"}).text.splitlines()
    assert lines == ["owner,space,hardware,seconds,hours,cost_usd", "ada,ada/demo,t4-small,3600,1.0000,0.4000"]
    with console.client(console.bobs) as bob:
        assert bob.get(path, params={"owner": "ada"}).status_code == 403
        assert bob.get(path, params=day).json()["rows"] == []
    assert ada.get(path, params={"since": "yesterday"}).headers["x-error-code"] == "RANGE"


def test_capacity_names_who_has_what(console, root):
    console.space()
    space = console.parts.spaces.list(console.parts.accounts.caller(f"Bearer {console.roots}"))[0]
    console.runtime.nodes = (
        NodeSeen(
            "n", resources={GPU: 4}, held=(Held("i", space.id, resources={GPU: 1}), Held("", "", resources={GPU: 2}))
        ),
    )
    console.parts.allotment.capacity.nodes(fresh=True)
    node = root.get("/api/podium/hardware/capacity").json()["nodes"][0]
    assert (node["resources"], node["used"]) == ({GPU: 4}, {GPU: 3})
    assert [one["space"] for one in node["instances"]] == ["ada/demo", ""]


def test_hardware_at_creation_is_asked_for(console, ada):
    answer = ada.post(
        "/api/repos/create", json={"name": "born", "type": "space", "sdk": "gradio", "hardware": "t4-small"}
    )
    assert answer.status_code == 200
    hardware = ada.get("/api/spaces/ada/born/runtime").json()["hardware"]
    assert hardware == {"current": None, "requested": "t4-small"}
    answer = ada.post(
        "/api/repos/create", json={"name": "never", "type": "space", "sdk": "gradio", "hardware": "a10g-largex4"}
    )
    assert answer.status_code == 403
    assert ada.get("/api/spaces/ada/never").status_code == 404


def test_organisations_on_the_list_take_it_with_a_quota(console, ada, root):
    console.space(organization="acme")
    assert "acme has no quota for lab-gpu" in ask(ada, "acme/demo", "lab-gpu").json()["error"]
    root.put("/api/podium/hardware/quotas/acme/*", json={"hours": 100})
    assert ask(ada, "acme/demo", "lab-gpu").json()["hardware"]["requested"] == "lab-gpu"


def test_replicas_are_set_like_everything_else_of_the_runtime(console, ada, root):
    console.space()
    told = ada.post("/api/spaces/ada/demo/replicas", json={"replicas": 3})
    assert told.status_code == 200 and told.json()["replicas"] == {"requested": 3}
    assert ada.get("/api/spaces/ada/demo/runtime").json()["replicas"] == {"requested": 3}
    for body, code in (({"replicas": 0}, "REPLICAS"), ({"replicas": 99}, "REPLICAS")):
        refused = ada.post("/api/spaces/ada/demo/replicas", json=body)
        assert (refused.status_code, refused.headers["x-error-code"]) == (400, code)
    for body in ({}, {"replicas": "many"}, {"replicas": 1.5}, {"replicas": None}, [3]):
        assert ada.post("/api/spaces/ada/demo/replicas", json=body).status_code in (400, 422), body
    with console.client(console.bobs) as bob:
        assert bob.post("/api/spaces/ada/demo/replicas", json={"replicas": 2}).status_code == 403
    with console.client(console.read_token) as reader:
        assert reader.post("/api/spaces/ada/demo/replicas", json={"replicas": 2}).status_code == 403
    assert actions(console)[-1] == "space.replicas"
    assert ada.post("/api/spaces/ada/demo/replicas", json={"replicas": 1}).json()["replicas"] == {"requested": 1}


def test_an_admin_sees_what_a_request_means_for_replicas(console, ada, root):
    console.space()
    ada.post("/api/spaces/ada/demo/replicas", json={"replicas": 5})
    refused = ask(ada, "ada/demo", "t4-small")
    assert refused.headers["x-error-code"] == "HARDWARE_FIT" and "room for 4" in refused.json()["error"]
    ada.post("/api/spaces/ada/demo/replicas", json={"replicas": 2})
    request = asked(ada)["id"]
    root.put("/api/podium/hardware/quotas/ada/t4-small", json={"count": 1})
    denied = root.post(f"{REQUESTS}/{request}/approve", json={})
    assert denied.status_code == 403 and "each replica counts" in denied.json()["error"]


def test_the_unmodified_client(console, ada, root, monkeypatch):
    hub = pytest.importorskip("huggingface_hub")
    console.space()
    endpoint = f"http://127.0.0.1:{console.port}"
    api = hub.HfApi(endpoint=endpoint, token=console.token)
    runtime = api.request_space_hardware("ada/demo", hub.SpaceHardware.T4_SMALL, sleep_time=600)
    assert (runtime.hardware, runtime.requested_hardware, runtime.sleep_time) == (None, "t4-small", 600)
    flavor = next(one for one in api.list_spaces_hardware() if one.name == "t4-small")
    assert (flavor.accelerator.quantity, flavor.unit_cost_usd) == ("1", 0.4)
    with pytest.raises(hub.errors.HfHubHTTPError, match="given by admins only"):
        api.request_space_hardware("ada/demo", "a10g-largex4")
    boss = hub.HfApi(endpoint=endpoint, token=console.roots)
    assert boss.request_space_hardware("ada/demo", "a10g-largex4").requested_hardware == "a10g-largex4"
    assert api.get_space_runtime("ada/demo").sleep_time == 1800


def test_a_role_that_reads_sees_its_organisations_usage(console, ada):
    console.parts.accounts.set_member("acme", "bob", Role.READ)
    with console.client(console.bobs) as bob:
        assert bob.get("/api/podium/hardware/usage", params={"owner": "acme"}).status_code == 200
