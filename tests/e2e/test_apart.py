"""The parts as services of their own, as a cluster runs them: a control plane that listens on TCP, gateways that have nothing of
it but its address and the feed token."""

import secrets
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.podium import Podium, _end_with_us
from tests.support import GiveUp, Loopback, Prober, bearer, eventually, free_port, git

PAGE = {"README.md": "---\nsdk: static\n---\n", "index.html": "<h1>one</h1>", "version": "1"}


class Part:
    """One process of Podium with settings of its own."""

    def __init__(self, podium: "Apart", part: str, data: Path, *words: str, **settings: str) -> None:
        self.log = podium.home / f"{part}-{secrets.token_hex(3)}.log"
        environ = podium.environ | {f"PODIUM_{name.upper()}": value for name, value in settings.items()}
        command = [sys.executable, "-m", "orchestrator.cli", part, "--data", str(data), *words]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=podium.home,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_us,
            )

    def said(self) -> str:
        return self.log.read_text()

    def running(self) -> bool:
        if self.process.poll() is not None:
            raise GiveUp(f"it ended with {self.process.returncode}:\n{self.said()[-2000:]}")
        return True

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(40)


class Gateway(Part):
    """A gateway on its own: own data directory, a copy of the feed token, the address of the control plane."""

    def __init__(self, podium: "Apart", token: str) -> None:
        self.port = free_port()
        home = podium.home / f"gateway-{self.port}"
        (home / "keys").mkdir(parents=True)
        (home / "keys" / "feed.token").write_text(token + "\n")
        words = ("--port", str(self.port))
        super().__init__(
            podium,
            "gateway",
            home / "data",
            *words,
            keys=str(home / "keys"),
            control_url=f"http://127.0.0.1:{podium.control_port}",
            public_url=podium.url,
        )
        self.http = httpx.Client(base_url=f"http://localhost:{self.port}", transport=Loopback(), timeout=30)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def client(self, host: str = "") -> httpx.Client:
        return httpx.Client(base_url=f"http://{host}:{self.port}", transport=Loopback(), timeout=30)

    def ready(self) -> bool:
        return self.running() and self.http.get("/.podium/readyz").status_code == 200


class Apart(Podium):
    """A control plane over TCP and two gateways. Its `port` and `http` are those of the first gateway."""

    def start(self, timeout: float = 60) -> "Apart":
        self.control_port = free_port()
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        address = f"127.0.0.1:{self.control_port}"
        self.control = Part(self, "control", self.data, "--port", str(self.port), control_listen=address)
        self.direct = httpx.Client(base_url=f"http://{address}", timeout=30)
        eventually(lambda: self.control.running() and self.direct.get("/readyz").status_code == 200, timeout)
        self.token = self.token or self.user(self.owner)
        return self

    @property
    def feed_token(self) -> str:
        return (self.data / "keys" / "feed.token").read_text()


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
