"""The parts as services of their own, as a cluster runs them: a control plane that listens on TCP, gateways that have nothing of
it but its address and the feed token."""

import httpx
import pytest

from tests.parts import Apart, Gateway, Part
from tests.support import Loopback, Prober, bearer, eventually, git

PAGE = {"README.md": "---\nsdk: static\n---\n", "index.html": "<h1>one</h1>", "version": "1"}


@pytest.fixture
def apart(tmp_path):
    podium = Apart(tmp_path).start()
    parts: list[Part] = []
    podium.gateway = lambda token="": parts.append(Gateway(podium, token or podium.feed_token)) or parts[-1]
    yield podium
    for part in (*parts, podium.control):
        if part.process.poll() is None:
            part.stop()
    podium.end()


def test_two_gateways_serve_without_the_data_of_the_control_plane(apart):
    one, two = apart.gateway(), apart.gateway()
    eventually(lambda: one.ready() and two.ready(), 30, "both gateways subscribing")
    apart.port, apart.http = one.port, one.http
    space = apart.space("site")
    space.push(files=PAGE)
    space.wait("RUNNING")
    host = httpx.URL(space.url).host

    class Second:
        url = two.url

        def client(self):
            return two.client(host)

    with Prober(Second(), "/version") as visitor:
        eventually(lambda: one.client(host).get("/version").text == "1")
        eventually(lambda: visitor.bodies == ["1"], what="the second gateway serving")
        one.process.kill()
        one.process.wait(10)
        before = len(visitor.answers)
        eventually(lambda: len(visitor.answers) > before + 20)
        # The console too is reached through the one that is left, and the control plane may go as well.
        apart.port, apart.http = two.port, two.http
        git(space.work, "remote", "set-url", "origin", space.remote())
        space.push(files={"version": "2"})
        eventually(lambda: visitor.bodies[-1] == "2", 60, "the new version through the second gateway")
        assert apart.control.stop() == 0
        before = len(visitor.answers)
        eventually(lambda: len(visitor.answers) > before + 20)
        assert two.http.get("/.podium/readyz").json() == {
            "ok": True, "missing": [], "feed": "the control plane does not answer",
        }  # fmt: skip
    assert not visitor.failures
    assert visitor.bodies == ["1", "2"]
    assert two.stop() == 0
    assert not list((apart.home / f"gateway-{two.port}" / "data").glob("podium.db*"))


def test_a_gateway_with_a_wrong_token_says_so_and_does_not_hang(apart):
    stray = apart.gateway("no-such-token")
    eventually(lambda: "does not accept our token" in stray.said(), 20)
    answer = stray.client("acme-demo.localhost").get("/", headers={"accept": "text/html"}, timeout=20)
    assert answer.status_code == 503 and "Retry-After" in answer.headers
    told = stray.http.get("/.podium/readyz", timeout=20)
    assert told.status_code == 503 and "keys/feed.token" in told.json()["missing"][0]
    assert stray.http.get("/.podium/healthz", timeout=20).status_code == 200
    assert stray.said().count("does not accept our token") == 1, "once, not at each attempt"


def test_internal_paths_are_closed_to_who_has_no_token_and_to_everybody_outside(apart):
    gateway = apart.gateway()
    eventually(gateway.ready, 30)
    right = bearer(apart.feed_token)
    body = {"token": "x", "space": "x"}
    assert apart.direct.post("/internal/authorize", json=body, headers=right).status_code == 200
    told = apart.direct.get("/internal/metrics", headers=right).text
    assert 'podium_spaces{stage="RUNNING"} 0\n' in told and "podium_ready 1\n" in told
    for headers in ({}, bearer("wrong"), bearer(apart.token), {"authorization": apart.feed_token}):
        assert apart.direct.post("/internal/authorize", json=body, headers=headers).status_code == 404
        assert apart.direct.get("/internal/feed", headers=headers).status_code == 404
        assert apart.direct.get("/internal/metrics", headers=headers).status_code == 404
        hook = apart.direct.post("/internal/hooks/pre-receive", headers=headers, content=b"x")
        assert hook.text.split()[-1] == "no", hook.text
    for path in ("/internal/authorize", "//internal/authorize", "/%69nternal/authorize", "/x/../internal/authorize"):
        with httpx.Client(transport=Loopback()) as visitor:
            url = httpx.URL(f"{gateway.url}/").copy_with(raw_path=path.encode())
            assert visitor.post(url, json=body, headers=right).status_code == 404, path


def test_what_is_missing_for_a_gateway_of_its_own_is_one_sentence(tmp_path):
    podium = Apart(tmp_path)
    for settings, words in (
        ({"control_url": "http://127.0.0.1:9"}, "there is no token for http://127.0.0.1:9 in"),
        ({"control_url": "https://control"}, "PODIUM_CONTROL_URL is 'https://control'; write http://HOST:PORT"),
        ({"control_listen": "9000"}, "PODIUM_CONTROL_LISTEN is '9000'; write ADDRESS:PORT"),
    ):
        part = Part(podium, "gateway", tmp_path / "data", **settings)
        assert part.process.wait(60) == 2
        assert words in part.said() and "Traceback" not in part.said()
