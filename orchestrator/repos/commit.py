"""One commit made of a stream of changes, without a checkout: `git fast-import` on a scratch ref, then a compare-and-swap of
the real one. Owns the format that fast-import reads (git-fast-import(1)) and the rules between paths."""

import secrets
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
from orchestrator.repos.process import WALL_CLOCK, Git, GitFailed, end

MESSAGE_LIMIT = 64 * 1024  #: bytes


def commit(
    git: Git,
    git_dir: str,
    ref: str,
    old: str | None,
    changes: Iterable[Change],
    message: str,
    author: tuple[str, str],
    parent: str | None,
    before_update: Callable[[str | None, str], None],
) -> str:
    """See ports.Repos.commit; `old` is the ref's value."""
    if old is None and ref != MAIN:
        raise NotFound("RevisionNotFound", f"Invalid rev id: {printable(ref, 100)}")
    if parent and (old is None or len(parent) < 7 or not old.startswith(parent)):
        raise _stale(ref, old)
    if len(message.encode("utf-8", "replace")) > MESSAGE_LIMIT:
        raise Invalid("COMMIT_TOO_LARGE", f"the message is longer than {MESSAGE_LIMIT} bytes; shorten it")
    scratch = f"refs/podium/commit-{secrets.token_hex(8)}"
    try:
        new = _Import(git, git_dir, scratch, old).run(changes, message, author)
        if old and tree_of(git, git_dir, old) == tree_of(git, git_dir, new):
            return old
        before_update(old, new)
        try:
            git.run(git_dir, "update-ref", "--no-deref", ref, new, old or ZERO)
        except GitFailed:
            now = git.run(git_dir, "rev-parse", "--verify", "--quiet", ref, ok=(0, 1)).decode().strip() or None
            if now == old:
                raise
            raise _stale(ref, now) from None
        return new
    finally:
        git.run(git_dir, "update-ref", "-d", scratch)


def tree_of(git: Git, git_dir: str, commit_id: str) -> bytes:
    return git.run(git_dir, "rev-parse", "--verify", f"{commit_id}^{{tree}}")


def _stale(ref: str, now: str | None) -> Stale:
    name = printable(ref.removeprefix("refs/heads/"), 60)
    at = f"it is at {now[:10]} now" if now else "it has no commit"
    return Stale(
        "STALE_PARENT",  # its first words are the Hub's, by which clients know it
        f"The branch was updated since you opened this page. Please refresh and try again. ({name!r}: {at})",
    )


class _Import:
    """One run of fast-import: contents go in as they come, then the paths are judged, then the commit is written."""

    def __init__(self, git: Git, git_dir: str, scratch: str, old: str | None) -> None:
        self.git, self.git_dir, self.scratch, self.old = git, git_dir, scratch, old
        self.process: subprocess.Popen | None = None

    def run(self, changes: Iterable[Change], message: str, author: tuple[str, str]) -> str:
        args = ("fast-import", "--quiet", "--done", "--date-format=raw")
        self.process = self.git.start(self.git_dir, *args, stdin=subprocess.PIPE)
        try:
            steps = [step for mark, change in enumerate(changes) for step in self._steps(change, mark + 1)]
            self._judge(steps)
            new = self._commit(steps, message, author)
            self._end()
            return new
        except (BrokenPipeError, ConnectionError):
            self._end()
            raise GitFailed("fast-import", 1, "it ended early") from None
        except BaseException:
            self._abandon()
            raise
        finally:
            end(self.process)

    def _write(self, data: bytes) -> None:
        self.process.stdin.write(data)

    def _steps(self, change: Change, mark: int) -> list[tuple[str, str]]:
        """(path, what to do with it): a move is `<old path`, and new content for it is one step more."""
        if not change.moved_from:
            return [(change.path, self._content(change, mark))]
        moved = (check_path(change.path), "<" + check_path(change.moved_from))
        return [moved] if change.content is None else [moved, (change.path, self._content(change, mark))]

    def _content(self, change: Change, mark: int) -> str:
        """What to do with the path: the mark of its content, `file` or `folder` to delete."""
        check_path(change.path)
        if change.content is None:
            return "folder" if change.folder else "file"
        self._write(b"blob\nmark :%d\ndata %d\n" % (mark, len(change.content)))
        self._write(change.content)
        self._write(b"\n")
        return f":{mark}"

    def _commit(self, steps: list[tuple[str, str]], message: str, author: tuple[str, str]) -> str:
        who = b"%s <%s> %d +0000\n" % (plain(author[0]), plain(author[1]), int(time.time()))
        text = message.encode("utf-8", "replace").replace(b"\0", b"")
        self._write(b"commit %s\nmark :%d\n" % (self.scratch.encode(), len(steps) + 1))
        self._write(b"author " + who + b"committer " + who + b"data %d\n" % len(text) + text + b"\n")
        if self.old:
            self._write(b"from %s\n" % self.old.encode())
        for path, what in steps:
            if what.startswith(":"):
                self._write(b"M 100644 %s %s\n" % (what.encode(), _quote(path)))
            elif what.startswith("<"):
                self._write(b"R %s %s\n" % (_quote(what[1:]), _quote(path)))
            else:
                self._write(b"D %s\n" % _quote(path))
        self._write(b"\nget-mark :%d\n" % (len(steps) + 1))
        self.process.stdin.flush()
        return self.process.stdout.readline().decode().strip()

    def _end(self) -> None:
        try:
            _, errors = self.process.communicate(b"done\n", WALL_CLOCK)
        except (BrokenPipeError, ValueError):
            errors = self.process.stderr.read() if not self.process.stderr.closed else b""
        if self.process.wait(10):
            detail = errors.decode("utf-8", "replace").strip()
            raise GitFailed("fast-import", self.process.returncode, detail)

    def _abandon(self) -> None:
        end(self.process)
        for rest in Path(self.git_dir).glob(f"fast_import_crash_{self.process.pid}"):
            rest.unlink(missing_ok=True)

    # ------------------------------------------------------------------------------------- the rules between paths

    def _judge(self, steps: list[tuple[str, str]]) -> None:
        """Walk the changes in order: a delete must hit something, one of a folder a folder; a file must not be a folder too."""
        paths = {path for path, _ in steps} | {what[1:] for _, what in steps if what.startswith("<")}
        names = sorted({probe for path in paths for probe in (path, *_above(path))})
        there = self._there(names)
        for path, what in steps:
            if what.startswith("<"):
                self._move(there, what[1:], path)
                continue
            kind = there.get(path)
            if what.startswith(":"):
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
