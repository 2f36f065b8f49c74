"""Making a repo: empty, whole and durable under its name, or not there at all."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from orchestrator.repos.durable import sync, write
from orchestrator.repos.process import Git

_FOLDERS = ("refs/heads", "refs/tags", "objects/pack", "objects/info")


def by_git(git: Git, path: Path) -> None:
    """Present: nothing."""
    _make(path, lambda fresh: _begin(git, fresh))


def like(blank: Path, path: Path) -> None:
    """As the one at `blank`, without a program of git: the database waits meanwhile. Present: nothing."""
    _make(path, lambda fresh: _copy(blank, fresh))


def _make(path: Path, fill: Callable[[Path], None]) -> None:
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}-{time.time_ns()}")
    fill(fresh)
    try:
        fresh.rename(path)
    except OSError:
        shutil.rmtree(fresh, ignore_errors=True)
        if not path.exists():
            raise
    sync(path.parent)
    sync(path.parent.parent)


def _begin(git: Git, fresh: Path) -> None:
    git.run(str(fresh), "init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(fresh))
    _folders(fresh)


def _copy(blank: Path, fresh: Path) -> None:
    _folders(fresh)
    for name in ("config", "HEAD"):
        write(fresh / name, (blank / name).read_bytes())
    for folder in ("objects", "refs", ""):
        sync(fresh / folder)


def _folders(fresh: Path) -> None:
    for folder in _FOLDERS:
        (fresh / folder).mkdir(parents=True, exist_ok=True)
