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
