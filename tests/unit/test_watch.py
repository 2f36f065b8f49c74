"""The mirror of a cluster's objects against an API server that does everything wrong: the copy is right in the end, nothing is
asked in a tight loop, and what cannot be known is said to be old."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support import eventually

pytest.importorskip("kubernetes")

from orchestrator.errors import Unavailable
from orchestrator.runtimes.kubernetes_api import Cluster
from orchestrator.runtimes.watch import Mirror


def pod(name: str, version: int, uid: str = "") -> dict:
    return {"metadata": {"name": name, "uid": uid or f"uid-{name}", "resourceVersion": str(version)}}


def event(kind: str, found: dict) -> str:
    return json.dumps({"type": kind, "object": found})


class Server:
    """Answers lists with `pods`, and each watch with the next of `watches`: a function that gets `say(line)`."""

    def __init__(self) -> None:
        self.pods: dict[str, dict] = {}
        self.version = 100
        self.watches: list[Callable] = []
        self.lists: list[float] = []
        self.asked: list[tuple[float, str]] = []  #: (when, from which version) of each watch
        self.broken: list[int] = []  #: statuses to answer the next lists with
        self.closed = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                if self.path.startswith("/apis/metrics.k8s.io/"):
                    return server.answer(self, 404, "404 page not found", "text/plain")
                server.watch(self, query) if "watch" in query else server.list(self, query)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def list(self, handler, query: dict) -> None:
        self.lists.append(time.monotonic())
        status = self.broken.pop(0) if self.broken else 200
        names = sorted(self.pods)
        begin = int(query.get("continue", ["0"])[0])
        page = names[begin : begin + 2]  # small pages
        about = {"resourceVersion": str(self.version)}
        if begin + 2 < len(names):
            about["continue"] = str(begin + 2)
        body = {"kind": "PodList", "metadata": about, "items": [self.pods[name] for name in page]}
        self.answer(handler, status, body if status == 200 else {"kind": "Status", "code": status, "message": "no"})

    def answer(self, handler, status: int, body: object, kind: str = "application/json") -> None:
        text = json.dumps(body).encode() if kind == "application/json" else str(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    def watch(self, handler, query: dict) -> None:
        self.asked.append((time.monotonic(), query["resourceVersion"][0]))
        script = self.watches.pop(0) if self.watches else quiet
        if isinstance(script, int):
            return self.answer(handler, script, {"kind": "Status", "code": script, "message": "no"})
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()

        def say(text: str | bytes) -> None:
            raw = text if isinstance(text, bytes) else text.encode() + b"\n"
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(raw), raw))
            handler.wfile.flush()

        try:
            end = script(say, self)
            if end != "reset":
                handler.wfile.write(b"0\r\n\r\n")
            handler.close_connection = True
        except OSError:
            pass
        return None


def quiet(say, server) -> None:
    server.closed.wait(30)


@pytest.fixture
def server():
    made = Server()
    yield made
    made.closed.set()
    made.http.shutdown()
    made.http.server_close()


@pytest.fixture
def mirror(server, tmp_path):
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "c", "users": [{"name": "u", "user": {"token": "t"}}],
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.http.server_port}"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }  # fmt: skip
    (tmp_path / "config").write_text(json.dumps(config))
    cluster = Cluster("apps", str(tmp_path / "config"))
    told: list[int] = []
    made = Mirror(cluster, "pods", {}, lambda: told.append(1), length=2.0)
    made.told, made.cluster = told, cluster
    yield made
    made.close()
    cluster.close()


def names(mirror: Mirror) -> dict[str, str]:
    return {name: one["metadata"]["resourceVersion"] for name, one in mirror.items.items()}


def test_a_list_in_pages_then_changes(server, mirror):
    server.pods = {name: pod(name, 1) for name in ("a", "b", "c", "d", "e")}
    server.watches = [
        lambda say, _: [
            say(event("ADDED", pod("f", 101))), say(event("MODIFIED", pod("a", 102))), say(event("DELETED", pod("b", 103))),
            quiet(say, server),
        ]
    ]  # fmt: skip
    assert mirror.age == float("inf")
    mirror.start()
    assert mirror.wait(5)
    eventually(lambda: names(mirror) == {"a": "102", "c": "1", "d": "1", "e": "1", "f": "101"})
    assert server.asked[0][1] == "100" and mirror.age < 5 and mirror.told


def test_a_group_that_the_api_server_does_not_have_keeps_nobody_from_asking_on(server, mirror):
    server.pods = {"a": pod("a", 1)}
    with pytest.raises(Unavailable, match="404"):
        mirror.cluster.metrics("x")
    assert [one["metadata"]["name"] for one in mirror.cluster.page("pods", {})["items"]] == ["a"]


def test_a_watch_goes_on_where_it_ended_and_bookmarks_count(server, mirror):
    server.watches = [
        lambda say, _: [say(event("ADDED", pod("a", 101))), say(event("BOOKMARK", {"metadata": {"resourceVersion": "150"}}))],
    ]  # fmt: skip
    mirror.start()
    eventually(lambda: len(server.asked) >= 2)
    assert server.asked[1][1] == "150" and len(server.lists) == 1
    assert server.asked[1][0] - server.asked[0][0] >= 0.9, "a server that ends a watch at once is not asked at once"


@pytest.mark.parametrize("how", ["in the stream", "as a status"])
def test_410_lists_again(server, mirror, how):
    gone = event("ERROR", {"kind": "Status", "code": 410, "message": "too old"})

    def forget(say, server) -> None:
        say(event("ADDED", pod("a", 101)))
        server.pods, server.version = {"b": pod("b", 200)}, 201  # a's end was never told
        say(gone)

    server.watches = [forget if how == "in the stream" else 410]
    if how == "as a status":
        server.pods, server.version = {"b": pod("b", 200)}, 201
    mirror.start()
    eventually(lambda: names(mirror) == {"b": "200"} and len(server.lists) == 2)
    eventually(lambda: server.asked[-1][1] == "201")


def test_endless_410_is_no_tight_loop(server, mirror):
    server.watches = [410] * 1000
    mirror.start()
    eventually(lambda: len(server.lists) >= 4)
    end = time.monotonic() + 1.5
    eventually(lambda: time.monotonic() > end, 5)
    assert len(server.lists) < 12


@pytest.mark.parametrize("status", [500, 429, 401, 503])
def test_a_server_that_fails_is_asked_ever_less_and_the_copy_stays(server, mirror, status):
    server.pods = {"a": pod("a", 1)}
    server.watches = [status] * 1000
    mirror.start()
    assert mirror.wait(5)
    end = time.monotonic() + 2
    eventually(lambda: time.monotonic() > end, 5)
    assert len(server.asked) < 10
    assert names(mirror) == {"a": "1"}
    assert mirror.age > 1, "what was heard last gets old"


def test_what_is_forbidden_is_hardly_asked_again(server, mirror):
    server.broken = [403] * 1000
    mirror.start()
    eventually(lambda: len(server.lists) == 1)
    end = time.monotonic() + 1.5
    eventually(lambda: time.monotonic() > end, 5)
    assert len(server.lists) == 1 and not mirror.wait(0)


@pytest.mark.parametrize(
    "nonsense",
    ["{", "[]", "null", '{"type": "ADDED"}', '{"type": "ADDED", "object": {"metadata": {}}}', "\x00\xff", "<html>",
     '{"type": "ADDED", "object": {"metadata": {"name": 3, "uid": "u", "resourceVersion": "1"}}}', "[" * 100_000],
)  # fmt: skip
def test_nonsense_makes_it_list_again(server, mirror, nonsense):
    def talk(say, server) -> None:
        server.pods = {"b": pod("b", 200)}
        say(nonsense)
        quiet(say, server)

    server.pods = {"a": pod("a", 1)}
    server.watches = [talk]
    mirror.start()
    eventually(lambda: names(mirror) == {"b": "200"})


def test_blank_lines_and_halves_of_lines_are_fine(server, mirror):
    def dribble(say, server) -> None:
        say("")
        whole = event("ADDED", pod("a", 101)).encode()
        for at in range(0, len(whole), 7):
            say(whole[at : at + 7])
        say(b"\n\n")
        quiet(say, server)

    server.watches = [dribble]
    mirror.start()
    eventually(lambda: names(mirror) == {"a": "101"})
    assert len(server.asked) == 1


def test_a_reset_in_the_middle_of_a_line_loses_nothing(server, mirror):
    def half(say, server) -> str:
        say(event("ADDED", pod("a", 101)).encode() + b"\n" + event("ADDED", pod("b", 102)).encode()[:20])
        return "reset"

    def rest(say, server) -> None:
        say(event("ADDED", pod("b", 102)))
        quiet(say, server)

    server.watches = [half, rest]
    mirror.start()
    eventually(lambda: names(mirror) == {"a": "101", "b": "102"})
    assert server.asked[1][1] == "101" or len(server.lists) == 2


def test_repeated_and_reordered_news_do_not_bring_back_what_is_gone(server, mirror):
    def muddle(say, server) -> None:
        say(event("ADDED", pod("a", 105)))
        say(event("MODIFIED", pod("a", 103)))  # older than what is known
        say(event("ADDED", pod("b", 106)))
        say(event("DELETED", pod("b", 107)))
        say(event("MODIFIED", pod("b", 106)))
        say(event("ADDED", pod("c", 108, "first")))
        say(event("ADDED", pod("c", 110, "second")))  # made again under its name
        say(event("DELETED", pod("c", 109, "first")))
        quiet(say, server)

    server.watches = [muddle]
    mirror.start()
    eventually(lambda: names(mirror) == {"a": "105", "c": "110"})
    mirror.put(pod("b", 106))
    mirror.put(pod("a", 104))
    assert names(mirror) == {"a": "105", "c": "110"}
    mirror.put(pod("a", 120))
    assert names(mirror)["a"] == "120"


def test_a_server_that_hangs_is_left_after_a_while(server, mirror, monkeypatch):
    """It answers the head and then never says or ends anything: the read gives up, and another watch is made."""
    monkeypatch.setattr("orchestrator.runtimes.kubernetes_api.SLACK", 1.0)
    server.watches = [quiet]
    mirror.start()
    eventually(lambda: len(server.asked) >= 2, 15)
    assert len(server.lists) == 1


def test_a_server_that_does_not_answer_at_all(server, mirror, monkeypatch):
    monkeypatch.setattr("orchestrator.runtimes.kubernetes_api.ANSWER", 0.5)
    server.list = lambda *_: server.closed.wait(30)
    began = time.monotonic()
    with pytest.raises(Unavailable):
        mirror.cluster.page("pods", {})
    with pytest.raises(Unavailable):  # and the next one is not even tried
        mirror.cluster.page("pods", {})
    assert time.monotonic() - began < 5


def test_an_answer_that_drips_is_cut_off(server, mirror, monkeypatch):
    monkeypatch.setattr("orchestrator.runtimes.kubernetes_api.ANSWER", 0.5)

    def drip(handler, query) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        try:
            while not server.closed.wait(0.1):
                handler.wfile.write(b" ")
        except OSError:
            pass

    server.list = drip
    began = time.monotonic()
    with pytest.raises(Unavailable):
        mirror.cluster.page("pods", {})
    assert time.monotonic() - began < 5
