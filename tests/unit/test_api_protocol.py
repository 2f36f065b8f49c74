"""What every address of the API does alike: HEAD wherever there is GET, a slash at the end, scripts of other sites, who may keep
an answer. And the body of a commit, whose lines may hold whole files."""

import base64
import io
import json
import os
import socket
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.api.envelope import without_last_slash
from orchestrator.api.heavy import AT_ONCE
from orchestrator.api.ndjson import LONG, TEXT, lines
from orchestrator.errors import Conflict, Invalid, TooLarge
from tests.console import Console

SPACE = "/api/spaces/ada/demo"
MB = 1024**2


@pytest.fixture(scope="module")
def console(tmp_path_factory):
    with Console(tmp_path_factory.mktemp("console"), files_limit=20).listening() as console:
        console.space()
        with console.client() as client:
            assert client.post("/api/repos/create", json={"name": "gate"}).status_code == 200
            assert client.put("/api/models/ada/gate/settings", json={"gated": "auto"}).status_code == 200
        yield console


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (SPACE, 200),
        ("/api/spaces?limit=1", 200),
        ("/api/whoami-v2", 200),
        (f"{SPACE}/tree/main", 200),
        (f"{SPACE}/refs", 200),
        (f"{SPACE}/logs/run", 200),  # which never ends
        (f"{SPACE}/events", 200),
        (f"{SPACE}/discussions", 200),
        ("/spaces/ada/demo/resolve/main/README.md", 200),
        (f"{SPACE}/tree/nope", 404),
        ("/api/spaces/ada/none", 404),
        ("/api/nothing", 404),
    ],
)
def test_head_is_get_without_a_body(console, path, status):
    with console.client() as client:
        with client.stream("GET", path) as got:
            pass
        head = client.head(path)
    assert (head.status_code, got.status_code) == (status, status) and not head.content
    assert head.headers["x-request-id"]
    told = ("content-type", "etag", "link", "x-error-code", "x-repo-commit", "x-linked-size")
    kept = [name for name in told if name in got.headers and path != f"{SPACE}/discussions"]
    assert [head.headers.get(name) for name in kept] == [got.headers[name] for name in kept]


def test_a_slash_at_the_end_is_overlooked(console):
    assert without_last_slash("/ada/demo/resolve/main/a/") == "/ada/demo/resolve/main/a/"
    assert [without_last_slash(path) for path in ("/", "//", "/api/x/")] == ["/", "/", "/api/x"]
    with console.client() as client:
        assert client.get(f"{SPACE}/").json()["id"] == "ada/demo"
        assert client.get(f"{SPACE}/revision/main/").status_code == 200
        assert client.get("/spaces/ada/demo/resolve/main/README.md/").status_code == 404


