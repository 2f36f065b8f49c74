"""The pages over real services, a real database and real repos, on a real socket."""

import json
import re
import time
from dataclasses import replace

import httpx
import pytest

from orchestrator.api.app import create_app
from orchestrator.domain.decide import RouteState
from orchestrator.domain.keys import build_key
from orchestrator.domain.records import Build
from orchestrator.domain.seen import BuildState, Image
from orchestrator.domain.space import MAIN, Role, Visibility
from orchestrator.domain.stage import Stage
from orchestrator.domain.tree import Change
from orchestrator.services.spaces import NewSpace
from tests.console import Console
from web.routes import create_renderer, create_router

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
EVIL = "<script>alert('x')</script>"


class Browser:
    """A client with cookies that fills in forms as a browser does."""

    def __init__(self, console: Console) -> None:
        self.console = console
        headers = HTML | {"sec-fetch-site": "same-origin"}
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{console.port}", headers=headers, timeout=30)

    def get(self, path: str, **more) -> httpx.Response:
        return self.http.get(path, **more)

    def proof(self, page: str) -> str:
        found = re.search(r'name="proof" value="([0-9a-f]{40})"', self.get(page).text)
        assert found, f"no form on {page}"
        return found[1]

    def post(self, path: str, on: str, **fields: str) -> httpx.Response:
        return self.http.post(path, data={"proof": self.proof(on), **fields})

    def sign_in(self, name: str, token: str, next: str = "/") -> httpx.Response:
        return self.post("/login", f"/login?next={next}", name=name, password=token, next=next)


@pytest.fixture(scope="module")
def console(tmp_path_factory):
    made = Console(tmp_path_factory.mktemp("pages"))
    parts = made.parts
    made.app = create_app(parts, extra_routers=(create_router(parts),), page=create_renderer(parts))
    with made.listening():
        yield made


@pytest.fixture
def stranger(console):
    return Browser(console)


@pytest.fixture
def ada(console):
    browser = Browser(console)
    assert browser.sign_in("ada", console.token).status_code == 303
    return browser


@pytest.fixture
def bob(console):
    browser = Browser(console)
    assert browser.sign_in("bob", console.bobs).status_code == 303
    return browser


@pytest.fixture
def make(console, request):
    """Makes Spaces of Ada's, with files."""
    caller = console.parts.accounts.caller(f"Bearer {console.token}")
    count = iter(range(100))

    def made(visibility=Visibility.PUBLIC, files=None, message="First version"):
        digest = abs(hash(request.node.nodeid)) % 10**10
        space = console.parts.spaces.create(caller, NewSpace(f"s{digest}-{next(count)}", None, "gradio", visibility))
        changes = [Change(path, data) for path, data in (files or {"app.py": b"print(1)\n"}).items()]
        console.parts.pushes.commit(caller, space, changes, message, None, MAIN)
        console.parts.pushes.landed(space.id)
        return console.parts.spaces.get(space.id)

    return made


def build_of(console, space, state=BuildState.SUCCEEDED) -> str:
    key = build_key(space.id, space.wish.revision, 0)
    with console.store.write() as tx:
        tx.builds.add(Build(key, space.id, 0, space.wish.revision, 0, state, 1.0, 1.0, "ada", "First version"))
        tx.builds.update(key, image=Image("i", "gradio", ("python",)), started_at=2.0, finished_at=9.0)
    return key


def show(console, space, stage, route, **values):
    now = time.time()
    with console.store.write() as tx:
        claimed = tx.spaces.claim(space.id, "test", now, now + 60)
        changed = replace(claimed[0], stage=stage, route=route, stage_since=now, **values)
        tx.spaces.save(changed, claimed[1], now + 60, None, route_changed=True)
    console.parts.bell.ring("routes")


# ------------------------------------------------------------------------------------------------------------ sign in


def test_a_token_signs_in_and_out(console, ada):
    page = ada.get("/settings/tokens")
    assert page.status_code == 200 and "laptop" in page.text
    assert ada.post("/logout", "/settings/tokens").status_code == 303
    assert ada.get("/settings/tokens").headers["location"] == "/login?next=/settings/tokens"


