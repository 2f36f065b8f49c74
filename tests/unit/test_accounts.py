"""Accounts on a real database: credentials, sessions, sign-in links, tokens, roles."""

import base64

import pytest

from orchestrator.domain.caller import STRANGER, Caller, require, role_on
from orchestrator.domain.records import Space
from orchestrator.domain.space import Role, Visibility, Wish
from orchestrator.errors import Conflict, Forbidden, Invalid, NotFound, TooMany, Unauthorized
from orchestrator.services.accounts import LINK_SECONDS, Accounts
from orchestrator.store.engine import Store
from tests import migrated


class Clock:
    now = 1_700_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def accounts(tmp_path, clock):
    store = Store(migrated.sqlite(tmp_path))
    yield Accounts(store, session_days=1, clock=clock)
    store.close()


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_token_by_bearer_and_as_gits_password(accounts):
    ann = accounts.add_user("ann")
    token = accounts.add_token(ann, "write", "laptop")
    for header in (f"Bearer {token}", f"bearer {token}", basic("whoever", token), basic(token, "")):
        caller = accounts.caller(header)
        assert (caller.name, caller.limit, caller.token_name, caller.token_role) == (
            "ann",
            Role.ADMIN,
            "laptop",
            "write",
        )
    assert accounts.caller(None) == STRANGER
    assert accounts.caller(f"Bearer {accounts.add_token(ann, 'read')}").limit is Role.READ


@pytest.mark.parametrize(
    "header,code",
    [
        ("Bearer hf_wrongwrongwrongwrong", "INVALID_TOKEN"),
        ("Bearer ", "INVALID_TOKEN"),
        ("Digest x", "INVALID_TOKEN"),
        ("Basic %%%", "INVALID_TOKEN"),
        ("Basic " + base64.b64encode(b"\xff\xfe:x").decode(), "INVALID_TOKEN"),
        (basic("ann", "my-password"), "AUTH_PASSWORD"),
        ("Bearer " + "x" * 100_000, "INVALID_TOKEN"),
    ],
)
def test_credentials_that_do_not_hold(accounts, header, code):
    accounts.add_user("ann")
    with pytest.raises(Unauthorized) as caught:
        accounts.caller(header)
    assert caught.value.code == code


def test_a_revoked_token_says_when(accounts):
    ann = accounts.add_user("ann")
    token = accounts.add_token(ann, "write", "old")
    accounts.revoke_token(ann, "old")
    with pytest.raises(Unauthorized, match="'old' was revoked on 2023-11-14") as caught:
        accounts.caller(f"Bearer {token}")
    assert caught.value.code == "TOKEN_EXPIRED"
    with pytest.raises(NotFound):
        accounts.revoke_token(ann, "old")


def test_tokens_are_named_once_and_chosen_clearly(accounts):
    ann = accounts.add_user("ann")
    given = "hf_" + "a" * 30
    assert accounts.add_token(ann, "read", "a", secret=given) == given
    with pytest.raises(Conflict):
        accounts.add_token(ann, "read", "b", secret=given)
    accounts.add_token(ann, "read", "a")
    with pytest.raises(Conflict, match="2 tokens"):
        accounts.revoke_token(ann, "a")
    for bad in ("short", "hf_short", "sk_" + "a" * 30, "hf_" + "ä" * 30):
        with pytest.raises(Invalid):
            accounts.add_token(ann, "read", secret=bad)
    with pytest.raises(Invalid):
        accounts.add_token(ann, "root")


def test_password_sign_in(accounts, clock):
    accounts.add_user("ann", password="correct horse")
    session = accounts.sign_in("Ann", "correct horse", "1.2.3.4")
    assert accounts.caller(None, session).name == "ann" and accounts.caller(None, session).via == "session"
    clock.now += 86401
    assert accounts.caller(None, session) == STRANGER
    for name, password in (("ann", "wrong"), ("nobody", "wrong"), ("", "")):
        with pytest.raises(Unauthorized, match="do not belong together"):
            accounts.sign_in(name, password, "1.2.3.4")


def test_a_user_without_password_cannot_sign_in_by_one(accounts):
    accounts.add_user("ann")
    with pytest.raises(Unauthorized):
        accounts.sign_in("ann", "", "1.2.3.4")


def test_a_read_token_does_not_become_a_session_that_may_write(accounts):
    token = accounts.add_token(accounts.add_user("ann"), "read")
    with pytest.raises(Unauthorized) as caught:
        accounts.sign_in("ann", token, "a")
    assert caught.value.code == "TOKEN_READ_ONLY"


def test_revoking_a_token_ends_the_sessions_that_it_may_have_made(accounts):
    ann = accounts.add_user("ann")
    token = accounts.add_token(ann, "write", "leaked")
    theirs, mine = accounts.sign_in("ann", token, "a"), accounts.new_session(ann)
    accounts.revoke_token(ann, "leaked", "ann", keep=mine)
    assert accounts.by_session(theirs) is None
    assert accounts.by_session(mine).name == "ann"


