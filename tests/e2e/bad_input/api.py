"""What is sent to the API, secrets and variables. `{space}` in a path is a Space that its sender owns; every row must leave it as
it was. The kinds of value at the end are put into every field of every body and query that the API's own schema names."""
# ruff: noqa: E501  (tables: one row a line)

import json
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Call:
    """One request as its owner unless `token` says otherwise ("" none, "stranger", "expired"). `code` and `says` are searched
    whole and anywhere in what the caller is told."""

    d4: int
    name: str
    method: str
    path: str
    sent: dict[str, Any] = field(default_factory=dict)
    status: int = 400
    code: str = "INVALID"
    says: str = ""
    token: str | None = None

    def __str__(self) -> str:
        return f"{self.d4}-{self.name}"


def ndjson(*lines: object, cut: int = 0) -> dict[str, Any]:
    body = b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    return {"content": body[: len(body) - cut], "headers": {"content-type": "application/x-ndjson"}}


def put(path: object, content: object = "x", encoding: object = "utf-8", **more: object) -> dict:
    return {"key": "file", "value": {"path": path, "content": content, "encoding": encoding, **more}}


def raw(body: bytes, media: str = "application/json") -> dict[str, Any]:
    return {"content": body, "headers": {"content-type": media}}


def make(**fields: object) -> dict[str, Any]:
    return {"json": {"type": "space", "sdk": "static", **fields}}


S = "/api/spaces/{space}"
HEAD = {"key": "header", "value": {"summary": "m"}}
DEEP = b"[" * 100_000 + b"]" * 100_000
CREATE, COMMIT, SECRETS, VARIABLES = "/api/repos/create", f"{S}/commit/main", f"{S}/secrets", f"{S}/variables"

