"""The OAuth provider on a real socket: what well-behaved clients get, and what everybody else does not."""

import base64
import hashlib
import re
import secrets
from dataclasses import replace
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import jwt
import pytest

from orchestrator.api.app import create_app
from orchestrator.domain.space import MAIN, Role, Visibility
from orchestrator.ports import Change
from orchestrator.services.oauth import COMMAND_LINE, KEYS_KEPT, OAuth
from orchestrator.services.spaces import NewSpace
from tests.console import Console
from tests.support import bearer
from tests.unit.test_web_pages import Browser
from web.routes import create_renderer, create_router

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
CARD = "---\ntitle: Demo\nsdk: {sdk}\nhf_oauth: true\n{more}---\n"


@pytest.fixture(scope="module")
def console(tmp_path_factory):
    made = Console(tmp_path_factory.mktemp("oauth"))
    parts = made.parts
    made.app = create_app(parts, extra_routers=(create_router(parts),), page=create_renderer(parts))
    with made.listening():
        yield made


@pytest.fixture
def http(console):
    with console.client(None) as client:
        yield client


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


class App:
    """A Space that signs people in, and the client that it runs."""

    def __init__(self, console, name, more="", sdk="gradio", visibility=Visibility.PUBLIC):
        caller = console.parts.accounts.caller(f"Bearer {console.token}")
        space = console.parts.spaces.create(caller, NewSpace(name, None, sdk, visibility))
        self.console, self.space_id = console, space.id
        self.card(CARD.format(sdk=sdk, more=more))
        self.env = console.parts.oauth.environment(self.space)
        self.id, self.secret = self.env["OAUTH_CLIENT_ID"], self.env["OAUTH_CLIENT_SECRET"]
        self.home = console.parts.app_url(space.label)
        self.callback = f"{self.home}/login/callback?_target_url=%2F"

    @property
    def space(self):
        return self.console.parts.spaces.get(self.space_id)

    def card(self, readme):
        caller = self.console.parts.accounts.caller(f"Bearer {self.console.token}")
        self.console.parts.pushes.commit(caller, self.space, [Change("README.md", readme.encode())], "Card", None, MAIN)
        self.console.parts.pushes.landed(self.space_id)

    def asks(self, **changed):
        given = {
            "response_type": "code", "client_id": self.id, "redirect_uri": self.callback, "scope": "openid profile",
            "state": "st", "nonce": "n-1",
        }  # fmt: skip
        return "/oauth/authorize?" + urlencode({k: v for k, v in (given | changed).items() if v is not None})

    def agree(self, browser, answer="yes", **changed):
        """What the consent page sends back to the app: (URL without its query, parameters)."""
        return self.answer(browser, self.asks(**changed), answer)

    def answer(self, browser, path, answer="yes"):
        page = browser.get(path)
        assert page.status_code == 200, page.text
        query = re.search(r'name="query" value="([^"]*)"', page.text)[1].replace("&amp;", "&")
        proof = re.search(r'name="proof" value="([0-9a-f]{40})"', page.text)[1]
        done = browser.http.post("/oauth/authorize", data={"proof": proof, "query": query, "answer": answer})
        assert done.status_code == 302, done.text
        parts = urlsplit(done.headers["location"])
        return f"{parts.scheme}://{parts.netloc}{parts.path}", {k: v[0] for k, v in parse_qs(parts.query).items()}

    def exchange(self, http, code, auth=True, **changed):
        given = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.callback} | changed
        return http.post(
            "/oauth/token",
            data={k: v for k, v in given.items() if v is not None},
            auth=(self.id, self.secret) if auth is True else auth or None,
        )

    def token(self, http, browser, **changed):
        answer = self.exchange(http, self.agree(browser, **changed)[1]["code"])
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def app(console):
    return App(console, "signs-in", "hf_oauth_scopes: [email, read-repos]\n")


# ------------------------------------------------------------------------------------------------------------ the Space


