"""Keeps one repo small and fast for years: what a crash left, packs, refs, the graph of commits, the end of what nothing names.

What nothing names any more is set apart in a pack of its own (`packs.part`). After the grace it is asked once more whether
something leads there; then it is removed, with the repo's lock held alone, so that no writer relies on it. Whatever is met in it
again goes back among the rest. So nothing depends on clocks or on how long a writer takes: the grace is for readers, and for who
forced a push by mistake."""

import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from orchestrator import failpoints
from orchestrator.errors import Unavailable, repo_not_found
from orchestrator.repos import lock, packs
from orchestrator.repos.durable import remove, sync
from orchestrator.repos.process import WALL_CLOCK, Git

STALE = WALL_CLOCK + 300  #: seconds after which a lock or a quarantine belongs to nobody
MANY_PACKS = 40  #: a repo with more packs is tidied at once
_LEFTOVERS = ("*.lock", "refs/**/*.lock", "objects/tmp_objdir-*", "objects/incoming-*", "objects/pack/tmp_*")
_MARK = "podium-tended"  #: a file with what the repo was like when it was left in order
_ENDED = "podium-pruned"  #: a file that is as old as the last time that something was removed
_SMALL = 1024**2  #: bytes that are not worth packing all of a repo
_FEW_PACKS, _FEW_REFS = 8, 50
_SHORT = 60.0  #: seconds that writers wait at most


def sweep(git: Git, git_dir: str) -> bool:
    """Clear away what dead processes left; few packs. Returns whether something is there that may be a living one's."""
    top = Path(git_dir)
    before = time.time() - STALE
    try:
        left = [remove_old(path, before) for pattern in _LEFTOVERS for path in top.glob(pattern)]
    except FileNotFoundError:  # a folder went while it was read: git's own, or all of the repo
        return top.exists()
    if sum(1 for _ in top.glob("objects/pack/*.idx")) > MANY_PACKS:
        with lock.caring(git_dir) as ours:
            if ours:
                packs.combine(git, git_dir)
    return not all(left)


def tend(git: Git, git_dir: str, kept: Iterable[str], grace: float) -> int:
    """See `ports.Repos.tend`."""
    sweep(git, git_dir)
    try:
        with lock.caring(git_dir) as ours:
            return _tend(git, git_dir, sorted({*kept}), grace) if ours else 0
    except OSError as error:
        if not os.path.isdir(git_dir):
            raise repo_not_found() from None
        raise Unavailable(f"the storage of repos failed: {error}") from None


def _tend(git: Git, git_dir: str, asked: list[str], grace: float) -> int:
    """Starts no program for a repo that is as it was left: there are thousands of these."""
    ended = [pack for pack in packs.packs(git_dir) if pack.cruft and _old(pack, grace)]
    if not ended and _marked(git_dir, asked):
        return 0
    kept = _there(git, git_dir, asked)
    freed = sum(_end(git, git_dir, kept, pack) for pack in ended)
    if not _marked(git_dir, asked):
        _order(git, git_dir, kept)
        _pack_refs(git, git_dir)
        git.run(git_dir, "commit-graph", "write", "--reachable", "--changed-paths", timeout=packs.PATIENCE)
        _mark(git_dir, asked)
    return freed


def ended_at(git_dir: str) -> int:
    """What changes whenever commits that were there may be gone; never None."""
    try:
        return os.stat(os.path.join(git_dir, _ENDED)).st_mtime_ns
    except FileNotFoundError:
        return 0


def _old(pack: packs.Pack, grace: float) -> bool:
    return pack.at <= time.time() - grace


def _order(git: Git, git_dir: str, kept: list[str]) -> None:
    """Everything anew where something is named no more, or much has come; else what is small together."""
    found = packs.packs(git_dir)
    whole = sum(pack.size for pack in found if pack.bitmap)
    rest = sum(pack.size for pack in found if not pack.bitmap and not pack.cruft)
    waiting = any(
        pack.cruft for pack in found
    )  # its time runs: what came to be unnamed meanwhile is for the next round
    if not waiting and (rest > max(_SMALL, whole / 2) or _present(git, git_dir) != _named(git, git_dir, kept)):
        packs.part(git, git_dir, kept)
    elif len(found) > _FEW_PACKS:
        packs.combine(git, git_dir)


def _end(git: Git, git_dir: str, kept: list[str], pack: packs.Pack) -> int:
    """Remove what was set apart, unless something leads there again. Returns the bytes freed."""
    if not os.path.exists(f"{pack.path}.idx"):  # it went with another one
        return 0
    tips = {*_tips(git, git_dir), *kept}
    if _leads_into(git, git_dir, tips, (), pack):
        packs.part(git, git_dir, kept)
        return 0
    with lock.alone(git_dir) as ours:
        if not ours:
            return 0
        newer = _tips(git, git_dir) - tips
        if newer and _leads_into(git, git_dir, newer, tips, pack, _SHORT):
            return 0
        Path(git_dir, _ENDED).touch()
        freed = packs.drop(pack) + _halves(git_dir)
    sync(os.path.join(git_dir, "objects", "pack"))
    return freed


