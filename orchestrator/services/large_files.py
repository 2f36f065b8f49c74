"""Large files: objects stored once by their SHA-256, and the repos that own them. Owns the rule that a repo owns what was
uploaded to it and nothing else, so that knowing a hash gives nobody the bytes. Where bytes lie is `ports.Objects`; what
pointers stand in a repo is `ports.Repos`.

An upload goes: bytes in, checked, stored under a name never used before, then one transaction that says so. Removing goes the
other way round: doomed in a transaction, then the bytes. So no moment exists at which a row lies about bytes."""

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from orchestrator.domain.large import POINTER_LIMIT, POINTER_MIN, LargeObject
from orchestrator.domain.push import amount, printable
from orchestrator.domain.tree import TreeEntry
from orchestrator.errors import CallerError, Invalid, NotFound, TooLarge
from orchestrator.ports import Repos, Store
from orchestrator.ports_objects import Incoming, Objects

_SHOWN = 5
_ALL = 10_000_000  #: objects: more than any repo owns


@dataclass(frozen=True, slots=True)
class LargeLimits:
    """Bytes of one object, and of all objects of one repo."""

    file: int
    repo: int

    def room(self, guest: bool) -> int:
        """Bytes that a repo may have for an upload to be taken. `guest`: of somebody who may only propose changes; the second
        half is for those who may write, whatever others send and never commit."""
        return self.repo // 2 if guest else self.repo


