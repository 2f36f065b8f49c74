"""Whatever a stranger sends, by every door of a running Podium, is answered with a stable code and a sentence that says what was
found and what to write instead; nothing is lost, nothing breaks, nothing hangs. The rows are in tests/e2e/bad_input/."""

import gzip
import json
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from builder import dependencies
from builder.errors import Fault
from tests.e2e import bad_input
from tests.e2e.bad_input import api, files, pushes, wire
from tests.git_server import Clone
from tests.podium import ROOT
from tests.support import Loopback, eventually

APP = {
    "README.md": "---\nsdk: static\n---\n",
    "app.py": "import gradio as gr\n\ngr.Interface(str, 'text', 'text').launch()\n",
    "index.html": "<h1>hi</h1>\n",
}
ENDED = ("failed", "succeeded")


class Author:
    """Somebody with a working copy of one Space; each `push` is a commit with no parent, forced onto main."""

    def __init__(self, podium, name: str) -> None:
        self.podium, self.space = podium, podium.space(name)
        self.work = Clone(self.space.work)
        if self.work.folder.exists():
            shutil.rmtree(self.work.folder)
        self.work.folder.mkdir(parents=True)
        self.work.init(self.space.remote())
        self.work.git("config", "core.protectNTFS", "false")
        self.work.git("config", "core.protectHFS", "false")
        self.blob = self.work.out("hash-object", "-w", "--stdin", stdin="x")

    def commit(self, row: files.Files) -> str:
        """A commit of the row's files, made with plumbing: no working copy could hold some of them."""
        entries = [("100644", path, content) for path, content in {**APP, **row.files}.items() if content is not None]
        entries += [("120000", path, target) for path, target in row.links.items()]
        stream = b"commit refs/import\ncommitter Ada <ada@example.org> 1700000000 +0000\n" + _data(row.name[:60])
        stream += b"deleteall\n"
        for mode, path, content in entries:
            stream += b"M %b inline %b\n%b" % (mode.encode(), path.encode(), _data(content))
        self.work.git("update-ref", "-d", "refs/import")
        self.work.git("fast-import", "--quiet", "--force", stdin=stream)
        if not row.tree:
            return self.work.out("rev-parse", "refs/import")
        listed = self.work.git("ls-tree", "-z", "refs/import").stdout.encode() + b"".join(
            line.replace(b"BLOB", self.blob.encode()) + b"\0" for line in row.tree
        )
        tree = self.work.out("mktree", "-z", "--missing", stdin=listed)
        return self.work.out("commit-tree", tree, "-m", row.name[:60])

    def push(self, commit: str, check: bool = True) -> str:
        """What the pusher reads."""
        done = self.work.git("push", "--force", "origin", f"{commit}:refs/heads/main", check=check)
        return done.stderr

    def built(self, commit: str, timeout: float = 90) -> dict:
        def ended() -> dict | None:
            builds = self.space.api("GET", "/builds?limit=1").json()
            newest = builds[0] if builds else {}
            return newest if newest.get("sha") == commit and newest["state"] in ENDED else None

        return eventually(ended, timeout, f"the build of {commit[:7]}", every=0.05)


def _data(content: str | bytes) -> bytes:
    data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    return b"data %d\n%b\n" % (len(data), data)


@pytest.fixture(scope="module")
def author(podium):
    author = Author(podium, "bad-files")
    yield author
    author.space.delete()


def printable(text: str) -> bool:
    """No control or direction character but the ends of lines."""
    return all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize("row", files.PUSHED, ids=str)
def test_files(author, row):
    check_files(author, row)


@pytest.mark.parametrize("row", files.ONLINE, ids=str)
def test_requirements_that_no_index_has(author, row):
    check_files(author, row)


@pytest.mark.parametrize("path", files.POINTERS)
def test_a_pointer_to_what_nobody_uploaded_is_refused(author, path):
    row = files.Files(
        38, f"a pointer as {path}", {"README.md": "---\nsdk: gradio\n---\n", path: files.POINTER}, "LFS_MISSING"
    )
    head = author.space.api("GET").json()["sha"]
    said = author.push(author.commit(row), check=False)
    assert re.search(rf"LFS_MISSING: the LFS objects of {re.escape(path)} were not uploaded .*git lfs push", said), said
    assert author.space.api("GET").json()["sha"] == head


