"""The contract of ports.Repos, on real git: what is written can be read, what is hostile is refused, what is stale loses."""

import os
import threading
from pathlib import Path

import pytest

from orchestrator.domain.push import ZERO, RefUpdate
from orchestrator.domain.space import MAIN
from orchestrator.domain.tree import Change
from orchestrator.errors import Invalid, NotFound, Stale
from tests.contracts.conftest import ID, WHO

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def put(repos, files, **options):
    changes = [Change(path, content if content is None else content.encode()) for path, content in files.items()]
    return repos.commit(ID, options.pop("ref", MAIN), changes, options.pop("message", "change"), WHO, **options)


def paths(repos, commit, **options):
    return [entry.path for entry in repos.tree(ID, commit, **options)]


def git(repos, *args, stdin=b""):
    return repos.git.run(repos.git_dir(ID), *args, stdin=stdin).decode().strip()


def fsck(repos):
    return git(repos, "fsck", "--strict", "--no-dangling")


def test_an_empty_repo_has_nothing(repos):
    repos.create(ID)
    assert repos.head(ID) is None and repos.refs(ID) == {}
    with pytest.raises(NotFound):
        repos.resolve(ID, "main")


def test_paths_come_from_ids_only(repos):
    for bad in ("../../etc", "ada/demo", "", "A" * 24):
        with pytest.raises(ValueError):
            repos.git_dir(bad)


def test_a_first_commit_and_what_it_holds(repos):
    first = put(repos, {"app.py": "print(1)\n", "a/b/c.txt": "deep", "ünï.txt": "é"}, message="Start\n\nBecause.")
    assert repos.head(ID) == first and repos.refs(ID) == {MAIN: first}
    assert sorted(paths(repos, first)) == ["a", "app.py", "ünï.txt"]
    assert sorted(paths(repos, first, recursive=True)) == ["a", "a/b", "a/b/c.txt", "app.py", "ünï.txt"]
    assert paths(repos, first, path="a/b") == ["a/b/c.txt"]
    entry = repos.entry(ID, first, "a/b/c.txt")
    assert (entry.type, entry.size, entry.mode) == ("file", 4, "100644")
    assert repos.entry(ID, first, "a").type == repos.entry(ID, first, "").type == "directory"
    assert b"".join(repos.blob(ID, entry.oid)) == b"deep"
    assert repos.read(ID, first, "app.py", 5) == b"print" and repos.read(ID, first, "none", 5) is None
    assert repos.read(ID, first, "a", 5) is None
    (commit,) = repos.log(ID, first)
    assert (commit.title, commit.message, commit.authors) == ("Start", "Start\n\nBecause.", ("ada",))
    assert fsck(repos) == ""


def test_absent_entries_are_not_found(repos):
    first = put(repos, {"a/b": "1"})
    for call in (
        lambda: repos.entry(ID, first, "a/c"),
        lambda: repos.entry(ID, first, "a/b/c"),
        lambda: repos.entry(ID, first, "a\0b"),
        lambda: repos.tree(ID, first, "a/b"),
        lambda: repos.tree(ID, first, "nope\nx"),
    ):
        with pytest.raises(NotFound) as caught:
            call()
        assert caught.value.code == "EntryNotFound"


def test_revisions_resolve(repos):
    first = put(repos, {"a": "1"})
    second = put(repos, {"a": "2"})
    git(repos, "update-ref", "refs/tags/v1", first)
    git(repos, "update-ref", "refs/heads/feature/x", first)
    for name, commit in (
        ("main", second),
        ("refs/heads/main", second),
        ("v1", first),
        ("feature/x", first),
        (first, first),
        (first[:7], first),
    ):
        assert repos.resolve(ID, name) == commit
    for bad in (
        "nope",
        "",
        "-v",
        "--all",
        "main~1",
        "HEAD^",
        "a..b",
        "main@{1}",
        "x" * 400,
        ":/x",
        "f" * 40,
        "refs/podium/x",
        "a b\n",
    ):
        with pytest.raises(NotFound) as caught:
            repos.resolve(ID, bad)
        assert caught.value.code == "RevisionNotFound" and caught.value.message.isprintable()


