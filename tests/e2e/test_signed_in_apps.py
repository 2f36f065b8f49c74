"""Apps that sign visitors in, behind TLS as operators have it: the real gradio with `gr.LoginButton`, pages of a static Space,
and a Space that loads another one. The certificate's authority is known to the apps by a variable and a file of theirs."""

import re
import secrets
from urllib.parse import urlsplit

import httpx
import pytest

from tests.https import APPS, Https
from tests.podium import Podium

README = "---\ntitle: {title}\nsdk: {sdk}\n{more}---\n"
GRADIO = "sdk_version: 6.31.0\n"
LOGIN = """
import os
import gradio as gr
from huggingface_hub import whoami

def who(profile: gr.OAuthProfile | None, token: gr.OAuthToken | None) -> str:
    if profile is None:
        return "nobody"
    role = whoami(token.token)["auth"]["accessToken"]["role"]
    return f"{profile.username} {profile.name} {role}"

with gr.Blocks() as demo:
    gr.LoginButton()
    told = gr.Textbox(label="Who")
    gr.Button("Ask").click(who, None, told, api_name="who")

demo.launch()
"""
BACK = """
import gradio as gr

def shout(text: str, file: str | None) -> tuple[str, str | None]:
    return text.upper(), file

gr.Interface(shout, [gr.Textbox(label="Text"), gr.File(label="File")], [gr.Textbox(), gr.File()], api_name="shout").launch()
"""
FRONT = """
import gradio as gr

gr.load("{back}", src="spaces").launch()
"""


