"""What people are told, who is told it and who is not; the page and the API of it; invitations to organisations. On a real
database and real repos."""

import re
import time
from dataclasses import replace

import pytest

from orchestrator.api.app import create_app
from orchestrator.domain.hardware import Access, Hardware
from orchestrator.domain.notification import KEPT, KINDS, MOST, TOKEN_SOON, mentioned
from orchestrator.domain.quota import ALL, Quota, Spent, share
from orchestrator.domain.repo import RepoKind
from orchestrator.domain.seen import Fault
from orchestrator.domain.space import MAIN, Role, Visibility
from orchestrator.domain.tree import Change
from orchestrator.errors import Conflict, Forbidden, Invalid, NotFound
from orchestrator.ports import BuildResult
from orchestrator.services.audience import tell_of_error
from orchestrator.services.builds import finish
from orchestrator.services.notifications import PAGE, Notifications
from orchestrator.services.quota_notes import QuotaNotes
from orchestrator.services.spaces import NewSpace
from tests.console import Console
from tests.unit.test_web_pages import EVIL, Browser
from web.routes import create_renderer, create_router

GB = 1024**3
BASIC = Hardware("cpu-basic", "Basic", 2, 4 * GB, 10 * GB)
T4 = Hardware("t4-small", "T4", 2, 4 * GB, 10 * GB, price=0.4, access=Access.REQUEST)


@pytest.fixture(scope="module")
def console(tmp_path_factory):
    made = Console(tmp_path_factory.mktemp("told"), {"cpu-basic": BASIC, "t4-small": T4})
    made.app = create_app(made.parts, (create_router(made.parts),), create_renderer(made.parts))
    accounts = made.parts.accounts
    made.eve, made.root = accounts.add_user("eve"), accounts.add_user("root", admin=True)
    made.eves, made.roots = (accounts.add_token(one, "write", "t") for one in (made.eve, made.root))
    with made.listening():
        yield made


@pytest.fixture(autouse=True)
def nothing_told(console):
    yield
    with console.store.write() as tx:
        for user in (console.ada, console.bob, console.eve, console.root):
            tx.notifications.drop(user.id, None)
            tx.notifications.mute(user.id, ())


@pytest.fixture
def as_(console):
    secrets = {"ada": console.token, "bob": console.bobs, "eve": console.eves, "root": console.roots}
    return lambda name: console.parts.accounts.caller(f"Bearer {secrets[name]}")


@pytest.fixture
def make(console, as_, request):
    count = iter(range(100))

    def made(visibility=Visibility.PUBLIC, organisation=None):
        name = f"s{abs(hash(request.node.nodeid)) % 10**10}-{next(count)}"
        space = console.parts.spaces.create(as_("ada"), NewSpace(name, organisation, "gradio", visibility))
        console.parts.pushes.commit(as_("ada"), space, [Change("app.py", b"print(1)\n")], "First", None, MAIN)
        console.parts.pushes.landed(space.id)
        return console.parts.spaces.get(space.id)

    return made


@pytest.fixture
def browser(console):
    def signed_in(name, token):
        made = Browser(console)
        assert made.sign_in(name, token).status_code == 303
        return made

    return signed_in


def told(console, user, **wanted):
    """(kind, text) of what a user was told, newest first."""
    with console.store.read() as tx:
        return [(one.kind, one.text) for one in tx.notifications.list(user.id, **wanted)]


# ------------------------------------------------------------------------------------------------------- discussions


def test_people_are_told_of_discussions_they_have_to_do_with(console, as_, make):
    space, talk = make(), console.parts.community.discussions
    one = talk.open(as_("bob"), space, "It is slow", "Is it, @eve? Not `@root`, not me@ada.org.\n```\n@root\n```")
    assert told(console, console.ada) == [
        ("discussion", f"bob opened the discussion “It is slow” in {space.full_name}")
    ]
    assert told(console, console.eve) == [("mention", f"bob wrote your name in “It is slow” in {space.full_name}")]
    assert told(console, console.bob) == told(console, console.root) == []
    console.parts.notifications.mark(as_("ada"), None)
    talk.comment(as_("eve"), space, one, "No")
    assert [kind for kind, _ in told(console, console.bob)] == ["discussion"], "whoever took part"
    assert told(console, console.ada, unread=True) == [
        ("discussion", f"eve commented on the discussion “It is slow” in {space.full_name}")
    ], "one line for one discussion, unread again"
    assert len(told(console, console.ada)) == 1
    talk.set_status(as_("ada"), space, one, "closed", "Fixed, @eve")
    assert told(console, console.eve)[0] == ("mention", f"ada wrote your name in “It is slow” in {space.full_name}")
    assert told(console, console.bob)[0][1].startswith("ada closed the discussion")


