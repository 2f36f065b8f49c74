"""Domains, frames, the freeze and members of single repos: over pages, API and services, on a real database and real repos."""

import re

import pytest

from orchestrator.api.app import create_app
from orchestrator.domain.events import Webhook, of_repo
from orchestrator.domain.own_domain import AGAIN, RECHECK, DomainState
from orchestrator.domain.repo import RepoKind
from orchestrator.domain.space import MAIN, Role, Visibility
from orchestrator.domain.tree import Change
from orchestrator.errors import Conflict, Forbidden, NotFound, Unauthorized
from orchestrator.services.audience import may_know
from orchestrator.services.git_access import GitAccess
from orchestrator.services.routes import route
from orchestrator.services.spaces import NewSpace
from tests.console import Console
from tests.unit.test_web_pages import EVIL, Browser, build_of
from web.routes import create_renderer, create_router


@pytest.fixture(scope="module")
def console(tmp_path_factory):
    made = Console(tmp_path_factory.mktemp("serving"))
    made.app = create_app(made.parts, (create_router(made.parts),), create_renderer(made.parts))
    made.eve = made.parts.accounts.add_user("eve")
    made.eves = made.parts.accounts.add_token(made.eve, "write", "eves")
    with made.listening():
        yield made


@pytest.fixture
def ada(console):
    return console.parts.accounts.caller(f"Bearer {console.token}")


@pytest.fixture
def bob(console):
    return lambda: console.parts.accounts.caller(f"Bearer {console.bobs}")


@pytest.fixture
def clock(console, monkeypatch):
    """The time as domains see it, moved by hand."""

    class Clock:
        now = 1_000_000.0

        def __call__(self) -> float:
            return self.now

    monkeypatch.setattr(console.parts.domains, "_clock", made := Clock())
    console.names.records.clear()
    console.names.silent.clear()
    return made


@pytest.fixture
def make(console, ada, request):
    count = iter(range(100))

    def made(visibility=Visibility.PUBLIC, caller=None):
        name = f"s{abs(hash(request.node.nodeid)) % 10**10}-{next(count)}"
        space = console.parts.spaces.create(caller or ada, NewSpace(name, None, "gradio", visibility))
        return push(console, caller or ada, space, b"print(1)\n")

    return made


@pytest.fixture
def browser(console):
    def signed_in(name, token):
        made = Browser(console)
        assert made.sign_in(name, token).status_code == 303
        return made

    return signed_in


def push(console, caller, space, text):
    console.parts.pushes.commit(caller, space, [Change("app.py", text)], "Change", None, MAIN)
    return console.parts.spaces.get(space.id)


def again(console, space):
    return console.parts.spaces.get(space.id)


def actions(console, space):
    return [row.action for row in console.parts.oversight.of_space(space, 50)]


def proven(console, space, name, caller):
    domain = console.parts.domains.add(caller, space, name)
    texts = console.names.records.get((domain.proof_name, "TXT"), ())
    console.names.records[domain.proof_name, "TXT"] = (*texts, domain.proof_value)
    return console.parts.domains.check(caller, space, name)


# ------------------------------------------------------------------------------------------------------------- domains


def test_a_domain_is_served_from_its_proof_to_its_removal(console, ada, make, clock):
    space, domains = make(), console.parts.domains
    domain = domains.add(ada, space, "Demo.Example.com")
    assert again(console, space).hosts == () and domain.name == "demo.example.com"
    assert domains.check(ada, space, "demo.example.com").state is DomainState.PENDING
    assert console.names.asked[-1] == "_podium.demo.example.com", "the name itself is asked for only once it is proven"
    console.names.records[domain.proof_name, "TXT"] = ("v=spf1", domain.proof_value)
    before = again(console, space).route_seq
    clock.now += AGAIN
    assert domains.check(ada, space, "demo.example.com").state is DomainState.ACTIVE
    served = again(console, space)
    assert served.hosts == ("demo.example.com",) and route(served)["hosts"] == ["demo.example.com"]
    assert served.route_seq > before, "the gateways hear of it"
    domains.remove(ada, space, "demo.example.com")
    assert again(console, space).hosts == () and domains.of(space) == []
    assert {"space.domain.add", "space.domain", "space.domain.remove"} <= set(actions(console, space))


