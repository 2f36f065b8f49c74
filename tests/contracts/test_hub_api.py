"""The Hub's wire protocol, spoken by the unmodified `huggingface_hub` and `hf` to the API on a real socket. Nothing is built
here: what becomes of a push is tests/e2e's."""

import json
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import httpx
import pytest

from tests.console import Console
from tests.support import bearer, eventually

pytest.importorskip("huggingface_hub")

_PRELUDE = """
import json, os, sys
from pathlib import Path
from huggingface_hub import CommitOperationAdd as Add, CommitOperationDelete as Delete, HfApi
api = HfApi()
result = None
def refused(call, *args, **kwargs):
    try:
        return ["nothing was raised", repr(call(*args, **kwargs))]
    except Exception as error:
        answer = getattr(error, "response", None)
        return [type(error).__name__, answer.status_code if answer is not None else None, str(error)]
"""


@pytest.fixture(scope="module")
def console(tmp_path_factory):
    with Console(tmp_path_factory.mktemp("console")).listening() as console:
        yield console


class Client:
    """Somebody with a token and a home directory of their own."""

    def __init__(self, console: Console, home: Path) -> None:
        self.home = home
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
        self.env = kept | {
            "HF_ENDPOINT": f"http://127.0.0.1:{console.port}",
            "HF_TOKEN": console.token,
            "HF_HOME": str(home / "hf"),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "NO_COLOR": "1",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    def python(self, code: str):
        """Run code with `api` and `refused`; what it leaves in `result`."""
        code = f"{_PRELUDE}\n{textwrap.dedent(code)}\njson.dump(result, open('result.json', 'w'), default=str)"
        done = self._run([sys.executable, "-c", code])
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads((self.home / "result.json").read_text())

    def hf(self, *words: str, code: int = 0) -> str:
        done = self._run(["hf", *words])
        assert done.returncode == code, f"hf {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def _run(self, command: list[str]) -> subprocess.CompletedProcess:
        return subprocess.run(command, cwd=self.home, env=self.env, capture_output=True, text=True, timeout=120)


@pytest.fixture
def client(console, tmp_path):
    return Client(console, tmp_path)


def test_a_repo_from_its_birth_to_its_end(client, console):
    told = client.python(
        """
        make = dict(repo_type="space", space_sdk="gradio")
        result = {
            "made": str(api.create_repo("born", private=True, space_secrets=[{"key": "S", "value": "hush"}],
                                        space_variables=[{"key": "V", "value": "v"}], **make)),
            "again": refused(api.create_repo, "born", **make),
            "exist_ok": str(api.create_repo("Born", exist_ok=True, **make)),
            "acme": api.create_repo("acme/born", **make).repo_id,
            "bob": refused(api.create_repo, "bob/born", **make)[:2],
            "files": api.list_repo_files("ada/born", repo_type="space"),
            "secrets": list(api.get_space_secrets("ada/born")),
            "variables": {k: v.value for k, v in api.get_space_variables("ada/born").items()},
            "private": api.space_info("ada/born").private,
            "author": api.list_repo_commits("ada/born", repo_type="space")[0].authors,
        }
        api.update_repo_settings("ada/born", repo_type="space", private=False)
        result["public"] = api.space_info("ada/born").private
        api.delete_repo("ada/born", repo_type="space")
        api.delete_repo("ada/born", repo_type="space", missing_ok=True)
        result["gone"] = refused(api.delete_repo, "ada/born", repo_type="space")[:2]
        result["free again"] = api.create_repo("born", **make).repo_id
        """
    )
    url = f"{client.env['HF_ENDPOINT']}/spaces/ada/born"
    assert (told["made"], told["exist_ok"], told["acme"]) == (url, url, "acme/born")
    assert told["again"][:2] == ["HfHubHTTPError", 409]
    assert told["bob"] == ["HfHubHTTPError", 403]
    assert told["files"] == [".gitattributes", "README.md"]
    assert (told["secrets"], told["variables"]) == (["S"], {"V": "v"})
    assert (told["private"], told["public"]) == (True, False)
    assert told["author"] == ["ada"]
    assert told["gone"] == ["RepositoryNotFoundError", 404]
    assert told["free again"] == "ada/born"


def test_files_go_up_and_come_down(client, console):
    repo = console.space("files")
    told = client.python(
        """
        repo = dict(repo_id="ada/files", repo_type="space")
        up = Path("up"); (up / "sub dir").mkdir(parents=True)
        noise = os.urandom(3_000_000)
        for name, content in {"app.py": b"print(1)", "sub dir/\\u00fc.bin": noise, "empty": b"", "x.log": b"no",
                              ".gitignore": b"*.log\\n", "old/1": b"1", "old/2": b"2"}.items():
            (up / name).parent.mkdir(exist_ok=True); (up / name).write_bytes(content)
        first = api.upload_folder(folder_path=up, commit_message="A folder", **repo)
        again = api.upload_folder(folder_path=up, **repo)
        one = api.upload_file(path_or_fileobj=b"print(2)", path_in_repo="app.py", **repo)
        many = api.create_commit(operations=[Add("new.txt", b"n"), Delete("empty"), Delete("old/", is_folder=True)],
                                 commit_message="Three at once", commit_description="And why.", **repo)
        whole = Path(api.snapshot_download(**repo))
        result = {
            "unchanged": again.oid == first.oid,
            "head": api.space_info("ada/files").sha == many.oid,
            "files": api.list_repo_files(**repo),
            "snapshot": sorted(p.relative_to(whole).as_posix() for p in whole.rglob("*") if p.is_file()),
            "same": (whole / "sub dir/\\u00fc.bin").read_bytes() == noise,
            "app": (whole / "app.py").read_text(),
            "before": Path(api.hf_hub_download(filename="app.py", revision=first.oid[:10], **repo)).read_text(),
            "tree": [(e.path, type(e).__name__) for e in api.list_repo_tree(**repo)],
            "below": [e.path for e in api.list_repo_tree(path_in_repo="sub dir", recursive=True, **repo)],
            "paths": [e.path for e in api.get_paths_info(paths=["app.py", "sub dir", "none"], **repo)],
            "commits": [(c.title, c.message) for c in api.list_repo_commits(**repo)],
            "branches": [b.name for b in api.list_repo_refs(**repo).branches],
            "exists": [api.file_exists(filename=f, **repo) for f in ("app.py", "empty")],
            "sizes": {s.rfilename: s.size for s in api.space_info("ada/files", files_metadata=True).siblings}["app.py"],
        }
        """
    )
    names = [".gitattributes", ".gitignore", "README.md", "app.py", "new.txt", "sub dir/ü.bin"]
    assert told["files"] == told["snapshot"] == names
    assert told["unchanged"] and told["head"] and told["same"]
    assert (told["app"], told["before"], told["sizes"]) == ("print(2)", "print(1)", 8)
    assert ["sub dir", "RepoFolder"] in told["tree"] and ["app.py", "RepoFile"] in told["tree"]
    assert (told["below"], told["paths"]) == (["sub dir/ü.bin"], ["app.py", "sub dir"])
    assert told["commits"][0] == ["Three at once", "And why."]
    assert told["commits"][-1][0] == "initial commit" and len(told["commits"]) == 4
    assert told["branches"] == ["main"]
    assert told["exists"] == [True, False]
    assert console.parts.spaces.find(
        console.parts.accounts.caller(f"Bearer {console.token}"), *repo.split("/")
    ).wish.revision


def test_every_mistake_has_the_error_that_the_client_knows(client, console):
    console.space("wrong")
    told = client.python(
        f"""
        repo = dict(repo_id="ada/wrong", repo_type="space")
        def upload(content, path, **more):
            return refused(api.upload_file, path_or_fileobj=content, path_in_repo=path, **repo, **more)
        stranger, bob, reader = (HfApi(token=t) for t in (False, "{console.bobs}", "{console.read_token}"))
        result = {{
            "repo": refused(api.space_info, "ada/none"),
            "revision": refused(api.space_info, "ada/wrong", revision="none"),
            "entry": refused(api.hf_hub_download, filename="none", **repo),
            "revision of a file": refused(api.hf_hub_download, filename="README.md", revision="none", **repo),
            "deleted twice": refused(api.delete_file, "none", **repo),
            "stale": upload(b"x", "x", parent_commit="0" * 40),
            "front matter": upload(b"---\\nsdk: gradioo\\n---\\n", "README.md"),
            "too large": upload(b"x" * 65_000_000, "big"),
            "pull request": refused(api.upload_file, path_or_fileobj=b"x", path_in_repo="x", revision="refs/pr/9", **repo),
            "expand": refused(api.space_info, "ada/wrong", expand=["nope"]),
            "stranger": refused(stranger.pause_space, "ada/wrong"),
            "bob": refused(bob.pause_space, "ada/wrong"),
            "reader": refused(reader.pause_space, "ada/wrong"),
            "token": refused(HfApi(token="hf_" + "x" * 30).whoami),
            "hardware": refused(api.request_space_hardware, "ada/wrong", "h100"),
            "secret": refused(api.add_space_secret, "ada/wrong", "A-B", "v"),
            "branch": refused(api.create_branch, branch="main", **repo),
            "exists": [api.repo_exists(i, repo_type="space") for i in ("ada/wrong", "ada/none")]
                      + [api.repo_exists("gpt2"), api.revision_exists(revision="none", **repo)],
        }}
        """
    )
    kinds = {name: refusal[:2] for name, refusal in told.items() if name != "exists"}
    assert kinds == {
        "repo": ["RepositoryNotFoundError", 404],
        "revision": ["RevisionNotFoundError", 404],
        "entry": ["RemoteEntryNotFoundError", 404],
        "revision of a file": ["RevisionNotFoundError", 404],
        "deleted twice": ["RemoteEntryNotFoundError", 404],
        "stale": ["HfHubHTTPError", 412],
        "front matter": ["ValueError", None],
        "too large": ["HfHubHTTPError", 413],
        "pull request": ["RevisionNotFoundError", 404],
        "expand": ["BadRequestError", 400],
        "stranger": ["HfHubHTTPError", 401],
        "bob": ["HfHubHTTPError", 403],
        "reader": ["HfHubHTTPError", 403],
        "token": ["HfHubHTTPError", 401],
        "hardware": ["BadRequestError", 400],
        "secret": ["BadRequestError", 400],
        "branch": ["HfHubHTTPError", 409],
    }
    assert "README.md:2: unknown sdk 'gradioo', did you mean 'gradio'?" in told["front matter"][2]
    assert "60 MB: big (62 MB)" in told["too large"][2]
    assert told["exists"] == [True, False, False, False]


def test_a_space_is_told_what_to_do(client, console):
    console.space("told", files=[{"path": "app.py", "content": "print(1)"}])
    told = client.python(
        """
        id = "ada/told"
        result = {
            "before": api.get_space_runtime(id).stage,
            "paused": api.pause_space(id).stage,
            "restarted": api.restart_space(id).stage,
            "factory": api.restart_space(id, factory_reboot=True).stage,
            "sleep": api.set_space_sleep_time(id, 600).sleep_time,
            "never": api.set_space_sleep_time(id, -1).sleep_time,
            "hardware": api.request_space_hardware(id, "cpu-basic").requested_hardware,
            "catalogue": [h.name for h in api.list_spaces_hardware()],
            "secret": (api.add_space_secret(id, "S", "hush", description="why"),
                       {k: [v.description, v.updated_at is not None] for k, v in api.get_space_secrets(id).items()}),
            "unset": (api.delete_space_secret(id, "S"), api.delete_space_secret(id, "S"), api.get_space_secrets(id)),
            "variable": {k: v.value for k, v in api.add_space_variable(id, "V", "1").items()},
            "no variable": api.delete_space_variable(id, "V"),
            "auth": api.auth_check(id, repo_type="space", write=True),
        }
        """
    )
    assert (told["before"], told["paused"], told["restarted"], told["factory"]) == (
        "BUILDING",
        "PAUSED",
        "BUILDING",
        "BUILDING",
    )
    assert (told["sleep"], told["never"]) == (600, None)
    assert (told["hardware"], told["catalogue"]) == ("cpu-basic", ["cpu-basic"])
    assert told["secret"][1] == {"S": ["why", True]}
    assert (told["unset"][2], told["variable"], told["no variable"]) == ({}, {"V": "1"}, {})
    with console.store.read() as tx:
        wish = tx.spaces.find("ada", "told").wish
    assert (wish.paused, wish.sleep_after) == (False, None)
    assert wish.restarts == 2 and wish.rebuilds >= 1


def test_lists_and_searches(client, console):
    for name in ("list-one", "list-two", "list-three"):
        console.space(name)
    console.space("list-static", organization="acme", sdk="static")
    told = client.python(
        """
        ids = lambda **asked: [s.id for s in api.list_spaces(search="list-", **asked)]
        result = {
            "all": ids(), "two": ids(limit=2), "author": ids(author="ACME"), "sdk": ids(filter="static"),
            "created": ids(sort="created_at"),
            "full": [s.siblings is not None for s in api.list_spaces(search="list-", full=True)],
            "expand": [(s.sdk, s.sha) for s in api.list_spaces(author="acme", search="list-", expand=["sdk"])],
            "found": [s.id for s in api.search_spaces("list-two", include_non_running=True)],
            "me": (api.whoami()["name"], [o["name"] for o in api.whoami()["orgs"]], api.whoami()["auth"]["accessToken"]["role"]),
            "user": api.get_user_overview("ada").username,
            "org": api.get_organization_overview("acme").name,
            "members": [m.username for m in api.list_organization_members("acme")],
        }
        """
    )
    newest_first = ["acme/list-static", "ada/list-three", "ada/list-two", "ada/list-one"]
    assert told["all"] == told["created"] == newest_first
    assert told["two"] == newest_first[:2]
    assert told["author"] == told["sdk"] == ["acme/list-static"]
    assert told["full"] == [True] * 4
    assert told["expand"] == [["static", None]]
    assert told["found"][0] == "ada/list-two"
    assert told["me"] == ["ada", ["acme"], "write"]
    assert (told["user"], told["org"], told["members"]) == ("ada", "acme", ["ada"])


def test_pages_of_a_list_hold_everything_once(console):
    made = [console.space(f"page-{i}") for i in range(7)]
    with console.client() as http:
        seen, url = [], "/api/spaces?search=page-&limit=3&filter=gradio&expand[]=sdk"
        while url:
            answer = http.get(url)
            seen += [space["id"] for space in answer.json()]
            url = answer.links.get("next", {}).get("url")
            assert url is None or url.startswith(f"http://127.0.0.1:{console.port}/api/spaces?")
    assert seen == made[::-1]


def test_the_command_line(client, console):
    console.space("cli")
    (client.home / "app").mkdir()
    (client.home / "app" / "app.py").write_text("print(1)\n")
    assert "user: ada" in client.hf("auth", "whoami")
    assert "/spaces/ada/cli/commit/" in client.hf("upload", "ada/cli", "app", ".", "--repo-type", "space")
    assert "ada/cli" in client.hf("spaces", "ls", "--author", "ada", "--format", "json")
    info = json.loads(client.hf("spaces", "info", "ada/cli"))
    assert info["host"] == "http://ada-cli.localhost:8000"
    assert "app.py" in [s["rfilename"] for s in info["siblings"]]
    assert "PAUSED" in client.hf("spaces", "pause", "ada/cli")
    assert "BUILDING" in client.hf("spaces", "restart", "ada/cli")
    client.hf("spaces", "secrets", "add", "ada/cli", "-s", "KEY=hush")
    listed = client.hf("spaces", "secrets", "ls", "ada/cli")
    assert "KEY" in listed and "hush" not in listed
    client.hf("spaces", "variables", "add", "ada/cli", "-e", "MODE=fast")
    assert "fast" in client.hf("spaces", "variables", "ls", "ada/cli")
    client.hf("repos", "create", "ada/cli-two", "--type", "space", "--sdk", "gradio")
    client.hf("repos", "delete", "ada/cli-two", "--type", "space", "--yes")
    assert "not found" in client.hf("repos", "delete", "ada/cli-two", "--type", "space", "--yes", code=1)


def test_logs_are_followed_to_their_end(client, console):
    """Plays the builder: writes the log while the clients look."""
    console.space("logged", files=[{"path": "app.py", "content": "print(1)"}])
    with console.store.read() as tx:
        space = tx.spaces.find("ada", "logged")
    console.parts.queue.submit(space)
    build = console.parts.spaces.current_build(space)
    stream, logs = f"build/{build.key}", console.parts.logs
    logs.append(stream, "Installing \x1b[32mgradio\x1b[0m", 'data: {"data": "not an event"}')
    followed: list[str] = []
    follower = threading.Thread(
        target=lambda: followed.append(client.hf("spaces", "logs", "ada/logged", "--build", "--follow"))
    )
    follower.start()
    with console.client() as http, http.stream("GET", "/api/spaces/ada/logged/logs/build") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        eventually(lambda: next(lines).startswith('data: {"data": "Installing'), 10)
        logs.append(stream, "Done")
        logs.end(stream)
        assert any(line.startswith('data: {"data": "Done\\n", "timestamp": "') for line in lines)
    follower.join(60)
    assert not follower.is_alive()
    assert [line for line in ("Installing", "not an event", "Done") if line not in followed[0]] == []
    with console.client(console.read_token) as reader:
        assert "Done" in reader.get("/api/spaces/ada/logged/logs/build", headers={b"last-event-id": b"-1 \xff"}).text
    for token in (console.bobs, None):
        with console.client(token) as stranger:
            assert stranger.get("/api/spaces/ada/logged/logs/build").status_code in (401, 403)


def test_events_tell_each_change_of_stage(console):
    console.space("eventful", files=[{"path": "app.py", "content": "print(1)"}])
    with console.client() as http, http.stream("GET", "/api/spaces/ada/eventful/events") as answer:
        told = (json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: {"))
        first = next(told)
        assert first["hardware"]["requested"] == "cpu-basic"
        http_two = console.client()
        http_two.post("/api/spaces/ada/eventful/sleeptime", json={"seconds": 700})
        assert next(told)["gcTimeout"] == 700
        deleted = {"name": "eventful", "type": "space"}
        assert http_two.request("DELETE", "/api/repos/delete", json=deleted).text == "OK"
        assert next(told, None) is None


# ------------------------------------------------------------------------------------------ what only raw HTTP shows


def test_resolve_is_cacheable_and_resumable(console):
    console.space("bytes", files=[{"path": "a b.txt", "content": "0123456789"}])
    url = "/spaces/ada/bytes/resolve/main/a%20b.txt"
    with console.client(None) as http:
        head, whole = http.head(url), http.get(url)
        assert (head.status_code, head.content, whole.content) == (200, b"", b"0123456789")
        for name in ("etag", "x-repo-commit", "content-length", "x-linked-size", "accept-ranges"):
            assert head.headers[name] == whole.headers[name]
        assert head.headers["content-length"] == "10" and len(head.headers["x-repo-commit"]) == 40
        unchanged = http.get(url, headers={"if-none-match": f'W/{head.headers["etag"]}, "x"'})
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        part = http.get(url, headers={"range": "bytes=7-"})
        assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"789", "bytes 7-9/10")
        beyond = http.get(url, headers={"range": "bytes=10-"})
        assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */10")
        assert http.get(url.replace("resolve", "raw")).content == b"0123456789"
        missing = http.get(url + "x")
        assert missing.headers["x-repo-commit"] == head.headers["x-repo-commit"]


def test_commits_to_one_branch_at_once_lose_nothing(console):
    console.space("race")
    answers: list[httpx.Response] = []

    def write(number: int) -> None:
        lines = [
            {"key": "header", "value": {"summary": f"{number}"}},
            {"key": "file", "value": {"path": f"{number}", "content": "x"}},
        ]
        with console.client() as http:
            answers.append(http.post("/api/spaces/ada/race/commit/main", content="\n".join(map(json.dumps, lines))))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {answer.status_code for answer in answers} <= {200, 412}
    won = {answer.json()["commitOid"] for answer in answers if answer.status_code == 200}
    with console.client() as http:
        history = {commit["id"] for commit in http.get("/api/spaces/ada/race/commits/main").json()}
        names = {entry["path"] for entry in http.get("/api/spaces/ada/race/tree/main").json()}
    assert won and won <= history
    assert len(names - {"README.md", ".gitattributes"}) == len(won)


def test_urls_echo_the_name_that_the_client_used(console):
    console.space("named")
    with console.client() as http:
        body = {"name": "named", "type": "space"}
        for headers, base in (
            ({"host": "hub.example.org"}, "http://hub.example.org"),
            ({"x-forwarded-host": "hub.example.org", "x-forwarded-proto": "https"}, "https://hub.example.org"),
            ({"host": "evil.example/x?"}, "http://localhost:8000"),
        ):
            answer = http.post("/api/repos/create", json=body, headers=headers)
            assert answer.json().get("url") == f"{base}/spaces/ada/named", headers


def test_what_clients_ask_without_being_told_to(console):
    with console.client(None) as http:
        assert http.get("/api/agent-harnesses").json() == {"standardEnvVars": [], "harnesses": {}}
        assert http.head("/api/telemetry/gradio/initiated").status_code == 204
        assert http.post("/v1/telemetry", content=b"x").status_code == 204
        assert "sdk" in http.get("/schema/space.json").json()["properties"]
        assert http.get("/avatars/ada.svg").headers["content-type"].startswith("image/svg+xml")
        assert http.get("/api/spaces/templates").json() == {"templates": []}
        empty = http.post(
            "/api/validate-yaml", json={"content": "", "repoType": "space"}, headers={"accept": "text/plain"}
        )
        assert empty.json()["errors"] == []
        assert "/api/spaces/{owner}/{name}/runtime" in http.get("/openapi.json").json()["paths"]
        assert http.get("/docs").status_code == 404, "no page may run scripts of another site on the console's origin"


def test_an_app_is_found_by_its_subdomain_and_opened_with_a_ticket(console):
    console.space("framed", private=True)
    with console.client() as http:
        found = http.get("/api/spaces/by-subdomain/ADA-framed").json()
        assert (found["id"], found["host"]) == ("ada/framed", "http://ada-framed.localhost:8000")
        assert http.get("/api/spaces/ada/framed/host").json() == {"subdomain": "ada-framed", "host": found["host"]}
        assert http.get("/api/spaces/ada/framed/jwt").json()["token"].count(".") == 2
    with console.client(None) as http:
        assert http.get("/api/spaces/by-subdomain/ada-framed").status_code == 401
        assert http.get("/api/spaces/ada/framed/jwt", headers=bearer(console.bobs)).status_code == 404
