"""A push acknowledged is a push built: the server is killed with -9 at every durable step, and what is found afterwards is
either nothing or all of it. Also what a large push costs in memory."""

import json
import random
import subprocess
import sys
import threading
import time

import psutil
import pytest

from orchestrator.domain.push import PushLimits
from orchestrator.failpoints import PUSH
from orchestrator.repos.git import GitRepos
from orchestrator.services.bell import LocalBell
from orchestrator.services.pushes import Pushes
from tests.git_server import LIMITS, ROOT, TOKENS, Clone, GitServer
from tests.support import eventually

#: After these the ref may have moved; before them it cannot.
MOVED = {"after_ref", "before_landed", "after_landed"}


@pytest.fixture
def server(tmp_path):
    made = GitServer(tmp_path / "data")
    made.people()
    yield made
    made.stop()


@pytest.mark.parametrize("failpoint", sorted(PUSH))
def test_a_push_survives_a_crash_at(failpoint, server, tmp_path):
    work = Clone(tmp_path / "work").init(server.remote("ada/demo"))
    head = work.commit({"index.html": "hi"})
    server.start(failpoint)
    assert work.push(check=False).returncode != 0
    server.process.wait(10)
    assert server.process.returncode == -9
    space = server.space()
    eventually(lambda: not _gits(server), 20, "the end of orphaned gits")
    stored = server.repos.head(space.id)
    assert stored in ({head} if failpoint in MOVED else {head, None} if failpoint == "before_ref" else {None})
    server.start()
    if stored:
        eventually(lambda: server.space().wish.revision == head, 10, "the wish of a push that was stored")
    eventually(lambda: server.intents() == [], 40, "the end of the intents")
    assert server.space().wish.revision == stored == server.repos.head(space.id)
    assert server.repos.git.run(server.repos.git_dir(space.id), "fsck", "--strict", "--no-dangling") == b""
    work.push()
    assert server.space().wish.revision == head


def _gits(server) -> list[int]:
    mark = str(server.data / "repos")
    return [p.pid for p in psutil.process_iter(["cmdline"]) if any(mark in word for word in p.info["cmdline"] or ())]


_COMMIT = """
import json, sys
from pathlib import Path
from orchestrator import failpoints
from orchestrator.domain.tree import Change
from tests.git_server import make
data, token, limits, failpoint = sys.argv[1:]
app, store, accounts, spaces, repos, pushes = make(Path(data), 1, json.loads(limits))
caller = accounts.caller("Bearer " + token)
space = spaces.create_for_push(caller, "ada", "demo")
failpoints.enable(failpoint)
pushes.commit(caller, space, [Change("index.html", b"hi")], "one")
"""


@pytest.mark.parametrize("failpoint", sorted(PUSH))
def test_a_commit_through_the_api_survives_a_crash_at(failpoint, server):
    argv = [sys.executable, "-c", _COMMIT, str(server.data), TOKENS["ada"], json.dumps(LIMITS), failpoint]
    assert subprocess.run(argv, cwd=ROOT, timeout=120).returncode == -9
    space = server.space()
    stored = server.repos.head(space.id)
    assert bool(stored) == (failpoint in MOVED)
    later = Pushes(server.store, server.repos, LocalBell(), PushLimits(**LIMITS), clock=lambda: time.time() + 60)
    later.sweep()
    assert server.intents() == [] and server.space().wish.revision == stored
    later.sweep()
    assert server.space().wish.revision == stored


def test_an_intent_is_left_to_a_git_that_may_still_move_the_ref(server):
    """A sweep in the moment between the intent and the ref settles nothing."""
    caller = server.accounts.caller(f"Bearer {TOKENS['ada']}")
    space = server.spaces.create_for_push(caller, "ada", "demo")
    with server.store.write() as tx:
        tx.pushes.add(space.id, "refs/heads/main", "0" * 40, "a" * 40, "ada", time.time() - 10)
    server.pushes.sweep()
    assert len(server.intents()) == 1
    with server.store.write() as tx:
        tx.pushes.add(space.id, "refs/heads/main", "b" * 40, "c" * 40, "ada", time.time() - 10)
    server.pushes.sweep()
    assert [intent.new for intent in server.intents()] == ["a" * 40]  # nothing can move a ref from where it is not


