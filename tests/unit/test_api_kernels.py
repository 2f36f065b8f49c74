"""Kernels: repos of files like models and datasets, under an address of their own (huggingface_hub 2, `kernel_info`)."""

import base64
import json

import pytest

from orchestrator.errors import Invalid


@pytest.fixture(scope="module")
def ada(console):
    with console.client() as client:
        made = client.post("/api/repos/create", json={"name": "relu", "type": "kernel"})
        assert made.json()["url"].endswith("/kernels/ada/relu"), made.text
        file = {"path": "build/kernel.py", "content": base64.b64encode(b"x = 1\n").decode(), "encoding": "base64"}
        lines = [{"key": "header", "value": {"summary": "m"}}, {"key": "file", "value": file}]
        done = client.post("/api/kernels/ada/relu/commit/main", content="\n".join(map(json.dumps, lines)))
        assert "/kernels/ada/relu/commit/" in done.json()["commitUrl"], done.text
        yield client


def test_what_is_told_of_a_kernel(ada):
    told = ada.get("/api/kernels/ada/relu").json()
    assert {key: told[key] for key in ("id", "author", "gated", "private", "likes", "downloads")} == {
        "id": "ada/relu", "author": "ada", "gated": False, "private": False, "likes": 0, "downloads": 0,
    }  # fmt: skip
    assert ada.get(f"/api/kernels/ada/relu/revision/{told['sha']}").json()["sha"] == told["sha"]
    assert [one["id"] for one in ada.get("/api/kernels").json()] == ["ada/relu"]
    for other in ("/api/models/ada/relu", "/api/kernels/ada/none", "/api/kernels/relu"):
        assert ada.get(other).headers["x-error-code"] == "RepoNotFound"


def test_its_files_its_refs_and_its_history(ada):
    assert ada.get("/kernels/ada/relu/resolve/main/build/kernel.py").content == b"x = 1\n"
    assert ada.get("/kernels/ada/relu/resolve/main/none").headers["x-error-code"] == "EntryNotFound"
    tree = ada.get("/api/kernels/ada/relu/tree/main?recursive=true").json()
    assert [one["path"] for one in tree] == ["build", ".gitattributes", "build/kernel.py"]
    assert ada.post("/api/kernels/ada/relu/branch/v1", json={}).status_code == 200
    refs = ada.get("/api/kernels/ada/relu/refs").json()
    assert [one["name"] for one in refs["branches"]] == ["main", "v1"]


def test_it_is_liked_collected_moved_and_deleted(ada):
    assert ada.post("/api/kernels/ada/relu/like").status_code == 200
    (liked,) = ada.get("/api/users/ada/likes").json()
    assert liked["repo"] == {"name": "ada/relu", "type": "kernel"}
    body = {"title": "Fast", "namespace": "ada", "item": {"type": "kernel", "id": "ada/relu"}}
    assert ada.post("/api/collections", json=body).json()["items"][0]["id"] == "ada/relu"
    assert ada.get("/api/users/ada/overview").json()["numKernels"] == 1
    ada.post("/api/repos/create", json={"name": "gelu", "type": "kernel"})
    move = {"fromRepo": "ada/gelu", "toRepo": "ada/silu", "type": "kernel"}
    assert ada.post("/api/repos/move", json=move).status_code == 200
    old = ada.get("/kernels/ada/gelu/resolve/main/.gitattributes")
    assert old.status_code == 307 and old.headers["location"] == "/kernels/ada/silu/resolve/main/.gitattributes"
    gone = ada.request("DELETE", "/api/repos/delete", json={"name": "silu", "organization": "ada", "type": "kernel"})
    assert gone.status_code == 200 and ada.get("/api/kernels/ada/silu").status_code == 404


def test_no_owner_is_called_as_an_address_begins(console, ada):
    for name in ("kernels", "papers", "admin"):
        with pytest.raises(Invalid, match="reserved"):
            console.parts.accounts.add_org(name)
    assert ada.post("/api/repos/create", json={"name": "admin", "type": "dataset"}).status_code == 200
    assert ada.get("/papers/2307.09288.md").json()["code"] == "NOT_SUPPORTED"
