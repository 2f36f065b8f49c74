"""Who may do what over the API: strangers, readers, neighbours, browsers with a cookie, Podium's own processes; and what is
told when something of ours is broken. On a real socket with a real database."""

import json

import httpx
import pytest

from tests.console import Console
from tests.support import bearer

SPACE = "/api/spaces/ada/demo"


@pytest.fixture(scope="module")
def console(tmp_path_factory):
    with Console(tmp_path_factory.mktemp("console")).listening() as console:
        console.space()
        console.space("hidden", private=True)
        console.space("half", visibility="protected")
        yield console


WRITES = [
    ("POST", "/pause", None),
    ("POST", "/restart", None),
    ("POST", "/sleeptime", {"seconds": 600}),
    ("POST", "/hardware", {"flavor": "cpu-basic"}),
    ("POST", "/secrets", {"key": "K", "value": "v"}),
    ("DELETE", "/secrets", {"key": "K"}),
    ("POST", "/variables", {"key": "K", "value": "v"}),
    ("DELETE", "/variables", {"key": "K"}),
    ("POST", "/rollback", {"build": 1}),
    ("PUT", "/settings", {"private": True}),
    ("POST", "/preupload/main", {"files": []}),
    ("POST", "/commit/main", {}),
    ("GET", "/secrets", None),
    ("GET", "/variables", None),
    ("GET", "/auth-check/write", None),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES, ids=[f"{m} {p}" for m, p, _ in WRITES])
def test_who_may_not_write(console, method, path, body):
    def status(space: str, token: str | None) -> int:
        with console.client(token) as client:
            return client.request(method, f"/api/spaces/ada/{space}{path}", json=body).status_code

    assert status("demo", None) == 401
    assert status("demo", console.bobs) == 403
    assert status("demo", console.read_token) == 403
    assert (status("hidden", None), status("hidden", console.bobs)) == (401, 404)
    assert status("hidden", console.read_token) == 403


READS = ["", "/runtime", "/host", "/tree/main", "/refs", "/commits/main", "/revision/main", "/auth-check", "/builds", "/events",
         "/logs/run", "/jwt", "/metrics"]  # fmt: skip


@pytest.mark.parametrize("who", ["bob", "a stranger"])
@pytest.mark.parametrize("path", READS)
def test_a_hidden_space_looks_like_none(console, path, who):
    """A stranger is told 401 for both, as on the Hub: whoever signs in may see more."""
    with console.client(console.bobs if who == "bob" else None) as client:
        hidden, absent = (client.get(f"/api/spaces/ada/{name}{path}") for name in ("hidden", "absent"))
    assert hidden.status_code == absent.status_code == (404 if who == "bob" else 401)
    assert hidden.headers["x-error-code"] == "RepoNotFound"
    assert hidden.json() == absent.json()
    drop = ("x-request-id", "date")
    assert {k: v for k, v in hidden.headers.items() if k not in drop} == {
        k: v for k, v in absent.headers.items() if k not in drop
    }


def test_a_protected_space_shows_its_app_but_not_its_code(console):
    with console.client(console.bobs) as client:
        info = client.get("/api/spaces/ada/half").json()
        assert info["host"] and info["runtime"]["stage"]
        assert (info["sha"], info["siblings"], info["cardData"]) == (None, [], None)
        for path in (
            "/api/spaces/ada/half/tree/main",
            "/spaces/ada/half/resolve/main/README.md",
            "/api/spaces/ada/half/builds",
        ):
            assert client.get(path).json()["code"] == "RepoNotFound"
        assert client.get("/api/spaces/ada/half/revision/main").json()["code"] == "RevisionNotFound"


def test_lists_never_show_what_is_hidden(console):
    def seen(token: str | None) -> set[str]:
        with console.client(token) as client:
            listed = {space["id"] for space in client.get("/api/spaces?full=true").json()}
            found = {
                space["id"] for space in client.get("/api/spaces/semantic-search?q=hidden&includeNonRunning=1").json()
            }
        return listed | found

    assert "ada/hidden" in seen(console.token)
    assert "ada/hidden" not in seen(None) | seen(console.bobs)


