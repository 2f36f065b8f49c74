"""git over HTTP with the real git on both sides: who may, what is stored, what is refused and in which words."""

import gzip
import re
import socket
import threading

import httpx
import psutil
import pytest

from orchestrator.domain.discussions import Status
from orchestrator.repos.refs import GitRefs
from orchestrator.services.discussions import Discussions
from orchestrator.services.pull_requests import PullRequests
from tests.git_server import TOKENS, Clone, GitServer
from tests.support import eventually

CARD = "---\ntitle: Demo\nsdk: static\n---\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = GitServer(tmp_path_factory.mktemp("git") / "data", push=8 * 1024**2, repo=12 * 1024**2)
    made.people()
    try:
        yield made.start()
    finally:
        made.stop()


_count = iter(range(10_000))


@pytest.fixture
def work(server, tmp_path):
    """A working copy whose origin is a Space of ada's that does not exist yet."""
    clone = Clone(tmp_path / "work")
    clone.name = f"demo-{next(_count)}"
    return clone.init(server.remote(f"ada/{clone.name}"))


def refused(done, *words: str) -> str:
    assert done.returncode != 0, done.stderr
    said = re.sub(r"\s*\nremote: ", "\nremote: ", done.stderr)
    missing = [word for word in words if word not in said]
    assert not missing, f"{missing} not in:\n{said}"
    return said


def raw(server, path: str, body: bytes = b"", headers: dict | None = None, token: str = "ada", method: str = "POST"):
    auth = httpx.BasicAuth("any", TOKENS[token]) if token else None
    return httpx.request(
        method, f"{server.url}/spaces/{path}", content=body, headers=headers or {}, auth=auth, timeout=30
    )


# ------------------------------------------------------------------------------------------------ pushes and clones


def test_a_first_push_makes_the_space_and_sets_the_wish(server, work):
    head = work.commit({"index.html": "<p>hi</p>", "README.md": CARD})
    said = work.push().stderr
    space = server.space(work.name)
    assert (space.sha, space.wish.revision, space.sdk, space.card["title"]) == (head, head, "static", "Demo")
    assert f"remote: podium: Space: {server.url}/spaces/ada/{work.name}" in said
    assert server.intents() == []
    with server.store.read() as tx:
        assert [row.detail["new"] for row in tx.audit.of(f"ada/{work.name}") if row.action == "push"] == [head]


def test_push_again_and_say_nothing_new(server, work):
    work.commit({"a": "1"})
    work.push()
    head = work.commit({"a": "2"})
    work.push()
    assert server.space(work.name).wish.revision == head
    assert "up-to-date" in work.push().stderr


@pytest.mark.parametrize("suffix", ["", ".git", ".git/"])
@pytest.mark.parametrize("protocol", ["0", "2"])
def test_clone_fetch_and_shallow(server, work, tmp_path, suffix, protocol):
    for n in range(3):
        head = work.commit({"a": str(n)})
    past = work.out("rev-parse", "HEAD~1")
    work.push()
    other = Clone(tmp_path / "other")
    remote = server.remote(f"ada/{work.name}{suffix}", "")
    config = ("-c", f"protocol.version={protocol}")
    other.git(*config, "clone", "-q", remote, "full")
    other.git(*config, "clone", "-q", "--depth", "1", remote, "shallow")
    for lazy in ("blob:none", "blob:limit=1k", "tree:0"):
        other.git(*config, "clone", "-q", f"--filter={lazy}", remote, lazy.replace(":", "-"))
    full, shallow = Clone(other.folder / "full"), Clone(other.folder / "shallow")
    shallow.git(*config, "fetch", "-q", "--depth", "1", "origin", past)
    assert shallow.out("rev-parse", "FETCH_HEAD") == past
    assert full.out("rev-parse", "HEAD") == shallow.out("rev-parse", "HEAD") == head
    assert (full.out("rev-list", "--count", "HEAD"), shallow.out("rev-list", "--count", "HEAD")) == ("3", "1")
    new = work.commit({"a": "new"})
    work.push()
    full.git(*config, "fetch", "-q")
    shallow.git(*config, "fetch", "-q", "--deepen", "1")
    assert full.out("rev-parse", "origin/main") == new


