"""Authors' own images on a real engine: what keeps them from running is said in a sentence (D4 79 and 80), and what the engine
lacks is had from a registry by digest."""

import os
from pathlib import Path

import pytest

from orchestrator.domain.hardware import Hardware
from orchestrator.domain.seen import Image, InstanceState
from orchestrator.ports import LaunchSpec
from tests import containers, registry
from tests.support import eventually

pytestmark = pytest.mark.skipif(bool(containers.trouble()), reason=containers.trouble() or "-")
HARDWARE = Hardware("cpu-basic", "CPU basic", 1, 200 * 1024**2, 1024**3, processes=40, files=256)
SERVE = "python3 -m http.server"


class World:
    def __init__(self, root: Path) -> None:
        from orchestrator.runtimes.docker import DockerRuntime

        self.root, self.owner = root, f"own{os.getpid()}x{root.name[-6:].lower()}"
        self.runtime = DockerRuntime(root / "data", self.owner, grace=1.0)
        self.count = 0

    def build(self, *lines: str) -> str:
        folder = self.root / f"image{self.count}"
        folder.mkdir()
        (folder / "Dockerfile").write_text("\n".join((f"FROM {containers.base()}", *lines)) + "\n")
        return containers.docker("build", "-q", "--label", "podium.test=1", str(folder))

    def launch(self, reference: str) -> str:
        self.count += 1
        image = Image("sha", "docker", (), reference=reference)
        spec = LaunchSpec(f"s-own-{self.count}", "own", "key", image, HARDWARE, {})
        self.runtime.launch(spec)
        return spec.instance_id

    def see(self, instance_id: str):
        return next(one for one in self.runtime.list() if one.id == instance_id)

    def close(self) -> None:
        for one in self.runtime.list():
            self.runtime.stop(one.id)
        eventually(lambda: not self.runtime.list(), 60)
        self.runtime.close()
        containers.docker("network", "rm", f"podium-{self.owner}")


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("lines", "words", "hint"),
    [
        (['CMD ["/nothing-here"]'], "'/nothing-here'", "CMD and ENTRYPOINT"),
        (['CMD ["/etc/passwd"]'], "'/etc/passwd'", "chmod +x"),
        (["CMD touch /root/file"], "Permission denied", "user 1000"),
        (["CMD exit 0"], "ended by itself with exit code 0", "keep running"),
        (["CMD exit 3"], "exited with code 3", ""),
    ],
    ids=["missing", "not-executable", "root", "ends", "fails"],
)  # fmt: skip
def test_what_cannot_run_says_why(world, lines, words, hint):
    name = world.launch(world.build(*lines))
    seen = eventually(lambda: (one := world.see(name)).state is InstanceState.EXITED and one, 30)
    print(seen.fault)
    assert words in seen.fault.message and hint in seen.fault.hint


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (f"{SERVE} 7860 --bind 127.0.0.1", "listens on 127.0.0.1:7860 only, expected 0.0.0.0"),
        (f"{SERVE} 8123", "listens on port 8123, expected 7860"),
        ("sleep 600", ""),
    ],
)
def test_what_listens_wrongly_says_where(world, command, words):
    name = world.launch(world.build(f"CMD exec {command}"))
    if words:
        fault = eventually(lambda: world.see(name).fault, 30)
        assert words in fault.message
    assert world.see(name).state is InstanceState.STARTING


@pytest.mark.skipif(bool(registry.trouble()), reason=registry.trouble() or "-")
def test_the_engine_gets_what_it_lacks_and_waits_for_a_registry_that_is_away(world, tmp_path):
    kept = registry.Registry(tmp_path / "registry").start()
    try:
        mine = world.build("LABEL podium.test=1", f"CMD exec {SERVE} 7860 --directory /srv")
        name = f"{kept.host}/own/app:1"
        containers.docker("tag", mine, name)
        containers.docker("push", "-q", name)
        reference = f"{kept.host}/own/app@{kept.digest('own/app', '1')}"
        containers.docker("image", "rm", "-f", mine)
        kept.stop()
        waiting = world.launch(reference)
        fault = eventually(lambda: world.see(waiting).fault, 60)
        assert "cannot be had" in fault.message and world.see(waiting).state is InstanceState.STARTING
        kept.start()
        eventually(lambda: world.see(waiting).state is InstanceState.READY, 60)
        gone = world.launch(f"{kept.host}/own/app@sha256:{'1' * 64}")
        seen = eventually(lambda: (one := world.see(gone)).state is InstanceState.EXITED and one, 60)
        assert "cannot be had" in seen.fault.message
    finally:
        kept.stop()
        containers.docker("image", "rm", "-f", reference, check=False)
