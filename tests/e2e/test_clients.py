"""The newest `huggingface_hub` and `hf`, unmodified, with HF_ENDPOINT pointing here."""

import pytest

from tests.e2e import probe
from tests.e2e.hub import Hub

pytest.importorskip("huggingface_hub")


@pytest.fixture
def hub(podium, tmp_path):
    return Hub(podium, tmp_path / "home", podium.token)


@pytest.fixture
def made(hub, space):
    """A Space made through the API, with a README in it."""
    hub.run("api.create_repo(id, repo_type='space', space_sdk='gradio')", id=space.id)
    hub.run(
        "api.upload_file(path_or_fileobj=b'hello', path_in_repo='a.txt', repo_id=id, repo_type='space')", id=space.id
    )
    return space


def test_whoami(podium, hub):
    me = hub.run("result = api.whoami()")
    assert (me["type"], me["name"]) == ("user", podium.owner)
    assert me["auth"]["accessToken"]["role"] == "write"
    assert me["orgs"] == []


def test_create_list_and_delete(podium, hub, space):
    url = hub.run(
        "result = str(api.create_repo(id, repo_type='space', space_sdk='gradio', private=False))", id=space.id
    )
    assert url == f"{podium.url}/spaces/{space.id}"
    again = "api.create_repo(id, repo_type='space', space_sdk='gradio'"
    assert hub.run(f"result = refused(lambda: {again}))", id=space.id)[:2] == ["HfHubHTTPError", 409]
    assert hub.run(f"{again}, exist_ok=True); result = api.repo_exists(id, repo_type='space')", id=space.id) is True
    names = hub.run("result = [s.id for s in api.list_spaces(author=owner)]", owner=podium.owner)
    assert space.id in names
    hub.run("api.delete_repo(id, repo_type='space')", id=space.id)
    assert hub.run("result = api.repo_exists(id, repo_type='space')", id=space.id) is False
    assert (
        hub.run("result = refused(api.delete_repo, id, repo_type='space')", id=space.id)[0] == "RepositoryNotFoundError"
    )
    hub.run("api.delete_repo(id, repo_type='space', missing_ok=True)", id=space.id)


def test_files_go_up_and_come_down(hub, made):
    found = hub.run(
        """
        import pathlib
        folder = pathlib.Path("up"); (folder / "deep er").mkdir(parents=True)
        (folder / "deep er" / "ü.bin").write_bytes(bytes(range(256)) * 4096)
        (folder / "app.py").write_text("print('hi')")
        (folder / "empty").write_bytes(b"")
        done = api.upload_folder(folder_path=folder, repo_id=id, repo_type="space", commit_message="A folder")
        one = api.hf_hub_download(id, "deep er/ü.bin", repo_type="space")
        whole = pathlib.Path(api.snapshot_download(id, repo_type="space"))
        result = {
            "names": sorted(api.list_repo_files(id, repo_type="space")),
            "same": pathlib.Path(one).read_bytes() == (folder / "deep er" / "ü.bin").read_bytes(),
            "app": (whole / "app.py").read_text(),
            "snapshot": sorted(p.relative_to(whole).as_posix() for p in whole.rglob("*") if p.is_file()),
            "title": api.list_repo_commits(id, repo_type="space")[0].title,
        }
        """,
        id=made.id,
    )
    assert {"a.txt", "app.py", "deep er/ü.bin", "empty"} <= set(found["names"])
    assert found["same"]
    assert found["app"] == "print('hi')"
    assert found["snapshot"] == found["names"]
    assert found["title"].startswith("A folder")


def test_one_commit_adds_and_deletes(hub, made):
    names = hub.run(
        """
        from huggingface_hub import CommitOperationAdd as Add, CommitOperationDelete as Delete
        operations = [Add("b.txt", b"b"), Add("c/d.txt", b"d"), Delete("a.txt")]
        first = api.create_commit(id, operations, commit_message="Three at once", repo_type="space")
        assert len(first.oid) == 40, first
        api.create_commit(id, [Delete("c/")], commit_message="A folder less", repo_type="space")
        result = api.list_repo_files(id, repo_type="space")
        """,
        id=made.id,
    )
    assert "b.txt" in names
    assert not {"a.txt", "c/d.txt"} & set(names)


def test_a_commit_on_an_old_parent_is_refused(hub, made):
    refused = hub.run(
        """
        from huggingface_hub import CommitOperationAdd as Add
        old = api.space_info(id).sha
        api.create_commit(id, [Add("x.txt", b"1")], commit_message="first", repo_type="space", parent_commit=old)
        result = refused(api.create_commit, id, [Add("x.txt", b"2")], commit_message="late", repo_type="space", parent_commit=old)
        """,
        id=made.id,
    )
    assert refused[1] == 412


def test_info_and_git_agree(hub, made):
    info = hub.run(
        """
        info = api.space_info(id, files_metadata=True)
        result = {"id": info.id, "sha": info.sha, "author": info.author, "private": info.private, "host": info.host,
                  "subdomain": info.subdomain, "sizes": {s.rfilename: s.size for s in info.siblings},
                  "stage": info.runtime.stage, "created": info.created_at}
        """,
        id=made.id,
    )
    assert (info["id"], info["author"], info["private"]) == (made.id, made.owner, False)
    assert info["sizes"]["a.txt"] == 5
    assert info["host"].startswith(f"http://{info['subdomain']}.")
    from tests.support import git

    head = git(made.podium.home, "ls-remote", made.remote(), "refs/heads/main").split()[0]
    assert info["sha"] == head