# ----------------------------------------------------------------------------------------------------------- cookies


def signed_in(console: Console) -> httpx.Client:
    secret = console.parts.accounts.new_session(console.ada)
    client = console.client(None)
    client.headers["cookie"] = f"{console.parts.session_cookie}={secret}"
    return client


def test_a_cookie_reads_but_writes_only_for_our_own_pages(console):
    with signed_in(console) as client:
        assert client.get("/api/spaces/ada/hidden").status_code == 200
        url = "/api/spaces/ada/hidden/restart"
        own = f"http://127.0.0.1:{console.port}"
        for headers in ({}, {"sec-fetch-site": "same-site"}, {"sec-fetch-site": "cross-site", "origin": "http://evil.example"},
                        {"origin": f"http://ada-demo.localhost:{console.port}"}, {"origin": "null"}):  # fmt: skip
            refused = client.post(url, headers=headers)
            assert (refused.status_code, refused.json()["code"]) == (403, "CROSS_ORIGIN"), headers
        for headers in ({"sec-fetch-site": "same-origin"}, {"origin": own}, {"origin": console.parts.public_url}):
            assert client.post(url, headers=headers).status_code == 200, headers


def test_a_token_beside_a_cookie_wins(console):
    with signed_in(console) as client:
        told = client.get("/api/whoami-v2", headers=bearer(console.bobs)).json()
        assert told["name"] == "bob"
        assert client.get("/api/whoami-v2").json()["auth"]["accessToken"]["role"] == "write"


# ---------------------------------------------------------------------------------------------------------- internal


def test_internal_paths_take_the_feed_token_and_nothing_else(console):
    space = console.parts.spaces.find(console.parts.accounts.caller(f"Bearer {console.token}"), "ada", "hidden")
    for token in (None, console.token, "x", "ü"):
        with console.client(None) as client:
            headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
            for method, path in (
                ("GET", "/internal/feed"),
                ("POST", "/internal/activity"),
                ("POST", "/internal/authorize"),
            ):
                assert client.request(method, path, json={}, headers=headers).status_code == 404
    with console.client(console.parts.signing.feed_token) as gateway:

        def allowed(token: str, space_id: str = space.id) -> bool:
            return gateway.post("/internal/authorize", json={"token": token, "space": space_id}).json()["allowed"]

        assert allowed(console.token) and allowed(console.read_token)
        assert not allowed(console.bobs) and not allowed("nonsense") and not allowed(console.token, "0" * 24)
        used = {"used": {space.id: space.last_activity + 5, "unknown": 1.0}, "wake": [space.id]}
        assert gateway.post("/internal/activity", json=used).status_code == 200
        with gateway.stream("GET", "/internal/feed") as feed:
            lines = feed.iter_lines()
            assert json.loads(next(lines)) == {"reset": True}
            assert set(json.loads(next(lines))["keys"]) == {"sign_key", "cookie_key"}
            assert "put" in json.loads(next(lines))


def test_our_own_mistakes_are_an_id_and_not_a_traceback(console, monkeypatch):
    def broken(*_: object, **__: object):
        raise RuntimeError("the secret inner workings")

    monkeypatch.setattr(console.parts.spaces, "find", broken)
    with console.client() as client:
        answer = client.get(SPACE)
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")
    assert answer.json()["requestId"] == answer.headers["x-request-id"]
    assert "inner workings" not in answer.text


def test_a_database_that_is_away_is_503_and_try_again(console, monkeypatch):
    from orchestrator.errors import Unavailable

    def away(*_: object, **__: object):
        raise Unavailable("disk I/O error at /secret/path")

    monkeypatch.setattr(console.parts.spaces, "find", away)
    monkeypatch.setattr(console.parts.spaces, "get", away)
    with console.client() as client:
        answer = client.get(SPACE)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert "/secret/path" not in answer.text
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200