BODIES = [
    Call(82, "unknown field", "POST", SECRETS, {"json": {"key": "A", "value": "b", "colour": 1}}, says="colour: there is no such field"),
    Call(82, "missing field", "POST", SECRETS, {"json": {"key": "A"}}, says="value: .*required"),
    Call(82, "wrong type", "POST", SECRETS, {"json": {"key": "A", "value": 5}}, says="value: .*string"),
    Call(82, "several at once", "POST", SECRETS, {"json": {"key": 1, "value": 2}}, says="and 1 more"),
    Call(82, "no JSON", "POST", SECRETS, raw(b"{")),
    Call(82, "cut JSON", "POST", SECRETS, raw(b'{"key": "A", "val')),
    Call(82, "two documents", "POST", SECRETS, raw(b'{"key": "A", "value": "b"} {}')),
    Call(82, "a list", "POST", SECRETS, raw(b"[]")),
    Call(82, "null", "POST", SECRETS, raw(b"null")),
    Call(82, "no body", "POST", SECRETS),
    Call(82, "a form", "POST", SECRETS, {"data": {"key": "A", "value": "b"}}),
    Call(82, "as text", "POST", SECRETS, raw(b'{"key": "A", "value": "b"}', "text/plain")),
    Call(82, "depth 100000", "POST", SECRETS, raw(DEEP), code="INVALID|BAD_REQUEST"),
    Call(82, "not UTF-8", "POST", SECRETS, raw(b'{"key": "\xff"}'), code="INVALID|BAD_REQUEST"),
    Call(82, "UTF-16", "POST", SECRETS, raw('{"key": "A"}'.encode("utf-16")), code="INVALID|BAD_REQUEST"),
    Call(82, "a number of 5000 digits", "POST", f"{S}/sleeptime", raw(b'{"seconds": ' + b"9" * 5000 + b"}"), code="INVALID|BAD_REQUEST|SLEEP_TIME"),
    Call(82, "half a surrogate pair", "POST", SECRETS, raw(b'{"key": "A", "value": "\\ud800"}'), says="surrogate"),
    Call(82, "unknown sdk", "POST", CREATE, make(name="x", sdk="gradioo"), code="SDK", says="gradioo"),
    Call(82, "unknown hardware", "POST", CREATE, make(name="x", hardware="h100"), code="HARDWARE", says="h100"),
    Call(82, "hardware of a live one", "POST", f"{S}/hardware", {"json": {"flavor": "h100\x1b[31m"}}, code="HARDWARE"),
    Call(82, "sleep 0", "POST", f"{S}/sleeptime", {"json": {"seconds": 0}}, code="SLEEP_TIME"),
    Call(82, "sleep -2", "POST", f"{S}/sleeptime", {"json": {"seconds": -2}}, code="SLEEP_TIME"),
    Call(82, "sleep Infinity", "POST", f"{S}/sleeptime", raw(b'{"seconds": Infinity}'), code="INVALID|BAD_REQUEST|SLEEP_TIME"),
    Call(82, "a visibility of one's own", "PUT", f"{S}/settings", {"json": {"visibility": "secret"}}),
    Call(82, "both visibilities", "PUT", f"{S}/settings", {"json": {"visibility": "public", "private": True}}, code="VISIBILITY"),
    Call(82, "an unknown expand", "GET", f"{S}?expand=nope", code="EXPAND"),
    Call(82, "an unknown sort", "GET", "/api/spaces?sort=beauty"),
    Call(82, "limit 0", "GET", "/api/spaces?limit=0"),
    Call(82, "limit 1e9", "GET", "/api/spaces?limit=1e9"),
    Call(82, "a strange cursor", "GET", "/api/spaces?cursor=abc", code="CURSOR"),
    Call(82, "a cursor of bytes", "GET", "/api/spaces?cursor=%2F%2F%2F%2F", code="CURSOR"),
    Call(82, "a cursor of NaN", "GET", "/api/spaces?cursor=bmFuOm5hbg", code="CURSOR"),
    Call(82, "a cursor of a tree", "GET", f"{S}/tree/main?cursor=abc", code="CURSOR"),
    Call(82, "a strange boolean", "GET", f"{S}/tree/main?recursive=perhaps"),
    Call(82, "3000 paths", "POST", f"{S}/paths-info/main", {"json": {"paths": ["a"] * 3000}}, code="PATHS", says="3000|at most"),
    Call(82, "a rollback to nothing", "POST", f"{S}/rollback", {"json": {"build": "99"}}, 404, "BUILD"),
    Call(82, "an empty commit", "POST", COMMIT, ndjson(), code="COMMIT_BODY", says="first line"),
    Call(82, "no header", "POST", COMMIT, ndjson(put("a")), code="COMMIT_BODY", says="first line"),
    Call(82, "no message", "POST", COMMIT, ndjson({"key": "header", "value": {}}), code="COMMIT_MESSAGE"),
    Call(82, "a long message", "POST", COMMIT, ndjson({"key": "header", "value": {"summary": "m" * 70_000}}, put("a")), code="COMMIT_MESSAGE", says="64 kB"),
    Call(82, "a header twice", "POST", COMMIT, ndjson(HEAD, HEAD, put("a")), code="COMMIT_BODY"),
    Call(82, "a cut line", "POST", COMMIT, ndjson(HEAD, put("a" * 100), cut=30), code="COMMIT_BODY", says="line 2"),
    Call(82, "a line that is no JSON", "POST", COMMIT, ndjson(HEAD, put("a"), b"{nope"), code="COMMIT_BODY", says="line 3"),
    Call(82, "a line of depth 100000", "POST", COMMIT, ndjson(HEAD, DEEP), code="COMMIT_BODY", says="line 2"),
    Call(82, "an unknown operation", "POST", COMMIT, ndjson(HEAD, {"key": "chmod", "value": {"path": "a"}}), code="COMMIT_BODY", says="'chmod'; write file"),
    Call(82, "a path that is a number", "POST", COMMIT, ndjson(HEAD, put(1)), code="COMMIT_BODY", says="path"),
    Call(82, "bad base64", "POST", COMMIT, ndjson(HEAD, put("a", "!!!!", "base64")), code="COMMIT_CONTENT", says="'a'"),
    Call(82, "cut base64", "POST", COMMIT, ndjson(HEAD, put("a", "YWJ", "base64")), code="COMMIT_CONTENT"),
    Call(82, "an unknown encoding", "POST", COMMIT, ndjson(HEAD, put("a", "x", "rot13")), code="COMMIT_CONTENT", says="base64 or utf-8"),
    Call(82, "content that is a list", "POST", COMMIT, ndjson(HEAD, put("a", ["x"])), code="COMMIT_CONTENT"),
    Call(82, "half a pair as content", "POST", COMMIT, ndjson(HEAD, put("a", "\ud800")), code="COMMIT_CONTENT"),
    Call(82, "an LFS file", "POST", COMMIT, ndjson(HEAD, {"key": "lfsFile", "value": {"path": "a", "algo": "sha256", "oid": "0" * 64}}), code="LFS_MISSING"),
    Call(82, "a deletion of nothing", "POST", COMMIT, ndjson(HEAD, {"key": "deletedFile", "value": {"path": "nope"}}), 404, "EntryNotFound"),
    Call(82, "a branch that is none", "POST", f"{S}/commit/nope", ndjson(HEAD, put("a")), 404, "RevisionNotFound"),
    Call(82, "a tag", "POST", f"{S}/commit/refs%2Ftags%2Fx", ndjson(HEAD, put("a")), code="REF"),
    Call(82, "a negative size", "POST", f"{S}/preupload/main", {"json": {"files": [{"path": "a", "size": -1}]}}),
    Call(82, "1001 files to come", "POST", f"{S}/preupload/main", {"json": {"files": [{"path": "a", "size": 1}] * 1001}}),
    *[Call(82, f"path {p!r}", "POST", COMMIT, ndjson(HEAD, put(p)), 422, "PATH")
      for p in ("../x", "/etc/passwd", ".git/config", ".GIT/hooks/x", "a/../b", "a\nb", "", "a//b", "git~1/x", "a\x00b", "a\u202eb", "x" * 5000, "a/" * 3000 + "b", ".g\u200cit/x", ".", "a/.", "\ud800")],
    *[Call(83, f"name {n[:12]!r}", "POST", CREATE, make(name=n), code="NAME|INVALID", says="letter|reserved|NUL")
      for n in ("", ".", "..", "a/b", "-x", "x-", "a--b", "a" * 300, "🚀", "dеmo", "a\x00b", "a%00b", "api", "x.git", "a b", "../../etc", "a..b", "x.ipynb", "x.", "\u202eab", "a\nb", "<b>", "{{7*7}}", "a;id", "ａ", ".git")],
    *[Call(85, f"organisation {n!r}", "POST", CREATE, make(name="x", organization=n), 403, "NAMESPACE")
      for n in ("../x", "..", "../../etc", "a/b", "nobody", "stranger", "%2e%2e")],
    Call(86, "no such Space", "GET", "/api/spaces/nobody/none", {}, 404, "RepoNotFound"),
    Call(86, "SQL", "GET", "/api/spaces/x/x' OR 1=1 --", {}, 404, "RepoNotFound"),
    Call(86, "SQL in a search", "GET", "/api/spaces?search=%25'%20OR%201=1;--", {}, 200, ""),
    Call(86, "a very long id", "GET", f"/api/spaces/x/{'x' * 5000}", {}, 400),
    Call(86, "an id of one word", "GET", "/api/spaces/demo", {}, 404, "RepoNotFound"),
    Call(86, "NUL in the path", "GET", "/api/spaces/x/de%00mo", {}, 400, "BAD_REQUEST", "NUL"),
    Call(86, "NUL in the query", "GET", "/api/spaces?search=%00", {}, 400, "BAD_REQUEST"),
    Call(86, "bytes in the path", "GET", "/api/spaces/x/%ff", {}, 400, "BAD_REQUEST", "UTF-8"),
    Call(86, "a revision like an option", "GET", f"{S}/tree/--output=x", {}, 404, "RevisionNotFound"),
    Call(86, "a revision with magic", "GET", f"{S}/tree/main%5E%7Btree%7D", {}, 404, "RevisionNotFound"),
    Call(86, "a file out of the repo", "GET", "/spaces/{space}/resolve/main/..%2F..%2Fetc%2Fpasswd", {}, 404, "EntryNotFound"),
    Call(86, "a magic path", "GET", "/spaces/{space}/resolve/main/:(top)README.md", {}, 404, "EntryNotFound"),
    Call(89, "a stale parent", "POST", COMMIT, ndjson({"key": "header", "value": {"summary": "m", "parentCommit": "0" * 40}}, put("a")), 412, "[A-Za-z_]+"),
    Call(89, "a parent like an option", "POST", COMMIT, ndjson({"key": "header", "value": {"summary": "m", "parentCommit": "--force"}}, put("a")), 412, "[A-Za-z_]+"),
    Call(89, "a parent that is a list", "POST", COMMIT, ndjson({"key": "header", "value": {"summary": "m", "parentCommit": [1]}}, put("a")), 400, "COMMIT_BODY"),
    Call(89, "a branch as parent", "POST", COMMIT, ndjson({"key": "header", "value": {"summary": "m", "parentCommit": "main"}}, put("a")), 412, "[A-Za-z_]+"),
    Call(91, "a file over the limit", "POST", COMMIT, ndjson(HEAD, put("big", b64encode(b"x" * (51 * 1024**2)).decode(), "base64")), 413, "FILE_TOO_LARGE", "51 MB.*50 MB"),
    Call(91, "one announced", "POST", f"{S}/preupload/main", {"json": {"files": [{"path": "big", "size": 10**12}]}}, 413, "FILE_TOO_LARGE", "50 GB.*big"),
    Call(91, "5 MB of JSON", "POST", SECRETS, raw(b" " * 5_000_000), 413, "TOO_LARGE", "5,000,000.*1,048,576"),
    Call(92, "no token", "POST", SECRETS, {"json": {"key": "A", "value": "b"}}, 401, "AUTH_REQUIRED", token=""),
    Call(92, "who am I without", "GET", "/api/whoami-v2", {}, 401, ".+", token=""),
    *[Call(92, f"Authorization {v[:20]!r}", "GET", "/api/whoami-v2", {"headers": {"authorization": v}}, 401, "INVALID_TOKEN|AUTH_PASSWORD", token="")
      for v in ("Bearer", "Digest x", "Basic %%%", "Basic " + "A" * 300, "hf_x", "Bearer hf_" + "x" * 34, "Bearer secret", "bearer null", "Bearer a b", "Basic " + b64encode(b"\xff:\xff").decode())],
    Call(92, "a long one", "GET", "/api/whoami-v2", {"headers": {"authorization": "Bearer hf_" + "x" * 20_000}}, 400, "AUTH_HEADER", "4096", token=""),
    Call(92, "two", "GET", "/api/whoami-v2", {"headers": [("authorization", "Bearer a"), ("authorization", "Bearer b")]}, 400, ".+", "once|one", token=""),
    Call(92, "a token in the query", "GET", "/api/whoami-v2?token={token}", {}, 401, ".+", token=""),
    Call(5, "a revoked token", "GET", "/api/whoami-v2", {}, 401, "TOKEN_EXPIRED", r"was revoked on 20\d\d-", token="revoked"),
    *[Call(94, f"create with {key}", "POST", CREATE, make(name="x", **{key: value}), says="no such field")
      for key, value in {"owner_id": "1", "is_admin": True, "id": "1", "creator_id": "1", "stage": "RUNNING", "created_at": 0}.items()],
    Call(94, "settings with an owner", "PUT", f"{S}/settings", {"json": {"owner_id": "x"}}, says="no such field"),
    *[Call(94, f"another's {method} {path}", method, f"{S}{path}", {"json": body} if body is not None else {}, 403, ".+", token="stranger")
      for method, path, body in (("POST", "/secrets", {"key": "A", "value": "b"}), ("GET", "/secrets", None), ("POST", "/pause", None), ("POST", "/restart", None),
                                 ("PUT", "/settings", {"private": True}), ("POST", "/rollback", {}), ("POST", "/sleeptime", {"seconds": 60}), ("GET", "/logs/run", None))],
    Call(94, "another's deletion", "DELETE", "/api/repos/delete", {"json": {"type": "space", "name": "{name}", "organization": "{owner}"}}, 403, ".+", token="stranger"),
    Call(94, "another's commit", "POST", COMMIT, ndjson(HEAD, put("a")), 403, ".+", token="stranger"),
    Call(97, "multipart without boundary", "POST", CREATE, raw(b"x", "multipart/form-data"), code="INVALID|BAD_REQUEST"),
    Call(97, "multipart where JSON or a form is read", "POST", f"{S}/paths-info/main", raw(b"x", "multipart/form-data"), code="INVALID|BAD_REQUEST|PATHS", says=""),
    Call(97, "a part with a huge header", "POST", f"{S}/paths-info/main", raw(b"--b\r\nContent-Disposition: form-data; name=\"paths\"; x=\"" + b"a" * 100_000 + b"\"\r\n\r\nx\r\n--b--\r\n", "multipart/form-data; boundary=b"), code=".+"),
    Call(97, "10000 parts", "POST", f"{S}/paths-info/main", raw(b"--b\r\nContent-Disposition: form-data; name=\"paths\"\r\n\r\nx\r\n" * 10_000 + b"--b--\r\n", "multipart/form-data; boundary=b"), code=".+"),
    Call(98, "an unknown log", "GET", f"{S}/logs/secret"),
    Call(100, "a method that is not there", "PATCH", f"{S}/secrets", {}, 405, "METHOD_NOT_ALLOWED", "GET, HEAD, POST, DELETE"),
    Call(100, "a method nobody knows", "BREW", f"{S}/secrets", {}, 400, "BAD_REQUEST"),
    Call(100, "garbage after the path", "GET", f"{S}/runtime/x/y", {}, 404, "NOT_FOUND"),
    Call(100, "a slash too many", "GET", f"{S}//runtime", {}, 404, "NOT_FOUND"),
    Call(100, "nothing of ours", "GET", "/api/nothing/here", {}, 404, "NOT_FOUND"),
    Call(37, "an LFS object below nothing", "POST", "/spaces/{space}.git/info/lfs/objects/batch", {"json": {"operation": "upload", "objects": [{"oid": "0" * 64, "size": -1}]}}, 422, "LFS_SIZE"),
    Call(37, "too many LFS objects", "POST", "/spaces/{space}.git/info/lfs/objects/batch", {"json": {"operation": "upload", "objects": [{}] * 2000}}, 413, "LFS_BATCH"),
]  # fmt: skip

