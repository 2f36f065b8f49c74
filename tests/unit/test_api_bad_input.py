"""Bad input over the API, on a real socket with a real database: each row gets its status, its stable code and a sentence, and
changes nothing; never a 500, a traceback or a hang."""

import json
from base64 import b64encode

import pytest

from tests.console import Console

SPACE = "/api/spaces/ada/demo"
HEAD = {"key": "header", "value": {"summary": "m"}}


@pytest.fixture(scope="module")
def console(tmp_path_factory):
    with Console(tmp_path_factory.mktemp("console")).listening() as console:
        console.space()
        yield console


def commit(*lines: object) -> dict:
    body = b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    return {"content": body, "headers": {"content-type": "application/x-ndjson"}}


def file(path: object, content: object = "x", encoding: object = "utf-8") -> dict:
    return {"key": "file", "value": {"path": path, "content": content, "encoding": encoding}}


def make(**fields: object) -> dict:
    return {"json": {"type": "space", "sdk": "gradio", **fields}}


def raw(body: bytes, media: str = "application/json") -> dict:
    return {"content": body, "headers": {"content-type": media}}


NAMES = [
    "",
    ".",
    "..",
    "a/b",
    "-x",
    "x-",
    "a--b",
    "a" * 300,
    "🚀",
    "dеmo",
    "a\x00b",
    "a%00b",
    "api",
    "x.git",
    "a b",
    "../../etc",
]
SECRET_NAMES = [
    "1ABC",
    "A-B",
    "a b",
    "",
    "PATH",
    "LD_PRELOAD",
    "KUBERNETES_SERVICE_HOST",
    "NVIDIA_VISIBLE_DEVICES",
    "SPACE_ID",
]
DEEP = b"[" * 100_000 + b"]" * 100_000

