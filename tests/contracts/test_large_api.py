"""Large files over HTTP: git LFS, the commit API and Xet, as clients speak them and as they should not."""

import base64
import hashlib
import io
import json
import os

import lz4.frame
import pytest

from tests.console import Console
from tests.unit.test_large import packed, shard, swapped

SPACE = "/api/spaces/ada/demo"
BATCH = "/spaces/ada/demo.git/info/lfs/objects/batch"


@pytest.fixture(scope="module")
def console(tmp_path_factory):
    with Console(tmp_path_factory.mktemp("console")).listening() as console:
        console.space()
        console.space(name="other")
        yield console


@pytest.fixture(scope="module")
def ada(console):
    with console.client() as client:
        yield client


def fresh(size=50_000) -> tuple[bytes, str]:
    data = os.urandom(size)
    return data, hashlib.sha256(data).hexdigest()


def ask(client, oid, size, operation="upload", at=BATCH, **more):
    told = {"operation": operation, "objects": [{"oid": oid, "size": size}], **more}
    answer = client.post(at, json=told)
    assert answer.status_code == 200, answer.text
    return answer.json()["objects"][0]


def path_of(href: str) -> str:
    return "/" + href.split("/", 3)[3]


def upload(client, data, oid, at=BATCH):
    action = ask(client, oid, len(data), at=at)["actions"]
    assert client.put(path_of(action["upload"]["href"]), content=data).status_code == 200
    assert client.post(path_of(action["verify"]["href"]), json={"oid": oid, "size": len(data)}).status_code == 200


def commit(client, *operations, at=SPACE):
    lines = [{"key": "header", "value": {"summary": "m"}}, *operations]
    body = b"\n".join(json.dumps(line).encode() for line in lines)
    return client.post(f"{at}/commit/main", content=body, headers={"content-type": "application/x-ndjson"})


def large(path, oid, size=None, **more):
    return {
        "key": "lfsFile",
        "value": {"path": path, "algo": "sha256", "oid": oid, **({"size": size} if size else {}), **more},
    }


def test_up_by_lfs_and_down_by_every_way(ada, console) -> None:
    data, oid = fresh()
    upload(ada, data, oid)
    assert "actions" not in ask(ada, oid, len(data))
    assert commit(ada, large("dir/w é.xyz", oid, len(data))).status_code == 200
    url = "/spaces/ada/demo/resolve/main/dir/w%20%C3%A9.xyz"
    whole, head = ada.get(url), ada.head(url)
    assert whole.content == data and whole.headers["etag"] == head.headers["etag"] == f'"{oid}"'
    assert head.headers["content-length"] == head.headers["x-linked-size"] == str(len(data))
    part = ada.get(url, headers={"range": "bytes=40000-40009"})
    assert (part.status_code, part.content) == (206, data[40000:40010])
    assert ada.get(url, headers={"if-none-match": f'"{oid}"'}).status_code == 304
    assert b"oid sha256:" + oid.encode() in ada.get(url.replace("resolve", "raw")).content
    (entry,) = ada.post(f"{SPACE}/paths-info/main", json={"paths": ["dir/w é.xyz"]}).json()
    assert entry["size"] == len(data) and entry["lfs"]["oid"] == entry["xetHash"] == oid
    action = ask(ada, oid, len(data), "download")["actions"]["download"]
    with console.client(None) as stranger:
        assert stranger.get(path_of(action["href"]), headers={"range": "bytes=7-"}).content == data[7:]
    assert "dir/w[[:space:]]é.xyz filter=lfs" in ada.get("/spaces/ada/demo/resolve/main/.gitattributes").text


def test_parts_of_one_object(ada, monkeypatch) -> None:
    monkeypatch.setattr("orchestrator.api.lfs.CHUNK", 20_000)
    data, oid = fresh()
    action = ask(ada, oid, len(data), transfers=["basic", "multipart"])["actions"]["upload"]
    chunk = int(action["header"].pop("chunk_size"))
    assert len(action["header"]) == 3
    for number in ("3", "1", "2"):
        piece = data[(int(number) - 1) * chunk : int(number) * chunk]
        sent = ada.put(path_of(action["header"][number]), content=piece)
        assert sent.status_code == 200 and sent.headers["etag"]
    done = ada.post(path_of(action["href"]), json={"oid": oid, "parts": []})
    assert done.status_code == 200 and "actions" not in ask(ada, oid, len(data))


