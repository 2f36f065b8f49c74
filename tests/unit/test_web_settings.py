"""Settings and analytics of a Space as pages: the front matter by form, deploys, the badge, charts of visits."""

import json
import time

import pytest

from orchestrator.api.app import create_app
from orchestrator.domain.records import Usage
from orchestrator.domain.space import MAIN, Visibility
from orchestrator.domain.visits import REGISTERS
from orchestrator.ports import Change
from orchestrator.services.spaces import NewSpace
from tests.console import Console
from tests.support import bearer
from tests.unit.test_web_pages import EVIL, Browser
from web.charts import columns, lines, nice
from web.routes import create_renderer, create_router

HERE = "/spaces/ada/demo"
SETTINGS = f"{HERE}/settings"
README = b"---\ntitle: Old   # by hand\nsdk: gradio\n---\n# Text\n"


@pytest.fixture(scope="module")
def console(tmp_path_factory):
    made = Console(tmp_path_factory.mktemp("settings"))
    made.app = create_app(made.parts, (create_router(made.parts),), create_renderer(made.parts))
    caller = made.parts.accounts.caller(f"Bearer {made.token}")
    space = made.parts.spaces.create(caller, NewSpace("demo", None, "gradio"))
    files = [Change("README.md", README), Change("app.py", b"print(1)\n")]
    made.parts.pushes.commit(caller, space, files, "First", None, MAIN)
    made.parts.pushes.landed(space.id)
    made.caller = caller
    with made.listening():
        yield made


@pytest.fixture(scope="module")
def ada(console):
    browser = Browser(console)
    assert browser.sign_in("ada", console.token).status_code == 303
    return browser


@pytest.fixture
def space(console):
    return console.parts.spaces.find(console.caller, "ada", "demo")


def readme(console, space) -> str:
    repos = console.parts.repos
    return repos.read(space.id, repos.head(space.id), "README.md", 10**6).decode()


def test_the_form_writes_one_commit_with_the_changed_lines(console, ada, space):
    before = len(console.parts.repos.log(space.id, console.parts.repos.head(space.id)))
    done = ada.post(f"{SETTINGS}/card", SETTINGS, title="New: one", sdk="gradio", emoji="🎈", pinned="1")
    assert done.headers["location"].endswith("?done=frontmatter#card")
    written = readme(console, space)
    assert written == '---\ntitle: "New: one"\nsdk: gradio\nemoji: "🎈"\npinned: true\n---\n# Text\n'
    log = console.parts.repos.log(space.id, console.parts.repos.head(space.id))
    assert len(log) == before + 1 and log[0].title == "Change title, emoji, pinned in the front matter"
    again = ada.post(f"{SETTINGS}/card", SETTINGS, title="New: one", sdk="gradio", emoji="🎈", pinned="1")
    assert "done=same" in again.headers["location"] and readme(console, space) == written


def test_what_cannot_be_is_said_and_not_written(console, ada, space):
    before = readme(console, space)
    answer = ada.post(f"{SETTINGS}/card", SETTINGS, colorFrom="mauve", title=EVIL)
    assert answer.status_code == 422 and "mauve" in answer.text and EVIL not in answer.text
    assert "&lt;script&gt;" in answer.text  # what was typed is there to be mended
    assert readme(console, space) == before
    told = ada.post(f"{SETTINGS}/card/check", SETTINGS, colorFrom="mauve").json()
    assert told["key"] == "colorFrom" and "mauve" in told["error"]
    told = ada.post(f"{SETTINGS}/card/check", SETTINGS, title="Fine").json()
    assert "title: Fine" in told["block"] and readme(console, space) == before


def test_somebody_elses_push_is_not_overwritten(console, ada, space):
    answer = ada.post(f"{SETTINGS}/card", SETTINGS, title="Late", head="0" * 40)
    assert answer.status_code == 422 and "pushed meanwhile" in answer.text


def test_a_stranger_checks_and_saves_nothing(console, space):
    bob = Browser(console)
    bob.sign_in("bob", console.bobs)
    assert bob.post(f"{SETTINGS}/card/check", "/settings", title="x").status_code == 403
    assert bob.post(f"{SETTINGS}/card", "/settings", title="x").status_code == 403
    assert bob.get(f"{HERE}/analytics").status_code == 403


def test_the_settings_tell_what_was_done(console, ada, space):
    console.parts.environment.put(console.caller, space, "API_KEY", "never-shown", True)
    page = ada.get(SETTINGS).text
    assert "set a secret" in page and "made the Space" in page and "never-shown" not in page