def test_scripts_of_other_sites_read_the_api_but_no_page(console):
    origin = {"origin": "https://ada-app.example.org"}
    asked = origin | {
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    with console.client(None) as client:
        before = client.options(f"{SPACE}/commit/main", headers=asked)
        read = client.get("/spaces/ada/demo/resolve/main/README.md", headers=origin)
        missing = client.get("/spaces/ada/demo/resolve/main/none", headers=origin)
        page = client.get("/settings/tokens", headers=origin)
    assert before.status_code == 200 and before.headers["access-control-allow-origin"] == "*"
    assert "authorization" in before.headers["access-control-allow-headers"]
    for answer in (read, missing):
        shown = answer.headers["access-control-expose-headers"].lower()
        assert answer.headers["access-control-allow-origin"] == "*" and "x-error-code" in shown and "etag" in shown
        assert "access-control-allow-credentials" not in answer.headers
    assert "access-control-allow-origin" not in page.headers


def test_no_cache_keeps_what_is_behind_a_gate(console):
    with console.client() as client:
        told = client.get("/ada/gate/resolve/main/.gitattributes").headers["cache-control"]
        fixed = client.get("/api/models/ada/gate").json()["sha"]
        again = client.get(f"/ada/gate/resolve/{fixed}/.gitattributes").headers["cache-control"]
    assert told == again == "private, no-cache"


def test_more_lines_than_a_revision_can_have_are_refused_at_once(console):
    body = b'{"key":"header","value":{"summary":"m"}}\n' + b"\n" * 1100
    with console.client() as client:
        answer = client.post(f"{SPACE}/commit/main", content=body)
    assert (answer.status_code, answer.json()["code"]) == (413, "TOO_MANY_FILES")


def test_a_small_commit_may_be_one_object(console):
    files = [{"path": "b.txt", "content": "aGk=", "encoding": "base64"}, {"path": "c.txt", "content": "x"}]
    with console.client() as client:
        at = f"{SPACE}/commit/main"
        assert client.post(at, json={"summary": "add", "description": "two", "files": files}).status_code == 200
        assert client.get("/spaces/ada/demo/resolve/main/b.txt").text == "hi"
        gone = client.post(at, json={"summary": "leave", "deletedFiles": [{"path": "b.txt"}]})
        assert gone.status_code == 200 and client.get("/spaces/ada/demo/resolve/main/b.txt").status_code == 404
        for wrong in ({"files": [1], "summary": "x"}, {"files": "x", "summary": "x"}, [], 1, {"files": files}):
            assert client.post(at, json=wrong).status_code == 400
        assert client.post(at, json={"summary": "x" * 2 * MB}).status_code == 413
        lines = json.dumps(HEADER) + "\n" + json.dumps({"key": "deletedFile", "value": {"path": "c.txt"}})
        assert client.post(at, content=lines, headers={"content-type": "application/json"}).status_code == 200


def test_a_commit_that_is_announced_too_large_is_not_waited_for(console):
    head = f"POST {SPACE}/commit/main HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {console.token}\r\n"
    with socket.create_connection(("127.0.0.1", console.port), timeout=20) as client:
        client.sendall(f"{head}Content-Length: {2 * 1024**3}\r\n\r\n{{".encode())
        assert client.recv(12) == b"HTTP/1.1 413"


def test_questions_are_answered_while_many_commits_take_long(console, monkeypatch):
    begun, end = threading.Semaphore(0), threading.Event()

    def slow(*_):
        begun.release()
        end.wait(60)
        raise Conflict("BUSY", "not today")

    def one(_):
        with console.client() as client:
            line = json.dumps({"key": "header", "value": {"summary": "m"}})
            return client.post(f"{SPACE}/commit/main", content=line).status_code

    monkeypatch.setattr(console.parts.pushes, "commit", slow)
    with ThreadPoolExecutor(60) as writers:
        asked = [writers.submit(one, number) for number in range(60)]
        try:
            assert all(begun.acquire(timeout=30) for _ in range(AT_ONCE))
            with console.client() as client:
                assert client.get(SPACE).status_code == 200
        finally:
            end.set()
        assert {each.result(60) for each in asked} == {409}


# ------------------------------------------------------------------------------------------------------------- lines


def read(*parts: object, limit: int = 50 * MB) -> list:
    body = b"\n".join(part if isinstance(part, bytes) else json.dumps(part).encode() for part in parts)
    return list(lines(io.BytesIO(body), limit))


def file(content: str, encoding: str = "base64", **more: object) -> dict:
    return {"key": "file", "value": {"content": content, "path": "a", "encoding": encoding, **more}}


HEADER = {"key": "header", "value": {"summary": "m"}}


def test_a_long_line_is_read_as_a_short_one():
    data = os.urandom(5 * MB + 1)
    sent = base64.b64encode(data).decode()
    (_, first), (_, second), (_, last) = read(HEADER, file(sent), {"key": "deletedFile", "value": {"path": "b"}})
    assert second == {"content": data, "path": "a", "encoding": "base64"}
    assert (first, last) == ({"summary": "m"}, {"path": "b"})
    around = json.dumps({"value": {"path": 'a"content":"', "encoding": "base64", "content": sent}, "key": "file"})
    assert read(around.encode())[0][1]["content"] == data


@pytest.mark.parametrize(
    "text", ["abcd" * LONG, 'ä"\\\n' * LONG, "x" * (LONG - 40) + "\\\\", "\\" * LONG, '\\"' * LONG]
)
def test_a_long_text_is_read_as_a_short_one(text):
    assert read(file(text, "utf-8"), HEADER) == [("file", file(text, "utf-8")["value"]), ("header", HEADER["value"])]


@pytest.mark.parametrize(
    ("line", "error", "code"),
    [
        (b'{"key":"file","value":{"path":"a","z":[' + b"{}," * MB + b"{}]}}", TooLarge, "FILE_TOO_LARGE"),
        (b'{"key":"file","value":' + b"[" * 2 * MB, TooLarge, "FILE_TOO_LARGE"),
        (json.dumps(file("A" * 2 * MB)).encode()[:-40], Invalid, "COMMIT_BODY"),
        (json.dumps(file("A" * 2 * MB)).encode()[: MB + 9], Invalid, "COMMIT_BODY"),
        (json.dumps(file("A" * 2 * MB, z="x" * 70_000)).encode(), TooLarge, "FILE_TOO_LARGE"),
        (json.dumps(file("A" * 2 * MB + "!AAA")).encode(), Invalid, "COMMIT_CONTENT"),
        (json.dumps(file("AA==" + "A" * 6 * MB)).encode(), Invalid, "COMMIT_CONTENT"),
        (json.dumps(file("A" * 2 * MB + "AAA")).encode(), Invalid, "COMMIT_CONTENT"),
        (json.dumps(file("A" * 8 * MB)).encode(), TooLarge, "FILE_TOO_LARGE"),
        (json.dumps(file("A" * (TEXT + 1), "utf-8")).encode(), TooLarge, "FILE_TOO_LARGE"),
        (json.dumps(file("\n" * TEXT, "utf-8")).encode(), TooLarge, "FILE_TOO_LARGE"),
    ],
    ids=lambda value: None if isinstance(value, str | type) else f"{len(value)}",
)
def test_what_is_wrong_with_a_long_line(line, error, code):
    with pytest.raises(error) as caught:
        read(HEADER, line, limit=5 * MB)
    assert caught.value.code == code


def test_a_line_costs_no_more_memory_than_its_file(tmp_path):
    """JSON of one line may unfold to thirty times its size."""
    for name, line in (
        ("file", json.dumps(file("QUFB" * 10 * MB)).encode()),
        ("bomb", b'{"key":"file","value":{"path":"a","z":[' + b"{}," * 10 * MB + b"{}]}}"),
    ):
        (tmp_path / name).write_bytes(line)
        del line
        with open(tmp_path / name, "rb") as body:
            tracemalloc.start()
            try:
                found = next(lines(body, 50 * MB))[1]["content"]
                assert name == "file" and len(found) == 30 * MB
            except TooLarge:
                assert name == "bomb"
            most = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert most < 60 * MB
