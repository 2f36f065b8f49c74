"""Signing in with a provider: with a real one (a second Podium), and with one that lies, dawdles and breaks the rules."""

import base64
import hashlib
import hmac
import html
import json
import re
import secrets
import threading
import time
from dataclasses import replace
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from orchestrator.api.app import create_app
from orchestrator.cli import checks
from orchestrator.domain.identity import Rules, names, parse_groups
from orchestrator.domain.space import Role
from orchestrator.errors import Invalid
from orchestrator.oidc_settings import registered, rules
from orchestrator.providers.fetch import Fetch
from orchestrator.providers.openid import OpenID, is_safe
from orchestrator.services.identities import Identities
from orchestrator.services.links import SignedLinks
from orchestrator.services.oauth import OAuth
from orchestrator.settings import Settings
from tests.console import Console
from tests.contracts.test_oauth import App
from tests.unit.test_web_pages import Browser
from web.provider import told
from web.routes import create_renderer, create_router

PATIENT = 120.0  #: seconds: the machine may be busy, and timing must not fail a test
BACK = "/login/provider/callback"
CODE = re.compile(r"<code>(PROVIDER_\w+)</code>")


def serve(console: Console, **changed) -> None:
    console.parts = replace(console.parts, public_url=console.url, **changed)
    pages = create_router(console.parts)
    console.app = create_app(console.parts, extra_routers=(pages,), page=create_renderer(console.parts))


@pytest.fixture(scope="module")
def consoles(tmp_path_factory):
    """(the Podium that people want to sign in to, the one that is its provider)."""
    data = tmp_path_factory.mktemp("there")
    here, there = Console(tmp_path_factory.mktemp("here")), Console(data)
    for one in (here, there):
        one.url = f"http://127.0.0.1:{one.port}"
    serve(there, oauth=OAuth.at(data / "keys", there.store, there.url, lambda label: here.url, there.url))
    seal = SignedLinks(here.parts.signing.derived("provider"))
    serve(here, identities=Identities(here.store, here.parts.accounts, seal))
    with here.listening(), there.listening():
        yield here, there


@pytest.fixture
def here(consoles):
    yield consoles[0]
    consoles[0].parts.identities._provider, consoles[0].parts.identities.rules = None, Rules()


@pytest.fixture(scope="module")
def app(consoles):
    return App(consoles[1], "sso", "hf_oauth_scopes: [email]\n")


@pytest.fixture
def podium(here, app, consoles):
    """Signing in with the other Podium, which lets Ada and Bob in."""
    back, issuer = f"{here.url}{BACK}", consoles[1].url
    scopes, patient = "openid profile email", Fetch(seconds=PATIENT)
    here.parts.identities._provider = OpenID(issuer, app.id, app.secret, back, scopes, "The Firm", patient)
    return consoles[1]


@pytest.fixture
def visitor(here):
    return Browser(here)


def at(provider, name):
    browser = Browser(provider)
    assert browser.sign_in(name, {"ada": provider.token, "bob": provider.bobs}[name]).status_code == 303
    return browser


def leave(visitor, next="/settings"):
    """The question that the browser takes to the provider: (address without query, parameters)."""
    answer = visitor.get(f"/login/provider?next={next}")
    assert answer.status_code == 303, answer.text
    assert answer.headers["cache-control"] == "no-store" and answer.headers["referrer-policy"] == "no-referrer"
    url, _, query = answer.headers["location"].partition("?")
    return url, dict(parse_qsl(query))


def agreed(app, browser, asked, answer="yes"):
    """What the other Podium sends the browser back with."""
    url, params = app.answer(browser, "/oauth/authorize?" + urlencode(asked), answer)
    assert url == app.console.parts.oauth.app_url("") + BACK
    return params


def arrive(visitor, params):
    return visitor.get(f"{BACK}?{urlencode(params)}")


def failure(answer):
    found = CODE.search(answer.text)
    assert found and answer.headers["content-type"].startswith("text/html"), answer.text
    return answer.status_code, found[1]


def me(visitor):
    """Name of the user who is signed in here, None for a stranger."""
    secret = visitor.http.cookies.get("podium-session")
    caller = visitor.console.parts.accounts.by_session(secret) if secret else None
    return caller.user.name if caller else None