def test_a_space_signs_a_user_in(console, http, app, ada):
    where, told = app.agree(ada)
    assert where == f"{app.home}/login/callback"
    assert (told["_target_url"], told["state"], told["iss"]) == ("/", "st", console.parts.oauth.issuer)
    answer = app.exchange(http, told["code"])
    assert answer.headers["cache-control"] == "no-store"
    given = answer.json()
    assert given["token_type"] == "Bearer"
    assert given["scope"] == "openid profile"
    assert given["expires_in"] == 480 * 60
    found = http.get("/oauth/jwks").json()["keys"]
    assert not {"d", "p", "q"} & set(found[0])
    claims = jwt.decode(
        given["id_token"], jwt.PyJWK(found[0]), ["RS256"], audience=app.id, issuer=console.parts.oauth.issuer
    )
    assert jwt.get_unverified_header(given["id_token"])["kid"] == found[0]["kid"]
    assert (claims["nonce"], claims["sub"]) == ("n-1", console.ada.id)
    info = http.get("/oauth/userinfo", headers=bearer(given["access_token"])).json()
    assert info["sub"] == console.ada.id
    assert info["preferred_username"] == "ada"
    assert {"name", "profile", "picture"} <= set(info)
    assert "email" not in info and "orgs" not in info


def test_the_client_that_gradio_and_huggingface_hub_use(console, app, ada):
    """authlib in a Starlette app, set up as gradio/oauth.py and huggingface_hub/_oauth.py do; it checks the id token."""
    pytest.importorskip("itsdangerous")
    from authlib.integrations.starlette_client import OAuth
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.sessions import SessionMiddleware
    from starlette.responses import JSONResponse
    from starlette.routing import Route
    from starlette.testclient import TestClient

    oauth = OAuth()
    oauth.register(
        name="huggingface",
        client_id=app.id,
        client_secret=app.secret,
        client_kwargs={"scope": app.env["OAUTH_SCOPES"]},
        server_metadata_url=f"http://127.0.0.1:{console.port}/.well-known/openid-configuration",
    )

    async def login(request):
        return await oauth.huggingface.authorize_redirect(request, app.callback)

    async def callback(request):
        return JSONResponse(await oauth.huggingface.authorize_access_token(request))

    cookies = Middleware(SessionMiddleware, secret_key="x", same_site="none", https_only=True)
    site = Starlette(routes=[Route("/login", login), Route("/login/callback", callback)], middleware=[cookies])
    visitor = TestClient(site, "https://space", follow_redirects=False)
    sent = urlsplit(visitor.get("/login").headers["location"])
    assert f"{sent.scheme}://{sent.netloc}{sent.path}" == f"{console.parts.oauth.issuer}/oauth/authorize"
    _, told = app.answer(ada, f"{sent.path}?{sent.query}")
    info = visitor.get("/login/callback", params=told).json()
    assert info["scope"] == app.env["OAUTH_SCOPES"] == "openid profile email read-repos"
    assert info["expires_at"] > 0 and info["access_token"].startswith("hf_oauth_")
    assert info["userinfo"]["preferred_username"] == "ada"
    assert {"sub", "name", "profile", "picture", "nonce"} <= set(info["userinfo"])


def test_the_secret_may_be_in_the_form_too(http, app, ada):
    code = app.agree(ada)[1]["code"]
    answer = app.exchange(http, code, auth=None, client_id=app.id, client_secret=app.secret)
    assert answer.status_code == 200, answer.text


def test_where_everything_is(console, http):
    told = http.get("/.well-known/openid-configuration", headers={"host": "localhost:8000"}).json()
    assert told["issuer"] == "http://localhost:8000"
    assert told["token_endpoint"] == "http://localhost:8000/oauth/token"
    inside = http.get("/.well-known/openid-configuration", headers={"host": "10.1.2.3:8000"}).json()
    assert inside["issuer"] == inside["authorization_endpoint"].removesuffix("/oauth/authorize") == told["issuer"]
    assert inside["token_endpoint"] == "http://10.1.2.3:8000/oauth/token"