def test_the_session_cookie_is_closed_to_scripts_and_other_sites(console, stranger):
    answer = stranger.sign_in("ada", console.token)
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith("podium-session="))
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/" in cookie and "Domain" not in cookie


def test_wrong_passwords_are_slowed_down_and_tell_nothing(console, stranger):
    words = set()
    for name in ("ada", "nobody-of-this-name"):
        answer = stranger.sign_in(name, "wrong")
        assert answer.status_code == 401
        words.add(re.search(r'role="alert">([^<]+)', answer.text)[1])
    assert len(words) == 1
    statuses = [stranger.sign_in("eve", "wrong").status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]


def test_a_sign_in_link_is_used_by_a_click_and_once(console, stranger):
    path = f"/login?code={console.parts.accounts.sign_in_link('ada')}"
    code = path.partition("=")[2]
    for _ in range(3):
        assert stranger.get(path).status_code == 200, "a preview of the link does not use it"
    assert stranger.post("/login", path, code=code).status_code == 303
    assert "ada" in stranger.get("/settings/tokens").text
    again = Browser(console).post("/login", "/login", code=code)
    assert again.status_code == 401 and "used already" in again.text


def test_signing_in_leads_back_and_never_away(console, stranger):
    assert stranger.sign_in("ada", console.token, "/new").headers["location"] == "/new"
    for away in ("https://evil.org/", "//evil.org", "/\\evil.org", "/%2fevil.org"):
        other = Browser(console)
        assert other.post("/login", "/login", name="ada", password=console.token, next=away).headers["location"] == "/"


# --------------------------------------------------------------------------------------------------------- forms, headers


@pytest.mark.parametrize(
    "spoil",
    [
        {"data": {"proof": ""}},
        {"data": {"proof": "0" * 40}},
        {"data": {"other": "x"}},
        {"headers": {"sec-fetch-site": "same-site"}},
        {"headers": {"sec-fetch-site": "cross-site"}},
        {"headers": {"origin": "http://ada-evil.localhost:8000"}},
        {"headers": {"origin": "null"}},
    ],
)
def test_forms_of_other_pages_change_nothing(console, ada, make, spoil):
    space = make()
    path = f"/spaces/{space.full_name}/settings"
    data = spoil.get("data", {"proof": ada.proof(path)})
    answer = ada.http.post(f"{path}/pause", data=data, headers=spoil.get("headers", {}))
    assert answer.status_code == 403
    assert not console.parts.spaces.get(space.id).wish.paused


def test_a_proof_is_of_one_session(console, ada, bob, make):
    space = make()
    answer = ada.http.post(f"/spaces/{space.full_name}/settings/pause", data={"proof": bob.proof("/new")})
    assert answer.status_code == 403


def test_forms_are_bounded(ada):
    assert ada.http.post("/new", data={"name": "x" * 300_000}).status_code == 413
    assert ada.http.post("/new", json={"name": "x"}).status_code == 400


def test_every_page_is_strict_small_and_free_of_inline_code(console, ada, make):
    space = make(files={"app.py": b"print(1)\n", "README.md": b"# Hi\n"})
    build_of(console, space)
    base = f"/spaces/{space.full_name}"
    tabs = ["", "/tree/main", "/blob/main/app.py", "/commits/main", "/logs", "/settings"]
    for path in ["/", "/new", "/settings/tokens", "/nothing/here", *(base + tab for tab in tabs)]:
        page = ada.get(path)
        policy = page.headers["content-security-policy"]
        nonce = re.search(r"script-src 'nonce-([\w-]+)';", policy)[1]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "base-uri 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["x-content-type-options"] == "nosniff" and page.headers["cache-control"] == "no-store"
        assert len(page.content) < 100_000
        scripts = re.findall(r"<script[^>]*>", page.text)
        assert scripts and all(f'nonce="{nonce}"' in s and "src=" in s for s in scripts), path
        assert not re.search(r"<[^>]+\s(on\w+|style)=", page.text), path
        assert re.findall(r"<html lang=", page.text) and page.text.count("<h1") >= 1, path


def test_nonces_are_not_repeated(stranger):
    assert len({stranger.get("/login").headers["content-security-policy"] for _ in range(3)}) == 3