def test_nobody_is_told_of_what_they_may_not_see(console, as_, make):
    space, talk = make(Visibility.PRIVATE), console.parts.community.discussions
    one = talk.open(as_("ada"), space, "Between us", "@bob @nobody @acme @ada")
    assert told(console, console.bob) == told(console, console.ada) == []
    console.let_in(as_("ada"), space, "bob", Role.READ)
    talk.comment(as_("bob"), space, one, "Hello")
    talk.comment(as_("ada"), space, one, "@bob")
    assert told(console, console.bob)[0][0] == "mention"
    console.parts.collaborators.remove(as_("ada"), space, "bob")
    console.parts.notifications.drop(as_("bob"), None)
    talk.comment(as_("ada"), space, one, "Now without @bob, who took part")
    assert told(console, console.bob) == []


def test_a_pull_request_that_fails_is_not_told_of(console, as_, make):
    space, community = make(), console.parts.community
    with pytest.raises(Invalid):
        community.pull_requests.open_with(as_("bob"), space, [Change("../x", b"x")], "Out")
    assert told(console, console.ada) == []
    made, _ = community.pull_requests.open_with(as_("bob"), space, [Change("x", b"x")], "Add x")
    community.pull_requests.merge(as_("ada"), space, made)
    assert told(console, console.bob)[0][1] == f"ada merged the pull request “Add x” in {space.full_name}"


def test_the_people_of_an_organisation_are_those_who_run_it_and_who_made_it(console, as_, make):
    space, talk = make(organisation="acme"), console.parts.community.discussions
    talk.open(as_("bob"), space, "Hello", "World")
    assert len(told(console, console.ada)) == 1, "where nobody runs it, who may write"
    console.parts.accounts.set_member("acme", "eve", Role.ADMIN)
    console.parts.accounts.set_member("acme", "root", Role.WRITE)
    talk.open(as_("bob"), space, "Hello again", "World")
    assert (len(told(console, console.ada)), len(told(console, console.eve)), told(console, console.root)) == (2, 1, [])
    for name in ("eve", "root"):
        console.parts.accounts.set_member("acme", name, Role.NONE)


@pytest.mark.parametrize(("text", "names"), [
    ("@Ada, @bob. and @eve-", ["ada", "bob", "eve"]), ("a@b.c @@x /@y @-z @", []), ("`@a` ``` @b", ["b"]),
    ("```py\n@spaces.GPU\n```\n@ada", ["ada"]), ("@ada @ADA", ["ada"]), ("(@ada)", ["ada"]),
    (" ".join(f"@u{n}" for n in range(50)), [f"u{n}" for n in range(20)]),
])  # fmt: skip
def test_who_is_spoken_to_by_name(text, names):
    assert mentioned(text) == names


def test_reading_names_takes_bounded_time():
    begin = time.perf_counter()
    for hostile in ("@" * 65_000, "```\n" * 16_000, "`" * 65_000, "@a" * 32_000, "~~~x\n@a\n" * 8_000):
        mentioned(hostile)
    assert time.perf_counter() - begin < 20


# ------------------------------------------------------------------------------------------- Spaces, hardware, gates


def test_a_build_that_fails_is_told_to_who_waits_for_it(console, as_, make):
    space = make(organisation="acme")
    console.parts.accounts.set_member("acme", "eve", Role.ADMIN)
    console.parts.queue.submit(space)
    with console.store.write() as tx:
        build = tx.builds.claim("me", 1.0, 9e9, 9e9)
        assert finish(tx, build, BuildResult(None, Fault("REQ", "there is no torchh", "requirements.txt:3")), 5.0)
    said = [("space", f"Build 1 of {space.full_name} failed: requirements.txt:3: there is no torchh")]
    assert told(console, console.eve) == told(console, console.ada) == said, "who runs it, and who pushed"
    console.parts.spaces.restart(as_("ada"), space, factory=True)
    console.parts.notifications.drop(as_("eve"), None)
    with console.store.write() as tx:
        tx.builds.update(build.key, state="running")
        finish(tx, replace(build, fence=build.fence), BuildResult(None, Fault("REQ", "late")), 6.0)
    assert told(console, console.eve) == [], "nobody waits for it any more"
    console.parts.accounts.set_member("acme", "eve", Role.NONE)