class LargeFiles:
    def __init__(
        self, store: Store, objects: Objects, repos: Repos, limits: LargeLimits, clock: Callable[[], float] = time.time
    ) -> None:
        self._store, self._repos, self._clock = store, repos, clock
        self.objects = objects
        self.limits = limits

    # ----------------------------------------------------------------------------------------------------- reading

    def owned(self, repo_id: str, oids: Iterable[str]) -> dict[str, LargeObject]:
        """Those of these objects that the repo owns."""
        with self._store.read() as tx:
            return tx.objects.owned(repo_id, oids)

    def of(self, repo_id: str, after: str, limit: int) -> list[LargeObject]:
        """What the repo owns, by SHA-256, from the one after `after`."""
        with self._store.read() as tx:
            return tx.objects.of(repo_id, after, limit)

    def let_go(self, repo_id: str, oids: Iterable[str]) -> None:
        """The repo owns these no more."""
        with self._store.write() as tx:
            tx.objects.disown(repo_id, oids)

    def usage(self, repo_id: str) -> int:
        """Bytes of everything that the repo owns."""
        with self._store.read() as tx:
            return tx.objects.usage(repo_id)

    def seen(self, repo_id: str, entries: Iterable[TreeEntry]) -> list[TreeEntry]:
        """The entries, `large` set where one stands for an object of this repo. A pointer to anything else is a small text."""
        entries = list(entries)
        small = {e.oid for e in entries if POINTER_MIN <= e.size < POINTER_LIMIT and e.mode in ("100644", "100755")}
        pointers = self._repos.pointers(repo_id, small) if small else {}
        if not pointers:
            return entries
        have = self.owned(repo_id, {pointer.oid for pointer in pointers.values()})
        told = {blob: pointer for blob, pointer in pointers.items() if pointer.oid in have}
        return [replace(e, large=told[e.oid]) if e.oid in told and e.type == "file" else e for e in entries]

    def read(self, repo_id: str, oid: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Bytes of an object of the repo. Raises NotFound `LFS_OBJECT`, Unavailable."""
        found = self.owned(repo_id, [oid]).get(oid)
        if found is None:
            raise NotFound("LFS_OBJECT", f"this repository has no LFS object {printable(oid, 64)}")
        return self.objects.read(found.place, start, end)

    def for_build(self, repo_id: str, revision: str) -> dict[str, str]:
        """SHA-256 of each object that a revision names and the repo owns -> a file with it. What is wrong with the revision is
        for the builder to say. Raises Unavailable."""
        try:
            entries = self.seen(repo_id, self._repos.tree(repo_id, revision, "", True))
        except CallerError:
            return {}
        objects = self.owned(repo_id, {entry.large.oid for entry in entries if entry.large})
        return {oid: self.objects.path(found.place) for oid, found in objects.items()}

    def share(self, source_id: str, target_id: str) -> None:
        """A repo that is copied from another one owns what that one does."""
        now = self._clock()
        with self._store.write() as tx:
            for found in tx.objects.of(source_id):
                tx.objects.own(target_id, found.oid, now)

    def give(self, source_id: str, target_id: str, oid: str, guest: bool = False) -> None:
        """A repo into which one file of another is copied owns its object too. Raises NotFound `LFS_OBJECT`, TooLarge."""
        found = self.owned(source_id, [oid]).get(oid)
        if found is None:
            raise NotFound("LFS_OBJECT", f"the repository has no LFS object {printable(oid, 64)}")
        if self.owned(target_id, [oid]):
            return
        self.check_room(target_id, found.size, guest)
        with self._store.write() as tx:
            tx.objects.own(target_id, oid, self._clock())

    # ----------------------------------------------------------------------------------------------------- storing

    def check_room_for(self, repo_id: str, sizes: Iterable[int]) -> None:
        """Raises TooLarge `REPO_TOO_LARGE` when new files of these sizes cannot all fit, whatever is in them. What the repo owns
        needs no room again, and equal sizes may be equal files. Clients of Xet show no words of later refusals."""
        sizes = set(sizes)
        if self.usage(repo_id) + sum(sizes) > self.limits.room(False):
            new = sizes - {one.size for one in self.of(repo_id, "", _ALL)}
            if new:
                self._check_total(repo_id, sum(new), False)

    def check_room(self, repo_id: str, size: int, guest: bool = False) -> None:
        """Raises TooLarge `FILE_TOO_LARGE` or `REPO_TOO_LARGE` for what will not be taken. `guest`: see `LargeLimits.room`."""
        if size > self.limits.file:
            message = f"the file has {amount(size)}, one large file may have {amount(self.limits.file)}"
            raise TooLarge("FILE_TOO_LARGE", message)
        self._check_total(repo_id, size, guest)

    def _check_total(self, repo_id: str, size: int, guest: bool) -> None:
        if (total := self.usage(repo_id) + size) > (room := self.limits.room(guest)):
            message = f"the large files of the repository would have {amount(total)}, limit {amount(room)}"
            message += " for those who may not write to it" if guest else ""
            raise TooLarge("REPO_TOO_LARGE", message)

    def receive(self, name: str = "") -> Incoming:
        """See `ports.Objects.receive`."""
        return self.objects.receive(name)

    def take(self, repo_id: str, incoming: Incoming, oid: str, size: int) -> None:
        """The bytes are all there: check them, store them unless they are, and have the repo own them. Raises Invalid
        `LFS_HASH` when they are not what was announced; nothing of them stays then."""
        try:
            check_hash(oid, size, incoming.sha256(), incoming.size)
        except Invalid:
            incoming.drop()
            raise
        if self._own(repo_id, oid):
            incoming.drop()
            return
        place = f"{oid}.{secrets.token_hex(4)}"
        incoming.keep(place)
        now = self._clock()
        with self._store.write() as tx:
            there = tx.objects.put(oid, size, place, now)
            tx.objects.own(repo_id, oid, now)
        if there != place:
            self.objects.remove(place)

    def call(self, repo_id: str, hash: str, oid: str) -> None:
        """A Xet client names this object of the repo's by a hash of its own."""
        with self._store.write() as tx:
            tx.objects.call(repo_id, hash, oid)

    def _own(self, repo_id: str, oid: str) -> bool:
        """Have the repo own an object whose bytes it has just shown; False when they are not stored yet."""
        now = self._clock()
        with self._store.write() as tx:
            place = tx.objects.keep(oid, now)
            if place:
                tx.objects.own(repo_id, oid, now)
        if not place:
            return False
        if self.objects.size(place) is not None:
            return True
        with self._store.write() as tx:  # somebody took the bytes from the storage: what is uploaded now replaces them
            tx.objects.lose(place, now)
        return False

    # ---------------------------------------------------------------------------------------------------- committing

    def stay(self, repo_id: str, oids: Iterable[str]) -> None:
        """Those of these objects that the repo owns stay for long enough to be named."""
        with self._store.write() as tx:
            tx.objects.use(repo_id, oids, self._clock())

    def use(self, repo_id: str, named: Mapping[str, tuple[str, int]]) -> None:
        """A revision is about to name these objects (SHA-256 -> a path that names it, the size said there): they stay from now
        on. Raises Invalid `LFS_MISSING` for those that the repo does not own."""
        if not named:
            return
        with self._store.write() as tx:
            used = tx.objects.use(repo_id, named, self._clock())
            have = tx.objects.owned(repo_id, used)
        lacking = [path for oid, (path, size) in named.items() if oid not in have or have[oid].size != size]
        if lacking:
            raise missing(lacking)

    def size_of(self, repo_id: str, oid: str, path: str) -> int:
        """Bytes of an object of the repo. Raises Invalid `LFS_MISSING`."""
        found = self.owned(repo_id, [oid]).get(oid)
        if found is None:
            raise missing([path])
        return found.size


def check_hash(oid: str, size: int, found: str, length: int) -> None:
    """Raises Invalid `LFS_HASH` when what came is not what was announced."""
    if (found, length) != (oid, size):
        message = f"announced were {size} bytes with the SHA-256 {oid}, received {length} with {found}; upload it again"
        raise Invalid("LFS_HASH", message)


def missing(paths: list[str]) -> Invalid:
    listed = ", ".join(printable(path, 80) for path in paths[:_SHOWN])
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return Invalid(
        "LFS_MISSING",
        f"the LFS objects of {listed}{more} were not uploaded to this repository; upload them first "
        "(git: `git lfs push --all origin`) and try again",
    )