def test_who_speaks_xet_is_sent_there(ada) -> None:
    """Clients between 0.36 and 1.19, git-xet and the JavaScript one ask in this way; those without Xet do not offer it."""
    data, oid = fresh()
    body = {
        "operation": "upload",
        "transfers": ["basic", "multipart", "xet"],
        "objects": [{"oid": oid, "size": len(data)}],
    }
    told = ada.post(BATCH, json=body).json()
    action = told["objects"][0]["actions"]["upload"]
    assert told["transfer"] == "xet" and action["header"]["X-Xet-Session-Id"]
    cas = Cas(ada)
    assert (
        path_of(action["header"]["X-Xet-Cas-Url"]) == cas.root and int(action["header"]["X-Xet-Token-Expiration"]) > 0
    )
    assert ada.get(path_of(action["href"])).json()["casUrl"] == action["header"]["X-Xet-Cas-Url"]
    cas.headers = {"authorization": f"Bearer {action['header']['X-Xet-Access-Token']}"}
    assert cas.xorb(packed(data, 1), "8" * 64).status_code == 200
    assert cas.shard(shard(([(swapped("8" * 64), len(data), 0, 1)], swapped(oid)))).json() == {"result": 1}
    assert "actions" not in ada.post(BATCH, json=body).json()["objects"][0]
    verify = path_of(told["objects"][0]["actions"]["verify"]["href"])
    assert ada.post(verify, json={"oid": oid, "size": len(data)}).status_code == 200
    down = ada.post(BATCH, json=body | {"operation": "download"}).json()
    assert down["transfer"] == "basic" and "download" in down["objects"][0]["actions"]


def test_bad_uploads_leave_nothing(ada, console) -> None:
    data, oid = fresh()
    href = path_of(ask(ada, oid, len(data))["actions"]["upload"]["href"])
    assert ada.put(href, content=data[:-1]).status_code == 422
    assert ada.put(href, content=data[:-1] + b"x").json()["code"] == "LFS_HASH"
    assert ada.put(href + "x", content=data).status_code == 403
    other = hashlib.sha256(b"x").hexdigest()
    assert ada.put(href.replace(oid, other, 1), content=data).status_code == 404
    assert ada.put(href, content=iter([data, b"more"])).status_code == 413
    assert commit(ada, large("x", oid, len(data))).json()["code"] == "LFS_MISSING"
    left = list((console.large.objects._root / "incoming").iterdir())
    assert left == []


def test_a_hash_alone_opens_nothing(ada, console) -> None:
    data, oid = fresh()
    upload(ada, data, oid)
    assert "actions" in ask(ada, oid, len(data), at=BATCH.replace("demo", "other"))
    download = ask(ada, oid, len(data), "download", at=BATCH.replace("demo", "other"))
    assert download["error"]["code"] == 404
    answer = commit(ada, large("stolen", oid, len(data)), at=SPACE.replace("demo", "other"))
    assert (answer.status_code, answer.json()["code"]) == (400, "LFS_MISSING")
    with console.client(console.read_token) as reader:
        refused = reader.post(BATCH, json={"operation": "upload", "objects": [{"oid": oid, "size": 1}]})
        assert refused.status_code == 403
    with console.client(None) as stranger:
        refused = stranger.post(BATCH, json={"operation": "upload", "objects": [{"oid": oid, "size": 1}]})
        assert refused.status_code == 401 and "basic" in refused.headers["lfs-authenticate"].lower()


def test_copies_and_moves(ada) -> None:
    data, oid = fresh()
    upload(ada, data, oid)
    assert commit(ada, large("first.abc", oid, len(data))).status_code == 200
    assert commit(ada, large("copy.abc", oid)).status_code == 200
    assert ada.get("/spaces/ada/demo/resolve/main/copy.abc").content == data
    assert commit(ada, large("moved.def", oid, oldPath="first.abc")).status_code == 200
    assert ada.get("/spaces/ada/demo/resolve/main/moved.def").content == data
    assert ada.get("/spaces/ada/demo/resolve/main/first.abc").status_code == 404
    text = {"key": "file", "value": {"path": "a.txt", "content": "hello"}}
    assert commit(ada, text).status_code == 200
    assert commit(ada, {"key": "file", "value": {"path": "b/c.txt", "oldPath": "a.txt"}}).status_code == 200
    assert ada.get("/spaces/ada/demo/resolve/main/b/c.txt").text == "hello"
    gone = commit(ada, {"key": "file", "value": {"path": "d.txt", "oldPath": "nothing"}})
    assert (gone.status_code, gone.json()["code"]) == (404, "EntryNotFound")