def test_an_app_that_stops_and_one_that_is_taken_down(console, as_, make):
    space = make()
    with console.store.write() as tx:
        tell_of_error(tx, replace(space, reason="app.py:3: no module torch"), 1.0)
    assert told(console, console.ada) == [("space", f"{space.full_name} stopped working: app.py:3: no module torch")]
    console.parts.spaces.take_down(as_("root"), space, "It mines coins.")
    assert told(console, console.ada)[0] == ("space", f"{space.full_name} was taken down: It mines coins.")
    assert told(console, console.root) == []


def test_admins_are_asked_for_hardware_until_one_of_them_decides(console, as_, make):
    space, other, requests = make(), make(), console.parts.allotment.requests
    with console.store.write() as tx:
        tx.hardware.put_quota(Quota(console.ada.id, "t4-small", hours=10))
    requests.choose(as_("ada"), space, "t4-small", "for a talk")
    assert told(console, console.root) == [("hardware", f"ada asks for t4-small for {space.full_name}: for a talk")]
    requests.approve(as_("root"), requests.latest(space).id, reason="enjoy")
    assert told(console, console.root) == []
    assert told(console, console.ada) == [("hardware", f"{space.full_name} was given t4-small: enjoy")]
    requests.choose(as_("ada"), other, "t4-small")
    requests.choose(as_("ada"), other, "cpu-basic")
    assert told(console, console.root) == [], "taken back"
    requests.choose(as_("ada"), other, "t4-small")
    requests.refuse(as_("root"), requests.latest(other).id, "none left")
    assert told(console, console.ada)[0] == ("hardware", f"t4-small was refused for {other.full_name}: none left")


def test_a_quota_that_runs_out_is_told_twice_and_no_more(console, monkeypatch):
    quotas, used, now = console.parts.allotment.quotas, [Spent(seconds=3600 * 7.9)], time.time()
    with console.store.write() as tx:
        tx.hardware.put_quota(Quota(console.ada.id, ALL, hours=10))
    monkeypatch.setattr(quotas, "used", lambda tx, owner: [(Quota(owner, ALL, hours=10), used[0])])
    for fresh in (False, True):  # another control plane, or the same after a restart
        notes = QuotaNotes(console.store, quotas)
        notes.look([console.ada.id], now)
        assert told(console, console.ada) == [] or fresh
        for seconds in (3600 * 8.1, 3600 * 9, 3600 * 10):
            used[0] = Spent(seconds=seconds)
            notes.look([console.ada.id, console.ada.id], now)
    texts = [text for _, text in told(console, console.ada)]
    assert sorted(texts) == [
        "ada has used more than 80 % of its quota of all hardware for this month",
        "ada has used up its quota of all hardware for this month",
    ]


def test_how_much_of_a_quota_is_used():
    assert share(Quota("o", ALL, hours=10, price=5.0), Spent(3600 * 2, 4.0)) == 0.8
    assert share(Quota("o", ALL, count=1), Spent(1e9, 1e9, 5)) == share(Quota("o", ALL, hours=0), Spent(1e9)) == 0


def test_gates_tell_who_decides_and_who_asked(console, as_):
    hosted, gates = console.parts.hosted, console.parts.gates
    model = hosted.create(as_("ada"), RepoKind.MODEL, "gated", None, Visibility.PUBLIC)
    model = hosted.change(as_("ada"), model, gated="manual")
    gates.ask(as_("bob"), model, {})
    assert told(console, console.ada) == [("access", "bob asks to be let into ada/gated")]
    gates.decide(as_("ada"), model, "rejected", "bob", None, "not now")
    assert told(console, console.bob) == [("access", "You were not let into ada/gated: not now")]
    gates.decide(as_("ada"), model, "accepted", "bob", None)
    gates.grant(as_("ada"), model, "eve")
    assert told(console, console.bob) == told(console, console.eve) == [("access", "You were let into ada/gated")]


