"""Images in a registry: a push of code only, and an image of dependencies beside the same made by hand with `docker buildx build`
and pushed. Both sides on one engine, one registry and warm caches of packages. Not measured where there is no engine."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from builder.request import Images
from orchestrator.builds.pushed import PushedBuilds
from orchestrator.ports import BuildOrder, BuildResult
from tests import containers, registry
from tests.bench import rig
from tests.bench.figures import Figure
from tests.support import git

WANTED = "streamlit==1.67.0"
ROUNDS = 3
#: What a careful author writes.
BY_HAND = f"""FROM {{base}}
RUN --mount=type=bind,target=/context --mount=type=cache,id=podium-bench-uv,target=/root/.cache/uv \\
    cp /context/uv /tmp/uv && /tmp/uv venv -q /opt/venv && \\
    /tmp/uv pip install -q --compile-bytecode --link-mode copy --python /opt/venv/bin/python {{options}} {WANTED} && rm /tmp/uv
ENV PATH=/opt/venv/bin:$PATH
"""


class World:
    """A data directory, a repo, a registry; `build` is one build of a Space."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.work = folder, folder / "work"
        self.registry = registry.Registry(folder / "registry").start()
        self.work.mkdir()
        git(self.work, "init", "-q", "-b", "main")
        owner = f"bench{time.monotonic_ns() % 10**8}"
        images = Images(containers.base(), owner, "bench", registry=f"{self.registry.host}/bench")
        self.builds = PushedBuilds(folder / "data", images, index_url=index())
        self.previous: dict[str, str] = {}

    def build(self, version: str, space: str = "one", fresh: bool = False) -> BuildResult:
        files = {"README.md": "---\nsdk: streamlit\n---\n", "app.py": f"import streamlit as st\nst.write({version!r})\n",
                 "requirements.txt": WANTED + "\n"}  # fmt: skip
        for name, text in files.items():
            (self.work / name).write_text(text)
        git(self.work, "add", "-A")
        git(self.work, "commit", "-q", "--allow-empty", "-m", version)
        order = BuildOrder(f"key{time.monotonic_ns()}", space, git(self.work, "rev-parse", "HEAD").strip(),
                           str(self.work / ".git"), 1, fresh=fresh, previous=self.previous)  # fmt: skip
        log: list[str] = []
        result = self.builds.run(order, log.append, lambda: False)
        assert result.image, (result.fault, log[-20:])
        self.previous = dict(result.previous)
        return result

    def by_hand(self) -> None:
        context = self.folder / "hand"
        context.mkdir(exist_ok=True)
        shutil.copy2(Path(sys.executable).with_name("uv"), context / "uv")
        options = f"--index-url {index()}" if index() else ""
        (context / "Dockerfile").write_text(BY_HAND.format(base=containers.base(), options=options))
        name = f"{self.registry.host}/bench/by-hand:1"
        proxies = [word for key in ("http_proxy", "https_proxy") for word in ("--build-arg", key)]
        containers.docker(
            "buildx", "build", "-q", "--provenance=false", "--push", "--no-cache", *proxies, "-t", name, str(context)
        )

    def close(self) -> None:
        self.builds.close()
        self.registry.stop()
        containers.forget(self.registry.host)


def index() -> str:
    """The package index that this machine's pip is told to use, "" for none."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def run(_: object, folder: Path) -> list[Figure]:
    if why := registry.trouble() or containers.trouble():
        print(f"(not measured: {why})", end=" ")
        return []
    world = World(folder)
    try:
        world.build("0")  # the base is sent, the caches of packages are warm
        world.by_hand()
        began = time.monotonic()
        made = world.build("1", fresh=True)
        ours = time.monotonic() - began
        hand = rig.seconds(lambda: world.by_hand())
        results = [world.build(str(number)) for number in range(2, 2 + ROUNDS)]
        shared = world.build("1", space="two")
        work = [sum(one.phases.get(name, 0.0) for name in ("clone", "files", "push")) for one in results]
        total = [one.phases["total"] for one in results]
        assert "install" not in shared.phases, "a second Space with the same packages built them again"
    finally:
        world.close()
    phases = json.dumps(results[-1].phases)
    fast = f"reading, files and push {median(work):.2f} s of {median(total):.2f} s that the build took; {phases}"
    slow = f"{WANTED}: {ours:.1f} s with the app on it; by hand with `docker buildx build --push` {hand:.1f} s, limit 1.3 x that"
    slow += f"; phases {json.dumps(made.phases)}"
    return [
        Figure("code-only push, image work", median(work), 0.7, "s", fast),
        Figure("dependency image in a registry", ours, 1.3 * hand, "s", slow),
    ]