def test_how_each_file_is_to_be_sent(ada) -> None:
    files = [
        {"path": "t.txt", "size": 5, "sample": base64.b64encode(b"hello").decode()},
        {"path": "b.dat", "size": 5, "sample": base64.b64encode(b"\0\1").decode()},
        {"path": "big.txt", "size": 11 * 1024**2, "sample": base64.b64encode(b"hello").decode()},
        {"path": "empty.dat", "size": 0, "sample": ""},
    ]
    answer = ada.post(f"{SPACE}/preupload/main", json={"files": files, "gitIgnore": "b.*"}).json()["files"]
    assert [one["uploadMode"] for one in answer] == ["regular", "lfs", "lfs", "regular"]
    assert [one["shouldIgnore"] for one in answer] == [False, True, False, False]


class Cas:
    """A Xet client's view of one repo."""

    def __init__(self, client, at=SPACE) -> None:
        told = client.get(f"{at}/xet-write-token/main").json()
        self.client, self.root = client, path_of(told["casUrl"])
        self.headers = {"authorization": f"Bearer {told['accessToken']}"}

    def xorb(self, data, name):
        return self.client.post(f"{self.root}/v1/xorbs/default/{name}", content=data, headers=self.headers)

    def shard(self, data):
        return self.client.post(f"{self.root}/v1/shards", content=data, headers=self.headers)


def test_up_by_xet_in_several_xorbs_and_down_in_pieces(ada) -> None:
    pieces = [os.urandom(30_000), b"abcd" * 20_000, os.urandom(1), bytes(100_000)]
    data = b"".join(pieces)
    oid = hashlib.sha256(data).hexdigest()
    cas = Cas(ada)
    one, two = "1" * 64, "2" * 64
    assert cas.xorb(packed(b"unused", 0) + packed(pieces[0], 0) + packed(pieces[1], 2), one).json() == {
        "was_inserted": True
    }
    assert cas.xorb(packed(pieces[2], 1) + packed(pieces[3], 1), two).json() == {"was_inserted": True}
    assert cas.xorb(packed(pieces[2], 1) + packed(pieces[3], 1), two).json() == {"was_inserted": False}
    terms = [(swapped(one), 110_000, 1, 3), (swapped(two), 100_001, 0, 2)]
    assert cas.shard(shard((terms, swapped(oid)))).json() == {"result": 1}
    assert cas.shard(shard((terms, swapped(oid)))).json() == {"result": 1}
    assert commit(ada, large("x.bin", oid, len(data))).status_code == 200
    told = ada.get(f"{cas.root}/v1/reconstructions/{oid}", headers=cas.headers | {"range": "bytes=70000-140000"}).json()
    got = b""
    for term in told["terms"]:
        (fetch,) = told["fetch_info"][term["hash"]]
        where = fetch["url_range"]
        sent = ada.get(path_of(fetch["url"]), headers={"range": f"bytes={where['start']}-{where['end']}"}).content
        stream, unpacked = io.BytesIO(sent), b""
        while header := stream.read(8):
            unpacked += stream.read(int.from_bytes(header[1:4], "little"))
        assert len(unpacked) == term["unpacked_length"]
        got += unpacked
    start = told["offset_into_first_range"]
    assert got[start : start + 70_001] == data[70_000:140_001]


def test_bad_shards_are_refused_and_get_another_address(ada) -> None:
    at = SPACE.replace("demo", "other")
    cas, data = Cas(ada, at), os.urandom(1000)
    assert Cas(ada, at).root == cas.root
    assert cas.shard(shard(([(swapped("3" * 64), 1000, 0, 1)], swapped("4" * 64)))).status_code == 400
    assert Cas(ada, at).root != cas.root
    cas = Cas(ada, at)
    assert cas.xorb(lz4.frame.compress(b"no xorb"), "5" * 64).status_code == 400
    assert cas.xorb(packed(data, 1), "5" * 64).status_code == 200
    wrong = cas.shard(shard(([(swapped("5" * 64), 1000, 0, 1)], swapped("6" * 64))))
    assert (wrong.status_code, wrong.json()["code"]) == (400, "LFS_HASH")
    assert Cas(ada).shard(b"garbage").status_code == 400


