"""Whole answers compared: what a client reads of a record, and nothing that it must not."""

from dataclasses import replace

import pytest

from orchestrator.api import hardware_views, repo_views, views
from orchestrator.api.fresh import fresh
from orchestrator.api.logs import log_event
from orchestrator.domain.decide import RouteState
from orchestrator.domain.hardware import Hardware, catalogue
from orchestrator.domain.keys import instance_id, launch_key
from orchestrator.domain.records import Build, Setting, Space
from orchestrator.domain.repo import RepoKind
from orchestrator.domain.seen import BuildSeen, BuildState, Failures, Fault, Image
from orchestrator.domain.space import Visibility, Wish
from orchestrator.domain.stage import Stage
from orchestrator.domain.streams import run_stream
from orchestrator.domain.tree import Commit, TreeEntry
from orchestrator.errors import Invalid
from orchestrator.ports import LogLine

URL = "http://ada-demo.localhost:8000"
IMAGE = Image("img1", "gradio", ("python", "app.py"), sdk_version="6.31.0")
WISH = Wish("5" * 24, revision="a" * 40)
KEY = launch_key(IMAGE.id, WISH.hardware, WISH.env_version, WISH.restarts)
SPACE = Space(
    "5" * 24,
    "ada",
    "1" * 24,
    "demo",
    "ada-demo",
    Visibility.PUBLIC,
    WISH,
    sha="a" * 40,
    card={"title": "Demo", "emoji": "🚀", "tags": ["nice", 3], "models": ["x/y"]},
    sdk="gradio",
    created_at=1000.0,
    updated_at=1001.5,
    stage=Stage.RUNNING,
    stage_since=2000.0,
    route=RouteState.OPEN,
    instance=instance_id("5" * 24, KEY),
    running_revision="a" * 40,
    image=IMAGE,
    last_activity=1990.0,
)
RUNNING = {
    "stage": "RUNNING",
    "hardware": {"current": "cpu-basic", "requested": "cpu-basic"},
    "storage": None,
    "gcTimeout": 172800,
    "replicas": {"requested": 1, "current": 1},
    "devMode": False,
    "domains": [{"domain": "ada-demo.localhost:8000", "stage": "READY"}],
    "sdk": "gradio",
    "sdkVersion": "6.31.0",
    "reason": "",
    "since": "1970-01-01T00:33:20.000Z",
    "deadline": None,
    "sha": "a" * 40,
}


def shown(space=SPACE, **changed):
    given = {"sha": space.sha, "card": space.card, "files": lambda: [{"rfilename": "app.py"}], "used": lambda: 7}
    return repo_views.Shown(space, URL, **(given | changed))


def test_runtime_of_a_running_space():
    assert views.runtime(SPACE, URL) == RUNNING


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"stage": Stage.BUILDING, "route": RouteState.WAIT, "reason": "building", "deadline": 2100.25, "image": None,
             "running_revision": None},
            {"stage": "BUILDING", "hardware": {"current": None, "requested": "cpu-basic"}, "replicas": {"requested": 1},
             "reason": "building", "deadline": "1970-01-01T00:35:00.250Z", "sdkVersion": None, "sha": None},
        ),
        (
            {"stage": Stage.BUILD_ERROR, "reason": "requirements.txt:3: no such package"},
            {"stage": "BUILD_ERROR", "reason": "requirements.txt:3: no such package",
             "errorMessage": "requirements.txt:3: no such package"},
        ),
        ({"sdk": "static"}, {"sdk": "static", "hardware": {"current": None, "requested": None}}),
        ({"wish": replace(WISH, sleep_after=None)}, {"gcTimeout": None}),
        (
            {"stage": Stage.SLEEPING, "route": RouteState.WAKE, "image": None},
            {"stage": "SLEEPING", "replicas": {"requested": 1}, "sdkVersion": None},
        ),
        ({"stage": Stage.PAUSED, "route": RouteState.CLOSED}, {"stage": "PAUSED", "replicas": {"requested": 1}}),
    ],
    ids=["building", "error while the old one serves", "static", "never sleeps", "asleep", "paused"],
)  # fmt: skip
def test_runtime_differs_only_where_it_should(changes, told):
    assert views.runtime(replace(SPACE, **changes), URL) == RUNNING | told


