"""Run samples by hand, without Podium: `python -m tests.apps NAME… --python VENV_PYTHON`. Starts each as Podium would (a port
of its own, the variables of the contract), waits until it answers, does the promised checks, ends it."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.apps import checks, expect
from tests.space import NOT_PUSHED, App
from tests.support import eventually, free_port


class NeedsPodium(Exception):
    """The sample's check asks for something that only a Podium has."""


class HandRun(App):
    """An app that nobody but this program started."""

    def __getattr__(self, name: str):
        raise NeedsPodium(f"its check uses space.{name}")


def command(source: Path, python: str, port: int) -> list[str]:
    """How the sample in `source` is started."""
    readme = (source / "README.md").read_text() if (source / "README.md").exists() else ""
    if "sdk: streamlit" in readme:
        options = [
            "--server.headless",
            "true",
            "--server.enableXsrfProtection",
            "false",
            "--browser.gatherUsageStats",
            "false",
        ]
        return [python, "-m", "streamlit", "run", "app.py", "--server.port", str(port), *options]
    if (source / "app.py").exists():
        return [python, "-u", "app.py"]
    return [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]


def environ(promise: expect.Expect, port: int) -> dict[str, str]:
    name = promise.folder.name
    told = {"SYSTEM": "spaces", "SPACE_ID": f"by/{name}", "SPACE_AUTHOR_NAME": "by", "SPACE_REPO_NAME": name}
    server = {"GRADIO_SERVER_PORT": str(port), "GRADIO_NUM_PORTS": "1", "GRADIO_ANALYTICS_ENABLED": "False"}
    mine = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "GRADIO_", "HF_"))}
    return mine | told | server | promise.secrets | promise.variables


def run(promise: expect.Expect, python: str) -> float:
    """Start, wait, check, end; returns the seconds until it answered."""
    with tempfile.TemporaryDirectory() as folder:
        source = shutil.copytree(promise.folder, Path(folder, "app"), symlinks=True, ignore=NOT_PUSHED)
        fixed = (source / "app.py").exists() and "server_port=7860" in (source / "app.py").read_text()
        port = 7860 if fixed else free_port()
        began = time.monotonic()
        process = subprocess.Popen(
            command(source, python, port), cwd=source, env=environ(promise, port), start_new_session=True, stdout=2
        )
        app = HandRun(f"http://127.0.0.1:{port}", promise.folder)
        try:
            with app.client() as client:
                eventually(lambda: client.get("/").status_code < 500, 60)
            took = time.monotonic() - began
            checks.use(promise, app)
            return took
        finally:
            app.close()
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("names", nargs="*", help="folders; default: all that run")
    options.add_argument("--python", default=sys.executable, help="interpreter that has the sample's packages")
    chosen = options.parse_args()
    promises = [expect.load(folder) for folder in expect.folders() if not chosen.names or folder.name in chosen.names]
    failed = 0
    for promise in promises:
        if not promise.runs:
            continue
        try:
            took = run(promise, chosen.python)
            print(f"ok    {promise.folder.name}  answered after {took:.2f} s")
        except NeedsPodium as why:
            print(f"part  {promise.folder.name}  answers; {why}, which needs Podium")
        except Exception as error:
            failed += 1
            print(f"FAIL  {promise.folder.name}  {type(error).__name__}: {error}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
