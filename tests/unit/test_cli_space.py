"""`podium space` against a real HTTP server that answers as Podium's API does, and against none."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from orchestrator.cli import hub, output, watch
from orchestrator.domain.stage import Stage
from tests.support import free_port
from tests.unit.command_line import podium_says

TOKEN = "hf_" + "b2" * 17
SPACE = {
    "id": "acme/demo",
    "sdk": "gradio",
    "private": False,
    "sha": "f" * 40,
    "host": "http://acme-demo.localhost:8000",
}


class Server:
    """Answers by (method, path) from `answers`: a value is sent as JSON, a list of values one after the other (the last one
    again and again), a function is called with the handler. Keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], object] = {}
        self.asked: list[tuple[str, str, dict, object]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"

            def answer(self) -> None:
                path, _, query = self.path.partition("?")
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                outer.asked.append((self.command, self.path, dict(self.headers), json.loads(body) if body else None))
                found = outer.answers.get(
                    (self.command, path), (404, {"error": "Repository not found."}, {"X-Error-Code": "RepoNotFound"})
                )
                if isinstance(found, list):
                    found = found.pop(0) if len(found) > 1 else found[0]
                if callable(found):
                    return found(self)
                status, value, headers = found if isinstance(found, tuple) else (200, found, {})
                self.send(status, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})

            def send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_DELETE = answer

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()

    def on(self, method: str, path: str, answer: object) -> None:
        self.answers[method, f"/api{path}"] = answer


@pytest.fixture
def server(monkeypatch):
    server = Server()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(watch, "EVERY", 0.01)
    monkeypatch.setattr(watch, "SETTLE", 0.3)
    monkeypatch.setattr(hub, "_QUIET", 0.3)
    yield server
    server.close()


