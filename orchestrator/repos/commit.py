"""One commit made of a stream of changes, without a checkout: `git fast-import` into a quarantine, which a refusal leaves, then a
compare-and-swap of the ref. Who named no parent and was overtaken is put on what came first: the contents are in, only the
paths are judged again. Owns the format that fast-import reads (git-fast-import(1)) and the rules between paths."""

import hashlib
import re
import subprocess
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable
from pathlib import Path

from orchestrator.domain.push import ZERO, printable
from orchestrator.domain.space import MAIN
from orchestrator.domain.tree import Change
from orchestrator.errors import Invalid, NotFound, Stale
from orchestrator.repos.paths import check_path
from orchestrator.repos.process import WALL_CLOCK, Git, GitFailed, end, failed
from orchestrator.repos.quarantine import Quarantine

MESSAGE_LIMIT = 64 * 1024  #: bytes
_ROUNDS = 30  #: in each of them somebody's commit lands
_OID = re.compile("[0-9a-f]{40}")
_SCRATCH = b"refs/podium/commit"  #: fast-import wants a name
#: (path, what to do with it): the id of its content, `<old path` of a move, `file` or `folder` to delete.
_Step = tuple[str, str]


def commit(
    git: Git,
    git_dir: str,
    ref: str,
    old: str | None,
    changes: Iterable[Change],
    message: str,
    author: tuple[str, str],
    parent: str | None,
    before_update: Callable[[str | None, str, str], None],
) -> str:
    """See ports.Repos.commit; `old` is the ref's value."""
    if parent and (old is None or len(parent) < 7 or not old.startswith(parent)):
        raise _stale(ref, old)
    if len(message.encode("utf-8", "replace")) > MESSAGE_LIMIT:
        raise Invalid("COMMIT_TOO_LARGE", f"the message is longer than {MESSAGE_LIMIT} bytes; shorten it")
    steps: list[_Step] | None = None
    for _ in range(1 if parent or old is None else _ROUNDS):  # a first commit comes after nothing
        if old is None and ref != MAIN:
            raise NotFound("RevisionNotFound", f"Invalid rev id: {printable(ref, 100)}")
        with Quarantine(git_dir) as held:
            run = _Import(git, git_dir, held.env, old)
            new = run.run(changes if steps is None else steps, message, author)
            if old and tree_of(git, git_dir, old) == tree_of(git, git_dir, new, held.env):
                return old
            before_update(old, new, held.path)
            held.release()
        now = _swap(git, git_dir, ref, old, new)
        if now == new:
            return new
        old, steps = now, run.steps
    raise _stale(ref, old)


def _swap(git: Git, git_dir: str, ref: str, old: str | None, new: str) -> str | None:
    """Move the ref if it is still at `old`. Returns where it is then: `new`, or where somebody else moved it."""
    try:
        git.run(git_dir, "update-ref", "--no-deref", ref, new, old or ZERO)
        return new
    except GitFailed:
        now = git.run(git_dir, "rev-parse", "--verify", "--quiet", ref, ok=(0, 1)).decode().strip() or None
        if now == old:
            raise
        return now


def tree_of(git: Git, git_dir: str, commit_id: str, env: dict[str, str] | None = None) -> bytes:
    return git.run(git_dir, "rev-parse", "--verify", f"{commit_id}^{{tree}}", env=env)


def _stale(ref: str, now: str | None) -> Stale:
    name = printable(ref.removeprefix("refs/heads/"), 60)
    at = f"it is at {now[:10]} now" if now else "it has no commit"
    return Stale(
        "STALE_PARENT",  # the Hub's words now and before, by which clients know it
        "The branch was updated since you opened this page. Please refresh and try again. "
        f"(A commit has happened since. Please refresh and try again. {name!r}: {at})",
    )


