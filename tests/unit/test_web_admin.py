"""What admins see and do, over real services, and that each change leaves one row in the audit log."""

import csv
import io
import json
import re

import pytest

from orchestrator.api.app import create_app
from orchestrator.domain.decide import RouteState
from orchestrator.domain.keys import build_key
from orchestrator.domain.records import Build, Usage
from orchestrator.domain.seen import BuildState, Fault
from orchestrator.domain.space import MAIN, Role
from orchestrator.domain.stage import Stage
from orchestrator.ports import Change
from orchestrator.services.spaces import NewSpace
from tests.console import Console
from tests.unit.test_web_pages import EVIL, Browser, show
from web.routes import create_renderer, create_router

PAGES = ("/admin", "/admin/spaces", "/admin/builds", "/admin/people", "/admin/usage", "/admin/audit")


@pytest.fixture(scope="module")
def console(tmp_path_factory):
    made = Console(tmp_path_factory.mktemp("admin"))
    root = made.parts.accounts.add_user("root", admin=True)
    made.roots = made.parts.accounts.add_token(root, "write", "root")
    made.app = create_app(made.parts, (create_router(made.parts),), create_renderer(made.parts))
    with made.listening():
        yield made


def signed_in(console, name: str, token: str) -> Browser:
    browser = Browser(console)
    assert browser.sign_in(name, token).status_code == 303
    return browser


@pytest.fixture(scope="module")
def root(console):
    return signed_in(console, "root", console.roots)


@pytest.fixture(scope="module")
def ada(console):
    return signed_in(console, "ada", console.token)


@pytest.fixture
def space(console):
    caller = console.parts.accounts.caller(f"Bearer {console.token}")
    made = console.parts.spaces.create(caller, NewSpace("demo", None, "gradio"))
    console.parts.pushes.commit(caller, made, [Change("app.py", b"print(1)\n")], "First", None, MAIN)
    console.parts.pushes.landed(made.id)
    yield console.parts.spaces.get(made.id)
    console.parts.spaces.delete(caller, made)
    with console.store.write() as tx:
        tx.spaces.forget(made.id)


def rows(console, **wanted):
    with console.store.read() as tx:
        return [row for _, row in tx.audit.search(**wanted)]


def test_only_admins_see_the_pages(console, ada, root):
    for page in (*PAGES, "/admin/audit.csv", "/admin/usage.csv"):
        assert Browser(console).get(page).status_code in (303, 401), page
        assert ada.get(page).status_code == 403, page
        assert root.get(page).status_code == 200, page


def test_pages_are_small_and_run_nobodys_script(console, root, space):
    show(console, space, Stage.RUNTIME_ERROR, RouteState.CLOSED, reason=EVIL)
    for page in (*PAGES, "/settings", "/docs", "/docs/front-matter", "/docs/api", "/docs/self-hosting"):
        answer = root.get(page)
        assert answer.status_code == 200 and len(answer.content) < 100_000, (page, len(answer.content))
        assert EVIL not in answer.text and " style=" not in answer.text and " onclick" not in answer.text, page


def test_the_overview_tells_what_waits_for_an_admin(console, root, space):
    assert "Every Space that should be up is up" in root.get("/admin").text
    show(console, space, Stage.RUNTIME_ERROR, RouteState.CLOSED, reason="exited with code 3")
    page = root.get("/admin").text
    assert "ada/demo" in page and "exited with code 3" in page and "Control plane" in page


def test_an_admin_takes_a_space_down_and_puts_it_back(console, root, ada, space):
    gone = root.post("/admin/spaces/take-down", "/admin/spaces", space="ada/demo", reason=" mines  coins ")
    assert gone.headers["location"].startswith("/admin/spaces?done=takendown")
    wish = console.parts.spaces.get(space.id).wish
    assert wish.taken_down == "mines coins" and wish.paused_because == "taken down by an admin: mines coins"
    settings = "/spaces/ada/demo/settings"
    refused = ada.post(f"{settings}/restart", settings)
    assert refused.status_code == 422 and "mines coins" in refused.text
    root.post("/admin/spaces/put-back", "/admin/spaces", space="ada/demo")
    assert console.parts.spaces.get(space.id).wish.paused_because == ""
    assert ada.post(f"{settings}/restart", settings).status_code == 303
    done = [row.action for row in rows(console, target="ada/demo", action="space.", since=space.created_at)]
    assert done == ["space.restart", "space.put_back", "space.take_down", "space.create"]


def test_a_space_is_not_taken_down_without_a_reason(console, root, space):
    answer = root.post("/admin/spaces/take-down", "/admin/spaces", space="ada/demo", reason="  ")
    assert answer.status_code == 422 and "a reason has 1 to 500 characters" in answer.text
    assert console.parts.spaces.get(space.id).wish.taken_down == ""


