"""A container on paper: what it is told, what it is held to, what is believed of what it says."""

import json
import os

import pytest

from orchestrator.domain.hardware import Hardware
from orchestrator.domain.seen import Image
from orchestrator.ports import LaunchSpec
from orchestrator.runtimes import container, hints
from orchestrator.runtimes.docker_known import Known

MB = 1024**2
HARDWARE = Hardware("cpu-basic", "CPU basic", 1.5, 300 * MB, 1024 * MB, processes=40, files=256)


def spec(**image) -> LaunchSpec:
    made = Image("i", "gradio", image.pop("argv", ("python", "app.py")), {"PORT": "{port}"}, **image)
    return LaunchSpec("s-abc-1", "abc", "key", made, HARDWARE, {"TOKEN": "secret", "LAUNCH_SPEC": "{}", "PORT": "1"})


def test_the_app_is_told_its_variables_and_the_launcher_the_rest():
    env = container.environment(spec(python_version="3.11.2"), 7.0)
    order = json.loads(env["LAUNCH_SPEC"])
    assert (env["TOKEN"], env["PORT"], env["HOME"], env["SPACE_DATA_DIR"]) == ("secret", "7860", "/home/user", "/data")
    assert env["PATH"].startswith("/opt/venv/bin:")
    assert order == {
        "id": "s-abc-1", "argv": ["python", "app.py"], "cwd": "/app", "port": 7860, "contract_port": 7860,
        "ready_path": "/", "outside": True, "memory": 300 * MB, "cgroup": ".", "grace": 7.0, "log": "-",
        "status": "/run/podium/status.json",
    }  # fmt: skip
    assert "secret" not in env["LAUNCH_SPEC"]


def test_an_authors_own_image_keeps_its_path():
    env = container.environment(spec(argv=(), port=8080), 7.0)
    assert env["PORT"] == "8080" and "PATH" not in env and "HOME" not in env


def test_limits():
    assert container.limits(HARDWARE, spec().image) == {
        "mem_limit": 300 * MB, "memswap_limit": 300 * MB, "shm_size": 150 * MB, "nano_cpus": 1_500_000_000,
        "pids_limit": 48, "security_opt": ["no-new-privileges:true"], "cap_drop": ["ALL"], "init": False,
        "restart_policy": {"Name": "no"},
    }  # fmt: skip


def test_a_note_survives_in_labels_and_others_labels_are_none():
    note = container.note_of(spec(), 3.0, 12.5)
    assert container.read_note(note.labels("me")) == note
    assert note.labels("me")[container.LABEL] == "me"
    for labels in ({}, {"podium.note": "{"}, {"podium.note": "{}"}, {"podium.note": "[1]"}):
        assert container.read_note(labels) is None


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "1", '{"state": "great"}', '{"state": "ready", "ready_at": NaN}', '{"state": "ready", "ready_at": 1e99}',
     '{"state": 3}', "[" * 100_000, '{"state": "ready"' + " " * container.STATUS_LIMIT + "}"],
)  # fmt: skip
def test_a_forged_status_is_no_status(tmp_path, text):
    (tmp_path / "status.json").write_text(text)
    assert container.Status(tmp_path)() == {}


def test_a_forged_member_is_left_out_or_cut(tmp_path):
    forged = {"state": "exited", "reason": "x" * 9999, "port": "80", "tail": ["y" * 99_999, {"z": 1}],
              "listening_elsewhere": ["nonsense", "0.0.0.0:9999"], "exit_code": "1"}  # fmt: skip
    (tmp_path / "status.json").write_text(json.dumps(forged))
    found = container.Status(tmp_path)()
    assert len(found["reason"]) == 500 and len(found["tail"][0]) == 2000 and found["tail"][1] == "{'z': 1}"
    assert "port" not in found and "exit_code" not in found
    assert found["listening_elsewhere"] == ["0.0.0.0:9999"]
    assert hints.exited(found).message == found["reason"]


def test_a_link_or_a_pipe_in_place_of_the_status_is_not_followed(tmp_path):
    (tmp_path / "secret").write_text('{"state": "ready", "ready_at": 1.0}')
    (tmp_path / "status.json").symlink_to(tmp_path / "secret")
    assert container.Status(tmp_path)() == {}
    (tmp_path / "status.json").unlink()
    os.mkfifo(tmp_path / "status.json")
    assert container.Status(tmp_path)() == {}


def test_a_status_is_read_again_when_it_changed(tmp_path):
    status = container.Status(tmp_path)
    assert status() == {}
    (tmp_path / "status.json").write_text('{"state": "starting"}')
    assert status()["state"] == "starting"
    (tmp_path / "new").write_text('{"state": "ready", "ready_at": 5.0}')
    (tmp_path / "new").rename(tmp_path / "status.json")
    assert status()["ready_at"] == 5.0


@pytest.mark.parametrize(
    ("state", "status", "launcher", "code", "words"),
    [
        ({"ExitCode": 7}, {"state": "exited", "exit_code": 7, "tail": ["bad"]}, True, "APP_EXITED", "code 7: bad"),
        ({"OOMKilled": True, "ExitCode": 137}, {}, True, "APP_OOM", "300 MB"),
        ({"OOMKilled": True, "ExitCode": 137}, {"state": "exited", "signal": 9}, True, "APP_OOM", "300 MB"),
        ({"ExitCode": 3}, {}, False, "APP_EXITED", "code 3: last words"),
        ({"ExitCode": 139}, {}, False, "APP_EXITED", "SIGSEGV"),
        ({"ExitCode": 127, "Error": "no such file: serve"}, {}, False, "APP_EXITED", "no such file: serve"),
    ],
)  # fmt: skip
def test_how_it_ended(state, status, launcher, code, words):
    note = container.note_of(spec(argv=("x",) if launcher else ()), 1.0, 1.0)
    fault = hints.exited(container.died(state, status, note, ["last words"]))
    assert fault.code == code and words in fault.message


@pytest.mark.parametrize(("code", "launcher"), [(137, False), (143, False), (137, True), (0, True)])
def test_what_was_ended_from_outside_is_not_the_apps_fault(code, launcher):
    note = container.note_of(spec(argv=("x",) if launcher else ()), 1.0, 1.0)
    assert container.died({"ExitCode": code}, {}, note, []) is None


@pytest.mark.parametrize(
    ("said", "begun"),
    [
        ("2026-11-18T11:06:40.123456789Z", 1_795_000_000.123456),
        ("2026-11-18T11:06:40Z", 1_795_000_000.0),
        ("0001-01-01T00:00:00Z", None),
        ("", None),
        ("soon", None),
    ],
)
def test_when_the_engine_started_a_container(said, begun):
    known = Known(container.note_of(spec(), 1.0, 5.0), "name", dict)
    known.take({"StartedAt": said})
    assert known.begun_at == (pytest.approx(begun) if begun else None)
