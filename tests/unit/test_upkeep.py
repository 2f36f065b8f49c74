"""How Podium itself is, as admins see it: the health of its parts, the storage, what apps take, downloads; over real services."""

import asyncio
import json
import threading
import time

import pytest

from orchestrator.api.app import create_app
from orchestrator.domain.caller import STRANGER, Caller
from orchestrator.domain.load import Load
from orchestrator.domain.parts import Heard
from orchestrator.domain.records import Owner
from orchestrator.domain.space import MAIN, Role
from orchestrator.errors import Forbidden, Unauthorized, Unavailable
from orchestrator.ports import Change
from orchestrator.services.health import SILENT, SLOW, Check, Health
from orchestrator.services.pulse import FORGOTTEN, Pulse
from orchestrator.services.spaces import NewSpace
from orchestrator.upkeep_settings import taken
from tests.console import Console
from tests.support import eventually
from tests.unit.command_line import podium_says
from tests.unit.test_web_pages import Browser
from web.charts import curves
from web.routes import create_renderer, create_router

ADMIN = Caller(Owner("a" * 24, "root", is_admin=True), Role.ADMIN)


@pytest.fixture(scope="module")
def console(tmp_path_factory):
    made = Console(tmp_path_factory.mktemp("upkeep"))
    root = made.parts.accounts.add_user("root", admin=True)
    made.roots = made.parts.accounts.add_token(root, "write", "root")
    made.app = create_app(made.parts, (create_router(made.parts),), create_renderer(made.parts))
    with made.listening():
        caller = made.parts.accounts.caller(f"Bearer {made.token}")
        space = made.parts.spaces.create(caller, NewSpace("demo", None, "gradio"))
        made.parts.pushes.commit(caller, space, [Change("app.py", b"print(1)\n")], "First", None, MAIN)
        made.demo = made.parts.spaces.get(space.id)
        yield made


@pytest.fixture(scope="module")
def root(console):
    browser = Browser(console)
    browser.sign_in("root", console.roots)
    return browser


@pytest.fixture(scope="module")
def ada(console):
    browser = Browser(console)
    browser.sign_in("ada", console.token)
    return browser


# -------------------------------------------------------------------------------------------------------------- health


class Clock:
    def __init__(self):
        self.now = time.time()

    def __call__(self):
        return self.now


def tones(health) -> dict[str, str]:
    return {part.name: part.tone for part in health.parts(ADMIN)}


def test_only_admins_are_told_how_parts_are(console):
    with pytest.raises(Forbidden):
        console.parts.health.parts(Caller(Owner("b" * 24, "ada"), Role.ADMIN))
    for path in ("health", "storage"):
        with console.client() as client, console.client(None) as stranger:
            assert client.get(f"/api/podium/{path}").status_code == 403
            assert stranger.get(f"/api/podium/{path}").status_code == 401
    with console.client() as client:
        assert client.post("/api/podium/storage/collect").status_code == 403


def test_a_part_that_hangs_holds_up_nobody_and_one_that_fails_says_what_to_do(console):
    clock, free = Clock(), threading.Event()
    troubles = ["the bucket is gone"]

    def fails() -> str:
        if troubles:
            raise Unavailable(troubles[0])
        return "answers"

    checks = (Check("Slow", lambda: free.wait(30) and "came back", "wait"), Check("Broken", fails, "mend it"))
    health = Health(console.store, "here", "1", console.parts.feed, checks, clock=clock)
    try:
        begun = time.monotonic()
        health.parts(ADMIN)
        assert time.monotonic() - begun < 5.0
        eventually(lambda: tones(health)["Broken"] == "bad", 10)
        assert tones(health)["Slow"] == "busy"
        broken = next(part for part in health.parts(ADMIN) if part.name == "Broken")
        assert (broken.words, broken.advice, broken.since) == ("the bucket is gone", "mend it", clock.now)
        clock.now += SLOW + 20
        assert tones(health)["Slow"] == "bad"
    finally:
        free.set()
    troubles.clear()
    clock.now += 100
    eventually(lambda: tones(health)["Broken"] == tones(health)["Slow"] == "good", 10)


def test_processes_are_heard_of_missed_and_forgotten(console):
    clock = Clock()
    health = Health(console.store, "here", "1", console.parts.feed, clock=clock)
    other = Pulse(console.store, "control", "there", "1", clock=clock)
    of_builder = Pulse(console.store, "builder", "b/7", "2", clock=clock)
    for one in (other, of_builder):
        one.tell()
    found = tones(health)
    assert (found["Control plane here"], found["Control plane there"], found["Builder b/7"]) == ("good", "good", "busy")
    clock.now += SILENT + 1
    assert tones(health)["Control plane there"] == "busy"
    clock.now += FORGOTTEN
    other.tell()
    assert "Builder b/7" not in tones(health) and "Control plane there" in tones(health)
    other.stop()
    assert "Control plane there" not in tones(health)