def test_tokens_that_end_soon_and_tokens_in_a_push(console, as_, make):
    accounts, now = console.parts.accounts, time.time()
    ends = accounts.add_token(console.bob, "read", "robot", expires_at=now + 40 * 86400)
    accounts.add_token(console.bob, "read", "short", expires_at=now + 3 * 86400)
    later = Notifications(console.store, lambda: now + 40 * 86400 - TOKEN_SOON + 5)
    later.collect()
    [(kind, text)] = told(console, console.bob)
    assert kind == "token" and text.startswith("Your access token robot ends on 20")
    console.parts.notifications.mark(as_("bob"), None)
    Notifications(console.store, lambda: now + 40 * 86400 - TOKEN_SOON + 9000).collect()
    assert told(console, console.bob, unread=True) == [], "told once"
    with pytest.raises(Forbidden):
        console.parts.pushes.commit(as_("ada"), make(), [Change("key.py", ends.encode())], "Oops", None, MAIN)
    assert "pushed your access token robot" in told(console, console.bob, unread=True)[0][1]


# ------------------------------------------------------------------------------------------------------ the page, the API


def fill(console, user, count, first=0):
    """Notifications of as many discussions."""
    from orchestrator.domain.notification import Note
    from orchestrator.services.audience import tell

    with console.store.write() as tx:
        for number in range(first, first + count):
            tell(tx, Note("space", f"n{number}", f"Number {number}", "/ada"), [user.id], 1000.0 + number, "bob")


def test_the_page_counts_shows_and_marks(console, browser):
    fill(console, console.ada, PAGE + 5)
    ada = browser("ada", console.token)
    page = ada.get("/notifications")
    assert (
        f'aria-label="Notifications, {PAGE + 5} unread"' in page.text
        and f'<span aria-hidden="true">{PAGE + 5}' in page.text
    )
    assert "Number 34" in page.text and "Number 4<" not in page.text
    older = re.search(r'href="(/notifications\?before=[^"]+)"', page.text)[1]
    assert [int(n) for n in re.findall(r"Number (\d+)</button>", ada.get(older).text)] == [4, 3, 2, 1, 0]
    ident = re.findall(r'/notifications/open".*?name="id" value="(\w+)"', page.text, re.S)[0]
    assert ada.post("/notifications/open", "/notifications", id=ident).headers["location"] == "/ada"
    assert "Number 34" not in ada.get("/notifications?unread=1").text
    until = re.search(r'name="until" value="([^"]+)"', page.text)[1]
    fill(console, console.ada, 1, first=90)
    assert ada.post("/notifications/read", "/notifications", until=until).status_code == 303
    assert [text for _, text in told(console, console.ada, unread=True)] == ["Number 90"], "what came meanwhile stays"
    assert ada.post("/notifications/read", "/notifications", until="never").status_code == 400
    assert ada.post("/notifications/open", "/notifications", id="0" * 24).status_code == 404
    bob = browser("bob", console.bobs)
    assert bob.post("/notifications/open", "/notifications", id=ident).status_code == 404, "somebody else's"
    assert (
        'aria-label="Notifications"' in bob.get("/").text and Browser(console).get("/notifications").status_code == 303
    )


def test_a_hostile_text_is_shown_as_text(console, as_, make, browser):
    space = make()
    console.parts.community.discussions.open(as_("bob"), space, f"x {EVIL}", "y")
    page = browser("ada", console.token).get("/notifications").text
    assert EVIL not in page and "&lt;" in page


def test_people_choose_what_they_are_told(console, as_, make, browser):
    ada, space = browser("ada", console.token), make()
    wanted = {kind: "1" for kind in KINDS if kind != "discussion"}
    assert ada.post("/notifications/choose", "/notifications", **wanted).status_code == 303
    assert console.parts.notifications.chosen(as_("ada")) == set(wanted)
    talk = console.parts.community.discussions
    talk.open(as_("bob"), space, "One", "text")
    assert told(console, console.ada) == []
    talk.open(as_("bob"), space, "Two", "@ada")
    assert [kind for kind, _ in told(console, console.ada)] == ["mention"]
    with console.client() as client:
        assert client.patch("/api/settings/notifications", json={"notifications": {"mention": False}}).json() == {
            "notifications": {kind: kind not in ("discussion", "mention") for kind in KINDS}
        }
        assert client.patch("/api/settings/notifications", json={"notifications": {"x": True}}).status_code == 400
    with console.store.read() as tx:
        assert "user.notify" in [row.action for row in tx.audit.of("ada")]


