"""The hardware page and the hardware of a Space's settings: what members ask there and admins answer, over real services."""

from importlib import resources

import pytest

from orchestrator.api.app import create_app
from orchestrator.domain.hardware_file import parse
from orchestrator.domain.seen import Held, NodeSeen
from tests.console import Console
from tests.unit.test_web_pages import EVIL, Browser
from web.routes import create_renderer, create_router

FLAVORS = parse((resources.files("orchestrator") / "domain" / "hardware.example.yaml").read_text())
SETTINGS = "/spaces/ada/demo/settings"


@pytest.fixture
def console(tmp_path):
    made = Console(tmp_path, FLAVORS)
    root = made.parts.accounts.add_user("root", admin=True)
    made.roots = made.parts.accounts.add_token(root, "write", "root")
    made.runtime.nodes = (NodeSeen("gpu-1", cpu=8, memory=32 * 1024**3, resources={"nvidia.com/gpu": 4}),)
    made.app = create_app(made.parts, (create_router(made.parts),), create_renderer(made.parts))
    with made.listening():
        made.space()
        yield made


def signed_in(console, name: str, token: str) -> Browser:
    browser = Browser(console)
    assert browser.sign_in(name, token).status_code == 303
    return browser


@pytest.fixture
def ada(console):
    return signed_in(console, "ada", console.token)


@pytest.fixture
def root(console):
    return signed_in(console, "root", console.roots)


def space(console):
    return console.parts.spaces.list(console.parts.accounts.caller(f"Bearer {console.roots}"))[0]


def request_id(console) -> str:
    return console.parts.allotment.requests.latest(space(console)).id


def test_a_member_asks_on_the_settings_page_and_takes_it_back(console, ada):
    page = ada.get(SETTINGS).text
    assert "Nvidia T4 - small · 0.40 USD an hour · 4 of 4 free now · an admin decides" in page
    assert "a10g-largex4" not in page  # for admins only
    done = ada.post(f"{SETTINGS}/hardware", SETTINGS, flavor="t4-small", note=EVIL, goes_first="1")
    assert done.headers["location"].endswith("?done=asked#hardware")
    assert (space(console).hardware_asked, space(console).wish.goes_first) == ("t4-small", True)
    page = ada.get(SETTINGS).text
    assert "Asked for" in page and "an admin decides" in page and "Take it back" in page
    ada.post(f"{SETTINGS}/withdraw", SETTINGS)
    assert space(console).hardware_asked == "" and "Take it back" not in ada.get(SETTINGS).text


def test_a_refusal_of_the_form_is_shown_beside_it(console, ada):
    answer = ada.post(f"{SETTINGS}/hardware", SETTINGS, flavor="cpu-upgrade")
    assert answer.status_code == 422 and "ada has no quota for cpu-upgrade" in answer.text
    answer = ada.post(f"{SETTINGS}/hardware", SETTINGS, flavor="a10g-largex4")
    assert answer.status_code == 422 and "given by admins only" in answer.text


def test_an_admin_approves_on_the_hardware_page(console, ada, root):
    ada.post(f"{SETTINGS}/hardware", SETTINGS, flavor="t4-small", note=EVIL)
    page = root.get("/hardware").text
    assert "ada/demo" in page and EVIL not in page and "&lt;script&gt;" in page
    done = root.post("/hardware/approve", "/hardware", id=request_id(console), **{"for": "28800"})
    assert done.headers["location"] == "/hardware?done=approve"
    assert space(console).wish.hardware == "t4-small" and space(console).wish.hardware_until
    page = ada.get(SETTINGS).text
    assert "Given" in page and "decided by root" in page and "UTC</time>" in page
    late = root.post("/hardware/refuse", "/hardware", id=request_id(console), reason="late")
    assert late.status_code == 422 and "approved by root already" in late.text