def test_static_files_are_named_by_their_content_and_kept(stranger):
    url = re.search(r'href="(/static/[0-9a-f]{12}/podium\.css)"', stranger.get("/").text)[1]
    kept = stranger.get(url)
    assert kept.status_code == 200 and "immutable" in kept.headers["cache-control"]
    stale = stranger.get("/static/000000000000/podium.css")
    assert stale.status_code == 200 and stale.headers["cache-control"] == "no-cache"
    for path in ("/static/x/nothing.css", "/static/x/..%2Fpage.py", "/static/x/%2e%2e/page.py"):
        assert stranger.get(path).status_code == 404


def test_errors_are_pages_for_people_and_json_for_programs(console, stranger):
    page = stranger.get("/spaces/nobody/nothing")
    assert page.status_code == 404 and page.headers["content-type"].startswith("text/html")
    data = stranger.get("/spaces/nobody/nothing", headers={"accept": "*/*"})
    assert data.status_code == 404 and data.json()["code"] == "RepoNotFound"
    assert stranger.get("/api/spaces/nobody/nothing").headers["content-type"].startswith("application/json")


# ---------------------------------------------------------------------------------------------------------- who sees what


def test_a_private_space_is_nowhere_for_others(console, ada, bob, stranger, make):
    space = make(Visibility.PRIVATE)
    base = f"/spaces/{space.full_name}"
    for tab in ("", "/tree/main", "/blob/main/app.py", "/commits/main", "/media/main/a.png", "/live"):
        assert ada.get(base).status_code == 200
        for other in (bob, stranger):
            assert other.get(base + tab).status_code == 404, tab
    for tab in ("/logs", "/settings", "/logs/stream", "/logs/text"):
        assert bob.get(base + tab).status_code == 404
        assert stranger.get(base + tab).status_code == 303
    for other in (bob, stranger):
        assert space.name not in other.get("/").text
        assert other.get(f"/explore/stages?ids={space.id}").json() == {}
    assert space.name in ada.get("/").text


def test_a_protected_space_shows_its_app_and_not_its_code(bob, ada, make):
    base = f"/spaces/{make(Visibility.PROTECTED).full_name}"
    assert bob.get(base).status_code == 200
    assert "/tree/main" not in bob.get(base).text
    assert bob.get(base + "/tree/main").status_code == 404
    assert ada.get(base + "/tree/main").status_code == 200


def test_logs_and_settings_are_for_those_who_may_write(console, bob, make):
    base = f"/spaces/{make().full_name}"
    for tab in ("/logs", "/logs/text", "/settings"):
        assert bob.get(base + tab).status_code == 403
    answer = bob.http.post(f"{base}/settings/pause", data={"proof": bob.proof("/new")})
    assert answer.status_code == 403


def test_the_way_into_a_private_app(console, ada, bob, stranger, make):
    private, public = make(Visibility.PRIVATE), make()
    url = console.parts.app_url(private.label)
    went = ada.get("/open", params={"to": f"{url}/x?a=1#y"})
    assert went.status_code == 303
    assert re.fullmatch(re.escape(f"{url}/x?a=1&__sign=") + r"[\w.-]+#y", went.headers["location"])
    assert bob.get("/open", params={"to": url}).status_code == 404
    assert stranger.get("/open", params={"to": url}).headers["location"].startswith("/login?next=/open%3Fto%3D")
    assert ada.get("/open", params={"to": console.parts.app_url(public.label)}).headers["location"].endswith(":8000")


@pytest.mark.parametrize(
    "to",
    [
        "",
        "https://evil.org/",
        "http://{label}.localhost:8000.evil.org/",
        "http://{label}.localhost:8000@evil.org/",
        "http://{label}.localhost:9000/",
        "https://{label}.localhost:8000/",
        "http://x@{label}.localhost:8000/",
        "http://{label}.evil.org:8000/",
        "//{label}.localhost:8000/",
        "http://{label}.localhost:8000\\@evil.org",
        "javascript:alert(1)//{label}",
        "http://nobody.localhost:8000/",
    ],
)
def test_no_way_to_anywhere_else(ada, make, to):
    assert ada.get("/open", params={"to": to.format(label=make(Visibility.PRIVATE).label)}).status_code == 404


# -------------------------------------------------------------------------------------------------------------- content