def test_a_whole_space():
    assert repo_views.repo(shown(), full=True) == {
        "_id": "5" * 24,
        "id": "ada/demo",
        "author": "ada",
        "likes": 0,
        "trendingScore": 0,
        "private": False,
        "sdk": "gradio",
        "tags": ["gradio", "nice"],
        "createdAt": "1970-01-01T00:16:40.000Z",
        "lastModified": "1970-01-01T00:16:41.500Z",
        "subdomain": "ada-demo",
        "disabled": False,
        "sha": "a" * 40,
        "cardData": SPACE.card,
        "siblings": [{"rfilename": "app.py"}],
        "runtime": RUNNING,
        "models": ["x/y"],
        "datasets": [],
        "visibility": "public",
        "host": URL,
        "gated": False,
        "title": "Demo",
        "emoji": "🚀",
    }


def test_expand_answers_only_what_was_asked_for_and_does_nothing_else():
    def never():
        raise AssertionError("looked into git for nothing")

    assert repo_views.repo(shown(files=never, used=never), expand=["sdk", "sha"]) == {
        "_id": "5" * 24,
        "id": "ada/demo",
        "sdk": "gradio",
        "sha": "a" * 40,
    }
    with pytest.raises(Invalid, match="cardData"):
        repo_views.repo(shown(), expand=["sdk", "nope"])


def test_every_expandable_key_of_the_client_is_known():
    hf_api = pytest.importorskip("huggingface_hub.hf_api")
    assert set(hf_api.ExpandSpaceProperty_T.__args__) <= set(repo_views.EXPANDABLE[RepoKind.SPACE])


def test_a_brief_space_has_no_files_and_no_card():
    assert not {"siblings", "cardData", "runtime"} & set(repo_views.repo(shown()))


@pytest.mark.parametrize(
    ("at", "told"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1700000000.9999, "2023-11-14T22:13:20.999Z"),
        (1e9, "2001-09-09T01:46:40.000Z"),
        (None, None),
    ],
)
def test_times_are_what_the_client_parses(at, told):
    assert views.iso(at) == told


def test_a_secret_never_shows_its_value():
    assert "value" not in views.setting(Setting("K", "locked", True, "why", 1.0))
    assert views.setting(Setting("K", "v", False, "why", 1.0)) == {
        "key": "K",
        "value": "v",
        "description": "why",
        "updatedAt": "1970-01-01T00:00:01.000Z",
    }


def test_a_build_and_its_fault():
    fault = Fault("REQ_NOT_FOUND", "torhc is not on the index", "requirements.txt:2")
    build = Build("k", "s", 3, "b" * 40, 0, BuildState.FAILED, 5.0, 1.0, "ada", "Add", fault=fault, finished_at=5.0)
    told = views.build(build, "b" * 40)
    assert told["fault"] == {
        "code": "REQ_NOT_FOUND",
        "message": "torhc is not on the index",
        "where": "requirements.txt:2",
        "hint": "",
    }
    assert (told["number"], told["state"], told["serving"]) == (3, "failed", False)
    assert views.build(replace(build, state=BuildState.SUCCEEDED, fault=None), "b" * 40)["serving"]


def test_hardware_has_what_the_client_insists_on():
    assert hardware_views.hardware(catalogue(2, 16 * 1024**3, 50 * 1024**3)["cpu-basic"]) == {
        "name": "cpu-basic",
        "prettyName": "CPU Basic",
        "cpu": "2 vCPU",
        "ram": "16 GB",
        "ephemeralStorage": "50 GB",
        "accelerator": None,
        "unitCostMicroUSD": 0,
        "unitCostUSD": 0,
        "unitLabel": "hour",
        "currency": "USD",
        "allowed": "everyone",
        "sleepTimeSeconds": None,
    }
    gpu = Hardware(
        "t4", "T4", 4, 1024**3, 1024**3, accelerator="Nvidia T4", count=2, price=0.5, vram="16 GB", sleep_after=60.0
    )
    told = hardware_views.hardware(gpu)
    assert told["accelerator"] == {
        "type": "gpu",
        "model": "T4",
        "quantity": "2",
        "vram": "16 GB",
        "manufacturer": "Nvidia",
    }
    assert (told["unitCostMicroUSD"], told["unitCostUSD"], told["sleepTimeSeconds"]) == (500000, 0.5, 60.0)


