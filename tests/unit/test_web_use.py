"""Explore's filters, the pages of owners, likes, the Use tab, and how a new Space begins."""

import ast
import http.server
import json
import re
import threading
import time
from contextlib import contextmanager

import pytest

from orchestrator.domain.caller import STRANGER
from orchestrator.domain.decide import RouteState
from orchestrator.domain.space import Role, Visibility
from orchestrator.domain.stage import Stage
from orchestrator.errors import Invalid
from orchestrator.services.imports import Imports
from tests.unit.test_web_files import send, text_of, zipped
from tests.unit.test_web_pages import EVIL, ada, bob, console, make, show, stranger  # noqa: F401
from web import app_schema
from web.explore import _Lately
from web.page import Console as Pages
from web.starters import STARTERS

NAMES = re.compile(r'<a href="/spaces/([^"/]+/[^"/]+)"')


def card(title: str, *tags: str) -> dict[str, bytes]:
    text = f"---\ntitle: {title}\nshort_description: about {title}\ntags: {list(tags)}\n---\n"
    return {"README.md": text.encode(), "app.py": b"1"}


# ------------------------------------------------------------------------------------------------------------ explore


def test_spaces_are_found_by_what_they_say(console, stranger, make):  # noqa: F811
    one = make(files=card("Zebra counter", "stripes", "vision")).full_name
    two = make(files=card("Zebra singer", "audio")).full_name
    hidden = make(Visibility.PRIVATE, files=card("Zebra secret", "stripes")).full_name
    found = {q: set(NAMES.findall(stranger.get(f"/?{q}").text)) & {one, two, hidden} for q in (
        "q=zebra", "q=ZEBRA+count", "q=zebra+nothing", "tag=stripes", "tag=strip", "q=stripes", "q=%25", "q=about+sing",
    )}  # fmt: skip
    assert found["q=zebra"] == {one, two}
    assert found["q=ZEBRA+count"] == found["tag=stripes"] == found["q=stripes"] == {one}
    assert found["q=zebra+nothing"] == found["tag=strip"] == found["q=%25"] == set()
    assert found["q=about+sing"] == {two}


def test_what_runs_now_and_what_is_liked(console, ada, stranger, make):  # noqa: F811
    up, down = make(files=card("Quokka one")), make(files=card("Quokka two"))
    show(console, up, Stage.RUNNING_BUILDING, RouteState.OPEN)
    show(console, down, Stage.SLEEPING, RouteState.WAKE)
    assert NAMES.findall(stranger.get("/?q=quokka&running=1").text) == [up.full_name]
    base = f"/spaces/{down.full_name}"
    assert ada.post(f"{base}/like", base, want="1").status_code == 303
    assert console.parts.spaces.get(down.id).likes == 1
    assert 'aria-pressed="true"' in ada.get(base).text
    for sort in ("likes", "trending"):
        assert NAMES.findall(stranger.get(f"/?q=quokka&sort={sort}").text)[0] == down.full_name
    assert ada.post(f"{base}/like", base, want="").status_code == 303
    assert console.parts.spaces.get(down.id).likes == 0
    assert stranger.http.post(f"{base}/like", data={"proof": stranger.proof("/login"), "want": "1"}).status_code == 401
    assert console.parts.spaces.get(down.id).likes == 0


def test_pages_of_every_order_meet_each_space_once(console, ada, stranger, make):  # noqa: F811
    made = {make(files=card("Wombat")).full_name for _ in range(27)}
    for name in list(made)[:5]:
        ada.post(f"/spaces/{name}/like", f"/spaces/{name}", want="1")
    for sort in ("likes", "trending", "created_at", "last_modified"):
        seen, path = [], f"/?q=wombat&sort={sort}"
        while path:
            page = stranger.get(path).text
            seen += NAMES.findall(page)
            more = re.search(r'rel="next" href="([^"]+)"', page)
            path = more[1].replace("&amp;", "&") if more else ""
        assert sorted(seen) == sorted(made), sort


