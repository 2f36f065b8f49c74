"""Runs a piece of Python with the real `huggingface_hub` against a Podium, in a process with a home of its own: the library
reads HF_ENDPOINT and HF_HOME once, when it is imported. `installed` makes an environment with another version of a client."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

from uv import find_uv_bin

from tests.podium import Podium

_AROUND = """
import json, sys
from huggingface_hub import HfApi, errors
api = HfApi()
result = None
def refused(call, *args, **kwargs):
    '''Name and status of the exception that the call raises.'''
    try:
        call(*args, **kwargs)
    except Exception as error:
        answer = getattr(error, "response", None)
        return [type(error).__name__, answer.status_code if answer is not None else None, str(error)]
    return ["nothing was raised", None, ""]
{code}
json.dump(result, open(sys.argv[1], "w"), default=str)
"""


def installed(place: Path, *packages: str) -> Path:
    """The Python of a new environment at `place` that has these packages and nothing of ours."""
    python = place / "bin" / "python"
    quick = [find_uv_bin(), "pip", "install", "--quiet", "--python", str(python), *packages]
    sure = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", *packages]
    _done(find_uv_bin(), "venv", "--quiet", "--python", sys.executable, str(place))
    if subprocess.run(quick, capture_output=True, timeout=900).returncode:  # where uv does not know the package index
        _done(*sure)
    return python


def _done(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, f"{command[:4]}: {done.stderr[-3000:]}"


class Hub:
    """A user with a token on a machine of their own."""

    def __init__(self, podium: Podium, home: Path, token: str | None) -> None:
        self._home = home
        home.mkdir(parents=True, exist_ok=True)
        self.environ = podium.environ | {
            "HF_ENDPOINT": podium.url,
            "HF_HOME": str(home / "hf"),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        }
        if token:
            self.environ["HF_TOKEN"] = token

    def run(self, code: str, **names: object):
        """Run `code` with `api`, `errors` and `refused`; returns what it put into `result`. `names` are given to it."""
        given = "".join(f"{name} = {value!r}\n" for name, value in names.items())
        script = self._home / "script.py"
        script.write_text(_AROUND.replace("{code}", given + textwrap.dedent(code)))
        answer = self._home / "answer.json"
        done = self._process(sys.executable, str(script), str(answer))
        assert done.returncode == 0, f"{code}\n{done.stdout[-500:]}{done.stderr[-1500:]}"
        return json.loads(answer.read_text())

    def cli(self, *words: str) -> subprocess.CompletedProcess:
        """`hf …` with the same settings."""
        return self._process(str(Path(sys.executable).parent / "hf"), *words)

    def _process(self, *command: str) -> subprocess.CompletedProcess:
        return subprocess.run(command, cwd=self._home, env=self.environ, capture_output=True, text=True, timeout=900)
