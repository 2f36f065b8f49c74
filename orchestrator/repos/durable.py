"""What makes renames and new names durable: git fsyncs the files that it writes, never the folders that name them."""

import os
from pathlib import Path


def sync(folder: Path | str) -> None:
    """The names in it are durable on return. Absent: nothing, as of a ref that never came to be, below one that is there."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write(path: Path, content: bytes) -> None:
    """A new file, whose bytes are durable on return."""
    with open(path, "xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_objects(git_dir: str) -> None:
    """All packs and loose objects."""
    objects = os.path.join(git_dir, "objects")
    try:
        folders = [entry.path for entry in os.scandir(objects) if len(entry.name) == 2 or entry.name == "pack"]
    except FileNotFoundError:  # the repo is gone
        return
    for folder in folders:
        sync(folder)
    sync(objects)


def remove(*paths: str) -> int:
    """Files, in this order; returns how many bytes they had. Absent: nothing."""
    freed = 0
    for path in paths:
        try:
            freed += os.lstat(path).st_size
            os.unlink(path)
        except FileNotFoundError:
            pass
    return freed
