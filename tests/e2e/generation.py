"""What a user does with one generation of `huggingface_hub`: runs in an environment that has that generation and nothing of ours,
as `python generation.py NAMES ANSWER`. NAMES and ANSWER are JSON files: who and where, and what each step saw or failed with.
Owns the steps; what they must have seen is in test_generations.py."""

import hashlib
import json
import os
import sys
import threading
import traceback

import huggingface_hub
from huggingface_hub import CommitOperationAdd as Add
from huggingface_hub import CommitOperationDelete as Delete
from huggingface_hub import HfApi
from huggingface_hub.utils import HfHubHTTPError

ODD = [
    "with space.txt",
    "ünï/日本語 🎉.txt",
    "100%.txt",
    "a%2Fb.txt",
    ".hidden",
    ".folder/.file",
    "q?x=1&y#z.txt",
    "plus+[1]{2}'3'.txt",
    'quo"te.txt',
    "-dash",
    "~tilde;semi:colon.txt",
    "l" * 200,
    "x.bin %2F é.bin",
]
STEPS = []


def step(function):
    STEPS.append(function)
    return function


def refused(call, *args, **kwargs):
    """The exception that the call raises: its classes, the status, the request's id, and the words."""
    try:
        call(*args, **kwargs)
    except Exception as error:
        answer = getattr(error, "response", None)
        classes = [one.__name__ for one in type(error).__mro__]
        return {
            "classes": classes,
            "status": getattr(answer, "status_code", None),
            "request": getattr(error, "request_id", None),
            "said": str(error),
        }
    return {"classes": ["nothing was raised"], "status": None, "request": None, "said": ""}


