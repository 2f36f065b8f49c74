"""Buckets over HTTP: as clients use them, as they should not, and what becomes of the bytes."""

import hashlib
import json
import struct
import time
from collections.abc import Iterator

import httpx
import pytest

from orchestrator.api.app import create_app
from orchestrator.domain.large import POINTER_MIN
from orchestrator.domain.space import Role
from orchestrator.services.large_care import LET_GO, UNNAMED, LargeCare
from tests.console import Console
from tests.support import bearer
from tests.unit.test_large import packed, swapped
from web.routes import create_renderer, create_router

NDJSON = {"content-type": "application/x-ndjson"}


@pytest.fixture(scope="module")
def console(tmp_path_factory):
    made = Console(tmp_path_factory.mktemp("buckets"))
    made.app = create_app(made.parts, (create_router(made.parts),), create_renderer(made.parts))
    with made.listening():
        yield made


@pytest.fixture
def ada(console):
    with console.client() as client:
        yield client


@pytest.fixture
def bob(console):
    with console.client(console.bobs) as client:
        yield client


@pytest.fixture
def stranger(console):
    with console.client(None) as client:
        yield client


def make(client: httpx.Client, name: str, owner: str = "ada", **fields) -> str:
    answer = client.post(f"/api/buckets/{owner}/{name}", json=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()["name"]


def called(data: bytes) -> str:
    """A hash of a client's own, which is no SHA-256 of the bytes."""
    return hashlib.sha256(b"xet" + data).hexdigest()


def upload(client: httpx.Client, bucket: str, *files: bytes) -> list[str]:
    """As Xet clients do that tell no SHA-256; what each is called."""
    told = client.get(f"/api/buckets/{bucket}/xet-write-token").json()
    root, headers = "/" + told["casUrl"].split("/", 3)[3], {"authorization": f"Bearer {told['accessToken']}"}
    shard = b"HFRepoMetaData\0".ljust(32, b"\x55") + struct.pack("<QQ", 2, 0)
    for data in files:
        shard += swapped(called(data)) + struct.pack("<IIQ", 0, 1 if data else 0, 0)
        if data:
            sent = client.post(f"{root}/v1/xorbs/default/{called(data)}", content=packed(data, 0), headers=headers)
            assert sent.status_code == 200, sent.text
            shard += swapped(called(data)) + struct.pack("<IIII", 0, len(data), 0, 1)
    shard += b"\xff" * 32 + bytes(16)
    assert client.post(f"{root}/v1/shards", content=shard, headers=headers).json() == {"result": 1}
    return [called(data) for data in files]


def add(path: str, hash: str, **more) -> dict:
    return {"type": "addFile", "path": path, "xetHash": hash, "mtime": 1700000000123, **more}


def copy(path: str, hash: str, source: str, kind: str = "bucket") -> dict:
    return {"type": "copyFile", "path": path, "xetHash": hash, "sourceRepoType": kind, "sourceRepoId": source}


def gone(path: str) -> dict:
    return {"type": "deleteFile", "path": path}


def batch(client: httpx.Client, bucket: str, *operations: dict) -> httpx.Response:
    body = "\n".join(json.dumps(one) for one in operations)
    return client.post(f"/api/buckets/{bucket}/batch", content=body, headers=NDJSON)


def fill(client: httpx.Client, bucket: str, **files: bytes) -> None:
    hashes = upload(client, bucket, *files.values())
    operations = [add(path.replace("__", "/"), hash) for path, hash in zip(files, hashes, strict=True)]
    assert batch(client, bucket, *operations).json()["failed"] == []


def tree(client: httpx.Client, bucket: str, rest: str = "") -> list[tuple]:
    return [(one["path"], one.get("size")) for one in client.get(f"/api/buckets/{bucket}/tree{rest}").json()]


# ---------------------------------------------------------------------------------------------------------- as a whole


def test_a_bucket_is_made_once_and_has_no_other_of_its_name(ada, bob, console) -> None:
    made = ada.post("/api/buckets/me/One", json={"region": "eu"}).json()
    assert made["name"] == "ada/One" and made["url"].endswith("/buckets/ada/One")
    again = ada.post("/api/buckets/ada/one", json={})
    assert (again.status_code, again.json()["url"]) == (409, made["url"])
    told = bob.get("/api/buckets/ADA/one").json()
    assert (told["id"], told["private"], told["size"], told["totalFiles"]) == ("ada/One", False, 0, 0)
    for path, body, status in (
        ("/api/buckets/bob/x", {}, 403),
        ("/api/buckets/me/a--b", {}, 400),
        ("/api/buckets/me/x", {"visibility": "protected"}, 400),
        ("/api/buckets/me/x", {"resourceGroupId": "1"}, 400),
        ("/api/buckets/x", {}, 404),
    ):
        assert ada.post(path, json=body).status_code == status, path
    with console.client(console.read_token) as reader:
        assert reader.post("/api/buckets/me/y", json={}).status_code == 403


def test_private_ones_look_like_none_to_others(ada, bob, stranger) -> None:
    name = make(ada, "hidden", private=True)
    for path in ("", "/tree", "/xet-read-token", "/xet-write-token"):
        hidden, absent = (bob.get(f"/api/buckets/ada/{n}{path}") for n in ("hidden", "absent"))
        assert (hidden.status_code, hidden.json()) == (absent.status_code, absent.json()) == (404, hidden.json())
        assert hidden.headers["x-error-code"] == "RepoNotFound"
        assert stranger.get(f"/api/buckets/{name}{path}").status_code == 401
    assert bob.get(f"/buckets/{name}/resolve/a").status_code == 404
    assert bob.post(f"/api/buckets/{name}/paths-info", json={"paths": []}).status_code == 404
    names = lambda client, owner="ada": {one["id"] for one in client.get(f"/api/buckets/{owner}").json()}  # noqa: E731
    assert name in names(ada, "me") and name not in names(bob) | names(stranger)
    assert stranger.get("/api/buckets/me").status_code == 401 and ada.get("/api/buckets/nobody").status_code == 404


def test_lists_come_in_pages_and_by_words(ada) -> None:
    for name in ("list-a", "list-b", "list-c_d"):
        make(ada, name)
    first = ada.get("/api/buckets/ada", params={"search": "LIST-", "limit": 2})
    rest = ada.get("/" + first.links["next"]["url"].split("/", 3)[3])
    assert [one["id"] for one in first.json() + rest.json()] == ["ada/list-a", "ada/list-b", "ada/list-c_d"]
    assert "next" not in rest.links
    assert [one["id"] for one in ada.get("/api/buckets/ada", params={"search": "c_"}).json()] == ["ada/list-c_d"]


def test_who_may_do_what(ada, bob, console) -> None:
    name = make(ada, "shared", owner="acme")
    assert bob.put(f"/api/buckets/{name}/settings", json={"private": True}).status_code == 403
    assert batch(bob, name, gone("a")).status_code == 403 and bob.delete(f"/api/buckets/{name}").status_code == 403
    assert batch(ada, name, gone("a")).status_code == 200  # who may write there
    assert ada.delete(f"/api/buckets/{name}").status_code == 403  # but is no admin
    console.parts.accounts.set_member("acme", "bob", Role.READ)
    assert batch(bob, name, gone("a")).status_code == 403
    own = make(ada, "granted", private=True)
    grants = console.parts.accounts.grants(console.ada, {}, {f"buckets/{own}": "read"})
    with console.client(console.parts.accounts.add_token(console.ada, "fineGrained", "one", grants=grants)) as narrow:
        assert narrow.get(f"/api/buckets/{own}").status_code == 200
        assert own in {one["id"] for one in narrow.get("/api/buckets/ada").json()}
        assert batch(narrow, own, gone("a")).status_code == 403
        assert narrow.get(f"/api/buckets/{make(ada, 'other', private=True)}").status_code == 404


def test_settings_moving_and_the_names_before(ada, bob, console) -> None:
    name = make(ada, "before")
    fill(ada, name, a=b"moved along")
    assert ada.put(f"/api/buckets/{name}/settings", json={"private": True}).json()["private"] is True
    assert ada.put(f"/api/buckets/{name}/settings", json={"private": False}).json()["visibility"] == "public"
    body = {"fromRepo": name, "toRepo": "acme/after", "type": "bucket"}
    assert bob.post("/api/repos/move", json=body).status_code == 403
    assert ada.post("/api/repos/move", json=body).json()["name"] == "acme/after"
    there = bob.get(f"/api/buckets/{name}")
    assert (there.status_code, there.headers["location"]) == (307, "/api/buckets/acme/after")
    assert bob.get(f"/buckets/{name}/resolve/a", follow_redirects=True).content == b"moved along"
    make(ada, "before")
    assert tree(ada, name) == []
    with console.store.read() as tx:
        rows = [(row.action, row.target) for _, row in tx.audit.search(limit=200) if row.target == "acme/after"]
    assert ("bucket.move", "acme/after") in rows


# --------------------------------------------------------------------------------------------------------------- files


def test_up_by_xet_and_down_by_every_way(ada, stranger) -> None:
    name, data = make(ada, "files"), b"x" * POINTER_MIN + b"end"
    fill(ada, name, a__b=data, empty=b"")
    oid = hashlib.sha256(data).hexdigest()
    (info,) = ada.post(f"/api/buckets/{name}/paths-info", json={"paths": ["none", "a/b", "a"]}).json()
    assert info["mtime"] == "2023-11-14T22:13:20.123Z" and info["uploadedAt"] > info["mtime"]
    assert (info["type"], info["path"], info["size"], info["xetHash"]) == ("file", "a/b", len(data), oid)
    url = f"/buckets/{name}/resolve/a%2Fb"
    head = stranger.head(url)
    assert head.headers["content-length"] == head.headers["x-linked-size"] == str(len(data))
    assert head.headers["etag"] == f'"{oid}"' and head.headers["x-xet-hash"] == oid
    assert head.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert stranger.get(url).content == data == stranger.get(f"/buckets/{name}/resolve/a/b").content
    part = stranger.get(url, headers={"range": "bytes=100-"})
    assert (part.status_code, part.content) == (206, b"end")
    assert stranger.get(url, headers={"if-none-match": f'"{oid}"'}).status_code == 304
    assert stranger.get(f"/buckets/{name}/resolve/empty").content == b""
    lost = stranger.get(f"/buckets/{name}/resolve/none")
    assert (lost.status_code, lost.headers["x-error-code"]) == (404, "EntryNotFound")
    told = stranger.get("/" + head.links["xet-auth"]["url"].split("/", 3)[3]).json()
    root = "/" + told["casUrl"].split("/", 3)[3]
    found = stranger.get(f"{root}/v1/reconstructions/{oid}", headers=bearer(told["accessToken"])).json()
    assert sum(term["unpacked_length"] for term in found["terms"]) == len(data)
    told = ada.get(f"/api/buckets/{name}").json()
    assert (told["size"], told["totalFiles"]) == (len(data), 2)


def test_trees_whole_and_by_folder_in_pages(ada) -> None:
    name = make(ada, "trees")
    hashes = upload(ada, name, b"1", b"22")
    paths = ("logs/a", "logs/sub/b", "logs/sub/c", "logs.json", "logs_old/a", "ä%2F:/x", "z")
    batch(ada, name, *(add(path, hashes[number % 2]) for number, path in enumerate(paths)))
    assert [path for path, _ in tree(ada, name)] == sorted(paths)
    top = [("logs", None), ("logs.json", 2), ("logs_old", None), ("z", 1), ("ä%2F:", None)]
    assert sorted(tree(ada, name, "?recursive=false")) == sorted(top)
    below = tree(ada, name, "/logs?recursive=False")
    assert sorted(below) == [("logs.json", 2), ("logs/a", 1), ("logs/sub", None), ("logs_old", None)]
    assert tree(ada, name, "/logs%2F?recursive=False") == [("logs/a", 1), ("logs/sub", None)]
    assert tree(ada, name, "/%C3%A4%252F?recursive=false") == [("ä%2F:", None)]
    assert tree(ada, name, "/none") == []
    for query in ("recursive=false&limit=1", "limit=2"):
        answer = ada.get(f"/api/buckets/{name}/tree?{query}")
        seen = [one["path"] for one in answer.json()]
        while "next" in answer.links:
            answer = ada.get("/" + answer.links["next"]["url"].split("/", 3)[3])
            seen += [one["path"] for one in answer.json()]
        assert sorted(seen) == sorted(paths if "false" not in query else (path for path, _ in top))
    folder = next(one for one in ada.get(f"/api/buckets/{name}/tree?recursive=false").json() if one["path"] == "logs")
    assert folder["type"] == "directory" and folder["uploadedAt"]


def test_what_cannot_be_done_is_told_and_the_rest_is_done(ada) -> None:
    name = make(ada, "partly")
    (known,) = upload(ada, name, b"known")
    wrong = (add("a/../b", known), add("/a", known), add("x" * 1025, known), add("b", "0" * 64), add("c\n", known))
    answer = batch(ada, name, add("a", known), *wrong)
    assert answer.status_code == 200 and len(answer.json()["failed"]) == len(wrong)
    assert tree(ada, name) == [("a", 5)]
    assert batch(ada, name, *wrong).status_code == 422
    bad = (
        "no JSON",
        "[]",
        '{"type": "addFile"}',
        '{"type": "move", "path": "a"}',
        json.dumps(add("a", "not a hash")),
        json.dumps(add("a", known) | {"mtime": 1e400}),
        json.dumps(copy("a", known, "x")),
        json.dumps(copy("a", known, "a/b", "paper")),
        "",
    )
    for line in bad:
        body = f"{json.dumps(gone('a'))}\n{line}" if line else ""
        told = ada.post(f"/api/buckets/{name}/batch", content=body, headers=NDJSON)
        assert (told.status_code, told.json()["code"]) == (400, "BATCH"), line
    long = json.dumps(add("a", known, pad="x" * 20_000))
    assert ada.post(f"/api/buckets/{name}/batch", content=long, headers=NDJSON).status_code == 413
    assert tree(ada, name) == [("a", 5)]  # a batch that cannot be read does nothing
    assert batch(ada, name, gone("a"), gone("never there")).json()["succeeded"] == 2
    told = ada.get(f"/api/buckets/{name}").json()
    assert (told["size"], told["totalFiles"]) == (0, 0)


def test_copies_come_only_from_where_the_caller_may_read(ada, bob, console) -> None:
    source, hidden, target = make(ada, "from"), make(ada, "secret", private=True), make(bob, "to", owner="bob")
    fill(ada, source, a=b"public")
    fill(ada, hidden, a=b"private")
    oid, secret = (hashlib.sha256(data).hexdigest() for data in (b"public", b"private"))
    assert batch(bob, target, copy("x/a", oid, source)).json()["success"] is True
    assert bob.get(f"/buckets/{target}/resolve/x/a").content == b"public"
    for one in (copy("b", secret, hidden), copy("b", secret, source), copy("b", secret, target), add("b", secret)):
        assert batch(bob, target, one).status_code == 422, one
    assert bob.get("/api/buckets/bob/to").json()["totalFiles"] == 1
    space = console.space("with-large")
    data = b"of a repo" * 20
    digest = hashlib.sha256(data).hexdigest()
    incoming = console.large.receive()
    incoming.write(data)
    repo = console.parts.spaces.find(console.parts.accounts.caller(f"Bearer {console.token}"), *space.split("/"))
    console.large.take(repo.id, incoming, digest, len(data))
    assert batch(bob, target, copy("r", digest, space, "space")).status_code == 200
    assert batch(bob, target, copy("q", digest, "ada/none", "model")).status_code == 422
    assert bob.get(f"/buckets/{target}/resolve/r").content == data
    assert batch(ada, source, gone("a")).status_code == 200  # what was copied stays
    assert bob.get(f"/buckets/{target}/resolve/x/a").content == b"public"


def test_what_no_file_names_is_collected_and_what_one_names_is_not(ada, console) -> None:
    name = make(ada, "collected")
    data = {word: f"{word} of a bucket that is collected".encode() for word in ("kept", "left", "loose")}
    fill(ada, name, kept=data["kept"], left=data["left"])
    upload(ada, name, data["loose"])
    ahead = {"now": time.time()}
    parts = console.parts
    care = LargeCare(console.store, console.large.objects, parts.repos, parts.xet, lambda: ahead["now"])
    batch(ada, name, gone("left"))

    def stored() -> set[str]:
        with console.store.read() as tx:
            found = tx.buckets.find(*name.split("/"))
            return {word for word in data if tx.objects.owned(found.id, [hashlib.sha256(data[word]).hexdigest()])}

    care.collect()
    assert stored() == set(data)  # all of it may be what a batch to come names
    ahead["now"] += UNNAMED + 60
    care.collect()
    assert stored() == {"kept"}
    assert ada.get(f"/buckets/{name}/resolve/kept").content == data["kept"]
    assert ada.delete(f"/api/buckets/{name}").status_code == 204
    assert ada.get(f"/api/buckets/{name}").status_code == 404
    with console.store.read() as tx:
        before = tx.objects.stored()[0]
    for _ in range(3):
        ahead["now"] += LET_GO + 60
        care.collect()
    with console.store.read() as tx:
        assert tx.objects.stored()[0] <= before - len(data["kept"])


def test_a_bucket_has_so_much_room_as_a_repo(ada, console, monkeypatch) -> None:
    source, target = make(ada, "big"), make(ada, "small")
    fill(ada, source, a=bytes(5000))
    limits = console.large.limits
    monkeypatch.setattr(console.large, "limits", type(limits)(limits.file, 4000))
    refused = batch(ada, target, copy("a", hashlib.sha256(bytes(5000)).hexdigest(), source))
    assert (refused.status_code, refused.json()["code"]) == (413, "REPO_TOO_LARGE")
    monkeypatch.setattr("orchestrator.services.bucket_files.FILES_LIMIT", 1)
    oid = hashlib.sha256(bytes(5000)).hexdigest()
    refused = batch(ada, source, copy("b", oid, source), copy("c", oid, source))
    assert (refused.status_code, refused.json()["code"]) == (413, "BUCKET_FILES")
    assert tree(ada, target) == [] and len(tree(ada, source)) == 1


# ---------------------------------------------------------------------------------------------------------------- feed


def frames(answer: httpx.Response) -> Iterator[tuple[str, dict]]:
    """Events as they come."""
    name = ""
    for line in answer.iter_lines():
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            yield name, json.loads(line[6:])


def test_a_bucket_is_followed_live_and_from_where_one_stopped(ada, bob, console) -> None:
    name = make(ada, "followed")
    fill(ada, name, a=b"one")
    before = ada.get(f"/api/buckets/{name}").json()["updatedAt"]
    url = f"/api/buckets/{name}/events"
    with bob.stream("GET", url, params={"since": before}) as answer:
        events = frames(answer)
        assert answer.headers["content-type"].startswith("text/event-stream")
        told, started = next(events)
        assert told == "ready"
        fill(ada, name, a=b"three", b=b"")
        told, changes = next(events)
        by_path = {one["path"]: one for one in changes["changes"]}
        assert told == "changes" and by_path["a"]["op"] == "update" and by_path["b"]["op"] == "add"
        assert by_path["a"]["size"] == 5 and by_path["a"]["xetHash"] == hashlib.sha256(b"three").hexdigest()
        batch(ada, name, gone("a"), gone("never there"))
        assert next(events)[1]["changes"] == [{"path": "a", "op": "delete"}]
        ada.put(f"/api/buckets/{name}/settings", json={"private": True})
        assert next(events, None) is None  # is nothing to bob any more
    with ada.stream("GET", url, params={"cursor": started["cursor"]}) as answer:
        events = frames(answer)
        first, second, third = (next(events) for _ in range(3))
        assert len(first[1]["changes"]) == 2 and second[1]["changes"][0]["op"] == "delete" and third[0] == "ready"
        assert third[1]["cursor"] == second[1]["cursor"]
    with console.store.write() as tx:
        tx.buckets.forget_changes(time.time() + 60)
    for params in ({"cursor": started["cursor"]}, {"since": "2020-01-01T00:00:00Z"}, {"cursor": "99"}):
        with ada.stream("GET", url, params=params) as answer:
            assert [told for told, _ in frames(answer)] == ["reset"], params
    assert ada.get(url, params={"cursor": "x"}).status_code == ada.get(url, params={"since": "x"}).status_code == 400
    with bob.stream("GET", url) as answer:
        assert answer.status_code == 404


# ---------------------------------------------------------------------------------------------------------------- page


def test_the_page_of_a_bucket(ada, stranger, console) -> None:
    name, evil = make(ada, "shown"), "<script>alert(1)</script>"
    assert "No files yet" in stranger.get(f"/buckets/{name}").text
    (hash,) = upload(ada, name, b"12345")
    batch(ada, name, add("top.txt", hash), add(f"dir/{evil}", hash), add("dir/two", hash))
    page = stranger.get(f"/buckets/{name}").text
    assert f"/buckets/{name}/resolve/top.txt?download=true" in page and f"/buckets/{name}/tree/dir" in page
    assert "3 files" in page and 'href="/ada"' in page
    below = stranger.get(f"/buckets/{name}/tree/dir").text
    assert "two" in below and evil not in below and "&lt;script&gt;" in below
    hidden = make(ada, "page-hidden", private=True)
    assert stranger.get(f"/buckets/{hidden}", headers={"accept": "text/html"}).status_code == 404
    listed = ada.get("/api/settings/repositories").json()
    assert any((one["id"], one["type"], one["storage"]) == (name, "bucket", 15) for one in listed)