SECRET_ROWS = [
    *[Call(101, f"{where.rsplit('/')[-1]} {n[:30]!r}", "POST", where, {"json": {"key": n, "value": "v"}}, code="SECRET_NAME|INVALID", says="reserved|letters, digits|NUL")
      for where in (SECRETS, VARIABLES)
      for n in ("1ABC", "A-B", "a b", "", "PATH", "LD_PRELOAD", "KUBERNETES_SERVICE_HOST", "NVIDIA_VISIBLE_DEVICES", "SPACE_ID", "PODIUM_DATA", "path", "A=B", "A\nB", "A\x00", "Ａ", "é",
                "x" * 200, "PYTHONSTARTUP\n", "BASH_FUNC_x%%", "LD_AUDIT", "\u202eA", "GCONV_PATH=", "HOME")],
    Call(101, "no value", "POST", SECRETS, {"json": {"key": "K"}}),
    Call(101, "NUL in the value", "POST", SECRETS, {"json": {"key": "K", "value": "a\x00"}}, code="SECRET_VALUE|INVALID", says="NUL"),
    Call(101, "a long description", "POST", SECRETS, {"json": {"key": "K", "value": "a", "description": "x" * 2000}}, code="SECRET_DESCRIPTION", says="2000 characters, at most 1000"),
    Call(103, "a variable as secret", "POST", SECRETS, {"json": {"key": "IS_VARIABLE", "value": "v"}}, 409, "SECRET_KIND", "IS_VARIABLE is a variable already"),
    Call(103, "both at once", "POST", CREATE, make(name="full", secrets=[{"key": "K", "value": "1"}], variables=[{"key": "K", "value": "2"}]), 409, "SECRET_KIND", "keep one"),
    Call(103, "a secret as variable", "POST", VARIABLES, {"json": {"key": "IS_SECRET", "value": "v"}}, 409, "SECRET_KIND", "IS_SECRET is a secret already"),
    Call(104, "a value of 40 kB", "POST", SECRETS, {"json": {"key": "K", "value": "x" * 40_000}}, code="SECRET_VALUE", says="40000 bytes.*32768"),
    Call(104, "17 of 31 kB", "POST", CREATE, make(name="full", secrets=[{"key": f"K{n}", "value": "x" * 31_000} for n in range(17)]), code="SECRET_QUOTA", says="1000 .*524288 bytes.*17 of [0-9]{6} bytes"),
    Call(104, "1001 of them", "POST", CREATE, make(name="full", variables=[{"key": f"K{n}", "value": "x"} for n in range(1001)]), code="SECRET_QUOTA", says="at most 1000 .*1001 of"),
]  # fmt: skip

ROWS = BODIES + SECRET_ROWS

#: Put into every field of every body that the API's schema names, one after the other.
VALUES: tuple[object, ...] = (
    None, True, 0, -1, 10**400, 1.5, "", " ", "\x1b[31m", "\u202e", "a\nb", "../../etc/passwd", "x" * 10_000, [], [None], {}, {"a": {"b": []}}, [[[]]], "{{7*7}}", "' OR 1=1 --", "é🚀",
)  # fmt: skip
#: Put into every query parameter, as they stand in a URL.
QUERIES = (
    "",
    "%20",
    "-1",
    "0",
    "1e999",
    "NaN",
    "true",
    "null",
    "%1b%5b31m",
    "%e2%80%ae",
    "%ff",
    "%00",
    "..%2f..",
    "x" * 5000,
    "[]",
    "%7B%7D",
    "'%20OR%201=1",
    "a&{name}=b",
    "99999999999999999999999",
)