def test_the_api_has_the_hubs_shape(console, as_, make):
    space = make()
    one = console.parts.community.discussions.open(as_("bob"), space, "Title", "text")
    fill(console, console.ada, 2)
    with console.client() as client:
        told = client.get("/api/notifications").json()
        assert (told["count"], told["start"]) == ({"view": 3, "unread": 3, "all": 3}, 0)
        first = told["notifications"][0]
        assert (first["type"], first["read"], first["repo"]) == (
            "repo",
            False,
            {"name": space.full_name, "type": "space"},
        )
        discussion = {"id": one.id, "num": 1, "title": "Title", "status": "open", "isPullRequest": False}
        assert first["discussion"] == discussion | {"participating": []}
        assert first["url"].endswith(f"/spaces/{space.full_name}/discussions/1")
        assert client.post("/api/notifications/mark-as-read", json={"discussionIds": [one.id]}).json() == {
            "success": True
        }
        assert client.get("/api/notifications?readStatus=unread").json()["count"] == {"view": 2, "unread": 2, "all": 3}
        client.post("/api/notifications/mark-as-read", json={"discussionIds": [one.id], "read": False})
        assert client.get("/api/notifications").json()["count"]["unread"] == 3
        assert client.post("/api/notifications/mark-as-read?applyToAll=true").status_code == 200
        assert client.get("/api/notifications").json()["count"]["unread"] == 0
        assert client.delete("/api/notifications").status_code == 400, "which?"
        client.request("DELETE", "/api/notifications", json={"discussionIds": [first["id"]]})
        assert client.get("/api/notifications").json()["count"]["all"] == 2
        assert client.get("/api/notifications?p=1").json()["notifications"] == []
        client.delete("/api/notifications?applyToAll=true")
        assert client.get("/api/notifications").json()["count"]["all"] == 0
    with console.client(console.read_token) as client:
        assert client.get("/api/notifications").status_code == 200
        assert client.post("/api/notifications/mark-as-read").status_code == 403
    narrow = console.parts.accounts.grants(console.ada, {}, {f"spaces/{space.full_name}": "write"})
    with console.client(console.parts.accounts.add_token(console.ada, "fineGrained", "n", grants=narrow)) as client:
        assert client.get("/api/notifications").status_code == client.get("/api/invitations").status_code == 403


def test_what_is_old_or_too_much_is_forgotten(console):
    with console.store.write() as tx:
        from orchestrator.domain.notification import Note
        from orchestrator.services.audience import tell

        for number in range(MOST + 3):
            tell(tx, Note("space", f"n{number}", "x", "/"), [console.ada.id], 1e9 + number)
        tell(tx, Note("space", "old", "old", "/"), [console.bob.id], 1e9 - KEPT)
        tell(tx, Note("space", "new", "new", "/"), [console.bob.id], 1e9)
    Notifications(console.store, lambda: 1e9 + 1).collect()
    assert told(console, console.bob) == [("space", "new")]
    with console.store.read() as tx:
        assert tx.notifications.count(console.ada.id) == MOST and tx.notifications.unread(console.ada.id) == 100


# ---------------------------------------------------------------------------------------------------------- invitations


@pytest.fixture
def runs_acme(console, as_):
    console.parts.accounts.set_member("acme", "ada", Role.ADMIN)
    yield lambda: as_("ada")
    for name in ("bob", "eve"):
        console.parts.accounts.set_member("acme", name, Role.NONE)
    console.parts.accounts.set_member("acme", "ada", Role.WRITE)


def roles(console):
    return {user.name: role for user, role in console.parts.accounts.members(console.acme)}


def test_nobody_joins_an_organisation_unasked(console, as_, runs_acme, browser):
    people, invitations = console.parts.people, console.parts.invitations
    here, ada, bob = "/settings/organisations/acme", browser("ada", console.token), browser("bob", console.bobs)
    asked = ada.post(f"{here}/member", here, user="bob", role="write")
    assert asked.headers["location"] == f"{here}?done=invited" and "bob" not in roles(console)
    assert "invited" in ada.get(here).text and bob.get(here).status_code == 404
    assert told(console, console.bob) == [("invitation", "ada invites you to acme, where you may write")]
    people.set_member(runs_acme(), console.acme, "bob", Role.READ)  # asked anew, for less
    [offer] = invitations.mine(as_("bob"))
    assert offer.invitation.role is Role.READ and len(invitations.to(console.acme)) == 1
    for name in ("eve", "ada"):
        with pytest.raises(NotFound):
            invitations.answer(as_(name), offer.invitation.id, True)
    page = bob.get("/notifications").text
    assert (
        "you may read if you accept" in page and "may write" not in page.split("Invitations")[1].split("</section>")[0]
    )
    answered = bob.post("/notifications/answer", "/notifications", id=offer.invitation.id, answer="accept")
    assert answered.headers["location"] == "/acme?done=joined" and roles(console)["bob"] is Role.READ
    assert told(console, console.bob) == [] and invitations.to(console.acme) == []
    with pytest.raises(NotFound):
        invitations.answer(as_("bob"), offer.invitation.id, True)
    assert not people.set_member(runs_acme(), console.acme, "bob", Role.WRITE), "a member's role changes at once"
    with console.store.read() as tx:
        assert {"org.invite", "org.member"} <= {row.action for row in tx.audit.of("acme")}


