"""Models and datasets as the unmodified `huggingface_hub` uses them, on a real socket: everything but git, which is
tests/e2e/test_kinds.py's."""

import pytest

from tests.console import Console
from tests.contracts.test_hub_api import Client

pytest.importorskip("huggingface_hub")


@pytest.fixture(scope="module")
def console(tmp_path_factory):
    with Console(tmp_path_factory.mktemp("console")).listening() as console:
        yield console


@pytest.fixture
def client(console, tmp_path):
    return Client(console, tmp_path)


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_a_repo_is_made_filled_read_and_deleted(client, kind):
    told = client.python(
        f"""
        kind = {kind!r}
        from huggingface_hub import hf_hub_download, snapshot_download
        made = api.create_repo("first", repo_type=kind)
        again = refused(api.create_repo, "first", repo_type=kind)[:2]
        api.create_repo("First", repo_type=kind, exist_ok=True)
        card = b"---\\nlicense: mit\\ntags: [nice]\\npipeline_tag: text-classification\\nlanguage: [en]\\n---\\n# Hi"
        done = api.create_commit("ada/first", [Add("README.md", card), Add("config.json", b'{{"model_type": "tiny"}}'),
            Add("data/a b.txt", b"one")], commit_message="fill", repo_type=kind)
        info = api.repo_info("ada/first", repo_type=kind, files_metadata=True)
        at = api.repo_info("ada/first", repo_type=kind, revision=info.sha[:8])
        folder = snapshot_download("ada/first", repo_type=kind)
        result = {{
            "made": [str(made), made.repo_id, made.repo_type],
            "again": again,
            "url": done.commit_url.split("/commit/")[0] == str(made),
            "head": info.sha == done.oid == at.sha,
            "info": [info.author, info.private, info.gated, info.likes, info.card_data.license],
            "tags": info.tags,
            "files": {{s.rfilename: s.size for s in info.siblings}},
            "one": Path(hf_hub_download("ada/first", "data/a b.txt", repo_type=kind)).read_text(),
            "all": sorted(str(p.relative_to(folder)) for p in Path(folder).rglob("*") if p.is_file()),
            "tree": sorted(e.path for e in api.list_repo_tree("ada/first", repo_type=kind, recursive=True)),
            "paths": [e.path for e in api.get_paths_info("ada/first", ["config.json", "nope"], repo_type=kind)],
            "refs": [b.name for b in api.list_repo_refs("ada/first", repo_type=kind).branches],
            "commits": [c.title for c in api.list_repo_commits("ada/first", repo_type=kind)],
            "exists": [api.file_exists("ada/first", "config.json", repo_type=kind),
                       api.file_exists("ada/first", "nope", repo_type=kind),
                       api.revision_exists("ada/first", "nope", repo_type=kind)],
            "no file": refused(hf_hub_download, "ada/first", "nope", repo_type=kind)[:2],
            "other kinds": [api.repo_exists("ada/first", repo_type=t) for t in ("space", "model", "dataset") if t != kind],
            "delete": api.delete_repo("ada/first", repo_type=kind),
            "gone": refused(api.repo_info, "ada/first", repo_type=kind)[:2],
            "free": api.create_repo("first", repo_type=kind).repo_id,
            "bob": refused(api.create_repo, "bob/first", repo_type=kind)[:2],
        }}
        api.delete_repo("ada/first", repo_type=kind)
        """
    )
    prefix = "" if kind == "model" else "datasets/"
    assert told["made"][0].endswith(f"/{prefix}ada/first") and told["made"][1:] == ["ada/first", kind]
    assert told["again"] == ["HfHubHTTPError", 409] and told["url"] and told["head"]
    assert told["info"] == ["ada", False, False, 0, "mit"]
    assert set(told["tags"]) >= {"nice", "license:mit", "en" if kind == "model" else "language:en"}
    assert {"README.md", "config.json", "data/a b.txt", ".gitattributes"} == set(told["files"])
    assert told["files"]["data/a b.txt"] == 3 and told["one"] == "one"
    assert told["all"] == sorted(told["files"])
    assert told["tree"] == sorted([*told["files"], "data"])
    assert told["paths"] == ["config.json"] and told["refs"] == ["main"]
    assert told["commits"] == ["fill", "initial commit"]
    assert told["exists"] == [True, False, False]
    assert told["no file"] == ["RemoteEntryNotFoundError", 404]
    assert told["other kinds"] == [False, False]
    assert told["gone"] == ["RepositoryNotFoundError", 404]
    assert told["free"] == "ada/first" and told["bob"] == ["HfHubHTTPError", 403]