def test_it_is_looked_at_again_and_taken_down_when_the_record_is_gone(console, ada, make, clock):
    space = make()
    domain = proven(console, space, "later.example.com", ada)
    del console.names.records[domain.proof_name, "TXT"]
    console.parts.domains.look()
    assert again(console, space).hosts, "it is not due yet"
    clock.now += RECHECK
    console.names.silent.add(domain.proof_name)
    console.parts.domains.look()
    assert again(console, space).hosts, "a resolver that is away takes nothing down"
    console.names.silent.clear()
    clock.now += RECHECK
    console.parts.domains.look()
    assert again(console, space).hosts == ()
    console.names.records[domain.proof_name, "TXT"] = (domain.proof_value,)
    clock.now += RECHECK
    console.parts.domains.look()
    assert again(console, space).hosts == ("later.example.com",), "and up when it is back"


def test_nobody_has_anothers_domain(console, ada, bob, make, clock):
    mine, theirs = make(), make(caller=bob())
    console.parts.domains.add(bob(), theirs, "squat.example.com")  # unproven, so in nobody's way
    assert proven(console, mine, "squat.example.com", ada).state is DomainState.ACTIVE
    clock.now += AGAIN
    assert console.parts.domains.check(bob(), theirs, "squat.example.com").state is DomainState.PENDING
    token = next(one for one in console.parts.domains.of(theirs)).proof_value
    name = "_podium.squat.example.com", "TXT"
    mines = console.names.records[name][0]
    console.names.records[name] = (mines, token)
    clock.now += AGAIN
    taken = console.parts.domains.check(bob(), theirs, "squat.example.com")
    assert taken.state is DomainState.FAILED and mine.full_name not in taken.reason
    console.names.records[name] = (token,)  # whoever runs the zone changed their mind
    clock.now += 1
    console.parts.domains.look()
    assert again(console, mine).hosts == ()
    clock.now += AGAIN
    assert console.parts.domains.check(bob(), theirs, "squat.example.com").state is DomainState.ACTIVE
    assert again(console, theirs).hosts == ("squat.example.com",)


def test_a_name_that_still_points_here_lets_nobody_in(console, ada, bob, make, clock):
    gone, theirs = make(), make(caller=bob())
    proven(console, gone, "dangling.example.com", ada)
    console.parts.spaces.delete(ada, gone)
    assert console.parts.domains.of(gone) == []
    console.parts.domains.add(bob(), theirs, "dangling.example.com")
    assert console.parts.domains.check(bob(), theirs, "dangling.example.com").state is DomainState.PENDING
    assert again(console, theirs).hosts == ()


def test_what_is_left_of_a_space_that_is_gone_is_cleared_away(console, ada, make, clock):
    """As a release before this one leaves it, which knows no domains."""
    space = make()
    domain = proven(console, space, "left.example.com", ada)
    with console.store.write() as tx:
        tx.spaces.update(space.id, look_at=0.0, deleted=True, name=f"deleted-{space.id}", label=f"deleted-{space.id}")
    clock.now += RECHECK
    console.parts.domains.look()
    with console.store.read() as tx:
        assert tx.domains.of(space.id) == [] and tx.domains.holder(domain.name) is None


def test_a_removed_claim_does_not_come_back_with_its_old_record(console, ada, make, clock):
    space = make()
    proven(console, space, "again.example.com", ada)
    console.parts.domains.remove(ada, space, "again.example.com")
    console.parts.domains.add(ada, space, "again.example.com")
    clock.now += AGAIN
    assert console.parts.domains.check(ada, space, "again.example.com").state is DomainState.PENDING


def test_a_private_space_is_served_at_its_own_address_alone(console, ada, make, clock):
    space = make()
    proven(console, space, "quiet.example.com", ada)
    private = console.parts.spaces.set_visibility(ada, again(console, space), Visibility.PRIVATE)
    assert route(private)["hosts"] == [] and private.hosts
    assert route(console.parts.spaces.set_visibility(ada, private, Visibility.PUBLIC))["hosts"] == ["quiet.example.com"]


