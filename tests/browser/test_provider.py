"""Signing in with a provider in a real browser, which alone knows what its cookies and policies let through: the provider is
another site here (localhost beside 127.0.0.1)."""

import pytest

from orchestrator.providers.fetch import Fetch
from orchestrator.providers.openid import OpenID
from orchestrator.services.identities import Identities
from orchestrator.services.links import SignedLinks
from tests.console import Console
from tests.unit.test_web_oidc import BACK, PATIENT, Liar, serve


@pytest.fixture
def provider():
    made = Liar()
    made.url = made.url.replace("127.0.0.1", "localhost")
    made.says["/authorize"] = made.agrees
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def console(tmp_path, provider):
    made = Console(tmp_path)
    made.url = f"http://127.0.0.1:{made.port}"
    asked = OpenID(provider.url, "podium", "hush", f"{made.url}{BACK}", name="The Firm", fetch=Fetch(seconds=PATIENT))
    seal = SignedLinks(made.parts.signing.derived("provider"))
    serve(made, identities=Identities(made.store, made.parts.accounts, seal, asked))
    with made.listening():
        yield made


def test_people_go_there_and_come_back(console, provider, page):
    page.set_default_timeout(PATIENT * 1000)
    page.goto(f"{console.url}/login?next=/settings")
    page.get_by_role("link", name="Sign in with The Firm").click()
    page.wait_for_url("**/settings")
    assert page.get_by_text("grace@navy.example").count() == 1

    provider.changes = {"sub": "second", "email": "hopper@navy.example"}
    page.get_by_role("button", name="Link another at The Firm").click()
    page.get_by_text("hopper@navy.example").wait_for()

    page.context.clear_cookies()
    provider.changes = {"aud": "another"}
    page.goto(f"{console.url}/login")
    page.get_by_role("link", name="Sign in with The Firm").click()
    page.get_by_text("PROVIDER_AUDIENCE").wait_for()