def audited(here, target):
    with here.store.read() as tx:
        return [row.action for row in tx.audit.of(target)]


# ------------------------------------------------------------------------------------------------- with another Podium


def test_people_sign_in_with_their_provider_and_are_the_same_the_next_time(here, podium, app, visitor):
    page = visitor.get("/login?next=/new")
    assert f'href="{here.url}/login/provider?next=/new"' in page.text and "Sign in with The Firm" in page.text
    firm = at(podium, "bob")
    url, asked = leave(visitor, "/settings")
    assert url == f"{podium.url}/oauth/authorize"
    assert asked["code_challenge_method"] == "S256" and len(asked["nonce"]) > 20 and len(asked["state"]) > 20
    answer = arrive(visitor, agreed(app, firm, asked))
    assert answer.status_code == 303 and answer.headers["location"] == "/settings"
    assert me(visitor) == "bob-2", "the Bob who is here already is somebody else"
    assert "bob" in visitor.get("/settings").text
    assert {"user.add", "user.sign_in"} <= set(audited(here, "bob-2"))
    again = Browser(here)
    arrive(again, agreed(app, firm, leave(again)[1]))
    assert me(again) == "bob-2"
    assert again.post("/logout", "/settings").headers["location"] == "/?done=signedout" and me(again) is None
    assert me(visitor) == "bob-2", "the other browser stays"


def test_an_account_is_linked_by_its_user_and_by_nobody_else(here, podium, app, visitor):
    firm, user = at(podium, "ada"), here.parts.accounts.user("ada")
    assert visitor.sign_in("ada", here.token).status_code == 303
    page = visitor.post("/settings/provider/link", "/settings")
    assert page.status_code == 200 and "form-action 'self'" in page.headers["content-security-policy"]
    found = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', page.text)[1].replace("&amp;", "&")
    asked = dict(parse_qsl(urlsplit(found).query))
    answer = arrive(visitor, agreed(app, firm, asked))
    assert answer.status_code == 303 and answer.headers["location"] == "/settings?done=linked#identities"
    [kept] = here.parts.identities.of(user)
    assert kept.issuer == podium.url and kept.subject == podium.ada.id and "ada" in visitor.get("/settings").text
    other = Browser(here)
    arrive(other, agreed(app, firm, leave(other)[1]))
    assert me(other) == "ada", "the link signs in"
    assert {"user.identity_add", "user.sign_in"} <= set(audited(here, "ada"))

    mine = Browser(here)  # somebody else cannot have it, too
    assert mine.sign_in("bob", here.bobs).status_code == 303
    page = mine.post("/settings/provider/link", "/settings")
    asked = dict(parse_qsl(urlsplit(re.search(r"url=([^\"]+)", page.text)[1].replace("&amp;", "&")).query))
    assert failure(arrive(mine, agreed(app, firm, asked))) == (409, "PROVIDER_TAKEN")

    stuck = visitor.post("/settings/provider/unlink", "/settings", id=kept.id)
    assert stuck.status_code == 409 and "LAST_WAY" in stuck.text, "there is no password yet"
    assert mine.post("/settings/provider/unlink", "/settings", id=kept.id).status_code == 404
    here.parts.accounts.set_password(user, "correct horse")
    visitor.sign_in("ada", "correct horse")
    assert visitor.post("/settings/provider/unlink", "/settings", id=kept.id).status_code == 303
    assert here.parts.identities.of(user) == [] and "user.identity_drop" in audited(here, "ada")


def test_only_a_form_of_ours_begins_a_link_and_only_its_session_ends_it(here, podium, app, visitor):
    visitor.sign_in("bob", here.bobs)
    assert visitor.http.post("/settings/provider/link", data={"proof": "0" * 40}).status_code == 403
    page = visitor.post("/settings/provider/link", "/settings")
    asked = dict(parse_qsl(urlsplit(re.search(r"url=([^\"]+)", page.text)[1].replace("&amp;", "&")).query))
    visitor.post("/logout", "/settings")
    params = agreed(app, at(podium, "bob"), asked)
    assert failure(arrive(visitor, params)) == (403, "PROVIDER_STATE") and me(visitor) is None


