"""The seam of branches and pull requests, beside `ports.Repos`: what they need of a git repo. repos/refs.py, on one machine and
on a volume."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from orchestrator.domain.tree import Blame, Changed, Commit


@dataclass(frozen=True, slots=True)
class Merged:
    """A merge that was tried. `tree`: of the result, "" when it cannot be. `conflicts`: files that both sides changed.
    `unrelated`: the two have no commit in common. `same`: ours has it all already."""

    tree: str
    conflicts: tuple[str, ...] = ()
    unrelated: bool = False
    same: bool = False


class Refs(Protocol):
    """What branches, tags and pull requests need of a git repo beyond Repos. Authors are (name, mail)."""

    def below(self, repo_id: str, prefix: str) -> dict[str, str]:
        """Full names of the refs below a prefix -> commit id, tags peeled."""

    def move(self, repo_id: str, ref: str, new: str, old: str) -> None:
        """From `old` to `new` (ZERO: absent), durable on return. Raises Stale when it is not at `old`, Conflict `REF_CLASH`,
        Invalid `REF_NAME`."""

    def tag(self, repo_id: str, name: str, commit: str, message: str, tagger: tuple[str, str]) -> str:
        """A tag object, which no ref names yet; returns its id."""

    def snapshot(self, repo_id: str, commit: str | None, message: str, author: tuple[str, str]) -> str:
        """A commit without a past, with the files of another one (None: with none); returns its id."""

    def trial(self, repo_id: str, ours: str, theirs: str) -> Merged:
        """What a merge of two commits would give."""

    def merged(self, repo_id: str, tree: str, parents: Iterable[str], message: str, author: tuple[str, str]) -> str:
        """A commit with this tree; returns its id."""

    def between(self, repo_id: str, base: str, head: str, limit: int) -> list[Commit]:
        """The commits of `head` that `base` has not, oldest first."""

    def diff(self, repo_id: str, base: str, head: str, from_fork: bool, limit: int) -> Iterator[bytes]:
        """A patch of at most `limit` bytes. `from_fork`: from where the two parted."""

    def changed(self, repo_id: str, base: str, head: str, from_fork: bool) -> list[Changed]:
        """What `diff` tells of the same two, without the lines. Raises Unavailable when it takes too long."""

    def fetch(self, repo_id: str, url: str, pin: str, limit: int) -> str:
        """Bring the history of another repo's HEAD, at most `limit` bytes, from the one address that `pin` (host:port:address)
        names; returns its commit, which stays until `release`. Raises Invalid `IMPORT`, TooLarge `IMPORT_SIZE`."""

    def release(self, repo_id: str) -> None:
        """Forget what `fetch` brought, unless a ref names it."""

    def last_commits(self, repo_id: str, commit: str, paths: Iterable[str]) -> dict[str, Commit]:
        """The commit that touched each path last; those that took too long to find are left out."""

    def blame(self, repo_id: str, commit: str, path: str) -> list[Blame]:
        """Which commits the lines of a file come from, in their order; those that took too long to find are left out. Raises
        NotFound `EntryNotFound`, Unavailable when too many ask at once."""