def test_a_new_owner_proves_anew(console, ada, make, clock):
    space = make()
    proven(console, space, "moving.example.com", ada)
    console.parts.moves.move(ada, again(console, space), "ada", f"{space.name}-renamed")
    assert again(console, space).hosts == ("moving.example.com",)
    console.parts.moves.move(ada, again(console, space), "acme", space.name)
    assert again(console, space).hosts == () and console.parts.domains.of(space) == []


def test_only_owners_add_check_and_remove(console, ada, bob, make, clock):
    space = make()
    console.let_in(ada, space, "bob", Role.WRITE)
    console.parts.domains.add(ada, space, "ours.example.com")
    for act in ("add", "check", "remove"):
        with pytest.raises(Forbidden):
            getattr(console.parts.domains, act)(bob(), space, "ours.example.com")
    with pytest.raises(NotFound):
        console.parts.domains.check(ada, space, "other.example.com")


def test_the_api_of_domains(console, make, clock):
    space = make()
    at = f"/api/spaces/{space.full_name}/domains"
    with console.client() as client:
        made = client.post(at, json={"domain": "api.example.com"}).json()
        assert made["state"] == "pending" and not made["served"]
        txt, cname = made["records"]
        assert cname == {"type": "CNAME", "name": "api.example.com", "value": f"{space.label}.localhost"}
        console.names.records[txt["name"], "TXT"] = (txt["value"],)
        assert client.post(f"{at}/api.example.com/check").json()["served"]
        assert client.post(f"{at}/api.example.com/check").status_code == 429
        assert [one["domain"] for one in client.get(at).json()] == ["api.example.com"]
        runtime = client.get(f"/api/spaces/{space.full_name}/runtime").json()
        assert {"domain": "api.example.com", "stage": "READY", "isCustom": True} in runtime["domains"]
        assert client.post(at, json={"domain": "api.example.com"}).headers["x-error-code"] == "DOMAIN_KNOWN"
        assert client.post(at, json={"domain": "x.localhost"}).headers["x-error-code"] == "DOMAIN"
        assert client.delete(f"{at}/api.example.com").status_code == 200 and client.get(at).json() == []
    with console.client(console.bobs) as client:
        assert client.get(at).status_code == client.post(at, json={"domain": "b.example.com"}).status_code == 403
    with console.client(None) as client:
        assert client.get(at).status_code == 401


def test_the_page_of_domains(console, ada, make, clock, browser):
    space, mine = make(), browser("ada", console.token)
    page = f"/spaces/{space.full_name}/settings"
    assert mine.post(f"{page}/domain", page, domain="münchen.example.com").headers["location"].endswith("#domains")
    domain = next(iter(console.parts.domains.of(space)))
    shown = mine.get(page).text
    assert domain.proof_name in shown and domain.proof_value in shown and "münchen.example.com" in shown
    console.names.records[domain.proof_name, "TXT"] = (EVIL,)
    assert mine.post(f"{page}/check-domain", page, domain=domain.name).status_code == 303
    assert EVIL not in mine.get(page).text and "waits for DNS" in mine.get(page).text
    assert "just now" in mine.post(f"{page}/check-domain", page, domain=domain.name).text
    console.names.records[domain.proof_name, "TXT"] = (domain.proof_value,)
    clock.now += AGAIN
    mine.post(f"{page}/check-domain", page, domain=domain.name)
    assert (
        "served" in mine.get(page).text
        and f"http://{domain.name}:8000" in mine.get(f"/spaces/{space.full_name}/use").text
    )
    assert mine.post(f"{page}/domain", page, domain=EVIL).status_code == 422
    assert EVIL not in mine.post(f"{page}/domain", page, domain=EVIL).text
    assert mine.post(f"{page}/remove-domain", page, domain=domain.name).status_code == 303
    assert console.parts.domains.of(space) == []


# -------------------------------------------------------------------------------------------------------------- frames