def test_an_empty_space_can_be_cloned(server, tmp_path):
    server.spaces.create_for_push(server.accounts.caller(f"Bearer {TOKENS['ada']}"), "ada", "hollow")
    assert "empty repository" in Clone(tmp_path / "x").git("clone", server.remote("ada/hollow"), "x").stderr


def test_force_push_rewrites_and_deploys(server, work):
    work.commit({"a": "1"})
    work.push()
    work.git("commit", "-q", "--amend", "-m", "again")
    refused(work.push(check=False), "non-fast-forward")
    work.push("--force", "origin", "main")
    assert server.space(work.name).wish.revision == work.out("rev-parse", "HEAD")


def test_other_branches_and_tags_are_stored_and_not_deployed(server, work):
    head = work.commit({"a": "1"})
    work.push()
    work.commit({"a": "2"})
    assert "only 'main' is deployed; 'dev' was stored" in work.push("origin", "HEAD:dev").stderr
    work.git("tag", "-a", "v1", "-m", "one")
    work.push("origin", "v1")
    assert server.space(work.name).wish.revision == head
    refs = server.repos.refs(server.space(work.name).id)
    assert set(refs) == {"refs/heads/main", "refs/heads/dev", "refs/tags/v1"}
    work.push("origin", ":dev", ":refs/tags/v1")
    assert set(server.repos.refs(server.space(work.name).id)) == {"refs/heads/main"}


def test_main_cannot_be_deleted(server, work):
    work.commit({"a": "1"})
    work.push()
    refused(work.push("origin", ":main", check=False), "DELETE_MAIN: cannot delete 'main', it is the deployed branch")
    assert server.repos.head(server.space(work.name).id)


@pytest.mark.parametrize(
    ("ref", "why"),
    [
        ("refs/podium/x", "only branches and tags"),
        ("refs/notes/commits", "only branches and tags"),
        ("refs/pr/1", "refs/pr/1 comes and goes with its pull request"),
    ],
)
def test_other_refs_are_refused(server, work, ref, why):
    work.commit({"a": "1"})
    refused(work.push("origin", f"HEAD:{ref}", check=False), f"REF_NAME: {why}")


def test_hidden_refs_are_not_shown(server, work):
    head = work.commit({"a": "1"})
    work.push()
    space = server.space(work.name)
    server.repos.git.run(server.repos.git_dir(space.id), "update-ref", "refs/podium/keep", head)
    assert "podium" not in work.out("ls-remote", "origin")


