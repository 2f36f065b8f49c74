"""Warm processes of git: they answer as a fresh one would, also after they died, and none is left when nobody asks."""

import os
import signal
import threading
from pathlib import Path

import pytest

from orchestrator.domain.space import MAIN
from orchestrator.domain.tree import Change
from orchestrator.repos import reader
from tests.contracts.conftest import ID, WHO
from tests.support import eventually


def put(repos, **files):
    return repos.commit(ID, MAIN, [Change(name, text) for name, text in files.items()], "change", WHO)


def running(repos) -> set[int]:
    """Warm processes of this repo."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if f"--git-dir={repos.git_dir(ID)}".encode() in words and {b"--batch", b"--batch-check"} & set(words):
            found.add(int(folder.name))
    return found


def text(repos, commit, path):
    return b"".join(repos.blob(ID, repos.entry(ID, commit, path).oid))


def test_many_reads_share_a_process(repos):
    commit = put(repos, **{f"f{n}": f"{n}\n".encode() * n for n in range(60)})
    assert all(text(repos, commit, f"f{n}") == f"{n}\n".encode() * n for n in range(60))
    assert len(running(repos)) == 2


def test_what_was_written_meanwhile_is_seen(repos):
    first = put(repos, a=b"1")
    assert repos.resolve(ID, "main") == first and repos.read(ID, first, "a", 10) == b"1"
    second = put(repos, a=b"2")
    assert repos.resolve(ID, "main") == second and repos.read(ID, second, "a", 10) == b"2"
    repos.git.run(repos.git_dir(ID), "repack", "-a", "-d", "-q")
    assert repos.read(ID, first, "a", 10) == b"1"


def test_a_process_that_died_is_replaced(repos):
    commit = put(repos, a=b"1", b=b"2")
    assert text(repos, commit, "a") == b"1"
    for pid in running(repos):
        os.kill(pid, signal.SIGKILL)
    assert text(repos, commit, "b") == b"2"


def test_a_large_file_comes_in_pieces(repos):
    whole = os.urandom(reader.SMALL + 5)
    commit = put(repos, large=whole, edge=whole[: reader.SMALL])
    pieces = list(repos.blob(ID, repos.entry(ID, commit, "large").oid))
    assert b"".join(pieces) == whole and max(map(len, pieces)) < reader.SMALL
    assert text(repos, commit, "edge") == whole[: reader.SMALL]
    assert repos.read(ID, commit, "large", 7) == whole[:7]


@pytest.mark.parametrize("name", ["a\nb", "a b", " ", "a" * 9000, "main^{commit}", "x\x7f", "ü", "\udcff"])
def test_odd_names_do_not_shift_the_answers(repos, name):
    commit = put(repos, a=b"1")
    assert repos.read(ID, commit, name, 10) is None
    assert repos.read(ID, commit, "a", 10) == b"1"


def test_threads_do_not_read_each_others_answers(repos):
    files = {f"f{n}": os.urandom(n * 977) for n in range(40)}
    commit = put(repos, **files)
    wrong = []

    def look(names):
        wrong.extend(name for name in names if text(repos, commit, name) != files[name])

    threads = [threading.Thread(target=look, args=(sorted(files, key=lambda n, k=k: hash((n, k))),)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_what_idles_ends(repos, monkeypatch):
    monkeypatch.setattr(reader, "IDLE_SECONDS", 0.2)
    commit = put(repos, a=b"1")
    assert text(repos, commit, "a") == b"1"
    eventually(lambda: not running(repos), 10)


def test_what_is_removed_is_let_go(repos):
    commit = put(repos, a=b"1")
    assert text(repos, commit, "a") == b"1" and running(repos)
    repos.remove(ID)
    assert not running(repos)
