"""What git is made to send. `make(author)` returns the commit to push (or the arguments of `git push`); what the pusher reads is
searched for `says`, and whether anything was stored is looked at."""
# ruff: noqa: E501  (tables: one row a line)

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MB = 1024**2


@dataclass(frozen=True)
class Push:
    d4: int
    name: str
    make: Callable[[Any], str]
    says: str
    refused: bool = True
    refspec: str = "{commit}:refs/heads/main"

    def __str__(self) -> str:
        return f"{self.d4}-{self.name}"


def tree_of(author, *entries: tuple[bytes, bytes]) -> str:
    """A tree written as bytes, so that it may hold what git would not write. Entries: (mode, name)."""
    raw = b"".join(mode + b" " + name + b"\0" + bytes.fromhex(author.blob) for mode, name in entries)
    return author.work.out("hash-object", "-w", "-t", "tree", "--literally", "--stdin", stdin=raw)


def commit_of(author, tree: str, message: str = "x") -> str:
    return author.work.out("commit-tree", tree, stdin=message)


def file_of(size: int, name: str = "big.bin") -> Callable[[Any], str]:
    def make(author) -> str:
        blob = author.work.out("hash-object", "-w", "--stdin", stdin=b"\0" * size)
        return commit_of(author, author.work.out("mktree", stdin=f"100644 blob {blob}\t{name}\n"))

    return make


def named(*entries: tuple[bytes, bytes]) -> Callable[[Any], str]:
    return lambda author: commit_of(author, tree_of(author, *entries))


def object_of(text: bytes) -> Callable[[Any], str]:
    """A commit written as bytes."""

    def make(author) -> str:
        tree = author.work.out("mktree", stdin="")
        return author.work.out(
            "hash-object", "-w", "-t", "commit", "--literally", "--stdin", stdin=text % tree.encode()
        )

    return make


def many_files(author) -> str:
    inner = author.work.out("mktree", stdin="".join(f"100644 blob {author.blob}\tf{n}\n" for n in range(300)))
    return commit_of(
        author, author.work.out("mktree", stdin="".join(f"040000 tree {inner}\td{n}\n" for n in range(1000)))
    )


def bomb(author) -> str:
    tree, kind = author.blob, "100644 blob"
    for _ in range(10):
        tree = author.work.out("mktree", stdin="".join(f"{kind} {tree}\tf{n}\n" for n in range(10)))
        kind = "040000 tree"
    return commit_of(author, tree)


def ghost(author) -> str:
    tree = author.work.out("mktree", "--missing", stdin=f"100644 blob {'b' * 40}\tghost\n")
    return commit_of(author, tree)


def parents(author) -> str:
    tree = author.work.out("mktree", stdin="")
    base = [author.work.out("commit-tree", tree, "-m", str(n)) for n in range(5)]
    lines = "".join(f"parent {base[n % 5]}\n" for n in range(10_000))
    text = f"tree {tree}\n{lines}author A <a@b.c> 1 +0000\ncommitter A <a@b.c> 1 +0000\n\nx\n"
    return author.work.out("hash-object", "-w", "-t", "commit", "--literally", "--stdin", stdin=text)


def leak(author) -> str:
    token = author.podium.user(f"leaky{author.podium.port}")
    blob = author.work.out("hash-object", "-w", "--stdin", stdin="\n" * 11 + f"token = '{token}'\n")
    return commit_of(author, author.work.out("mktree", stdin=f"100644 blob {blob}\tapp.py\n"))


def plain(author) -> str:
    blob = author.work.out("hash-object", "-w", "--stdin", stdin="<h1>plain</h1>")
    return commit_of(author, author.work.out("mktree", stdin=f"100644 blob {blob}\tindex.html\n"))


def existing(author) -> str:
    return author.head