def test_owners_have_a_page_and_nothing_else_has(console, ada, stranger, make):  # noqa: F811
    console.parts.accounts.set_member("acme", "bob", Role.READ)
    private = make(Visibility.PRIVATE)
    page = stranger.get("/acme").text
    assert "organisation" in page and 'href="/bob"' in page
    assert private.name not in stranger.get("/ada").text and private.name in ada.get("/ada").text
    assert stranger.get("/nobody-of-this-name").status_code == 404
    assert stranger.get("/healthz").text == stranger.get("/healthz", headers={"accept": "*/*"}).text
    for path in ("/openapi.json", "/healthz", "/static", "/api", "/metrics"):
        assert "avatar big" not in stranger.get(path).text, path


# ---------------------------------------------------------------------------------------------------------------- use

INFO = {
    "named_endpoints": {
        "/predict": {
            "parameters": [
                {"parameter_name": "text", "label": EVIL, "python_type": {"type": "str"}, "example_input": 'it\'s "x"'},
                {"parameter_name": "x); import os; (", "parameter_has_default": True, "parameter_default": None},
                "nonsense",
            ],
            "returns": [{"label": "Out"}, {"label": 7}],
        },
        '/bad"); evil("': {"parameters": []},
        "/worse": "nonsense",
    }
}


def test_what_an_app_says_becomes_code_that_cannot_be_broken_out_of():
    (one,) = app_schema.of_gradio(INFO)
    assert [i.name for i in one.inputs] == ["text", "param_1"] and one.outputs == ("Out", "value")
    for private in (False, True):
        programs = app_schema.code(one, "http://x.localhost:8000", private)
        calls = [n for n in ast.walk(ast.parse(programs["python"])) if isinstance(n, ast.Call)]
        assert len(calls) == 3, "Client, predict, print"
        assert ("HF_TOKEN" in programs["curl"]) is private
        assert "it'\\''s" in programs["curl"]
    for odd in (
        {},
        {"named_endpoints": []},
        {"named_endpoints": {"/a": {"parameters": 3, "returns": None}}},
        {"paths": 1},
    ):
        app_schema.of_gradio(odd)
        app_schema.of_openapi(odd)
    found = app_schema.of_openapi(
        {"paths": {"/a": {"get": {"summary": "A"}, "x": 1}, "bad": {"get": {}}, "/'": {"get": {}}}}
    )
    assert [(e.method, e.name, e.about) for e in found] == [("GET", "/a", "A")]


@contextmanager
def app(answer: bytes, status: int = 200):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            if status == 302:
                self.send_header("location", "http://127.0.0.1:1/")
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def test_a_schema_is_read_within_limits():
    with app(json.dumps({"a": 1}).encode()) as address:
        assert app_schema.fetch(address, "x", "/y") == {"a": 1}
    for answer, status in ((b"[1]", 200), (b"<html>", 200), (b"{}", 302), (b"{}", 500), (b"0" * 2_000_000, 200)):
        with app(answer, status) as address:
            assert app_schema.fetch(address, "x", "/y") is None
    assert app_schema.fetch("127.0.0.1:1", "x", "/y") is None
    assert app_schema.fetch("unix:/nowhere", "x", "/y") is None


def test_the_use_tab_shows_the_functions_of_a_running_app(console, ada, stranger, make):  # noqa: F811
    space = make()
    base = f"/spaces/{space.full_name}/use"
    assert "not running" in stranger.get(base).text
    with app(json.dumps(INFO).encode()) as address:
        show(console, space, Stage.RUNNING, RouteState.OPEN, address=address, instance=f"i{time.time()}")
        page = stranger.get(base).text
    assert "/predict" in page and "from gradio_client import Client" in page and "<script>alert" not in page
    assert "embed.js" in page and "<svg" in page
    script = stranger.get("/embed.js")
    assert script.headers["content-type"].startswith("text/javascript")
    private = make(Visibility.PRIVATE)
    assert "&lt;iframe" not in ada.get(f"/spaces/{private.full_name}/use").text
    assert stranger.get(f"/spaces/{private.full_name}/use").status_code == 404


# ---------------------------------------------------------------------------------------------------------------- new