def test_a_commit_changes_deletes_and_moves(repos):
    put(repos, {"a/1": "1", "a/2": "2", "b": "b", "keep": "k"})
    second = repos.commit(ID, MAIN, [Change("a", None, folder=True), Change("b", None), Change("a/3", b"3")], "x", WHO)
    assert sorted(paths(repos, second, recursive=True)) == ["a", "a/3", "keep"]
    third = repos.commit(ID, MAIN, [Change("a", None, folder=True), Change("a", b"now a file")], "x", WHO)
    assert sorted(paths(repos, third, recursive=True)) == ["a", "keep"]
    assert [commit.id for commit in repos.log(ID, third)] == [third, second, repos.log(ID, third)[2].id]
    put(repos, {"dir/1": "1", "dir/sub/2": "2"})
    last = repos.commit(ID, MAIN, [Change("dir", None), Change("dir", b"now a file")], "no slash was said", WHO)
    assert sorted(paths(repos, last, recursive=True)) == ["a", "dir", "keep"]
    assert fsck(repos) == ""


@pytest.mark.parametrize("changes", [[Change("none", None)], [Change("a/1", None, folder=True)],
                                     [Change("a", None), Change("a/1", None)],
                                     [Change("a/1", None), Change("a/1", None)]])  # fmt: skip
def test_deleting_what_is_not_there(repos, changes):
    head = put(repos, {"a/1": "1"})
    with pytest.raises(NotFound) as caught:
        repos.commit(ID, MAIN, changes, "x", WHO)
    assert caught.value.code == "EntryNotFound" and repos.head(ID) == head


@pytest.mark.parametrize("path", ["a", "b/c", "../x", ".git/config", "a\nb", "/etc/passwd", "x//y"])
def test_paths_that_clash_or_escape(repos, path):
    head = put(repos, {"a/1": "1", "b": "2"})
    with pytest.raises(Invalid) as caught:
        put(repos, {path: "x"})
    assert caught.value.code in ("PATH", "PATH_CLASH") and repos.head(ID) == head


def test_two_new_paths_that_clash(repos):
    with pytest.raises(Invalid):
        put(repos, {"x": "1", "x/y": "2"})
    with pytest.raises(Invalid):
        put(repos, {"x/y": "2", "x": "1"})
    assert repos.head(ID) is None


def test_names_that_git_or_the_format_might_misread(repos):
    names = ['quo"te', "back\\slash", " lead", "-dash", "star*[x]", "M 100644 inline x", ":(glob)x", "日本"]
    first = put(repos, {name: name for name in names})
    assert sorted(paths(repos, first)) == sorted(names)
    for name in names:
        assert repos.read(ID, first, name, 100) == name.encode() and repos.entry(ID, first, name).path == name


def test_the_same_content_makes_no_commit(repos):
    first = put(repos, {"a": "1"})
    assert put(repos, {"a": "1"}) == first == repos.head(ID)


def test_a_stale_parent_loses_and_a_right_one_wins(repos):
    first = put(repos, {"a": "1"})
    second = put(repos, {"a": "2"}, parent=first)
    with pytest.raises(Stale):
        put(repos, {"a": "3"}, parent=first)
    put(repos, {"a": "3"}, parent=second[:10])
    with pytest.raises(NotFound):
        put(repos, {"a": "3"}, ref="refs/heads/none")


def intruder(repos, tree="{old}^{{tree}}"):
    """Somebody whose commit lands just before ours, once."""
    repos.git._environment |= {f"GIT_{w}_{k}": "x" for w in ("AUTHOR", "COMMITTER") for k in ("NAME", "EMAIL")}
    done = []

    def intrude(old, new, quarantine):
        if not done:
            done.append(new)
            where = git(repos, "rev-parse", tree.format(old=old)).strip()
            git(repos, "update-ref", MAIN, git(repos, "commit-tree", where, "-p", old, stdin=b"faster\n"))

    return intrude


def test_a_ref_that_moves_meanwhile_is_stale_for_who_named_the_parent(repos):
    first = put(repos, {"a": "1"})
    with pytest.raises(Stale):
        put(repos, {"a": "2"}, parent=first, before_update=intruder(repos))
    assert repos.log(ID, repos.head(ID))[0].title == "faster"


def test_who_named_no_parent_comes_after_who_was_faster(repos):
    put(repos, {"a": "1", "b": "old", "c": "away"})
    changes = [Change("a", b"2"), Change("n/a", b"new"), Change("d", None, moved_from="b"), Change("c", None)]
    last = repos.commit(ID, MAIN, iter(changes), "ours", WHO, before_update=intruder(repos))
    assert [commit.title for commit in repos.log(ID, last)] == ["ours", "faster", "change"]
    assert repos.head(ID) == last and paths(repos, last, recursive=True) == ["a", "d", "n", "n/a"]
    assert [repos.read(ID, last, path, 9) for path in ("a", "d", "n/a")] == [b"2", b"old", b"new"]
    assert git(repos, "for-each-ref", "refs/podium") == "" and fsck(repos) == ""


