"""Which commit each line of a file comes from. One `git blame` of its own per question, because git has no form of it that stays
warm; its work grows with the history, so its time, its memory and how many run at once are bounded, and what was found is kept: a
commit never changes. Facts: git-blame(1), the incremental output."""

import threading
import time
from collections.abc import Iterable
from typing import IO

from orchestrator.domain.tree import Blame, Commit
from orchestrator.errors import NotFound, Unavailable
from orchestrator.repos.known import Known
from orchestrator.repos.process import Git, GitFailed

SECONDS = 8.0  #: for one file; what was not found by then is left open
AT_ONCE = 2  #: of all visitors
_PATIENCE = 3.0  #: seconds that one waits for a turn
_KEPT = 200
_HEADS = {b"author", b"author-time", b"summary"}


class Blamer:
    """Asks git, and remembers."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        self._known = Known(_KEPT)

    def blame(self, git_dir: str, commit: str, path: str) -> list[Blame]:
        """See `ports_refs.Refs.blame`."""
        key = (git_dir, commit, path)
        found = self._known.get(key)
        if found is None:
            if not self._turns.acquire(timeout=_PATIENCE):
                raise Unavailable("Others are looking for the history of files now; try again in a moment.")
            try:
                found, whole = self._ask(git_dir, commit, path)
            finally:
                self._turns.release()
            if whole:
                self._known.put([(key, found)])
        return found

    def _ask(self, git_dir: str, commit: str, path: str) -> tuple[list[Blame], bool]:
        until = time.monotonic() + SECONDS
        found: list[Blame] = []
        words = ("blame", "--incremental", "--encoding=UTF-8", commit, "--", path)
        try:
            with self._git.pipe(git_dir, words, timeout=SECONDS) as out:
                for one in parse(out):
                    found.append(one)
                    if time.monotonic() > until:
                        break
        except GitFailed as failure:
            if failure.code == 128:
                raise NotFound("EntryNotFound", "There is no such file in this revision.") from None
            if not time.monotonic() > until - 0.1:  # else it was ended by the clock
                raise
        return sorted(found, key=lambda one: one.first), time.monotonic() < until


def parse(lines: "IO[bytes] | Iterable[bytes]"):
    """What git tells, as it tells it: commits are described once, when they come first."""
    commits: dict[str, Commit] = {}
    oid, first, count, told = "", 0, 0, {}
    for raw in lines:
        word, _, rest = raw.rstrip(b"\n").partition(b" ")
        if not oid:
            oid, (_, first, count) = word.decode(), map(int, rest.split(b" "))
            told = {}
        elif word in _HEADS:
            told[word] = rest.decode("utf-8", "replace")
        elif word == b"filename":  # the last of each
            if oid not in commits:
                at, author = told.get(b"author-time", ""), told.get(b"author", "")
                title = told.get(b"summary", "")
                commits[oid] = Commit(oid, title, title, (author,), float(at) if at.isdigit() else 0.0)
            yield Blame(first, count, commits[oid])
            oid = ""
