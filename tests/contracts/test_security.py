"""Attacks by the people whose code Podium builds and runs, each as it would really be made. What strangers try over the network
is in test_gateway.py, test_hub_api.py and the tests of the pages."""

import base64
import errno
import hashlib
import io
import os
import tarfile
import threading
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from orchestrator import adapters
from orchestrator.runtimes.instance import remove_tree
from orchestrator.settings import Settings
from tests.contracts.test_builds import World
from tests.support import eventually

APP = {"README.md": "---\nsdk: streamlit\n---\n", "app.py": "import streamlit\n"}


class Index:
    """A package index on loopback, as PyPI is one: anybody may have published there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        handler = type("Handler", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), lambda *a: handler(*a, directory=str(folder)))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def wheel(self, name: str, version: str, files: dict[str, str]) -> None:
        """Publish a wheel of `files`; its RECORD is honest about them."""
        info = f"{name}-{version}.dist-info"
        files = {
            **files,
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        lines = [f"{path},sha256={_hash(text)},{len(text)}" for path, text in files.items()]
        files[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,", ""])
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
            for path, text in files.items():
                entry = zipfile.ZipInfo(path)
                entry.external_attr = 0o100755 << 16
                archive.writestr(entry, text)

    def sdist(self, name: str, version: str, build: str) -> None:
        """Publish sources; `build` is Python code that runs when a wheel is made of them, and fails."""
        meta = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        system = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        project = f'[project]\nname = "{name}"\ndynamic = ["version"]\n'
        files = {"PKG-INFO": meta, "pyproject.toml": system + project, "backend.py": _BACKEND.format(**locals())}
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        with tarfile.open(folder / f"{name}-{version}.tar.gz", "w:gz") as archive:
            for path, text in files.items():
                entry = tarfile.TarInfo(f"{name}-{version}/{path}")
                entry.size = len(text)
                archive.addfile(entry, io.BytesIO(text.encode()))


_BACKEND = """
import os
def prepare_metadata_for_build_wheel(folder, settings=None):
    os.mkdir(folder + "/{name}-{version}.dist-info")
    open(folder + "/{name}-{version}.dist-info/METADATA", "w").write({meta!r})
    return "{name}-{version}.dist-info"
def build_wheel(folder, settings=None, metadata=None):
    exec({build!r})
    raise SystemExit("that is all")
"""


def _hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


@pytest.fixture
def index(tmp_path):
    made = Index(tmp_path / "index")
    made.wheel("streamlit", "1.0", {"streamlit/__init__.py": "x = 'streamlit'\n"})
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def world(tmp_path, index):
    made = World(tmp_path)
    made.index = index
    yield made
    for builds in made.opened:
        builds.close()


def build(world: World, requirements: str, space: str = "space1") -> Path:
    """Build a Space of these requirements and wait until its builder is done; returns its environment."""
    order = world.order({**APP, "requirements.txt": requirements}, space)
    result = world.run(order, index_url=world.index.url)
    assert result.image, (result.fault, world.log)
    builds = world.opened[-1]
    eventually(lambda: not builds._processes, 60, "the builder ending")
    return Path(result.image.environment)


def refused(world: World, requirements: str, **more) -> str:
    """Why a Space of these requirements is not built."""
    result = world.run(world.order({**APP, "requirements.txt": requirements}), index_url=world.index.url, **more)
    assert result.image is None and result.fault, world.log
    return result.fault.code


@pytest.mark.parametrize("place", ["data/bin/python", "data/bin/python3", "scripts/python3.11"])
def test_a_package_cannot_replace_the_interpreter(world, index, tmp_path, place):
    trace = tmp_path / "trace"
    index.wheel("evil", "1.0", {"evil/__init__.py": "", f"evil-1.0.data/{place}": f"#!/bin/sh\nid > {trace}\n"})
    assert refused(world, "evil\n") in ("REQ_UNSAFE", "REQ_FAILED")  # uv itself refuses it since 0.13
    assert not trace.exists(), f"a package's program ran outside of any sandbox: {trace.read_text()}"


def test_a_package_cannot_choose_what_the_sandbox_shows(world, index, tmp_path):
    index.wheel("evil", "1.0", {"evil/__init__.py": "", "evil-1.0.data/data/pyvenv.cfg": f"home = {tmp_path}/x/bin\n"})
    assert refused(world, "evil\n") == "REQ_UNSAFE"


_FORGED = """
import glob, json
for place in glob.glob({envs!r} + "/[0-9a-f]*"):
    open(place + "/pyvenv.cfg", "w").write("home = /secret/bin")
    about = json.dumps({{"python": "3.11.7", "versions": {{}}, "own_code": False}})
    for mark in (place + "/.complete", {envs!r} + "/.locks/" + place.rpartition("/")[2] + ".whole"):
        try:
            open(mark, "w").write(about)
        except OSError as problem:
            print("could not write", mark)
    print("forged", place)