def test_owners_do_not_take_down(console, ada, space):
    answer = ada.post("/admin/spaces/take-down", "/settings", space="ada/demo", reason="x")
    assert answer.status_code == 403 and console.parts.spaces.get(space.id).wish.taken_down == ""


def test_spaces_are_found_by_stage_and_name(console, root, space):
    show(console, space, Stage.SLEEPING, RouteState.WAKE)
    assert "ada/demo" in root.get("/admin/spaces?show=sleeping&q=ada/").text
    assert "ada/demo" not in root.get("/admin/spaces?show=running").text
    assert "ada/demo" not in root.get("/admin/spaces?q=nobody").text
    assert root.get("/admin/spaces?after=nan~x&show=nonsense").status_code == 200


def test_builds_of_all_spaces(console, root, space):
    key = build_key(space.id, space.wish.revision, 0)
    with console.store.write() as tx:
        tx.builds.add(Build(key, space.id, 0, space.wish.revision, 0, BuildState.QUEUED, 1.0, 1.0, "ada", EVIL))
    page = root.get("/admin/builds").text
    assert "ada/demo" in page and "Queued" in page and EVIL not in page
    assert "nobody takes what waits" in root.get("/admin").text
    with console.store.write() as tx:
        fault = Fault("REQ", "no such package", "requirements.txt:3")
        tx.builds.update(key, state="failed", fault=fault, started_at=2.0, finished_at=9.0)
    page = root.get("/admin/builds").text
    assert "requirements.txt:3: no such package" in page and "7.0 s" in page


def test_the_audit_log_tells_who_what_and_from_where(console, root, space):
    with console.client() as client:
        headers = {"x-forwarded-for": "203.0.113.9"}
        body = {"key": "API_KEY", "value": "xyz-hidden"}
        assert client.post("/api/spaces/ada/demo/secrets", json=body, headers=headers).status_code == 200
    page = root.get("/admin/audit?action=secret.&target=ada/").text
    assert "203.0.113.9" in page and "API_KEY" in page and "xyz-hidden" not in page
    assert "Nothing fits" in root.get("/admin/audit?actor=nobody").text
    assert "Nothing fits" in root.get("/admin/audit?before=2001-01-01").text
    assert root.get("/admin/audit?since=31-31-31&below=x").status_code in (200, 400, 422)


def test_the_audit_log_as_files(console, root, space):
    console.parts.oversight.set_banner(console.parts.accounts.caller(f"Bearer {console.roots}"), "=HYPERLINK(1)")
    table = list(csv.DictReader(io.StringIO(root.get("/admin/audit.csv").text)))
    with console.store.read() as tx:
        assert len(table) == len(tx.audit.search(limit=1000))
    assert table[0]["action"] == "notice.put" and not any(
        cell.startswith("=") for row in table for cell in row.values()
    )
    lines = [json.loads(line) for line in root.get("/admin/audit.jsonl?target=ada/").text.splitlines()]
    assert {line["target"] for line in lines} == {"ada/demo"} and lines[0]["time"].endswith("Z")


def test_a_long_audit_log_comes_page_by_page(console, root):
    caller = console.parts.accounts.caller(f"Bearer {console.roots}")
    for number in range(120):
        console.parts.oversight.set_banner(caller, f"notice {number}")
    first = root.get("/admin/audit?action=notice.").text
    below = re.search(r"below=(\d+)", first)[1]
    second = root.get(f"/admin/audit?action=notice.&below={below}").text
    seen = re.findall(r"notice (\d+)", first + second)
    assert sorted({int(n) for n in seen}) == list(range(120))


def test_the_notice_is_on_every_page_until_it_is_taken_away(console, root):
    root.post("/admin/notice", "/admin", text=f"Down at nine {EVIL}", tone="busy")
    page = Browser(console).get("/login").text
    assert "Down at nine" in page and EVIL not in page
    root.post("/admin/notice", "/admin", away="1", text="Down at nine")
    assert "Down at nine" not in Browser(console).get("/login").text
    assert root.post("/admin/notice", "/admin", text="x" * 501).status_code == 422


def test_usage_by_owner_and_as_csv(console, root, space):
    with console.store.write() as tx:
        tx.usage.extend(
            Usage("i", 1.0, space.id, "ada/demo", space.owner_id, "ada", "cpu-basic", 2.0, 1.0, 7201.0, False)
        )
    month = "1970-01"
    assert "Nothing was used" in root.get("/admin/usage").text
    assert root.get(f"/admin/usage?month={month}").status_code == 200
    assert root.get("/admin/usage.csv").text.startswith("owner,space,hardware,seconds,hours,cost_")