def test_who_refuses_is_not_signed_in(here, podium, app, visitor):
    params = agreed(app, at(podium, "bob"), leave(visitor)[1], answer="no")
    assert params["error"] == "access_denied"
    assert failure(arrive(visitor, params)) == (403, "PROVIDER_REFUSED") and me(visitor) is None


def test_a_way_back_is_good_once_and_in_one_browser(here, podium, app, visitor):
    firm = at(podium, "bob")
    params = agreed(app, firm, leave(visitor)[1])
    other = Browser(here)
    assert failure(arrive(other, params)) == (403, "PROVIDER_STATE")
    leave(other)
    assert failure(arrive(other, params)) == (403, "PROVIDER_STATE"), "its own journey is another"
    kept = visitor.http.cookies.get("podium-journey")
    assert arrive(visitor, params).status_code == 303
    assert failure(arrive(visitor, params)) == (403, "PROVIDER_STATE"), "the cookie is gone"
    visitor.http.cookies.set("podium-journey", kept, domain="127.0.0.1", path="/")
    assert failure(arrive(visitor, params)) == (403, "PROVIDER_CODE"), "the provider gives for a code once"


def test_the_device_page_comes_after_signing_in(here, podium, app, visitor):
    """`hf auth login` shows a code; whoever follows it signs in on the way."""
    answer = visitor.get("/oauth/device?user_code=ABCD-EFGH")
    login = visitor.get(answer.headers["location"]).text
    button = re.search(r'href="([^"]+/login/provider[^"]+)"', login)[1].replace("&amp;", "&")
    gone = visitor.get(button)
    params = agreed(app, at(podium, "bob"), dict(parse_qsl(urlsplit(gone.headers["location"]).query)))
    assert arrive(visitor, params).headers["location"] == "/oauth/device?user_code=ABCD-EFGH"


@pytest.mark.parametrize("next", ["https://evil.example/", "//evil.example", "/\\evil.example", "/%2fevil.example"])
def test_nobody_is_led_elsewhere(here, podium, app, visitor, next):
    params = agreed(app, at(podium, "bob"), leave(visitor, next)[1])
    assert arrive(visitor, params).headers["location"] == "/"


def test_passwords_can_be_off_and_sign_in_links_still_work(here, podium, visitor):
    here.parts.identities.rules = Rules(passwords=False)
    page = visitor.get("/login").text
    assert 'type="password"' not in page and "Sign in with The Firm" in page
    proof = re.search(r'name="proof" value="([0-9a-f]{40})"', visitor.get("/login?code=x").text)[1]
    tried = visitor.http.post("/login", data={"proof": proof, "name": "ada", "password": here.token})
    assert tried.status_code == 401 and me(visitor) is None
    code = here.parts.accounts.sign_in_link("ada")
    assert visitor.post("/login", f"/login?code={code}", code=code).status_code == 303 and me(visitor) == "ada"
    assert 'id="password"' not in visitor.get("/settings").text


def test_without_a_provider_there_is_no_way_to_one(here, visitor):
    assert "/login/provider" not in visitor.get("/login").text
    assert failure(visitor.get("/login/provider")) == (404, "PROVIDER_OFF")
    assert failure(arrive(visitor, {"code": "x", "state": "y"})) == (404, "PROVIDER_OFF")


# --------------------------------------------------------------------------------------- with one that breaks the rules