def check_files(author: Author, row: files.Files) -> None:
    commit = author.commit(row)
    said = re.sub(r"[ \t]*\r?\n|\x1b\[K", "\n", author.push(commit))
    build = author.built(commit)
    log = "\n".join(author.space.logs("build"))
    warned = "\n".join([said, log, *build["warnings"]])
    assert printable(said) and printable(log), "control characters reach a terminal"
    assert "Traceback" not in said + log
    assert re.search(row.warns, "\n".join(build["warnings"])), build
    if not row.code:
        assert build["state"] == "succeeded", build
        assert re.search(row.says, warned), warned
        return
    fault = check_fault(row, build["fault"])
    assert f"ERROR {fault['code']}" in log and fault["message"] in log
    if row.alone and row.where.startswith("README.md"):
        assert f"warning: {fault['code']}: {fault['where']}" in said, said
    runtime = eventually(lambda: (now := author.space.runtime())["stage"] == row.stage and now, 20, row.stage, 0.05)
    assert runtime["errorMessage"] == f"{fault['where']}: {fault['message']}".removeprefix(": ")


def check_fault(row: files.Files, fault: dict) -> dict:
    assert re.fullmatch(row.code, fault["code"]), fault
    assert re.search(row.says, f"{fault['message']} {fault['hint']}", re.DOTALL), fault
    place = re.escape(row.where) + ("(:[0-9]+)?" if row.where == "README.md" else "")
    assert not row.where or re.fullmatch(place, fault["where"]), fault
    assert (fault["message"] + fault["hint"]).isprintable() and 10 < len(fault["message"]) < 1000, fault
    return fault


@pytest.mark.parametrize("row", files.ASKED, ids=str)
def test_front_matter_is_judged_before_the_push(podium, row):
    """`huggingface_hub` asks before it commits, and shows what it is told."""
    readme = row.files["README.md"].decode("utf-8", "replace")
    answer = podium.http.post("/api/validate-yaml", json={"content": readme, "repoType": "space"})
    if len(readme) > 4_000_000 or "\0" in readme:  # no JSON of ours
        assert answer.status_code in (400, 413) and answer.json()["code"] in ("INVALID", "TOO_LARGE"), answer.text
        return
    assert answer.status_code == 400, answer.text
    [error] = answer.json()["errors"]
    where, _, message = error["message"].partition(": ")
    check_fault(row, {"code": error["code"], "where": where, "message": message, "hint": error.get("hint", "")})


@pytest.mark.parametrize("row", files.READ, ids=str)
def test_requirements_are_judged_alike_whoever_reads_them(row):
    def read(path: str) -> bytes | None:
        content = row.files.get(path)
        return content.encode() if isinstance(content, str) else content

    with pytest.raises(Fault) as caught:
        dependencies.read(read)
        dependencies.packages(read("packages.txt") or b"")
    fault = caught.value
    check_fault(row, {"code": fault.code, "where": fault.where, "message": fault.message, "hint": fault.hint})


# ------------------------------------------------------------------------------------------------------------------ API


class Caller:
    """Somebody with a Space that bad requests are sent to, and what nobody but its owner may do to it."""

    def __init__(self, podium) -> None:
        self.podium, self.space = podium, podium.space("bad-calls").create("static")
        self.space.secret("IS_SECRET", "1")
        self.space.variable("IS_VARIABLE", "1")
        self.tokens = {None: podium.token, "": "", "stranger": podium.user(f"stranger{podium.port}")}
        self.tokens["revoked"] = podium.user(f"revoked{podium.port}")
        podium.cli("token", "revoke", f"revoked{podium.port}", self.tokens["revoked"], "--data", str(podium.data))

    def fill(self, text: str) -> str:
        given = {
            "{space}": self.space.id,
            "{name}": self.space.name,
            "{owner}": self.space.owner,
            "{token}": self.podium.token,
        }
        for mark, value in given.items():
            text = text.replace(mark, value)
        return text

    def send(self, method: str, path: str, token: str | None = None, **sent) -> httpx.Response:
        headers = sent.pop("headers", {})
        pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
        if self.tokens.get(token):
            pairs.append(("authorization", f"Bearer {self.tokens[token]}"))
        began = time.monotonic()
        with self.podium.http.stream(method, self.fill(path), headers=pairs, **sent) as answer:
            if "event-stream" not in answer.headers.get("content-type", ""):  # those do not end by themselves
                answer.read()
        assert time.monotonic() - began < 5, f"{method} {path}: {time.monotonic() - began:.1f} s"
        return answer

    def state(self) -> dict:
        keys = ("sha", "private", "id", "author", "siblings", "sdk")
        now = self.space.api("GET").json()
        settings = [self.space.api("GET", f"/{kind}").json() for kind in ("secrets", "variables")]
        return {key: now.get(key) for key in keys} | {"settings": settings}


