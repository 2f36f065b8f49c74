"""What the measurements of the whole of Podium share: one Podium, an app started by hand in a given environment, a stopwatch."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.podium import Podium
from tests.support import eventually, free_port

#: Seconds between looks whether an app answers, the same for both sides. Each look at a version that still serves costs it, and
#: the gateway, some CPU that its successor would use to boot.
LOOK = 0.1


@contextmanager
def podium(home: Path, **settings: str) -> Iterator[Podium]:
    """A started Podium that is stopped afterwards."""
    one = Podium(home, **settings)
    try:
        yield one.start()
        one.stop()
    finally:
        one.end()


def seconds(do: Callable[[], object]) -> float:
    began = time.monotonic()
    do()
    return time.monotonic() - began


def boot(python: Path, folder: Path, answer: str = "", path: str = "/") -> float:
    """Seconds from `python app.py` in `folder` until it answers 200 with `answer` in the body: the app's own boot time."""
    port = free_port()
    mine = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PODIUM_", "GRADIO_", "HF_"))}
    env = mine | {"GRADIO_SERVER_PORT": str(port), "GRADIO_NUM_PORTS": "1", "GRADIO_ANALYTICS_ENABLED": "False"}
    began = time.monotonic()
    process = subprocess.Popen(
        [str(python), "app.py"], cwd=folder, env=env, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=5) as client:
            eventually(lambda: answers(client, answer, path), 120, f"{folder} answering by itself", LOOK)
        return time.monotonic() - began
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(client: httpx.Client, text: str, path: str = "/") -> bool:
    answer = client.get(path)
    return answer.status_code == 200 and text in answer.text


def environments(data: Path) -> list[Path]:
    """Interpreters of the environments made so far, the newest first."""
    found = [path / "bin" / "python" for path in (data / "envs").iterdir() if (path / "bin" / "python").exists()]
    return sorted(found, key=lambda python: python.parent.parent.stat().st_mtime, reverse=True)