@cache
def rsa_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Liar:
    """A provider that does what a test wants: `changes` of its claims, `says`: whole answers by path."""

    def __init__(self):
        self.key = rsa_key()
        self.algorithm, self.kid, self.codes = "RS256", "k1", {}
        self.changes, self.says, self.document, self.userinfo = {}, {}, {}, {}
        self.done, self.now = threading.Event(), time.time
        self.seen = []
        liar = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *words):
                pass

            def do_GET(self):
                liar.seen.append(self.path)
                said = liar.says.get(self.path.partition("?")[0])
                status, headers, body = said(self) if said else (200, {}, json.dumps(liar.answer(self.path)).encode())
                try:
                    self.send_response(status)
                    for name, value in {"Content-Length": str(len(body)), **headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass  # whoever asked has hung up

            def do_POST(self):
                form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
                liar.seen.append(form)
                status, told = liar.token(form, self.headers.get("Authorization", ""))
                body = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path):
        if path == "/jwks":
            kind = RSAAlgorithm if isinstance(self.key, rsa.RSAPrivateKey) else ECAlgorithm
            public = json.loads(kind.to_jwk(self.key.public_key()))
            return {"keys": [{"kty": "oct", "k": "AAAA", "kid": "k0"}, {**public, "kid": self.kid, "use": "sig"}]}
        if path == "/userinfo":
            return self.userinfo
        return {
            "issuer": self.url, "authorization_endpoint": f"{self.url}/authorize", "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks", "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
        } | self.document  # fmt: skip

    def agrees(self, handler):
        """What a real browser gets that comes with a question: straight back."""
        asked = dict(parse_qsl(urlsplit(handler.path).query))
        return 302, {"Location": f"{asked['redirect_uri']}?{urlencode(self.agree(asked))}"}, b""

    def agree(self, asked):
        """A code for what the browser brought."""
        code = secrets.token_urlsafe(8)
        self.codes[code] = asked
        return {"code": code, "state": asked["state"]}

    def token(self, form, authorization):
        asked = self.codes.pop(form.get("code"), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        proven = asked and base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]
        if base64.b64decode(authorization.partition(" ")[2]) != b"podium:hush":
            return 401, {"error": "invalid_client"}
        if not proven or form["redirect_uri"] != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": "at", "token_type": "Bearer", "id_token": self.proof(asked["nonce"])}

    def proof(self, nonce):
        now = int(self.now())
        claims = {
            "iss": self.url, "sub": "u-1", "aud": "podium", "exp": now + 300, "iat": now, "nonce": nonce,
            "preferred_username": "Grace.Hopper@navy.example", "email": "grace@navy.example", "email_verified": True,
            "name": "Grace Hopper", "groups": [],
        }  # fmt: skip
        claims = {name: value for name, value in (claims | self.changes).items() if value is not None}
        if self.algorithm == "none":
            return jwt.encode(claims, None, "none")
        if self.algorithm == "HS256":
            return self._by_public_key(claims)
        return jwt.encode(claims, self.key, self.algorithm, headers={"kid": self.kid_told or self.kid})

    kid_told = ""

    def _by_public_key(self, claims):
        """The old trick: the public key, which everybody has, as a shared secret."""
        kinds = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        secret = self.key.public_key().public_bytes(*kinds)
        words = [json.dumps(one).encode() for one in ({"alg": "HS256", "kid": self.kid, "typ": "JWT"}, claims)]
        signed = b".".join(base64.urlsafe_b64encode(one).rstrip(b"=") for one in words)
        mac = base64.urlsafe_b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).rstrip(b"=")
        return (signed + b"." + mac).decode()


@pytest.fixture
def liar(here):
    made = Liar()
    yield made
    made.done.set()
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def fooled(here, liar, visitor):
    """Signs in with it: the answer. Time stands still for both but for `fooled.clock`."""
    start, clock = time.time(), [0.0]
    fetch = Fetch(seconds=PATIENT)
    liar.now = lambda: start + clock[0]
    provider = OpenID(liar.url, "podium", "hush", f"{here.url}{BACK}", fetch=fetch, clock=liar.now)
    here.parts.identities._provider = provider

    def come(seconds=None, browser=visitor, **params):
        fetch._seconds = seconds or PATIENT
        answer = browser.get("/login/provider")
        if answer.status_code != 303:
            return answer
        asked = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
        given = liar.agree(asked) | params
        return arrive(browser, {name: value for name, value in given.items() if value is not None})

    come.clock = clock
    return come


def test_a_first_sign_in_makes_a_user_out_of_the_claims(here, liar, fooled, visitor):
    assert fooled().headers["location"] == "/"
    user = here.parts.accounts.user("Grace.Hopper")
    assert me(visitor) == "Grace.Hopper" and (user.fullname, user.email) == ("Grace Hopper", "grace@navy.example")
    assert not user.is_admin and not user.password_hash
    asked = [one for one in liar.seen if isinstance(one, dict)]
    assert len(asked) == 1 and "client_secret" not in asked[0], "the secret is in the header"