@pytest.fixture(scope="module")
def https(tmp_path_factory):
    made = Https(tmp_path_factory.mktemp("https"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def podium(https, tmp_path_factory):
    """One that is reached by https only, and whose apps find it there too."""
    settings = {"public_url": https.url, "apps_domain": APPS, "trusted_proxies": "1", "app_hub": "1"}
    podium = Podium(tmp_path_factory.mktemp("signing"), **settings)
    try:
        podium.start()
        https.start(podium.port)
        yield podium
        podium.stop()
    finally:
        podium.end()


@pytest.fixture(scope="module")
def login(podium, https):
    return running(podium, https, "signs-in", {"app.py": LOGIN}, GRADIO + "hf_oauth: true\n")


def running(podium, https, name, files, more="", sdk="gradio"):
    """A Space with these files that trusts our authority."""
    space = podium.space(f"{name}-{secrets.token_hex(2)}").create(sdk=sdk)
    if sdk == "gradio":
        space.variable("SSL_CERT_FILE", "ca.pem")
        files = files | {"ca.pem": https.ca.read_text()}
    space.push(files=files | {"README.md": README.format(title=name, sdk=sdk, more=more)})
    space.wait("RUNNING", timeout=300)
    return space


class Visitor:
    """A browser as far as cookies and redirects go, of whoever `token` signs in to the console."""

    def __init__(self, https, name="", token=""):
        headers = {"accept": "text/html", "sec-fetch-site": "same-origin"}
        self.jars: dict[str, dict[str, str]] = {}
        self.https = https
        self.http = httpx.Client(verify=https.context, headers=headers, timeout=120)
        if token:
            page = self.go(f"{https.url}/login").text
            form = {"proof": proof(page), "name": name, "password": token, "next": "/"}
            assert self.go(f"{https.url}/login", form).status_code == 303

    def go(self, url, form=None, **more):
        """One request, no redirect followed; cookies by host, as `__Host-` ones are."""
        host = urlsplit(url).netloc
        cookies = "; ".join(f"{k}={v}" for k, v in self.jars.get(host, {}).items())
        headers = {"cookie": cookies} if cookies else {}
        answer = self.http.request("POST" if form is not None else "GET", url, data=form, headers=headers, **more)
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.jars.setdefault(host, {})[name] = value
        return answer

    def follow(self, url):
        """Until it is no redirect any more, or one to the console's consent page."""
        for _ in range(10):
            answer = self.go(url)
            if answer.status_code not in (301, 302, 303, 307):
                return answer
            url = str(httpx.URL(url).join(answer.headers["location"]))
        raise AssertionError(f"too many redirects, the last to {url}")

    def agree(self, page, answer="yes"):
        query = re.search(r'name="query" value="([^"]*)"', page.text)[1].replace("&amp;", "&")
        form = {"proof": proof(page.text), "query": query, "answer": answer}
        sent = self.go(f"{self.https.url}/oauth/authorize", form)
        assert sent.status_code == 302, sent.text
        return sent.headers["location"]


def proof(page):
    return re.search(r'name="proof" value="([0-9a-f]{40})"', page)[1]


def ask(visitor, space, name="who"):
    """What the app's function answers to this visitor."""
    base = f"{space.url}/gradio_api/call/{name}"
    called = visitor.http.post(base, json={"data": []}, headers={"cookie": "; ".join(
        f"{k}={v}" for k, v in visitor.jars.get(urlsplit(space.url).netloc, {}).items()
    )})  # fmt: skip
    assert called.status_code == 200, called.text
    told = visitor.go(f"{base}/{called.json()['event_id']}").text
    return re.search(r'data: \["(.*?)"\]', told)[1]


def test_the_login_button_of_gradio(podium, https, login):
    visitor = Visitor(https, podium.owner, podium.token)
    assert ask(visitor, login) == "nobody"
    page = visitor.follow(f"{login.url}/login/huggingface")
    assert f"{login.id} wants to know you" in page.text
    back = visitor.agree(page)
    assert back.startswith(f"{login.url}/login/callback?")
    home = visitor.follow(back)
    assert home.status_code == 200, home.text[:500]
    assert ask(visitor, login) == f"{podium.owner} {podium.owner} fineGrained"
    page = visitor.go(f"{https.url}/settings/tokens").text
    assert f"sign-in to {login.id}" in page
    visitor.follow(f"{login.url}/logout")
    assert ask(visitor, login) == "nobody"


def test_somebody_who_refuses_stays_nobody(podium, https, login):
    visitor = Visitor(https, podium.owner, podium.token)
    back = visitor.agree(visitor.follow(f"{login.url}/login/huggingface"), "no")
    assert "error=access_denied" in back
    visitor.go(back)
    assert ask(visitor, login) == "nobody"


def test_the_secret_reaches_no_visitor(podium, https, login):
    env = podium.request("GET", f"/api/spaces/{login.id}/variables", token=podium.token).text
    assert "OAUTH" not in env
    assert podium.request(
        "POST", f"/api/spaces/{login.id}/variables", {"key": "OAUTH_CLIENT_ID", "value": "x"}, podium.token
    ).status_code in (400, 422)


def test_pages_are_told_their_client_and_variables(podium, https):
    space = podium.space(f"pages-{secrets.token_hex(2)}").create(sdk="static")
    space.variable("MODE", "</script><b>")
    space.secret("HIDDEN", "do-not-tell")
    readme = README.format(title="Pages", sdk="static", more="hf_oauth: true\nhf_oauth_scopes: [email]\n")
    space.push(files={"README.md": readme, "index.html": "<html><head><title>x</title></head>hi</html>"})
    space.wait("RUNNING", timeout=60)
    page = Visitor(https).go(space.url).text
    assert page.startswith("<html><head><script>window.huggingface={variables:{")
    assert '"OAUTH_SCOPES": "openid profile email"' in page
    assert f'"OPENID_PROVIDER_URL": "{https.url}"' in page
    assert '"MODE": "\\u003c/script>' in page
    assert "do-not-tell" not in page and "OAUTH_CLIENT_SECRET" not in page


def test_a_space_loads_another_space(podium, https, login):
    back = running(podium, https, "back", {"app.py": BACK}, GRADIO)
    front = running(podium, https, "front", {"app.py": FRONT.replace("{back}", back.id)}, GRADIO)
    from gradio_client import Client

    loaded = Client(front.url, verbose=False, ssl_verify=str(https.ca), analytics_enabled=False)
    try:
        text, file = loaded.predict("hello", None, api_name="/shout")
        assert (text, file) == ("HELLO", None)
    finally:
        loaded.close()
    config = Visitor(https).http.get(f"{front.url}/config").json()
    proxied = {one["props"].get("proxy_url") for one in config["components"]}
    assert f"{back.url}/" in proxied
    got = Visitor(https).http.get(f"{front.url}/gradio_api/proxy={back.url}/config")
    assert got.status_code == 200, "its files come through"
    other = Visitor(https).http.get(f"{front.url}/gradio_api/proxy={login.url}/config")
    assert other.status_code >= 400, "only what was loaded"
