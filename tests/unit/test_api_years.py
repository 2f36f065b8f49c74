"""What becomes of a repo over the years, over HTTP: room that a squash frees, and a repo that goes while somebody is at it."""

import base64
import hashlib
import json
import shutil
import time

import pytest

from orchestrator.domain.repo import RepoKind
from orchestrator.domain.tree import Change
from orchestrator.services.large_care import AGAIN, LET_GO, UNNAMED, LargeCare
from orchestrator.services.repo_care import RepoCare

NDJSON = {"content-type": "application/x-ndjson"}


@pytest.fixture
def ada(console):
    with console.client() as client:
        yield client


def model(console, ada, name):
    assert ada.post("/api/repos/create", json={"type": "model", "name": name}).status_code == 200
    return repo(console, name), f"/api/models/ada/{name}"


def repo(console, name):
    with console.store.read() as tx:
        return tx.repos.find(RepoKind.MODEL, "ada", name)


def commit(ada, at, *lines, query=""):
    body = [{"key": "header", "value": {"summary": "change"}}, *lines]
    return ada.post(f"{at}/commit/main{query}", content="\n".join(map(json.dumps, body)), headers=NDJSON)


def file(path, content):
    return {"key": "file", "value": {"path": path, "content": base64.b64encode(content).decode(), "encoding": "base64"}}


def gone(path):
    return {"key": "deletedFile", "value": {"path": path}}


def large(console, repo_id, content):
    """The line of a commit that names it, once it is uploaded."""
    oid = hashlib.sha256(content).hexdigest()
    incoming = console.large.receive()
    incoming.write(content)
    console.large.take(repo_id, incoming, oid, len(content))
    return oid, {"key": "lfsFile", "value": {"path": "big.bin", "algo": "sha256", "size": len(content), "oid": oid}}


def test_a_squash_frees_room_once_its_day_is_over(console, ada):
    made, at = model(console, ada, "squashed")
    (lost, first), (kept, second) = (large(console, made.id, b"%d" % number * 5000) for number in (1, 2))
    assert commit(ada, at, first, file("a", b"a")).status_code == 200
    opened = commit(ada, at, file("b", b"b"), query="?create_pr=1").json()
    assert ada.post(f"{at}/discussions/1/merge", json={}).status_code == 200 and opened["pullRequestUrl"]
    assert commit(ada, at, second).status_code == 200
    assert ada.get(f"{at}/discussions/1?diff=1").json()["diff"]
    squashed = ada.post(f"{at}/super-squash/main", json={}).json()["commitOid"]
    before, now = ada.get(f"{at}/refs").json(), {"now": time.time()}
    care = RepoCare(console.store, console.parts.repos, 0.0)
    files = LargeCare(console.store, console.large.objects, console.parts.repos, console.parts.xet, lambda: now["now"])
    for _ in range(2):
        care.collect()
    for seconds in (UNNAMED + 60, AGAIN, LET_GO + 60, LET_GO + 60):
        now["now"] += seconds
        files.collect()
    assert set(console.large.owned(made.id, [lost, kept])) == {kept}
    assert console.large.usage(made.id) == 5000
    assert [one["id"] for one in ada.get(f"{at}/commits/main").json()] == [squashed]
    assert ada.get(f"{at}/refs").json() == before
    assert ada.get("/ada/squashed/resolve/main/big.bin", follow_redirects=True).content == b"2" * 5000
    told = ada.get(f"{at}/discussions/1?diff=1")
    assert told.status_code == 200 and not told.json()["diff"] and told.json()["status"] == "merged"
    assert ada.get(f"{at}/revision/{opened['commitOid']}").status_code == 404
    assert ada.get(f"{at}/tree/{opened['commitOid']}").status_code == 404


def test_an_object_that_a_client_was_told_is_there_stays_for_its_commit(console, ada):
    made, at = model(console, ada, "told")
    oid, line = large(console, made.id, b"x" * 5000)
    assert commit(ada, at, line).status_code == 200 and commit(ada, at, gone("big.bin")).status_code == 200
    ada.post(f"{at}/super-squash/main", json={})
    with console.store.write() as tx:  # found to be named, long ago
        tx.objects.disown(made.id, [oid])
        tx.objects.own(made.id, oid, time.time() - UNNAMED - 60)
    console.large.stay(made.id, [oid])
    for _ in range(2):
        RepoCare(console.store, console.parts.repos, 0.0).collect()
    LargeCare(console.store, console.large.objects, console.parts.repos, console.parts.xet).collect()
    assert commit(ada, at, line).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("POST", "{at}/preupload/main", {"json": {"files": [{"path": "a", "size": 1, "sample": "YQ=="}]}}),
        ("POST", "{at}/commit/main", {"content": json.dumps({"key": "header", "value": {"summary": "x"}})}),
        ("GET", "{at}/tree/main", {}),
        ("GET", "{at}/refs", {}),
        ("GET", "{at}/commits/main", {}),
        ("POST", "{at}/paths-info/main", {"json": {"paths": ["a"], "expand": True}}),
        ("POST", "{at}/branch/b", {"json": {}}),
        ("POST", "{at}/super-squash/main", {"json": {}}),
        ("POST", "{at}/tag/main", {"json": {"tag": "t", "message": "m"}}),
        ("GET", "/ada/{name}/resolve/main/a", {}),
        ("GET", "/ada/{name}/tree/main", {}),
        ("POST", "{at}/duplicate", {"json": {"repository": "ada/copied"}}),
    ],
    ids=lambda value: value if isinstance(value, str) and "/" in value else "",
)
def test_a_repo_that_goes_in_the_midst_of_a_request_is_not_found(console, ada, method, path, options):
    """As after its row was read and before its files were: only they are gone here."""
    name = "midst-" + hashlib.sha256(path.encode()).hexdigest()[:8]
    made, at = model(console, ada, name)
    assert commit(ada, at, file("a", b"a")).status_code == 200
    shutil.rmtree(console.parts.repos.git_dir(made.id))
    answer = ada.request(method, path.format(at=at, name=name), **options)
    assert answer.status_code == 404, answer.text
    assert repo(console, "copied") is None


def test_a_first_commit_may_name_a_large_file(console, ada):
    caller = console.parts.accounts.caller(f"Bearer {console.token}")
    made = console.parts.hosted.create(caller, RepoKind.MODEL, "first", None, None)
    _, line = large(console, made.id, b"first" * 1000)
    assert commit(ada, "/api/models/ada/first", line).status_code == 200
    assert ada.get("/ada/first/resolve/main/big.bin", follow_redirects=True).content == b"first" * 1000


def test_nothing_is_pushed_to_a_repo_that_was_deleted_meanwhile(console, ada):
    made, at = model(console, ada, "late")
    repos = console.parts.repos
    before = repos.head(made.id)

    def change():
        yield Change("a", b"a")
        with console.store.write() as tx:
            tx.repos.update(made.id, deleted=True)

    with pytest.raises(Exception, match="Repository not found"):
        console.parts.pushes.commit(console.parts.accounts.caller(f"Bearer {console.token}"), made, change(), "late")
    assert repos.head(made.id) == before