def test_the_same_address_is_not_the_same_person(here, liar, fooled, visitor):
    ada = here.parts.accounts.user("ada")
    with here.store.write() as tx:
        tx.accounts.update_owner(ada.id, email="ada@navy.example")
    liar.changes = {"sub": "thief", "email": "ada@navy.example", "preferred_username": "ada"}
    fooled()
    assert me(visitor) not in ("ada", None) and me(visitor).startswith("ada-")
    assert here.parts.identities.of(ada) == []


@pytest.mark.parametrize(("changes", "code"), [
    ({"nonce": "another"}, "PROVIDER_NONCE"), ({"nonce": None}, "PROVIDER_NONCE"),
    ({"aud": "somebody-else"}, "PROVIDER_AUDIENCE"), ({"aud": None}, "PROVIDER_AUDIENCE"),
    ({"aud": ["podium", "other"]}, "PROVIDER_AUDIENCE"), ({"aud": ["podium", "other"], "azp": "other"}, "PROVIDER_AUDIENCE"),
    ({"azp": "other"}, "PROVIDER_AUDIENCE"), ({"aud": []}, "PROVIDER_AUDIENCE"),
    ({"iss": "https://evil.example"}, "PROVIDER_ISSUER"), ({"iss": None}, "PROVIDER_ISSUER"),
    ({"exp": 1_600_000_000}, "PROVIDER_CLOCK"), ({"iat": 4_000_000_000}, "PROVIDER_CLOCK"),
    ({"nbf": 4_000_000_000}, "PROVIDER_CLOCK"), ({"exp": "soon"}, "PROVIDER_TOKEN"), ({"exp": None}, "PROVIDER_TOKEN"),
    ({"iat": None}, "PROVIDER_TOKEN"), ({"sub": None}, "PROVIDER_TOKEN"), ({"sub": ""}, "PROVIDER_TOKEN"),
    ({"sub": "x" * 256}, "PROVIDER_TOKEN"), ({"at_hash": "AAAA"}, "PROVIDER_TOKEN"),
])  # fmt: skip
def test_a_proof_holds_in_every_part_or_not_at_all(liar, fooled, visitor, changes, code):
    liar.changes = changes
    assert failure(fooled()) == (403, code) and me(visitor) is None


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS512"])
def test_only_signatures_that_the_provider_alone_can_make(liar, fooled, visitor, algorithm):
    liar.algorithm = algorithm  # RS512 is not among those that its document names
    assert failure(fooled()) == (403, "PROVIDER_SIGNATURE") and me(visitor) is None


def test_elliptic_curves_are_fine_and_another_key_of_the_same_name_is_not(liar, fooled, visitor):
    liar.key, liar.algorithm = ec.generate_private_key(ec.SECP256R1()), "ES256"
    assert fooled().status_code == 303
    liar.key = ec.generate_private_key(ec.SECP256R1())
    assert failure(fooled(browser=Browser(visitor.console))) == (403, "PROVIDER_SIGNATURE")


def test_an_unknown_key_is_asked_for_once_in_a_while(liar, fooled, visitor):
    assert fooled().status_code == 303
    liar.kid_told = "k2"
    assert failure(fooled()) == (403, "PROVIDER_SIGNATURE")
    assert liar.seen.count("/jwks") == 1, "keys of a moment ago are not asked for again"
    liar.kid, fooled.clock[0] = "k2", 45.0  # the provider has changed its keys
    assert fooled().status_code == 303 and liar.seen.count("/jwks") == 2


