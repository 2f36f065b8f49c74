"""An app's files as one layer: the same files are the same bytes, and what a layer would misread is refused."""

import io
import subprocess
import tarfile
import zlib

import pytest

from builder import layer, oci, source
from builder.errors import Fault
from builder.objects import Entry, Objects
from builder.source import Source

BOUNDS = (1000, 1 << 20)


class Repo:
    def __init__(self, folder) -> None:
        self.folder, self.git_dir = folder, folder / ".git"
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        done = subprocess.run(["git", *who, *words], cwd=self.folder, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def layer(self, target) -> tuple[oci.Layer, bytes]:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "x")
        with Objects(str(self.git_dir)) as objects:
            found = source.look(str(self.git_dir), self.git("rev-parse", "HEAD"), objects, *BOUNDS)
            made = layer.write(found, objects, target)
        return made, target.read_bytes()


@pytest.fixture
def repo(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    made = Repo(folder)
    (folder / "app.py").write_text("print(1)\n")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o700)
    deep = folder / "a" / ("long-" * 25) / "ünïcode"
    deep.mkdir(parents=True)
    (deep / "file.bin").write_bytes(bytes(range(256)) * 40)
    (folder / "a" / "link").symlink_to("../app.py")
    (folder / "empty.txt").write_text("")
    return made


def test_the_layer_holds_the_files_and_its_digests_are_true(repo, tmp_path):
    made, data = repo.layer(tmp_path / "one")
    plain = zlib.decompress(data, 31)
    assert made == oci.Layer(oci.sha256(data), oci.sha256(plain), len(data))
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        members = {member.name: member for member in tar}
        assert tar.extractfile("app/app.py").read() == b"print(1)\n"
        assert tar.extractfile(f"app/a/{'long-' * 25}/ünïcode/file.bin").read() == bytes(range(256)) * 40
    names = list(members)
    assert names[0] == "app" and names == sorted(names, key=str.encode)
    assert {(one.uid, one.gid, one.uname, one.gname) for one in members.values()} == {(1000, 1000, "", "")}
    modes = {name: oct(members[name].mode) for name in ("app", "app/a", "app/app.py", "app/run.sh")}
    assert modes == {"app": "0o755", "app/a": "0o755", "app/app.py": "0o644", "app/run.sh": "0o755"}
    assert members["app/a/link"].issym() and members["app/a/link"].linkname == "../app.py"


def test_the_same_files_are_the_same_bytes(repo, tmp_path):
    first, data = repo.layer(tmp_path / "one")
    repo.folder.joinpath("run.sh").chmod(0o755)
    repo.folder.joinpath("app.py").touch()
    repo.git("commit", "-q", "--allow-empty", "-m", "another time, another author", "--date", "2001-01-01T00:00:00")
    assert repo.layer(tmp_path / "two") == (first, data)


def test_a_file_that_changed_has_another_time_though_it_is_as_long(repo, tmp_path):
    """Otherwise browsers would keep the old one: servers make ETags of time and length."""

    def time_of(data: bytes, name: str) -> int:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            return tar.getmember(name).mtime

    before = repo.layer(tmp_path / "one")[1]
    (repo.folder / "app.py").write_text("print(2)\n")
    after = repo.layer(tmp_path / "two")[1]
    assert time_of(before, "app/app.py") != time_of(after, "app/app.py")
    assert time_of(before, "app/run.sh") == time_of(after, "app/run.sh")
    assert layer.EPOCH <= time_of(after, "app/app.py") < layer.EPOCH + 2**24


@pytest.mark.parametrize(
    ("files", "links", "code"),
    [
        (["a/.wh.b"], {}, "WHITEOUT"),
        ([".wh..wh..opq"], {}, "WHITEOUT"),
        ([".wh.folder/x"], {}, "WHITEOUT"),
        (["a", "a/b"], {}, "PATH_UNSAFE"),
        (["a/b"], {"a": "c"}, "PATH_UNSAFE"),
        ([], {"a": "c", ".wh.x": "y"}, "WHITEOUT"),
    ],
)
def test_what_a_layer_would_misread_is_refused(tmp_path, files, links, code):
    found = Source({path: Entry(path.encode(), "100644", "0" * 40, 0) for path in files}, links, ())
    with pytest.raises(Fault) as caught:
        layer.write(found, None, tmp_path / "layer")
    assert caught.value.code == code