@pytest.fixture(scope="module")
def caller(podium):
    caller = Caller(podium)
    yield caller
    for name in ("bad-calls", "bad-values"):
        if podium.request("GET", f"/api/spaces/{podium.owner}/{name}", token=podium.token).status_code == 200:
            podium.space(name).delete()


def check_answer(answer: httpx.Response) -> dict:
    """What any refusal of the API looks like."""
    assert 400 <= answer.status_code < 500, f"{answer.status_code} {answer.text[:300]}"
    told = answer.json()
    assert told["error"] and told["error"].isprintable() and len(told["error"]) < 1500, told
    assert answer.headers["x-error-code"] == told["code"] and re.fullmatch(r"\w+", told["code"]), told
    assert answer.headers["x-error-message"]
    assert "Traceback" not in answer.text
    return told


@pytest.mark.parametrize("row", api.ROWS, ids=str)
def test_calls(caller, row):
    before = caller.state()
    sent = {**row.sent}
    if "json" in sent:
        sent["json"] = json.loads(caller.fill(json.dumps(sent["json"])))
    answer = caller.send(row.method, row.path, row.token, **sent)
    assert caller.state() == before
    assert answer.status_code == row.status, answer.text[:500]
    if row.status < 400:
        return
    told = check_answer(answer)
    assert re.fullmatch(row.code, told["code"]), told
    assert re.search(row.says, told["error"], re.DOTALL), told


OPERATIONS = ("get", "post", "put", "delete", "patch")
#: What ends the Space, or may outlive the test, is asked with rows only.
SPARED = {("delete", "/api/repos/delete")}


def operations(schema: dict):
    """(method, path with a Space in it, operation) of everything that the API says it has."""
    for path, item in schema["paths"].items():
        named = path.replace("{kind}", "spaces").replace("{owner}/{name}", "{space}").replace("{owner}", "{space}")
        named = re.sub(r"\{(?!space\})\w+\}", "main", named)
        for method in OPERATIONS:
            if method in item and path.startswith("/api/") and (method, path) not in SPARED:
                yield method.upper(), named, item[method]


def fields_of(schema: dict, operation: dict) -> list[str]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    name = content.get("$ref", "").rpartition("/")[2]
    return list(schema["components"]["schemas"].get(name, {}).get("properties", {}))