def test_an_invitation_is_declined_taken_back_or_runs_out(console, as_, runs_acme, monkeypatch):
    people, invitations = console.parts.people, console.parts.invitations
    people.set_member(runs_acme(), console.acme, "bob", Role.WRITE)
    [offer] = invitations.mine(as_("bob"))
    assert invitations.answer(as_("bob"), offer.invitation.id, False).name == "acme" and "bob" not in roles(console)
    people.set_member(runs_acme(), console.acme, "bob", Role.WRITE)
    people.set_member(runs_acme(), console.acme, "bob", Role.NONE)
    assert invitations.mine(as_("bob")) == [] and told(console, console.bob) == []
    people.set_member(runs_acme(), console.acme, "bob", Role.WRITE)
    [offer] = invitations.mine(as_("bob"))
    monkeypatch.setattr(invitations, "_clock", lambda: time.time() + 31 * 86400)
    assert invitations.mine(as_("bob")) == invitations.to(console.acme) == []
    with pytest.raises(NotFound):
        invitations.answer(as_("bob"), offer.invitation.id, True)
    assert "bob" not in roles(console)


def test_admins_of_this_podium_make_members_at_once(console, as_, runs_acme, make):
    people, members, space = console.parts.people, console.parts.collaborators, make()
    people.set_member(runs_acme(), console.acme, "bob", Role.READ)
    assert not people.set_member(as_("root"), console.acme, "bob", Role.WRITE) and roles(console)["bob"] is Role.WRITE
    assert console.parts.invitations.mine(as_("bob")) == [], "nobody need answer any more"
    members.put(as_("ada"), space, "eve", Role.WRITE)
    members.put(as_("root"), space, "eve", Role.READ)
    assert [one.role for one, _ in members.of(as_("ada"), space)] == [Role.READ]
    assert members.invited(as_("ada"), space) == []


def test_an_old_invitation_takes_nothing_away_and_leads_nowhere_when_its_repo_is_gone(console, as_, make):
    members, invitations, space, other = console.parts.collaborators, console.parts.invitations, make(), make()
    for one in (space, other):
        members.put(as_("ada"), one, "bob", Role.READ)
    mine = {offer.name: offer.invitation.id for offer in invitations.mine(as_("bob"))}
    with console.store.write() as tx:  # as an older release would
        from orchestrator.domain.records import Collaborator

        tx.collaborators.put(Collaborator(space.id, console.bob.id, Role.WRITE, "ada", 1.0))
    invitations.answer(as_("bob"), mine[space.full_name], True)
    assert [one.role for one, _ in members.of(as_("ada"), space)] == [Role.WRITE]
    console.parts.spaces.delete(as_("ada"), other)
    assert invitations.mine(as_("bob")) == []
    with pytest.raises(NotFound):
        invitations.answer(as_("bob"), mine[other.full_name], True)


def test_invitations_are_bounded_and_are_not_for_tokens_of_one_repo(console, as_, make, monkeypatch):
    members, space = console.parts.collaborators, make()
    monkeypatch.setattr("orchestrator.services.invitations.MOST", 1)
    members.put(as_("ada"), space, "bob", Role.READ)
    with pytest.raises(Conflict, match="open invitations"):
        members.put(as_("ada"), space, "eve", Role.READ)
    [offer] = console.parts.invitations.mine(as_("bob"))
    reader = console.parts.accounts.add_token(console.bob, "read", "r")
    with pytest.raises(Forbidden):
        console.parts.invitations.answer(console.parts.accounts.caller(f"Bearer {reader}"), offer.invitation.id, True)
    with console.client(console.bobs) as client:
        declined = client.post(f"/api/invitations/{offer.invitation.id}/decline")
        assert declined.json()["type"] == "space" and client.get("/api/invitations").json() == []
