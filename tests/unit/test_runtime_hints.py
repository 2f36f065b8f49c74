"""How the end of an app is put into words."""

import pytest

from orchestrator.runtimes import hints

FRAMES = [
    "Traceback (most recent call last):",
    '  File "/app/app.py", line 3, in <module>',
    "    import thing",
    '  File "/usr/lib/python3/site-packages/thing/__init__.py", line 9, in <module>',
]


@pytest.mark.parametrize(
    ("last", "message", "hint"),
    [
        ("ModuleNotFoundError: No module named 'cv2'", "'cv2' is not installed", "`opencv-python-headless`"),
        ("ModuleNotFoundError: No module named 'sklearn.svm'", "'sklearn.svm'", "`scikit-learn`"),
        ("ModuleNotFoundError: No module named 'google.generativeai'", "'google", "`google-generativeai`"),
        ("ModuleNotFoundError: No module named 'some_thing.x'", "'some_thing.x'", "`some-thing`"),
        (
            "ImportError: libGL.so.1: cannot open shared object file: No such file or directory",
            "libGL.so.1",
            "libgl1 to packages.txt",
        ),
        ("ImportError: cannot import name 'X' from 'lib.sub' (/x/y.py)", "'lib' has no 'X'", "pin a version of lib"),
        ("OSError: Cannot find empty port in range: 7860-7860. Try", "port 7860 is in use", "without server_port"),
        ("OSError: [Errno 98] Address already in use", "in use on this machine", "without server_port"),
        ("PermissionError: [Errno 13] Permission denied: '/etc/x'", "'/etc/x'", "/data"),
        ("OSError: [Errno 30] Read-only file system: '/usr/x'", "'/usr/x' is read only", "/data"),
        (
            "FileNotFoundError: [Errno 2] No such file or directory: 'Model.bin'",
            "'Model.bin' is not there",
            "committed",
        ),
        ("KeyError: 'HF_TOKEN'", "HF_TOKEN is not set", "secrets"),
        ("RuntimeError: No CUDA GPUs are available", "no", "torch.cuda.is_available()"),
        ("torch.cuda.SomeError: odd", "SomeError: odd", ""),
        ("\x1b[31mValueError: red\x1b[0m", "ValueError: red", ""),
        ("KeyError: 'lower'", "KeyError: 'lower'", ""),
        ("MyError", "MyError", ""),
    ],
)
def test_exceptions(last, message, hint):
    fault = hints.exited({"tail": [*FRAMES, last], "exit_code": 1, "signal": 0})
    assert fault.code == "APP_EXITED"
    assert message in fault.message
    assert hint in fault.hint
    assert fault.where == "app.py:3"


def test_a_syntax_error_has_its_own_line():
    tail = ['  File "/app/lib/x.py", line 12', "    x = (", "        ^", "SyntaxError: '(' was never closed"]
    assert hints.exited({"tail": tail, "exit_code": 1}).sentence() == "lib/x.py:12: SyntaxError: '(' was never closed"


def test_the_directory_without_a_sandbox():
    fault = hints.exited({"tail": ['  File "/d/i/app/x.py", line 1', "ValueError: no"], "exit_code": 1}, "/d/i/app")
    assert fault.where == "x.py:1"


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        ({"exit_code": 0}, "APP_EXITED", "ended by itself with exit code 0"),
        ({"exit_code": 3, "tail": ["something odd", ""]}, "APP_EXITED", "the app exited with code 3: something odd"),
        ({"exit_code": None, "signal": 11}, "APP_EXITED", "the app was ended by SIGSEGV"),
        ({"oom": True, "reason": "killed for memory: used 2 MB of 1 MB"}, "APP_OOM", "app was killed for memory: used 2 MB"),
        ({"exit_code": None, "signal": 9, "reason": "killed for processes: has 9 of 5"}, "APP_PROCESSES", "has 9 of 5"),
        ({"state": "exited", "reason": "Podium could not start the app: No space"}, "APP_EXITED", "could not start"),
        ({}, "APP_EXITED", "code None"),
    ],
)  # fmt: skip
def test_ends(status, code, words):
    fault = hints.exited(status)
    assert fault.code == code
    assert words in fault.message


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"port": 21000, "listening_elsewhere": ["0.0.0.0:9123"]}, "the app listens on port 9123, expected 7860"),
        (
            {"port": 21000, "listening_elsewhere": ["0.0.0.0:9", "[::]:80"]},
            "the app listens on ports 9, 80, expected 7860",
        ),
        (
            {"port": 21000, "listening_elsewhere": ["[::1]:21000"]},
            "the app listens on [::1]:21000 only, expected 0.0.0.0",
        ),
        ({"port": 21000, "listening_elsewhere": [], "reason": "the app answers / with status 503"}, "status 503"),
    ],
)
def test_why_it_is_not_ready(status, words):
    assert words in hints.starting(status, 7860).message


def test_nothing_is_wrong_as_yet():
    assert hints.starting({"port": 21000, "listening_elsewhere": []}, 7860) is None
    assert hints.starting({}, 7860) is None


@pytest.mark.parametrize(
    ("line", "words", "hint"),
    [
        (
            "[FATAL tini (7)] exec /run failed: No such file or directory",
            "'/run' cannot be run: it is not there",
            "CMD",
        ),
        ("[FATAL tini (7)] exec /run failed: Permission denied", "'/run' cannot be run: permission denied", "chmod +x"),
        ("[FATAL tini (7)] exec /run failed: Exec format error", "no program for this processor", "#!/bin/sh"),
        ("exec /run: exec format error", "no program for this processor", "#!/bin/sh"),
        ('exec: "serve": executable file not found in $PATH: unknown', "'serve' cannot be run: it is not there", "CMD"),
        ("touch: cannot touch '/root/x': Permission denied", "cannot touch '/root/x'", "user 1000"),
    ],
)
def test_a_command_that_cannot_run(line, words, hint):
    fault = hints.exited({"exit_code": 127, "tail": ["before", line]})
    assert words in fault.message and hint in fault.hint
