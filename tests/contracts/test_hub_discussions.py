"""Branches, tags, discussions and pull requests as the Hub's own client and git see them."""

import json

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import BadRequestError, HfHubHTTPError, RevisionNotFoundError

from tests.console import Console

REPO = "ada/demo"
OF = {"repo_id": REPO, "repo_type": "space"}


@pytest.fixture(scope="module")
def console(tmp_path_factory):
    with Console(tmp_path_factory.mktemp("console")).listening() as console:
        yield console


@pytest.fixture
def api(console):
    with console.client() as client:
        client.request("DELETE", "/api/repos/delete", json={"name": "demo", "type": "space"})
    console.space()
    return HfApi(console.url, console.token)


@pytest.fixture
def bob(console):
    return HfApi(console.url, console.bobs)


def add(api: HfApi, path: str, content: bytes, **more: object):
    operation = CommitOperationAdd(path_in_repo=path, path_or_fileobj=content)
    return api.create_commit(operations=[operation], commit_message=f"Add {path}", **{**OF, **more})


def status(call, *words, **named) -> int:
    with pytest.raises(HfHubHTTPError) as error:
        call(*words, **named)
    return error.value.response.status_code


# ------------------------------------------------------------------------------------------------------------- refs


def test_branches_come_and_go(api):
    first = api.space_info(REPO).sha
    second = add(api, "a.txt", b"a").oid
    api.create_branch(**OF, branch="from-main")
    api.create_branch(**OF, branch="from/first", revision=first[:7])
    api.create_branch(**OF, branch="from-branch", revision="from/first")
    found = {ref.name: ref.target_commit for ref in api.list_repo_refs(**OF).branches}
    assert found == {"main": second, "from-main": second, "from/first": first, "from-branch": first}
    with pytest.raises(HfHubHTTPError, match="Reference refs/heads/from-main already exists") as error:
        api.create_branch(**OF, branch="from-main")
    assert error.value.response.status_code == 409
    api.create_branch(**OF, branch="from-main", exist_ok=True)
    with pytest.raises(BadRequestError, match="Invalid reference for a branch"):
        api.create_branch(**OF, branch="refs/pr/5")
    assert status(api.create_branch, **OF, branch="from") == 409
    assert status(api.create_branch, **OF, branch="from-main/x") == 409
    api.delete_branch(**OF, branch="from/first")
    with pytest.raises(RevisionNotFoundError):
        api.space_info(REPO, revision="from/first")
    with pytest.raises(HfHubHTTPError, match="Cannot delete refs/heads/main"):
        api.delete_branch(**OF, branch="main")
    with pytest.raises(HfHubHTTPError, match="Invalid rev id"):
        api.delete_branch(**OF, branch="from/first")


def test_a_branch_may_be_empty_or_moved(api, console):
    add(api, "a.txt", b"a")
    with console.client() as client:
        url = f"/api/spaces/{REPO}/branch/fresh"
        assert client.post(url, json={"emptyBranch": True}).status_code == 200
        assert api.list_repo_files(**OF, revision="fresh") == []
        assert client.post(url, json={"startingPoint": "main"}).status_code == 409
        assert client.post(url, json={"startingPoint": "main", "overwrite": True}).status_code == 200
    assert "a.txt" in api.list_repo_files(**OF, revision="fresh")


def test_tags(api):
    commit = add(api, "a.txt", b"a").oid
    api.create_tag(**OF, tag="v1", tag_message="The first.\n\nWith a text.")
    api.create_tag(**OF, tag="v2", revision=commit[:7])
    assert {tag.name: tag.target_commit for tag in api.list_repo_refs(**OF).tags} == {"v1": commit, "v2": commit}
    assert api.space_info(REPO, revision="v1").sha == commit
    assert status(api.create_tag, **OF, tag="v1") == 409
    with pytest.raises(RevisionNotFoundError):
        api.create_tag(**OF, tag="not a tag", revision="nowhere")
    api.delete_tag(**OF, tag="v1")
    with pytest.raises(RevisionNotFoundError):
        api.delete_tag(**OF, tag="v1")


def test_squashing_keeps_files_and_other_branches(api, console):
    for number in range(3):
        add(api, "a.txt", b"%d" % number)
    api.create_branch(**OF, branch="old")
    files = api.list_repo_files(**OF)
    api.super_squash_history(**OF)
    commits = api.list_repo_commits(**OF)
    assert [commit.title for commit in commits] == ["Super-squash branch 'main' using huggingface_hub"]
    assert api.list_repo_files(**OF) == files
    assert len(api.list_repo_commits(**OF, revision="old")) == 4
    assert api.space_info(REPO).sha == commits[0].commit_id