def test_a_moved_repo_is_found_under_its_former_name(client, console):
    told = client.python(
        """
        from huggingface_hub import hf_hub_download
        for kind, old, new in (("model", "ada/old", "ada/later"), ("dataset", "ada/old", "acme/Given"),
                               ("space", "ada/old", "acme/given")):
            api.create_repo(old, repo_type=kind, **({"space_sdk": "static"} if kind == "space" else {}))
            api.upload_file(path_or_fileobj=kind.encode(), path_in_repo="a.txt", repo_id=old, repo_type=kind)
            api.move_repo(old, new, repo_type=kind)
        api.create_repo("other")
        result = {
            "ids": [api.model_info("ada/old").id, api.dataset_info("Ada/Old").id, api.space_info("ada/old").id],
            "files": [Path(hf_hub_download("ada/old", "a.txt", repo_type=k)).read_text() for k in ("model", "dataset", "space")],
            "host": api.space_info("acme/given").subdomain,
            "commit": api.upload_file(path_or_fileobj=b"2", path_in_repo="b.txt", repo_id="ada/old").commit_url,
            "stranger": HfApi(token=False).model_info("ada/old").id,
            "taken": refused(api.move_repo, "ada/later", "ada/Other")[2],
            "bob": refused(api.move_repo, "ada/later", "bob/later")[:2],
        }
        api.update_repo_settings("ada/later", private=True)
        result["hidden"] = refused(HfApi(token=False).model_info, "ada/old")[:2]
        api.update_repo_settings("ada/later", private=False)
        api.create_repo("old")
        result["again"] = [api.model_info("ada/old").id, api.file_exists("ada/old", "a.txt")]
        api.move_repo("ada/later", "ada/LATER")
        result["case"] = api.model_info("ada/later").id
        for name in ("ada/old", "ada/later", "ada/other"):
            api.delete_repo(name)
        """
    )
    assert told["ids"] == ["ada/later", "acme/Given", "acme/given"]
    assert told["files"] == ["model", "dataset", "space"]
    assert told["host"] == "acme-given" and told["stranger"] == "ada/later"
    assert "/ada/later/commit/" in told["commit"]
    assert "A model repository called ada/other already exists" in told["taken"]
    assert told["bob"] == ["HfHubHTTPError", 403]
    assert told["hidden"] == ["RepositoryNotFoundError", 401]
    assert told["again"] == ["ada/old", False] and told["case"] == "ada/LATER"


