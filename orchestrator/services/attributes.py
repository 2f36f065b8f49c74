"""Which files of a commit are large ones, and `.gitattributes` that says so to git: without its line a clone would hold a
pointer in place of the file."""

from collections.abc import Callable, Iterable, Iterator

from orchestrator.domain.large import ATTRIBUTES, Attributes, attributes_for, is_binary, read_pointer
from orchestrator.domain.tree import Change

LARGE = 10 * 1024**2  #: bytes above which a file is a large one, whatever it holds; the Hub's number


def mode_of(attributes: Attributes, path: str, size: int, sample: bytes, limit: int = LARGE) -> str:
    """How the Hub wants a file sent: `lfs` or `regular` (hub-api reference 2.17); `limit`: bytes of a regular one. Pure."""
    if size == 0 or path == ATTRIBUTES:
        return "regular"
    return "lfs" if attributes.large(path) or size > min(limit, LARGE) or is_binary(sample) else "regular"


def with_attributes(changes: Iterable[Change], current: Callable[[], bytes | None]) -> Iterator[Change]:
    """The changes, and one more for `.gitattributes` where it does not cover their large files yet. `current()`: what it holds
    before them."""
    given: list[bytes] = []
    large: list[str] = []
    moved: list[tuple[str, str]] = []
    for change in changes:
        if change.path == ATTRIBUTES:
            given.append(change.content or b"")
        elif change.content is not None and read_pointer(change.content):
            large.append(change.path)
        elif change.moved_from and change.content is None:
            moved.append((change.moved_from, change.path))
        yield change
    if large or moved:
        before = (current() or b"").decode("utf-8", "replace")
        known = Attributes(before)
        large += [new for old, new in moved if known.large(old)]
        told = attributes_for(given[-1].decode("utf-8", "replace") if given else before, dict.fromkeys(large))
        if told is not None:
            yield Change(ATTRIBUTES, told.encode())
