"""What a revision may contain, on real bare repos with trees that no git client would make."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from builder import source
from builder.errors import Fault, TransientError
from builder.objects import Objects


class Bare:
    """A bare repo filled with plumbing, so that any name and mode can be in it."""

    def __init__(self, path: Path) -> None:
        self.dir = str(path)
        subprocess.run(["git", "init", "-q", "--bare", self.dir], check=True)

    def git(self, *words: str, data: bytes = b"") -> str:
        done = subprocess.run(["git", "--git-dir", self.dir, *words], input=data, capture_output=True, check=True)
        return done.stdout.decode().strip()

    def blob(self, data: bytes) -> str:
        return self.git("hash-object", "-w", "--stdin", data=data)

    def tree(self, *entries: tuple[str, bytes, str]) -> str:
        raw = b"".join(mode.encode() + b" " + name + b"\0" + bytes.fromhex(oid) for mode, name, oid in entries)
        return self.git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", data=raw)

    def commit(self, tree: str) -> str:
        text = f"tree {tree}\nauthor a <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\n\nx\n"
        return self.git("hash-object", "-w", "-t", "commit", "--stdin", data=text.encode())

    def look(self, *entries: tuple[str, bytes, str], files: int = 100, size: int = 1000) -> source.Source:
        with Objects(self.dir) as objects:
            return source.look(self.dir, self.commit(self.tree(*entries)), objects, files, size)


@pytest.fixture
def bare(tmp_path) -> Bare:
    return Bare(tmp_path / "repo.git")


def test_export_writes_exactly_the_files(bare, tmp_path):
    inner = bare.tree(("100644", b"b.txt", bare.blob(b"b")), ("120000", b"up", bare.blob(b"../app.py")))
    commit = bare.commit(bare.tree(("100755", b"app.py", bare.blob(b"\0x" * 100)), ("40000", b"sub", inner)))
    with Objects(bare.dir) as objects:
        found = source.look(bare.dir, commit, objects, 10, 1000)
        target = tmp_path / "apps" / "one"
        assert source.export(found, objects, target, tmp_path / "scratch") == ()
    assert {str(p.relative_to(target)) for p in target.rglob("*")} == {"app.py", "sub", "sub/b.txt", "sub/up"}
    assert (target / "app.py").read_bytes() == b"\0x" * 100
    assert (target / "app.py").stat().st_mode & 0o777 == 0o755
    assert (target / "sub/b.txt").stat().st_mode & 0o777 == 0o644
    assert (target / "sub/up").readlink() == Path("../app.py")
    assert list((tmp_path / "scratch").iterdir()) == []


def test_exports_at_the_same_time_agree(bare, tmp_path):
    commit = bare.commit(bare.tree(*[("100644", b"f%03d" % n, bare.blob(b"%d" % n)) for n in range(50)]))

    def export(_: int) -> None:
        with Objects(bare.dir) as objects:
            found = source.look(bare.dir, commit, objects, 100, 10000)
            source.export(found, objects, tmp_path / "apps" / "one", tmp_path / "scratch")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(export, range(6)))
    assert len(list((tmp_path / "apps" / "one").iterdir())) == 50
    assert [p.name for p in (tmp_path / "apps").iterdir()] == ["one"]


NAMES = [
    (b"a\nb", "PATH_CHARS", "a\\nb"),
    (b"a\x1b]0;x\x07", "PATH_CHARS", "\\x1b"),
    ("a\u202eb".encode(), "PATH_CHARS", "\\u202e"),
    (b"\xff\xfe", "PATH_CHARS", "UTF-8"),
    (b"..", "PATH_UNSAFE", "'..'"),
    (b".", "PATH_UNSAFE", "'.'"),
    (b".GIT", "PATH_UNSAFE", ".GIT"),
    (b"..\\x", "PATH_UNSAFE", "x"),
    (b".wh.app.py", "WHITEOUT", ".wh."),
    (b"x" * 300, "PATH_LENGTH", "255"),
]


@pytest.mark.parametrize(("name", "code", "part"), NAMES)
def test_bad_names(bare, name, code, part):
    with pytest.raises(Fault) as caught:
        bare.look(("100644", name, bare.blob(b"x")))
    assert caught.value.code == code and part in caught.value.message
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("target", [b"/etc/passwd", b"../x", b"a/../../x", b"link", b"", b"x\ny", b"/", b"dir/../.."])
def test_symlinks_that_leave_or_loop(bare, target):
    with pytest.raises(Fault) as caught:
        bare.look(("120000", b"link", bare.blob(target)))
    assert caught.value.code == "SYMLINK" and "link -> " in caught.value.message


def test_symlinks_are_followed_through_each_other(bare):
    inner = bare.tree(("120000", b"up", bare.blob(b"..")))
    with pytest.raises(Fault, match="leaves the repo"):
        bare.look(("120000", b"a", bare.blob(b"d/up/..")), ("40000", b"d", inner))
    with pytest.raises(Fault, match="circle"):
        bare.look(("120000", b"a", bare.blob(b"b")), ("120000", b"b", bare.blob(b"a")))
    assert bare.look(("120000", b"a", bare.blob(b"d/up/nothing")), ("40000", b"d", inner)).links["a"] == "d/up/nothing"


def test_modes(bare):
    with pytest.raises(Fault) as caught:
        bare.look(("160000", b"lib", "1" * 40))
    assert caught.value.code == "SUBMODULE"
    assert bare.look(("104755", b"setuid", bare.blob(b"x"))).files["setuid"].mode == "100755"


def test_names_that_collide(bare, tmp_path):
    blob = bare.blob(b"x")
    with pytest.raises(Fault, match="twice"):
        bare.look(("100644", b"a", blob), ("100644", b"a", blob))
    found = bare.look(("100644", b"App.py", blob), ("100644", b"app.py", blob))
    assert "App.py and app.py" in found.warnings[0]
    both = bare.look(("100644", b"a", blob), ("40000", b"a", bare.tree(("100644", b"b", blob))))
    with Objects(bare.dir) as objects, pytest.raises(Fault, match="both a file and a folder"):
        source.export(both, objects, tmp_path / "out", tmp_path / "scratch")
    assert not (tmp_path / "out").exists()


def test_budgets(bare):
    blob = bare.blob(b"x" * 600)
    with pytest.raises(Fault) as caught:
        bare.look(*[("100644", b"%03d" % n, blob) for n in range(200)], size=10**9)
    assert caught.value.code == "TOO_MANY_FILES" and "200 files" in caught.value.message
    with pytest.raises(Fault) as caught:
        bare.look(("100644", b"a", blob), ("100644", b"b", blob))
    assert caught.value.code == "TOO_LARGE"


@pytest.mark.parametrize("leaf", [True, False])
def test_a_bomb_of_trees_is_bounded(bare, leaf):
    level = bare.tree(("100644", b"x", bare.blob(b""))) if leaf else bare.tree()
    for _ in range(10):
        level = bare.tree(*[("40000", b"%d" % n, level) for n in range(10)])
    with Objects(bare.dir) as objects, pytest.raises(Fault) as caught:
        source.look(bare.dir, bare.commit(level), objects, 100, 1000)
    assert caught.value.code in ("TREE_BOMB", "TOO_MANY_FILES")


def test_a_missing_revision_is_not_the_authors_fault(bare):
    with Objects(bare.dir) as objects, pytest.raises(TransientError):
        source.look(bare.dir, "1" * 40, objects, 10, 10)


def test_files_are_read_with_judgement(bare):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 3\n"
    inner = bare.tree(("100644", b"x", bare.blob(b"x")))
    commit = bare.commit(
        bare.tree(
            ("100644", b"big.bin", bare.blob(pointer)),
            ("40000", b"folder", inner),
            ("120000", b"link", bare.blob(b"big.bin")),
            ("100644", b"plain", bare.blob(b"p" * 50)),
        )
    )
    with Objects(bare.dir) as objects:
        read = source.Reader(source.look(bare.dir, commit, objects, 10, 1000), objects)
        assert read("plain") == b"p" * 50 and read("plain", 3) == b"ppp" and read("folder/x") == b"x"
        assert read("nothing") is None
        for path, code in (("big.bin", "LFS_POINTER"), ("folder", "FILE_KIND"), ("link", "FILE_KIND")):
            with pytest.raises(Fault) as caught:
                read(path)
            assert (caught.value.code, caught.value.file) == (code, path)


def test_only_what_runs_counts(bare):
    def digest(readme: bytes, app: bytes, whole: bool = False) -> str:
        entries = [("100644", b"LICENSE", bare.blob(readme)), ("100644", b"README.md", bare.blob(readme))]
        return bare.look(*entries, ("100644", b"app.py", bare.blob(app))).digest(whole)

    assert digest(b"1", b"a") == digest(b"2", b"a") != digest(b"1", b"b")
    assert digest(b"1", b"a", True) != digest(b"2", b"a", True)