def test_a_code_works_once_and_its_replay_ends_what_it_gave(http, app, ada):
    code = app.agree(ada)[1]["code"]
    given = app.exchange(http, code).json()
    me = lambda: http.get("/api/whoami-v2", headers=bearer(given["access_token"])).status_code  # noqa: E731
    assert me() == 200
    again = app.exchange(http, code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert me() == 401


def test_a_code_is_for_who_asked(console, http, app, ada):
    other = App(console, "other")
    code = app.agree(ada)[1]["code"]
    assert other.exchange(http, code).json()["error"] == "invalid_grant"
    assert app.exchange(http, code, auth=(app.id, other.secret)).status_code == 401
    assert app.exchange(http, code, auth=None, client_id=app.id).status_code == 401
    assert app.exchange(http, code, auth=(other.id, app.secret)).status_code == 401
    assert app.exchange(http, code).status_code == 200, "what strangers tried did not use it up"


def test_a_code_with_another_redirect_is_lost(http, app, ada):
    code = app.agree(ada)[1]["code"]
    assert app.exchange(http, code, redirect_uri=f"{app.home}/elsewhere").json()["error"] == "invalid_grant"
    assert app.exchange(http, code).json()["error"] == "invalid_grant"


def test_a_code_gets_old(console, http, app, ada):
    code = app.agree(ada)[1]["code"]
    from orchestrator.store import oauth_schema as t

    with console.store.engine.begin() as connection:
        connection.execute(t.oauth_codes.update().values(expires_at=1.0))
    assert app.exchange(http, code).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/login/callback",
        "{home}.evil.example/",
        "{home}@evil.example/",
        "{home}:80/",
        "{home}\\@evil.example/",
        "{home}#",
        "javascript:alert(1)",
        "//evil.example",
        "http://other-demo.localhost:8000/",
        "http://localhost:8000/",
        None,
        "",
    ],
)
def test_answers_go_to_the_spaces_own_host_only(app, ada, uri):
    uri = uri.format(home=app.home) if uri else uri
    refused = ada.get(app.asks(redirect_uri=uri))
    assert refused.status_code in (400, 404, 422)
    assert "location" not in refused.headers


def test_answers_go_to_a_proven_domain_of_the_spaces_people(console, http, ada):
    app = App(console, "own-domain")
    there = "http://demo.example.com:8000"
    assert ada.get(app.asks(redirect_uri=f"{there}/login/callback")).status_code == 400
    with console.store.write() as tx:
        tx.spaces.update(app.space_id, look_at=0.0, hosts=["demo.example.com"])
    page = ada.get(app.asks(redirect_uri=f"{there}/login/callback"))
    assert there in page.text and f" {there};" in page.headers["content-security-policy"]
    where, told = app.agree(ada, redirect_uri=f"{there}/login/callback")
    assert where == f"{there}/login/callback"
    secure, _ = app.agree(ada, redirect_uri=f"{there.replace('http', 'https', 1)}/login/callback")
    assert secure == where, "there is no TLS here"
    assert app.exchange(http, told["code"], redirect_uri=f"{there}/login/callback").status_code == 200
    for uri in (
        f"{there}.evil.example/",
        "http://demo.example.com/",
        "http://other.example.com:8000/",
        f"{there}@evil/",
    ):
        assert ada.get(app.asks(redirect_uri=uri)).status_code == 400, uri
    assert app.agree(ada)[0] == f"{app.home}/login/callback", "its own host is as good as before"
    with console.store.write() as tx:
        tx.spaces.update(app.space_id, look_at=0.0, visibility="private")
    assert ada.get(app.asks(redirect_uri=f"{there}/login/callback")).status_code == 400, "nothing is served there now"


def test_no_tls_here_no_tls_there(app, ada):
    """gradio always writes https; where this Podium has none, nobody would listen."""
    https = "https://" + app.callback.partition("://")[2]
    where, told = app.agree(ada, redirect_uri=https)
    assert where.startswith(app.home)
    with httpx.Client(base_url=f"http://127.0.0.1:{app.console.port}") as http:
        assert app.exchange(http, told["code"], redirect_uri=https).status_code == 200


def test_the_client_must_be_there_and_wanted(console, ada):
    gone = App(console, "gone")
    assert ada.get(gone.asks(client_id="nobody")).status_code == 404
    assert ada.get(gone.asks(client_id=COMMAND_LINE)).status_code == 404
    with console.client(None) as http:
        token = gone.token(http, ada)["access_token"]
        assert http.get("/api/whoami-v2", headers=bearer(token)).status_code == 200
        gone.card("---\ntitle: Demo\nsdk: gradio\n---\n")
        assert http.get("/api/whoami-v2", headers=bearer(token)).status_code == 401
    assert ada.get(gone.asks()).status_code == 404


def test_a_private_spaces_sign_in_does_not_exist_for_strangers(console, ada, bob):
    hidden = App(console, "hidden", visibility=Visibility.PRIVATE)
    assert ada.get(hidden.asks()).status_code == 200
    assert bob.get(hidden.asks()).status_code == 404