def sha(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


class User:
    """One owner with a model repo of this run."""

    def __init__(self, names):
        self.api = HfApi()
        self.owner, self.name, self.names = names["owner"], names["name"], names
        self.id = f"{self.owner}/{self.name}"

    def commit(self, *operations, message="Change", **more):
        return self.api.create_commit(self.id, list(operations), commit_message=message, **more)

    def text(self, path, **more):
        with open(self.api.hf_hub_download(self.id, path, **more), "rb") as file:
            return file.read().decode()


@step
def uploads(user):
    """A folder with a large file by the generation's own way, once more with nothing new, and down again."""
    user.api.create_repo(user.id)
    large = os.urandom(100_000) * 8
    os.makedirs("up/deep")
    with open("up/deep/large.bin", "wb") as file:
        file.write(large)
    with open("up/a.txt", "w") as file:
        file.write("first")
    first = user.api.upload_folder(repo_id=user.id, folder_path="up", commit_message="A folder")
    again = user.api.upload_folder(repo_id=user.id, folder_path="up")
    info = user.api.get_paths_info(user.id, ["deep/large.bin"])[0]
    whole = user.api.snapshot_download(user.id)
    return {
        "sha256": hashlib.sha256(large).hexdigest(),
        "stored": info.lfs.sha256,
        "size": info.size,
        "got": sha(user.api.hf_hub_download(user.id, "deep/large.bin")),
        "snapshot": sha(os.path.join(whole, "deep/large.bin")),
        "local": sha(user.api.hf_hub_download(user.id, "deep/large.bin", local_dir="local")),
        "oid": first.oid,
        "again": again.oid,
        "sha": user.api.model_info(user.id).sha,
    }


@step
def conflict(user):
    """Two commits on one parent."""
    parent = user.api.model_info(user.id).sha
    user.commit(Add("a.txt", b"second"), parent_commit=parent)
    late = refused(user.commit, Add("a.txt", b"third"), parent_commit=parent)
    return {"late": late, "text": user.text("a.txt")}


@step
def race(user):
    """Two writers at once who say no parent: every commit is in the history."""
    failed = []

    def write(who):
        for n in range(3):
            try:
                HfApi().create_commit(user.id, [Add(f"race/{who}-{n}", b"x")], commit_message=f"{who} {n}")
            except Exception as error:
                failed.append(repr(error))

    threads = [threading.Thread(target=write, args=(who,)) for who in ("ada", "bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    titles = [one.title for one in user.api.list_repo_commits(user.id)]
    files = [one for one in user.api.list_repo_files(user.id) if one.startswith("race/")]
    user.commit(Delete("race/"))
    return {"failed": failed, "titles": titles, "files": files}


@step
def branches(user):
    """Branches and tags, each read back and taken away."""
    api = user.api
    api.create_branch(user.id, branch="side/way")
    again = refused(api.create_branch, user.id, branch="side/way")
    api.create_branch(user.id, branch="side/way", exist_ok=True)
    user.commit(Add("side.txt", b"aside"), revision="side/way")
    api.create_tag(user.id, tag="v1.0", tag_message="The first", revision="side/way")
    tagged = refused(api.create_tag, user.id, tag="v1.0")
    refs = api.list_repo_refs(user.id)
    told = {
        "again": again,
        "tagged": tagged,
        "branches": sorted(one.name for one in refs.branches),
        "tags": [one.name for one in refs.tags],
        "by tag": user.text("side.txt", revision="v1.0"),
        "on main": refused(user.text, "side.txt"),
    }
    api.delete_tag(user.id, tag="v1.0")
    api.delete_branch(user.id, branch="side/way")
    refs = api.list_repo_refs(user.id)
    told["left"] = [one.name for one in refs.branches + refs.tags]
    told["gone"] = refused(api.delete_branch, user.id, branch="side/way")
    return told


@step
def pull_request(user):
    """One opened by an upload, one by hand; the first merged, the second closed."""
    opened = user.commit(Add("pr.txt", b"proposed"), create_pr=True, commit_description="Why")
    before = refused(user.text, "pr.txt")
    there = user.text("pr.txt", revision=opened.pr_revision)
    user.api.comment_discussion(user.id, opened.pr_num, comment="Looks well")
    user.api.merge_pull_request(user.id, opened.pr_num)
    second = user.api.create_pull_request(user.id, title="Not this one")
    user.api.change_discussion_status(user.id, second.num, new_status="closed")
    found = user.api.get_discussion_details(user.id, opened.pr_num)
    listed = {one.num: one.status for one in user.api.get_repo_discussions(user.id)}
    return {
        "revision": opened.pr_revision,
        "before": before,
        "there": there,
        "after": user.text("pr.txt"),
        "events": [one.type for one in found.events],
        "listed": sorted(listed.items()),
        "refs": [one.ref for one in user.api.list_repo_refs(user.id, include_pull_requests=True).pull_requests],
    }


@step
def odd_names(user):
    """Up in one commit, listed, asked for by name, down, and away."""
    contents = {path: path.encode() for path in ODD}
    user.commit(*(Add(path, data) for path, data in contents.items()))
    listed = set(user.api.list_repo_files(user.id))
    asked = {one.path for one in user.api.get_paths_info(user.id, ODD)}
    whole = user.api.snapshot_download(user.id)
    wrong = []
    for path in ODD:
        with open(user.api.hf_hub_download(user.id, path, force_download=True), "rb") as file:
            right = file.read() == contents[path]
        with open(os.path.join(whole, path), "rb") as file:
            right = right and file.read() == contents[path]
        if not right:
            wrong.append(path)
    user.commit(*(Delete(path) for path in ODD))
    left = set(ODD) & set(user.api.list_repo_files(user.id))
    return {
        "unlisted": sorted(set(ODD) - listed),
        "unknown": sorted(set(ODD) - asked),
        "wrong": wrong,
        "left": sorted(left),
    }


@step
def mistakes(user):
    """Each with the error of its own."""
    api, get = user.api, user.api.hf_hub_download
    return {
        "repo": refused(api.model_info, f"{user.owner}/no-such-model"),
        "file of no repo": refused(get, f"{user.owner}/no-such-model", "a.txt"),
        "revision": refused(api.model_info, user.id, revision="no-such-branch"),
        "file of no revision": refused(get, user.id, "a.txt", revision="no-such-branch"),
        "tree of no revision": refused(lambda: list(api.list_repo_tree(user.id, revision="0" * 40))),
        "entry": refused(get, user.id, "no/such.txt"),
        "tree of no folder": refused(lambda: list(api.list_repo_tree(user.id, "no-such-folder"))),
        "away with nothing": refused(user.commit, Delete("no-such.txt")),
        "gated": refused(get, user.names["gated"], "a.txt", token=user.names["stranger"]),
        "gated check": refused(api.auth_check, user.names["gated"], token=user.names["stranger"]),
        "gated info": api.model_info(user.names["gated"], token=user.names["stranger"]).gated,
        "bad": refused(api.create_branch, user.id, branch="two..dots"),
        "private": refused(api.model_info, user.names["private"], token=user.names["stranger"]),
        "taken": refused(api.create_repo, user.id),
        "token": refused(api.whoami, token="hf_" + "0" * 34),
        "not mine": refused(api.upload_file, path_or_fileobj=b"x", path_in_repo="x", repo_id=user.id,
                            token=user.names["stranger"]),
    }  # fmt: skip


def many(user):
    """A thousand small files in one commit, and one listing of them. Of all generations one does this, by itself."""
    user.api.create_repo(user.id)
    user.commit(*(Add(f"many/{n % 10}/{n}.txt", str(n).encode()) for n in range(1000)), message="A thousand")
    listed = [one.path for one in user.api.list_repo_tree(user.id, "many", recursive=True) if hasattr(one, "blob_id")]
    text = user.text("many/7/997.txt")
    user.api.delete_folder("many", user.id)
    return {"listed": len(set(listed)), "text": text, "left": user.api.list_repo_files(user.id)}


@step
def moves(user):
    """Another name; the old one leads on. Then it is gone, and asking again says so."""
    to = f"{user.id}-moved"
    user.api.move_repo(user.id, to)
    told = {
        "id": user.api.model_info(user.id).id,
        "file": user.text("a.txt", force_download=True),
        "upload": user.commit(Add("late.txt", b"by the old name")).oid,
        "sha": user.api.model_info(to).sha,
    }
    user.api.delete_repo(to)
    told["exists"] = user.api.repo_exists(to)
    told["again"] = refused(user.api.delete_repo, to)
    told["old"] = refused(user.api.model_info, user.id)
    return told


def main(names, answer):
    with open(names) as file:
        user = User(json.load(file))
    told = {"version": huggingface_hub.__version__, "HfHubHTTPError": HfHubHTTPError.__name__}
    for one in [many] if user.names["many"] else STEPS:
        try:
            told[one.__name__] = one(user)
        except Exception:
            told[one.__name__] = {"failed": traceback.format_exc()[-3000:]}
    with open(answer, "w") as file:
        json.dump(told, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
