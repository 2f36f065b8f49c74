"""Running one command of a build: how it ends."""

import os
import sys
import time

from builder.process import Limits, run
from tests.support import eventually


def outcome(tmp_path, script: str, seconds: float = 60.0):
    limits = Limits(time.monotonic() + seconds, 4 << 30)
    return run([sys.executable, "-c", script], str(tmp_path), dict(os.environ), limits)


def test_its_exit_code_and_what_it_said(tmp_path):
    found = outcome(tmp_path, "import sys; print('one'); print('two', file=sys.stderr); sys.exit(3)")
    assert (found.code, found.reason) == (3, "") and sorted(found.output.split()) == ["one", "two"]


def test_a_child_that_keeps_the_output_open_keeps_nobody(tmp_path):
    """It ended; what it left behind is ended too, long before the time limit."""
    found = outcome(
        tmp_path,
        "import os, time\n"
        "print('said', flush=True)\n"
        "if os.fork() == 0:\n"
        "    os.setsid(); open('child', 'w').write(str(os.getpid())); time.sleep(600)\n"
        "while not os.path.exists('child') or not open('child').read(): time.sleep(0.01)\n",
        seconds=300.0,
    )
    assert (found.code, found.reason, found.output) == (0, "", "said")
    child = int((tmp_path / "child").read_text())
    eventually(lambda: not os.path.exists(f"/proc/{child}"))


def test_the_time_limit(tmp_path):
    found = outcome(tmp_path, "import time; print('begun', flush=True); time.sleep(600)", seconds=1.5)
    assert found.reason == "timeout" and found.code != 0
