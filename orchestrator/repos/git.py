"""Bare git repos on disk (ports.Repos). Owns where they lie, reading them, and making what changed durable. Every read is one
short plumbing process on objects; commits are `commit.py`, facts about a push `inspect.py`, the wire `smart.py`."""

import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from orchestrator.domain.large import Pointer
from orchestrator.domain.push import Pushed, RefUpdate, printable
from orchestrator.domain.space import MAIN
from orchestrator.domain.tree import Change, Commit, TreeEntry
from orchestrator.errors import Invalid, NotFound, Unavailable
from orchestrator.repos import care as caring
from orchestrator.repos import commit as committing
from orchestrator.repos import create as creating
from orchestrator.repos import duplicate as duplicating
from orchestrator.repos import history, lock
from orchestrator.repos import inspect as inspecting
from orchestrator.repos import pointers as pointing
from orchestrator.repos.durable import sync as sync_folder
from orchestrator.repos.known import Known
from orchestrator.repos.process import Git, GitFailed
from orchestrator.repos.reader import Reader

_ID = re.compile(r"[0-9a-f]{8,64}")
_HEX = re.compile(r"[0-9a-f]{7,40}")
_BAD_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[-/.]|[/.]$|\.lock$|^@$|/\.")
_CHUNK = 64 * 1024
_TREE_LIMIT = 200_000  #: entries listed at once; no push may bring as many
_REMEMBERED = 10_000  #: entries of one listing that are remembered
_LEAVING = 3.0  #: seconds that the removal of a repo waits for who writes to it


