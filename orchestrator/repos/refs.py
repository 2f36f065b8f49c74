"""Refs and what follows from comparing them (ports.Refs): moving a ref by compare-and-swap, annotated tags, a history squashed
to one commit, merges without a checkout, diffs, and the last commit of each path. Owns no rule about who may do what."""

import os
import re
import time
from collections.abc import Iterable, Iterator

from orchestrator.domain.push import ZERO, printable
from orchestrator.domain.tree import EMPTY_TREE, Blame, Changed, Commit
from orchestrator.errors import Conflict, Stale
from orchestrator.ports_refs import Merged
from orchestrator.repos import fetch as fetching
from orchestrator.repos.blame import Blamer
from orchestrator.repos.changed import changed
from orchestrator.repos.commit import identity, plain
from orchestrator.repos.durable import sync_objects
from orchestrator.repos.git import GitRepos, _commit, _ref
from orchestrator.repos.history import time_of
from orchestrator.repos.inspect import records
from orchestrator.repos.process import GitFailed

_CHUNK = 64 * 1024
_FORMAT = "--format=%x01%H%x00%s%x00%at%x00%an"
_SCAN_SECONDS = 20.0
_DIFF_SECONDS = 120.0  #: for a patch: anybody may ask for one of two files that are hard to compare
_NARROW = 200  #: paths that git is given to narrow its search; more are found by looking at everything
_HEAD = re.compile(rb"\x01[0-9a-f]{40}")