def test_the_badge_is_a_picture_that_runs_nothing(console, ada, space):
    answer = Browser(console).get(f"{HERE}/badge.svg")
    assert answer.headers["content-type"] == "image/svg+xml" and "No app file" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    console.parts.spaces.set_visibility(console.caller, space, Visibility.PRIVATE)
    assert Browser(console).get(f"{HERE}/badge.svg").status_code == 404
    console.parts.spaces.set_visibility(console.caller, space, Visibility.PUBLIC)


def test_what_gateways_count_is_shown_to_owners(console, ada, space):
    now = time.time()
    sketch = (bytes([3]) + bytes(REGISTERS - 1)).hex()
    body = {"at": now, "spaces": {space.id: [5, 0, 0, 0, 0, 0, 1, 0, 1, 4, sketch], "gone": [0] * 10 + [""]}}
    with console.client(None) as client:
        assert client.post("/internal/visits", json=body).status_code == 404
        for _ in range(2):  # two gateways
            trusted = bearer(console.parts.signing.feed_token)
            assert client.post("/internal/visits", json=body, headers=trusted).status_code == 200
        bad = {"at": now, "spaces": {space.id: [1]}}
        assert client.post("/internal/visits", json=bad, headers=trusted).status_code in (400, 422)
    with console.store.write() as tx:
        tx.usage.extend(
            Usage("i", now - 60, space.id, "ada/demo", space.owner_id, "ada", "cpu-basic", 0.0, now - 60, now, True)
        )
    for days in ("1", "7", "30", "nonsense"):
        answer = ada.get(f"{HERE}/analytics?days={days}")
        assert answer.status_code == 200 and "<b>8</b><span>page views" in answer.text and len(answer.content) < 100_000
        assert "<b>12</b><span>requests" in answer.text and "<b>1</b><span>visitors, about" in answer.text
        assert " style=" not in answer.text
    bars, whole = console.parts.visits.of_space(console.caller, space, 7)
    assert whole.starts == 1 and 55 <= whole.up <= 65 and sum(bar.counted.errors for bar in bars) == 2


def test_old_visits_are_forgotten(console, space):
    with console.store.write() as tx:
        from orchestrator.domain.visits import Hour

        tx.visits.add(space.id, Hour(10, 1))
        tx.visits.see(space.id, 0, "0" * 2 * REGISTERS)
        assert tx.visits.drop_before(48) >= 2
        assert tx.visits.hours(space.id, 0, 100) == []


def test_a_space_is_renamed_and_its_people_land_on_its_new_page(console, ada, space):
    taken = ada.post(f"{SETTINGS}/move", SETTINGS, owner="bob", name="demo")
    assert taken.status_code in (403, 422) and console.parts.spaces.get(space.id).full_name == "ada/demo"
    done = ada.post(f"{SETTINGS}/move", SETTINGS, owner="ada", name="best")
    assert done.headers["location"] == "/spaces/ada/best/settings?done=moved#move"
    assert console.parts.spaces.get(space.id).full_name == "ada/best"
    there = "/spaces/ada/best/settings"
    assert ada.post(f"{there}/move", there, owner="ada", name="demo").status_code == 303


def test_charts_are_plain_svg():
    drawn = str(columns([("<b>", 3.0), ("y", 0.0)], 'a "label"'))
    assert "<b>" not in drawn and "&lt;b&gt;: 3" in drawn and 'aria-label="a &#34;label&#34;"' in drawn
    assert str(columns([], "nothing")) == "" and str(lines([("a", [None, None])], ["x", "y"], "nothing")) == ""
    line = str(lines([("a", [1.0, None, 3.0])], ["x", "y", "z"], "gap"))
    assert line.count("M") >= 2 and "style" not in line
    assert [nice(n) for n in (0, 0.3, 1, 3, 7, 11, 100)] == [1.0, 0.5, 1, 5, 10, 20, 100]


def test_the_schema_is_what_the_docs_show(ada):
    page, schema = ada.get("/docs/front-matter").text, json.loads(ada.get("/schema/space.json").text)
    assert all(f'<tr id="{name}">' in page for name in schema["properties"])
    assert all(stage in ada.get("/docs/stages").text for stage in ("RUNTIME_ERROR", "SLEEPING"))
    assert "PODIUM_PUBLIC_URL" in ada.get("/docs/self-hosting").text
    assert "ada/my-demo" in ada.get("/docs").text and "/api/whoami-v2" in ada.get("/docs/api").text
    assert ada.get("/docs/nothing").status_code == 404
