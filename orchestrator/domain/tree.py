"""What is in a repo: entries of a tree, commits, and the changes that one is made of. No behaviour."""

from dataclasses import dataclass

from orchestrator.domain.large import Pointer

#: Known to every git, so that a first commit has something before it.
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """`oid` is the git object id; `size` 0 for directories."""

    path: str
    type: str  #: file | directory
    oid: str
    size: int
    mode: str = "100644"
    large: Pointer | None = None  #: the file stands for a large object, and `oid` and `size` are its pointer's


@dataclass(frozen=True, slots=True)
class Commit:
    id: str
    title: str
    message: str
    authors: tuple[str, ...]
    at: float
    parents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Blame:
    """`count` lines of a file, from line `first` (the first is 1) on, that came with one commit."""

    first: int
    count: int
    commit: Commit


@dataclass(frozen=True, slots=True)
class Changed:
    """What became of one file between two revisions, in git's words (git-diff(1), --raw). `before`, `after`: (mode, object id),
    zeros for none. `status`: a letter, and how like the two are when it is R. `moved_to`: its new path then."""

    path: str
    status: str
    before: tuple[str, str]
    after: tuple[str, str]
    moved_to: str = ""
    is_binary: bool = False
    size: int = 0  #: bytes of what it is after; of a large file those of the pointer


@dataclass(frozen=True, slots=True)
class Change:
    """One operation of a commit made through the API. `content` None means delete `path` (a folder when `folder`).
    `moved_from`: rename that file to `path` first, and leave it so when `content` is None."""

    path: str
    content: bytes | None
    folder: bool = False
    moved_from: str = ""