def test_of_two_pushes_at_once_exactly_one_wins(server, work, tmp_path):
    work.commit({"a": "0"})
    work.push()
    rivals = []
    for n in range(2):
        rival = Clone(tmp_path / f"rival{n}")
        rival.git("clone", "-q", server.remote(f"ada/{work.name}"), ".")
        rival.commit({"a": f"rival {n}"})
        rivals.append(rival)
    done = [None, None]

    def push(n):
        done[n] = rivals[n].push(check=False)

    threads = [threading.Thread(target=push, args=(n,)) for n in range(2)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(one.returncode == 0 for one in done) == [False, True], [one.stderr for one in done]
    winner = next(rival for rival, one in zip(rivals, done, strict=True) if one.returncode == 0)
    head = winner.out("rev-parse", "HEAD")
    assert server.repos.head(server.space(work.name).id) == head == server.space(work.name).wish.revision
    assert server.intents() == []


def test_a_bad_card_is_a_warning_and_the_work_is_saved(server, work):
    head = work.commit({"README.md": "---\nsdk: gradioo\n---\n"})
    said = work.push().stderr
    assert "warning:" in said and "gradioo" in said and "README.md:2" in said
    assert server.space(work.name).wish.revision == head


# ------------------------------------------------------------------------------------------------------ who may do it


@pytest.mark.parametrize("path", ["ada/secret", "ada/none", "nobody/none"])
def test_a_stranger_cannot_tell_private_from_absent(server, tmp_path, path):
    if not server.space("secret"):
        ada = server.accounts.caller(f"Bearer {TOKENS['ada']}")
        from orchestrator.domain.space import Visibility

        server.spaces.set_visibility(ada, server.spaces.create_for_push(ada, "ada", "secret"), Visibility.PRIVATE)
    for service in ("git-upload-pack", "git-receive-pack"):
        stranger = raw(server, f"{path}/info/refs?service={service}", token="", method="GET")
        assert (stranger.status_code, stranger.headers["www-authenticate"]) == (401, 'Basic realm="Podium"')
        known = raw(server, f"{path}/info/refs?service={service}", token="bob", method="GET")
        assert (known.status_code, known.text) == (404, "podium: Repository not found\n")
        assert raw(server, f"{path}/{service}", b"0000", token="").status_code == 401
        assert raw(server, f"{path}/{service}", b"0000", token="bob").status_code == 404


@pytest.mark.parametrize(
    ("who", "words"),
    [
        ("", "could not read Username"),
        ("ada-read", "TOKEN_READ_ONLY: This token may only read"),
        ("bob", "FORBIDDEN: bob may not change"),
        ("old", "TOKEN_EXPIRED: The token 'old' was revoked on 20"),
        ("hf_never", "INVALID_TOKEN"),
        ("hunter2", "AUTH_PASSWORD: That is not an access token"),
    ],
)
def test_who_may_not_push_is_told_why(server, work, who, words):
    work.commit({"a": "1"})
    work.push()
    head = server.space(work.name).wish.revision
    work.commit({"a": "2"})
    work.git("remote", "set-url", "origin", server.remote(f"ada/{work.name}", who))
    refused(work.push(check=False), words)
    assert server.space(work.name).wish.revision == head


def test_the_path_chooses_the_rule_not_the_query(server, work):
    work.commit({"a": "1"})
    work.push()
    at = f"ada/{work.name}/git-receive-pack?service=git-upload-pack"
    assert raw(server, at, b"0000", token="").status_code == 401
    assert raw(server, at, b"0000", token="bob").status_code == 403
    assert (
        raw(server, f"ada/{work.name}/git-upload-pack?service=git-receive-pack", b"0000", token="").status_code != 401
    )


@pytest.mark.parametrize("name", ["bad--name", "x.ipynb", "internal"])
def test_a_name_that_cannot_be_is_refused_in_words(server, work, name):
    work.commit({"a": "1"})
    work.git("remote", "set-url", "origin", server.remote(f"ada/{name}"))
    refused(work.push(check=False), "podium: NAME:")
    assert server.space(name) is None


def test_reading_the_refs_makes_no_space(server):
    assert raw(server, "ada/later/info/refs?service=git-receive-pack", method="GET").status_code == 200
    assert raw(server, "ada/later/git-receive-pack", b"0000").status_code == 200
    assert server.space("later") is None


@pytest.mark.parametrize(
    "path", ["HEAD", "config", "objects/info/packs", "info/refs/x", "git-upload-archive", "../../etc/passwd"]
)
def test_nothing_else_is_served(server, work, path):
    work.commit({"a": "1"})
    work.push()
    assert raw(server, f"ada/{work.name}/{path}", method="GET").status_code in (404, 405)


@pytest.mark.parametrize("service", ["", "?service=git-upload-archive", "?service=x%0a"])
def test_the_dumb_protocol_is_not_spoken(server, work, service):
    answer = raw(server, f"ada/demo/info/refs{service}", method="GET")
    assert (answer.status_code, answer.headers["x-error-code"]) == (400, "GIT_DUMB")


@pytest.mark.parametrize("prefix", ["", "datasets/"])
def test_other_kinds_of_repo_are_not_there_yet(server, prefix):
    auth = httpx.BasicAuth("any", TOKENS["ada"])
    url = f"{server.url}/{prefix}ada/demo/info/refs?service=git-upload-pack"
    assert httpx.get(url, auth=auth).status_code == 404


# ----------------------------------------------------------------------------------------------------------- bad pushes


def nothing_stored(server, work):
    space = server.space(work.name)
    if space:
        assert server.repos.head(space.id) is None and server.intents() == []
        assert server.repos.git.run(server.repos.git_dir(space.id), "fsck") == b""


def test_a_large_file_is_named_with_the_way_out(server, work):
    work.commit({"data/big.bin": b"\x01" * 300_000, "ok": "1"})
    refused(
        work.push(check=False), "FILE_TOO_LARGE: 1 file is larger than 256 KB: data/big.bin (293 KB)", "git lfs migrate"
    )
    nothing_stored(server, work)


def test_an_lfs_pointer_to_a_large_file_passes(server, work):
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 99999999\n"
    work.commit({"model.bin": pointer})
    work.push()
    assert server.space(work.name).wish.revision


def test_too_many_files(server, work):
    work.commit({f"f{n}": str(n) for n in range(60)})
    refused(work.push(check=False), "TOO_MANY_FILES: 60 files", "limit 50")
    nothing_stored(server, work)


def test_a_full_repo(server, work):
    import random

    noise = random.Random(1).randbytes
    for _ in range(3):
        work.commit({f"{n}": noise(250_000) for n in range(18)})
        done = work.push(check=False)
        if done.returncode:
            break
    refused(done, "REPO_TOO_LARGE: the repository would be 1", "limit 12 MB")


def test_a_push_over_the_limit_is_told_so(server, work):
    import random

    noise = random.Random(2).randbytes
    for part in range(5):
        work.commit({f"{part}-{n}": noise(250_000) for n in range(9)})
    refused(work.push(check=False), "PUSH_TOO_LARGE", "larger than 8 MB")
    nothing_stored(server, work)


def crafted(work, rows: list[str], message: str = "crafted") -> str:
    """A commit of a tree that no working copy could hold."""
    blob = work.out("hash-object", "-w", "--stdin", stdin="x")
    tree = work.out("mktree", "--missing", stdin="".join(row.replace("BLOB", blob) + "\n" for row in rows))
    commit = work.out("commit-tree", tree, stdin=message)
    work.git("update-ref", "refs/heads/main", commit)
    return commit


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (".git", "hasDotgit"),
        (".GIT", "hasDotgit"),
        ("git~1", "hasDotgit"),
        (".g\u200cit", "hasDotgit"),
        ("..", "hasDotdot"),
    ],
)
def test_trees_that_git_forbids(server, work, name, problem):
    tree = work.out("hash-object", "-w", "-t", "tree", "--literally", "--stdin", stdin=_tree(work, name))
    work.git("update-ref", "refs/heads/main", work.out("commit-tree", tree, stdin="x"))
    refused(work.push(check=False), problem, "podium: FSCK")
    nothing_stored(server, work)


