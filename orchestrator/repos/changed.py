"""What became of each file between two revisions: reads what `git diff --raw --numstat -z` prints (git-diff(1))."""

from collections.abc import Iterator
from dataclasses import replace

from orchestrator.domain.push import ZERO
from orchestrator.domain.tree import Changed
from orchestrator.repos.process import Git


def changed(git: Git, git_dir: str, between: str, timeout: float) -> list[Changed]:
    """`between`: `<id>..<id>` or `<id>...<id>`."""
    words = ("diff", "--raw", "--numstat", "-z", "--no-abbrev", "--no-ext-diff", "--no-textconv", between, "--")
    found, binary = _read(git.run(git_dir, *words, timeout=timeout).decode("utf-8", "replace"))
    wanted = {one.after[1] for one in found} - {ZERO}
    sizes = _sizes(git, git_dir, wanted) if wanted else {}
    return [
        replace(one, is_binary=(one.moved_to or one.path) in binary, size=sizes.get(one.after[1], 0)) for one in found
    ]


def _read(out: str) -> tuple[list[Changed], set[str]]:
    """The files, and the paths of those that git does not compare by lines."""
    fields = iter(out.split("\0"))
    found: list[Changed] = []
    binary: set[str] = set()
    for field in fields:
        if field.startswith(":"):
            found.append(_entry(field[1:].split(" "), fields))
        elif field:
            added, _, path = field.split("\t", 2)
            if not path:  # moved: two fields more, from and to
                path = [next(fields), next(fields)][1]
            if added == "-":
                binary.add(path)
    return found, binary


def _entry(words: list[str], fields: Iterator[str]) -> Changed:
    old_mode, new_mode, old, new, status = words
    path = next(fields)
    moved_to = next(fields) if status[0] in "RC" else ""
    return Changed(path, status, (old_mode, old), (new_mode, new), moved_to)


def _sizes(git: Git, git_dir: str, oids: set[str]) -> dict[str, int]:
    asked = "\n".join(sorted(oids)).encode() + b"\n"
    out = git.run(git_dir, "cat-file", "--batch-check=%(objectname) %(objectsize)", stdin=asked).decode()
    pairs = (line.split(" ") for line in out.splitlines())
    return {oid: int(size) for oid, size in pairs if size.isdigit()}  # not of a submodule's commit, which is not here