ROWS = [
    *[(f"name {n[:12]!r}", "POST", "/api/repos/create", make(name=n), 400, None) for n in NAMES],
    ("an organisation as a path", "POST", "/api/repos/create", make(name="x", organization="../x"), 403, "NAMESPACE"),
    ("another's namespace", "POST", "/api/repos/create", make(name="x", organization="bob"), 403, "NAMESPACE"),
    ("no name", "POST", "/api/repos/create", make(), 400, "INVALID"),
    ("name of a wrong type", "POST", "/api/repos/create", make(name={"a": 1}), 400, "INVALID"),
    ("owner_id", "POST", "/api/repos/create", make(name="x", owner_id="1"), 400, "INVALID"),
    ("is_admin", "POST", "/api/repos/create", make(name="x", is_admin=True), 400, "INVALID"),
    ("a bucket", "POST", "/api/repos/create", {"json": {"name": "x", "type": "bucket"}}, 400, "REPO_TYPE"),
    ("a model with an sdk", "POST", "/api/repos/create", {"json": {"name": "x", "sdk": "gradio"}}, 400, "REPO_TYPE"),
    ("a protected model", "POST", "/api/repos/create", {"json": {"name": "x", "visibility": "protected"}}, 400,
     "VISIBILITY"),
    ("an unknown sdk", "POST", "/api/repos/create", make(name="x", sdk="gradioo"), 400, "SDK"),
    ("unknown hardware", "POST", "/api/repos/create", make(name="x", hardware="h100"), 400, "HARDWARE"),
    ("a template", "POST", "/api/repos/create", make(name="x", template="a/b"), 404, "RepoNotFound"),
    ("both visibilities", "POST", "/api/repos/create", make(name="x", private=True, visibility="public"), 400, "VISIBILITY"),
    ("a visibility of one's own", "POST", "/api/repos/create", make(name="x", visibility="secret"), 400, "INVALID"),
    ("a bad first secret", "POST", "/api/repos/create", make(name="x", secrets=[{"key": "1", "value": ""}]), 400, "SECRET_NAME"),
    ("a bad first file", "POST", "/api/repos/create",
     make(name="x", files=[{"path": "a", "content": "!", "encoding": "base64"}]), 400, "COMMIT_CONTENT"),
    ("half a surrogate pair", "POST", "/api/repos/create", raw(b'{"name":"x","license":"\\ud800","type":"space"}'), 400,
     "INVALID"),
    ("it exists", "POST", "/api/repos/create", make(name="DEMO"), 409, "RepoExists"),
    ("no JSON", "POST", "/api/repos/create", raw(b"{"), 400, None),
    ("a list", "POST", "/api/repos/create", raw(b"[]"), 400, "INVALID"),
    ("no body", "POST", "/api/repos/create", {}, 400, "INVALID"),
    ("a form", "POST", "/api/repos/create", {"data": {"name": "x"}}, 400, "INVALID"),
    ("JSON of depth 100000", "POST", "/api/repos/create", raw(DEEP), 400, None),
    ("not UTF-8", "POST", "/api/repos/create", raw(b'{"name": "\xff"}'), 400, None),
    ("multipart without boundary", "POST", f"{SPACE}/paths-info/main", raw(b"x", "multipart/form-data"), 400, "PATHS"),
    ("5 MB of JSON", "POST", f"{SPACE}/secrets", raw(b" " * 5_000_000), 413, "TOO_LARGE"),
    ("somebody else's", "DELETE", "/api/repos/delete", {"json": {"type": "space", "name": "demo", "organization": "nobody"}}, 404,
     "RepoNotFound"),
    ("moving a model that is not there", "POST", "/api/repos/move",
     {"json": {"fromRepo": "ada/demo", "toRepo": "ada/x"}}, 404, "RepoNotFound"),
    ("moving to another's name", "POST", "/api/repos/move",
     {"json": {"fromRepo": "ada/demo", "toRepo": "bob/x", "type": "space"}}, 403, "NAMESPACE"),
    ("moving to no name", "POST", "/api/repos/move",
     {"json": {"fromRepo": "ada/demo", "toRepo": "ada", "type": "space"}}, 400, "NAME"),
    ("moving to a bad name", "POST", "/api/repos/move",
     {"json": {"fromRepo": "ada/demo", "toRepo": "ada/-", "type": "space"}}, 400, "NAME"),
    ("an empty move", "POST", "/api/repos/move", {}, 400, "INVALID"),
    ("a duplicate without a name", "POST", f"{SPACE}/duplicate", {"json": {}}, 400, "INVALID"),
    ("a duplicate that is there", "POST", f"{SPACE}/duplicate", {"json": {"repository": "Ada/Demo"}}, 409, "RepoExists"),
    ("a duplicate for another", "POST", f"{SPACE}/duplicate", {"json": {"repository": "bob/demo"}}, 403, "NAMESPACE"),
    ("a like of nothing", "POST", "/api/models/ada/demo/like", {}, 404, "RepoNotFound"),
    ("a like of one segment", "DELETE", "/api/models/gpt2/like", {}, 404, "RepoNotFound"),
    ("access to what has no gate", "POST", "/spaces/ada/demo/ask-access", {}, 400, "GATED"),
    ("access requests of what has no gate", "GET", f"{SPACE}/user-access-request/pending", {}, 400, "GATED"),
    ("a status of requests", "GET", f"{SPACE}/user-access-request/nope", {}, 400, "ACCESS_STATUS"),
    ("a decision about nobody", "POST", f"{SPACE}/user-access-request/handle", {"json": {"status": "accepted"}}, 400,
     "ACCESS_REQUEST"),
    ("a collection that is not there", "GET", "/api/collections/ada/x-" + "0" * 24, {}, 404, "COLLECTION"),
    ("a collection without a title", "POST", "/api/collections", {"json": {"title": " "}}, 400, "COLLECTION"),
    ("a long title", "POST", "/api/collections", {"json": {"title": "x" * 61}}, 400, "COLLECTION"),
    ("a collection of another", "POST", "/api/collections", {"json": {"title": "x", "namespace": "bob"}}, 403,
     "NAMESPACE"),
    ("collections with a paper", "GET", "/api/collections?item=papers/1", {}, 400, "ITEM"),
    ("a cursor of collections", "GET", "/api/collections?cursor=x", {}, 400, "CURSOR"),
    ("likes of nobody", "GET", "/api/users/nobody/likes", {}, 404, "OWNER"),
    ("no such Space", "GET", "/api/spaces/ada/none", {}, 404, "RepoNotFound"),
    ("SQL", "GET", "/api/spaces/ada/x' OR 1=1 --", {}, 404, "RepoNotFound"),
    ("a very long id", "GET", f"/api/spaces/ada/{'x' * 5000}", {}, 400, "INVALID"),
    ("one segment", "GET", "/api/spaces/demo", {}, 404, "RepoNotFound"),
    ("a model's info", "GET", "/api/models/ada/demo/tree/main", {}, 404, "RepoNotFound"),
    ("a model", "GET", "/api/models/ada/demo", {}, 404, "RepoNotFound"),
    *[(f"a whole part: {p}", "GET", f"/api/{p}{rest}", {}, 404, "NOT_SUPPORTED")
      for p, rest in (("jobs", "/ada"), ("jobs", "/ada/x/duplicate"), ("daily_papers", "?p=1"))],
    ("models by size", "GET", "/api/models?num_parameters=min:6B", {}, 400, "NOT_SUPPORTED"),
    ("models by app", "GET", "/api/models?apps=ollama,vllm", {}, 400, "NOT_SUPPORTED"),
    ("a leaderboard of nothing", "GET", "/api/datasets/ada/demo/leaderboard", {}, 404, "RepoNotFound"),
    ("a leaderboard", "GET", f"{SPACE}/leaderboard", {}, 400, "NOT_SUPPORTED"),
    ("headers of absent shards", "GET", f"{SPACE}/safetensors-metadata/a/m.safetensors.index.json", {}, 404, "EntryNotFound"),
    ("a file of a model", "HEAD", "/gpt2/resolve/main/config.json", {}, 404, None),
    ("a file of another's model", "GET", "/ada/gpt2/resolve/main/config.json", {}, 404, "RepoNotFound"),
    ("a dataset", "GET", "/api/datasets/squad", {}, 404, "RepoNotFound"),
    ("nothing of ours", "GET", "/api/nothing/here", {}, 404, "NOT_FOUND"),
    ("a model of one segment", "GET", "/api/models/gpt2", {}, 404, "RepoNotFound"),
    ("NUL in the path", "GET", "/api/spaces/ada/de%00mo", {}, 400, "BAD_REQUEST"),
    ("NUL in the query", "GET", "/api/spaces?search=%00", {}, 400, "BAD_REQUEST"),
    ("a path that is not UTF-8", "GET", "/api/spaces/ada/%ff", {}, 400, "BAD_REQUEST"),
    ("nothing there", "GET", f"{SPACE}/nothing", {}, 404, "NOT_FOUND"),
    ("garbage after the path", "GET", f"{SPACE}/runtime/x/y", {}, 404, "NOT_FOUND"),
    ("a method that is not there", "PATCH", f"{SPACE}/secrets", {}, 405, "METHOD_NOT_ALLOWED"),
    ("an unknown expand", "GET", f"{SPACE}?expand=nope", {}, 400, "EXPAND"),
    ("an unknown expand of a model that is not there", "GET", "/api/models/a/b?expand=nope", {}, 400, "EXPAND"),
    ("an unknown expand of models", "GET", "/api/models?expand=nope", {}, 400, "EXPAND"),
    ("an unknown order of datasets", "GET", "/api/datasets?sort=nope", {}, 400, "INVALID"),
    ("an unknown expand of a list", "GET", "/api/spaces?expand[]=nope", {}, 400, "EXPAND"),
    ("an unknown sort", "GET", "/api/spaces?sort=beauty", {}, 400, "INVALID"),
    ("limit 0", "GET", "/api/spaces?limit=0", {}, 400, "INVALID"),
    ("limit x", "GET", "/api/spaces?limit=x", {}, 400, "INVALID"),
    ("a strange cursor", "GET", "/api/spaces?cursor=abc", {}, 400, "CURSOR"),
    ("a cursor of words", "GET", "/api/spaces?cursor=eno6eno", {}, 400, "CURSOR"),
    ("a strange boolean", "GET", f"{SPACE}/tree/main?recursive=perhaps", {}, 400, "INVALID"),
    ("a strange tree cursor", "GET", f"{SPACE}/tree/main?cursor=abc", {}, 400, "CURSOR"),
    ("no such revision", "GET", f"{SPACE}/tree/nope", {}, 404, "RevisionNotFound"),
    ("a revision like an option", "GET", f"{SPACE}/tree/--output=x", {}, 404, "RevisionNotFound"),
    ("a revision with magic", "GET", f"{SPACE}/tree/main%5E%7Btree%7D", {}, 404, "RevisionNotFound"),
    ("no such folder", "GET", f"{SPACE}/tree/main/nope", {}, 404, "EntryNotFound"),
    ("out of the tree", "GET", f"{SPACE}/tree/main/..%2F..", {}, 404, "EntryNotFound"),
    ("no such file", "GET", "/spaces/ada/demo/resolve/main/nope", {}, 404, "EntryNotFound"),
    ("a file out of the repo", "GET", "/spaces/ada/demo/resolve/main/..%2F..%2Fetc%2Fpasswd", {}, 404, "EntryNotFound"),
    ("a magic path", "GET", "/spaces/ada/demo/resolve/main/:(top)README.md", {}, 404, "EntryNotFound"),
    ("3000 paths", "POST", f"{SPACE}/paths-info/main", {"data": {"paths": ["a"] * 3000}}, 400, "PATHS"),
    ("paths that are numbers", "POST", f"{SPACE}/paths-info/main", {"json": {"paths": [1]}}, 400, "PATHS"),
    ("too many files to come", "POST", f"{SPACE}/preupload/main",
     {"json": {"files": [{"path": "a", "size": 1}] * 1001}}, 400, "INVALID"),
    ("a file too large to come", "POST", f"{SPACE}/preupload/main", {"json": {"files": [{"path": "big", "size": 10**9}]}}, 413,
     "FILE_TOO_LARGE"),
    ("a negative size", "POST", f"{SPACE}/preupload/main", {"json": {"files": [{"path": "big", "size": -1}]}}, 400, "INVALID"),
    ("a pull request without a branch", "POST", f"{SPACE}/commit/nowhere?create_pr=1", commit(HEAD, file("a")), 404,
     "RevisionNotFound"),
    ("a commit to no pull request", "POST", f"{SPACE}/commit/refs%2Fpr%2F77", commit(HEAD, file("a")), 404, "RevisionNotFound"),
    ("a pull request of half a commit", "POST", f"{SPACE}/commit/main?create_pr=1", commit(HEAD, b"{nope"), 400, "COMMIT_BODY"),
    ("a commit to a tag", "POST", f"{SPACE}/commit/refs%2Ftags%2Fv1", commit(HEAD, file("a")), 400, "REF"),
    ("a branch that is a ref", "POST", f"{SPACE}/branch/refs%2Fpr%2F5", {"json": {}}, 400, "REF_NAME"),
    ("a branch with a space", "POST", f"{SPACE}/branch/a%20b", {"json": {}}, 400, "REF_NAME"),
    ("a branch out of the repo", "POST", f"{SPACE}/branch/..%2F..%2Fx", {"json": {}}, 400, "REF_NAME"),
    ("a branch of nothing", "POST", f"{SPACE}/branch/b", {"json": {"startingPoint": "--all"}}, 404, "RevisionNotFound"),
    ("a branch that is there", "POST", f"{SPACE}/branch/main", {"json": {}}, 409, "RefExists"),
    ("main deleted", "DELETE", f"{SPACE}/branch/main", {}, 403, "DELETE_MAIN"),
    ("a branch of no name", "DELETE", f"{SPACE}/branch/a..b", {}, 404, "RevisionNotFound"),
    ("a tag with a newline", "POST", f"{SPACE}/tag/main", {"json": {"tag": "a\nb"}}, 400, "REF_NAME"),
    ("a tag of nothing", "POST", f"{SPACE}/tag/nowhere", {"json": {"tag": "a b"}}, 404, "RevisionNotFound"),
    ("a tag that is not there", "DELETE", f"{SPACE}/tag/v0", {}, 404, "RevisionNotFound"),
    ("nothing squashed", "POST", f"{SPACE}/super-squash/nowhere", {"json": {}}, 404, "RevisionNotFound"),
    ("a comparison with nothing", "GET", f"{SPACE}/compare/main..", {}, 400, "COMPARE"),
    ("a comparison of an option", "GET", f"{SPACE}/compare/--output=x..main", {}, 404, "RevisionNotFound"),
    ("a discussion of two letters", "POST", f"{SPACE}/discussions", {"json": {"title": " x y"[:3], "description": "d"}}, 400,
     "DISCUSSION_TITLE"),
    ("a discussion that is not there", "GET", f"{SPACE}/discussions/9999", {}, 404, "DiscussionNotFound"),
    ("a discussion with a word for a number", "GET", f"{SPACE}/discussions/last", {}, 400, "INVALID"),
    ("a comment to nobody", "POST", f"{SPACE}/discussions/9999/comment", {"json": {"comment": "x"}}, 404, "DiscussionNotFound"),
    ("an empty commit body", "POST", f"{SPACE}/commit/main", commit(), 400, "COMMIT_BODY"),
    ("a commit without a header", "POST", f"{SPACE}/commit/main", commit(file("a")), 400, "COMMIT_BODY"),
    ("a commit without a message", "POST", f"{SPACE}/commit/main", commit({"key": "header", "value": {}}), 400, "COMMIT_MESSAGE"),
    ("a message that is a list", "POST", f"{SPACE}/commit/main", commit({"key": "header", "value": {"summary": []}}, file("a")),
     400, "COMMIT_MESSAGE"),
    ("a line that is no JSON", "POST", f"{SPACE}/commit/main", commit(HEAD, b"{nope"), 400, "COMMIT_BODY"),
    ("a line of depth 100000", "POST", f"{SPACE}/commit/main", commit(HEAD, DEEP), 400, "COMMIT_BODY"),
    ("an unknown operation", "POST", f"{SPACE}/commit/main", commit(HEAD, {"key": "chmod", "value": {"path": "a"}}), 400,
     "COMMIT_BODY"),
    ("a path that is a number", "POST", f"{SPACE}/commit/main", commit(HEAD, file(1)), 400, "COMMIT_BODY"),
    ("bad base64", "POST", f"{SPACE}/commit/main", commit(HEAD, file("a", "!!", "base64")), 400, "COMMIT_CONTENT"),
    ("an unknown encoding", "POST", f"{SPACE}/commit/main", commit(HEAD, file("a", "x", "rot13")), 400, "COMMIT_CONTENT"),
    ("an LFS file", "POST", f"{SPACE}/commit/main",
     commit(HEAD, {"key": "lfsFile", "value": {"path": "a", "algo": "sha256", "oid": "0" * 64}}), 400, "LFS_MISSING"),
    ("a file over the limit", "POST", f"{SPACE}/commit/main",
     commit(HEAD, file("big", b64encode(b"x" * 6_000_000).decode(), "base64")), 413, "FILE_TOO_LARGE"),
    ("a line over every limit", "POST", f"{SPACE}/commit/main", commit(HEAD, b"x" * 12_000_000), 413, "FILE_TOO_LARGE"),
    *[(f"path {p!r}", "POST", f"{SPACE}/commit/main", commit(HEAD, file(p)), 422, "PATH")
      for p in ("../x", "..\\x", "a\\..\\b", ".cache/x", "a/.cache/huggingface/x", "/etc/passwd",
                 ".git/config", ".GIT/hooks/x", "a/../b", "a\nb", "", "a//b", "git~1/x")],
    ("a deletion of nothing", "POST", f"{SPACE}/commit/main",
     commit(HEAD, {"key": "deletedFile", "value": {"path": "nope"}}), 404, "EntryNotFound"),
    ("a stale parent", "POST", f"{SPACE}/commit/main",
     commit({"key": "header", "value": {"summary": "m", "parentCommit": "0" * 40}}, file("a")), 412, None),
    ("a parent that is no id", "POST", f"{SPACE}/commit/main",
     commit({"key": "header", "value": {"summary": "m", "parentCommit": "--force"}}, file("a")), 412, None),
    ("a branch that is not there", "POST", f"{SPACE}/commit/nope", commit(HEAD, file("a")), 404, "RevisionNotFound"),
    ("a commit to a tag", "POST", f"{SPACE}/commit/refs%2Ftags%2Fx", commit(HEAD, file("a")), 400, "REF"),
    *[(f"secret {n!r}", "POST", f"{SPACE}/secrets", {"json": {"key": n, "value": "v"}}, 400, "SECRET_NAME")
      for n in SECRET_NAMES],
    ("a variable of a reserved name", "POST", f"{SPACE}/variables", {"json": {"key": "PATH", "value": "v"}}, 400, "SECRET_NAME"),
    ("a secret too long", "POST", f"{SPACE}/secrets", {"json": {"key": "K", "value": "x" * 40_000}}, 400, "SECRET_VALUE"),
    ("a secret with NUL", "POST", f"{SPACE}/secrets", {"json": {"key": "K", "value": "a\x00"}}, 400, None),
    ("a secret without value", "POST", f"{SPACE}/secrets", {"json": {"key": "K"}}, 400, "INVALID"),
    ("sleep 0", "POST", f"{SPACE}/sleeptime", {"json": {"seconds": 0}}, 400, "SLEEP_TIME"),
    ("sleep a word", "POST", f"{SPACE}/sleeptime", {"json": {"seconds": "long"}}, 400, "INVALID"),
    ("sleep 1e400", "POST", f"{SPACE}/sleeptime", raw(b'{"seconds": 1e400}'), 400, None),
    ("sleep NaN", "POST", f"{SPACE}/sleeptime", raw(b'{"seconds": NaN}'), 400, None),
    ("unknown hardware asked for", "POST", f"{SPACE}/hardware", {"json": {"flavor": "h100"}}, 400, "HARDWARE"),
    ("gating", "PUT", f"{SPACE}/settings", {"json": {"gated": "auto"}}, 400, "GATED"),
    ("an owner by settings", "PUT", f"{SPACE}/settings", {"json": {"owner_id": "x"}}, 400, "INVALID"),
    ("a rollback to nothing", "POST", f"{SPACE}/rollback", {"json": {"build": "99"}}, 404, "BUILD"),
    ("an unknown log", "GET", f"{SPACE}/logs/secret", {}, 400, "INVALID"),
    ("volumes", "PUT", f"{SPACE}/volumes", {"json": {"volumes": []}}, 400, "NOT_SUPPORTED"),
    ("dev mode", "POST", f"{SPACE}/dev-mode", {"json": {"enabled": True}}, 400, "NOT_SUPPORTED"),
    ("a token for Xet", "GET", "/api/spaces/ada/none/xet-write-token/main", {}, 404, "RepoNotFound"),
    ("another's xorb", "POST", f"/api/xet/{'0' * 24}/{'0' * 16}/v1/xorbs/default/{'0' * 64}", {}, 401, "LINK_FORGED"),
    ("an unsigned upload", "PUT", f"/api/lfs/{'0' * 64}", {"content": b"x"}, 403, "LINK_FORGED"),
    ("an upload without a hash", "PUT", "/api/lfs/..%2f..%2fetc", {"content": b"x"}, 422, "LFS_OID"),
    ("a batch of nothing", "POST", "/spaces/ada/demo.git/info/lfs/objects/batch", {"json": {}}, 422, "LFS_BATCH"),
    ("a batch of too much", "POST", "/spaces/ada/demo.git/info/lfs/objects/batch",
     {"json": {"operation": "upload", "objects": [{}] * 1001}}, 413, "LFS_BATCH"),
    ("a size below nothing", "POST", "/spaces/ada/demo.git/info/lfs/objects/batch",
     {"json": {"operation": "upload", "objects": [{"oid": "0" * 64, "size": -1}]}}, 422, "LFS_SIZE"),
    ("a size without end", "POST", "/spaces/ada/demo.git/info/lfs/objects/batch",
     {"json": {"operation": "upload", "objects": [{"oid": "0" * 64, "size": 2**63}]}}, 422, "LFS_SIZE"),
    ("a path for a hash", "POST", "/spaces/ada/demo.git/info/lfs/objects/batch",
     {"json": {"operation": "upload", "objects": [{"oid": "../" * 21 + "x", "size": 1}]}}, 422, "LFS_OID"),
    ("an operation of its own", "POST", "/spaces/ada/demo.git/info/lfs/objects/batch",
     {"json": {"operation": "delete", "objects": []}}, 422, "LFS_BATCH"),
    ("a sample that is no base64", "POST", f"{SPACE}/preupload/main",
     {"json": {"files": [{"path": "a", "size": 5, "sample": "*"}]}}, 400, "SAMPLE"),
    ("no such user", "GET", "/api/users/nobody/overview", {}, 404, "OWNER"),
    ("an organisation that is a user", "GET", "/api/organizations/ada/overview", {}, 404, "OWNER"),
    ("a garbled Authorization", "GET", "/api/whoami-v2", {"headers": {"authorization": "Bearer"}}, 401, "INVALID_TOKEN"),
    ("an unknown scheme", "GET", "/api/whoami-v2", {"headers": {"authorization": "Digest x"}}, 401, "INVALID_TOKEN"),
    ("Basic garbage", "GET", "/api/whoami-v2", {"headers": {"authorization": "Basic %%%"}}, 401, "INVALID_TOKEN"),
    ("a password", "GET", "/api/whoami-v2", {"headers": {"authorization": "Bearer secret"}}, 401, "INVALID_TOKEN"),
    ("a token of 60 kB", "GET", "/api/whoami-v2", {"headers": {"authorization": "Bearer " + "x" * 60_000}}, 400, None),
    ("two Authorization headers", "GET", "/api/whoami-v2",
     {"headers": [("authorization", "Bearer a"), ("authorization", "Bearer b")]}, 400, "AUTH_HEADER"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "code"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_bad_input(console, method, path, sent, status, code):
    with console.client(None) as client:
        headers = sent.get("headers", {})
        pairs = list(headers.items()) if isinstance(headers, dict) else headers
        if not any(name == "authorization" for name, _ in pairs):
            pairs.append(("authorization", f"Bearer {console.token}"))
        before = client.get(SPACE).json()
        answer = client.request(method, path, **{**sent, "headers": pairs})
        after = client.get(SPACE).json()
    assert answer.status_code == status, answer.text
    assert {k: v for k, v in after.items() if k != "runtime"} == {k: v for k, v in before.items() if k != "runtime"}
    if status < 400 or (status == 400 and "x-error-code" not in answer.headers):  # the last is uvicorn's own refusal
        return
    if method == "HEAD":
        assert answer.headers["x-error-code"] == "RepoNotFound"
        return
    told = answer.json()
    assert told["error"] and told["code"] == answer.headers["x-error-code"] and answer.headers["x-request-id"]
    assert code in (None, told["code"]), told
    assert "Traceback" not in answer.text


def test_validation_lists_every_place_and_echoes_no_value(console):
    with console.client() as client:
        answer = client.post(f"{SPACE}/secrets", json={"key": 1, "value": {"s3cr3t": 1}, "x": 2})
    assert [d["loc"] for d in answer.json()["details"]] == [["body", "key"], ["body", "value"], ["body", "x"]]
    assert "s3cr3t" not in answer.text


def test_an_old_name_in_a_body_leads_nowhere_rather_than_round_in_a_circle(console):
    with console.client() as client:
        assert client.post("/api/repos/create", json={"name": "before", "type": "model"}).status_code == 200
        assert client.post("/api/repos/move", json={"fromRepo": "ada/before", "toRepo": "ada/after"}).status_code == 200
        answer = client.request("DELETE", "/api/repos/delete", json={"type": "model", "name": "before"})
    assert (answer.status_code, answer.json()["code"]) == (404, "RepoNotFound")
    assert "ada/after now" in answer.json()["error"]


def test_a_wrong_method_is_told_the_right_ones(console):
    with console.client() as client:
        answer = client.put(f"{SPACE}/secrets")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST, DELETE")


def test_the_same_name_cannot_be_a_secret_and_a_variable(console):
    with console.client() as client:
        assert client.post(f"{SPACE}/variables", json={"key": "TWICE", "value": "v"}).status_code == 200
        answer = client.post(f"{SPACE}/secrets", json={"key": "TWICE", "value": "v"})
    assert (answer.status_code, answer.json()["code"]) == (409, "SECRET_KIND")


def test_there_is_a_limit_to_secrets(console):
    console.space("many")
    with console.client() as client:
        sent = [
            client.post("/api/spaces/ada/many/secrets", json={"key": f"K{i}", "value": "x" * 32_000}) for i in range(14)
        ]
    assert {answer.status_code for answer in sent} == {200, 400}
    assert sent[-1].json()["code"] == "SECRET_QUOTA"
