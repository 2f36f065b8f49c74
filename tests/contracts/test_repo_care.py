"""Repos that live for years (ports.Repos.tend): they stay small, and nothing that is named or about to be named is lost, whoever
writes meanwhile and whenever the machine dies."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from orchestrator.domain.large import pointer_text
from orchestrator.domain.push import ZERO
from orchestrator.domain.space import MAIN
from orchestrator.domain.tree import Change
from orchestrator.errors import NotFound
from orchestrator.failpoints import CARE
from orchestrator.repos import care
from orchestrator.repos.refs import GitRefs
from tests.contracts.conftest import ID, WHO

ROOT = Path(__file__).parents[2]
OLD = "refs/heads/old"


def put(repos, path, content, ref=MAIN):
    content = content if isinstance(content, bytes) else content.encode()
    return repos.commit(ID, ref, [Change(path, content)], "change", WHO)


def fsck(repos):
    return repos.git.run(repos.git_dir(ID), "fsck", "--strict", "--no-dangling")


def files(repos, ending):
    return sorted(Path(repos.git_dir(ID)).glob(f"objects/pack/*{ending}"))


def squash(repos):
    """Three commits, of which a large file and a mass of bytes are no more in the one that stays; the last of the three."""
    oid = "ab" * 32
    put(repos, "mass", os.urandom(300_000))
    put(repos, "big.bin", pointer_text(oid, 10**9))
    last = repos.commit(ID, MAIN, [Change("mass", None), Change("big.bin", None), Change("a", b"a")], "last", WHO)
    refs = GitRefs(repos)
    refs.move(ID, MAIN, refs.snapshot(ID, last, "squashed", WHO), last)
    assert repos.named(ID) == {oid}
    return last


def test_what_nothing_leads_to_goes_after_its_time(repos):
    last = squash(repos)
    assert repos.tend(ID, (), 3600) < 1000 and repos.size(ID) > 300_000
    assert repos.resolve(ID, last) == last and len(files(repos, ".mtimes")) == 1
    assert repos.tend(ID, (), 3600) == 0, "its time is not over"
    assert repos.tend(ID, (), 0) > 300_000
    assert repos.size(ID) < 100_000 and repos.named(ID) == set() and fsck(repos) == b""
    assert [entry.path for entry in repos.tree(ID, repos.head(ID))] == ["a"]
    with pytest.raises(NotFound):
        repos.resolve(ID, last)
    assert not files(repos, ".mtimes") and len(files(repos, ".pack")) == 1


def test_what_is_kept_stays_though_no_ref_leads_to_it(repos):
    last = squash(repos)
    for _ in range(3):
        repos.tend(ID, [last, "0" * 40, "12" * 20], 0)
    assert repos.resolve(ID, last) == last and len(repos.log(ID, last)) == 3 and fsck(repos) == b""


def test_what_is_led_to_again_stays_and_the_rest_goes(repos):
    last = squash(repos)
    middle = repos.log(ID, last)[1].id
    repos.tend(ID, (), 3600)
    GitRefs(repos).move(ID, OLD, middle, ZERO)
    for _ in range(3):
        repos.tend(ID, (), 0)
    assert fsck(repos) == b"" and len(repos.log(ID, repos.resolve(ID, "old"))) == 2
    with pytest.raises(NotFound):
        repos.resolve(ID, last)
    put(repos, "b", "b", OLD)
    assert fsck(repos) == b""


def test_nothing_goes_while_somebody_writes(repos):
    last = squash(repos)
    repos.tend(ID, (), 3600)
    with repos.writing(ID):
        assert repos.tend(ID, (), 0) == 0 and repos.resolve(ID, last) == last
        GitRefs(repos).move(ID, OLD, last, ZERO)
    repos.tend(ID, (), 0)
    assert fsck(repos) == b"" and repos.resolve(ID, "old") == last


def test_a_ref_that_comes_while_it_is_looked_keeps_what_it_leads_to(repos, monkeypatch):
    last = squash(repos)
    repos.tend(ID, (), 3600)
    look = care._leads_into

    def late(*args):
        found = look(*args)
        if repos.head(ID, OLD) is None:
            GitRefs(repos).move(ID, OLD, last, ZERO)
        return found

    monkeypatch.setattr(care, "_leads_into", late)
    repos.tend(ID, (), 0)
    assert repos.head(ID, OLD) == last and fsck(repos) == b""


def test_a_program_of_git_holds_on_when_its_writer_is_killed(repos):
    squash(repos)
    repos.tend(ID, (), 3600)
    with repos.writing(ID):
        child = repos.git.start(repos.git_dir(ID), "cat-file", "--batch", stdin=subprocess.PIPE)
    try:
        assert repos.tend(ID, (), 0) == 0 and files(repos, ".mtimes")
    finally:
        child.communicate()
    assert repos.tend(ID, (), 0) > 0 and not files(repos, ".mtimes")


def test_many_commits_and_branches_become_few_files(repos):
    for number in range(12):
        put(repos, f"f{number}", f"{number}")
        GitRefs(repos).move(ID, f"refs/heads/b{number}", repos.head(ID), ZERO)
    for number in range(60):
        GitRefs(repos).move(ID, f"refs/tags/t{number}", repos.head(ID), ZERO)
    before = repos.refs(ID)
    repos.tend(ID, (), 3600)
    top = Path(repos.git_dir(ID))
    assert len(files(repos, ".pack")) == 1 and (top / "objects/info/commit-graph").exists()
    assert repos.refs(ID) == before and not [path for path in (top / "refs").rglob("*") if path.is_file()]
    GitRefs(repos).move(ID, "refs/heads/b0", ZERO, before["refs/heads/b0"])
    assert "refs/heads/b0" not in repos.refs(ID) and fsck(repos) == b""


def test_a_repo_in_order_is_left_alone(repos):
    put(repos, "a", "a")
    repos.tend(ID, (), 0)
    seen = {path: path.stat().st_mtime_ns for path in Path(repos.git_dir(ID), "objects").rglob("*")}
    repos.tend(ID, (), 0)
    assert seen == {path: path.stat().st_mtime_ns for path in Path(repos.git_dir(ID), "objects").rglob("*")}


def test_writers_beside_it_lose_nothing(repos):
    put(repos, "start", "0")
    done, acknowledged = threading.Event(), []

    def write(who):
        refs = GitRefs(repos)
        for number in range(6):
            made = put(repos, f"{who}-{number % 2}", f"same {number % 3}", MAIN)
            acknowledged.append(made)
            with repos.writing(ID):
                refs.move(ID, f"refs/heads/{who}", made, repos.head(ID, f"refs/heads/{who}") or ZERO)
            refs.move(ID, f"refs/heads/{who}", ZERO, made)

    def tend():
        while not done.is_set():
            repos.tend(ID, (), 0)

    writers = [threading.Thread(target=write, args=(who,)) for who in "abc"]
    tending = threading.Thread(target=tend)
    for thread in (*writers, tending):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    tending.join()
    assert len(acknowledged) == 18 and fsck(repos) == b""
    assert {*acknowledged} <= {commit.id for commit in repos.log(ID, repos.head(ID))}


_TEND = """
import sys
from pathlib import Path
from orchestrator import failpoints
from orchestrator.repos.git import GitRepos
repos = GitRepos(Path(sys.argv[1]), 2**20)
failpoints.enable(sys.argv[2])
repos.tend(sys.argv[3], (), 0)
repos.tend(sys.argv[3], (), 0)
"""


@pytest.mark.parametrize("failpoint", sorted(CARE))
def test_it_may_die_at(failpoint, repos, tmp_path):
    squash(repos)
    for number in range(60):
        GitRefs(repos).move(ID, f"refs/tags/t{number}", repos.head(ID), ZERO)
    before = repos.refs(ID)
    argv = [sys.executable, "-c", _TEND, str(Path(repos.git_dir(ID)).parents[1]), failpoint, ID]
    assert subprocess.run(argv, cwd=ROOT, timeout=240).returncode == -9
    assert repos.refs(ID) == before and fsck(repos) == b""
    for _ in range(2):
        repos.tend(ID, (), 0)
    assert repos.refs(ID) == before and fsck(repos) == b"" and repos.size(ID) < 100_000
    names = {name.split(".")[0] for name in os.listdir(os.path.join(repos.git_dir(ID), "objects/pack"))}
    assert names == {path.stem for path in files(repos, ".idx")}


def test_a_repo_that_somebody_writes_to_is_not_half_removed(repos):
    put(repos, "a", "a")
    with repos.writing(ID):
        with pytest.raises(Exception, match="still writes"):
            repos.remove(ID)
        put(repos, "b", "b")
    repos.remove(ID)
    with pytest.raises(NotFound):
        put(repos, "c", "c")
    assert not os.path.exists(repos.git_dir(ID))