def test_gateways_are_known_by_the_feed_with_the_change_that_they_have(console):
    feed, health = console.parts.feed, console.parts.health

    async def listen() -> tuple[list[Heard], list[str]]:
        messages = feed.messages("web-1:8000", "0.0.9")
        async for message in messages:
            if "synced" in message:
                break
        task = asyncio.ensure_future(anext(messages))  # it comes back for more
        heard = await asyncio.to_thread(
            eventually, lambda: [one for one in feed.listening() if one.detail["sequence"]], 10
        )
        words = [p.words for p in await asyncio.to_thread(health.parts, ADMIN) if p.name == "Gateway web-1:8000"]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await messages.aclose()
        return heard, words

    heard, words = asyncio.run(listen())
    with console.store.read() as tx:
        sequence = tx.spaces.route_seq()
    assert [(one.name, one.version, one.detail) for one in heard] == [
        ("gateway web-1:8000", "0.0.9", {"sequence": sequence})
    ]
    assert words == [f"has route change {sequence}, the newest, version 0.0.9"]
    assert feed.listening() == []


def test_the_overview_and_the_api_show_every_part(console, root):
    console.parts.health.check()
    page = root.get("/admin").text
    assert "Control plane here" in page and "answers in" in page
    with console.client(console.roots) as client:
        told = client.get("/api/podium/health").json()
    assert {"Control plane here", "Database", "Builds"} <= {one["name"] for one in told}
    assert all(one["tone"] in ("good", "busy", "bad") for one in told)


# ------------------------------------------------------------------------------------------------------------- storage


def ended(console):
    with console.store.read() as tx:
        found = tx.figures.get("collection")
    return found and "ended" in found[1] and not console.parts.storage.look(ADMIN).measuring and found[1]


def test_a_collection_runs_in_the_background_and_says_what_it_freed(console, root):
    assert "Not measured yet" in root.get("/admin/storage").text
    assert root.post("/admin/storage/collect", "/admin/storage").headers["location"].startswith("/admin/storage?done=")
    assert eventually(lambda: ended(console), 20)["freed"] == 1024
    page = root.get("/admin/storage").text
    assert "ada/demo" in page and "freed by root" in page and "Images" in page and "not known" in page
    assert "2.0 kB" in page  # what a collection would free
    with console.store.read() as tx:
        rows = [row for _, row in tx.audit.search(action="storage.")]
    assert [(row.action, row.actor) for row in rows] == [("storage.collect", "root")]


def test_one_collection_at_a_time(console, root):
    with console.store.write() as tx:
        tx.figures.put("collection", time.time(), {"by": "root", "begun": time.time()})
    refused = root.post("/admin/storage/collect", "/admin/storage")
    assert refused.status_code == 409 and "is going on already" in refused.text
    with console.store.write() as tx:  # its process died
        tx.figures.put("collection", time.time() - 10 * 3600, {"by": "root", "begun": 1.0})
    assert "it never ended" in root.get("/admin/storage").text
    root.post("/admin/storage/collect", "/admin/storage")
    assert eventually(lambda: ended(console), 20)


def test_owners_and_strangers_neither_see_nor_collect(console, ada):
    assert ada.get("/admin/storage").status_code == 403
    for action in ("collect", "measure"):
        assert ada.post(f"/admin/storage/{action}", "/settings").status_code == 403
        assert Browser(console).post(f"/admin/storage/{action}", "/login").status_code in (303, 401)
    with pytest.raises(Unauthorized):
        console.parts.storage.look(STRANGER)