def _tree(work, name: str, mode: bytes = b"100644") -> bytes:
    blob = work.out("hash-object", "-w", "--stdin", stdin="x")
    return mode + b" " + name.encode() + b"\0" + bytes.fromhex(blob)


def test_odd_modes_are_pointed_out_and_kept_for_the_build_to_normalise(server, work):
    tree = work.out("hash-object", "-w", "-t", "tree", "--literally", "--stdin", stdin=_tree(work, "x", b"104755"))
    work.git("update-ref", "refs/heads/main", work.out("commit-tree", tree, stdin="x"))
    assert "badFilemode" in work.push().stderr
    assert server.space(work.name).wish.revision == work.out("rev-parse", "main")


def test_a_hostile_gitmodules(server, work):
    work.commit({".gitmodules": '[submodule "x"]\n\tpath = x\n\turl = -u./p\n'})
    refused(work.push(check=False), "gitmodulesUrl", "FSCK")


def test_links_and_submodules_are_for_the_build_to_judge(server, work):
    crafted(work, ["120000 blob BLOB\tlink", f"160000 commit {'a' * 40}\tsub"])
    work.push()
    assert server.space(work.name).wish.revision == work.out("rev-parse", "main")


def test_odd_names_are_pointed_out_without_harm(server, work):
    work.git("config", "core.protectHFS", "false")
    tree = work.out("hash-object", "-w", "-t", "tree", "--literally", "--stdin", stdin=_tree(work, "a\x1b]0;x\x07"))
    work.git("update-ref", "refs/heads/main", work.out("commit-tree", tree, stdin="x"))
    said = work.push().stderr
    assert "PATH_CHARS" in said and "\\x1b]0;x" in said and "\x1b]0;x" not in said


def test_twins_are_pointed_out(server, work):
    work.commit({"App.py": "1", "app.py": "2"})
    assert "'App.py' and 'app.py' differ only by case" in work.push().stderr


