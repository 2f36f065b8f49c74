"""Models and datasets by git, and a Space that gets another name while people use it, on a real Podium."""

import subprocess

import httpx
import pytest

from tests.support import Loopback, bearer, eventually, git


def make(podium, **body) -> None:
    answer = podium.request("POST", "/api/repos/create", body, podium.token)
    assert answer.status_code == 200, answer.text


def remote(podium, path: str, token: str | None = None) -> str:
    return f"http://{podium.owner}:{token or podium.token}@localhost:{podium.port}/{path}"


@pytest.mark.parametrize(("kind", "prefix"), [("model", ""), ("dataset", "datasets/")])
def test_git_clones_pushes_and_follows(podium, tmp_path, kind, prefix):
    name, at = f"by-git-{kind}", f"/api/{kind}s/{podium.owner}"
    make(podium, name=name, type=kind, private=True)
    git(tmp_path, "clone", "-q", remote(podium, f"{prefix}{podium.owner}/{name}.git"), "work")
    work = tmp_path / "work"
    (work / "README.md").write_text("---\nlicense: mit\ntags: [pushed]\n---\n")
    git(work, "add", ".")
    git(work, "commit", "-qm", "card")
    git(work, "push", "-q", "origin", "HEAD:main")
    head = git(work, "rev-parse", "HEAD").strip()

    told = podium.request("GET", f"{at}/{name}", token=podium.token).json()
    assert told["sha"] == head and "pushed" in told["tags"] and "license:mit" in told["tags"]
    assert "runtime" not in told

    body = {"fromRepo": f"{podium.owner}/{name}", "toRepo": f"{podium.owner}/{name}-moved", "type": kind}
    assert podium.request("POST", "/api/repos/move", body, podium.token).status_code == 200
    (work / "more.txt").write_text("more")
    git(work, "add", ".")
    git(work, "commit", "-qm", "more")
    git(work, "push", "-q", "origin", "HEAD:main")
    moved = podium.request("GET", f"{at}/{name}-moved", token=podium.token).json()
    assert moved["sha"] == git(work, "rev-parse", "HEAD").strip()

    for path in (f"{prefix}{podium.owner}/{name}-moved", f"{prefix}{podium.owner}/nope"):
        command = ["git", "-c", "credential.helper=", "ls-remote", f"{podium.url}/{path}"]
        seen = subprocess.run(
            command, capture_output=True, text=True, env={"GIT_TERMINAL_PROMPT": "0", "PATH": "/usr/bin:/bin"}
        )
        assert seen.returncode and "could not read Username" in seen.stderr
    answer = podium.http.get(f"/{prefix}{podium.owner}/{name}-moved/resolve/main/more.txt")
    assert answer.status_code == 401 and answer.headers["x-error-code"] == "RepoNotFound"


def test_a_push_to_no_model_makes_none(podium, tmp_path):
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "x")
    with pytest.raises(AssertionError):
        git(tmp_path, "push", "-q", remote(podium, f"{podium.owner}/slip"), "main")
    assert podium.request("GET", f"/api/models/{podium.owner}/slip", token=podium.token).status_code == 404


def test_a_space_serves_under_its_new_name(podium):
    space = podium.space("before").create("static")
    space.push(files={"README.md": "---\nsdk: static\n---\n", "index.html": "<p>served</p>"})
    eventually(lambda: space.stage() == "RUNNING", 90)
    body = {"fromRepo": space.id, "toRepo": f"{podium.owner}/after", "type": "space"}
    old = space.url
    assert podium.request("POST", "/api/repos/move", body, podium.token).status_code == 200
    told = podium.http.get(f"/api/spaces/{space.id}", headers=bearer(podium.token), follow_redirects=True).json()
    assert told["id"] == f"{podium.owner}/after" and told["host"] != old

    with httpx.Client(transport=Loopback(), timeout=30) as visitor:
        eventually(lambda: "served" in visitor.get(told["host"] + "/").text, 90)
        eventually(lambda: "served" not in visitor.get(old + "/").text, 30)