def test_a_copy_has_files_and_variables_but_no_secrets(client):
    told = client.python(
        """
        api.create_repo("source", repo_type="space", space_sdk="static", space_secrets=[{"key": "S", "value": "hush"}],
                        space_variables=[{"key": "V", "value": "v"}, {"key": "W", "value": "w"}])
        api.upload_file(path_or_fileobj=b"<p>", path_in_repo="deep/index.html", repo_id="ada/source", repo_type="space")
        mine = [{"key": "W", "value": "mine"}]
        url = api.duplicate_repo("ada/source", "acme/copy", private=True, repo_type="space", space_variables=mine)
        api.create_repo("data", repo_type="dataset")
        copied = api.duplicate_repo("ada/data", "ada/data2", repo_type="dataset")
        files = lambda name, kind: sorted(api.list_repo_files(name, repo_type=kind))
        result = {
            "url": str(url),
            "same": files("acme/copy", "space") == files("ada/source", "space"),
            "history": [c.title for c in api.list_repo_commits("acme/copy", repo_type="space")],
            "info": [api.space_info("acme/copy").private, api.space_info("acme/copy").sdk],
            "secrets": list(api.get_space_secrets("acme/copy")),
            "variables": {k: v.value for k, v in api.get_space_variables("acme/copy").items()},
            "again": refused(api.duplicate_repo, "ada/source", "acme/copy", repo_type="space")[:2],
            "exist_ok": str(api.duplicate_repo("ada/source", "acme/copy", exist_ok=True, repo_type="space")) == str(url),
            "data": [str(copied).rpartition("/datasets/")[2], files("ada/data2", "dataset")],
        }
        """
    )
    assert told["url"].endswith("/spaces/acme/copy") and told["same"] and told["exist_ok"]
    assert told["history"] == ["Duplicate from ada/source"]
    assert told["info"] == [True, "static"]
    assert told["secrets"] == [] and told["variables"] == {"V": "v", "W": "mine"}
    assert told["again"] == ["HfHubHTTPError", 409]
    assert told["data"] == ["ada/data2", [".gitattributes"]]


def test_lists_filter_sort_and_page(client, console):
    told = client.python(
        """
        for name, kind, card in (
            ("list-a", "model", "library_name: transformers\\npipeline_tag: fill-mask\\nlanguage: fr\\nlicense: mit"),
            ("list-b", "model", "tags: [nice]\\nbase_model: x/y"),
            ("list-c", "dataset", "task_categories: [translation]\\nlanguage: [en]"),
        ):
            api.create_repo(name, repo_type=kind)
            api.upload_file(path_or_fileobj=f"---\\n{card}\\n---\\n".encode(), path_in_repo="README.md",
                            repo_id=f"ada/{name}", repo_type=kind)
        names = lambda **asked: [m.id for m in api.list_models(author="ada", search="list-", **asked)]
        data = lambda **asked: [m.id for m in api.list_datasets(author="ada", search="list-", **asked)]
        one = next(iter(api.list_models(author="ada", search="list-a", full=True, cardData=True)))
        result = {
            "newest": names(),
            "first": names(sort="created_at", limit=1),
            "tag": names(filter="nice"),
            "two": names(filter=["transformers", "license:mit"]),
            "task": names(pipeline_tag="fill-mask"),
            "none": names(filter=["nice", "license:mit"]),
            "other": [m.id for m in api.list_models(author="bob")],
            "gated": [names(gated=True), names(gated=False)],
            "one": [one.pipeline_tag, one.library_name, one.card_data.license, one.sha is not None],
            "files": [s.rfilename for s in one.siblings],
            "expand": [vars(m).get("likes") for m in api.list_models(author="ada", search="list-a", expand=["likes"])],
            "data": data(),
            "languages": [data(language="en"), data(language="fr")],
            "categories": data(task_categories="translation"),
            "info": api.model_info("ada/list-b", expand=["baseModels", "tags"]).base_models,
        }
        """
    )
    assert told["newest"] == ["ada/list-b", "ada/list-a"] and told["first"] == ["ada/list-b"]
    assert told["tag"] == ["ada/list-b"] and told["two"] == told["task"] == ["ada/list-a"]
    assert told["none"] == told["other"] == []
    assert told["gated"] == [[], ["ada/list-b", "ada/list-a"]]
    assert told["one"] == ["fill-mask", "transformers", "mit", True] and told["files"] == [
        ".gitattributes",
        "README.md",
    ]
    assert told["expand"] == [0] and told["data"] == ["ada/list-c"]
    assert told["languages"] == [["ada/list-c"], []] and told["categories"] == ["ada/list-c"]
    assert told["info"]["models"] == [{"id": "x/y"}]


