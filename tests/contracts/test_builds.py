"""The suite of the Builds port, with real git and real packages from the machine's package index."""

import os
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from orchestrator.builds.local import LocalBuilds
from orchestrator.domain.seen import FaultKind
from orchestrator.errors import Unavailable
from orchestrator.ports import BuildOrder, Cancelled
from tests.support import eventually

STATIC = {"README.md": "---\nsdk: static\ntitle: Page\n---\n", "index.html": "<h1>hello</h1>"}
APP = {"README.md": "---\nsdk: streamlit\n---\n", "app.py": "import streamlit\n"}


class World:
    """A data directory, a bare repo and the port under test."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.work = folder / "work"
        self.git_dir = folder / "repo.git"
        subprocess.run(["git", "init", "-q", "-b", "main", self.work], check=True)
        subprocess.run(["git", "init", "-q", "--bare", self.git_dir], check=True)
        self.opened: list[LocalBuilds] = []
        self.log: list[str] = []
        self.phases: list[str] = []  #: as they were told

    def builds(self, **more) -> LocalBuilds:
        self.opened.append(LocalBuilds(self.data, **{"grace": 0.0, **more}))
        return self.opened[-1]

    def push(self, files: dict[str, str]) -> str:
        for name in subprocess.run(
            ["git", "ls-files", "-z"], cwd=self.work, capture_output=True, text=True
        ).stdout.split("\0"):
            if name:
                (self.work / name).unlink()
        for name, text in files.items():
            (self.work / name).write_text(text)
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", "add", "-A"], cwd=self.work, check=True)
        subprocess.run(["git", *who, "commit", "-q", "--allow-empty", "-m", "x"], cwd=self.work, check=True)
        subprocess.run(["git", "push", "-q", "-f", self.git_dir, "main"], cwd=self.work, check=True)
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=self.work, capture_output=True, text=True, check=True)
        return head.stdout.strip()

    def order(self, files: dict[str, str], space: str = "space1", **more) -> BuildOrder:
        return BuildOrder(f"key{time.monotonic_ns()}", space, self.push(files), str(self.git_dir), 1, **more)

    def run(self, order: BuildOrder, **more):
        self.log.clear()
        self.phases.clear()
        return self.builds(**more).run(order, self.log.append, lambda: False, self.phases.append)


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    for builds in made.opened:
        builds.close()


_OTHERS: set[int] = set()  #: servers of the session, which this module did not start


@pytest.fixture(scope="module", autouse=True)
def others():
    _OTHERS.update(process.pid for process in psutil.Process().children())


def children() -> list[psutil.Process]:
    """Everything below us that builds left."""
    ours = [process for process in psutil.Process().children() if process.pid not in _OTHERS]
    return [*ours, *(one for process in ours for one in process.children(recursive=True))]


def test_a_static_space_is_its_files(world):
    result = world.run(world.order(STATIC))
    image = result.image
    assert (image.sdk, image.environment, image.title) == ("static", "", "Page")
    assert (Path(image.source) / "index.html").read_text() == "<h1>hello</h1>"
    assert any("Reading README.md" in line for line in world.log) and world.log[-1].startswith("DONE")
    assert world.phases == ["clone", "files"] and list(result.phases) == ["clone", "files", "total"]
    assert world.opened[-1].exists(image)
    assert not world.opened[-1].exists(replace(image, source=image.source + "x"))


def test_equal_files_are_one_image(world):
    first, again = world.run(world.order(STATIC)).image, world.run(world.order(STATIC)).image
    assert first.id == again.id and first.source == again.source
    assert world.run(world.order({**STATIC, "index.html": "<h1>other</h1>"})).image.id != first.id


@pytest.mark.parametrize(
    ("files", "code", "kind", "where"),
    [
        ({"README.md": "---\nsdk: gradioo\n---\n"}, "SDK", FaultKind.CONFIG, "README.md:2"),
        ({"README.md": "---\nsdk: gradio\n---\n"}, "APP_FILE", FaultKind.NO_APP_FILE, ""),
        ({**APP, "requirements.txt": "six\nnumpy=>1\n"}, "REQ_SYNTAX", FaultKind.BUILD, "requirements.txt:2"),
    ],
)
def test_the_authors_fault_is_a_result(world, files, code, kind, where):
    result = world.run(world.order(files))
    assert result.image is None
    assert (result.fault.code, result.fault_kind, result.fault.where) == (code, kind, where)
    assert any(line.startswith(f"ERROR {code}") for line in world.log)


def test_a_revision_that_is_not_there_is_ours(world):
    with pytest.raises(Unavailable):
        world.run(replace(world.order(STATIC), revision="1" * 40))


def test_cancelling_ends_the_builder(world):
    order = world.order(STATIC)
    before = {process.pid for process in children()}
    with pytest.raises(Cancelled):
        world.builds().run(order, lambda line: None, lambda: True)
    assert not {process.pid for process in children()} - before


def test_a_killed_builder_is_ours_and_the_next_one_succeeds(world):
    order = world.order({**STATIC, **{f"f{n}": "x" for n in range(300)}})
    builds = world.builds()

    def kill() -> None:
        def builder():
            return [p for p in children() if "builder" in p.cmdline()]

        eventually(builder)[0].send_signal(signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(Unavailable):
        builds.run(order, lambda line: None, lambda: False)
    killer.join()
    assert builds.run(order, lambda line: None, lambda: False).image


def test_collect_removes_what_nobody_needs(world):
    old, new = world.run(world.order({**STATIC, "index.html": "old"})).image, world.run(world.order(STATIC)).image
    builds = world.builds()
    stale = world.data / "build-tmp" / "crashed"
    stale.mkdir(parents=True)
    os.utime(stale, (1, 1))
    assert builds.collect([new]) > 0
    assert builds.exists(new) and not builds.exists(old) and not stale.exists()
    assert LocalBuilds(world.data, grace=3600).collect([]) == 0 and builds.exists(new)
    builds.collect([])
    assert not builds.exists(new) and not list((world.data / "apps").iterdir())


class TestPackages:
    """Real installations. The sdk is a stand-in of the suite's own: a pack that asks for `six`."""

    @pytest.fixture(autouse=True)
    def stand_in(self, world, tmp_path, monkeypatch):
        """A builder whose gradio pack asks for six: started through a module of this test's own."""
        home = tmp_path / "home"
        home.mkdir()
        launcher = home / "builder_under_test.py"
        launcher.write_text(
            "import sys\n"
            f"sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
            "from builder.packs import gradio\n"
            "gradio.PACKAGE = 'six'\n"
            "real = gradio.plan\n"
            "from dataclasses import replace\n"
            "gradio.plan = lambda config, read: replace(real(config, read), requirements=('six',))\n"
            "from builder.__main__ import main\n"
            "sys.exit(main())\n"
        )
        import orchestrator.builds.local as local

        monkeypatch.setattr(local, "COMMAND", ("-E", "-s", str(launcher)))
        self.world = world

    def installed(self, *lines: str, **more):
        result = self.world.run(self.world.order(self.files(*lines), **more))
        if result.fault is None:
            return result
        raise AssertionError((result.fault, self.world.log))

    def files(self, *lines: str) -> dict[str, str]:
        return {
            "README.md": "---\nsdk: gradio\nsdk_version: 1.17.0\n---\n",
            "app.py": "",
            "requirements.txt": "\n".join(lines),
        }

    def test_install_share_and_reuse(self):
        first = self.installed("humanize==4.12.0")
        python = Path(first.image.environment) / "bin" / "python"
        found = subprocess.run([python, "-c", "import six, humanize; print(six.__version__, humanize.__version__)"],
                               capture_output=True, text=True, check=True)  # fmt: skip
        assert found.stdout.split() == ["1.17.0", "4.12.0"] and first.image.sdk_version == "1.17.0"
        self.world.opened[-1].close()

        assert self.world.phases == ["clone", "resolve", "install", "files"]
        other = self.installed("# a comment", "humanize==4.12.0", space="space2")
        assert other.image.environment == first.image.environment and "install" not in other.phases

        again = self.installed("humanize==4.12.0", previous=first.previous)
        assert again.image.id == first.image.id
        assert not {"resolve", "install"} & set(again.phases)

        readme = self.files("humanize==4.12.0")
        readme["README.md"] += "more words"
        assert self.world.run(self.world.order(readme, previous=first.previous)).image.id == first.image.id

        factory = self.installed("humanize==4.12.0", previous=first.previous, fresh=True)
        assert factory.image.environment != first.image.environment and "install" in factory.phases

        builds = self.world.builds()
        assert builds.exists(first.image)
        eventually(lambda: not children(), 60)
        builds.collect([factory.image])
        assert not builds.exists(first.image) and builds.exists(factory.image)

    def test_bytecode_is_compiled_and_kept_for_later_environments(self):
        first = self.installed("humanize==4.12.0")
        env = Path(first.image.environment)
        eventually((env / ".compiled").exists, 60)
        assert list(env.glob("lib/*/site-packages/humanize/__pycache__/*.pyc"))
        second = Path(self.installed("humanize==4.12.0", "tomli==2.0.1").image.environment)
        names = "lib/*/site-packages/humanize/__pycache__/*.pyc"
        assert {p.stat().st_ino for p in second.glob(names)} == {p.stat().st_ino for p in env.glob(names)}

    def test_builds_of_one_environment_at_the_same_time(self):
        orders = [self.world.order(self.files("humanize==4.12.0"), space=f"space{n}") for n in range(3)]
        builds = self.world.builds()
        with ThreadPoolExecutor(3) as pool:
            results = list(pool.map(lambda order: builds.run(order, lambda line: None, lambda: False), orders))
        assert all(result.image for result in results)
        assert len({result.image.environment for result in results}) == 1
        assert sum("install" in result.phases for result in results) == 1

    def test_a_package_that_is_not_there(self):
        result = self.world.run(self.world.order(self.files("six", "torhc")))
        assert result.fault.code == "REQ_NOT_FOUND" and result.fault.where == "requirements.txt:2"
        assert "did you mean torch?" in result.fault.message

    def test_a_version_that_is_not_there(self):
        result = self.world.run(self.world.order(self.files("humanize==99")))
        assert result.fault.code == "REQ_VERSION" and "the newest that fits this Python is" in result.fault.message

    def test_an_index_that_does_not_answer_is_ours(self):
        with pytest.raises(Unavailable, match="package index"):
            self.world.run(self.world.order(self.files("six")), index_url="http://127.0.0.1:9/simple")

    def test_the_time_limit(self):
        result = self.world.run(self.world.order(self.files("humanize")), timeout=0.2)
        assert result.fault.code == "BUILD_TIMEOUT"
        eventually(lambda: not children(), 20)

    def test_code_of_the_authors_is_built_in_a_class_of_its_own(self):
        result = self.installed("docopt==0.6.2")
        assert any("built from source" in line for line in self.world.log)
        assert (self.world.data / "cache" / "private" / "space1").is_dir()
        other = self.installed("docopt==0.6.2", space="space2")
        assert other.image.environment != result.image.environment
        owner = (Path(result.image.environment) / "bin").stat().st_uid
        assert owner == os.geteuid()
