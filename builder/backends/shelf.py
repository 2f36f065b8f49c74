"""Environments as directories that several processes use: which are whole, who holds them, how they are removed. A holder has a
shared lock on a file beside them, a maker or remover an exclusive one. Makes none: that is `venv.py`."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LOCKS = ".locks"  #: directory beside the environments: of each one its lock, and its mark once it is whole


def mark_of(path: Path) -> Path:
    """The file that says an environment is whole: JSON about it; its time is when it was last used. Beside the environment,
    because the code of packages writes into it."""
    return path.parent / LOCKS / f"{path.name}.whole"


def is_whole(path: Path) -> bool:
    """Whether an environment is complete and its interpreter still there."""
    return mark_of(path).is_file() and (path / "bin" / "python").exists()


def open_lock(envs: Path, name: str, how: int) -> int:
    """An open, locked file for an environment. Raises BlockingIOError when LOCK_NB is in `how` and somebody has it."""
    folder = envs / LOCKS
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / name
    while True:
        handle = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, how)
            if os.path.samestat(os.fstat(handle), os.stat(place)):
                return handle
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # the collector removed the file while we waited


@contextmanager
def exclusive(envs: Path, name: str, wait: Callable[[], None]) -> Iterator[None]:
    """One builder at a time makes what is called so; the others `wait()`, then find it."""
    try:
        handle = open_lock(envs, name, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        wait()
        handle = open_lock(envs, name, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(handle)


def remove(envs: Path, name: str) -> int:
    """Remove an environment nobody holds, and its lock; returns the bytes freed, 0 when it is held."""
    try:
        handle = open_lock(envs, name, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0
    try:
        size = disk_bytes(envs / name)
        mark_of(envs / name).unlink(missing_ok=True)
        shutil.rmtree(envs / name, ignore_errors=True)
        (envs / LOCKS / f"{name}.compile").unlink(missing_ok=True)
        (envs / LOCKS / name).unlink(missing_ok=True)
        return size
    finally:
        os.close(handle)


def disk_bytes(path: Path) -> int:
    """Bytes of all files below a directory."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size
            except OSError:
                continue
    return total