def test_likes_count_and_sort(console):
    with console.client() as ada, console.client(console.bobs) as bob, console.client(None) as stranger:
        for name in ("liked-1", "liked-2"):
            assert ada.post("/api/repos/create", json={"name": name}).status_code == 200
        for client in (ada, bob, bob):
            assert client.post("/api/models/ada/liked-1/like").json()["liked"]
        bob.post("/api/models/ada/liked-2/like")
        assert stranger.post("/api/models/ada/liked-1/like").status_code == 401
        assert ada.get("/api/models/ada/liked-1?expand=likes&expand=trendingScore").json()["likes"] == 2
        told = ada.get("/api/models/ada/liked-1?securityStatus=true").json()
        assert told["likes"] == 2 and told["securityRepoStatus"] == {"scansDone": False, "filesWithIssues": []}
        for order in ("likes", "trendingScore"):
            first = stranger.get("/api/models", params={"search": "liked", "sort": order, "limit": 1})
            assert [m["id"] for m in first.json()] == ["ada/liked-1"], order
            second = stranger.get(first.links["next"]["url"])
            assert [(m["id"], m["likes"]) for m in second.json()] == [("ada/liked-2", 1)], order
        assert [u["user"] for u in stranger.get("/api/models/ada/liked-1/likers").json()] == ["bob", "ada"]
        liked = [like["repo"]["name"] for like in stranger.get("/api/users/bob/likes").json()]
        assert liked == ["ada/liked-2", "ada/liked-1"]
        ada.put("/api/models/ada/liked-2/settings", json={"private": True})
        assert len(stranger.get("/api/users/bob/likes").json()) == 1
        assert bob.delete("/api/models/ada/liked-1/like").json() == {"liked": False, "likes": 1}
        assert stranger.get("/api/users/bob/overview").json()["numLikes"] == 1


def test_a_gate_opens_by_request(client, console):
    told = client.python(
        f"""
        from huggingface_hub import hf_hub_download, snapshot_download
        from itertools import count
        import httpx
        bob, ask_at = HfApi(token={console.bobs!r}), os.environ["HF_ENDPOINT"] + "/ada/gated/ask-access"
        number = count()
        def read(who):
            return refused(who.hf_hub_download, "ada/gated", "a.txt", cache_dir=str(next(number)))[:2]
        def ask():
            return httpx.post(ask_at, headers=bob._build_hf_headers(), json={{"why": "x"}}).json()["status"]
        api.create_repo("gated")
        api.upload_file(path_or_fileobj=b"x", path_in_repo="a.txt", repo_id="ada/gated")
        api.update_repo_settings("ada/gated", gated="manual")
        result = {{
            "mine": read(api)[0], "stranger": read(HfApi(token=False)), "bob": read(bob),
            "seen": [bob.model_info("ada/gated").gated, len(bob.list_repo_files("ada/gated"))],
            "check": refused(bob.auth_check, "ada/gated")[0],
            "asked": [ask(), ask()],
            "waiting": read(bob),
            "pending": [[r.username, r.fields] for r in api.list_pending_access_requests("ada/gated")],
            "not his": refused(lambda: list(bob.list_pending_access_requests("ada/gated")))[1],
        }}
        api.accept_access_request("ada/gated", "bob")
        result |= {{"in": read(bob)[0], "accepted": [r.username for r in api.list_accepted_access_requests("ada/gated")]}}
        api.reject_access_request("ada/gated", "bob", rejection_reason="no")
        result |= {{"out": read(bob)}}
        """
    )
    assert told["mine"] == "nothing was raised" and told["in"] == "nothing was raised"
    assert told["stranger"] == ["GatedRepoError", 401]
    assert told["bob"] == told["waiting"] == told["out"] == ["GatedRepoError", 403]
    assert told["seen"] == ["manual", 2] and told["check"] == "GatedRepoError"
    assert told["asked"] == ["pending", "pending"]
    assert told["pending"] == [["bob", {"why": "x"}]] and told["accepted"] == ["bob"]
    assert told["not his"] == 403
