"""What clients of several generations look for in answers, beyond what their own calls show: statuses, orders, words."""

import json

import pytest

from tests.unit.test_api_weights import large, model, small


def test_a_stranger_is_told_401_for_what_may_be_private(ada, stranger):
    model(ada, "known")
    assert ada.put("/api/models/ada/known/settings", json={"private": True}).status_code == 200
    for path in (
        "/api/models/ada/{}",
        "/ada/{}/resolve/main/x",
        "/api/datasets/ada/{}/refs",
        "/api/models/ada/{}/tree/main",
    ):
        known, none = (stranger.get(path.format(name)) for name in ("known", "none"))
        assert known.status_code == none.status_code == 401 and known.json() == none.json()
        assert known.headers["x-error-code"] == "RepoNotFound" and "Bearer" in known.headers["www-authenticate"]
        assert ada.get(path.format("none")).status_code == 404
    assert (
        stranger.get("/api/models/ada/known", headers={"authorization": "Bearer hf_wrong"}).json()["code"]
        == "INVALID_TOKEN"
    )


@pytest.mark.parametrize("kept", ["podium-form=abc", "__Host-podium-form=abc; podium-session-x=1"])
def test_whoever_has_only_looked_at_pages_is_still_a_stranger(stranger, kept):
    """Clients keep cookies: huggingface_hub those of every answer, for as long as it runs."""
    assert stranger.get("/api/models/ada/none", headers={"cookie": kept}).status_code == 401


def test_the_request_is_called_what_the_client_calls_it(stranger):
    assert stranger.get("/api/models", headers={"x-request-id": "custom-id"}).headers["x-request-id"] == "custom-id"
    assert "a1-b2" in stranger.get("/api/none", headers={"x-amzn-trace-id": "a1-b2"}).headers["x-request-id"]


def test_folders_stand_before_files_and_pages_follow_that(ada):
    at = model(ada, "folders", small("a.txt", b"a"), small("b/c.txt", b"c"), small("z/d.txt", b"d"))
    listed = [one["path"] for one in ada.get(f"{at}/tree/main").json()]
    assert listed == ["b", "z", ".gitattributes", "a.txt"]
    deep = [one["path"] for one in ada.get(f"{at}/tree/main?recursive=true").json()]
    assert deep == [*listed, "b/c.txt", "z/d.txt"]
    first = ada.get(f"{at}/tree/main", params={"limit": 3})
    rest = ada.get("/" + first.links["next"]["url"].split("/", 3)[3])
    assert [one["path"] for one in first.json() + rest.json()] == listed


def test_large_files_of_pull_requests_have_their_names(ada):
    at = model(ada, "proposals")
    line = large(ada, "ada/proposals", "new.bin", b"0" * 1000)
    body = "\n".join(['{"key": "header", "value": {"summary": "m"}}', str(line).replace("'", '"')])
    assert ada.post(f"{at}/commit/main?create_pr=1", content=body).status_code == 200
    (found,) = ada.get(f"{at}/lfs-files").json()
    assert (found["filename"], found["ref"]) == ("new.bin", "refs/pr/1")


def test_expanded_files_say_that_nobody_scanned_them(ada):
    at = model(ada, "scanned", small("a/b.txt", b"b"))
    folder, file = ada.post(f"{at}/paths-info/main", json={"paths": ["a", "a/b.txt"], "expand": True}).json()
    assert "securityFileStatus" not in folder
    assert file["securityFileStatus"] == {"status": "unscanned", "avScan": None, "pickleImportScan": None}


def test_settings_that_older_clients_send(ada):
    at = model(ada, "older")
    assert ada.put(f"{at}/settings", json={"xetEnabled": True}).json()["xetEnabled"] is True
    assert ada.get(at, params={"expand": "xetEnabled"}).json()["xetEnabled"] is True


def test_a_stale_parent_is_told_in_the_words_of_both_generations(ada):
    at = model(ada, "stale", small("a.txt", b"a"))
    head = '{"key": "header", "value": {"summary": "m", "parentCommit": "%s"}}' % ("0" * 40)
    told = ada.post(f"{at}/commit/main", content=head)
    assert told.status_code == 412
    for words in (
        "A commit has happened since. Please refresh and try again.",
        "The branch was updated since you opened",
    ):
        assert words in told.json()["error"] and words in told.headers["x-error-message"]


def test_nobody_runs_models_for_others_here(ada):
    model(ada, "runs-nowhere")
    assert ada.get("/api/models", params={"author": "ada"}).json()
    for one in ("inference", "inference_provider"):
        assert ada.get("/api/models", params={"author": "ada", one: "warm"}).json() == []


def test_everybody_sees_who_is_in_an_organisation(stranger):
    assert [one["user"] for one in stranger.get("/api/organizations/acme/members").json()] == ["ada"]