def uncoloured(html: str) -> str:
    """Without the marks that colour source text."""
    return re.sub(r'<b class="h[a-z]">|</b>', "", html)


def test_nothing_that_a_user_wrote_is_code(console, ada, make):
    readme = (
        f'---\ntitle: "{EVIL}"\nemoji: \'{EVIL}\'\nshort_description: "{EVIL}"\ncolorFrom: \'"{EVIL}\'\n---\n{EVIL}\n'
    )
    files = {"README.md": readme.encode(), f"{EVIL.replace('/', '')}.py": EVIL.encode(), "p.html": EVIL.encode()}
    space = make(files=files, message=EVIL)
    build_of(console, space)
    show(console, space, Stage.RUNTIME_ERROR, RouteState.CLOSED, reason=f"app.py: {EVIL}")
    base = f"/spaces/{space.full_name}"
    for path in (
        "/",
        base,
        f"{base}/tree/main",
        f"{base}/blob/main/p.html",
        f"{base}/commits/main",
        f"{base}/logs",
        f"{base}/settings",
    ):
        page = ada.get(path)
        assert page.status_code == 200
        assert "alert(" not in re.sub(r"&lt;script&gt;alert\(&#39;x&#39;\)&lt;/?", "", uncoloured(page.text)).replace(
            "&lt;script&gt;alert(", ""
        ), path
        assert "<script>" not in page.text, path


def test_files_of_users_never_run_on_our_origin(ada, make):
    png = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
    files = {"a.png": png, "a.svg": b"<svg/>", "a.html": EVIL.encode(), "b.bin": b"\0\1", "c.txt": b"plain\n"}
    base = f"/spaces/{make(files=files).full_name}"
    image = ada.get(f"{base}/media/main/a.png")
    assert image.content == png and image.headers["content-type"] == "image/png"
    assert "sandbox" in image.headers["content-security-policy"]
    assert image.headers["x-content-type-options"] == "nosniff"
    for name in ("a.svg", "a.html", "c.txt"):
        assert ada.get(f"{base}/media/main/{name}").status_code == 400
    assert "&lt;script&gt;" in uncoloured(ada.get(f"{base}/blob/main/a.html").text)
    assert "This is not text" in ada.get(f"{base}/blob/main/b.bin").text
    for path in (
        "/blob/main/nothing",
        "/blob/main",
        "/tree/nothing",
        "/tree/main/nothing",
        "/blob/main/%2e%2e/%2e%2e/x",
    ):
        assert ada.get(base + path).status_code == 404, path


def test_names_with_every_kind_of_character(ada, make):
    base = f"/spaces/{make(files={'für dich/50% & mehr?#.txt': b'hallo'}).full_name}"
    folder = re.search(r'href="([^"]+/tree/main/f[^"]+)"', ada.get(f"{base}/tree/main").text)[1]
    file = re.search(r'href="([^"]+/blob/main/f[^"]+)"', ada.get(folder).text)[1]
    assert "hallo" in ada.get(file).text


def test_the_list_is_found_by_words_and_page_by_page(console, stranger, make):
    made = {make().name for _ in range(30)}
    seen, path = [], "/?q=" + next(iter(made)).split("-")[0]
    while path:
        page = stranger.get(path).text
        seen += re.findall(r'<a href="/spaces/ada/([^"]+)"', page)
        more = re.search(r'rel="next" href="([^"]+)"', page)
        path = more[1].replace("&amp;", "&") if more else ""
    assert sorted(seen) == sorted(made)
    assert "Nothing found" in stranger.get("/?q=%25nothing%25").text
    for odd in ("/?after=x", "/?after=nan~x", "/?after=1e999~a", "/?sort=x&sdk=x", "/?q=" + "x" * 5000):
        assert stranger.get(odd).status_code == 200, odd


# ------------------------------------------------------------------------------------------------------------- changes


