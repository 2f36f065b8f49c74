"""What the Hub's clients in JavaScript need, in node and in pages of other sites (`@huggingface/hub`, transformers.js)."""

import hashlib
from dataclasses import replace

from starlette.testclient import TestClient

from orchestrator.api.app import create_app
from orchestrator.services.large_files import LargeLimits
from tests.unit.test_api_weights import model, small


def test_pages_of_other_sites_read_what_strangers_may_see(ada, stranger):
    at = model(ada, "seen", small("a.txt", b"abc"))
    origin = {"origin": "https://elsewhere.example"}
    for path in (at, f"{at}/tree/main", "/ada/seen/resolve/main/a.txt", "/ada/seen/raw/main/a.txt", "/api/whoami-v2"):
        told = stranger.get(path, headers=origin)
        assert told.headers.get_list("access-control-allow-origin") == ["*"], path
        assert "access-control-allow-credentials" not in told.headers, "nobody reads with another's cookie"
        assert {"ETag", "X-Repo-Commit", "X-Error-Code", "Link"} <= {
            one.strip() for one in told.headers["access-control-expose-headers"].split(",")
        }
    assert stranger.get("/ada/seen/resolve/main/none.txt", headers=origin).headers["access-control-allow-origin"] == "*"
    part = stranger.get("/ada/seen/resolve/main/a.txt", headers=origin | {"range": "bytes=1-1"})
    assert (part.status_code, part.content, part.headers["access-control-allow-origin"]) == (206, b"b", "*")


def test_pages_stay_closed_to_scripts_of_other_sites(ada):
    for path in ("/login", "/ada/seen", "/ada/seen/blob/main/a.txt", "/settings/tokens"):
        assert (
            "access-control-allow-origin" not in ada.get(path, headers={"origin": "https://elsewhere.example"}).headers
        )


def test_a_browser_is_told_before_it_sends_a_commit(stranger):
    ask = {
        "origin": "https://elsewhere.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    for path in (
        "/api/models/ada/seen/commit/main",
        "/ada/seen.git/info/lfs/objects/batch",
        "/datasets/a/b/resolve/main/x",
    ):
        told = stranger.options(path, headers=ask)
        assert told.is_success and told.headers["access-control-allow-origin"] == "*", path
        assert "authorization" in told.headers["access-control-allow-headers"], "a star would not stand for it"
        assert "POST" in told.headers["access-control-allow-methods"]
    assert "access-control-allow-origin" not in stranger.options("/login", headers=ask).headers


def test_an_admin_names_the_sites(console):
    app = create_app(replace(console.parts, api_origins="https://demo.example.org"))
    with TestClient(app, base_url="http://localhost") as client:
        for site, told in (
            ("https://demo.example.org", "https://demo.example.org"),
            ("https://elsewhere.example", None),
        ):
            assert (
                client.get("/api/models", headers={"origin": site}).headers.get("access-control-allow-origin") == told
            )


def test_its_name_of_the_hash_of_large_files(ada):
    model(ada, "hashes")
    asked = {"oid": hashlib.sha256(b"x").hexdigest(), "size": 1}
    told = ada.post(
        "/ada/hashes.git/info/lfs/objects/batch",
        json={"operation": "upload", "hash_algo": "sha_256", "transfers": ["basic"], "objects": [asked]},
    )
    assert told.status_code == 200 and "upload" in told.json()["objects"][0]["actions"]


def test_head_is_the_head_of_main(ada, stranger):
    at = model(ada, "heads", small("a.txt", b"a"))
    sha = ada.get(at).json()["sha"]
    assert ada.get(f"{at}/revision/HEAD").json()["sha"] == sha
    assert ada.get("/ada/heads/resolve/HEAD/a.txt").headers["x-repo-commit"] == sha
    made = {"name": "half", "type": "space", "sdk": "static", "visibility": "protected"}
    assert ada.post("/api/repos/create", json=made).status_code == 200
    assert stranger.get("/api/spaces/ada/half/revision/HEAD").json()["id"] == "ada/half"
    assert stranger.get("/api/spaces/ada/half/revision/main").status_code == 404


def test_commits_are_counted(ada):
    at = model(ada, "counted", small("a.txt", b"a"))
    told = ada.get(f"{at}/commits/main", params={"limit": 1})
    assert (len(told.json()), told.headers["x-total-count"]) == (1, "2")


def test_what_is_not_here_says_so_whatever_follows(ada):
    for path in ("jobs/ada/5f/duplicate", "jobs/ada/5f/like", "scheduled-jobs/ada/5f/run"):
        assert ada.post(f"/api/{path}").json() == {"error": "This Podium has no jobs", "code": "NOT_SUPPORTED"}


def test_clients_put_the_full_stop(ada):
    told = ada.post("/api/repos/create", json={"name": "x", "organization": "bob"})
    assert told.status_code == 403 and told.json()["error"] == told.headers["x-error-message"]
    assert not told.json()["error"].endswith(".")


def test_collections_are_found_by_words_and_by_any_of_several_items(ada):
    for name in ("first", "second"):
        model(ada, name)
        body = {"title": f"The {name}", "item": {"type": "model", "id": f"ada/{name}"}}
        assert ada.post("/api/collections", json=body).status_code == 200
    found = lambda **asked: {one["title"] for one in ada.get("/api/collections", params=asked).json()}  # noqa: E731
    assert found(q="FIRS") == {"The first"} and found(q="%") == set()
    assert found(item="models/ada/second") == {"The second"}
    assert found(item=["models/ada/second", "models/ada/first"]) == {"The first", "The second"}


def test_large_files_count_in_what_repos_take(ada):
    model(ada, "heavy", large_files=[("w.bin", bytes(500_000))])
    (told,) = (one for one in ada.get("/api/settings/repositories").json() if one["id"] == "ada/heavy")
    assert told["storage"] > 500_000


def test_a_collection_may_hold_itself_and_says_notes_in_html_too(ada):
    slug = ada.post("/api/collections", json={"title": "Itself"}).json()["slug"]
    body = {"item": {"type": "collection", "id": slug[-24:]}, "note": "a <b>"}
    assert ada.post(f"/api/collections/{slug}/items", json=body).status_code == 200
    (item,) = ada.get(f"/api/collections/{slug}").json()["items"]
    assert (item["id"], item["note"]) == (slug[-24:], {"html": "a &lt;b&gt;", "text": "a <b>"})
    assert ada.delete(f"/api/collections/{slug}").status_code == 200


def test_what_cannot_fit_is_told_before_it_is_sent(console, ada, monkeypatch):
    """hf_xet shows a status and no words, so the words come first. What the repo has already needs no room."""
    at = model(ada, "full", large_files=[("have.bin", bytes(60_000))])
    monkeypatch.setattr(console.large, "limits", LargeLimits(10**6, 100_000))
    asked = lambda *sizes: ada.post(  # noqa: E731
        f"{at}/preupload/main", json={"files": [{"path": f"{n}.bin", "size": size} for n, size in enumerate(sizes)]}
    )
    for fits in ((40_000,), (60_000, 40_000), (60_000, 60_000), (30_000, 30_000)):
        assert asked(*fits).status_code == 200, fits
    for none in ((40_001,), (60_000, 40_001), (30_000, 10_001)):
        told = asked(*none)
        assert (told.status_code, told.json()["code"]) == (413, "REPO_TOO_LARGE"), none
    assert "the large files of the repository would have" in told.headers["x-error-message"]
