"""Large files end to end: pushed by git with LFS and built into a Space, uploaded by the client with and without Xet."""

import hashlib
import os
import subprocess
import sys

import pytest

from tests.support import git

CLIENT = """
import hashlib, os, sys
from huggingface_hub import HfApi
api, name, path = HfApi(), sys.argv[1], sys.argv[2]
api.create_repo(name, repo_type="dataset", exist_ok=True)
for _ in range(2):
    api.upload_file(path_or_fileobj=path, path_in_repo="dir/w é.bin", repo_id=name, repo_type="dataset")
got = api.hf_hub_download(name, "dir/w é.bin", repo_type="dataset")
info = api.get_paths_info(name, ["dir/w é.bin"], repo_type="dataset")[0]
print(hashlib.sha256(open(got, "rb").read()).hexdigest(), info.lfs.sha256, info.size)
"""


@pytest.mark.parametrize("xet", ["0", "1"])
def test_the_hubs_client_uploads_and_downloads(podium, tmp_path, xet) -> None:
    data = os.urandom(3_000_000) * 4
    (tmp_path / "w.bin").write_bytes(data)
    env = podium.environ | {
        "HF_ENDPOINT": podium.url,
        "HF_TOKEN": podium.token,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_XET": xet,
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    words = [sys.executable, "-c", CLIENT, f"{podium.owner}/large-{xet}", str(tmp_path / "w.bin")]
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    digest = hashlib.sha256(data).hexdigest()
    assert done.stdout.split() == [digest, digest, str(len(data))]


def test_a_space_is_served_with_the_large_files_that_git_pushed(podium, space, tmp_path) -> None:
    data = os.urandom(2_000_000)
    (tmp_path / "w.bin").write_bytes(data)
    (tmp_path / "index.html").write_text("<h1>hello</h1>")
    (tmp_path / "README.md").write_text("---\nsdk: static\n---\n")
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "lfs", "install", "--local")
    git(tmp_path, "lfs", "track", "*.bin")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "all")
    address = podium.url.replace("//", f"//{podium.owner}:{podium.token}@")
    git(tmp_path, "push", "-q", f"{address}/spaces/{podium.owner}/{space.name}", "main")
    space.wait("RUNNING")
    with space.client() as client:
        assert client.get("/w.bin").content == data