def test_a_new_space_begins_with_a_readme_and_says_how_to_push(console, ada):
    answer = ada.post("/new", "/new", owner="acme", name="from-page", sdk="streamlit", visibility="private")
    assert answer.headers["location"] == "/spaces/acme/from-page?done=created"
    page = ada.get(answer.headers["location"]).text
    assert "git clone http://localhost:8000/spaces/acme/from-page" in page
    with console.store.read() as tx:
        space = tx.spaces.find("acme", "from-page")
    assert space.visibility is Visibility.PRIVATE
    readme = console.parts.repos.read(space.id, console.parts.repos.head(space.id), "README.md", 1000)
    assert b"sdk: streamlit" in readme


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "a b"}, "cannot be used"),
        ({"name": "x", "sdk": "php"}, "unknown sdk"),
        ({"name": "x", "owner": "bob"}, "may not create"),
        ({"name": EVIL}, "cannot be used"),
    ],
)
def test_a_new_space_that_cannot_be_says_why_and_keeps_what_was_typed(ada, fields, said):
    answer = ada.post("/new", "/new", **fields)
    assert answer.status_code == 422
    assert said in answer.text and "<script>alert" not in answer.text


def test_settings_change_the_wish(console, ada, make):
    space = make()
    base = f"/spaces/{space.full_name}/settings"

    def act(action: str, **fields: str):
        answer = ada.post(f"{base}/{action}", base, **fields)
        assert answer.status_code == 303, answer.text
        return console.parts.spaces.get(space.id)

    assert act("pause").wish.paused
    assert not act("restart").wish.paused
    assert act("rebuild").wish.rebuilds == 1
    assert act("sleep", seconds="900").wish.sleep_after == 900
    assert act("sleep", seconds="-1").wish.sleep_after is None
    assert act("visibility", visibility="private").private
    before = act("variable", key="MODEL", value="small").wish.env_version
    assert act("secret", key="KEY", value="a-very-secret-value").wish.env_version == before + 1
    page = ada.get(base).text
    assert "KEY" in page and "small" in page and "a-very-secret-value" not in page
    assert act("unset", key="KEY", kind="secret").wish.env_version == before + 2


@pytest.mark.parametrize(
    ("action", "fields", "said"),
    [
        ("secret", {"key": "1x", "value": "y"}, "cannot name a secret"),
        ("secret", {"key": "PATH", "value": "y"}, "reserved"),
        ("variable", {"key": "A", "value": "x" * 40_000}, "at most 32768"),
        ("sleep", {"seconds": "soon"}, "Choose a sleep time"),
        ("sleep", {"seconds": "nan"}, "sleep time"),
        ("visibility", {"visibility": "x"}, "Choose public"),
        ("delete", {"confirm": "wrong"}, "type ada/"),
    ],
)
def test_a_setting_that_cannot_be_says_why(console, ada, make, action, fields, said):
    space = make()
    base = f"/spaces/{space.full_name}/settings"
    answer = ada.post(f"{base}/{action}", base, **fields)
    assert answer.status_code == 422 and said in answer.text
    assert console.parts.spaces.get(space.id).wish == space.wish


def test_roll_back_and_delete(console, ada, make):
    space = make()
    build_of(console, space)
    caller = console.parts.accounts.caller(f"Bearer {console.token}")
    console.parts.pushes.commit(caller, space, [Change("app.py", b"broken")], "Break it", None, MAIN)
    console.parts.pushes.landed(space.id)
    assert console.parts.spaces.get(space.id).wish.revision != space.wish.revision
    base = f"/spaces/{space.full_name}/settings"
    assert ada.post(f"{base}/rollback", base, build="1").status_code == 303
    assert console.parts.spaces.get(space.id).wish.revision == space.wish.revision
    assert ada.post(f"{base}/delete", base, confirm=space.full_name).headers["location"] == "/?done=deleted"
    assert ada.get(f"/spaces/{space.full_name}").status_code == 404


def test_a_token_is_shown_once(console, ada):
    page = ada.post("/settings/tokens", "/settings/tokens", name="ci", role="read").text
    secret = re.search(r"hf_\w{20,}", page)[0]
    assert console.parts.accounts.caller(f"Bearer {secret}").limit is Role.READ
    listed = ada.get("/settings/tokens").text
    assert secret not in listed and "ci" in listed
    ident = next(t.id for t in console.parts.accounts.tokens(console.ada) if t.name == "ci")
    assert ada.post("/settings/tokens/revoke", "/settings/tokens", id=ident).status_code == 303
    assert all(t.name != "ci" for t in console.parts.accounts.tokens(console.ada))


# --------------------------------------------------------------------------------------------------------------- live