def test_an_owner_says_which_sites_may_frame_it(console, ada, make, browser):
    space, mine = make(), browser("ada", console.token)
    assert space.embed_origins is None and route(space)["ancestors"] is None
    at, page = f"/api/spaces/{space.full_name}/embedding", f"/spaces/{space.full_name}/settings"
    with console.client() as client:
        assert client.get(at).json() == {"origins": None}
        told = client.put(at, json={"origins": ["https://a.example/", "https://*.b.example"]}).json()
        assert told == {"origins": ["https://a.example", "https://*.b.example"]}
        assert client.put(at, json={"origins": ["https://a.example; script-src *"]}).status_code == 400
        assert client.put(at, json={}).status_code == 400
    assert route(again(console, space))["ancestors"] == ["https://a.example", "https://*.b.example"]
    assert "https://*.b.example" in mine.get(f"/spaces/{space.full_name}/use").text
    assert mine.post(f"{page}/embedding", page, who="none").status_code == 303
    assert again(console, space).embed_origins == ()
    assert "no other site" in mine.get(f"/spaces/{space.full_name}/use").text
    refused = mine.post(f"{page}/embedding", page, who="listed", origins=f"https://ok.example {EVIL}")
    assert refused.status_code == 422 and "https://ok.example" in refused.text and EVIL not in refused.text
    assert mine.post(f"{page}/embedding", page, who="listed", origins=" ").status_code == 422
    assert mine.post(f"{page}/embedding", page, who="any", origins="https://kept.example").status_code == 303
    assert again(console, space).embed_origins is None
    assert actions(console, space).count("space.embedding") == 3


def test_only_owners_say_so(console, ada, make):
    space = make()
    console.let_in(ada, space, "bob", Role.WRITE)
    with console.client(console.bobs) as client:
        assert client.put(f"/api/spaces/{space.full_name}/embedding", json={"origins": []}).status_code == 403


# -------------------------------------------------------------------------------------------------------------- freeze


def test_what_is_pushed_while_frozen_waits_for_the_thaw(console, ada, make):
    space, spaces = make(), console.parts.spaces
    ran = space.wish.revision
    spaces.freeze(ada, space)
    waits = push(console, ada, space, b"print(2)\n")
    newest = push(console, ada, space, b"print(3)\n")
    assert waits.wish.revision == newest.wish.revision == ran
    assert newest.sha == newest.wish.held != waits.wish.held
    assert newest.wish.build_key == space.wish.build_key, "nothing new is to be built"
    thawed = spaces.thaw(ada, newest)
    assert (thawed.wish.revision, thawed.wish.held, thawed.wish.frozen) == (newest.sha, None, False)
    assert push(console, ada, space, b"print(4)\n").wish.held is None
    assert {"space.freeze", "space.thaw"} <= set(actions(console, space))


def test_a_thaw_with_nothing_waiting_keeps_what_was_rolled_back_to(console, ada, make):
    space, spaces = make(), console.parts.spaces
    build_of(console, space)
    old = space.wish.revision
    push(console, ada, space, b"print('bad')\n")
    spaces.freeze(ada, again(console, space))
    spaces.rollback(ada, again(console, space), old)
    assert again(console, space).wish.revision == old, "rolling back works while frozen"
    version = again(console, space).wish.env_version
    thawed = spaces.thaw(ada, again(console, space))
    assert (thawed.wish.revision, thawed.wish.env_version) == (old, version)
    spaces.thaw(ada, thawed)
    assert actions(console, space).count("space.thaw") == 1


def test_a_new_card_reaches_a_frozen_space_with_the_thaw(console, ada, make):
    space, spaces = make(), console.parts.spaces
    spaces.freeze(ada, space)
    card = b"---\nsdk: gradio\nhf_oauth: true\n---\n"
    console.parts.pushes.commit(ada, space, [Change("README.md", card)], "Card", None, MAIN)
    assert again(console, space).wish.env_version == space.wish.env_version
    assert spaces.thaw(ada, again(console, space)).wish.env_version == space.wish.env_version + 1