def test_files_and_commits():
    assert views.entry(TreeEntry("a/b.py", "file", "c" * 40, 3)) == {
        "type": "file",
        "oid": "c" * 40,
        "size": 3,
        "path": "a/b.py",
    }
    commit = Commit("c" * 40, "A <title>", "A <title>\n\nAnd more.", ("ada",), 1.0)
    told = views.commit(commit, formatted=True)
    assert (told["title"], told["message"]) == ("A <title>", "And more.")
    assert told["formatted"] == {"title": "A &lt;title&gt;", "message": "And more."}


def test_an_avatar_cannot_carry_markup():
    assert "<script" not in views.avatar("<script>")
    assert views.avatar("ada") == views.avatar("ADA")


def test_a_log_event_is_one_line_that_the_client_recognises():
    event = log_event(LogLine(1.0, "two\u2028words")).decode()
    assert event.startswith("data: {") and event.endswith("}\n\n") and len(event.splitlines()) == 2


# --------------------------------------------------------------------------------- between a command and the next look

BUILT = BuildSeen("b", BuildState.SUCCEEDED, 1.0, IMAGE)
QUEUED = BuildSeen("b", BuildState.QUEUED, 1.0)
FAILED = BuildSeen("b", BuildState.FAILED, 1.0, fault=Fault("X", "bad"))
CLOSED = {"route": RouteState.CLOSED, "instance": "", "image": None}


@pytest.mark.parametrize(
    ("changes", "build", "stage"),
    [
        ({}, BUILT, Stage.RUNNING),
        ({"wish": replace(WISH, paused=True)}, BUILT, Stage.PAUSED),
        ({"wish": replace(WISH, restarts=1)}, BUILT, Stage.RUNNING_APP_STARTING),
        ({"wish": replace(WISH, env_version=1)}, BUILT, Stage.RUNNING_APP_STARTING),
        ({}, None, Stage.RUNNING_BUILDING),
        ({}, QUEUED, Stage.RUNNING_BUILDING),
        ({"stage": Stage.PAUSED, **CLOSED}, BUILT, Stage.APP_STARTING),
        ({"stage": Stage.PAUSED, **CLOSED}, None, Stage.BUILDING),
        ({"stage": Stage.PAUSED, **CLOSED, "wish": replace(WISH, revision=None)}, None, Stage.PAUSED),
        ({"stage": Stage.BUILD_ERROR, **CLOSED}, FAILED, Stage.BUILD_ERROR),
        ({"stage": Stage.BUILD_ERROR, **CLOSED}, None, Stage.BUILDING),
        ({"stage": Stage.NO_APP_FILE, **CLOSED}, QUEUED, Stage.BUILDING),
        ({"stage": Stage.RUNTIME_ERROR, **CLOSED, "failures": Failures(KEY, 3, 1.0)}, BUILT, Stage.RUNTIME_ERROR),
        ({"stage": Stage.RUNTIME_ERROR, **CLOSED, "failures": Failures("old", 3, 1.0)}, BUILT, Stage.APP_STARTING),
        ({"stage": Stage.SLEEPING, **CLOSED}, BUILT, Stage.SLEEPING),
        ({"stage": Stage.SLEEPING, **CLOSED, "last_activity": 2001.0}, BUILT, Stage.APP_STARTING),
        ({"stage": Stage.APP_STARTING, **CLOSED}, BUILT, Stage.APP_STARTING),
    ],
)
def test_a_stage_that_the_wish_has_outrun_is_not_shown(changes, build, stage):
    assert fresh(replace(SPACE, **changes), build).stage is stage


def test_the_log_that_is_shown_is_that_of_the_wanted_instance():
    wanted = instance_id(SPACE.id, launch_key(IMAGE.id, "cpu-basic", 0, 1))
    assert run_stream(replace(SPACE, wish=replace(WISH, restarts=1)), IMAGE) == f"run/{wanted}"
    assert run_stream(SPACE, None) == f"run/{SPACE.instance}"
    failed = replace(SPACE, instance="", failures=Failures("k" * 24, 3, 1.0))
    assert run_stream(failed, None) == f"run/{instance_id(SPACE.id, 'k' * 24)}"
    assert run_stream(replace(SPACE, instance=""), None) == ""
