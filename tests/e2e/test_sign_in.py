"""The real `hf auth …` and git, signing in to a Podium with a browser in the other hand."""

import json
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.e2e.hub import Hub
from tests.support import bearer, eventually

pytest.importorskip("huggingface_hub")


class Console:
    """A browser in which the owner of a Podium is signed in."""

    def __init__(self, podium):
        headers = {"accept": "text/html", "sec-fetch-site": "same-origin"}
        # By address: the cookie jar of httpx knows nothing of a domain without a dot.
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{podium.port}", headers=headers, timeout=60)
        page = self.http.get("/login").text
        form = {"proof": proof(page), "name": podium.owner, "password": podium.token, "next": "/"}
        assert self.http.post("/login", data=form).status_code == 303

    def answer(self, url, answer="yes"):
        """Open the link that a program shows, read it, and say yes or no."""
        page = self.http.get("/" + url.split("/", 3)[3]).text
        code = re.search(r'name="user_code" value="([A-Z]{4}-[A-Z]{4})"', page)[1]
        form = {"proof": proof(page), "user_code": code, "answer": answer}
        assert self.http.post("/oauth/device/answer", data=form).status_code == 303
        return page


def proof(page):
    return re.search(r'name="proof" value="([0-9a-f]{40})"', page)[1]