def events(*lines: str, end: bool = True):
    """A log as the API sends it; without `end` the connection stays open for a while."""

    def send(handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        handler.wfile.write(b": podium\n\n")
        for line in lines:
            event = json.dumps({"data": line + "\n", "timestamp": "2026-11-22T01:00:00.000Z"})
            handler.wfile.write(f"data: {event}\n\n".encode())
        handler.wfile.flush()
        if not end:
            handler.connection.settimeout(10)
            handler.connection.recv(1)  # until the client goes

    return send


# ---------------------------------------------------------------------------------------------------------- the server


def test_no_server_says_what_to_do(monkeypatch) -> None:
    url = f"http://localhost:{free_port()}"
    monkeypatch.setenv("HF_ENDPOINT", url)
    said = podium_says("space", "list")
    assert said.code == 3
    assert said.err == f"podium: nothing answers at {url}: start it with `podium up` or set HF_ENDPOINT [UNAVAILABLE]\n"


@pytest.mark.parametrize(
    ("variable", "value"),
    [("HF_ENDPOINT", "localhost:8000"), ("HF_ENDPOINT", "ftp://x"), ("HF_TOKEN", "hf_ü"), ("HF_TOKEN", "hf_a\nb")],
)
def test_a_bad_environment_is_the_callers_fault(monkeypatch, variable, value) -> None:
    monkeypatch.setenv(variable, value)
    said = podium_says("space", "list")
    assert said.code == 2 and f"[{variable}]" in said.err


@pytest.mark.parametrize("space_id", ["demo", "a/b/c", "/demo", "acme/", "../x", "acme/.."])
def test_a_bad_id_is_refused_before_anything_is_asked(server, space_id) -> None:
    said = podium_says("space", "delete", "--yes", space_id)
    assert said.code == 2 and "[SPACE_ID]" in said.err and not server.asked


def test_names_are_quoted_into_the_path() -> None:
    assert hub.space_path("ac me/d?mo#x", "/runtime") == "/api/spaces/ac%20me/d%3Fmo%23x/runtime"


def test_the_token_goes_along_and_the_servers_words_come_back(server) -> None:
    said = podium_says("space", "info", "acme/none")
    assert (said.code, said.err) == (2, "podium: Repository not found. [RepoNotFound]\n")
    assert server.asked[0][2]["authorization"] == f"Bearer {TOKEN}"


def test_without_a_token_the_hint_is_to_set_one(server, monkeypatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    said = podium_says("space", "info", "acme/none")
    assert said.code == 2 and "set HF_TOKEN" in said.err
    assert "authorization" not in server.asked[0][2]


def test_a_server_error_and_a_page_that_is_not_json_are_ours(server) -> None:
    server.on("POST", "/spaces/acme/demo/pause", (503, {"error": "the database does not answer"}, {}))
    said = podium_says("space", "pause", "acme/demo")
    assert said.code == 3 and "the database does not answer" in said.err
    server.on("POST", "/spaces/acme/demo/pause", lambda h: h.send(502, b"<html>", {"Content-Type": "text/html"}))
    assert podium_says("space", "pause", "acme/demo").code == 3


def test_another_kind_of_server_is_noticed(server) -> None:
    for path in ("/spaces", "/spaces/acme/demo"):
        server.on("GET", path, lambda h: h.send(200, b"<html>hello</html>", {"Content-Type": "text/html"}))
    for words in (("list",), ("info", "acme/demo")):
        said = podium_says("space", *words)
        assert said.code == 3 and "HF_ENDPOINT" in said.err


# ------------------------------------------------------------------------------------------------------------- looking


def test_list_goes_through_all_pages(server) -> None:
    one = [
        {**SPACE, "id": f"acme/{n}", "runtime": {"stage": "RUNNING"}, "lastModified": "2026-11-22T01:00:00.000Z"}
        for n in range(2)
    ]
    two = [{**SPACE, "id": "acme/2", "private": True, "runtime": {"stage": "SLEEPING"}}]
    link = {"Link": f'<{server.url}/api/spaces?cursor=x>; rel="next"'}
    server.on("GET", "/spaces", [(200, one, link), (200, two, {})])
    rows = [line.split("\t") for line in podium_says("space", "list", "--author", "acme").out.splitlines()]
    assert [row[:4] for row in rows] == [
        ["acme/0", "RUNNING", "gradio", "no"], ["acme/1", "RUNNING", "gradio", "no"], ["acme/2", "SLEEPING", "gradio", "yes"],
    ]  # fmt: skip
    assert "author=acme" in server.asked[0][1] and server.asked[1][1].endswith("cursor=x")


def test_info_as_lines_and_as_json(server) -> None:
    server.on("GET", "/spaces/acme/demo", SPACE)
    server.on("GET", "/spaces/acme/demo/runtime", {"stage": "SLEEPING", "reason": "nobody came", "gcTimeout": 7200})
    facts = dict(line.split("\t") for line in podium_says("space", "info", "acme/demo").out.splitlines())
    assert facts["stage"] == "SLEEPING" and facts["reason"] == "nobody came" and facts["sleeps after"] == "2h00m"
    assert json.loads(podium_says("space", "info", "acme/demo", "--json").out)["runtime"]["stage"] == "SLEEPING"


def test_builds(server) -> None:
    fault = {"code": "REQ_NOT_FOUND", "message": "there is no package numpyy"}
    server.on(
        "GET",
        "/spaces/acme/demo/builds",
        [[
            {"number": 3, "state": "failed", "sha": "c" * 40, "title": "Third", "fault": fault},
            {"number": 2, "state": "succeeded", "sha": "b" * 40, "title": "Second\x1b[2J", "serving": True},
        ]],
    )  # fmt: skip
    rows = [line.split("\t") for line in podium_says("space", "builds", "acme/demo").out.splitlines()]
    assert rows[0] == ["3", "failed", "ccccccc", "Third", "", "there is no package numpyy"]
    assert rows[1][:4] == ["2", "serving", "bbbbbbb", "Second[2J"], "what authors write cannot steer a terminal"


# ------------------------------------------------------------------------------------------------------------ commands


@pytest.mark.parametrize(
    ("words", "method", "path", "body"),
    [
        (("pause", "acme/demo"), "POST", "/api/spaces/acme/demo/pause", None),
        (("restart", "acme/demo"), "POST", "/api/spaces/acme/demo/restart", None),
        (("restart", "acme/demo", "--factory"), "POST", "/api/spaces/acme/demo/restart?factory=true", None),
        (("sleep", "acme/demo", "60"), "POST", "/api/spaces/acme/demo/sleeptime", {"seconds": 60}),
        (("sleep", "acme/demo", "-1"), "POST", "/api/spaces/acme/demo/sleeptime", {"seconds": -1}),
        (("rollback", "acme/demo"), "POST", "/api/spaces/acme/demo/rollback", {"build": ""}),
        (("rollback", "acme/demo", "2"), "POST", "/api/spaces/acme/demo/rollback", {"build": "2"}),
        (("delete", "acme/demo"), "DELETE", "/api/repos/delete", {"type": "space", "name": "demo", "organization": "acme"}),
        (("secret", "set", "acme/demo", "K", "v"), "POST", "/api/spaces/acme/demo/secrets", {"key": "K", "value": "v"}),
        (("secret", "delete", "acme/demo", "K"), "DELETE", "/api/spaces/acme/demo/secrets", {"key": "K"}),
        (("variable", "set", "acme/demo", "K", "v", "--description", "d"), "POST", "/api/spaces/acme/demo/variables",
         {"key": "K", "value": "v", "description": "d"}),
        (("variable", "delete", "acme/demo", "K"), "DELETE", "/api/spaces/acme/demo/variables", {"key": "K"}),
    ],
)  # fmt: skip
def test_commands_ask_for_what_they_say(server, words, method, path, body) -> None:
    # Some answers are a word, some are empty, and a rollback is answered with the build.
    answer = b"OK" if method == "DELETE" else b'{"number": 2}' if path.endswith("rollback") else b""
    server.answers[method, path.partition("?")[0]] = lambda h: h.send(200, answer, {})
    said = podium_says("space", *words)
    assert said.code == 0 and said.out == "" and said.err
    assert [(m, p, b) for m, p, _, b in server.asked] == [(method, path, body)]


def test_a_secret_comes_from_stdin_without_its_last_newline(server) -> None:
    server.on("POST", "/spaces/acme/demo/secrets", {})
    assert podium_says("space", "secret", "set", "acme/demo", "KEY", text="two\nlines\n").code == 0
    assert server.asked[0][3] == {"key": "KEY", "value": "two\nlines"}


def test_variables_are_listed_with_values_and_secrets_without(server) -> None:
    server.on("GET", "/spaces/acme/demo/variables", {"MODE": {"value": "x", "updatedAt": None}})
    server.on("GET", "/spaces/acme/demo/secrets", {"KEY": {"description": "for the API"}})
    assert podium_says("space", "variable", "list", "acme/demo").out == "MODE\tx\t\t\n"
    assert podium_says("space", "secret", "list", "acme/demo").out == "KEY\tfor the API\t\n"


# ------------------------------------------------------------------------------------------------------- logs and wait


def test_a_log_that_goes_on_is_read_so_far(server) -> None:
    server.on("GET", "/spaces/acme/demo/logs/run", events("one", "\x1b[31mtwo\x1b[0m\x07", "three", end=False))
    assert podium_says("space", "logs", "acme/demo").out == "one\ntwo\nthree\n"
    assert podium_says("space", "logs", "acme/demo", "-n", "2").out == "two\nthree\n"


def test_following_goes_on_after_a_broken_connection_without_repeating(server) -> None:
    def broken(handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        for line in ("one", "two"):
            handler.wfile.write(f"data: {json.dumps({'data': line})}\n\n".encode())

    server.on("GET", "/spaces/acme/demo/logs/build", [broken, events("one", "two", "three")])
    assert podium_says("space", "logs", "acme/demo", "--build", "-f").out == "one\ntwo\nthree\n"
    assert len(server.asked) == 2


def test_wait_prints_each_change_and_ends_when_it_runs(server) -> None:
    stages = [
        ("BUILDING", "installing"),
        ("BUILDING", "installing"),
        ("APP_STARTING", "the app is starting"),
        ("RUNNING", ""),
    ]
    server.on("GET", "/spaces/acme/demo/runtime", [{"stage": s, "reason": r, "sha": "f" * 40} for s, r in stages])
    server.on("GET", "/spaces/acme/demo", SPACE)
    said = podium_says("space", "wait", "acme/demo")
    shown = [line.split(maxsplit=1)[1] for line in said.err.splitlines()]
    assert said.code == 0
    assert shown == ["BUILDING installing", "APP_STARTING the app is starting", "RUNNING", f"runs: {SPACE['host']}"]


def test_wait_after_a_push_is_not_content_with_the_old_version(server) -> None:
    old, new = {"stage": "RUNNING", "sha": "0" * 40}, {"stage": "RUNNING_BUILDING", "sha": "0" * 40}
    done = {"stage": "RUNNING", "sha": "f" * 40}
    server.on("GET", "/spaces/acme/demo/runtime", [old, new, done])
    server.on("GET", "/spaces/acme/demo", SPACE)
    said = podium_says("space", "wait", "acme/demo")
    assert said.code == 0 and "RUNNING_BUILDING" in said.err


def test_wait_shows_why_and_the_last_lines_when_it_cannot_run(server) -> None:
    server.on(
        "GET",
        "/spaces/acme/demo/runtime",
        {"stage": "BUILD_ERROR", "errorMessage": "requirements.txt:3: no such package"},
    )
    server.on("GET", "/spaces/acme/demo/logs/build", events(*(f"line {n}" for n in range(50))))
    said = podium_says("space", "wait", "acme/demo")
    assert said.code == 1 and "BUILD_ERROR requirements.txt:3: no such package" in said.err
    assert said.out.splitlines() == [f"line {n}" for n in range(50 - watch.LAST_WORDS, 50)]


def test_wait_gives_up_in_time(server) -> None:
    server.on("GET", "/spaces/acme/demo/runtime", {"stage": "BUILDING"})
    assert podium_says("space", "wait", "acme/demo", "--timeout", "0.1").code == 124


def test_wait_survives_a_moment_without_the_server(server) -> None:
    server.on(
        "GET",
        "/spaces/acme/demo/runtime",
        [{"stage": "BUILDING"}, (503, {}, {}), {"stage": "RUNNING", "sha": "f" * 40}],
    )
    server.on("GET", "/spaces/acme/demo", SPACE)
    assert podium_says("space", "wait", "acme/demo").code == 0


@pytest.mark.parametrize("stage", Stage)
def test_every_stage_has_a_verdict(stage) -> None:
    waiting = {Stage.BUILDING, Stage.RUNNING_BUILDING, Stage.APP_STARTING, Stage.RUNNING_APP_STARTING}
    wanted = 0 if stage is Stage.RUNNING else None if stage in waiting else 1
    assert watch.verdict(stage, watch.SETTLE) == wanted
    assert watch.verdict(stage, 0.0, newest=False) is None


@pytest.mark.parametrize(
    ("value", "text"), [(0.04, "0.0s"), (59.94, "59.9s"), (60, "1m00s"), (3599, "59m59s"), (7260, "2h01m")]
)
def test_durations(value, text) -> None:
    assert output.seconds(value) == text


def test_nothing_untrusted_steers_a_terminal() -> None:
    hostile = "a\x1b]0;title\x07b\x9b2Jc\x1b[31mred\x1b[0m\rd\x00"
    assert output.clean(hostile) == "a]0;titleb2Jcredd"
    assert output.clean(hostile, colours=True) == "a]0;titleb2Jc\x1b[31mred\x1b[0md"