def test_a_first_commit_comes_after_nothing(repos):
    with pytest.raises(Stale):
        put(repos, {"a": "template"}, before_update=lambda old, new, quarantine: put(repos, {"a": "faster"}))
    assert repos.read(ID, repos.head(ID), "a", 9) == b"faster"


def test_what_who_was_faster_made_impossible_is_refused(repos):
    put(repos, {"a/deep": "1"})
    with pytest.raises(NotFound):
        changes = [Change("a/deep", None)]
        repos.commit(ID, MAIN, iter(changes), "ours", WHO, before_update=intruder(repos, EMPTY_TREE))
    assert repos.log(ID, repos.head(ID))[0].title == "faster"
    assert git(repos, "for-each-ref", "refs/podium") == ""


def test_what_is_refused_leaves_nothing_on_the_disk(repos):
    first = put(repos, {"a/b": "1"})
    before = stored(repos)
    seen = []

    def refuse(old, new, quarantine):
        seen.append(repos.inspect(ID, (RefUpdate(old, new, MAIN),), quarantine, 100).objects)
        raise Invalid("NO", "no")

    def cut(content):
        yield Change("c", content)
        raise Invalid("CUT", "the rest did not come")

    with pytest.raises(Invalid):
        put(repos, {"a/b": "2"}, before_update=refuse)
    with pytest.raises(NotFound):
        put(repos, {"new": "content", "nope": None})
    for content in (b"small", os.urandom(1_000_000)):
        with pytest.raises(Invalid):
            repos.commit(ID, MAIN, cut(content), "m", WHO)
    assert put(repos, {"a/b": "1"}, message="the same once more") == first
    assert seen == [4]  # commit, two trees, file: it saw what was not in yet
    assert stored(repos) == before and git(repos, "for-each-ref", "--format=%(refname)") == MAIN


def stored(repos):
    """The files of the repo, without the folders that git makes and leaves."""
    return sorted(str(path) for path in Path(repos.git_dir(ID)).rglob("*") if path.is_file())