def test_each_path_knows_its_last_commit(api):
    add(api, "deep/er/a.txt", b"a")
    add(api, "top.txt", b"t")
    last = add(api, "deep/b.txt", b"b").oid
    tree = {one.path: one for one in api.list_repo_tree(**OF, expand=True, recursive=True)}
    assert tree["deep"].last_commit.oid == last
    assert tree["deep/er"].last_commit.title == tree["deep/er/a.txt"].last_commit.title == "Add deep/er/a.txt"
    assert tree["README.md"].last_commit.title == "initial commit"
    info = api.get_paths_info(**OF, paths=["deep", "nowhere"], expand=True)
    assert [(one.path, one.last_commit.oid) for one in info] == [("deep", last)]
    assert next(iter(api.list_repo_tree(**OF))).last_commit is None


def test_comparing_two_revisions(api, console):
    first = api.space_info(REPO).sha
    add(api, "a.txt", b"hello\n")
    with console.client() as client:
        answer = client.get(f"/api/spaces/{REPO}/compare/{first[:8]}..main")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain")
    assert "+++ b/a.txt" in answer.text and "+hello" in answer.text


def test_comparing_file_by_file_as_the_rust_client_reads_it(api, console):
    added = add(api, "a b.txt", b"hello\n").oid
    add(api, "large.bin", bytes(3000) + b"x")
    with console.client() as client:
        told = client.get(f"/api/spaces/{REPO}/compare/{added}", params={"raw": True}).text
        nothing, oid = "0" * 40, "ce013625030ba8dba906f756967f9e9ca394464a"
        assert told == f"T 6\t:000000 100644 {nothing}... {oid}... A\ta b.txt\n"
        assert "+hello" in client.get(f"/api/spaces/{REPO}/compare/{added}").text
        large = client.get(f"/api/spaces/{REPO}/compare/main?raw=true").text
        assert large.startswith("T 3001\t:") and large.endswith("A\tlarge.bin\n")  # of the file, not of its pointer
        empty = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
        paths = [
            line.split("\t")[-1]
            for line in client.get(f"/api/spaces/{REPO}/compare/{empty}..main?raw=1").text.splitlines()
        ]
        assert paths == [".gitattributes", "README.md", "a b.txt", "large.bin"]
        moved = {"key": "file", "value": {"path": "c.txt", "oldPath": "a b.txt"}}
        body = "\n".join(map(json.dumps, ({"key": "header", "value": {"summary": "m"}}, moved)))
        assert client.post(f"/api/spaces/{REPO}/commit/main", content=body).status_code == 200
        assert client.get(f"/api/spaces/{REPO}/compare/main?raw=true").text.endswith("R100\ta b.txt\tc.txt\n")
        binary = {"key": "file", "value": {"path": "b", "content": "AAEC", "encoding": "base64"}}
        gone = {"key": "deletedFile", "value": {"path": "c.txt"}}
        body = "\n".join(map(json.dumps, ({"key": "header", "value": {"summary": "m"}}, binary, gone)))
        assert client.post(f"/api/spaces/{REPO}/commit/main", content=body).status_code == 200
        one, other = client.get(f"/api/spaces/{REPO}/compare/main?raw=true").text.splitlines()
        assert one.startswith("B 3\t:000000 100644") and other.startswith("T 0\t:100644 000000")


# ------------------------------------------------------------------------------------------------------ discussions