ROWS = [
    Push(7, "an 80 MB file", file_of(80 * MB), r"FILE_TOO_LARGE: 1 file is larger than 50 MB: big\.bin \(80 MB\).*git lfs migrate import"),
    Push(7, "a name with quotes", file_of(51 * MB, 'a"; rm -rf x'), r"FILE_TOO_LARGE"),
    Push(10, "the deployed branch deleted", existing, "DELETE_MAIN: cannot delete 'main', it is the deployed branch", refspec=":refs/heads/main"),
    Push(11, "another branch only", plain, "note: only 'main' is deployed; 'side' was stored", False, "{commit}:refs/heads/side"),
    Push(11, "a ref of ours", plain, "REF_NAME|hidden|only branches and tags", refspec="{commit}:refs/podium/x"),
    Push(11, "a pull request's ref", plain, "REF_NAME|only branches and tags", refspec="{commit}:refs/pull/1/head"),
    *[Push(13, f"{name!r}", named((b"100644", name)), rf"{word}.*FSCK|FSCK.*{word}") for name, word in ((b"..", "hasDotdot"), (b".", "hasDot"), (b"", "hasEmptyName|empty|zero"))],
    Push(13, "a path in a name", named((b"100644", b"../../etc/cron.d/x")), "FSCK"),
    *[Push(14, f"{name!r}", named((b"100644", name)), "hasDotgit.*FSCK|FSCK.*hasDotgit") for name in (b".git", b".GIT", b"git~1", ".g\u200cit".encode(), b".git ", b".git.", b".Git")],
    Push(17, "an escape", named((b"100644", b"a\x1b]0;x\x07")), r"PATH_CHARS.*\\x1b\]0;x", False),
    Push(17, "an override", named((b"100644", "a\u202eyp".encode())), r"PATH_CHARS.*\\u202e", False),
    Push(19, "300000 files", many_files, "TOO_MANY_FILES: 300000 files in .*limit 20000"),
    Push(20, "twins", named((b"100644", b"App.py"), (b"100644", b"app.py")), "'App.py' and 'app.py' differ only by case", False),
    Push(22, "a bomb of trees", bomb, "TREE_BOMB: .*more than 1000000 files"),
    Push(23, "an entry twice", named((b"100644", b"a"), (b"100644", b"a")), "duplicateEntries.*FSCK|FSCK.*duplicate"),
    Push(23, "a tree out of order", named((b"100644", b"b"), (b"100644", b"a")), "treeNotSorted.*FSCK|FSCK"),
    Push(25, "setuid", named((b"104755", b"x")), "badFilemode|index\\.html", False),
    Push(26, "a message of 2 MB", lambda a: commit_of(a, a.work.out("mktree", stdin=""), "m" * 2_000_000), "COMMIT_TOO_LARGE: .*256 KB"),
    Push(26, "10000 parents", parents, "COMMIT_TOO_LARGE"),
    Push(26, "a date that is none", object_of(b"tree %b\nauthor A <a@b.c> x +0000\ncommitter A <a@b.c> 1 +0000\n\nx\n"), "badDate|FSCK"),
    Push(26, "no author", object_of(b"tree %b\ncommitter A <a@b.c> 1 +0000\n\nx\n"), "missingAuthor|FSCK"),
    Push(26, "NUL in the header", object_of(b"tree %b\nauthor A\0 <a@b.c> 1 +0000\ncommitter A <a@b.c> 1 +0000\n\nx\n"), "nul|FSCK"),
    Push(40, "an active token", leak, r"TOKEN_LEAKED: the push contains an active access token at app\.py:12; it has been revoked"),
]  # fmt: skip

#: Sent without git, with a good token: path below the repo, body, headers -> (statuses, what the answer says). None of it may
#: leave anything behind.
FLUSH = b"0000"


def command(new: str, old: str = "0" * 40, ref: str = "refs/heads/main") -> bytes:
    line = f"{old} {new} {ref}\0 report-status side-band-64k".encode()
    return b"%04x%s0000" % (len(line) + 4, line)


GARBAGE = [
    (29, service, body)
    for service in ("git-receive-pack", "git-upload-pack")
    for body in (b"garbage", b"ffff", b"0003", b"0001", b"\0" * 100, b"zzzz0000", b"0032want " + b"0" * 41, b"-001", b"FFFFx", b"0004" * 1000, b"0005\n0000", b"fff1" + b"x" * 100)
]  # fmt: skip
PACKS = [
    (23, b""), (23, b"PACK"), (23, b"PACK\0\0\0\2\0\0\0\1garbage"), (23, b"PACK\0\0\0\2\0\0\0\0" + b"\0" * 20), (23, b"x" * 5000),
    (23, b"PACK\0\0\0\x63\0\0\0\1" + b"\0" * 30), (23, b"PACK\0\0\0\2\xff\xff\xff\xff" + b"\0" * 30), (28, b"PACK\0\0\0\2\0\0\0\0\x02\x9d\x08\x82\x3b\xd8\xa8\xea\xb5\x10\xad\x6a\xc7\x5c\x82\x3c\xfd\x3e\xd3\x1e"),
]  # fmt: skip
COVERED = {1, 2, 4, 5, 23, 28, 29, 31, 32}