def test_state_error_and_issuer_of_the_way_back(liar, fooled, visitor):
    for params, wanted in (
        ({"state": "x"}, "PROVIDER_STATE"), ({"state": None}, "PROVIDER_STATE"), ({"state": "\u00e4"}, "PROVIDER_STATE"),
        ({"iss": "https://evil.example"}, "PROVIDER_ISSUER"), ({"code": "made-up"}, "PROVIDER_CODE"),
        ({"code": None}, "PROVIDER_CODE"), ({"error": "access_denied"}, "PROVIDER_REFUSED"),
        ({"error": "<script>"}, "PROVIDER_SETUP"),
    ):  # fmt: skip
        answer = fooled(**params)
        assert failure(answer) == (403, wanted) and "<script>" not in answer.text.partition("<main")[2], params
    assert failure(fooled(error="temporarily_unavailable")) == (503, "PROVIDER_AWAY")
    assert me(visitor) is None


def test_who_promises_to_say_who_it_is_must(liar, fooled):
    liar.document = {"authorization_response_iss_parameter_supported": True}
    assert failure(fooled()) == (403, "PROVIDER_ISSUER")
    assert fooled(iss=liar.url).status_code == 303


def signs_out(browser):
    """(where the page leads that follows, what is asked there), ("", {}) when it leads nowhere else."""
    answer = browser.post("/logout", "/settings")
    assert me(browser) is None
    if answer.status_code == 303:
        assert answer.headers["location"] == "/?done=signedout"
        return "", {}
    assert answer.headers["referrer-policy"] == "no-referrer" and "signed out here" in answer.text
    url, _, query = html.unescape(re.search(r'class="button primary[^"]*" href="([^"]+)"', answer.text)[1]).partition(
        "?"
    )
    return url, dict(parse_qsl(query))


def test_who_signed_in_there_is_shown_the_way_out_of_there(here, liar, fooled, visitor):
    liar.document = {"end_session_endpoint": f"{liar.url}/bye"}
    fooled()
    url, asked = signs_out(visitor)
    assert url == f"{liar.url}/bye" and asked["client_id"] == "podium"
    assert asked["post_logout_redirect_uri"] == f"{here.url}{BACK}", "the one address that a provider knows"
    assert jwt.decode(asked["id_token_hint"], options={"verify_signature": False})["sub"] == "u-1"
    assert visitor.get(BACK).headers["location"] == "/?done=signedout", "the way back from there"
    visitor.sign_in("bob", here.bobs)
    assert signs_out(visitor) == ("", {}), "who came with a token has no business there"


def test_the_proof_of_one_session_is_not_sent_for_another(here, liar, fooled, visitor):
    liar.document = {"end_session_endpoint": f"{liar.url}/bye"}
    fooled()
    del visitor.http.cookies["podium-session"]  # it ended elsewhere
    visitor.sign_in("bob", here.bobs)
    assert signs_out(visitor) == ("", {})


@pytest.mark.parametrize("place", [None, "http://evil.example/bye", "javascript:alert(1)", 5])
def test_signing_out_here_needs_nothing_of_the_provider(liar, fooled, visitor, place):
    fooled()
    liar.document = {"end_session_endpoint": place}
    fooled.clock[0] = 4000.0  # the document is asked for anew
    assert signs_out(visitor) == ("", {})
    fooled()
    liar.says[DISCOVERY] = lambda asked: (500, {}, b"{}")
    fooled.clock[0] = 9000.0
    assert signs_out(visitor) == ("", {})


def test_a_proof_that_is_too_long_for_a_cookie_is_left_out(liar, fooled, visitor):
    liar.document = {"end_session_endpoint": f"{liar.url}/bye"}
    liar.changes = {"groups": [f"group-{n:04}" for n in range(400)]}
    fooled()
    url, asked = signs_out(visitor)
    assert url == f"{liar.url}/bye" and set(asked) == {"client_id", "post_logout_redirect_uri"}


DISCOVERY = "/.well-known/openid-configuration"


@pytest.mark.parametrize(("path", "said"), [
    (DISCOVERY, lambda asked: (302, {"Location": DISCOVERY}, b"")),
    (DISCOVERY, lambda asked: (200, {}, b"<html>")),
    (DISCOVERY, lambda asked: (200, {}, b"[" * 100_000)),
    (DISCOVERY, lambda asked: (404, {}, b"{}")),
    (DISCOVERY, lambda asked: (200, {"Content-Length": "99"}, b"{")),
    ("/jwks", lambda asked: (200, {}, b'{"keys": [' + b" " * 5_000_000 + b"]}")),
    ("/jwks", lambda asked: (200, {"Transfer-Encoding": "nonsense"}, b"zz")),
    ("/jwks", lambda asked: (500, {}, b"{}")),
])  # fmt: skip
def test_what_is_no_provider_is_away(liar, fooled, visitor, path, said):
    liar.says[path] = said
    assert failure(fooled()) == (503, "PROVIDER_AWAY") and me(visitor) is None