def test_a_discussion_from_first_word_to_last(api, bob):
    opened = bob.create_discussion(**OF, title="  It is  slow ", description="Very.")
    assert (opened.num, opened.title, opened.author, opened.status) == (1, "It is slow", "bob", "open")
    assert opened.url.endswith("/spaces/ada/demo/discussions/1")
    assert api.get_discussion_details(**OF, discussion_num=1) == opened
    said = api.comment_discussion(**OF, discussion_num=1, comment="Why *this*? <script>")
    assert "<em>" not in said.rendered and "<script>" not in said.rendered
    edited = api.edit_discussion_comment(**OF, discussion_num=1, comment_id=said.id, new_content="Better")
    renamed = bob.rename_discussion(**OF, discussion_num=1, new_title="It was slow")
    assert (renamed.old_title, renamed.new_title) == ("It is slow", "It was slow")
    closed = bob.change_discussion_status(**OF, discussion_num=1, new_status="closed", comment="Done")
    assert closed.new_status == "closed"
    told = api.get_discussion_details(**OF, discussion_num=1)
    assert [event.type for event in told.events] == ["comment", "comment", "title-change", "comment", "status-change"]
    assert told.events[1] == edited and edited.edited and edited.number_of_edits == 1
    assert (told.title, told.status) == ("It was slow", "closed")
    hidden = api.hide_discussion_comment(**OF, discussion_num=1, comment_id=opened.events[0].id)
    assert hidden.hidden and "Very" not in str(api.get_discussion_details(**OF, discussion_num=1))
    assert status(bob.edit_discussion_comment, **OF, discussion_num=1, comment_id=hidden.id, new_content="x") == 409


def test_who_may_not(api, bob, console):
    mine = api.create_discussion(**OF, title="Mine", pull_request=True)
    reader = HfApi(console.url, console.read_token)
    comment = mine.events[0].id
    assert status(bob.rename_discussion, **OF, discussion_num=1, new_title="Yours") == 403
    assert status(bob.change_discussion_status, **OF, discussion_num=1, new_status="closed") == 403
    assert status(bob.edit_discussion_comment, **OF, discussion_num=1, comment_id=comment, new_content="x") == 403
    assert status(bob.hide_discussion_comment, **OF, discussion_num=1, comment_id=comment) == 403
    assert status(bob.merge_pull_request, **OF, discussion_num=1) == 403
    assert status(add, bob, "a", b"a", revision="refs/pr/1") == 403
    assert status(reader.create_discussion, **OF, title="Read only") == 403
    assert status(HfApi(console.url, False).create_discussion, **OF, title="Nobody") == 401
    told = api.get_discussion_details(**OF, discussion_num=1)
    assert told == mine


def test_filters_and_pages(api, bob):
    for number in range(1, 61):
        (bob if number % 2 else api).create_discussion(**OF, title=f"Number {number}", pull_request=number > 55)
    api.change_discussion_status(**OF, discussion_num=3, new_status="closed")

    def numbers(**filters: object) -> list[int]:
        return [one.num for one in api.get_repo_discussions(**OF, **filters)]

    assert numbers() == list(range(60, 0, -1))
    assert numbers(discussion_type="pull_request") == [60, 59, 58, 57, 56]
    assert numbers(discussion_status="closed") == [3]
    assert len(numbers(discussion_status="open")) == 59
    assert len(numbers(author="Bob")) == 30 and numbers(author="nobody") == []


def test_attachments(api, bob, console, tmp_path):
    picture = tmp_path / "before.png"
    picture.write_bytes(b"\x89PNG")
    url = bob.upload_attachment(picture)
    assert bob.upload_attachment(picture) == url and url.startswith(f"{console.url}/uploads/")
    with console.client(None) as client:
        shown = client.get(url.removeprefix(console.url))
        assert (shown.content, shown.headers["content-type"]) == (b"\x89PNG", "image/png")
        assert shown.headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert client.post("/uploads", content=b"x", headers={"Content-Type": "image/png"}).status_code == 401
        for path in ("/uploads/x/y", url.removeprefix(console.url)[:-1], "/uploads/..%2Fkeys/sign.pem"):
            assert client.get(path).status_code == 404
    with console.client() as client:
        for media in ("text/html", "image/svg+xml", ""):
            assert client.post("/uploads", content=b"x", headers={"Content-Type": media}).status_code == 400
        large = b"x" * (26 * 1024**2)
        assert client.post("/uploads", content=large, headers={"Content-Type": "image/png"}).status_code == 413


def test_where_discussions_are_disabled(api, bob, console):
    api.create_discussion(**OF, title="Before")
    with console.client() as client:
        assert client.put(f"/api/spaces/{REPO}/settings", json={"discussionsDisabled": True}).status_code == 200
    assert status(bob.create_discussion, **OF, title="After") == 403
    assert status(add, bob, "a", b"a", create_pr=True) == 403
    assert status(bob.comment_discussion, **OF, discussion_num=1, comment="After") == 403


# ---------------------------------------------------------------------------------------------------- pull requests