def test_a_tree_bomb(server, work):
    tree, kind = work.out("hash-object", "-w", "--stdin", stdin="x"), "100644 blob"
    for _ in range(10):
        tree = work.out("mktree", stdin="".join(f"{kind} {tree}\tf{n}\n" for n in range(10)))
        kind = "040000 tree"
    work.git("update-ref", "refs/heads/main", work.out("commit-tree", tree, stdin="bomb"))
    refused(work.push(check=False), "TREE_BOMB")
    nothing_stored(server, work)


def test_a_giant_commit(server, work):
    work.commit({"a": "1"})
    work.git("update-ref", "refs/heads/main", work.out("commit-tree", "HEAD^{tree}", stdin="m" * 2_000_000))
    refused(work.push(check=False), "COMMIT_TOO_LARGE")
    nothing_stored(server, work)


def test_an_active_token_is_refused_and_revoked(server, work):
    bob = server.accounts.user("bob")
    leaked = server.accounts.add_token(bob, "write", f"leak {work.name}")
    work.commit({"app.py": "\n" * 11 + f"token = '{leaked}'\n"})
    said = refused(
        work.push(check=False), "TOKEN_LEAKED: the push contains an active access token at app.py:12", "revoked"
    )
    assert leaked not in said
    assert f"leak {work.name}" not in [token.name for token in server.accounts.tokens(bob)]
    work.push()  # it is harmless now


def test_missing_objects_are_refused(server, work):
    tree = work.out("mktree", "--missing", stdin=f"100644 blob {'b' * 40}\tghost\n")
    commit = work.out("commit-tree", tree, stdin="x")
    pack = work.git("pack-objects", "--stdout", stdin=f"{commit}\n{tree}\n")
    assert pack.returncode == 0
    import subprocess

    data = subprocess.run(
        ["git", "pack-objects", "--stdout", "-q"],
        cwd=work.folder,
        input=f"{commit}\n{tree}\n".encode(),
        capture_output=True,
    ).stdout
    answer = raw(server, f"ada/{work.name}/git-receive-pack", _request(commit) + data)
    assert answer.status_code == 200 and b"unpack ok" not in answer.content
    nothing_stored(server, work)


# ------------------------------------------------------------------------------------------------------------- garbage


def _request(new: str) -> bytes:
    line = f"{'0' * 40} {new} refs/heads/main\0 report-status side-band-64k".encode()
    return b"%04x%s0000" % (len(line) + 4, line)


@pytest.mark.parametrize("service", ["git-receive-pack", "git-upload-pack"])
@pytest.mark.parametrize(
    "body", [b"garbage", b"ffff", b"0003", b"0001", b"\0" * 100, b"zzzz0000", b"0032want " + b"0" * 41]
)
def test_garbage_is_a_bad_request(server, work, service, body):
    work.commit({"a": "1"})
    work.push()
    head = server.space(work.name).sha
    answer = raw(server, f"ada/{work.name}/{service}", body)
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 200:
        assert service == "git-upload-pack" and (b"ERR" in answer.content or answer.content in (b"", b"0000"))
    assert server.repos.head(server.space(work.name).id) == head and server.intents() == []


@pytest.mark.parametrize(
    "pack", [b"", b"PACK", b"PACK\0\0\0\2\0\0\0\1garbage", b"PACK\0\0\0\2\0\0\0\0" + b"\0" * 20, b"x" * 5000]
)
def test_a_broken_pack_stores_nothing(server, work, pack):
    work.commit({"a": "1"})
    answer = raw(server, f"ada/{work.name}/git-receive-pack", _request("a" * 40) + pack)
    assert answer.status_code == 200 and b"unpack ok" not in answer.content
    nothing_stored(server, work)


def test_compressed_requests(server, work):
    work.commit({"a": "1"})
    work.push()
    at = f"ada/{work.name}/git-upload-pack"
    body = b"0014command=ls-refs\n0000"
    headers = {"content-encoding": "gzip", "git-protocol": "version=2"}
    good = raw(server, at, gzip.compress(body), headers)
    assert good.status_code == 200 and b"refs/heads/main" in good.content
    bomb = gzip.compress(b"\0" * (100 * 1024**2))
    for path, limit in ((at, "32 MB"), (f"ada/{work.name}/git-receive-pack", "8 MB")):
        answer = raw(server, path, bomb, headers)
        assert answer.status_code in (400, 413), (path, limit, answer.text)
    assert raw(server, at, b"not gzip", headers).status_code == 400
    assert raw(server, at, body, {"content-encoding": "br"}).status_code == 400


