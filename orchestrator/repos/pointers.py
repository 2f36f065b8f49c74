"""Pointers to large objects in a repo: which blobs are some, which objects any revision names, and history without them."""

from collections.abc import Iterable, Iterator

from orchestrator.domain.large import POINTER_LIMIT, POINTER_MIN, Pointer, read_pointer
from orchestrator.repos.process import Git


def pointers(git: Git, git_dir: str, oids: Iterable[str], env: dict[str, str] | None = None) -> dict[str, Pointer]:
    """See `ports.Repos.pointers`."""
    asked = "".join(f"{oid}\n" for oid in oids).encode()
    if not asked:
        return {}
    with git.pipe(git_dir, ("cat-file", "--batch", "--buffer"), stdin=asked, env=env) as out:
        return {oid: pointer for oid, content in _blobs(out) if (pointer := read_pointer(content))}


def named(git: Git, git_dir: str) -> set[str]:
    """See `ports.Repos.named`. Looks at every blob that has a pointer's size, reachable or not."""
    listing = (
        "cat-file",
        "--batch-all-objects",
        "--unordered",
        "--batch-check=%(objecttype) %(objectsize) %(objectname)",
    )
    with git.pipe(git_dir, (*listing, "--buffer")) as out:
        small = set()
        for line in out:
            kind, size, oid = line.decode().split()
            if kind == "blob" and POINTER_MIN <= int(size) < POINTER_LIMIT:
                small.add(oid)
    return {pointer.oid for pointer in pointers(git, git_dir, small).values()}


def _blobs(out) -> Iterator[tuple[str, bytes]]:
    while header := out.readline():
        words = header.split()
        if len(words) != 3:  # "<name> missing"
            continue
        content = out.read(int(words[2]) + 1)[:-1]
        if words[1] == b"blob":
            yield words[0].decode(), content