@pytest.mark.parametrize("one", STARTERS, ids=lambda one: one.name)
def test_each_template_begins_a_space(console, ada, one):  # noqa: F811
    answer = send(ada, "/new", name=f"from-{one.name}", template=one.name, way="template", visibility="public")
    assert answer.status_code == 303, answer.text
    with console.store.read() as tx:
        space = tx.spaces.find("ada", f"from-{one.name}")
    assert f"sdk: {one.sdk}".encode() in text_of(console, space, "README.md")
    for change in one.files():
        assert console.parts.repos.entry(space.id, console.parts.repos.head(space.id), change.path).type == "file"
    assert space.sdk == one.sdk and space.wish.revision


def test_a_zip_begins_a_space(console, ada):  # noqa: F811
    file = zipped({"x/app.py": b"import gradio\n", "x/requirements.txt": b"gradio\n"})
    assert send(ada, "/new", [("x.zip", file.getvalue())], name="from-zip", way="zip").status_code == 303
    with console.store.read() as tx:
        space = tx.spaces.find("ada", "from-zip")
    assert b"sdk: gradio" in text_of(console, space, "README.md") and text_of(console, space, "app.py")
    broken = send(ada, "/new", [("x.zip", b"no")], name="from-broken", way="zip")
    assert broken.status_code == 422 and "not a zip" in broken.text
    evil = send(
        ada, "/new", [("x.zip", zipped({"a/../../x": b"1", "b": b"2"}).getvalue())], name="from-evil", way="zip"
    )
    assert evil.status_code == 422
    with console.store.read() as tx:
        assert tx.spaces.find("ada", "from-broken") is None and tx.spaces.find("ada", "from-evil") is None


def test_a_copy_has_the_files_and_no_more(console, ada, bob, make):  # noqa: F811
    source = make(files={"app.py": b"original"})
    assert f"/new?copy={source.owner}/{source.name}" in bob.get(f"/spaces/{source.full_name}/use").text
    on = f"/new?copy={source.full_name}"
    answer = bob.post("/new", on, name="my-copy", way="copy", copy=source.full_name, visibility="private")
    assert answer.status_code == 303, answer.text
    with console.store.read() as tx:
        made = tx.spaces.find("bob", "my-copy")
    assert text_of(console, made, "app.py") == b"original" and made.private
    hidden = make(Visibility.PROTECTED)
    assert bob.get(f"/new?copy={hidden.full_name}").status_code == 404
    assert bob.post("/new", "/new", name="stolen", way="copy", copy=hidden.full_name).status_code == 422


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://github.com/a/b",
        "ssh://git@github.com/a/b",
        "file:///etc/passwd",
        "ext::sh -c id",
        "https://user:pass@github.com/a/b",
        "https://github.com/a/b?x=1",
        "https://github.com/a/../b",
        "https://127.0.0.1/a",
        "https://[::1]/a",
        "https://localhost/a/b",
        "https://169.254.169.254/latest",
        "https://metadata.internal/x/y",
        "https://rebind.example/x/y",
        "https://-oProxyCommand=x/a",
        "https://github.com:99999/a/b",
    ],
)
def test_nothing_is_fetched_from_where_it_must_not_be(url):
    known = {"localhost": ["127.0.0.1"], "metadata.internal": ["169.254.169.254"], "github.com": ["140.82.121.4"]}
    known["rebind.example"] = ["140.82.121.4", "10.0.0.7"]
    imports = Imports(None, None, 1, lookup=lambda host, port: known.get(host, [host] if host[0].isdigit() else []))
    with pytest.raises(Invalid):
        imports.check(url)
    assert imports.check("github.com/a/b.git") == (
        "https://github.com:443/a/b.git",
        "github.com:443:140.82.121.4",
    )


def test_what_was_liked_and_then_hidden_is_hidden_at_once(console, ada, bob, make):  # noqa: F811
    liked = [make(files=card("Axolotl")) for _ in range(2)]
    caller = console.parts.accounts.caller(f"Bearer {console.token}")
    for space in liked:
        for somebody in (ada, bob):
            somebody.post(f"/spaces/{space.full_name}/like", f"/spaces/{space.full_name}", want="1")
    lately = _Lately(Pages(console.parts))
    assert {space.id for space in liked} <= {space.id for space in lately.liked(STRANGER)}
    console.parts.spaces.set_visibility(caller, liked[0], Visibility.PRIVATE)
    shown = {space.id for space in lately.liked(STRANGER)}
    assert liked[0].id not in shown and liked[1].id in shown