def test_a_freeze_that_comes_between_look_and_write_of_a_push_holds(console, ada, make, monkeypatch):
    """The push read an unfrozen Space; the owner froze it before the push wrote."""
    space, real = make(), console.parts.repos.sync
    once = []

    def freezes(repo_id, *refs):
        if not once:
            once.append(1)
            console.parts.spaces.freeze(ada, space)
        return real(repo_id, *refs)

    monkeypatch.setattr(console.parts.repos, "sync", freezes)
    pushed = push(console, ada, space, b"print(2)\n")
    assert pushed.wish.revision == space.wish.revision and pushed.wish.held == pushed.sha


def test_nothing_is_built_anew_while_frozen(console, ada, bob, make):
    space = make()
    frozen = console.parts.spaces.freeze(ada, space)
    with pytest.raises(Conflict):
        console.parts.spaces.restart(ada, frozen, factory=True)
    assert console.parts.spaces.restart(ada, frozen).wish.restarts == space.wish.restarts + 1
    console.let_in(ada, space, "bob", Role.WRITE)
    for act in (console.parts.spaces.freeze, console.parts.spaces.thaw):
        with pytest.raises(Forbidden):
            act(bob(), space)


def test_the_freeze_is_shown(console, ada, make, browser):
    space, mine = make(), browser("ada", console.token)
    page = f"/spaces/{space.full_name}/settings"
    assert mine.post(f"{page}/freeze", page).headers["location"].endswith("?done=frozen#builds")
    waits = push(console, ada, space, b"print(2)\n")
    for where in (page, f"/spaces/{space.full_name}"):
        assert waits.sha[:7] in mine.get(where).text and "rozen" in mine.get(where).text
    assert "rozen" not in Browser(console).get(f"/spaces/{space.full_name}").text
    with console.client() as client:
        at = f"/api/spaces/{space.full_name}"
        assert client.get(f"{at}/runtime").json()["frozen"] == {"waiting": waits.sha}
        assert "frozen" not in client.post(f"{at}/thaw").json()
        assert client.post(f"{at}/freeze").json()["frozen"] == {"waiting": None}
    assert mine.post(f"{page}/thaw", page).status_code == 303
    assert not again(console, space).wish.frozen


# ------------------------------------------------------------------------------------------------------------- members


@pytest.mark.parametrize("kind", [RepoKind.SPACE, RepoKind.MODEL])
def test_a_member_of_one_private_repo(console, ada, bob, kind):
    """Nothing before, what the role says while they are one, nothing after; and nothing of what lies beside it."""
    hosted, members = console.parts.hosted, console.parts.collaborators
    name = f"shared-{kind}"
    if kind is RepoKind.SPACE:
        repo = console.parts.spaces.create(ada, NewSpace(name, None, "gradio", Visibility.PRIVATE))
    else:
        repo = hosted.create(ada, kind, name, None, Visibility.PRIVATE)
    beside = hosted.create(ada, RepoKind.DATASET, f"beside-{kind}", None, Visibility.PRIVATE)
    git = GitAccess(console.store, console.parts.accounts, console.parts.spaces.create_for_push)

    def sees(caller):
        listed = [one.id for one in hosted.list(caller, kind, limit=1000)]
        try:
            git.fetch(caller, kind, "ada", name)
            return repo.id in listed
        except NotFound:
            assert repo.id not in listed
            return False

    def writes(caller):
        try:
            return bool(git.push(caller, kind, "ada", name))
        except (NotFound, Forbidden):
            return False

    assert (sees(bob()), writes(bob())) == (False, False)
    console.let_in(ada, repo, "Bob", Role.READ)
    assert (sees(bob()), writes(bob())) == (True, False)
    members.put(ada, repo, "bob", Role.WRITE)
    assert (sees(bob()), writes(bob())) == (True, True)
    assert [(user.name, one.role) for one, user in members.of(bob(), repo)] == [("bob", Role.WRITE)]
    reader = console.parts.accounts.add_token(console.bob, "read", f"r{kind}")
    assert not writes(console.parts.accounts.caller(f"Bearer {reader}")), "a read token reads"
    for owned in (lambda: members.put(bob(), repo, "eve", Role.READ), lambda: hosted.delete(bob(), repo)):
        with pytest.raises(Forbidden):
            owned()
    with pytest.raises(NotFound):
        hosted.find(bob(), RepoKind.DATASET, "ada", beside.name)
    members.remove(ada, repo, "bob")
    assert (sees(bob()), writes(bob())) == (False, False)
    assert actions(console, repo).count(f"{kind}.member") == 3 and f"{kind}.invite" in actions(console, repo)