def test_repos_of_an_organisation_that_keeps_them_private(ada, console):
    accounts = console.parts.accounts
    accounts.set_private_by_default("acme", True)
    make = lambda name, **more: ada.post("/api/repos/create", json={"name": name, "organization": "acme", **more})  # noqa: E731
    private = lambda path: ada.get(f"/api/{path}").json()["private"]  # noqa: E731
    assert make("usual").status_code == make("shown", visibility="public").status_code == 200
    assert make("old", private=False).status_code == make("app", type="space", sdk="static").status_code == 200
    assert [private(f"models/acme/{name}") for name in ("usual", "shown", "old")] == [True, False, False]
    assert private("spaces/acme/app") is True
    copies = {"acme/copy": {}, "acme/seen": {"visibility": "public"}, "ada/mine": {}}
    for to, more in copies.items():
        assert ada.post("/api/models/acme/shown/duplicate", json={"repository": to, **more}).status_code == 200
    assert [private(f"models/{to}") for to in copies] == [True, False, False]
    accounts.set_private_by_default("acme", False)
    assert make("again").status_code == 200 and private("models/acme/again") is False


def test_what_programs_made_of_a_dataset_has_refs_of_its_own(ada):
    at = model(ada, "converted", small("a.csv", b"a"))
    ref = "refs%2Fconvert%2Fparquet"
    assert ada.post(f"{at}/branch/{ref}", json={"emptyBranch": True}).status_code == 200
    body = '{"key": "header", "value": {"summary": "m"}}\n' + json.dumps(small("default/0.parquet", b"p"))
    assert ada.post(f"{at}/commit/{ref}", content=body).status_code == 200
    refs = ada.get(f"{at}/refs").json()
    assert [one["name"] for one in refs["branches"]] == ["main"]
    (made,) = refs["converts"]
    assert (made["name"], made["ref"]) == ("parquet", "refs/convert/parquet")
    assert ada.get(f"{at}/revision/{ref}").json()["sha"] == made["targetCommit"]
    assert ada.get(f"/ada/converted/resolve/{ref}/default/0.parquet").content == b"p"
    assert ada.get("/ada/converted/resolve/~parquet/default/0.parquet").content == b"p"
    assert ada.post(f"{at}/branch/refs%2Fother%2Fx", json={}).status_code == 400
    assert ada.delete(f"{at}/branch/{ref}").status_code == 200 and ada.get(f"{at}/refs").json()["converts"] == []


def test_no_model_is_recommended_for_a_task(stranger):
    assert stranger.get("/api/tasks").json() == {}


def test_a_trusted_publisher_is_told_that_there_is_none(stranger):
    grant = "urn:ietf:params:oauth:grant-type:token-exchange"
    answer = stranger.post("/oauth/token", json={"grant_type": grant, "subject_token": "x", "resource": "ada/x"})
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


def test_a_licence_that_nobody_knows_is_a_warning_to_commits_and_an_error_to_who_asks(stranger):
    def asked(license, **headers):
        body = {"content": f"---\nlicense: {license}\n---\n", "repoType": "model"}
        return stranger.post("/api/validate-yaml", json=body, headers=headers)

    told = asked("asdf")
    assert told.status_code == 200 and '"license" must be one of' in told.json()["warnings"][0]["message"]
    plain = asked("[mit, asdf]", accept="text/plain")
    assert plain.status_code == 400 and plain.text.startswith('- Error: "license" must be one of [apache-2.0, mit')
    form = {"content": "---\nlicense: asdf\n---\n\nWide & <open>", "repoType": "model"}
    by_form = stranger.post("/api/validate-yaml", data=form, headers={"accept": "text/plain"})
    assert (by_form.status_code, by_form.text) == (400, asked("asdf", accept="text/plain").text)
    for known in ("mit", "[mit, other]", "gemma"):
        assert asked(known, accept="text/plain").json() == {"errors": [], "warnings": []}


def test_tags_by_what_they_say(ada, stranger):
    card = b"---\nlibrary_name: transformers\npipeline_tag: fill-mask\nlicense: mit\ntags: [odd, 'a b:c']\n---\n"
    model(ada, "tagged", small("README.md", card))
    told = stranger.get("/api/models-tags-by-type").json()
    assert told["license"] == [{"type": "license", "id": "license:mit", "label": "mit"}]
    assert told["library"] == [{"type": "library", "id": "transformers", "label": "transformers"}]
    assert [one["id"] for one in told["pipeline_tag"]] == ["fill-mask"]
    assert [one["id"] for one in told["other"]] == ["a b:c", "odd"]
    assert ada.put("/api/models/ada/tagged/settings", json={"private": True}).status_code == 200
    assert "license" not in stranger.get("/api/models-tags-by-type").json()
    assert stranger.get("/api/datasets-tags-by-type").json() == {}
