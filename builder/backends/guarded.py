"""Files in directories that the code of packages writes to as well. Owns reading, writing and handing them over without being led
astray by links, pipes or files without an end; knows no environment's meaning."""

import os
import stat
from pathlib import Path

from builder.errors import Fault

_INTERPRETERS = ("python", "python3", *(f"python3.{minor}" for minor in range(9, 16)))
_TEXT_LIMIT = 64 << 20  #: bytes of a file that uv wrote


def skeleton_of(path: Path) -> list[tuple[str, str]]:
    """What a bare environment is: its interpreter and where that comes from. Who starts it relies on them: the compiler of
    bytecode, and the sandbox that shows an app the interpreter's directory."""
    links = ((name, path / name) for name in ("bin", "lib", *(f"bin/{name}" for name in _INTERPRETERS)))
    found = [(name, os.readlink(place) if place.is_symlink() else str(place.is_file())) for name, place in links]
    return [*found, ("pyvenv.cfg", read(path / "pyvenv.cfg"))]


def hand_over(path: Path, uid: int) -> None:
    """Make a directory and all in it a user's, following no link, not even one that takes a folder's place meanwhile."""
    for _, folders, names, folder in os.fwalk(path):
        os.chown(folder, uid, uid)
        for name in (*folders, *names):
            os.chown(name, uid, uid, dir_fd=folder, follow_symlinks=False)


def place(path: Path, text: str) -> None:
    """Write a file whole, following no link that the code of a package may have put there."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644), "w") as file:
        file.write(text)
    fresh.rename(path)


def read(path: Path) -> str:
    """The text of a file that the code of a package could have replaced by a link, a pipe or something endless. Raises Fault."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)) as file:
            about = os.fstat(file.fileno())
            if stat.S_ISREG(about.st_mode) and about.st_size <= _TEXT_LIMIT:
                return file.read()
    except (OSError, ValueError):
        pass
    raise Fault("REQ_UNSAFE", f"the code of a package meddled with {path.name}; remove that package")


def write(path: Path, lines: list[str]) -> None:
    """`place` of lines."""
    place(path, "\n".join(lines) + "\n")