def test_a_removed_member_is_out_of_the_app_at_once(console, ada, bob, make):
    space = make(Visibility.PRIVATE)
    feed = {"authorization": f"Bearer {console.parts.signing.feed_token}"}
    asks = {"token": console.bobs, "space": space.id}

    def allowed():
        with console.client(None) as client:
            return client.post("/internal/authorize", json=asks, headers=feed).json()["allowed"]

    assert not allowed()
    console.let_in(ada, space, "bob", Role.READ)
    assert allowed()
    console.parts.collaborators.remove(ada, space, "bob")
    assert not allowed()
    assert again(console, space).access_epoch == space.access_epoch + 1, "cookies that gateways gave end"


def test_a_token_for_one_repo_reaches_no_other_that_its_user_was_let_into(console, ada, make):
    one, other = make(Visibility.PRIVATE), make(Visibility.PRIVATE)
    for space in (one, other):
        console.let_in(ada, space, "eve", Role.WRITE)
    grants = console.parts.accounts.grants(console.eve, {}, {f"spaces/{one.full_name}": "write"}, ())
    narrow = console.parts.accounts.add_token(console.eve, "fineGrained", "narrow", grants=grants)
    caller = console.parts.accounts.caller(f"Bearer {narrow}")
    assert console.parts.spaces.find(caller, "ada", one.name, Role.WRITE).id == one.id
    with pytest.raises(NotFound):
        console.parts.spaces.find(caller, "ada", other.name)
    assert [space.id for space in console.parts.spaces.list(caller, limit=1000) if space.private] == [one.id]


def test_a_members_webhook_hears_of_a_private_repo_while_they_are_one(console, ada, make):
    space = make(Visibility.PRIVATE)
    hook = Webhook("w" * 24, console.bob.id, "https://example.com/", (), ("repo",))
    event = of_repo(space, "repo", "update", 1.0)

    def hears():
        with console.store.read() as tx:
            return may_know(tx, hook.owner_id, event.repo_id, event.owner_id, event.private)

    assert not hears()
    console.let_in(ada, space, "bob", Role.READ)
    assert hears()
    console.parts.collaborators.remove(ada, space, "bob")
    assert not hears()


def test_the_api_of_members(console, make):
    space = make(Visibility.PRIVATE)
    at = f"/api/spaces/{space.full_name}/collaborators"
    with console.client() as client:
        assert client.get(at).json() == []
        put = client.put(f"{at}/bob", json={"role": "write"}).json()
        assert (put["user"], put["role"], put["invitedBy"], put["state"]) == ("bob", "write", "ada", "invited")
        assert [(one["user"], one["state"]) for one in client.get(at).json()] == [("bob", "invited")]
        for name, body, code in (
            ("nobody", {"role": "read"}, "OWNER"),
            ("acme", {"role": "read"}, "NOT_A_USER"),
            ("ada", {"role": "read"}, "COLLABORATOR"),
            ("bob", {"role": "admin"}, "ROLE"),
            ("bob", {"role": "none"}, "ROLE"),
            ("bob", {"role": "king"}, "ROLE"),
        ):
            assert client.put(f"{at}/{name}", json=body).headers["x-error-code"] == code
        assert client.delete(f"{at}/eve").status_code == 404
    with console.client(console.bobs) as client:
        assert client.get(at).status_code == 404, "an invitation shows nothing"
        [mine] = client.get("/api/invitations").json()
        assert (mine["type"], mine["name"], mine["role"]) == ("space", space.full_name, "write")
        assert client.post(f"/api/invitations/{mine['id']}/accept").json() == mine
        assert client.post(f"/api/invitations/{mine['id']}/accept").status_code == 404
        assert [(one["user"], one["state"]) for one in client.get(at).json()] == [("bob", "member")]
        assert client.put(f"{at}/eve", json={"role": "read"}).status_code == 403
        assert client.delete(f"{at}/bob").status_code == 200, "whoever is a member may leave"
        assert client.get(at).status_code == 404
    with console.client(console.eves) as client:
        assert client.delete(f"{at}/eve").status_code == client.get(at).status_code == 404
    with console.client(None) as client:
        assert client.get(at).status_code == 401