def test_of_many_commits_at_once_each_lands(repos):
    put(repos, {"a": "0"})
    landed = []
    threads = [threading.Thread(target=lambda n=n: landed.append(put(repos, {f"f{n}": str(n)}))) for n in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    found = repos.log(ID, repos.head(ID))
    assert len(found) == 9 and {commit.id for commit in found} >= set(landed) and len(set(landed)) == 8
    assert paths(repos, repos.head(ID)) == ["a", *(f"f{n}" for n in range(8))]
    assert git(repos, "for-each-ref", "refs/podium") == ""


def test_a_ref_that_another_git_holds_for_a_moment_is_waited_for(repos):
    first = put(repos, {"a": "0"})
    lock = Path(repos.git_dir(ID), "refs/heads/main.lock")

    def hold(old, new, quarantine):
        lock.touch()
        threading.Timer(0.5, lock.unlink).start()

    assert put(repos, {"a": "1"}, parent=first, before_update=hold) == repos.head(ID) != first


def test_messages_and_authors_of_strangers_are_only_data(repos):
    first = repos.commit(ID, MAIN, [Change("a", b"1")], "data 5\nM 100644 :1 evil\n\x1b[2J", ("a<b>\nx", "e@x>\n"))
    (commit,) = repos.log(ID, first)
    assert commit.authors == ("abx",) and commit.title.startswith("data 5")
    assert paths(repos, first) == ["a"] and fsck(repos) == ""


def test_log_pages(repos):
    made = [put(repos, {"a": str(n)}, message=f"m{n}") for n in range(5)]
    assert [c.title for c in repos.log(ID, made[-1], skip=1, limit=2)] == ["m3", "m2"]
    assert repos.log(ID, made[-1], skip=50) == []


def test_facts_about_new_objects(repos):
    old = put(repos, {"a": "1"})
    new = put(
        repos, {"big.bin": "x" * 5000, "App.py": "1", "app.py": "t='hf_abcdefghijklmnopqrstu'", "README.md": "# hi"}
    )
    git(repos, "update-ref", MAIN, old)
    pushed = repos.inspect(ID, (RefUpdate(old, new, MAIN),), "", 4000)
    assert pushed.big == (("big.bin", 5000),) and pushed.big_count == 1
    assert pushed.readme == b"# hi" and pushed.repo_bytes == repos.size(ID) > 0
    assert [(s.path, s.line) for s in pushed.sightings] == [("app.py", 1)]
    (revision,) = pushed.revisions
    assert revision.files == 5 and revision.twins == (("App.py", "app.py"),)
    git(repos, "update-ref", MAIN, new)
    again = repos.inspect(ID, (RefUpdate(old, new, MAIN),), "", 4000)
    assert again.big == () and len(again.revisions) == 1
    tag = RefUpdate(ZERO, new, "refs/tags/v1")
    assert repos.inspect(ID, (tag,), "", 4000).revisions == ()  # judged when it came


@pytest.mark.parametrize("where", ["/tmp", "/etc", "objects/../refs", "objects"])
def test_a_quarantine_elsewhere_is_refused(repos, where):
    with pytest.raises(Invalid):
        repos.inspect(ID, (RefUpdate(ZERO, "a" * 40, MAIN),), os.path.join(repos.git_dir(ID), where), 1)


def test_a_tree_bomb_is_counted_not_unfolded(repos):
    tree = git(repos, "hash-object", "-w", "--stdin", stdin=b"x")
    kind = "100644 blob"
    for _ in range(10):
        tree = git(repos, "mktree", stdin="".join(f"{kind} {tree}\tf{n}\n" for n in range(10)).encode())
        kind = "040000 tree"
    repos.git._environment |= {f"GIT_{w}_{k}": "x" for w in ("AUTHOR", "COMMITTER") for k in ("NAME", "EMAIL")}
    bomb = git(repos, "commit-tree", tree, stdin=b"bomb\n")
    (revision,) = repos.inspect(ID, (RefUpdate(ZERO, bomb, MAIN),), "", 10**9).revisions
    assert revision.files > 1_000_000
    with pytest.raises(Invalid) as caught:
        repos.tree(ID, bomb, recursive=True)
    assert caught.value.code == "TREE_BOMB"


def test_links_and_submodules_are_listed_as_what_they_are(repos):
    blob = git(repos, "hash-object", "-w", "--stdin", stdin=b"/etc/passwd")
    rows = f"120000 blob {blob}\tlink\n160000 commit {'a' * 40}\tsub\n"
    tree = git(repos, "mktree", "--missing", stdin=rows.encode())
    repos.git._environment |= {f"GIT_{w}_{k}": "x" for w in ("AUTHOR", "COMMITTER") for k in ("NAME", "EMAIL")}
    commit = git(repos, "commit-tree", tree, stdin=b"x\n")
    found = {entry.path: (entry.type, entry.mode) for entry in repos.tree(ID, commit)}
    assert found == {"link": ("file", "120000"), "sub": ("directory", "160000")}
    assert repos.read(ID, commit, "link", 100) == b"/etc/passwd"


def test_hooks_and_configuration_of_a_repo_never_count(repos, tmp_path):
    """Whatever lands in the repo's own directory, git does not run it."""
    mark = tmp_path / "ran"
    hooks = os.path.join(repos.git_dir(ID), "hooks")
    os.makedirs(hooks, exist_ok=True)
    for name in ("reference-transaction", "pre-receive", "post-update"):
        path = os.path.join(hooks, name)
        with open(path, "w") as file:
            file.write(f"#!/bin/sh\ntouch {mark}\n")
        os.chmod(path, 0o755)
    put(repos, {"a": "1"})
    assert not mark.exists()


def test_tidying_keeps_everything_and_removes_what_the_dead_left(repos):
    made = [put(repos, {"a": str(n)}) for n in range(45)]
    top = repos.git_dir(ID)
    lock, fresh = os.path.join(top, "refs/heads/main.lock"), os.path.join(top, "refs/heads/new.lock")
    for path in (lock, fresh):
        open(path, "w").close()
    os.utime(lock, (1, 1))
    os.makedirs(os.path.join(top, "objects/tmp_objdir-incoming-x"))
    os.utime(os.path.join(top, "objects/tmp_objdir-incoming-x"), (1, 1))
    repos.tidy(ID)
    assert not os.path.exists(lock) and os.path.exists(fresh)
    assert not os.path.exists(os.path.join(top, "objects/tmp_objdir-incoming-x"))
    assert len([n for n in os.listdir(os.path.join(top, "objects/pack")) if n.endswith(".pack")]) < 10
    assert [commit.id for commit in repos.log(ID, made[-1])] == made[::-1]
    assert fsck(repos) == ""


def test_removing_is_for_good(repos):
    put(repos, {"a": "1"})
    repos.remove(ID)
    repos.remove(ID)
    assert not os.path.exists(repos.git_dir(ID))
    repos.create(ID)
    assert repos.head(ID) is None
