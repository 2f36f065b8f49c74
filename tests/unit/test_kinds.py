"""What is pure about repos of several kinds: their addresses, tags, cards, first files, and collections' slugs."""

import pytest
from starlette.requests import Request

from orchestrator.api.cardtags import tags
from orchestrator.api.envelope import with_kind
from orchestrator.api.problems import moved_to
from orchestrator.api.readme import first_files
from orchestrator.domain.collection import Collection
from orchestrator.domain.records import Repo
from orchestrator.domain.repo import RepoKind
from orchestrator.errors import Moved
from orchestrator.services.card import card_faults, read_card


@pytest.mark.parametrize(
    ("path", "routed"),
    [
        ("/acme/m/resolve/main/config.json", "/models/acme/m/resolve/main/config.json"),
        ("/acme/m/raw/refs%2Fpr%2F1/a/b", "/models/acme/m/raw/refs%2Fpr%2F1/a/b"),
        ("/acme/m/ask-access", "/models/acme/m/ask-access"),
        ("/acme/resolve/resolve/main/a", "/models/acme/resolve/resolve/main/a"),
        ("/spaces/acme/m/resolve/main/a", "/spaces/acme/m/resolve/main/a"),
        ("/datasets/acme/m/resolve/main/a", "/datasets/acme/m/resolve/main/a"),
        ("/api/models/acme/resolve/main", "/api/models/acme/resolve/main"),
        ("/gpt2/resolve/main/config.json", "/gpt2/resolve/main/config.json"),
        ("/acme/m/resolve/main", "/acme/m/resolve/main"),
        ("/acme/m/info/refs", "/acme/m/info/refs"),
    ],
)
def test_a_models_file_has_no_prefix(path, routed):
    assert with_kind(path) == routed


@pytest.mark.parametrize(
    ("raw", "query", "to"),
    [
        ("/api/models/acme/Old/tree/main/a%2Fb", "recursive=true", "/api/models/new/name/tree/main/a%2Fb?recursive=true"),
        ("/acme/old/resolve/main/acme/old", "", "/new/name/resolve/main/acme/old"),
        ("/datasets/acme/old.git/info/refs", "service=x", "/datasets/new/name.git/info/refs?service=x"),
        ("/spaces/ACME/%6Fld/resolve/x/y", "", "/spaces/new/name/resolve/x/y"),
    ],
)  # fmt: skip
def test_a_redirect_changes_the_name_and_nothing_else(raw, query, to):
    scope = {"type": "http", "path": "/", "raw_path": raw.encode(), "query_string": query.encode(), "headers": []}
    assert moved_to(Request(scope), Moved("acme/old", "new/name")) == to


def repo(kind: RepoKind) -> Repo:
    return Repo("5" * 24, kind, "ada", "1" * 24, "m")


def test_tags_follow_from_the_card():
    card = {
        "library_name": "transformers", "pipeline_tag": "fill-mask", "tags": ["nice", 3], "language": ["fr"], "license": "mit",
        "datasets": ["a/b"], "base_model": "x/y", "base_model_relation": "quantized",
    }  # fmt: skip
    assert tags(repo(RepoKind.MODEL), card) == [
        "transformers", "nice", "fill-mask", "fr", "dataset:a/b", "base_model:x/y", "license:mit", "base_model:quantized:x/y",
    ]  # fmt: skip
    card = {"language": "en", "task_categories": ["translation"], "size_categories": "n<1K", "tags": "one"}
    assert tags(repo(RepoKind.DATASET), card) == [
        "language:en", "size_categories:n<1K", "task_categories:translation", "one",
    ]  # fmt: skip
    assert tags(repo(RepoKind.MODEL), {"tags": {"odd": 1}, "license": 7}) == []
    emitting = {"co2_eq_emissions": {"emissions": 1.5}, "model-index": []}
    assert tags(repo(RepoKind.MODEL), emitting) == ["co2_eq_emissions"]


@pytest.mark.parametrize(
    ("text", "errors", "warnings"),
    [
        ("---\nlicense: mit\ntags: [a]\n---\n", 0, 0),
        ("no front matter", 0, 1),
        ("---\nmodel-index: foo\n---\n", 1, 0),
        ("---\ntags: {a: b}\npipeline_tag: [x]\n---\n", 2, 0),
        ("---\na: [\n---\n", 1, 0),
        ("---\na: &x [1]\nb: *x\n---\n", 1, 0),
    ],
)
def test_cards_are_judged_by_what_clients_can_read(text, errors, warnings):
    told = card_faults(text)
    assert (len(told[0]), len(told[1])) == (errors, warnings), told


def test_a_models_card_is_read_and_a_broken_one_is_a_warning():
    assert read_card(b"---\nsdk: nope\nlicense: mit\n---\n", RepoKind.MODEL).values == {"sdk": "nope", "license": "mit"}
    broken = read_card(b"---\na: [\n---\n", RepoKind.DATASET)
    assert not broken.values and "without its card" in broken.warnings[0]


def test_first_files_of_each_kind():
    def lines(kind):
        return first_files(kind, "", ())[0].content.decode().splitlines()

    assert [change.path for change in first_files(RepoKind.MODEL, "", ())] == [".gitattributes"]
    assert "*.safetensors filter=lfs diff=lfs merge=lfs -text" in lines(RepoKind.MODEL)
    assert not any("*.wav" in line for line in lines(RepoKind.MODEL))
    assert "*.wav filter=lfs diff=lfs merge=lfs -text" in lines(RepoKind.DATASET)


@pytest.mark.parametrize(
    ("title", "slug"),
    [("My cool Stuff!", "my-cool-stuff-"), ("Été 2026", "ete-2026-"), ("你好", ""), ("--", "")],
)
def test_a_slug_is_words_and_the_id(title, slug):
    assert Collection("a" * 24, "ada", "1" * 24, title).slug == f"ada/{slug}{'a' * 24}"