def test_wrong_types_everywhere(caller):
    """Each kind of value in each field of each body, in each query parameter, and as the whole body."""
    schema = caller.podium.http.get("/openapi.json").json()
    wrong, asked = [], 0
    for method, path, operation in operations(schema):
        bodies: list[object] = []
        named = fields_of(schema, operation)
        good = {
            "name": "bad-values",
            "type": "space",
            "sdk": "static",
            "key": "K",
            "value": "v",
            "flavor": "cpu-basic",
            "content": "",
        }
        for field in named:
            rest = {key: value for key, value in good.items() if key in named and key != field}
            bodies += [{**rest, field: value} for value in api.VALUES]
        queries = [p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"]
        asks = [
            {"content": json.dumps(body).encode(), "headers": {"content-type": "application/json"}} for body in bodies
        ]
        asks += [
            {"content": body, "headers": {"content-type": "application/json"}}
            for body in (b"", b"5", b"[]", b"null", b'"x"', b"{]")
        ]
        asks = [(path, ask) for ask in (asks if method != "GET" else [])]
        asks += [(f"{path}?{name}={value.replace('{name}', name)}", {}) for name in queries for value in api.QUERIES]
        for at, sent in asks:
            answer = caller.send(method, at, **sent)
            asked += 1
            if answer.status_code >= 400:
                try:
                    check_answer(answer)
                except Exception as error:
                    wrong.append(f"{method} {at[:120]} {str(sent.get('content'))[:120]}: {error!r}"[:600])
    assert asked > 500
    assert not wrong, "\n".join(wrong[:20])


def test_wrong_methods_everywhere(caller):
    schema = caller.podium.http.get("/openapi.json").json()
    allowed: dict[str, set[str]] = {}
    for method, path, _ in operations(schema):
        allowed.setdefault(path, set()).add(method)
    for path, methods in allowed.items():
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - methods:
            answer = caller.send(method, path)
            if answer.status_code >= 400:
                told = check_answer(answer)
                assert told["code"] != "METHOD_NOT_ALLOWED" or answer.headers["allow"]


@pytest.mark.parametrize(
    "given",
    [
        "bytes=9-1",
        "bytes=-0",
        "bytes=a-b",
        "bytes=0-0,2-3",
        "bytes=99999999999999999999-",
        "lines=1-2",
        "bytes",
        "bytes=" + "0-0," * 2000,
    ],
)
def test_bad_ranges(caller, given):
    """RFC 9110: what makes no sense is ignored (200), what is not there is 416 with the size."""
    answer = caller.send("GET", "/spaces/{space}/resolve/main/README.md", headers={"range": given})
    assert answer.status_code in (200, 206, 416), answer.text
    if answer.status_code == 416:
        assert re.fullmatch(r"bytes \*/[0-9]+", answer.headers["content-range"])


@pytest.mark.parametrize("given", ["x", "-5", "999999999", "1e9", "é".encode(), b"\xff", "0" * 5000])
def test_a_log_begins_again_whatever_the_last_event_was(caller, given):
    """D4 98."""
    answer = caller.send("GET", "/api/spaces/{space}/logs/build", headers={"last-event-id": given})
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")


def test_the_last_change_of_a_secret_wins_while_things_start(caller):
    """D4 106: each change asks for one more start; none is lost, the last value stands."""
    for value in ("1", "2", "3"):
        caller.space.variable("CHANGED", value)
    assert caller.space.api("GET", "/variables").json()["CHANGED"]["value"] == "3"
    caller.space.api("DELETE", "/variables", {"key": "CHANGED"})


# ------------------------------------------------------------------------------------------------------------------ git


@pytest.fixture(scope="module")
def pusher(podium):
    author = Author(podium, "bad-pushes")
    author.head = author.commit(files.Files(0, "good", files.STATIC, ""))
    author.push(author.head)
    yield author
    author.space.delete()


def refs(author: Author) -> dict[str, str]:
    lines = author.work.out("ls-remote", "origin").splitlines()
    return {ref: oid for oid, ref in (line.split("\t") for line in lines)}


@pytest.mark.parametrize("row", pushes.ROWS, ids=str)
def test_pushes(pusher, row):
    commit, before = row.make(pusher), refs(pusher)
    began = time.monotonic()
    done = pusher.work.git("push", "--force", "origin", row.refspec.format(commit=commit), check=False)
    assert time.monotonic() - began < 60
    said = re.sub(r"[ \t]*\r?\n(remote: )?|\x1b\[K", "\n", done.stderr)
    assert re.search(row.says, said, re.DOTALL), said
    assert printable(said) and "Traceback" not in said
    assert (done.returncode != 0) == row.refused, said
    assert refs(pusher) == before or not row.refused


class Login(httpx.BasicAuth):
    """A token, or whatever else, as the password."""

    def __init__(self, password: str) -> None:
        super().__init__("any", password)


def ask_git(
    author: Author, path: str, body: bytes = b"", method: str = "POST", auth: object = ..., **headers: str
) -> httpx.Response:
    given = Login(author.podium.token) if auth is ... else auth
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    url = path if path.startswith("/") else f"/spaces/{author.space.id}{path and '/' + path}"
    return author.podium.http.request(method, url, content=body, headers=named, auth=given, timeout=15)


REFS = "info/refs?service=git-receive-pack"


@pytest.mark.parametrize(
    ("d4", "who", "path", "status", "says"),
    [
        (1, None, REFS, 401, "AUTH_REQUIRED: .*token as the password"),
        (1, None, "git-receive-pack", 401, "AUTH_REQUIRED"),
        (2, "my password", REFS, 401, "AUTH_PASSWORD: .*access token.*write permission.*Settings → Tokens"),
        (2, "hf_" + "x" * 34, REFS, 401, "INVALID_TOKEN"),
        (2, "x" * 20_000, REFS, 401, "AUTH_PASSWORD"),
        (2, "\x00", REFS, 401, "AUTH_PASSWORD|INVALID_TOKEN"),
        (4, ..., "/spaces/{owner}2/x/" + REFS, 404, "Repository not found"),
        (4, ..., "/spaces/../../etc/" + REFS, 404, "."),
        (4, None, "/spaces/{owner}/nothing/info/refs?service=git-upload-pack", 401, "AUTH_REQUIRED"),
        (4, ..., "/spaces/{owner}/nothing/info/refs?service=git-upload-pack", 404, "Repository not found"),
        (4, ..., "/spaces/{owner}/a--b/" + REFS, 400, "NAME: .*letters, digits"),
        (4, ..., "/spaces/{owner}/%2e%2e/" + REFS, 400, "NAME: "),
        (4, ..., "/datasets/{owner}/x/" + REFS, 404, "Repository not found"),
        (5, "revoked", REFS, 401, r"TOKEN_EXPIRED: The token .* was revoked on 20\d\d-\d\d-\d\d"),
        (29, ..., "info/refs", 400, "GIT_DUMB: .*smart HTTP"),
        (29, ..., "info/refs?service=git-evil", 400, "GIT_DUMB"),
        (29, ..., "info/refs?service=git-upload-pack%00", 400, "."),
        (31, "read", "git-receive-pack?service=git-upload-pack", 403, "TOKEN_READ_ONLY: .*write permission"),
        (31, None, "git-receive-pack?service=git-upload-pack", 401, "AUTH_REQUIRED"),
    ],
)  # fmt: skip
def test_who_may_push(pusher, caller, d4, who, path, status, says):
    if who == "revoked":
        who = caller.tokens["revoked"]
    elif who == "read":
        who = pusher.podium.cli(
            "token", "add", pusher.podium.owner, "--role", "read", "--data", str(pusher.podium.data)
        ).stdout.strip()
    auth = Login(who) if isinstance(who, str) else who
    answer = ask_git(
        pusher, path.format(owner=pusher.podium.owner), method="GET" if "info/refs" in path else "POST", auth=auth
    )
    assert answer.status_code == status and re.search(says, answer.text), answer.text
    assert answer.text.rstrip("\n").isprintable() and "Traceback" not in answer.text
    if status == 401:
        assert answer.headers["www-authenticate"].startswith("Basic realm=")


@pytest.mark.parametrize(("d4", "service", "body"), pushes.GARBAGE)
def test_garbage_is_no_git(pusher, d4, service, body):
    before = refs(pusher)
    answer = ask_git(pusher, service, body)
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 400:
        assert re.search("GIT_PROTOCOL: ", answer.text) and answer.text.rstrip("\n").isprintable()
    assert refs(pusher) == before


@pytest.mark.parametrize(("d4", "pack"), pushes.PACKS)
def test_a_broken_pack_stores_nothing(pusher, d4, pack):
    before = refs(pusher)
    answer = ask_git(pusher, "git-receive-pack", pushes.command("a" * 40, before["refs/heads/main"]) + pack)
    assert answer.status_code in (200, 400) and not re.search(rb"[0-9a-f]{4}ok refs/", answer.content)
    assert re.search(rb"BAD_PACK|FSCK|unpack|GIT_PROTOCOL|missing necessary objects", answer.content), answer.content
    assert refs(pusher) == before


def test_a_push_of_what_is_not_sent(pusher):
    """D4 28: a commit whose file nobody has."""
    before, commit = refs(pusher), pushes.ghost(pusher)
    tree = pusher.work.out("rev-parse", f"{commit}^{{tree}}")
    done = subprocess.run(
        ["git", "pack-objects", "--stdout", "-q"],
        cwd=pusher.work.folder,
        input=f"{commit}\n{tree}\n".encode(),
        capture_output=True,
    )
    answer = ask_git(pusher, "git-receive-pack", pushes.command(commit, before["refs/heads/main"]) + done.stdout)
    assert answer.status_code == 200 and re.search(
        rb"BAD_PACK|missing|did not receive expected object", answer.content
    ), answer.content
    assert b"\x01000eunpack ok\n0017ok" not in answer.content and refs(pusher) == before


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "br", "deflate", "zstd", "gzip, gzip"])
def test_compressed_garbage(pusher, coding):
    """D4 32."""
    before = refs(pusher)
    bomb = gzip.compress(gzip.compress(b"\0" * (200 * 1024**2)) if "," in coding else b"\0" * (200 * 1024**2), 9)
    for service in ("git-upload-pack", "git-receive-pack"):
        answer = ask_git(pusher, service, bomb, content_encoding=coding)
        assert answer.status_code in (400, 413) and re.search("GIT_PROTOCOL|PUSH_TOO_LARGE", answer.text), answer.text
    assert refs(pusher) == before