def test_a_gzip_bomb_behind_good_commands(server, work):
    work.commit({"a": "1"})
    body = gzip.compress(_request("a" * 40) + b"PACK" + b"\0" * (100 * 1024**2))
    answer = raw(server, f"ada/{work.name}/git-receive-pack", body, {"content-encoding": "gzip"})
    assert b"unpack ok" not in answer.content
    nothing_stored(server, work)


@pytest.mark.parametrize("value", ["version=2; rm -rf /", "version=9", "$(id)", "version=2:version=1"])
def test_a_strange_protocol_header_is_ignored(server, work, value):
    work.commit({"a": "1"})
    work.push()
    at = f"ada/{work.name}/info/refs?service=git-upload-pack"
    answer = raw(server, at, headers={"git-protocol": value}, method="GET")
    assert answer.status_code == 200 and answer.content.startswith(b"001e# service=git-upload-pack\n0000")


def test_a_client_that_leaves_leaves_no_process(server, work):
    work.commit({"a": "1"})
    work.push()
    at = f"/spaces/ada/{work.name}/git-receive-pack"
    import base64

    login = base64.b64encode(f"x:{TOKENS['ada']}".encode()).decode()
    head = f"POST {at} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {login}\r\nContent-Length: 1000000\r\n\r\n"
    git_dir = server.repos.git_dir(server.space(work.name).id)
    with socket.create_connection(("127.0.0.1", server.port)) as link:
        link.sendall(head.encode() + _request("a" * 40) + b"PACK\0\0\0\2\0\0\0\1")
        eventually(lambda: _running(server, git_dir), 10, "git for the push")
    eventually(lambda: not _running(server, git_dir), 15, "the end of git")
    nothing = server.repos.git.run(git_dir, "count-objects", "-v").decode()
    assert "garbage: 0" in nothing


def _running(server, git_dir: str) -> list[int]:
    return [
        child.pid
        for child in psutil.Process(server.process.pid).children(recursive=True)
        if any(git_dir in word for word in child.cmdline())
    ]


def test_the_hooks_question_needs_its_secret(server):
    transport = httpx.HTTPTransport(uds=str(server.data / "control.sock"))
    with httpx.Client(transport=transport, base_url="http://control") as client:
        for secret in ("", "Bearer", "Bearer x", "Bearer \xe9"):
            answer = client.post(
                "/internal/hooks/pre-receive", content=b"\n", headers={"authorization": secret.encode()}
            )
            assert answer.text.endswith("no\n")


def test_a_reader_pushes_to_a_pull_request_of_theirs_and_to_nothing_else(server, work):
    work.commit({"a": "1", "README.md": CARD})
    work.push()
    space = server.space(work.name)
    discussions = Discussions(server.store)
    requests = PullRequests(discussions, server.repos, GitRefs(server.repos), server.pushes)
    bob, ada = (server.accounts.caller(f"Bearer {TOKENS[name]}") for name in ("bob", "ada"))
    theirs = requests.open(bob, space, "From Bob", "Look.", status=Status.OPEN)
    other = requests.open(ada, space, "From Ada", "Look.")
    work.git("fetch", "-q", "origin", theirs.ref)
    work.commit({"b": "2"}, message="Add b")
    remote = server.remote(space.full_name, "bob")
    work.push(remote, f"HEAD:{theirs.ref}")
    assert [commit.title for commit in requests.commits(space, theirs)] == ["Add b"]
    refused(work.push(remote, f"HEAD:{other.ref}", check=False), "FORBIDDEN")
    refused(work.push(remote, "HEAD:main", check=False), "FORBIDDEN")
    refused(work.push(remote, f":{theirs.ref}", check=False), "REF_NAME")
    requests.merge(ada, space, theirs)
    assert "b" in {entry.path for entry in server.repos.tree(space.id, server.repos.head(space.id))}
    work.commit({"c": "3"})
    refused(work.push(remote, f"HEAD:{theirs.ref}", check=False))