class GitRefs:
    """On the repos of a GitRepos."""

    def __init__(self, repos: GitRepos) -> None:
        self._repos = repos
        self._git = repos.git
        self._blamer = Blamer(repos.git)

    # ------------------------------------------------------------------------------------------------------ refs

    def below(self, repo_id: str, prefix: str) -> dict[str, str]:
        out = self._run(repo_id, "for-each-ref", "--format=%(objectname) %(*objectname) %(refname)", prefix)
        found = {}
        for line in out.decode("utf-8", "replace").splitlines():
            oid, peeled, name = line.split(" ", 2)
            found[name] = peeled or oid
        return found

    def move(self, repo_id: str, ref: str, new: str, old: str) -> None:
        words = ("-d", _ref(ref), old) if new == ZERO else (_ref(ref), new, old)
        try:
            self._run(repo_id, "update-ref", "--no-deref", *words)
        except GitFailed as failure:
            now = self._repos.head(repo_id, ref) or ZERO
            if now == old:
                if "cannot lock ref" in failure.detail or "exists; cannot create" in failure.detail:
                    message = (
                        f"{printable(ref, 100)!r} cannot be created beside a ref that is a folder of it, or below it"
                    )
                    raise Conflict("REF_CLASH", message) from None
                raise
            raise Stale(
                "STALE_REF", f"{printable(ref, 100)!r} has moved meanwhile; look at it and try again."
            ) from None
        self._repos.sync(repo_id, ref)

    def tag(self, repo_id: str, name: str, commit: str, message: str, tagger: tuple[str, str]) -> str:
        who = b"%s <%s> %d +0000" % (plain(tagger[0]), plain(tagger[1]), int(time.time()))
        text = message.encode("utf-8", "replace").replace(b"\0", b"").strip() + b"\n"
        body = b"object %s\ntype commit\ntag %s\ntagger %s\n\n%s" % (_commit(commit).encode(), name.encode(), who, text)
        made = self._run(repo_id, "hash-object", "-t", "tag", "-w", "--stdin", stdin=body).decode().strip()
        sync_objects(self._repos.git_dir(repo_id))
        return made

    # ------------------------------------------------------------------------------------------------- new commits

    def snapshot(self, repo_id: str, commit: str | None, message: str, author: tuple[str, str]) -> str:
        tree = f"{_commit(commit)}^{{tree}}" if commit else None
        if tree is None:
            oid = self._run(repo_id, "mktree").decode().strip()
        else:
            oid = self._run(repo_id, "rev-parse", "--verify", tree).decode().strip()
        return self._written(repo_id, oid, (), message, author)

    def trial(self, repo_id: str, ours: str, theirs: str) -> Merged:
        words = ("merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", _commit(ours), _commit(theirs))
        try:
            out = self._run(repo_id, *words, ok=(0, 1))
        except GitFailed as failure:
            if "unrelated histories" in failure.detail:
                return Merged("", (), unrelated=True)
            raise
        tree, *paths = out.decode("utf-8", "replace").split("\0")
        conflicts = tuple(dict.fromkeys(path for path in paths if path))
        same = self._run(repo_id, "rev-parse", "--verify", f"{ours}^{{tree}}").decode().strip() == tree
        return Merged("" if conflicts else tree, conflicts, same=same and not conflicts)

    def merged(self, repo_id: str, tree: str, parents: Iterable[str], message: str, author: tuple[str, str]) -> str:
        return self._written(repo_id, tree, parents, message, author)

    def _written(self, repo_id: str, tree: str, parents: Iterable[str], message: str, author: tuple[str, str]) -> str:
        words = [word for parent in parents for word in ("-p", _commit(parent))]
        text = message.encode("utf-8", "replace").replace(b"\0", b"") or b"\n"
        made = (
            self._run(repo_id, "commit-tree", *words, _commit(tree), stdin=text, env=identity(author)).decode().strip()
        )
        sync_objects(self._repos.git_dir(repo_id))
        return made

    # -------------------------------------------------------------------------------------------------- importing

    def fetch(self, repo_id: str, url: str, pin: str, limit: int) -> str:
        made = fetching.fetch(self._git, self._repos.git_dir(repo_id), url, pin, limit)
        sync_objects(self._repos.git_dir(repo_id))
        return made

    def release(self, repo_id: str) -> None:
        fetching.release(self._git, self._repos.git_dir(repo_id))

    # -------------------------------------------------------------------------------------------------- comparing

    def between(self, repo_id: str, base: str, head: str, limit: int) -> list[Commit]:
        words = ("log", "-z", f"--max-count={limit}", "--reverse", "--no-show-signature")
        shown = "--format=%H%x00%P%x00%an%x00%at%x00%s%x00%B"
        out = self._run(repo_id, *words, shown, "--end-of-options", f"{_commit(base)}..{_commit(head)}")
        rows = zip(*[iter(out.decode("utf-8", "replace").split("\0"))] * 6, strict=False)
        return [
            Commit(oid, title, message.strip(), (author,), time_of(at), tuple(parents.split()))
            for oid, parents, author, at, title, message in rows
        ]

    def diff(self, repo_id: str, base: str, head: str, from_fork: bool, limit: int) -> Iterator[bytes]:
        words = (
            "diff",
            "--no-color",
            "--no-ext-diff",
            "--no-textconv",
            self._span(repo_id, base, head, from_fork),
            "--",
        )
        sent = 0
        with self._git.pipe(self._repos.git_dir(repo_id), words, timeout=_DIFF_SECONDS) as out:
            while sent < limit and (chunk := out.read(min(_CHUNK, limit - sent))):
                sent += len(chunk)
                yield chunk

    def changed(self, repo_id: str, base: str, head: str, from_fork: bool) -> list[Changed]:
        between = self._span(repo_id, base, head, from_fork)
        return changed(self._git, self._repos.git_dir(repo_id), between, _DIFF_SECONDS)

    def _span(self, repo_id: str, base: str, head: str, from_fork: bool) -> str:
        forked = from_fork and base != EMPTY_TREE and self._fork(repo_id, base, head)
        return f"{_commit(base)}{'...' if forked else '..'}{_commit(head)}"

    def _fork(self, repo_id: str, base: str, head: str) -> str:
        out = self._run(repo_id, "merge-base", _commit(base), _commit(head), ok=(0, 1))
        return out.decode().strip()

    def last_commits(self, repo_id: str, commit: str, paths: Iterable[str]) -> dict[str, Commit]:
        """One walk through history, newest first, that ends when each path was met; what it does not meet in time is left
        out. A merge counts only for what differs from all of its parents."""
        wanted = {path for path in paths if path and "\n" not in path}
        narrowed = sorted(wanted) if len(wanted) <= _NARROW else []
        asked = "\n".join([_commit(commit), "--", *narrowed]) + "\n"
        words = ("log", "--stdin", "-c", "--name-only", "-z", "--no-renames", "--no-show-signature", _FORMAT)
        found: dict[str, Commit] = {}
        until = time.monotonic() + _SCAN_SECONDS
        stdin = os.fsencode(asked)
        with self._git.pipe(self._repos.git_dir(repo_id), words, stdin=stdin, timeout=2 * _SCAN_SECONDS) as out:
            for path, seen in _touched(records(out)):
                if path in wanted:
                    wanted.discard(path)
                    found[path] = seen
                if not wanted or time.monotonic() > until:
                    break
        return found

    def blame(self, repo_id: str, commit: str, path: str) -> list[Blame]:
        return self._blamer.blame(self._repos.git_dir(repo_id), _commit(commit), path)

    def _run(self, repo_id: str, *words: str, **options) -> bytes:
        return self._git.run(self._repos.git_dir(repo_id), *words, **options)


def _touched(fields: Iterator[bytes]) -> Iterator[tuple[str, Commit]]:
    """Each path that a commit changed, and each folder above it, with that commit. git puts a newline before the first path."""
    current: Commit | None = None
    first = False
    for field in fields:
        if _HEAD.fullmatch(field):
            title, at, author = (next(fields, b"").decode("utf-8", "replace") for _ in range(3))
            current, first = Commit(field[1:].decode(), title, "", (author,), time_of(at)), True
            continue
        path = os.fsdecode(field[1:] if first else field)
        first = False
        while path and current:
            yield path, current
            path = path.rpartition("/")[0]