def test_the_command_line_collects(console, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{console.port}")
    monkeypatch.setenv("HF_TOKEN", console.roots)
    dry = podium_says("gc", "--dry-run")
    assert dry.code == 0 and "would free about 2 KB" in dry.err and "Images\tnot known" in dry.out
    assert "Repos (git)" in dry.out and "Freed 1 KB" in podium_says("gc").err
    monkeypatch.setenv("HF_TOKEN", console.token)
    assert podium_says("gc").code == 2


def test_files_with_several_names_count_once(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 100_000)
    once = taken(tmp_path)
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert once >= 100_000 and taken(tmp_path) < once + 50_000 and taken(tmp_path / "nothing") == 0


# ---------------------------------------------------------------------------------------------- downloads, load, users


def commit(client, repo: str, path: str, text: str) -> None:
    lines = ({"key": "header", "value": {"summary": "x"}}, {"key": "file", "value": {"path": path, "content": text}})
    content, media = "\n".join(map(json.dumps, lines)), {"content-type": "application/x-ndjson"}
    client.post(f"/api/{repo}/commit/main", content=content, headers=media).raise_for_status()


def test_files_that_are_fetched_count_as_downloads(console):
    url = f"http://127.0.0.1:{console.port}"
    with console.client() as client:
        client.post("/api/repos/create", json={"name": "m", "type": "model"})
        for word in ("one", "two"):
            commit(client, "models/ada/m", word, "x")
        for word in ("one", "two", "one"):
            client.get(f"{url}/ada/m/resolve/main/{word}").raise_for_status()
        client.head(f"{url}/ada/m/resolve/main/one").raise_for_status()
    with console.client(None) as stranger:
        stranger.get(f"{url}/ada/m/raw/main/one").raise_for_status()
        for dest in ("image", "document"):
            stranger.get(f"{url}/ada/m/resolve/main/one", headers={"sec-fetch-dest": dest}).raise_for_status()
        assert stranger.get(f"{url}/ada/m/resolve/main/none").status_code == 404
        console.parts.downloads.write()
        told = stranger.get("/api/models/ada/m").json()
        assert told["downloads"] == 2
        expanded = stranger.get("/api/models/ada/m?expand=downloadsAllTime&expand=downloads").json()
        assert (expanded["downloads"], expanded["downloadsAllTime"]) == (2, 2)
        listed = stranger.get("/api/models?sort=downloads&limit=1").json()
        assert [(one["id"], one["downloads"]) for one in listed] == [("ada/m", 2)]
    page = Browser(console).get("/models?sort=downloads").text
    assert "Downloads: </span>2" in page and "2 in the last 30 days" in Browser(console).get("/ada/m").text


def test_a_models_page_names_the_spaces_whose_cards_name_it(console):
    with console.client() as client:
        client.post("/api/repos/create", json={"name": "used", "type": "model"})
        for name, private in (("shown", False), ("hidden", True)):
            client.post("/api/repos/create", json={"name": name, "type": "space", "sdk": "static", "private": private})
            commit(client, f"spaces/ada/{name}", "README.md", "---\nsdk: static\nmodels: [ada/used]\n---\n")
        assert set(client.get("/api/models/ada/used?expand=spaces").json()["spaces"]) == {"ada/shown", "ada/hidden"}
        assert {one["id"] for one in client.get("/api/spaces?models=ada/used").json()} == {"ada/shown", "ada/hidden"}
    page = Browser(console).get("/ada/used").text
    assert "/spaces/ada/shown" in page and "ada/hidden" not in page


def test_owners_see_what_the_app_takes_as_charts_and_live(console, ada):
    page = ada.get("/spaces/ada/demo/analytics").text
    assert "Nothing was measured in this time" in page
    with console.store.write() as tx:
        for back in range(5):
            tx.loads.put(time.time() - 60 * back, {console.demo.id: Load(0.25, 300 * 10**6, 0.5, 10**9)})
    for days in ("1", "7", "30", "90"):
        page = ada.get(f"/spaces/ada/demo/analytics?days={days}")
        assert "CPU, cores" in page.text and "300" in page.text and "Accelerator, %" in page.text, days
        assert len(page.content) < 100_000, len(page.content)
    console.runtime.load = None
    console.parts.loads.told = False
    assert "no metrics-server" in ada.get("/spaces/ada/demo/analytics?days=90").text or "CPU, cores" in page.text


def test_live_metrics_have_the_names_of_the_hub_and_are_for_its_people(console):
    from orchestrator.domain.seen import InstanceSeen, InstanceState

    console.runtime.load = {"i": Load(0.5, 1000)}
    console.runtime.instances = {"i": InstanceSeen("i", console.demo.id, "k", InstanceState.READY, 1.0)}
    try:
        for token, knows in ((console.read_token, True), (console.bobs, False)):
            with console.client(token) as client, client.stream("GET", "/api/spaces/ada/demo/metrics") as answer:
                line = next(text for text in answer.iter_lines() if text.startswith("data: "))
            assert ('"memory_used_bytes":1000' in line) is knows and ('"cpu_usage_pct":25.0' in line) is knows
            assert '"stage":' in line
    finally:
        console.runtime.instances, console.runtime.load = {}, {}


def test_a_curve_has_gaps_titles_and_escapes():
    drawn = curves([("a<b", [1.0, None, 3.0, 4.0]), ("c", [None] * 4)], ["x&", "y", "z", "w"], 'say "hi"', 2)
    assert "<title>x&amp;: a&lt;b 1.00</title>" in drawn and 'aria-label="say &#34;hi&#34;"' in drawn
    assert drawn.count('class="spot"') == 3 and drawn.count("M") >= 2
    assert curves([("a", [None, None])], ["x", "y"], "l") == "" == curves([], [], "l")