def test_the_life_of_a_space_through_the_api(hub, space):
    probe.push(space)
    space.wait("RUNNING")
    stages = hub.run(
        """
        result = [api.get_space_runtime(id).stage]
        result.append(api.pause_space(id).stage)
        """,
        id=space.id,
    )
    assert stages == ["RUNNING", "PAUSED"]
    hub.run("api.restart_space(id)", id=space.id)
    space.wait("RUNNING")
    hub.run("api.restart_space(id, factory_reboot=True)", id=space.id)
    assert hub.run("result = api.set_space_sleep_time(id, 7200).sleep_time", id=space.id) == 7200
    assert hub.run("result = api.get_space_runtime(id).sleep_time", id=space.id) == 7200


def test_secrets_and_variables(hub, made):
    found = hub.run(
        """
        api.add_space_secret(id, "TOKEN_A", "hidden", description="why")
        api.add_space_variable(id, "MODE", "fast")
        result = [{k: v.value for k, v in api.get_space_variables(id).items()}]
        api.add_space_variable(id, "MODE", "slow")
        result.append({k: v.value for k, v in api.get_space_variables(id).items()})
        api.delete_space_variable(id, "MODE")
        result.append({k: v.value for k, v in api.get_space_variables(id).items()})
        """,
        id=made.id,
    )
    assert found == [{"MODE": "fast"}, {"MODE": "slow"}, {}]
    listed = made.api("GET", "/secrets")
    assert list(listed.json()) == ["TOKEN_A"]
    assert "hidden" not in listed.text
    hub.run("api.delete_space_secret(id, 'TOKEN_A')", id=made.id)
    assert made.api("GET", "/secrets").json() == {}
    assert hub.run("result = refused(api.add_space_secret, id, 'A-B', 'x')", id=made.id)[1] in (400, 422)


def test_logs(hub, space):
    probe.push(space)
    space.wait("RUNNING")
    for kind, words in (("run", "Uvicorn running"), ("build", "")):
        done = hub.cli("spaces", "logs", space.id, *(["--build"] if kind == "build" else []))
        assert done.returncode == 0, done.stderr
        assert words in done.stdout
        assert done.stdout.strip(), f"the {kind} log is empty"


def test_the_right_error_for_each_mistake(hub, made):
    refused = hub.run(
        """
        get = api.hf_hub_download
        result = {
            "repo": refused(api.space_info, owner + "/no-such-space"),
            "revision": refused(api.space_info, id, revision="no-such-branch"),
            "download revision": refused(get, id, "a.txt", repo_type="space", revision="no-such-branch"),
            "entry": refused(get, id, "no-such-file.txt", repo_type="space"),
            "delete": refused(api.delete_file, "no-such-file.txt", id, repo_type="space"),
            "name": refused(api.create_repo, owner + "/a--b", repo_type="space", space_sdk="gradio"),
        }
        """,
        id=made.id,
        owner=made.owner,
    )
    assert refused["repo"][:2] == ["RepositoryNotFoundError", 404]
    assert refused["revision"][:2] == ["RevisionNotFoundError", 404]
    assert refused["download revision"][0] == "RevisionNotFoundError"
    assert refused["entry"][0] in ("EntryNotFoundError", "RemoteEntryNotFoundError")
    assert refused["delete"][0] in ("EntryNotFoundError", "RemoteEntryNotFoundError")
    assert refused["name"][0] != "nothing was raised"


def test_a_read_token_cannot_write(podium, hub, made, tmp_path):
    done = podium.cli("token", "add", podium.owner, "--role", "read", "--data", str(podium.data))
    token = next(word for word in done.stdout.split() if word.startswith("hf_"))
    reader = Hub(podium, tmp_path / "reader", token)
    upload = "refused(api.upload_file, path_or_fileobj=b'x', path_in_repo='x.txt', repo_id=id, repo_type='space')"
    refused = reader.run(
        f"""
        result = [{upload}[1], refused(api.pause_space, id)[1], refused(api.add_space_secret, id, "K", "v")[1],
                  refused(api.delete_repo, id, repo_type="space")[1], api.list_repo_files(id, repo_type="space")]
        """,
        id=made.id,
    )
    assert refused[:4] == [403, 403, 403, 403]
    assert "a.txt" in refused[4]


def test_a_wrong_token_and_no_token(podium, made, tmp_path):
    wrong = Hub(podium, tmp_path / "wrong", "hf_" + "0" * 34)
    assert wrong.run("result = refused(api.whoami)")[1] == 401
    nobody = Hub(podium, tmp_path / "nobody", None)
    assert nobody.run("result = api.list_repo_files(id, repo_type='space')", id=made.id)
    refused = nobody.run(
        "result = refused(api.upload_file, path_or_fileobj=b'x', path_in_repo='x', repo_id=id, repo_type='space')",
        id=made.id,
    )
    assert refused[1] == 401