def accept(browser):
    """The newest invitation."""
    ident = re.search(r'/notifications/answer.*?name="id" value="(\w+)"', browser.get("/notifications").text, re.S)[1]
    return browser.post("/notifications/answer", "/notifications", id=ident, answer="accept")


def test_the_page_of_members(console, ada, make, browser):
    space, mine, bobs = make(Visibility.PRIVATE), browser("ada", console.token), browser("bob", console.bobs)
    page = f"/spaces/{space.full_name}/settings"
    assert bobs.get(page).status_code == 404
    invited = mine.post(f"{page}/member", page, user="bob", role="write")
    assert invited.headers["location"].endswith("?done=invited#members") and "Take back" in mine.get(page).text
    assert (
        bobs.get(page).status_code == 404
        and accept(bobs).headers["location"] == f"/spaces/{space.full_name}?done=joined"
    )
    shown = bobs.get(page)
    assert shown.status_code == 200 and "Leave" in shown.text and f"{page}/member" not in shown.text
    assert bobs.post(f"{page}/member", page, user="eve", role="read").status_code == 403
    assert "there is no user" in mine.post(f"{page}/member", page, user=EVIL, role="read").text
    assert EVIL not in mine.post(f"{page}/member", page, user=EVIL, role="read").text
    assert bobs.post(f"{page}/leave", page).headers["location"] == "/?done=left"
    assert bobs.get(f"/spaces/{space.full_name}").status_code == 404
    mine.post(f"{page}/member", page, user="bob", role="read")
    accept(bobs)
    assert bobs.get(f"/spaces/{space.full_name}").status_code == 200 and bobs.get(page).status_code == 403
    mine.post(f"{page}/member", page, user="bob", role="none")
    assert bobs.get(f"/spaces/{space.full_name}").status_code == 404


def test_forms_need_their_proof(console, make, browser):
    space, mine = make(), browser("ada", console.token)
    page = f"/spaces/{space.full_name}/settings"
    for action in ("domain", "check-domain", "remove-domain", "embedding", "freeze", "thaw", "member", "leave"):
        answer = mine.http.post(f"{page}/{action}", data={"domain": "x.example.com", "user": "bob", "role": "write"})
        assert answer.status_code == 403, action
    assert console.parts.domains.of(space) == [] and not again(console, space).wish.frozen


def test_a_protected_space_shows_its_code_to_readers_alone(console, ada, bob, make, browser):
    space, bobs = make(Visibility.PROTECTED), browser("bob", console.bobs)
    files = f"/spaces/{space.full_name}/tree/main"
    assert bobs.get(files).status_code == 404 and files not in bobs.get(f"/spaces/{space.full_name}").text
    console.let_in(ada, space, "bob", Role.READ)
    assert bobs.get(files).status_code == 200 and files in bobs.get(f"/spaces/{space.full_name}").text


def test_a_new_owner_lets_in_whom_they_like(console, ada, bob, make):
    space = make(Visibility.PRIVATE)
    console.let_in(ada, space, "bob", Role.WRITE)
    console.parts.moves.move(ada, space, "ada", f"{space.name}-renamed")
    assert console.parts.spaces.find(bob(), "ada", f"{space.name}-renamed").id == space.id
    console.parts.moves.move(ada, again(console, space), "acme", space.name)
    with pytest.raises(NotFound):
        console.parts.spaces.find(bob(), "acme", space.name)


def test_strangers_are_asked_who_they_are(console, make):
    space = make()
    stranger = console.parts.accounts.caller(None)
    for act in (
        lambda: console.parts.collaborators.put(stranger, space, "bob", Role.READ),
        lambda: console.parts.domains.add(stranger, space, "x.example.com"),
        lambda: console.parts.spaces.freeze(stranger, space),
        lambda: console.parts.spaces.set_embedding(stranger, space, None),
    ):
        with pytest.raises(Unauthorized):
            act()