class _Import:
    """One run of fast-import: contents go in as they come, then the paths are judged, then the commit is written."""

    def __init__(self, git: Git, git_dir: str, env: dict[str, str], old: str | None) -> None:
        self.git, self.git_dir, self.env, self.old = git, git_dir, env, old
        self.process: subprocess.Popen | None = None
        self.steps: list[_Step] = []

    def run(self, changes: Iterable[Change | _Step], message: str, author: tuple[str, str]) -> str:
        """Changes, or the steps of a run before, whose contents are in the repo."""
        args = ("fast-import", "--quiet", "--done", "--date-format=raw")
        self.process = self.git.start(self.git_dir, *args, stdin=subprocess.PIPE, env=self.env)
        try:
            for one in changes:
                self.steps += self._steps(one) if isinstance(one, Change) else [one]
            self._judge(self.steps)
            new = self._commit(message, author)
            self._end()
            return new
        except (BrokenPipeError, ConnectionError):
            self._end()
            raise failed(self.git_dir, "fast-import", 1, "it ended early") from None
        finally:
            end(self.process)
            Path(self.git_dir, f"fast_import_crash_{self.process.pid}").unlink(missing_ok=True)

    def _write(self, data: bytes) -> None:
        self.process.stdin.write(data)

    def _steps(self, change: Change) -> list[_Step]:
        """A move with new content is one step more."""
        if not change.moved_from:
            return [(change.path, self._content(change))]
        moved = (check_path(change.path, True), "<" + check_path(change.moved_from))
        return [moved] if change.content is None else [moved, (change.path, self._content(change))]

    def _content(self, change: Change) -> str:
        check_path(change.path, change.content is not None)
        if change.content is None:
            return "folder" if change.folder else "file"
        self._write(b"blob\ndata %d\n" % len(change.content))
        self._write(change.content)
        self._write(b"\n")
        named = hashlib.sha1(b"blob %d\0" % len(change.content), usedforsecurity=False)
        named.update(change.content)  # which may be large: no copy
        return named.hexdigest()

    def _commit(self, message: str, author: tuple[str, str]) -> str:
        who = b"%s <%s> %d +0000\n" % (plain(author[0]), plain(author[1]), int(time.time()))
        text = message.encode("utf-8", "replace").replace(b"\0", b"")
        self._write(b"commit %s\nmark :1\n" % _SCRATCH)
        self._write(b"author " + who + b"committer " + who + b"data %d\n" % len(text) + text + b"\n")
        if self.old:
            self._write(b"from %s\n" % self.old.encode())
        for path, what in self.steps:
            if _OID.fullmatch(what):
                self._write(b"M 100644 %s %s\n" % (what.encode(), _quote(path)))
            elif what.startswith("<"):
                self._write(b"R %s %s\n" % (_quote(what[1:]), _quote(path)))
            else:
                self._write(b"D %s\n" % _quote(path))
        self._write(b"\nget-mark :1\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().decode().strip()

    def _end(self) -> None:
        try:
            # Back to nothing before it ends: fast-import then writes no ref, which would name what is in quarantine.
            _, errors = self.process.communicate(b"reset %s\nfrom %s\n\ndone\n" % (_SCRATCH, ZERO.encode()), WALL_CLOCK)
        except (BrokenPipeError, ValueError):
            errors = self.process.stderr.read() if not self.process.stderr.closed else b""
        if self.process.wait(10):
            detail = errors.decode("utf-8", "replace").strip()
            raise failed(self.git_dir, "fast-import", self.process.returncode, detail)

    # ------------------------------------------------------------------------------------- the rules between paths

    def _judge(self, steps: list[_Step]) -> None:
        """Walk the changes in order: a delete must hit something, one of a folder a folder; a file must not be a folder too."""
        paths = {path for path, _ in steps} | {what[1:] for _, what in steps if what.startswith("<")}
        names = sorted({probe for path in paths for probe in (path, *_above(path))})
        there = self._there(names)
        for path, what in steps:
            if what.startswith("<"):
                self._move(there, what[1:], path)
                continue
            kind = there.get(path)
            if _OID.fullmatch(what):
                if kind == "tree":
                    raise _clash(path, "is a folder")
                for above in _above(path):
                    if there.get(above) == "blob":
                        raise _clash(path, f"is below {printable(above, 80)!r}, which is a file")
                    there[above] = "tree"
                there[path] = "blob"
                continue
            if kind is None or (what == "folder" and kind != "tree"):
                raise NotFound("EntryNotFound", "A file with this name doesn't exist", path=printable(path))
            there[path] = None
            if kind == "tree":  # clients that were given a path without a slash call it a file
                # '0' follows '/' in the order of characters, so this is the range of everything below.
                for gone in names[bisect_left(names, path + "/") : bisect_left(names, path + "0")]:
                    there[gone] = None

    @staticmethod
    def _move(there: dict[str, str | None], old: str, new: str) -> None:
        if there.get(old) != "blob":
            raise NotFound("EntryNotFound", "A file with this name doesn't exist", path=printable(old))
        if there.get(new):
            raise _clash(new, "is there already")
        for above in _above(new):
            if there.get(above) == "blob":
                raise _clash(new, f"is below {printable(above, 80)!r}, which is a file")
            there[above] = "tree"
        there[new], there[old] = there[old], None

    def _there(self, wanted: list[str]) -> dict[str, str | None]:
        if not self.old or not wanted:
            return dict.fromkeys(wanted)
        asked = b"".join(b"%s:%s\n" % (self.old.encode(), path.encode()) for path in wanted)
        out = self.git.run(self.git_dir, "cat-file", "--batch-check=%(objecttype)", stdin=asked)
        words = out.decode("utf-8", "replace").splitlines()
        # A submodule's commit is not here: git calls it missing, and fast-import may replace it.
        return {path: word if word in ("blob", "tree") else None for path, word in zip(wanted, words, strict=True)}


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def _clash(path: str, why: str) -> Invalid:
    return Invalid("PATH_CLASH", f"the file {printable(path, 100)!r} {why}; delete that first")


def _quote(path: str) -> bytes:
    return b'"' + path.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def identity(author: tuple[str, str]) -> dict[str, str]:
    """The environment in which git writes a commit of now in somebody's name."""
    name, mail = plain(author[0]).decode(), plain(author[1]).decode()
    told = {"NAME": name, "EMAIL": mail, "DATE": f"{int(time.time())} +0000"}
    return {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in told.items()}


def plain(text: str) -> bytes:
    cleaned = "".join(c for c in text if c not in "<>" and c.isprintable())
    return (cleaned.strip() or "unknown").encode("utf-8", "replace")