def test_an_admin_refuses_with_a_reason(console, ada, root):
    ada.post(f"{SETTINGS}/hardware", SETTINGS, flavor="t4-small")
    assert root.post("/hardware/refuse", "/hardware", id=request_id(console), reason="").status_code == 422
    root.post("/hardware/refuse", "/hardware", id=request_id(console), reason="use the CPU")
    page = ada.get(SETTINGS).text
    assert "Refused" in page and "use the CPU" in page


def test_quotas_and_capacity_on_the_hardware_page(console, ada, root):
    given = {"owner": "ada", "flavor": "cpu-upgrade", "hours": "20", "count": "", "price": ""}
    assert root.post("/hardware/quota", "/hardware", **given).status_code == 303
    assert "0.00 of 20" in ada.get("/hardware").text
    assert root.post("/hardware/quota", "/hardware", **given | {"hours": "many"}).status_code == 422
    assert root.post("/hardware/quota", "/hardware", **given | {"owner": "nobody"}).status_code == 422
    mine = space(console)
    console.runtime.nodes = (
        NodeSeen(
            "gpu-1",
            resources={"nvidia.com/gpu": 4},
            held=(Held("i", mine.id, resources={"nvidia.com/gpu": 1}), Held("", "", resources={"nvidia.com/gpu": 2})),
        ),
    )
    console.parts.allotment.capacity.nodes(fresh=True)
    page = root.get("/hardware").text
    assert "3 of 4 nvidia.com/gpu used" in page and "ada/demo: 1 ×" in page and "others: 2 ×" in page
    assert "gpu-1" not in ada.get("/hardware").text
    root.post("/hardware/noquota", "/hardware", owner="ada", flavor="cpu-upgrade")
    assert console.parts.allotment.quotas.list(console.parts.accounts.caller(f"Bearer {console.roots}")) == []


def test_only_admins_act(console, ada):
    ada.post(f"{SETTINGS}/hardware", SETTINGS, flavor="t4-small")
    for action, fields in (("approve", {}), ("refuse", {"reason": "x"}), ("quota", {}), ("noquota", {}), ("other", {})):
        answer = ada.post(f"/hardware/{action}", SETTINGS, id=request_id(console), **fields)
        assert answer.status_code == 403, action
    assert space(console).wish.hardware == "cpu-basic"
    assert Browser(console).get("/hardware").status_code in (302, 303, 401)


def test_replicas_on_the_settings_page_and_how_many_answer(console, ada):
    done = ada.post(f"{SETTINGS}/replicas", SETTINGS, replicas="3")
    assert done.headers["location"].endswith("?done=replicas#replicas")
    assert space(console).wish.replicas == 3
    with console.store.write() as tx:
        tx.spaces.update(
            space(console).id, look_at=0.0, stage="RUNNING", route="open", reason="2 of 3 replicas answer; one ended",
            address="10.0.0.1:1", addresses=["10.0.0.1:1", "10.0.0.2:1"],
        )  # fmt: skip
    assert "(2 of 3 answer now)" in ada.get(SETTINGS).text
    assert "2 of 3 replicas answer; one ended" in ada.get("/spaces/ada/demo").text
    assert 'class="banner busy' not in Browser(console).get("/spaces/ada/demo").text, "a visitor has no use for it"
    for typed in ("0", "11", "many", "", "1.5", "9" * 40):
        answer = ada.post(f"{SETTINGS}/replicas", SETTINGS, replicas=typed)
        assert answer.status_code == 422 and "replicas is" in answer.text
    assert space(console).wish.replicas == 3


def test_where_there_is_one_of_everything_no_page_speaks_of_replicas(console, ada):
    several = console.parts.allotment.replicas
    several.single, several.most = "apps are processes of one machine here", 1
    assert "Replicas" not in ada.get(SETTINGS).text
    answer = ada.post(f"{SETTINGS}/replicas", SETTINGS, replicas="2")
    assert answer.status_code == 422 and "2 replicas cannot run: apps are processes of one machine here" in answer.text