def test_a_silent_provider_holds_nobody_and_is_left_alone_for_a_moment(liar, fooled, visitor):
    liar.says[DISCOVERY] = lambda asked: (liar.done.wait(60), (200, {}, b"{}"))[1]
    assert failure(fooled(0.3)) == (503, "PROVIDER_AWAY")
    liar.says.clear()
    assert failure(fooled()) == (503, "PROVIDER_AWAY"), "it was silent a moment ago"
    fooled.clock[0] = 10.0
    assert fooled().status_code == 303 and me(visitor)


@pytest.mark.parametrize("document", [
    {"issuer": "https://other.example"}, {"authorization_endpoint": "http://evil.example/"}, {"token_endpoint": None},
    {"authorization_endpoint": "javascript:alert(1)"}, {"jwks_uri": "file:///etc/passwd"}, {"token_endpoint": ["x"]},
])  # fmt: skip
def test_a_document_that_cannot_be_is_a_matter_for_whoever_runs_it(liar, fooled, document):
    liar.document = document
    assert failure(fooled()) == (403, "PROVIDER_SETUP")


def test_a_wrong_client_secret_is_said_and_never_shown(here, liar, fooled):
    here.parts.identities._provider._secret = "wrong-secret"
    answer = fooled()
    assert failure(answer) == (403, "PROVIDER_SETUP") and "invalid_client" in answer.text
    assert "wrong-secret" not in answer.text


def test_what_the_proof_leaves_out_is_asked_for(here, liar, fooled, visitor):
    liar.document = {"userinfo_endpoint": f"{liar.url}/userinfo"}
    liar.changes = {"sub": "u-2", "preferred_username": None, "email": None, "name": None}
    liar.userinfo = {"sub": "u-3", "preferred_username": "somebody-else"}
    assert failure(fooled()) == (403, "PROVIDER_TOKEN")
    liar.userinfo = {"sub": "u-2", "preferred_username": "lean", "iss": "https://evil.example"}
    assert fooled().status_code == 303 and me(visitor) == "lean"


def test_domains_and_unknown_people_can_be_kept_out(here, liar, fooled, visitor):
    here.parts.identities.rules = Rules(domains=("corp.example",))
    assert failure(fooled()) == (403, "PROVIDER_DOMAIN")
    for unproven in (False, None, "yes"):
        liar.changes = {"email": "g@corp.example", "email_verified": unproven}
        assert failure(fooled()) == (403, "PROVIDER_DOMAIN")
    here.parts.identities.rules = Rules(domains=("corp.example",), accounts=False)
    liar.changes = {"email": "g@CORP.example", "sub": "new"}
    assert failure(fooled()) == (403, "PROVIDER_NO_ACCOUNT") and me(visitor) is None


def test_groups_decide_at_each_sign_in(here, liar, fooled, visitor):
    here.parts.identities.rules = Rules(groups=parse_groups("Data Science=acme:write; ops = admin; gone=nowhere:read"))
    liar.changes = {"sub": "grouped", "preferred_username": "gil", "groups": ["Data Science", "ops"]}
    fooled()
    user = here.parts.accounts.user("gil")
    assert [(org.name, role) for org, role in here.parts.accounts.orgs_of(user)] == [("acme", Role.WRITE)]
    assert user.is_admin
    here.parts.accounts.add_user("root", admin=True)
    liar.changes |= {"groups": "nothing"}
    fooled()
    assert here.parts.accounts.orgs_of(user) == [] and not here.parts.accounts.user("gil").is_admin


# ------------------------------------------------------------------------------------------------------- the pure parts