@pytest.fixture
def laptop(podium, tmp_path):
    """Somebody's machine, with nobody signed in."""
    made = Hub(podium, tmp_path / "laptop", None)
    made.environ |= {
        "HOME": str(tmp_path / "laptop"),
        "GIT_CONFIG_GLOBAL": str(tmp_path / "laptop" / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "NO_COLOR": "1",
    }
    return made


@contextmanager
def login(laptop):
    """`hf auth login` until it shows a link: (process, link, log)."""
    command = [str(Path(sys.executable).parent / "hf"), "auth", "login"]
    log = Path(laptop.environ["HOME"]) / "login.log"
    process = subprocess.Popen(
        command, env=laptop.environ, stdin=subprocess.DEVNULL, stdout=log.open("w"), stderr=subprocess.STDOUT
    )

    def link():
        assert process.poll() is None, log.read_text()
        return re.search(r"http://\S+/oauth/device\?user_code=\S+?(?=[\"\s])", log.read_text())

    try:
        yield process, eventually(link, 30, "hf auth login showing a link")[0], log
    finally:
        process.kill()
        process.wait(10)


def test_hf_auth_login_in_the_browser(podium, laptop):
    with login(laptop) as (process, link, log):
        page = Console(podium).answer(link)
        assert "python-httpx" in page, "what asks is shown"
        assert process.wait(60) == 0, log.read_text()
    assert podium.owner in laptop.cli("auth", "whoami").stdout
    listed = laptop.cli("auth", "list").stdout
    assert "hf auth login" in listed
    stored = (Path(laptop.environ["HF_HOME"]) / "stored_tokens").read_text()
    assert "refresh_token" in stored
    token = (Path(laptop.environ["HF_HOME"]) / "token").read_text().strip()
    me = podium.request("GET", "/api/whoami-v2", token=token).json()
    assert me["auth"]["accessToken"]["role"] == "write"
    assert laptop.run("result = str(api.create_repo('signed-in', repo_type='space', space_sdk='static'))")
    laptop.run("api.delete_repo('signed-in', repo_type='space')")


def test_the_token_renews_itself(podium, laptop):
    with login(laptop) as (process, link, log):
        Console(podium).answer(link)
        assert process.wait(60) == 0, log.read_text()
    home = Path(laptop.environ["HF_HOME"])
    before, stored = (home / "token").read_text(), (home / "stored_tokens").read_text()
    (home / "stored_tokens").write_text(re.sub(r"expires_at = \d+", "expires_at = 1", stored))
    assert podium.owner in laptop.cli("auth", "whoami").stdout
    after = (home / "token").read_text()
    assert after != before
    for token in (before, after):  # another process may hold the old one
        assert podium.request("GET", "/api/whoami-v2", token=token.strip()).status_code == 200


def test_hf_auth_login_refused(podium, laptop):
    with login(laptop) as (process, link, log):
        Console(podium).answer(link, "no")
        assert process.wait(60) != 0
    assert "denied" in log.read_text().lower()
    assert not (Path(laptop.environ["HF_HOME"]) / "token").exists()


def test_tokens_by_hand_switch_list_and_log_out(podium, laptop):
    other = podium.cli("token", "add", podium.owner, "--role", "read", "--name", "reader", "--data", str(podium.data))
    reader = other.stdout.strip()
    for token in (podium.token, reader):
        done = laptop.cli("auth", "login", "--token", token)
        assert done.returncode == 0, done.stderr
    listed = laptop.cli("auth", "list").stdout
    assert "reader" in listed
    name = podium.request("GET", "/api/whoami-v2", token=podium.token).json()["auth"]["accessToken"]["displayName"]
    assert laptop.cli("auth", "switch", "--token-name", name).returncode == 0
    assert (Path(laptop.environ["HF_HOME"]) / "token").read_text().strip() == podium.token
    assert laptop.cli("auth", "logout", "--token-name", "reader").returncode == 0
    assert "reader" not in laptop.cli("auth", "list").stdout
    assert laptop.cli("auth", "logout").returncode == 0
    assert laptop.cli("auth", "login", "--token", "hf_" + "0" * 34).returncode != 0


def test_git_pushes_with_what_hf_keeps(podium, laptop, space):
    def git(*words, cwd=None):
        return subprocess.run(
            ["git", *words],
            cwd=cwd or laptop.environ["HOME"],
            env=laptop.environ,
            capture_output=True,
            text=True,
            timeout=120,
        )

    git("config", "--global", "credential.helper", "store")
    done = laptop.cli("auth", "login", "--token", podium.token, "--add-to-git-credential")
    assert done.returncode == 0, done.stderr
    laptop.run("api.create_repo(id, repo_type='space', space_sdk='static', private=True)", id=space.id)
    remote = f"{podium.url}/spaces/{space.id}"
    work = Path(laptop.environ["HOME"]) / "work"
    assert git("clone", "-q", remote, str(work)).returncode == 0
    (work / "index.html").write_text("hello")
    for words in (("add", "-A"), ("-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-qm", "x")):
        assert git(*words, cwd=work).returncode == 0
    pushed = git("push", "-q", "origin", "main", cwd=work)
    assert pushed.returncode == 0, pushed.stderr
    (Path(laptop.environ["HOME"]) / ".git-credentials").unlink()
    assert git("ls-remote", remote).returncode != 0, "without the helper a private repo is closed"


def test_a_fine_grained_token_does_what_it_names(podium, laptop, space, tmp_path):
    laptop.environ["HF_TOKEN"] = podium.token
    laptop.run("api.create_repo(id, repo_type='space', space_sdk='static', private=True)", id=space.id)
    laptop.run("api.create_repo(id + '-2', repo_type='space', space_sdk='static', private=True)", id=space.id)
    try:
        add = ("token", "add", podium.owner, "--role", "fineGrained", "--data", str(podium.data), "--days", "1")
        writer = podium.cli(*add, "--repo", f"{space.id}:write").stdout.strip()
        laptop.environ["HF_TOKEN"] = writer
        told = laptop.run(
            """
            upload = dict(path_or_fileobj=b"x", path_in_repo="x.txt", repo_type="space")
            result = {
                "me": api.whoami(),
                "upload": str(api.upload_file(repo_id=id, **upload)),
                "other": refused(api.upload_file, repo_id=id + "-2", **upload)[:2],
                "create": refused(api.create_repo, id + "-3", repo_type="space", space_sdk="static")[:2],
                "listed": [s.id for s in api.list_spaces(author=id.split("/")[0])],
            }
            """,
            id=space.id,
        )
        token = told["me"]["auth"]["accessToken"]
        assert token["role"] == "fineGrained"
        assert token["expiration"]
        (scoped,) = token["fineGrained"]["scoped"]
        assert (scoped["entity"]["name"], scoped["entity"]["type"]) == (space.id, "space")
        assert scoped["permissions"] == ["repo.content.read", "repo.write"]
        assert told["other"] == ["RepositoryNotFoundError", 404]
        assert told["create"][1] == 403
        assert space.id in told["listed"] and f"{space.id}-2" not in told["listed"]
        reader = podium.cli(*add, "--org", f"{podium.owner}:read").stdout.strip()
        laptop.environ["HF_TOKEN"] = reader
        assert laptop.run("result = api.list_repo_files(id + '-2', repo_type='space')", id=space.id)
        refused = laptop.run("result = refused(api.delete_repo, id, repo_type='space')[1]", id=space.id)
        assert refused == 403
        answer = podium.http.get("/api/whoami-v2", headers=bearer(reader)).json()
        assert (
            json.dumps(answer["auth"]["accessToken"]["fineGrained"]["scoped"][0]["permissions"])
            == '["repo.content.read"]'
        )
    finally:
        podium.request(
            "DELETE",
            "/api/repos/delete",
            {"name": f"{space.name}-2", "organization": space.owner, "type": "space"},
            podium.token,
        )