def test_of_a_shard_that_is_cut_off_nothing_is_made(ada) -> None:
    data, oid = fresh()
    cas = Cas(ada, SPACE.replace("demo", "other"))
    assert cas.xorb(packed(data, 0), "9" * 64).status_code == 200
    whole = shard(([(swapped("9" * 64), len(data), 0, 1)], swapped(oid)))
    assert cas.shard(whole[: whole.index(b"\xff" * 32)]).json()["code"] == "SHARD"
    assert "actions" in ask(ada, oid, len(data), at=BATCH.replace("demo", "other"))


def test_who_reads_is_not_told_where_others_send_to(ada) -> None:
    told = ada.get(f"{SPACE}/xet-read-token/main").json()
    assert path_of(told["casUrl"]).rpartition("/")[0] == Cas(ada).root.rpartition("/")[0]
    assert path_of(told["casUrl"]) != Cas(ada).root
    writing = Cas(ada)
    writing.root = path_of(told["casUrl"])
    assert writing.xorb(packed(b"x", 0), "7" * 64).json()["code"] == "XET_EPOCH"


def test_a_token_of_one_repo_opens_no_other(ada) -> None:
    mine, other = Cas(ada), Cas(ada, SPACE.replace("demo", "other"))
    mine.root = other.root
    assert mine.xorb(packed(b"x", 0), "7" * 64).status_code == 403
    mine.headers = {"authorization": "Bearer none"}
    assert mine.xorb(packed(b"x", 0), "7" * 64).status_code == 401


def test_listing_and_deleting_for_good(ada) -> None:
    at = SPACE.replace("demo", "other")
    (data, oid), (kept, kept_oid) = fresh(), fresh()
    for one, name in ((data, oid), (kept, kept_oid)):
        upload(ada, one, name, at=BATCH.replace("demo", "other"))
    operations = large("gone.bin", oid, len(data)), large("sub/kept.bin", kept_oid, len(kept))
    assert commit(ada, *operations, at=at).status_code == 200
    listed = {one["fileOid"]: one for one in ada.get(f"{at}/lfs-files").json()}
    assert listed[oid]["filename"] == "gone.bin" and listed[oid]["ref"] == "main"
    body = {"deletions": {"sha": [oid], "rewriteHistory": True}}
    assert ada.post(f"{at}/lfs-files/batch", json=body).status_code == 200
    assert [one["fileOid"] for one in ada.get(f"{at}/lfs-files").json()] == [kept_oid]
    assert ada.get("/spaces/ada/other/resolve/main/gone.bin").status_code == 404
    assert ada.get("/spaces/ada/other/resolve/main/sub/kept.bin").content == kept


def test_giving_a_file_to_another_repo(ada, console) -> None:
    (data, oid), (_, unknown) = fresh(), fresh()
    upload(ada, data, oid)
    other = SPACE.replace("demo", "other")
    assert commit(ada, large("given.bin", oid, len(data)), at=other).json()["code"] == "LFS_MISSING"
    files = [{"sha256": one, "xetHash": one, "filename": "given.bin"} for one in (oid, unknown, "no hash")]
    body = {"target": {"type": "space", "name": "ada/other"}, "files": files}
    failed = ada.post(f"{SPACE}/lfs-files/duplicate", json=body).json()["failed"]
    assert [one["sha256"] for one in failed] == [unknown, "no hash"] and "LFS object" in failed[0]["error"]
    assert commit(ada, large("given.bin", oid, len(data)), at=other).status_code == 200
    assert ada.get("/spaces/ada/other/resolve/main/given.bin").content == data
    with console.client(None) as stranger:
        assert stranger.post(f"{SPACE}/lfs-files/duplicate", json=body).status_code == 401
    body["target"]["name"] = "ada/none"
    assert ada.post(f"{SPACE}/lfs-files/duplicate", json=body).json()["code"] == "RepoNotFound"