@pytest.mark.parametrize(("claims", "first"), [
    ({"preferred_username": "Ada.Lovelace@example.org"}, "Ada.Lovelace"), ({"preferred_username": "Zoë Müller"}, "Zoe-Muller"),
    ({"preferred_username": "login", "email": "ada@x.org"}, "ada"),
    ({"preferred_username": "Kernels", "email": "ada@x.org"}, "ada"), ({"preferred_username": 7, "name": "Ada L."}, "Ada-L"),
    ({"preferred_username": "../../etc"}, "etc"), ({"preferred_username": "a--b..c.git"}, "user"), ({"name": "李"}, "user"),
    ({}, "user"), ({"preferred_username": "x" * 300}, "x" * 40),
])  # fmt: skip
def test_names_are_made_of_what_there_is(claims, first):
    found = names(claims, "preferred_username")
    assert [next(found), next(found)] == [first, f"{first}-2"]


@pytest.mark.parametrize("text", ["admin", "=admin", "ops=", "ops=write", "ops=acme:owner", "ops=:write"])
def test_rules_for_groups_are_read_strictly(text):
    with pytest.raises(Invalid, match="PODIUM_OIDC_GROUPS"):
        parse_groups(text)


@pytest.mark.parametrize(("changes", "says"), [
    ({"oidc_issuer": "sso.example.org"}, "write the provider's https:// URL"), ({"oidc_client_id": ""}, "CLIENT_ID"),
    ({"oidc_scopes": "profile"}, "openid must be among them"), ({"oidc_client_secret_file": "/nowhere"}, "No such file"),
    ({"oidc_issuer": "http://sso.example.org"}, "https"), ({"oidc_client_secret": "a\nb"}, "holds characters"),
    ({"oidc_name": "x" * 61}, "at most 60"), ({"oidc_client_secret": "a", "oidc_client_secret_file": "/b"}, "both set"),
])  # fmt: skip
def test_settings_that_cannot_work_are_refused(tmp_path, changes, says):
    good = {"data": tmp_path, "oidc_issuer": "https://sso.example.org/realm", "oidc_client_id": "podium"}
    assert registered(Settings(**good)).back == "http://localhost:8000/login/provider/callback"
    with pytest.raises(Invalid, match=re.escape(says)) as caught:
        registered(Settings(**good | changes))
    assert "a\nb" not in caught.value.message


def test_the_secret_is_in_no_text(tmp_path):
    (tmp_path / "secret").write_text("hush\n")
    known = {"data": tmp_path, "oidc_issuer": "https://sso.example.org", "oidc_client_id": "podium"}
    assert registered(Settings(**known, oidc_client_secret_file=str(tmp_path / "secret"))).secret == "hush"
    settings = Settings(**known, oidc_client_secret="hush")
    assert "hush" not in repr(settings) + repr(registered(settings))
    with pytest.raises(Invalid, match="PODIUM_PASSWORD_SIGN_IN"):
        rules(Settings(data=tmp_path, password_sign_in=0))


def test_the_doctor_asks_the_provider(liar, tmp_path):
    known = {"data": tmp_path, "oidc_issuer": liar.url, "oidc_client_id": "podium"}
    assert checks.sign_in(Settings(data=tmp_path)).state == checks.sign_in(Settings(**known)).state == "ok"
    liar.document = {"issuer": "https://other.example"}
    found = checks.sign_in(Settings(**known))
    assert found.state == "bad" and "https://other.example" in found.found
    assert checks.sign_in(Settings(**known, oidc_accounts=2)).state == "bad"


@pytest.mark.parametrize(("url", "safe"), [
    ("https://sso.example.org/auth?x=1", True), ("http://127.0.0.1:9/x", True), ("http://sso.example.org/", False),
    ("https://a@b/", False), ("https:///x", False), ("https://x:99999/", False), ("https://x/ y", False), ("", False),
])  # fmt: skip
def test_what_others_could_listen_to_is_not_asked(url, safe):
    assert is_safe(url) is safe


def test_a_doubled_parameter_is_none():
    assert told("code=a&state=b") == {"code": "a", "state": "b"} and told("code=a&code=b&state=c") == {}
    assert told("x=" + "y" * 20_000) == {} and told("&".join(f"a{n}=1" for n in range(60))) == {}