@pytest.mark.parametrize(
    "value", ["version=2; rm -rf /", "version=9", "$(id)", "version=2:version=1", "x" * 5000, "version=２".encode()]
)
def test_a_strange_protocol_header_is_ignored(pusher, value):
    """D4 29."""
    answer = ask_git(pusher, "info/refs?service=git-upload-pack", method="GET", git_protocol=value)
    assert answer.status_code == 200 and answer.content.startswith(b"001e# service=git-upload-pack\n0000")


# -------------------------------------------------------------------------------------------------------------- gateway


@pytest.fixture(scope="module")
def doors(podium):
    """Host names: the console's, a running app's, a private app's, one of nobody."""
    public, private = podium.space("bad-wire"), podium.space("bad-secret")
    for space, hidden in ((public, False), (private, True)):
        space.create("static", private=hidden)
        space.push(files={"README.md": "---\nsdk: static\n---\n", "index.html": "<h1>hello</h1>"})
    for space in (public, private):
        space.wait("RUNNING")
    host = lambda space: space.url.partition("//")[2]  # noqa: E731
    yield {
        "console": f"localhost:{podium.port}",
        "app": host(public),
        "private": host(private),
        "space": public,
        "hidden": private,
    }
    public.delete()
    private.delete()


def on_the_wire(port: int, data: bytes, timeout: float = 5.0) -> tuple[bytes, bool]:
    """What is answered to these bytes, and whether the connection was closed then."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as sock:
        answer = b""
        try:
            sock.sendall(data)
            while part := sock.recv(65536):
                answer += part
        except TimeoutError:
            return answer, False
        except OSError:
            pass  # it was closed while we were still sending
        return answer, True


@pytest.mark.parametrize("door", ["app", "console"])
@pytest.mark.parametrize("row", wire.ROWS, ids=str)
def test_bytes(podium, doors, row, door):
    data = row.data.replace(b"%b", b"Host: %b\r\n" % doors[door].encode(), 1)
    if not row.closes:
        data = data.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: %b\r\n\r\n" % doors[door].encode()
    answer, closed = on_the_wire(podium.port, data + (smuggled if row.closes else b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert re.match(rf"HTTP/1\.1 ({row.status}) ", head.decode("latin-1")), answer[:300]
    if head[9:10] != b"4":
        return
    assert closed and answer.count(b"HTTP/1.1 ") == 1, answer
    assert b"\r\nx-error-code: " in head.lower(), head
    told = json.loads(body)
    assert re.search(row.says, told["error"]) and told["error"].isprintable() and told["code"], told


def test_a_request_that_stops_half_way_ends(podium, doors):
    """D4 113: header and body have a time each, 10 and 30 seconds by default; here only that nothing else waits for them."""
    half = [socket.create_connection(("127.0.0.1", podium.port)) for _ in range(50)]
    try:
        for n, sock in enumerate(half):
            sock.sendall(
                b"POST / HTTP/1.1\r\nHost: %b\r\nContent-Length: 50\r\n%b"
                % (doors["app"].encode(), b"\r\nx" if n % 2 else b"")
            )
        with doors["space"].client() as client:
            assert client.get("/").status_code == 200
    finally:
        for sock in half:
            sock.close()


@pytest.mark.parametrize(
    "given",
    [
        "expired",
        "x",
        "x.y.z",
        "eyJhbGciOiJub25lIn0.e30.",
        "<script>alert(1)</script>",
        "a" * 8000,
        "%00",
        "é",
        "a&__sign=b",
    ],
)
def test_bad_signatures_are_not_echoed(podium, doors, given):
    """D4 116: what a stranger sees, with the way in; 404 and not 401, so that a private Space looks like none."""
    with doors["hidden"].client(headers={"accept": "text/html"}) as client:
        answer = client.get(f"/?__sign={given}")
    assert answer.status_code == 404 and "/open?to=" in answer.text
    assert len(given) < 5 or given not in answer.text


@pytest.mark.parametrize("path", ["", "/secrets", "/runtime"])
def test_a_private_space_looks_like_none(podium, caller, doors, path):
    """D4 4 and 94, over the API."""
    seen = [
        caller.send("GET", f"/api/spaces/{name}{path}", "stranger")
        for name in (doors["hidden"].id, doors["hidden"].id + "x")
    ]
    assert [one.status_code for one in seen] == [404, 404] and seen[0].json() == seen[1].json()


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
@pytest.mark.parametrize("case", ["paused", "failed", "none", "deleted"])
def test_spaces_that_do_not_run_say_so(podium, case, accept, request):
    """D4 118."""
    space = podium.space(f"bad-{case}-{accept[-4:]}")
    if case != "none":
        space.create("static")
        broken = "---\nsdk: gradioo\n---\n" if case == "failed" else "---\nsdk: static\n---\n"
        space.push(files={"README.md": broken, "index.html": "hi"})
        space.wait("CONFIG_ERROR" if case == "failed" else "RUNNING")
        url = space.url
        if case == "paused":
            space.pause()
            space.wait("PAUSED")
        elif case == "deleted":
            space.delete()
    else:
        url = f"http://{podium.owner}-nothing.localhost:{podium.port}"
    status, words = {
        "paused": (503, "(?i)paused"),
        "failed": (503, "gradioo"),
        "none": (404, "(?i)not found|nothing"),
        "deleted": (404, "(?i)not found|nothing|deleted"),
    }[case]

    def told() -> httpx.Response | None:
        with httpx.Client(
            base_url=url, transport=Loopback(retries=0), timeout=10, headers={"accept": accept}
        ) as client:
            answer = client.get("/")
        return answer if answer.status_code == status and re.search(words, answer.text) else None

    answer = eventually(told, 20, f"{status} for a Space that is {case}")
    assert answer.headers["content-type"].startswith(accept) and "Traceback" not in answer.text
    assert answer.headers["x-error-code"]
    if case in ("paused", "failed"):
        space.delete()


@pytest.mark.parametrize(
    ("key", "version", "extra"),
    [
        (b"", b"13", b""),
        (b"short", b"13", b""),
        (b"dGhlIHNhbXBsZSBub25jZQ==", b"99", b""),
        (b"dGhlIHNhbXBsZSBub25jZQ==", b"13", b"Sec-WebSocket-Protocol: %b\r\n" % (b"x" * 5000)),
    ],
)  # fmt: skip
def test_sockets_that_no_app_takes(podium, doors, key, version, extra):
    """D4 115: a static Space has no sockets, the console neither."""
    for door in ("app", "console", "private"):
        fields = (
            b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: %b\r\nSec-WebSocket-Version: %b\r\n"
            % (key, version)
        )
        answer, closed = on_the_wire(
            podium.port, b"GET /ws HTTP/1.1\r\nHost: %b\r\n%b%b\r\n" % (doors[door].encode(), fields, extra)
        )
        assert answer[9:10] in (b"4", b"2") and closed, answer[:200]


# ---------------------------------------------------------------------------------------------------------------- whole


def test_every_kind_of_bad_input_has_its_row():
    rows = {row.d4 for row in (*files.PUSHED, *files.ONLINE, *api.ROWS, *pushes.ROWS, *wire.ROWS)}
    rows |= pushes.COVERED | {int(number) for number in re.findall(r'"""D4 ([0-9]+)', Path(__file__).read_text())}
    known = rows | set(bad_input.ELSEWHERE) | set(bad_input.NOT_HERE)
    assert sorted(set(bad_input.D4) - known) == [], "nobody tests these"
    assert sorted(known - set(bad_input.D4)) == [], "there is no such kind"
    assert not set(bad_input.NOT_HERE) & (rows | set(bad_input.ELSEWHERE))
    for why, path, name in bad_input.ELSEWHERE.values():
        assert why and f"def {name}(" in (ROOT / path).read_text(), f"{path} has no {name}"


def test_podium_stood_all_of_it(podium):
    """Last in this file: no mistake of ours was logged, and every part is the one that was started."""
    text = podium.log.read_text(errors="replace")
    assert "Traceback" not in text, text[text.index("Traceback") - 500 :][:4000]
    assert podium.http.get("/readyz").status_code == 200