def test_the_user_may_refuse(app, ada):
    where, told = app.agree(ada, answer="no")
    assert where.startswith(app.home)
    assert (told["error"], told["state"]) == ("access_denied", "st")
    assert "code" not in told


def test_wrong_questions_are_answered_to_the_space(app, ada):
    for changed, error in (
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "webhooks"}, "invalid_scope"),
        ({"prompt": "none"}, "consent_required"),
        ({"code_challenge": "x" * 43, "code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "x" * 43}, "invalid_request"),
    ):
        answer = ada.get(app.asks(**changed))
        assert answer.status_code == 302, changed
        location = answer.headers["location"]
        assert location.startswith(app.home + "/")
        assert parse_qs(urlsplit(location).query)["error"] == [error], changed


@pytest.mark.parametrize("text", ['"', "\\", "ü", "\r\nX: y", "\0", "x" * 9000])
@pytest.mark.parametrize("name", ["redirect_uri", "scope", "state", "response_type", "client_id", "nonce"])
def test_odd_characters_break_nothing(app, ada, name, text):
    answer = ada.get(app.asks(**{name: text}))
    assert answer.status_code in (200, 302, 400, 404, 422), answer.status_code
    assert answer.headers.get("location", app.home).startswith((app.home, "/login"))


def test_a_stranger_signs_in_first_and_comes_back(console, app):
    someone = Browser(console)
    sent = someone.get(app.asks())
    assert sent.status_code in (302, 303)
    assert sent.headers["location"].startswith("/login?next=/oauth/authorize%3F")
    back = someone.get(sent.headers["location"])
    proof = re.search(r'name="proof" value="([0-9a-f]{40})"', back.text)[1]
    after = re.search(r'name="next" value="([^"]*)"', back.text)[1].replace("&amp;", "&")
    assert after == app.asks()
    done = someone.http.post("/login", data={"proof": proof, "next": after, "name": "ada", "password": console.token})
    assert done.headers["location"] == app.asks()


def test_consent_cannot_be_framed_or_forged(console, app, ada):
    page = ada.get(app.asks())
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    query = app.asks().partition("?")[2]
    for headers in ({"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": app.home}):
        forged = ada.http.post(
            "/oauth/authorize", data={"query": query, "answer": "yes", "proof": ada.proof(app.asks())}, headers=headers
        )
        assert forged.status_code == 403
    unproven = ada.http.post("/oauth/authorize", data={"query": query, "answer": "yes"})
    assert unproven.status_code == 403
    assert ada.http.get(app.asks() + "&answer=yes").status_code == 200, "looking is not agreeing"


def test_pkce(console, http, app, ada):
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    pkce = {"code_challenge": challenge, "code_challenge_method": "S256"}
    for wrong in (None, "x" * 43, challenge):
        code = app.agree(ada, **pkce)[1]["code"]
        assert app.exchange(http, code, code_verifier=wrong).status_code == 400
    assert app.exchange(http, app.agree(ada, **pkce)[1]["code"], code_verifier=verifier).status_code == 200
    unasked = app.exchange(http, app.agree(ada)[1]["code"], code_verifier=verifier)
    assert unasked.status_code == 400, "a verifier where no challenge was: somebody took the challenge out"


def test_pages_without_a_server_must_use_pkce(console, http, ada):
    static = App(console, "pages", sdk="static")
    assert parse_qs(urlsplit(ada.get(static.asks()).headers["location"]).query)["error"] == ["invalid_request"]
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    told = static.agree(ada, code_challenge=challenge, code_challenge_method="S256")[1]
    answer = static.exchange(http, told["code"], auth=None, client_id=static.id, code_verifier=verifier)
    assert answer.status_code == 200, answer.text
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers


def test_javascript_spends_its_code_without_naming_the_client(console, http, app, ada):
    """As `oauthHandleRedirect` of `@huggingface/hub`; the verifier is what proves it."""
    static, verifier = App(console, "script", sdk="static"), "v" * 50
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    pkce = {"code_challenge": challenge, "code_challenge_method": "S256"}
    code = static.agree(ada, **pkce)[1]["code"]
    assert static.exchange(http, code, auth=None, code_verifier=verifier).status_code == 200
    for other in (static.agree(ada, **pkce)[1]["code"], "nothing"):
        assert static.exchange(http, other, auth=None, code_verifier="w" * 50).status_code in (400, 401)
        assert static.exchange(http, other, auth=None).status_code in (400, 401)
    secretive = app.agree(ada, **pkce)[1]["code"]
    assert app.exchange(http, secretive, auth=None, code_verifier=verifier).status_code == 401, (
        "it has a secret to show"
    )


def test_only_members_of_the_authors_organisation(console, http, ada, bob):
    closed = App(console, "closed", "hf_oauth_authorized_org: acme\n")
    assert closed.agree(ada)[1]["code"]
    page = bob.get(closed.asks())
    assert "Only members of acme" in page.text
    query = closed.asks().partition("?")[2]
    forced = bob.http.post(
        "/oauth/authorize", data={"query": query, "answer": "yes", "proof": bob.proof(closed.asks())}
    )
    assert forced.status_code == 403
    given = closed.token(http, ada)
    console.parts.accounts.set_member("acme", "ada", Role.NONE)
    try:
        refresh = {"grant_type": "refresh_token", "refresh_token": given["refresh_token"]}
        assert http.post("/oauth/token", data=refresh, auth=(closed.id, closed.secret)).status_code == 400
    finally:
        console.parts.accounts.set_member("acme", "ada", Role.WRITE)


def test_what_a_spaces_token_may_do(console, http, app, ada):
    """Only what its scopes say, as its user; read-repos was agreed to in the second case only."""
    mine = console.space("of-mine", private=True)
    acmes = console.space("of-acme", organization="acme", private=True)
    plain = bearer(app.token(http, ada)["access_token"])
    reads = bearer(app.token(http, ada, scope="openid profile read-repos")["access_token"])
    look = lambda who, name: http.get(f"/api/spaces/{name}", headers=who).status_code  # noqa: E731
    assert (look(plain, mine), look(reads, mine)) == (404, 200)
    assert (look(plain, acmes), look(reads, acmes)) == (404, 404)
    listed = lambda who: {one["id"] for one in http.get("/api/spaces?limit=100", headers=who).json()}  # noqa: E731
    assert mine not in listed(plain)
    assert mine in listed(reads) and acmes not in listed(reads)
    for who in (plain, reads):
        assert (
            http.post(
                "/api/repos/create", json={"name": "x", "type": "space", "sdk": "gradio"}, headers=who
            ).status_code
            == 403
        )
        assert http.post(f"/api/spaces/{app.space.full_name}/pause", headers=who).status_code == 403
        assert http.get(f"/api/spaces/{app.space.full_name}/secrets", headers=who).status_code == 403
    me = http.get("/api/whoami-v2", headers=plain).json()
    assert (me["name"], me["auth"]["type"], me["auth"]["accessToken"]["role"]) == ("ada", "oauth", "fineGrained")
    assert me["orgs"] == []
    browser = Browser(console)
    assert browser.sign_in("ada", plain["authorization"].removeprefix("Bearer ")).status_code == 401


def test_no_other_token_tells_userinfo(console, http):
    assert http.get("/oauth/userinfo", headers=bearer(console.token)).status_code == 403
    assert http.get("/oauth/userinfo").status_code == 401


def test_a_refresh_token_works_once(console, http, app, ada):
    given = app.token(http, ada)

    def renew(token, auth=(app.id, app.secret)):
        return http.post("/oauth/token", data={"grant_type": "refresh_token", "refresh_token": token}, auth=auth)

    other = App(console, "thief")
    assert renew(given["refresh_token"], (other.id, other.secret)).status_code == 400
    second = renew(given["refresh_token"]).json()
    assert second["scope"] == "openid profile"
    lost = renew(given["refresh_token"])
    assert lost.status_code == 200, "the answer was lost on the way"
    third = lost.json()
    me = lambda token: http.get("/api/whoami-v2", headers=bearer(token)).status_code  # noqa: E731
    assert (me(second["access_token"]), me(third["access_token"])) == (401, 200)
    assert renew(given["refresh_token"]).status_code == 400
    assert me(third["access_token"]) == 401, "somebody has an old one: all of this consent ends"
    assert renew(third["refresh_token"]).status_code == 400


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_a_client_may_give_its_tokens_back(console, http, app, ada, which):
    given, other = app.token(http, ada), App(console, f"other-{which[:3]}")

    def revoke(token, auth=(app.id, app.secret), **more):
        return http.post("/oauth/revoke", data={"token": token, **more}, auth=auth)

    alive = lambda: http.get("/oauth/userinfo", headers=bearer(given["access_token"])).status_code == 200  # noqa: E731
    assert revoke(given[which], (other.id, other.secret)).json()["error"] == "invalid_grant" and alive()
    assert revoke(given[which], (app.id, "wrong")).status_code == 401 and alive()
    assert revoke(given[which], token_type_hint="cookie").json()["error"] == "unsupported_token_type" and alive()
    assert revoke(console.token).status_code == 400 and http.get("/api/whoami-v2", headers=bearer(console.token))
    assert http.post("/oauth/revoke", data={}, auth=(app.id, app.secret)).json()["error"] == "invalid_request"
    done = revoke(given[which], token_type_hint="access_token")
    assert (done.status_code, done.json()) == (200, {}) and not alive()
    refresh = {"grant_type": "refresh_token", "refresh_token": given["refresh_token"]}
    assert http.post("/oauth/token", data=refresh, auth=(app.id, app.secret)).status_code == 400
    assert revoke(given[which]).status_code == 200 and revoke("hf_oauth_none").status_code == 200
    told = http.get("/.well-known/openid-configuration").json()
    assert urlsplit(told["revocation_endpoint"]).path == "/oauth/revoke"


def test_a_new_signing_key_leaves_the_old_one_known(console, http, app, ada):
    path = console.parts.oauth._key_path
    keys = lambda: [one["kid"] for one in http.get("/oauth/jwks").json()["keys"]]  # noqa: E731
    kid = lambda given: jwt.get_unverified_header(given["id_token"])["kid"]  # noqa: E731
    before, seen = app.token(http, ada), keys()
    for _ in range(3):
        OAuth.new_key(path)
        after = app.token(http, ada)
        assert kid(after) == keys()[0] not in seen and keys()[1:] == seen[: KEYS_KEPT - 1]
        seen = keys()
    assert kid(before) not in seen and path.stat().st_mode & 0o777 == 0o600


def test_tokens_of_spaces_are_listed_and_revoked(console, http, app, ada):
    given = app.token(http, ada)
    page = ada.get("/settings/tokens").text
    assert "sign-in to ada/signs-in" in page
    token = console.parts.accounts.caller(f"Bearer {given['access_token']}").token
    assert ada.post("/settings/tokens/revoke", "/settings/tokens", id=token.id).status_code == 303
    assert http.get("/oauth/userinfo", headers=bearer(given["access_token"])).status_code == 401
    refresh = {"grant_type": "refresh_token", "refresh_token": given["refresh_token"]}
    assert http.post("/oauth/token", data=refresh, auth=(app.id, app.secret)).status_code == 400
    assert ada.get("/settings/tokens").status_code == 200, "it could not have signed in, so no browser is signed out"


def test_the_secret_is_kept_locked_and_stays_the_same(console, app):
    with console.store.read() as tx:
        kept = tx.oauth.client_of(app.space_id)
    assert app.secret not in kept.secret
    assert console.parts.oauth.environment(app.space) == app.env
    assert console.parts.oauth.environment(replace(app.space, card={"hf_oauth": "true"})) == {}


@pytest.mark.parametrize(
    "body", [b"", b"grant_type=" + b"x" * 70000, b"\xff\xfe", b"grant_type=%22", b"a=1&a=2", b"{}"]
)
def test_bad_forms_are_refused_in_the_protocols_words(http, body):
    answer = http.post("/oauth/token", content=body, headers={"content-type": "application/x-www-form-urlencoded"})
    assert answer.status_code in (400, 413)
    told = answer.json()
    assert told["error"] in ("invalid_request", "unsupported_grant_type")
    assert set(told) <= {"error", "error_description"}
    assert http.post("/oauth/token", json={"grant_type": "x"}).json()["error"] == "unsupported_grant_type"


# ----------------------------------------------------------------------------------------------------------- the device


def begin(http):
    answer = http.post("/oauth/device", data={"client_id": COMMAND_LINE}, headers={"user-agent": "hf_hub/2 <b>"})
    assert answer.status_code == 200, answer.text
    return answer.json()


def poll(http, device, client=COMMAND_LINE):
    form = {"grant_type": DEVICE, "device_code": device["device_code"], "client_id": client}
    return http.post("/oauth/token", data=form)


def decide(browser, device, answer):
    return browser.post(
        "/oauth/device/answer",
        f"/oauth/device?user_code={device['user_code']}",
        user_code=device["user_code"],
        answer=answer,
    )


def test_a_device_signs_its_user_in(console, http, ada):
    device = begin(http)
    assert poll(http, device).json()["error"] == "authorization_pending"
    assert poll(http, device).json()["error"] == "slow_down"
    page = ada.get(f"/oauth/device?user_code={device['user_code'].lower().replace('-', ' ')}")
    assert device["user_code"] in page.text
    assert "hf_hub/2 &lt;b&gt;" in page.text
    assert decide(ada, device, "yes").status_code == 303
    given = poll(http, device).json()
    me = http.get("/api/whoami-v2", headers=bearer(given["access_token"])).json()
    assert (me["name"], me["auth"]["accessToken"]["role"]) == ("ada", "write")
    assert given["expires_in"] > 86400
    assert poll(http, device).json()["error"] == "invalid_grant"
    assert decide(ada, device, "yes").status_code == 404
    renewed = http.post(
        "/oauth/token",
        data={"grant_type": "refresh_token", "refresh_token": given["refresh_token"], "client_id": COMMAND_LINE},
    ).json()
    for token in (given, renewed):
        assert http.get("/api/whoami-v2", headers=bearer(token["access_token"])).status_code == 200
    names = [token.name for token in console.parts.accounts.tokens(console.ada)]
    assert sum(name.startswith("hf auth login") for name in names) == 1
    console.parts.accounts.revoke_token(console.ada, next(n for n in names if n.startswith("hf auth login")))
    for token in (given, renewed):
        assert http.get("/api/whoami-v2", headers=bearer(token["access_token"])).status_code == 401
    ada.sign_in("ada", console.token)


def test_a_device_may_be_refused(http, bob):
    device = begin(http)
    assert decide(bob, device, "no").status_code == 303
    assert poll(http, device).json()["error"] == "access_denied"


def test_a_device_is_not_signed_in_by_a_link_alone(console, http, bob):
    device = begin(http)
    bob.get(f"/oauth/device?user_code={device['user_code']}&answer=yes")
    assert poll(http, device).json()["error"] == "authorization_pending"
    stranger = Browser(console)
    assert stranger.get(f"/oauth/device?user_code={device['user_code']}").headers["location"].startswith("/login?next=")
    answer = {"user_code": device["user_code"], "answer": "yes"}
    assert bob.http.post("/oauth/device/answer", data=answer).status_code == 403


def test_codes_cannot_be_guessed(console, http):
    console.parts.accounts.add_user("carl")
    token = console.parts.accounts.add_token(console.parts.accounts.user("carl"), "write")
    carl = Browser(console)
    carl.sign_in("carl", token)
    seen = [carl.get("/oauth/device?user_code=BBBBBBBB").status_code for _ in range(11)]
    assert seen == [404] * 10 + [429]
    device = begin(http)
    assert carl.get(f"/oauth/device?user_code={device['user_code']}").status_code == 429


def test_wrong_device_codes_and_clients(http, app):
    device = begin(http)
    assert poll(http, {"device_code": "x" * 40}).json()["error"] in ("invalid_request", "invalid_grant")
    assert poll(http, device, "somebody-else").status_code in (400, 401)
    assert poll(http, device, app.id).status_code in (400, 401)
    assert http.post("/oauth/device", data={"client_id": app.id}).status_code == 400
    assert http.post("/oauth/device", data={}).status_code == 400


def test_an_old_device_code_has_expired(console, http, bob):
    from orchestrator.store import oauth_schema as t

    device = begin(http)
    with console.store.engine.begin() as connection:
        connection.execute(t.devices.update().values(expires_at=1.0))
    assert poll(http, device).json()["error"] == "expired_token"


def test_one_address_cannot_fill_the_house(console, http):
    answers = [http.post("/oauth/device", data={"client_id": COMMAND_LINE}).status_code for _ in range(25)]
    assert answers[-1] == 429
    assert answers.count(200) <= 20
