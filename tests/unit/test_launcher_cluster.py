"""The launcher where a cluster starts containers: its words are on stdout, its last ones in a small file, and an app that has
ended is not started again."""

import json
import os
import subprocess
import sys
from pathlib import Path

from runtime_images import launch
from runtime_images.launcher.status import LAST_WORDS_LIMIT
from tests.support import eventually


def start(tmp_path: Path, code: str, **more) -> subprocess.Popen:
    spec = {
        "argv": [sys.executable, "-u", "-c", code], "env": {"PATH": os.defpath}, "grace": 0.5, "status": "-", "log": "-",
        "last_words": str(tmp_path / "last"), "ended": str(tmp_path / "ended"), **more,
    }  # fmt: skip
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    words = [sys.executable, "-I", "-S", launch.__file__, str(tmp_path / "spec.json")]
    return subprocess.Popen(words, stdout=subprocess.PIPE)


def test_what_it_says_and_what_the_app_says_can_be_told_apart(tmp_path):
    code = "print('\\x1e{\"state\": \"ready\"}'); print('plain'); import sys; sys.exit(3)"
    out = start(tmp_path, code).communicate(timeout=30)[0].decode().rstrip("\n").split("\n")
    said = [json.loads(line[1:]) for line in out if line.startswith("\x1e")]
    assert [one["state"] for one in said] == ["starting", "exited"]
    assert said[-1]["exit_code"] == 3 and "tail" not in said[-1]
    assert [line for line in out if not line.startswith("\x1e")] == [
        '{"state": "ready"}', "plain", "[podium] the app exited with code 3",
    ]  # fmt: skip


def test_its_last_words_fit_and_hold_the_end_of_the_log(tmp_path):
    code = "for n in range(100): print(n, '\\u20ac' * 2000)\nraise ValueError('the end')"
    start(tmp_path, code).communicate(timeout=30)
    text = (tmp_path / "last").read_bytes()
    assert len(text) <= LAST_WORDS_LIMIT
    told = json.loads(text)
    assert (told["state"], told["exit_code"], told["tail"][-1]) == ("exited", 1, "ValueError: the end")


def test_an_app_that_has_ended_is_not_started_again(tmp_path):
    code = f"open({str(tmp_path / 'runs')!r}, 'a').write('x')"
    start(tmp_path, code).communicate(timeout=30)
    again = start(tmp_path, code)
    try:
        assert b"not started again" in again.stdout.readline()
        assert (tmp_path / "runs").read_text() == "x"
    finally:
        again.terminate()
    assert again.wait(20) == 0


def test_an_app_that_was_killed_with_its_launcher_is_started_again(tmp_path):
    first = start(tmp_path, "import time; print('up'); time.sleep(600)")
    eventually(lambda: b"up" in first.stdout.readline())
    first.kill()
    first.wait(20)
    second = start(tmp_path, "print('up again')")
    assert b"up again" in second.communicate(timeout=30)[0]