def _leads_into(
    git: Git, git_dir: str, tips: Iterable[str], known: Iterable[str], pack: packs.Pack, timeout: float = packs.PATIENCE
) -> bool:
    """Whether `tips` lead to an object of this pack, but for what `known` ones lead to."""
    asked = "".join([*(f"{tip}\n" for tip in tips), *(f"^{tip}\n" for tip in known)]).encode()
    words = ("rev-list", "--objects", "--no-object-names", "--stdin")
    with git.pipe(git_dir, words, stdin=asked, timeout=timeout) as out:
        if packs.has_any(pack, (line.strip() for line in out)):
            return True
    return False


def _tips(git: Git, git_dir: str) -> set[str]:
    return set(git.run(git_dir, "for-each-ref", "--format=%(objectname)", timeout=_SHORT).decode().split())


def _there(git: Git, git_dir: str, commits: Iterable[str]) -> list[str]:
    """Those of `commits` that the repo has."""
    asked = "".join(f"{one}\n" for one in commits).encode()
    if not asked:
        return []
    out = git.run(git_dir, "cat-file", "--batch-check=%(objecttype) %(objectname)", stdin=asked)
    rows = (line.split() for line in out.decode().splitlines())
    return [row[1] for row in rows if row[0] == "commit"]


def _present(git: Git, git_dir: str) -> int:
    words = ("cat-file", "--batch-all-objects", "--unordered", "--batch-check=%(objectname)", "--buffer")
    with git.pipe(git_dir, words, timeout=packs.PATIENCE) as out:
        return sum(1 for _ in out)


def _named(git: Git, git_dir: str, kept: list[str]) -> int:
    """How many objects all refs and `kept` lead to."""
    asked = "".join(f"{one}\n" for one in kept).encode()
    words = ("rev-list", "--objects", "--no-object-names", "--all", "--stdin")
    with git.pipe(git_dir, words, stdin=asked, timeout=packs.PATIENCE) as out:
        return sum(1 for _ in out)


def _halves(git_dir: str) -> int:
    """Files of packs without an index, which a crash left: nobody is at work while this is called."""
    folder = os.path.join(git_dir, "objects", "pack")
    names = set(os.listdir(folder))
    lost = [one for one in names if one.startswith("pack-") and f"{one.split('.')[0]}.idx" not in names]
    return remove(*(os.path.join(folder, one) for one in lost))


def _pack_refs(git: Git, git_dir: str) -> None:
    """Many small files into one, which is durable before they go."""
    if sum(1 for _ in _files(Path(git_dir, "refs"))) <= _FEW_REFS:
        return
    for last in ("--no-prune", "--prune"):
        git.run(git_dir, "pack-refs", "--all", last, timeout=_SHORT)
        sync(git_dir)
        failpoints.hit("after_refs")


# ------------------------------------------------------------------------------------------- what has been done already


def _state(git_dir: str, kept: list[str]) -> str:
    """What of a repo would need care when it changes."""
    top, seen = Path(git_dir), hashlib.sha256("".join(kept).encode())
    try:
        seen.update((top / "packed-refs").read_bytes())
    except FileNotFoundError:
        pass
    for path in sorted(_files(top / "refs")):
        try:
            seen.update(os.fsencode(path) + Path(path).read_bytes())
        except FileNotFoundError:
            continue
    loose = [path for folder in (top / "objects").glob("[0-9a-f][0-9a-f]") for path in _files(folder)]
    seen.update(os.fsencode("".join(sorted([*loose, *(pack.path for pack in packs.packs(git_dir))]))))
    return seen.hexdigest()


def _files(folder: Path) -> Iterator[str]:
    """All below it, with folders that come and go meanwhile or not."""
    for top, _, names in os.walk(folder):
        yield from (os.path.join(top, name) for name in names)


def _marked(git_dir: str, kept: list[str]) -> bool:
    try:
        return Path(git_dir, _MARK).read_text() == _state(git_dir, kept)
    except FileNotFoundError:
        return False


def _mark(git_dir: str, kept: list[str]) -> None:
    """Only a note: what is lost of it is done once more."""
    fresh = Path(git_dir, f"{_MARK}-{os.getpid()}")
    fresh.write_text(_state(git_dir, kept))
    fresh.replace(Path(git_dir, _MARK))


def remove_old(path: Path, before: float) -> bool:
    """Whether it is gone."""
    try:
        if path.lstat().st_mtime < before:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        return not path.exists()
    except OSError:
        return True