def test_a_pull_request_with_a_commit_of_somebody_else(api, bob):
    before = api.space_info(REPO).sha
    made = add(bob, "from-bob.txt", b"hello\n", create_pr=True, commit_description="Because.")
    assert made.pr_revision == "refs/pr/1" and made.pr_url.endswith("/spaces/ada/demo/discussions/1")
    add(bob, "more.txt", b"more\n", revision="refs/pr/1")
    told = api.get_discussion_details(**OF, discussion_num=1)
    assert (told.status, told.author, told.conflicting_files, told.target_branch) == (
        "open",
        "bob",
        [],
        "refs/heads/main",
    )
    assert [event.type for event in told.events] == ["comment", "commit", "commit"]
    assert "+hello" in told.diff and "+more" in told.diff
    assert api.space_info(REPO).sha == before
    assert [ref.ref for ref in api.list_repo_refs(**OF, include_pull_requests=True).pull_requests] == ["refs/pr/1"]
    merged = api.merge_pull_request(**OF, discussion_num=1, comment="Thanks")
    told = api.get_discussion_details(**OF, discussion_num=1)
    assert (told.status, told.merge_commit_oid) == ("merged", api.space_info(REPO).sha)
    assert merged is None or merged.new_status == "merged"
    assert {"from-bob.txt", "more.txt"} <= set(api.list_repo_files(**OF))
    newest = api.list_repo_commits(**OF)[0]
    assert (newest.title, newest.authors) == ("Add from-bob.txt (#1)", ["bob"])
    assert "+hello" in told.diff, "a merged one still shows what it brought"
    assert status(api.merge_pull_request, **OF, discussion_num=1) == 409
    assert status(add, bob, "late.txt", b"x", revision="refs/pr/1") == 409


def test_a_draft_must_be_opened_and_a_conflict_solved(api, bob):
    draft = bob.create_pull_request(**OF, title="Draft")
    assert draft.status == "draft" and api.space_info(REPO, revision="refs/pr/1").sha == api.space_info(REPO).sha
    add(bob, "both.txt", b"theirs\n", revision="refs/pr/1")
    assert status(api.merge_pull_request, **OF, discussion_num=1) == 409
    bob.change_discussion_status(**OF, discussion_num=1, new_status="open")
    head = add(api, "both.txt", b"ours\n").oid
    assert api.get_discussion_details(**OF, discussion_num=1).conflicting_files == ["both.txt"]
    assert status(api.merge_pull_request, **OF, discussion_num=1) == 409
    assert api.space_info(REPO).sha == head
    api.create_commit(**OF, operations=[CommitOperationDelete("both.txt")], commit_message="Make room")
    assert api.get_discussion_details(**OF, discussion_num=1).status == "open"


def test_a_pull_request_outlives_its_base(api, bob):
    api.create_branch(**OF, branch="side")
    made = add(bob, "a.txt", b"a", create_pr=True, revision="side")
    api.delete_branch(**OF, branch="side")
    told = api.get_discussion_details(**OF, discussion_num=made.pr_num)
    assert (told.target_branch, told.diff, told.conflicting_files) == ("refs/heads/side", "", [])
    assert status(api.merge_pull_request, **OF, discussion_num=made.pr_num) == 404
    assert bob.change_discussion_status(**OF, discussion_num=made.pr_num, new_status="closed").new_status == "closed"


def test_what_fails_opens_nothing(api, bob):
    for revision in ("nowhere", api.space_info(REPO).sha):
        with pytest.raises(RevisionNotFoundError):
            add(bob, "a.txt", b"a", create_pr=True, revision=revision)
    assert (
        status(bob.create_commit, **OF, operations=[CommitOperationDelete("gone")], commit_message="x", create_pr=True)
        == 404
    )
    assert list(api.get_repo_discussions(**OF)) == []
    assert api.list_repo_refs(**OF, include_pull_requests=True).pull_requests == []
    assert add(bob, "a.txt", b"a", create_pr=True).pr_num == 1


def test_a_pull_request_deploys_nothing_until_it_is_merged(api, bob, console):
    wish = lambda: console.store  # noqa: E731
    with wish().read() as tx:
        before = tx.spaces.find("ada", "demo").wish
    add(bob, "app.py", b"print()\n", create_pr=True)
    with wish().read() as tx:
        assert tx.spaces.find("ada", "demo").wish == before
    api.merge_pull_request(**OF, discussion_num=1)
    with wish().read() as tx:
        assert tx.spaces.find("ada", "demo").wish.revision == api.space_info(REPO).sha != before.revision
