"""The commits that lead to one: read in pages, and counted."""

from orchestrator.domain.tree import Commit
from orchestrator.repos.process import Git


def log(git: Git, git_dir: str, commit: str, skip: int, limit: int) -> list[Commit]:
    """Newest first. `commit` is a full id."""
    out = git.run(
        git_dir,
        "log",
        "-z",
        f"--skip={max(0, int(skip))}",
        f"--max-count={max(0, int(limit))}",
        "--no-show-signature",
        "--format=%H%x00%P%x00%an%x00%at%x00%s%x00%B",
        "--end-of-options",
        commit,
    )
    rows = zip(*[iter(out.decode("utf-8", "replace").split("\0"))] * 6, strict=False)
    return [
        Commit(oid, title, message.strip(), (author,), time_of(at), tuple(parents.split()))
        for oid, parents, author, at, title, message in rows
    ]


def count(git: Git, git_dir: str, commit: str) -> int:
    return int(git.run(git_dir, "rev-list", "--count", "--end-of-options", commit))


def time_of(text: str) -> float:
    """Author times are a stranger's: anything that is not a plausible date is the epoch."""
    return float(text) if text.isdigit() and len(text) <= 11 else 0.0