def test_the_control_plane_gone_in_the_middle_refuses_in_words(server, tmp_path):
    work = Clone(tmp_path / "work").init(server.remote("ada/demo"))
    work.commit({"a": "1"})
    server.start()
    (server.data / "control.sock").rename(server.data / "away.sock")
    done = work.push(check=False)
    assert done.returncode != 0
    assert "podium: Podium is temporarily unavailable, nothing was stored" in done.stderr
    assert server.repos.head(server.space().id) is None
    (server.data / "away.sock").rename(server.data / "control.sock")
    work.push()


def test_a_database_that_is_locked_refuses_in_words(server, tmp_path):
    work = Clone(tmp_path / "work").init(server.remote("ada/demo"))
    work.commit({"a": "1"})
    server.start()
    work.push()
    head = work.commit({"a": "2"})
    with server.store.write() as tx:  # holds SQLite's one write lock for longer than anybody waits
        tx.pushes.add("f" * 24, "refs/heads/x", "0" * 40, "a" * 40, "x", 0.0)
        done = work.push(check=False)
    assert done.returncode != 0 and "nothing was stored" in done.stderr
    assert server.repos.head(server.space().id) != head
    work.push()
    assert server.space().wish.revision == head


def test_a_full_disk_refuses_in_words_and_harms_nothing(server, tmp_path):
    small = server.data / "repos"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "podium-test", str(small)], capture_output=True)
    if mounted.returncode:
        pytest.skip("may not mount a small file system here")
    try:
        server.repos = GitRepos(small, LIMITS["push"])
        server.start()
        work = Clone(tmp_path / "work").init(server.remote("ada/demo"))
        head = work.commit({"a": "1"})
        work.push()
        work.commit({f"{n}.bin": random.Random(n).randbytes(250_000) for n in range(20)})
        done = work.push(check=False)
        assert done.returncode != 0 and "podium: STORAGE_FULL" in done.stderr, done.stderr
        space = server.space()
        assert server.repos.head(space.id) == head == space.wish.revision
        assert server.repos.git.run(server.repos.git_dir(space.id), "fsck", "--strict") == b""
        work.git("clone", "-q", server.remote("ada/demo"), str(tmp_path / "clone"))
        work.git("reset", "-q", "--hard", head)
        work.commit({"a": "small again"})
        work.push()
    finally:
        server.stop()
        subprocess.run(["umount", "-l", str(small)], capture_output=True)


def test_a_large_push_costs_no_memory(tmp_path):
    size = 96 * 1024**2
    server = GitServer(tmp_path / "data", file=size, push=2 * size)
    server.people()
    try:
        server.start()
        work = Clone(tmp_path / "work").init(server.remote("ada/demo"))
        work.commit({"a": "1"})
        work.push()
        process = psutil.Process(server.process.pid)
        before, peak, ended = process.memory_info().rss, [0], threading.Event()

        def watch():
            while not ended.wait(0.05):
                peak[0] = max(peak[0], process.memory_info().rss)

        watcher = threading.Thread(target=watch)
        watcher.start()
        noise = random.Random(3).randbytes
        work.commit({f"{n}.bin": noise(size // 8) for n in range(8)})
        work.push()
        work.git("clone", "-q", server.remote("ada/demo"), str(tmp_path / "clone"))
        ended.set()
        watcher.join()
        assert peak[0] - before < 40 * 1024**2, f"grew by {(peak[0] - before) / 1024**2:.0f} MB"
    finally:
        server.stop()
