"""The files of one repo as the first commit of another: a pack of one tree, piped from git to git. History stays behind."""

import subprocess
from collections.abc import Callable

from orchestrator.domain.push import ZERO
from orchestrator.domain.space import MAIN
from orchestrator.repos.commit import identity, tree_of
from orchestrator.repos.durable import sync_objects
from orchestrator.repos.process import WALL_CLOCK, Git, end, failed


def duplicate(
    git: Git,
    source_dir: str,
    commit: str,
    git_dir: str,
    message: str,
    author: tuple[str, str],
    before_update: Callable[[str | None, str, str], None],
) -> str:
    """See ports.Repos.duplicate."""
    tree = tree_of(git, source_dir, commit).decode().strip()
    _send(git, source_dir, tree, git_dir)
    new = git.run(git_dir, "commit-tree", tree, stdin=message.encode(), env=identity(author)).decode().strip()
    sync_objects(git_dir)
    before_update(None, new, "")
    git.run(git_dir, "update-ref", "--no-deref", MAIN, new, ZERO)
    return new


def _send(git: Git, source_dir: str, tree: str, git_dir: str) -> None:
    """Objects of a tree into the other repo."""
    packing = git.start(source_dir, "pack-objects", "--revs", "--stdout", "-q", stdin=subprocess.PIPE)
    try:
        packing.stdin.write(f"{tree}\n".encode())
        packing.stdin.close()
        taking = git.start(git_dir, "index-pack", "--stdin", stdin=packing.stdout)
        try:
            packing.stdout.close()
            _, errors = taking.communicate(timeout=WALL_CLOCK)
            if taking.returncode or packing.wait(10):
                raise failed(git_dir, "index-pack", taking.returncode, errors.decode("utf-8", "replace"))
        finally:
            end(taking)
    finally:
        end(packing)
