"""The command line as a whole: help everywhere, quick start, and errors as one line with an exit code."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from orchestrator import cli
from orchestrator.errors import Conflict, Unavailable
from tests.unit.command_line import podium_says

ROOT = Path(__file__).parents[2]
HEAVY = (
    "sqlalchemy",
    "fastapi",
    "httpx",
    "rich",
    "alembic",
    "argon2",
    "uvicorn",
    "orchestrator.wiring",
    "orchestrator.services",
)


def groups(group=None, words: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command and group, as words."""
    group = group or get_command(cli.app)
    found = [words]
    for name, command in group.commands.items():
        found += groups(command, (*words, name)) if hasattr(command, "commands") else [(*words, name)]
    return found


@pytest.mark.parametrize("words", groups(), ids=" ".join)
def test_help_everywhere(words) -> None:
    said = podium_says(*words, "--help")
    assert said.code == 0 and "Usage: podium" in said.out and not said.err


def test_help_imports_nothing_heavy() -> None:
    """Why `podium --help` is quick, whatever the machine."""
    code = f"import sys, orchestrator.cli; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stdout + done.stderr


def test_version() -> None:
    from orchestrator import __version__

    assert podium_says("--version").out == f"{__version__}\n"


def test_an_unknown_command_or_option_is_exit_code_2() -> None:
    for words in (("fly",), ("space", "fly"), ("up", "--prot", "1"), ("up", "--port", "x")):
        said = podium_says(*words)
        assert said.code == 2 and said.err


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (Conflict("NAME_TAKEN", "the name is taken"), 2, "podium: the name is taken [NAME_TAKEN]"),
        (Unavailable("nothing answers"), 3, "podium: nothing answers [UNAVAILABLE]"),
        (PermissionError(13, "Permission denied", "/srv"), 3, "podium: Permission denied: /srv [OS_13]"),
        (
            KeyError("x"),
            70,
            "podium: unexpected KeyError: 'x'; `podium --debug …` shows where, please report it [INTERNAL]",
        ),
    ],
)
def test_errors_are_one_line_with_a_code(monkeypatch, error, code, line) -> None:
    from orchestrator.cli import doctor

    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(doctor, "load", fail)
    said = podium_says("doctor")
    assert (said.code, said.err) == (code, line + "\n")


def test_debug_shows_the_traceback(monkeypatch) -> None:
    from orchestrator.cli import doctor

    monkeypatch.setattr(doctor, "load", lambda **_: {}["x"])
    with pytest.raises(KeyError):
        podium_says("--debug", "doctor")


def test_ctrl_c_is_130_and_says_nothing(tmp_path) -> None:
    """A real process that waits for input gets a real signal."""
    hold = "lambda: (print('here', flush=True), sys.stdin.read())"
    code = f"import orchestrator.cli as c, sys; c.app.command('hold')({hold}); c.main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "hold"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # A shell that runs the tests in its background makes them, and so their children, deaf to it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    try:
        assert process.stdout.readline() == "here\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130 and "Traceback" not in err
