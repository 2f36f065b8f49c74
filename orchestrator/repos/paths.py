"""Which paths may be committed through the API. Pure. Pushed trees are checked by git's own fsck; these are the same rules,
and a few stricter ones, in words."""

import re

from orchestrator.domain.push import printable
from orchestrator.errors import Unfit

PATH_LIMIT = 4096
PART_LIMIT = 255
DEPTH_LIMIT = 64
#: Control characters, and those that change the direction of what follows them: no build takes such a name.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
#: Code points that HFS+ ignores when it compares names.
_IGNORED = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")


def check_path(path: str, written: bool = False) -> str:
    """The path itself. `written`: a file is to be there, rather than leave. Raises Unfit `PATH` with the part that is wrong."""
    if not path:
        raise _bad(path, "it is empty")
    if path.startswith("/"):
        raise _bad(path, "it starts with '/'; paths are relative to the repository")
    # Below a folder the Hub takes such a path: the suites of huggingface_hub upload one, which the client then refuses to fetch.
    first = path.split("/", 1)[0]
    if "\\" in first and ".." in first.split("\\"):
        raise _bad(path, "it leads outside of the repository on machines where '\\' parts folders")
    if _CONTROL.search(path):
        raise _bad(path, "it has control or direction characters; leave them out")
    if len(path.encode("utf-8")) > PATH_LIMIT or path.count("/") >= DEPTH_LIMIT:
        raise _bad(path, f"it is longer than {PATH_LIMIT} bytes or deeper than {DEPTH_LIMIT} levels")
    for part in path.split("/"):
        if part in ("", ".", ".."):
            raise _bad(path, f"the component {part!r} is not allowed")
        if len(part.encode("utf-8")) > PART_LIMIT:
            raise _bad(path, f"a component is longer than {PART_LIMIT} bytes")
        if _means(part, ".git", "git~1"):
            raise _bad(path, "'.git' is git's own directory")
        if written and part == ".cache":
            raise _bad(path, "'.cache' is where clients keep what they downloaded")
        if _means(part, ".gitmodules", "gitmod~1", "gitmod~2", "gitmod~3", "gitmod~4"):
            raise _bad(path, "submodules cannot be added here; push them with git")
    return path


def _means(part: str, *names: str) -> bool:
    """Whether a file system takes the component for one of `names`: case, ignored code points (HFS+), trailing dots and
    spaces, alternate streams and backslashes (NTFS)."""
    pieces = re.split(r"[\\:]", _IGNORED.sub("", part).lower())
    return any(piece.rstrip(". ") in names for piece in pieces)


def _bad(path: str, why: str) -> Unfit:
    return Unfit("PATH", f"the path {printable(path, 100)!r} cannot be used: {why}")
