"""The life of a Space: versions, commands, sleep, privacy. Each test drives a real Space of the session's Podium."""

import socket
import threading
import time

import httpx
import pytest
from websockets.sync.client import connect

from tests.e2e import probe
from tests.support import Prober, bearer, eventually

BROWSER = {"accept": "text/html,application/xhtml+xml", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


def test_a_new_version_replaces_the_old_one_without_a_gap(space):
    probe.running(space, "1")
    with Prober(space) as prober:
        for version in ("2", "3"):
            probe.push(space, version)
            eventually(lambda version=version: probe.ask(space) == version, 120, f"version {version}")
        space.wait("RUNNING")
        eventually(lambda: prober.bodies[-1] == "3", 10, "the visitor seeing it too")
    assert prober.failures == []
    assert prober.bodies == ["1", "2", "3"], "versions must only go forward"


@pytest.mark.parametrize(
    ("files", "stage"),
    [
        ({"requirements_txt": "podium-sample-that-nobody-published==1\n"}, "BUILD_ERROR"),
        ({"README_md": "---\nsdk: gradioo\n---\n"}, "CONFIG_ERROR"),
        ({"app_py": "raise SystemExit('no')\n"}, "RUNTIME_ERROR"),
    ],
    ids=["build", "config", "start"],
)
def test_a_broken_push_leaves_the_old_version_serving(space, files, stage):
    probe.running(space, "1")
    before = probe.pid(space)
    with Prober(space) as prober:
        probe.push(space, "2", **files)
        space.wait(stage)
    assert prober.failures == []
    assert prober.bodies == ["1"]
    assert probe.pid(space) == before, "the old version was restarted"
    probe.push(space, "3")
    space.wait("RUNNING")
    assert probe.ask(space) == "3"


def test_a_push_of_words_builds_nothing_and_restarts_nothing(space):
    probe.running(space)
    before, built = probe.pid(space), space.logs("build")
    readme = (probe.FOLDER / "README.md").read_text()
    commit = space.push(files={"README.md": readme + "\nMore words.\n"})
    eventually(lambda: space.api("GET").json()["sha"] == commit, 30)
    space.wait("RUNNING")
    assert probe.pid(space) == before
    assert not any("install" in line.lower() for line in space.logs("build")[len(built) :])


def test_two_quick_pushes_end_at_the_second(space):
    probe.running(space, "1")
    with Prober(space) as prober:
        probe.push(space, "2")
        probe.push(space, "3")
        eventually(lambda: probe.ask(space) == "3", 120)
        space.wait("RUNNING")
    assert prober.failures == []
    assert prober.bodies in (["1", "3"], ["1", "2", "3"])


def test_only_main_deploys(space):
    from tests.support import git

    probe.running(space, "1")
    git(space.work, "checkout", "-q", "-b", "draft")
    (space.work / "app.py").write_text(probe.code("draft"))
    git(space.work, "commit", "-q", "-am", "Draft")
    git(space.work, "push", "-q", "origin", "draft")
    git(space.work, "checkout", "-q", "main")
    probe.push(space, "2")
    eventually(lambda: probe.ask(space) == "2", 120)
    assert "draft" in space.api("GET", "/refs").text


def test_pause_stops_and_restart_brings_it_back(space):
    probe.running(space)
    space.pause()
    space.wait("PAUSED")
    eventually(lambda: not space.pids(), 30, "its processes ending", every=0.25)
    with space.client() as client:
        answer = client.get("/version")
        assert answer.status_code == 503
        assert "paused" in answer.text.lower()
    assert space.stage() == "PAUSED", "a visit must not wake a paused Space"
    space.restart()
    space.wait("RUNNING")
    assert probe.ask(space) == "1"


def test_restart_makes_a_new_instance_without_a_gap(space):
    probe.running(space)
    before = probe.pid(space)
    with Prober(space) as prober:
        space.restart()
        eventually(lambda: probe.pid(space) != before, 120, "a new instance")
    assert prober.failures == []


def test_factory_restart_builds_again(space):
    probe.running(space)
    before = probe.pid(space)
    with Prober(space) as prober:
        space.restart(factory=True)
        eventually(lambda: probe.pid(space) != before, 240, "a new instance")
    assert prober.failures == []


def test_rollback_brings_back_the_last_good_version_quickly(space):
    probe.running(space, "1")
    probe.push(space, "2")
    eventually(lambda: probe.ask(space) == "2", 120)
    space.wait("RUNNING")
    with Prober(space) as prober:
        space.podium.cli("space", "rollback", space.id)
        eventually(lambda: probe.ask(space) == "1", 60)
    assert prober.failures == []
    assert prober.bodies == ["2", "1"]
    probe.push(space, "3")
    eventually(lambda: probe.ask(space) == "3", 120)


def test_delete_takes_everything_away(space):
    probe.running(space)
    url, client = space.url, space.client()
    space.delete()
    eventually(lambda: client.get("/version").status_code == 404, 30, f"{url} being 404")
    eventually(lambda: not space.pids(), 30, "its processes ending", every=0.25)
    assert space.podium.request("GET", f"/api/spaces/{space.id}", token=space.owner_token).status_code == 404
    client.close()


def test_a_crash_is_mended(space):
    probe.running(space)
    before = probe.pid(space)
    with space.client() as client:
        assert client.get("/crash").status_code in (502, 503, 504)
    eventually(lambda: probe.pid(space) != before, 60, "a new instance after the crash")


def test_a_changed_secret_restarts_the_app_with_it(space):
    probe.running(space)
    for value in ("first", "second"):
        space.secret("COLOUR", value)
        eventually(lambda value=value: probe.ask(space, "/env/COLOUR") == value, 60, f"COLOUR becoming {value}")
    space.api("DELETE", "/secrets", {"key": "COLOUR"})
    eventually(lambda: probe.ask(space, "/env/COLOUR") == "", 60, "COLOUR being gone")


def test_what_the_app_is_told_about_its_visitor(space):
    probe.running(space)
    forged = {"x-forwarded-for": "6.6.6.6", "x-forwarded-host": "evil.example", "x-forwarded-proto": "gopher"}
    with space.client() as client:
        seen = client.post("/echo", content=b"x" * 100_000, headers={**forged, **bearer(space.owner_token)}).json()
    assert seen["bytes"] == 100_000
    told = seen["headers"]
    host = space.url.split("://")[1]
    assert told["x-forwarded-host"] == host
    assert told["x-forwarded-proto"] == "http"
    assert "6.6.6.6" not in told["x-forwarded-for"]
    assert space.owner_token not in str(told), "an app must never see a Hub token"


def test_events_are_not_held_back(space):
    probe.running(space)
    arrived = []
    with space.client() as client, client.stream("GET", "/stream/4") as answer:
        for line in answer.iter_lines():
            if line:
                arrived.append((line, time.monotonic()))
    assert [line for line, _ in arrived] == [f"data: {n}" for n in range(4)]
    assert arrived[-1][1] - arrived[0][1] > 0.3, "they came all at once"


# ----------------------------------------------------------------------------------------------------------- sleep


@pytest.fixture
def sleeping(space):
    probe.running(space)
    space.sleep_after(4)
    space.wait("SLEEPING", timeout=60)
    eventually(lambda: not space.pids(), 30, "its processes ending", every=0.25)
    return space


def test_a_program_wakes_it_and_its_request_is_answered(sleeping):
    with sleeping.client() as client:
        answer = client.post("/echo", content=b"wake up")
    assert answer.status_code == 200
    assert answer.json()["bytes"] == 7


def test_many_programs_wake_it_once(sleeping):
    answers: list[str] = []
    threads = [threading.Thread(target=lambda: answers.append(probe.pid(sleeping))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(answers) == 20
    assert len(set(answers)) == 1, "one instance answers all"


def test_a_browser_gets_a_waiting_page_and_then_the_app(sleeping):
    with sleeping.client(headers=BROWSER) as client:
        first = client.get("/")
        assert first.status_code in (200, 503)
        assert "text/html" in first.headers["content-type"]
        assert "version 1" not in first.text
        assert first.headers["cache-control"].startswith("no-store")
        eventually(lambda: client.get("/").text == "version 1", 60, "the app behind the waiting page")


def test_a_health_check_does_not_wake_it(sleeping):
    with sleeping.client() as client:
        assert client.head("/").status_code == 503
    time_left = time.monotonic() + 3
    eventually(lambda: time.monotonic() > time_left or sleeping.stage() != "SLEEPING", 10)
    assert sleeping.stage() == "SLEEPING"


def test_an_idle_websocket_does_not_keep_it_awake(space):
    probe.running(space)
    port = space.podium.port
    url = space.url.replace("http://", "ws://") + "/ws"
    with connect(url, sock=socket.create_connection(("127.0.0.1", port)), ping_interval=0.5) as ws:
        ws.send("hello")
        assert ws.recv(timeout=10) == "hello"
        space.sleep_after(4)
        space.wait("SLEEPING", timeout=60)
    eventually(lambda: not space.pids(), 30, every=0.25)


def test_a_busy_websocket_keeps_it_awake(space):
    probe.running(space)
    url = space.url.replace("http://", "ws://") + "/ws"
    with connect(url, sock=socket.create_connection(("127.0.0.1", space.podium.port))) as ws:
        space.sleep_after(8)
        until = time.monotonic() + 20

        def still_talking() -> bool:
            ws.send("hello")
            assert ws.recv(timeout=10) == "hello"
            return time.monotonic() > until

        eventually(still_talking, 40)
        assert space.stage() == "RUNNING"


# ---------------------------------------------------------------------------------------------------------- privacy


def test_a_private_space_is_not_there_for_strangers(space):
    stranger = space.podium.tokens.get("stranger") or space.podium.user("stranger")
    space.create(private=True)
    space.token = space.owner_token
    probe.running(space)
    with httpx.Client(transport=space.client()._transport, base_url=space.url) as nobody:
        unseen = nobody.get("/version")
        missing = nobody.get("/version", headers={"host": f"no-such-space.localhost:{space.podium.port}"})
        for headers in ({}, bearer(stranger), {"x-hf-authorization": f"Bearer {stranger}"}, bearer("hf_" + "0" * 34)):
            answer = nobody.get("/version", headers=headers)
            assert answer.status_code == 404, headers
            assert answer.text == unseen.text
        assert missing.status_code == 404
        assert space.name not in unseen.text
        for name in ("authorization", "x-hf-authorization"):
            answer = nobody.get("/version", headers={name: f"Bearer {space.owner_token}"})
            assert (answer.status_code, answer.text) == (200, "1"), name
    for path in ("", "/runtime", "/logs/run", "/tree/main"):
        answer = space.podium.request("GET", f"/api/spaces/{space.id}{path}", token=stranger)
        assert answer.status_code == 404, path
        assert answer.headers["x-error-code"] == "RepoNotFound"