def test_an_admin_lets_somebody_in(console, root):
    page = root.post("/admin/people/user", "/admin/people", name="carol", fullname="Carol C", admin="").text
    code = re.search(r"/login\?code=([\w-]+)", page)[1]
    carol = Browser(console)
    assert carol.post("/login", f"/login?code={code}", code=code).status_code == 303
    assert "Carol C" in carol.get("/settings").text
    assert [row.actor for row in rows(console, target="carol")] == ["root", "root"]
    assert root.post("/admin/people/user", "/admin/people", name="carol").status_code == 422


def test_there_is_always_an_admin(console, root):
    last = root.post("/admin/people/admin", "/admin/people", name="root", admin="")
    assert last.status_code == 422 and "last admin" in last.text
    root.post("/admin/people/admin", "/admin/people", name="bob", admin="1")
    assert root.post("/admin/people/admin", "/admin/people", name="root", admin="").status_code == 303
    assert root.get("/admin").status_code == 403
    signed_in(console, "bob", console.bobs).post("/admin/people/admin", "/admin/people", name="root", admin="1")
    root.post("/admin/people/admin", "/admin/people", name="bob", admin="")


def test_members_of_an_organisation(console, ada, root):
    here = "/settings/organisations/acme"
    assert "may write" in ada.get(here).text
    assert ada.post(f"{here}/member", here, user="bob", role="write").status_code == 403
    assert root.post(f"{here}/member", here, user="bob", role="admin").status_code == 303
    bob = signed_in(console, "bob", console.bobs)
    assert bob.post(f"{here}/member", here, user="bob", role="read").status_code == 422  # the last who runs it
    assert bob.post(f"{here}/member", here, user="ada", role="admin").status_code == 303
    assert bob.post(f"{here}/member", here, user="bob", role="none").headers["location"] == "/settings?done=member"
    assert bob.get(here).status_code == 404
    assert console.parts.accounts.members(console.acme) == [(console.ada, Role.ADMIN)]
    assert bob.post(f"{here}/member", "/settings", user="bob", role="admin").status_code == 404


def test_an_organisation_that_keeps_its_new_repos_private(console, root):
    console.parts.accounts.set_member("acme", "root", Role.ADMIN)
    here, new = "/settings/organisations/acme", "/new/model"
    ticked = lambda page: re.findall(r'value="(\w+)" required checked', root.get(page).text)  # noqa: E731
    assert ticked(new) == ["public"]
    assert root.post(f"{here}/profile", here, fullname="Acme", private="1").status_code == 303
    assert 'name="private" value="1" checked' in root.get(here).text
    assert console.parts.accounts.owner("acme").private_by_default
    assert [ticked(page) for page in (new, f"{new}?owner=acme", "/new", "/new?owner=acme", f"{new}?owner=root")] == [
        [], ["private"], [], ["private"], ["public"]
    ]  # fmt: skip
    assert root.post(new, new, owner="acme", name="kept").status_code == 303
    with console.client(None) as stranger:
        assert stranger.get("/api/models/acme/kept").status_code == 401
    assert root.post(f"{here}/profile", here, fullname="Acme").status_code == 303
    assert not console.parts.accounts.owner("acme").private_by_default
    console.parts.accounts.set_member("acme", "root", Role.NONE)


def test_profile_password_and_browsers(console, ada):
    assert ada.post("/settings/profile", "/settings", fullname=EVIL, email="ada@example.org").status_code == 303
    assert EVIL not in ada.get("/settings").text
    assert ada.post("/settings/profile", "/settings", email="nonsense").status_code == 422
    other = signed_in(console, "ada", console.token)  # the newest of ada's
    page = ada.get("/settings").text
    which = re.search(r'name="id" value="([0-9a-f]{16})"', page)[1]
    assert ada.post("/settings/browsers", "/settings", id=which).status_code == 303
    assert other.get("/settings").status_code == 303  # to the sign-in page
    third = signed_in(console, "ada", console.token)
    assert ada.post("/settings/browsers/end", "/settings").status_code == 303
    assert (third.get("/settings").status_code, ada.get("/settings").status_code) == (303, 200)
    assert ada.post("/settings/password", "/settings", old="wrong", new="longenough").status_code == 422
    assert ada.post("/settings/password", "/settings", old=console.token, new="short").status_code == 422
    assert ada.post("/settings/password", "/settings", old=console.token, new="longenough").status_code == 303
    assert ada.get("/settings").status_code == 200
    assert Browser(console).sign_in("ada", "longenough").status_code == 303


def test_forms_of_another_site_change_nothing(console, root, space):
    proof = root.proof("/admin")
    elsewhere = {"sec-fetch-site": "cross-site"}
    for path in ("/admin/notice", "/admin/spaces/take-down", "/admin/people/user", "/settings/profile"):
        answer = root.http.post(
            path,
            headers=elsewhere,
            data={"proof": proof, "text": "x", "space": "ada/demo", "reason": "x", "name": "eve"},
        )
        assert answer.status_code == 403, path
    assert console.parts.spaces.get(space.id).wish.taken_down == ""