def events(browser: Browser, path: str):
    """(id, name, data) as they come."""
    with browser.http.stream("GET", path) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        found: dict[str, str] = {}
        for line in answer.iter_lines():
            if line:
                name, _, value = line.partition(": ")
                found[name] = value
            elif "event" in found:
                yield found.get("id", ""), found["event"], json.loads(found["data"])
                found = {}


def test_the_space_page_follows_the_stage(console, ada, make):
    space = make(Visibility.PRIVATE)
    build_of(console, space)
    show(console, space, Stage.APP_STARTING, RouteState.WAIT, reason="waiting for a port")
    coming = events(ada, f"/spaces/{space.full_name}/live")
    _, name, first = next(coming)
    assert name == "state" and not first["serving"] and "Waiting for a port" in first["panel"] and first["frame"] == ""
    show(console, space, Stage.RUNNING, RouteState.OPEN, address="127.0.0.1:1", instance="one")
    _, _, then = next(coming)
    assert then["serving"] and "?__sign=" in then["frame"] and then["instance"] == "one"
    console.parts.spaces.delete(console.parts.accounts.caller(f"Bearer {console.token}"), space)
    assert next(coming)[1] == "gone"


def test_looking_at_a_sleeping_space_wakes_it(console, stranger, make):
    space = make()
    show(console, space, Stage.SLEEPING, RouteState.WAKE)
    with console.store.write() as tx:
        tx.spaces.update(space.id, look_at=time.time() + 999, last_activity=1.0)
    stranger.get(f"/spaces/{space.full_name}")
    assert console.parts.spaces.get(space.id).last_activity == 1.0, "a preview of the page does not"
    next(events(stranger, f"/spaces/{space.full_name}/live?wake=1"))
    assert console.parts.spaces.get(space.id).last_activity > time.time() - 60


def test_a_log_goes_on_where_it_was(console, ada, make):
    space = make()
    key = build_of(console, space, BuildState.RUNNING)
    logs = console.parts.logs
    logs.append(f"build/{key}", *[f"line {i}" for i in range(1500)])
    path = f"/spaces/{space.full_name}/logs/stream?kind=build"
    coming = events(ada, path)
    assert next(coming)[1:] == ("stream", {"name": f"build/{key}", "from": 0})
    ident, got = "", []
    while len(got) < 1500:
        ident, name, rows = next(coming)
        got += [text for _, text in rows]
    coming.close()
    logs.append(f"build/{key}", "after the gap")
    again = events(ada, f"{path}&last={ident}")
    assert [text for _, text in next(again)[2]] == ["after the gap"]
    logs.append(f"build/{key}", "the last")
    logs.end(f"build/{key}")
    assert [text for _, text in next(again)[2]] == ["the last"]
    assert next(again)[1] == "end"
    assert got == [f"line {i}" for i in range(1500)]
    tail = events(ada, f"{path}&tail=2")
    assert next(tail)[1] == "stream"
    assert [text for _, text in next(tail)[2]] == ["after the gap", "the last"]


def test_the_log_of_one_build_ends(console, ada, make):
    space = make()
    key = build_of(console, space)
    console.parts.logs.append(f"build/{key}", "only")
    console.parts.logs.end(f"build/{key}")
    path = f"/spaces/{space.full_name}/logs"
    assert [name for _, name, _ in events(ada, f"{path}/stream?build=1")] == ["stream", "lines", "end"]
    text = ada.get(f"{path}/text?build=1")
    assert text.text.endswith("Z only\n") and "attachment" in text.headers["content-disposition"]
    for missing in ("/stream?build=7", "/text?build=7", "?build=7"):
        assert ada.get(path + missing).status_code == 404
    assert ada.get(path + "?build=-1").status_code in (200, 404)


def test_our_own_mistake_is_a_page_with_its_number(console, stranger, make, monkeypatch):
    def broken(*_: object, **__: object):
        raise RuntimeError("the secret inner workings")

    space = make()
    monkeypatch.setattr(console.parts.spaces, "find", broken)
    answer = stranger.get(f"/spaces/{space.full_name}")
    assert answer.status_code == 500 and answer.headers["content-type"].startswith("text/html")
    assert answer.headers["x-request-id"] in answer.text and "inner workings" not in answer.text
