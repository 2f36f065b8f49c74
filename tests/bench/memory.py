"""How much more memory Podium's own processes hold while one large file goes up on each path: the Hub's client with Xet and
with LFS, `git lfs push`, and a plain `git push`. The processes that git starts for Podium count."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from huggingface_hub import HfApi

from tests.bench import rig
from tests.bench.figures import Figure
from tests.podium import Podium
from tests.support import git

SIZE = int(os.environ.get("BENCH_LARGE_MB", "512")) * 1024**2
BLOB = 40 * 1024**2  #: plain git takes no larger files
BLOBS = 8
LIMIT = 80.0
LOOK = 0.1

#: The client in a process of its own: what it holds is not ours, and Xet is chosen when it is imported.
UPLOAD = """import sys
from huggingface_hub import HfApi
url, token, repo, path = sys.argv[1:]
HfApi(url, token=token).upload_file(path_or_fileobj=path, path_in_repo="large.bin", repo_id=repo, repo_type="dataset")"""


def run(podium: Podium, folder: Path) -> list[Figure]:
    figures = []
    for name, upload in (
        ("upload by Xet", xet), ("upload by LFS", lfs), ("git lfs push", git_lfs), ("git push", plain_git)
    ):  # fmt: skip
        here = folder / name.replace(" ", "-")
        here.mkdir()
        repo = f"{podium.owner}/{here.name}"
        HfApi(podium.url, token=podium.token).create_repo(repo, repo_type="dataset")
        went = upload(podium, repo, here)
        with watched(podium) as grown:
            took = rig.seconds(went)
        size = sum(file.stat().st_size for file in here.glob("*.bin")) >> 20
        figures.append(Figure(f"memory, {name}", max(grown), LIMIT, "MB", f"{size} MB in {took:.0f} s"))
        shutil.rmtree(here)
    return figures


@contextmanager
def watched(podium: Podium) -> Iterator[list[float]]:
    """MB of memory beyond what it held before, seen every moment until the end."""
    before, grown, over = held(podium), [], threading.Event()

    def watch() -> None:
        while not over.wait(LOOK):
            grown.append(held(podium) - before)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield grown
    finally:
        over.set()
        thread.join()


def held(podium: Podium) -> float:
    """MB that Podium and the processes that it started have for themselves: pages of files that are mapped do not count."""
    assert podium.process is not None
    total = 0
    up = psutil.Process(podium.process.pid)
    for process in (up, *up.children(recursive=True)):
        with suppress(psutil.Error):
            memory = process.memory_info()
            total += memory.rss - memory.shared
    return total / 1024**2


def made(path: Path, size: int) -> None:
    """Bytes of which no two pieces are alike."""
    with path.open("wb") as file:
        for _ in range(0, size, 1024**2):
            file.write(os.urandom(1024**2))


def xet(podium: Podium, repo: str, folder: Path):
    return client(podium, repo, folder, {"HF_HUB_DISABLE_XET": "0"})


def lfs(podium: Podium, repo: str, folder: Path):
    return client(podium, repo, folder, {"HF_HUB_DISABLE_XET": "1"})


def client(podium: Podium, repo: str, folder: Path, environ: dict[str, str]):
    made(folder / "large.bin", SIZE)
    words = [sys.executable, "-c", UPLOAD, podium.url, podium.token, repo, str(folder / "large.bin")]
    home = {"HF_HOME": str(folder / "home"), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    return lambda: subprocess.run(words, env=podium.environ | home | environ, check=True)


def git_lfs(podium: Podium, repo: str, folder: Path):
    push = repository(podium, repo, folder)
    git(folder, "lfs", "install", "--local")
    git(folder, "lfs", "track", "*.bin")
    made(folder / "large.bin", SIZE)
    return push


def plain_git(podium: Podium, repo: str, folder: Path):
    push = repository(podium, repo, folder)
    for number in range(BLOBS):
        made(folder / f"{number}.bin", BLOB)
    return push


def repository(podium: Podium, repo: str, folder: Path):
    """A git repository in the folder, and what commits and pushes it."""
    address = f"{podium.url}/datasets/{repo}".replace("//", f"//{podium.owner}:{podium.token}@", 1)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "core.compression", "0")  # what the client's git spends is not the question
    git(folder, "config", "pack.window", "0")

    def push() -> None:
        for words in (("add", "-A"), ("commit", "-qm", "all"), ("push", "-qf", address, "main")):
            git(folder, *words)

    return push
