"""What a server tells of a model's weights without anybody downloading them: the headers of its safetensors files."""

import base64
import hashlib
import json

from tests.unit.test_safetensors import tensor, weights


def large(client, at, path, data):
    """Upload a file by LFS; the line of a commit that names it."""
    oid = hashlib.sha256(data).hexdigest()
    told = {"operation": "upload", "objects": [{"oid": oid, "size": len(data)}]}
    action = client.post(f"/{at}.git/info/lfs/objects/batch", json=told).json()["objects"][0]["actions"]["upload"]
    assert client.put("/" + action["href"].split("/", 3)[3], content=data).status_code == 200
    return {"key": "lfsFile", "value": {"path": path, "algo": "sha256", "oid": oid, "size": len(data)}}


def small(path, data):
    return {"key": "file", "value": {"path": path, "content": base64.b64encode(data).decode(), "encoding": "base64"}}


def model(client, name, *lines, large_files=()):
    assert client.post("/api/repos/create", json={"name": name}).status_code == 200
    lines = [*lines, *(large(client, f"ada/{name}", path, data) for path, data in large_files)]
    body = "\n".join(json.dumps(one) for one in [{"key": "header", "value": {"summary": "m"}}, *lines])
    done = client.post(f"/api/models/ada/{name}/commit/main", content=body)
    assert done.status_code == 200, done.text
    return f"/api/models/ada/{name}"


ONE = {"__metadata__": {"format": "pt"}, "a": tensor(), "b": tensor("BF16", (5,), (24, 34))}
TWO = {"c": tensor("BF16", (7,), (0, 14))}


def test_of_one_file(ada):
    at = model(ada, "single", large_files=[("model.safetensors", weights(ONE, bytes(34)))])
    told = ada.get(f"{at}/safetensors-metadata/model.safetensors")
    assert told.json() == {"sharded": False, "header": ONE, "parameterCount": {"F32": 6, "BF16": 5}}
    assert told.headers["x-repo-commit"] == ada.get(at).json()["sha"]
    told = ada.get(at, params={"expand": "safetensors"}).json()
    assert told["safetensors"] == {"parameters": {"F32": 6, "BF16": 5}, "total": 11}


def test_of_all_that_an_index_names(ada):
    index = {
        "metadata": {"total_size": 48},
        "weight_map": {"a": "one.safetensors", "b": "one.safetensors", "c": "two.safetensors"},
    }
    at = model(
        ada, "sharded",
        small("model.safetensors.index.json", json.dumps(index).encode()), small("two.safetensors", weights(TWO, bytes(14))),
        small("deep/x.safetensors.index.json", json.dumps(index).encode()),
        large_files=[("one.safetensors", weights(ONE, bytes(34)))],
    )  # fmt: skip
    told = ada.get(f"{at}/safetensors-metadata/model.safetensors.index.json").json()
    assert told["headers"] == {"one.safetensors": ONE, "two.safetensors": TWO} and told["sharded"] is True
    assert told["index"] == {"metadata": {"total_size": 48}} and told["parameterCount"] == {"F32": 6, "BF16": 12}
    assert ada.get(at, params={"expand": "safetensors"}).json()["safetensors"]["total"] == 18
    assert ada.get(f"{at}/safetensors-metadata/deep/x.safetensors.index.json").json()["code"] == "EntryNotFound"


def test_what_is_not_there_or_not_right(ada, console):
    lie = (10**6).to_bytes(8, "little") + b"{}"
    climbs = json.dumps({"weight_map": {"a": "../../../etc/passwd"}}).encode()
    at = model(ada, "hostile", small("model.safetensors", lie), small("i.json", b"{}"), small("c.index.json", climbs))
    ask = lambda path, **more: ada.get(f"{at}/safetensors-metadata/{path}", **more)  # noqa: E731
    assert (ask("model.safetensors").status_code, ask("model.safetensors").json()["code"]) == (400, "SAFETENSORS")
    assert ask("i.json").json()["code"] == "SAFETENSORS" and ask("c.index.json").json()["code"] == "EntryNotFound"
    missing = ask("none.safetensors")
    assert (missing.status_code, missing.headers["x-error-code"]) == (404, "EntryNotFound")
    assert ask("model.safetensors", params={"revision": "none"}).headers["x-error-code"] == "RevisionNotFound"
    assert ada.get(at, params={"expand": "safetensors"}).json()["safetensors"] is None


def test_no_more_than_the_limits(ada, monkeypatch):
    many = json.dumps({"weight_map": {str(n): f"{n}.safetensors" for n in range(3)}}).encode()
    at = model(
        ada,
        "much",
        small("m.index.json", many),
        *(small(f"{n}.safetensors", weights(TWO, bytes(14))) for n in range(3)),
    )
    ask = lambda: ada.get(f"{at}/safetensors-metadata/m.index.json")  # noqa: E731
    assert len(ask().json()["headers"]) == 3
    for name, limit in (("_SHARDS", 2), ("_ALL", 150), ("_INDEX", 10)):
        with monkeypatch.context() as patch:
            patch.setattr(f"orchestrator.api.safetensors.{name}", limit)
            assert (ask().status_code, ask().json()["code"]) == (413, "SAFETENSORS_TOO_LARGE"), name


def test_a_gate_is_a_gate(ada, console):
    at = model(ada, "gated", small("model.safetensors", weights(TWO, bytes(14))))
    assert ada.put(f"{at}/settings", json={"gated": "manual"}).status_code == 200
    with console.client(console.bobs) as bob:
        refused = bob.get(f"{at}/safetensors-metadata/model.safetensors")
        assert (refused.status_code, refused.headers["x-error-code"]) == (403, "GatedRepo")