"""


def test_build_code_cannot_pass_off_a_broken_environment_as_whole(world, index):
    """A build that fails leaves nothing that a later one takes for made."""
    index.sdist("evil", "1.0", _FORGED.format(envs=str(world.data / "envs")))
    for _ in range(2):
        assert refused(world, "evil\n") == "REQ_BUILD"
        assert any("forged" in line for line in world.log), world.log
        assert not [path for path in (world.data / "envs").glob("*") if path.name[0] != "."]


def test_build_code_outside_of_a_sandbox_leaves_no_process_behind(world, index):
    """It would go on while root takes over the files it may still write to."""
    quiet = "start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL"
    leaves = f"import subprocess\nsubprocess.Popen(['sleep', '4321.5'], {quiet})\nprint('left')\n"
    index.sdist("evil", "1.0", leaves)
    assert refused(world, "evil\n", sandbox="none", uid=os.geteuid()) == "REQ_BUILD"
    assert any("left" in line for line in world.log), world.log
    assert not [p.pid for p in psutil.process_iter(["cmdline"]) if "4321.5" in (p.info["cmdline"] or [])]


@pytest.mark.parametrize("path", ["good/__init__.py", "good/__pycache__/__init__.cpython-311.pyc"])
def test_a_package_cannot_poison_the_bytecode_of_another(world, index, path):
    index.wheel("good", "1.0", {"good/__init__.py": "x = 'good'\n"})
    for name in ("aevil", "zevil"):  # whichever is installed last
        index.wheel(name, "1.0", {path: "x = 'evil'\n"})
    build(world, "good\nzevil\naevil\n", "theirs")
    environment = build(world, "good\n", "mine")
    compiled = list(environment.glob("lib/*/site-packages/good/__pycache__/*.pyc"))
    assert compiled and not [path for path in compiled if b"evil" in path.read_bytes()]


def test_the_data_directory_is_closed_to_other_users(tmp_path):
    """Whatever its own mode is: Spaces' code, secrets, people and logs are for Podium alone."""
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    (data / "repos").mkdir(mode=0o755)
    (data / "podium.db").touch(mode=0o644)
    adapters.open_store(Settings(data=data)).close()
    for path in data.iterdir():
        assert not path.stat().st_mode & 0o066, f"{path.name} can be read by others"
    for name in ("repos", "keys", "logs", "run", "tmp", "apps"):
        assert not (data / name).stat().st_mode & 0o077, name


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights that an app could borrow")
def test_root_follows_no_link_that_an_app_swaps_in_while_its_tree_is_removed(tmp_path, monkeypatch):
    """The app exchanges a directory for a link just before it is removed, as one that races its own end would."""
    others, mine = tmp_path / "others", tmp_path / "mine"
    (others / "x").mkdir(parents=True)
    others.chmod(0o755)
    (mine / "inner" / "x").mkdir(parents=True)
    real = os.rmdir

    def racing(name, *rest, **more):
        if name == "x" and (mine / "inner" / "x").exists():
            (mine / "inner").rename(mine / "away")
            (mine / "inner").symlink_to(others)
            raise OSError(errno.ENOTEMPTY, "the app has made another file here", name)
        return real(name, *rest, **more)

    monkeypatch.setattr(os, "rmdir", racing)
    remove_tree(mine)
    assert (others / "x").is_dir() and others.stat().st_mode & 0o777 == 0o755
    assert not mine.exists()