class GitRepos:
    """`root` holds the repos and, in `.podium`, the configuration and hooks; `push_limit` in bytes."""

    def __init__(self, root: Path, push_limit: int) -> None:
        self._root = root
        self._known = Known()
        root.mkdir(parents=True, exist_ok=True)
        self.git = Git(root / ".podium", push_limit)
        self._reader = Reader(self.git)
        #: An empty repo: what a push to a Space that does not exist yet is shown.
        self.blank = str(root / ".podium" / "blank.git")
        creating.by_git(self.git, Path(self.blank))

    # ------------------------------------------------------------------------------------------------- the repos

    def create(self, repo_id: str) -> None:
        creating.like(Path(self.blank), self._path(repo_id))

    def remove(self, repo_id: str) -> None:
        path = self._path(repo_id)
        doomed = path.with_name(f"{path.name}.removed-{time.time_ns()}")
        try:
            with lock.alone(str(path), _LEAVING, True) as ours:
                if not ours:
                    raise Unavailable(f"{path.name}: somebody still writes to this repo; it is removed later")
                path.rename(doomed)
        except (FileNotFoundError, NotFound):
            return
        self._reader.forget(str(path))
        shutil.rmtree(doomed, ignore_errors=True)

    def clear(self) -> None:
        """See `ports.Repos.clear`."""
        for path in self._root.glob("??/*.git.*"):
            caring.remove_old(path, time.time() - caring.STALE)

    def git_dir(self, repo_id: str) -> str:
        return str(self._path(repo_id))

    def size(self, repo_id: str) -> int:
        return inspecting.disk_usage(self.git_dir(repo_id))

    def _path(self, repo_id: str) -> Path:
        if not _ID.fullmatch(repo_id):
            raise ValueError(f"not a repo id: {repo_id!r}")
        return self._root / repo_id[:2] / f"{repo_id}.git"

    # ---------------------------------------------------------------------------------------------------- reading

    def head(self, repo_id: str, ref: str = MAIN) -> str | None:
        out = self.git.run(
            self.git_dir(repo_id), "rev-parse", "--verify", "--quiet", "--end-of-options", _ref(ref), ok=(0, 1)
        )
        return out.decode().strip() or None

    def resolve(self, repo_id: str, revision: str) -> str:
        since = caring.ended_at(self.git_dir(repo_id))
        if self._known.get((repo_id, revision)) == since:
            return revision
        tried = []
        named = f"refs/convert/{revision[1:]}" if revision.startswith("~") else revision  # as DuckDB writes it
        if not _BAD_REF.search(named) and len(named) <= 250:
            tried = [f"refs/heads/{named}", f"refs/tags/{named}"]
            if named.startswith(("refs/heads/", "refs/tags/", "refs/pr/", "refs/convert/")):
                tried.insert(0, named)
            if _HEX.fullmatch(revision):
                tried.append(revision)
            if revision == "HEAD":
                tried.append(MAIN)
        for name in tried:
            found = self._reader.info(self.git_dir(repo_id), f"{name}^{{commit}}".encode("utf-8", "replace"))
            if found and found[1] == "commit":
                if found[0] == revision:
                    self._known.put([((repo_id, revision), since)])
                return found[0]
        raise NotFound("RevisionNotFound", f"Invalid rev id: {printable(revision, 100)}")

    def refs(self, repo_id: str) -> dict[str, str]:
        out = self.git.run(
            self.git_dir(repo_id),
            "for-each-ref",
            "--format=%(objectname) %(*objectname) %(refname)",
            "refs/heads",
            "refs/tags",
        )
        found = {}
        for line in out.decode("utf-8", "replace").splitlines():
            oid, peeled, name = line.split(" ", 2)
            found[name] = peeled or oid
        return found

    def tree(self, repo_id: str, commit: str, path: str = "", recursive: bool = False) -> list[TreeEntry]:
        where = f"{_commit(commit)}:{path.strip('/')}" if path.strip("/") else _commit(commit)
        flags = ("-r", "-t") if recursive else ()
        if "\x00" in path or self._type(repo_id, where) not in ("tree", "commit"):
            raise _no_entry()
        prefix = path.strip("/") + "/" if path.strip("/") else ""
        found = []
        with self.git.pipe(self.git_dir(repo_id), ("ls-tree", "-z", "-l", *flags, where)) as out:
            for record in inspecting.records(out):
                found.append(_entry(record, prefix))
                if len(found) > _TREE_LIMIT:
                    raise Invalid("TREE_BOMB", f"this revision unfolds to more than {_TREE_LIMIT} entries")
        if len(found) <= _REMEMBERED:
            self._known.put(((repo_id, commit, one.path), one) for one in found)
        return found

    def entry(self, repo_id: str, commit: str, path: str) -> TreeEntry:
        path = path.strip("/")
        if not path:
            oid = self.git.run(self.git_dir(repo_id), "rev-parse", "--verify", f"{_commit(commit)}^{{tree}}")
            return TreeEntry("", "directory", oid.decode().strip(), 0, "040000")
        if "\x00" in path:
            raise _no_entry()
        if known := self._known.get((repo_id, commit, path)):
            return known
        out = self.git.run(
            self.git_dir(repo_id), "ls-tree", "-z", "-l", "--full-tree", _commit(commit), "--", os.fsencode(path)
        )
        for record in out.split(b"\0"):
            if record and (found := _entry(record)).path == path:
                self._known.put([((repo_id, commit, path), found)])
                return found
        raise _no_entry()

    def blob(self, repo_id: str, oid: str) -> Iterator[bytes]:
        small = self._reader.blob(self.git_dir(repo_id), _commit(oid).encode())
        if small is not None:
            yield small
            return
        with self.git.pipe(self.git_dir(repo_id), ("cat-file", "blob", oid)) as out:
            while chunk := out.read(_CHUNK):
                yield chunk

    def read(self, repo_id: str, commit: str, path: str, limit: int) -> bytes | None:
        where = f"{_commit(commit)}:{path.strip('/')}"
        small = self._reader.blob(self.git_dir(repo_id), os.fsencode(where))
        if small is not None:
            return small[:limit]
        if "\x00" in path or self._type(repo_id, where) != "blob":
            return None
        with self.git.pipe(self.git_dir(repo_id), ("cat-file", "blob", where)) as out:
            return out.read(limit)

    def log(self, repo_id: str, commit: str, skip: int = 0, limit: int = 50) -> list[Commit]:
        return history.log(self.git, self.git_dir(repo_id), _commit(commit), skip, limit)

    def count(self, repo_id: str, commit: str) -> int:
        key = (repo_id, commit, None)
        if (known := self._known.get(key)) is None:
            known = history.count(self.git, self.git_dir(repo_id), _commit(commit))
            self._known.put([(key, known)])
        return known

    def pointers(self, repo_id: str, oids: Iterable[str]) -> dict[str, Pointer]:
        return pointing.pointers(self.git, self.git_dir(repo_id), oids)

    def named(self, repo_id: str) -> set[str]:
        return pointing.named(self.git, self.git_dir(repo_id))

    def _type(self, repo_id: str, name: str) -> str:
        """blob, tree, commit, tag, or nothing."""
        asked = os.fsencode(name)
        if b"\n" in asked:
            out = self.git.run(self.git_dir(repo_id), "cat-file", "-t", "--end-of-options", asked, ok=(0, 128))
            return out.decode().strip()
        found = self._reader.info(self.git_dir(repo_id), asked)
        return found[1] if found else ""

    # ---------------------------------------------------------------------------------------------------- writing

    def writing(self, repo_id: str) -> AbstractContextManager[None]:
        """See `ports.Repos.writing`."""
        return lock.writing(self.git_dir(repo_id))

    def commit(
        self,
        repo_id: str,
        ref: str,
        changes: Iterable[Change],
        message: str,
        author: tuple[str, str],
        parent: str | None = None,
        before_update: Callable[[str | None, str, str], None] = lambda old, new, quarantine: None,
    ) -> str:
        with self.writing(repo_id):
            old = self.head(repo_id, _ref(ref))
            made = committing.commit(
                self.git, self.git_dir(repo_id), ref, old, changes, message, author, parent, before_update
            )
            self.sync(repo_id, ref)
        return made

    def duplicate(
        self,
        source_id: str,
        commit: str,
        repo_id: str,
        message: str,
        author: tuple[str, str],
        before_update: Callable[[str | None, str, str], None] = lambda old, new, quarantine: None,
    ) -> str:
        target = self.git_dir(repo_id)
        with self.writing(source_id), self.writing(repo_id):
            made = duplicating.duplicate(
                self.git, self.git_dir(source_id), _commit(commit), target, message, author, before_update
            )
            self.sync(repo_id, MAIN)
        return made

    def sync(self, repo_id: str, *refs: str) -> None:
        """Make renames of refs and packs durable: git fsyncs the files, never the directories."""
        top = self._path(repo_id)
        folders = {top / "objects" / "pack", top / "objects", top / "refs", top}
        for ref in refs:
            folder = (top / ref).parent
            while folder != top and top in folder.parents:
                folders.add(folder)
                folder = folder.parent
        for folder in folders:
            sync_folder(folder)

    # --------------------------------------------------------------------------------------------------- a push

    def inspect(self, repo_id: str, updates: tuple[RefUpdate, ...], quarantine: str, file_limit: int) -> Pushed:
        """Facts about objects that git holds in quarantine until the push is accepted. `quarantine` is a directory below
        this repo's objects, "" when the objects are in already. Raises Invalid when it is not."""
        top = self.git_dir(repo_id)
        if quarantine and not _inside(quarantine, os.path.join(top, "objects")):
            raise Invalid("GIT_PROTOCOL", "the quarantine is not this repo's")
        return inspecting.inspect(self.git, top, updates, quarantine, file_limit)

    def tidy(self, repo_id: str) -> bool:
        """See `ports.Repos.tidy`."""
        return caring.sweep(self.git, self.git_dir(repo_id))

    def tend(self, repo_id: str, kept: Iterable[str], grace: float) -> int:
        """See `ports.Repos.tend`."""
        freed = caring.tend(self.git, self.git_dir(repo_id), kept, grace)
        if freed:
            self._reader.forget(self.git_dir(repo_id))  # they would still find what is gone
        return freed


def _entry(record: bytes, prefix: str = "") -> TreeEntry:
    """One record of `ls-tree -z -l`: `<mode> <type> <oid> <size>\\t<path>`; symlinks are files, submodules directories."""
    facts, _, path = record.partition(b"\t")
    mode, kind, oid, size = facts.split()
    name = path.decode("utf-8", "replace")
    return TreeEntry(
        prefix + name,
        "file" if kind == b"blob" else "directory",
        oid.decode(),
        int(size) if size.isdigit() else 0,
        mode.decode(),
    )


def _commit(oid: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{40}", oid):
        raise NotFound("RevisionNotFound", f"Invalid rev id: {printable(oid, 100)}")
    return oid


def _ref(ref: str) -> str:
    if not ref.startswith("refs/") or _BAD_REF.search(ref) or len(ref) > 250:
        raise Invalid("REF_NAME", f"{printable(ref, 100)!r} cannot be the name of a branch or tag")
    return ref


def _no_entry() -> NotFound:
    return NotFound("EntryNotFound", "Entry not found")


def _inside(path: str, folder: str) -> bool:
    real = os.path.realpath(path)
    return os.path.dirname(real) == os.path.realpath(folder) and os.path.isdir(real)


__all__ = ["GitFailed", "GitRepos"]
