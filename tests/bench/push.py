"""From `git push` to the new version answering: a push of code only, beside the app's own boot; and the first build, beside
`uv pip install` of the same requirements. Both sides measured in one run, on one machine, from one uv cache."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median

from builder.backends import bytecode
from tests.apps.expect import APPS
from tests.bench import rig
from tests.bench.figures import Figure
from tests.podium import Podium
from tests.space import Space
from tests.support import eventually

SAMPLE = APPS / "gradio_interface"
ROUNDS = 3
MARK = "podium-bench-version"


def code(version: str) -> str:
    """The sample's app.py, saying its version in the page."""
    return (SAMPLE / "app.py").read_text().replace('title="Word counter"', f'title="{MARK}-{version}"')


def run(podium: Podium, folder: Path) -> list[Figure]:
    space = podium.space("bench-push")
    first = first_build(podium, space, folder)
    python = rig.environments(podium.data)[0]
    compiled = python.parent.parent / bytecode.MARKER
    eventually(compiled.exists, 300, "the bytecode that the first build compiles afterwards, beside both sides' boots")
    ours, own = [], []
    for version in map(str, range(2, 2 + ROUNDS)):
        ours.append(rig.seconds(lambda version=version: push(space, version)))
        space.wait("RUNNING")
        own.append(rig.boot(python, checkout(folder, version), f"{MARK}-{version}"))
    space.pause()
    how = f"push {median(ours):.2f} s; the app's own boot in the same environment {median(own):.2f} s (medians of {ROUNDS})"
    return [first, Figure("code-only push", median(ours), median(own) + 1.5, "s", how + "; limit: boot + 1.5 s")]


def push(space: Space, version: str) -> None:
    """Push and wait until this version answers at the Space's own URL."""
    space.push(SAMPLE, {"app.py": code(version)}, f"Version {version}")
    with space.client() as client:
        eventually(lambda: rig.answers(client, f"{MARK}-{version}"), 300, f"version {version}", rig.LOOK)


def first_build(podium: Podium, space: Space, folder: Path) -> Figure:
    """The environment of the sample made by Podium and by hand. A first installation by hand warms the cache for both."""
    wanted = requirement()
    install(folder / "warm", wanted)
    shutil.rmtree(folder / "warm")
    by_hand = rig.seconds(lambda: install(folder / "by-hand", wanted))
    boot = rig.boot(folder / "by-hand" / "bin" / "python", checkout(folder, "1"), f"{MARK}-1")
    ours = rig.seconds(lambda: push(space, "1"))
    space.wait("RUNNING")
    how = f"first push {ours:.2f} s; uv pip install {wanted} {by_hand:.2f} s, first boot {boot:.2f} s"
    return Figure(
        "first build, warm cache", ours, 1.5 * by_hand + 2 + boot, "s", how + "; limit: 1.5 x install + 2 s + boot"
    )


def install(venv: Path, requirement: str) -> None:
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    for command in (
        [uv, "venv", "-q", str(venv)],
        [uv, "pip", "install", "-q", "-p", str(venv / "bin" / "python"), requirement],
    ):
        done = subprocess.run(command, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr


def requirement() -> str:
    """What the Hub installs for this sample."""
    version = re.search(r"^sdk_version: (\S+)$", (SAMPLE / "README.md").read_text(), re.MULTILINE)
    assert version
    return f"gradio[mcp,oauth]=={version[1]}"


def checkout(folder: Path, version: str) -> Path:
    """The files of a version, as the author has them."""
    target = folder / f"checkout-{version}"
    shutil.copytree(SAMPLE, target, dirs_exist_ok=True)
    (target / "app.py").write_text(code(version))
    return target
