"""Files up and down by the Hub's own client: many small ones and a large one, beside the same bytes from nginx and beside
`git push` of the same folder. The client is the same on both sides, in one run, on one machine."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from huggingface_hub import HfApi

from tests.bench import rig
from tests.bench.figures import Figure
from tests.podium import Podium
from tests.support import eventually, free_port, git

SMALL, SMALL_SIZE = 1000, 10_000
LARGE = int(os.environ.get("BENCH_LARGE_MB", "512")) * 1024**2
THREADS = 8


def run(podium: Podium, folder: Path) -> list[Figure]:
    api = HfApi(podium.url, token=podium.token)
    small, large = folder / "small", folder / "large"
    made(small, SMALL, SMALL_SIZE, ".txt")
    made(large, 1, LARGE, ".bin")
    many, one = f"{podium.owner}/bench-many", f"{podium.owner}/bench-one"
    for name in (many, one):
        api.create_repo(name, repo_type="dataset")
    up = rig.seconds(lambda: api.upload_folder(repo_id=many, repo_type="dataset", folder_path=small))
    pushed = rig.seconds(lambda: push(podium, small, folder / "clone"))
    api.upload_folder(repo_id=one, repo_type="dataset", folder_path=large)
    figures = [
        Figure("upload_folder, 1,000 files", up, pushed / 0.5, "s", f"git push of them {pushed:.2f} s; limit: twice")
    ]
    for name, repo, source in (("1,000 files of 10 kB", many, small), (f"one file of {LARGE >> 20} MB", one, large)):
        ours = rig.seconds(lambda repo=repo: snapshot(api, repo, folder / "down"))
        shutil.rmtree(folder / "down")
        with nginx(api, repo, source, folder) as still:
            theirs = rig.seconds(lambda repo=repo, still=still: snapshot(still, repo, folder / "nginx-down"))
        shutil.rmtree(folder / "nginx-down")
        how = f"{ours:.2f} s; the same client and the same bytes from nginx {theirs:.2f} s; limit: nginx / 0.7"
        figures.append(Figure(f"snapshot_download, {name}", ours, theirs / 0.7, "s", how))
    return figures


def made(folder: Path, count: int, size: int, ending: str) -> None:
    """Files of printable bytes, each its own."""
    folder.mkdir()
    for number in range(count):
        with open(folder / f"{number:04d}{ending}", "wb") as file:
            for _ in range(0, size, 1024**2):
                file.write(os.urandom(min(size, 1024**2) // 2).hex().encode())


def snapshot(api: HfApi, repo: str, folder: Path) -> None:
    api.snapshot_download(repo, repo_type="dataset", local_dir=folder, max_workers=THREADS)


def push(podium: Podium, source: Path, clone: Path) -> None:
    """The same folder by git, into a repo of its own."""
    shutil.copytree(source, clone)
    address = podium.url.replace("//", f"//{podium.owner}:{podium.token}@")
    for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-qm", "all")):
        git(clone, *words)
    git(clone, "push", "-q", f"{address}/spaces/{podium.owner}/bench-pushed", "main")


@contextmanager
def nginx(api: HfApi, repo: str, source: Path, folder: Path) -> Iterator[HfApi]:
    """A plain nginx with one worker that answers the Hub's client about one revision of a repo from files: what `api` says
    about it, and its bytes as they lie in `source`."""
    port, path = free_port(), f"/api/datasets/{repo}"
    sha = api.dataset_info(repo).sha
    every = [
        {"type": "file", "path": file.path, "size": file.size, "oid": file.blob_id}
        for file in api.list_repo_tree(repo, recursive=True, repo_type="dataset")
        if (source / file.path).exists()
    ]
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        Path(scratch, "info").write_text(json.dumps({"id": repo, "sha": sha, "siblings": []}))
        Path(scratch, "tree").write_text(json.dumps(every))
        lines = (
            f"daemon off; worker_processes 1; pid {scratch}/pid; error_log {scratch}/error; events {{}} user root;"
            f"http {{ access_log off; sendfile on; client_body_temp_path {scratch}/body; proxy_temp_path {scratch}/proxy;"
            f"fastcgi_temp_path {scratch}/f; uwsgi_temp_path {scratch}/u; scgi_temp_path {scratch}/s;"
            f"server {{ listen 127.0.0.1:{port};"
            f"default_type application/json;"
            f"location = {path}/revision/main {{ alias {scratch}/info; }}"
            f"location = {path}/tree/{sha} {{ alias {scratch}/tree; }}"
            f"location /datasets/{repo}/resolve/{sha}/ {{ add_header X-Repo-Commit {sha}; alias {source}/; }} }} }}"
        )
        Path(scratch, "conf").write_text(lines)
        process = subprocess.Popen(["nginx", "-c", f"{scratch}/conf", "-e", f"{scratch}/error"])
        url = f"http://127.0.0.1:{port}"
        try:
            eventually(lambda: httpx.get(f"{url}{path}/revision/main").status_code == 200, 20)
            yield HfApi(url, token=api.token)
        finally:
            process.terminate()
            process.wait(10)