def test_sign_in_by_token_belongs_to_the_name(accounts):
    token = accounts.add_token(accounts.add_user("ann"), "write")
    accounts.add_user("bob")
    assert accounts.by_session(accounts.sign_in("ann", token, "a")).name == "ann"
    assert accounts.by_session(accounts.sign_in("", token, "a")).name == "ann"
    with pytest.raises(Unauthorized):
        accounts.sign_in("bob", token, "a")


def test_guessing_is_slowed_down(accounts, clock):
    accounts.add_user("ann", password="correct horse")
    for _ in range(5):
        with pytest.raises(Unauthorized):
            accounts.sign_in("ann", "guess", "1.2.3.4")
    with pytest.raises(TooMany):
        accounts.sign_in("ANN", "correct horse", "1.2.3.4")
    assert accounts.sign_in("ann", "correct horse", "5.6.7.8")
    clock.now += 61
    assert accounts.sign_in("ann", "correct horse", "1.2.3.4")


def test_a_sign_in_link_works_once_and_not_for_long(accounts, clock):
    accounts.add_user("ann")
    link = accounts.sign_in_link("ann")
    assert accounts.by_session(link) is None
    assert accounts.by_session(accounts.follow_link(link)).name == "ann"
    with pytest.raises(Unauthorized):
        accounts.follow_link(link)
    late = accounts.sign_in_link("ann")
    clock.now += LINK_SECONDS + 1
    with pytest.raises(Unauthorized):
        accounts.follow_link(late)


def test_sign_out(accounts):
    session = accounts.new_session(accounts.add_user("ann"))
    accounts.sign_out(session)
    assert accounts.by_session(session) is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a/b",
        "-x",
        "x-",
        "a--b",
        "x" * 97,
        "é",
        "аnn",
        "a\0",
        "api",
        "API",
        "x.git",
        "a..b",
        "../x",
        "a b",
        "a\n",
    ],
)
def test_bad_names(accounts, name):
    for add in (accounts.add_user, accounts.add_org):
        with pytest.raises(Invalid) as caught:
            add(name)
        assert caught.value.code == "NAME" and caught.value.message.isprintable()


def test_users_and_organisations_share_names(accounts):
    accounts.add_user("Acme")
    with pytest.raises(Conflict):
        accounts.add_org("acme")


def test_what_roles_allow(accounts):
    ann, bob, eve = (accounts.add_user(name) for name in ("ann", "bob", "eve"))
    org = accounts.add_org("acme")
    accounts.set_member("acme", "ann", Role.WRITE)
    accounts.set_member("acme", "bob", Role.READ)
    as_user = {u.name: accounts.caller(f"Bearer {accounts.add_token(u, 'write')}") for u in (ann, bob, eve)}
    assert accounts.namespace(as_user["ann"], "ACME").id == org.id
    assert accounts.namespace(as_user["ann"], None).id == ann.id
    for name, where in (("bob", "acme"), ("eve", "acme"), ("eve", "ann"), ("eve", "nowhere")):
        with pytest.raises(Forbidden):
            accounts.namespace(as_user[name], where)
    with pytest.raises(Unauthorized):
        accounts.namespace(STRANGER, None)
    with pytest.raises(Forbidden, match="may only read"):
        accounts.namespace(accounts.caller(f"Bearer {accounts.add_token(ann, 'read')}"), None)

    private = Space("s", "acme", org.id, "demo", "acme-demo", Visibility.PRIVATE, Wish("s"))
    roles = {name: role_on(caller, private) for name, caller in as_user.items()}
    assert roles == {"ann": Role.WRITE, "bob": Role.READ, "eve": Role.NONE}
    assert role_on(STRANGER, private) is Role.NONE
    with pytest.raises(NotFound):
        require(as_user["eve"], private, Role.READ)
    with pytest.raises(Forbidden):
        require(as_user["bob"], private, Role.WRITE)
    accounts.set_member("acme", "ann", Role.NONE)
    assert role_on(accounts.caller(f"Bearer {accounts.add_token(ann, 'write')}"), private) is Role.NONE


@pytest.mark.parametrize(
    "visibility,app,code",
    [
        (Visibility.PUBLIC, Role.READ, Role.READ),
        (Visibility.PROTECTED, Role.READ, Role.NONE),
        (Visibility.PRIVATE, 0, 0),
    ],
)
def test_what_strangers_see(visibility, app, code):
    space = Space("s", "acme", "o", "demo", "acme-demo", visibility, Wish("s"))
    assert (role_on(STRANGER, space), role_on(STRANGER, space, code=True)) == (app, code)
    assert role_on(Caller(), space) == app
