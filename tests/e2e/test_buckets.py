"""Buckets end to end, with the newest `huggingface_hub` and its command line: made, filled by sync, read, copied, deleted."""

import hashlib
import json
import os

import pytest

from tests.e2e.hub import Hub


@pytest.fixture
def hub(podium, tmp_path):
    return Hub(podium, tmp_path / "home", podium.token)


def test_the_life_of_a_bucket(podium, hub, tmp_path):
    name = f"{podium.owner}/bucket-{os.urandom(4).hex()}"
    here, back = tmp_path / "here", tmp_path / "back"
    files = {"a.txt": b"small", "sub/large.bin": os.urandom(3_000_000), "sub/empty": b""}
    for path, data in files.items():
        (here / path).parent.mkdir(parents=True, exist_ok=True)
        (here / path).write_bytes(data)

    def cli(*words: str) -> str:
        done = hub.cli("buckets", *words)
        assert done.returncode == 0, f"{words}: {done.stdout[-500:]}{done.stderr[-1500:]}"
        return done.stdout

    assert f"hf://buckets/{name}" in cli("create", name, "--private", "--quiet")
    cli("sync", str(here), f"hf://buckets/{name}", "--quiet")
    assert set(cli("list", name, "-R", "--quiet").split()) == set(files)
    info = json.loads(cli("info", name, "--format", "json"))
    assert (info["private"], info["size"], info["total_files"]) == (True, sum(map(len, files.values())), len(files))
    cli("sync", f"hf://buckets/{name}", str(back), "--quiet")
    assert {path: (back / path).read_bytes() for path in files} == files

    told = hub.run(
        """
        import hashlib
        from huggingface_hub import HfFileSystem
        api.copy_files(f"hf://buckets/{name}/sub/large.bin", f"hf://buckets/{name}/copies/")
        fs = HfFileSystem()
        with fs.open(f"buckets/{name}/copies/large.bin", "rb") as file:
            file.seek(1_000_000)
            part = hashlib.sha256(file.read(1_000_000)).hexdigest()
        api.batch_bucket_files(name, delete=["a.txt"])
        left = sorted(entry.path for entry in api.list_bucket_tree(name))
        failed = refused(api.batch_bucket_files, name, copy=[("bucket", name, "f" * 64, "none.txt")])
        api.move_bucket(name, name + "-moved")
        size = api.bucket_info(name).size
        api.delete_bucket(name + "-moved")
        result = part, left, failed[0], size, refused(api.bucket_info, name + "-moved")[:2]
        """,
        name=name,
    )
    part = hashlib.sha256(files["sub/large.bin"][1_000_000:2_000_000]).hexdigest()
    left = ["copies/large.bin", "sub/empty", "sub/large.bin"]
    assert told == [part, left, "BucketBatchError", 6_000_000, ["BucketNotFoundError", 404]]
