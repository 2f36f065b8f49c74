"""Fetching a repo from elsewhere: real git against a real HTTP server, whose name only our own look-up knows."""

import functools
import http.server
import os
import subprocess
import threading

import pytest

from orchestrator.errors import Conflict, Invalid, TooLarge
from orchestrator.services.imports import Imports
from orchestrator.services.spaces import NewSpace
from tests.unit.test_web_pages import console  # noqa: F401

MB = 1024**2


class _Handler(http.server.SimpleHTTPRequestHandler):
    asked: list[str] = []

    def do_GET(self):
        self.asked.append(self.headers.get("host", ""))
        if self.path.startswith("/moved.git"):
            self.send_response(302)
            self.send_header("location", f"http://{self.headers['host']}/repo.git{self.path[10:]}")
            self.end_headers()
            return
        super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """Port of a server with `repo.git` (two commits), `empty.git`, `big.git` and `moved.git`, which leads to the first."""
    top = tmp_path_factory.mktemp("elsewhere")

    def git(*words: str, at=top) -> None:
        who = ["-c", "user.name=Eve", "-c", "user.email=eve@example.org", "-c", "init.defaultBranch=trunk"]
        subprocess.run(["git", *who, *words], cwd=at, check=True, capture_output=True)

    for name, files in (("repo", {"app.py": b"1"}), ("big", {"x": bytes(range(256)) * 1}), ("empty", {})):
        git("init", "-q", name)
        work = top / name
        for path, data in files.items():
            work.joinpath(path).write_bytes(data)
            git("add", "-A", at=work)
            git("commit", "-qm", f"Add {path}", at=work)
        if name == "repo":
            work.joinpath("README.md").write_text("---\nsdk: gradio\n---\n")
            git("add", "-A", at=work)
            git("commit", "-qm", "Say what it is", at=work)
        if name == "big":
            work.joinpath("noise").write_bytes(os.urandom(3 * MB))
            git("add", "-A", at=work)
            git("commit", "-qm", "Noise", at=work)
        git("clone", "-q", "--bare", str(work), f"{name}.git")
        git("update-server-info", at=top / f"{name}.git")
    handler = functools.partial(_Handler, directory=str(top))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def imports(console):  # noqa: F811
    return Imports(
        console.parts.community.refs, console.parts.pushes, MB,
        schemes=("http",), allowed=lambda address: True, lookup=lambda host, port: ["127.0.0.1"],
    )  # fmt: skip


@pytest.fixture
def empty(console, request):  # noqa: F811
    caller = console.parts.accounts.caller(f"Bearer {console.token}")
    name = f"import-{abs(hash(request.node.nodeid)) % 10**9}"
    return caller, console.parts.spaces.create(caller, NewSpace(name))


def test_history_and_files_come_over(console, imports, empty, elsewhere):  # noqa: F811
    caller, space = empty
    new = imports.bring(caller, space, f"http://git.elsewhere.example:{elsewhere}/repo.git")
    parts = console.parts
    assert [c.title for c in parts.repos.log(space.id, new)] == ["Say what it is", "Add app.py"]
    after = parts.spaces.get(space.id)
    assert after.sha == after.wish.revision == new and after.sdk == "gradio"
    assert list(parts.community.refs.below(space.id, "refs/")) == ["refs/heads/main"], "nothing else is left"
    assert set(_Handler.asked) == {f"git.elsewhere.example:{elsewhere}"}, "the name was not looked up again"
    with pytest.raises(Conflict):
        imports.bring(caller, after, f"http://git.elsewhere.example:{elsewhere}/repo.git")


@pytest.mark.parametrize("name", ["moved.git", "nothing.git", "empty.git", "repo"])
def test_what_cannot_be_fetched_says_so_and_leaves_nothing(console, imports, empty, elsewhere, name):  # noqa: F811
    caller, space = empty
    with pytest.raises(Invalid) as raised:
        imports.bring(caller, space, f"http://git.elsewhere.example:{elsewhere}/{name}")
    assert raised.value.code == "IMPORT" and "fatal" not in raised.value.message
    assert console.parts.community.refs.below(space.id, "refs/") == {}


def test_too_much_is_refused(console, imports, empty, elsewhere):  # noqa: F811
    caller, space = empty
    with pytest.raises((TooLarge, Invalid)):
        imports.bring(caller, space, f"http://git.elsewhere.example:{elsewhere}/big.git")
    assert console.parts.community.refs.below(space.id, "refs/") == {}
