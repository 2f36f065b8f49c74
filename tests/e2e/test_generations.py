"""Generations of the Hub's client, old and new, each with and without Xet, do what a user does (generation.py) in an environment
of their own; and an upload that was killed half way is done once more."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.generation import ODD
from tests.e2e.hub import installed
from tests.support import eventually

pytestmark = pytest.mark.timeout(1800)
SCRIPT = Path(__file__).with_name("generation.py")
NEWEST = "newest"
#: What is asked of the package index; the newest is the one that the other tests use too.
GENERATIONS = {"0.36": "huggingface_hub==0.36.*", "1.19": "huggingface_hub==1.19.*", NEWEST: ""}
KILLED = """
import sys
from huggingface_hub import CommitOperationAdd as Add, HfApi
api, name, path = HfApi(), sys.argv[1], sys.argv[2]
api.create_repo(name, exist_ok=True)
large = Add("large.bin", path)
api.preupload_lfs_files(name, [large])
if len(sys.argv) > 3:
    print("waiting", sys.stdin.read())
api.create_commit(name, [large, Add("small.txt", b"after all")], commit_message="Both")
print(api.hf_hub_download(name, "large.bin"))
"""


@pytest.fixture(scope="session")
def pythons(tmp_path_factory):
    """Of a generation the Python that has it, installed when it is first asked for."""
    made = {NEWEST: sys.executable}

    def python(generation: str) -> str:
        if generation not in made:
            place = tmp_path_factory.mktemp("client") / "env"
            made[generation] = str(installed(place, GENERATIONS[generation], "hf_xet"))
        return made[generation]

    return python


def _run(*command: str, **options) -> subprocess.CompletedProcess:
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, **options)
    assert done.returncode == 0, f"{command[:4]}:\n{done.stdout[-1000:]}{done.stderr[-3000:]}"
    return done


def environ(podium, home, xet: bool) -> dict[str, str]:
    """Of a client on a machine of its own, which has nothing of ours on its path."""
    return {name: value for name, value in podium.environ.items() if name != "PYTHONPATH"} | {
        "HF_ENDPOINT": podium.url,
        "HF_TOKEN": podium.token,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "0" if xet else "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }


@pytest.fixture(scope="module")
def others(podium):
    """A stranger, a model that they must ask for, and one that they cannot see."""
    stranger = podium.user(f"outsider{podium.port}")
    for name, private in (("gated-one", False), ("private-one", True)):
        body = {"name": name, "type": "model", "private": private}
        assert podium.request("POST", "/api/repos/create", body, podium.token).status_code == 200
    at = f"/api/models/{podium.owner}/gated-one/settings"
    assert podium.request("PUT", at, {"gated": "manual"}, podium.token).status_code == 200
    return {"gated": f"{podium.owner}/gated-one", "private": f"{podium.owner}/private-one", "stranger": stranger}


@pytest.fixture(scope="module", params=[(g, x) for g in GENERATIONS for x in (True, False)],
                ids=lambda one: f"{one[0]}-{'xet' if one[1] else 'lfs'}")  # fmt: skip
def told(request, podium, pythons, others, tmp_path_factory):
    """What one generation saw, of all steps."""
    generation, xet = request.param
    name = f"by-{generation.replace('.', '-')}-{'xet' if xet else 'lfs'}"
    found = answer(podium, pythons(generation), tmp_path_factory.mktemp("generation"), xet, others | {"name": name})
    return found | {"generation": generation, "id": f"{podium.owner}/{name}", "xet": xet}


def answer(podium, python: str, work: Path, xet: bool, names: dict) -> dict:
    (work / "names.json").write_text(json.dumps({"owner": podium.owner, "many": False} | names))
    _run(python, str(SCRIPT), "names.json", "answer.json", cwd=work, env=environ(podium, work / "hf", xet))
    return json.loads((work / "answer.json").read_text())


def step(told, name):
    assert "failed" not in told[name] or not isinstance(told[name]["failed"], str), told[name]["failed"]
    return told[name]


def test_it_is_the_generation_that_is_meant(told):
    assert told["generation"] == NEWEST or told["version"].startswith(told["generation"] + ".")


def test_a_folder_goes_up_and_comes_down(told):
    seen = step(told, "uploads")
    assert seen["size"] == 800_000
    assert seen["sha256"] == seen["stored"] == seen["got"] == seen["snapshot"] == seen["local"]
    assert seen["oid"] == seen["again"] == seen["sha"]


def test_large_files_go_by_xet_or_do_not(podium, told):
    """Whether it asked for an address to send xorbs to: the newest by itself, older ones because the LFS batch says `xet`."""
    asked = f"/api/models/{told['id']}/xet-write-token/"
    logs = podium.data / "logs"

    def seen() -> str:
        return "".join(log.read_text() for log in logs.glob("access.log*"))

    eventually(lambda: f"/api/models/{told['id']}-moved" in seen(), 10, "the access log")  # asked for at the end
    assert (asked in seen()) == told["xet"]


def test_the_later_of_two_on_one_parent_is_refused(told):
    seen = step(told, "conflict")
    assert is_error(seen["late"], "HfHubHTTPError", 412) and seen["text"] == "second"


def test_of_two_writers_each_commit_lands(told):
    seen = step(told, "race")
    assert seen["failed"] == [] and len(seen["files"]) == 6
    assert {f"{who} {n}" for who in ("ada", "bob") for n in range(3)} <= set(seen["titles"])


def test_branches_and_tags(told):
    seen = step(told, "branches")
    assert is_error(seen["again"], "HfHubHTTPError", 409) and is_error(seen["tagged"], "HfHubHTTPError", 409)
    assert (seen["branches"], seen["tags"], seen["left"]) == (["main", "side/way"], ["v1.0"], ["main"])
    assert seen["by tag"] == "aside" and is_error(seen["on main"], "EntryNotFoundError", 404)
    assert is_error(seen["gone"], "RevisionNotFoundError", 404)


def test_pull_requests(told):
    seen = step(told, "pull_request")
    assert seen["revision"] == "refs/pr/1" and is_error(seen["before"], "EntryNotFoundError", 404)
    assert (seen["there"], seen["after"]) == ("proposed", "proposed")
    assert seen["listed"] == [[1, "merged"], [2, "closed"]] and seen["refs"] == ["refs/pr/1", "refs/pr/2"]
    assert {"comment", "commit", "status-change"} <= set(seen["events"])


def test_odd_names(told):
    assert step(told, "odd_names") == {"unlisted": [], "unknown": [], "wrong": [], "left": []}
    assert len(ODD) == len(set(ODD)) > 12


def test_each_mistake_has_its_own_error(told):
    seen = step(told, "mistakes")
    assert seen.pop("gated info") == "manual"
    for what, name, status in (
        ("repo", "RepositoryNotFoundError", 404),
        ("file of no repo", "RepositoryNotFoundError", 404),
        ("private", "RepositoryNotFoundError", 404),
        ("revision", "RevisionNotFoundError", 404),
        ("file of no revision", "RevisionNotFoundError", 404),
        ("tree of no revision", "RevisionNotFoundError", 404),
        ("entry", "EntryNotFoundError", 404),
        ("tree of no folder", "EntryNotFoundError", 404),
        ("away with nothing", "EntryNotFoundError", 404),
        ("gated", "GatedRepoError", 403),
        ("gated check", "GatedRepoError", 403),
        ("bad", "BadRequestError", 400),
        ("taken", "HfHubHTTPError", 409),
        ("not mine", "HfHubHTTPError", 403),
    ):
        assert is_error(seen[what], name, status), (what, seen[what])
        assert f"Request ID: {seen[what]['request']}" in seen[what]["said"], what
    assert not {"GatedRepoError"} & set(seen["private"]["classes"])
    assert seen["token"]["status"] == 401 and "Invalid user token" in seen["token"]["said"]


def test_a_thousand_files_in_one_commit(podium, tmp_path):
    names = {"name": "a-thousand", "many": True}
    seen = step(answer(podium, sys.executable, tmp_path, False, names), "many")
    assert seen == {"listed": 1000, "text": "997", "left": [".gitattributes"]}


def test_a_repo_moves_and_goes(told):
    seen = step(told, "moves")
    assert (seen["id"], seen["file"], seen["upload"]) == (f"{told['id']}-moved", "second", seen["sha"])
    assert seen["exists"] is False
    assert is_error(seen["again"], "RepositoryNotFoundError", 404)
    assert is_error(seen["old"], "RepositoryNotFoundError", 404)


def is_error(seen, name: str, status: int) -> bool:
    """Whether what was raised is what a program would catch, with the id of the request in it."""
    return name in seen["classes"] and seen["status"] == status and bool(seen["request"])


@pytest.mark.parametrize("xet", [True, False], ids=["xet", "lfs"])
def test_an_upload_killed_half_way_is_done_again(podium, tmp_path, xet):
    """70 MB: more than one xorb, and more than one part of LFS's multipart transfer."""
    data = os.urandom(70_000_000)
    (tmp_path / "large.bin").write_bytes(data)
    name = f"{podium.owner}/killed-{'xet' if xet else 'lfs'}"
    words = [sys.executable, "-c", KILLED, name, str(tmp_path / "large.bin")]
    env = environ(podium, tmp_path / "hf", xet)
    folder, pattern = (podium.data / "xet", "*/*/*") if xet else (podium.data / "objects" / "incoming", "*")
    before = set(folder.glob(pattern))
    first = subprocess.Popen([*words, "wait"], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        eventually(lambda: [one for one in folder.glob(pattern) if one not in before and one.stat().st_size], 120)
    finally:
        first.kill()
        first.communicate()
    assert first.returncode == -signal.SIGKILL
    left = podium.request("GET", f"/api/models/{name}/tree/main", token=podium.token).json()
    assert [one["path"] for one in left] == [".gitattributes"]

    got = _run(*words, env=env).stdout.split()[-1]
    assert hashlib.sha256(Path(got).read_bytes()).digest() == hashlib.sha256(data).digest()
    digest = hashlib.sha256(data).hexdigest()
    eventually(lambda: not list((podium.data / "objects" / "incoming").glob(f"*{digest}*")), 10, "the parts going")
