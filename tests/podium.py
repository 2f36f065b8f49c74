"""A real `podium up` in a subprocess with a data directory, a port and users of its own. Owns starting, ending, killing
parts of it, and seeing that nothing is left behind. Imports nothing of Podium."""

import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psutil

from tests import processes
from tests.space import Space
from tests.support import GiveUp, Loopback, bearer, eventually, free_port

ROOT = Path(__file__).parent.parent


def _run_of(home: Path) -> Path:
    """The directory of the whole run, of whose processes (`popen-gw0`, …) each has one of its own in there."""
    return home.parent.parent if home.parent.name.startswith("popen-") else home.parent


class Podium:
    """A real `podium up` of its own: its data directory, its port, its users. `owner` is a user whose name no other
    Podium on this machine has. Downloaded and compiled packages are shared by those of one run."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home, self.data, self.port = home, home / "data", free_port()
        self.settings = {f"PODIUM_{name.upper()}": value for name, value in settings.items()}
        self.url = f"http://localhost:{self.port}"
        self.owner = f"acme{self.port}"
        self.token = ""
        self.tokens: dict[str, str] = {}
        self.process: subprocess.Popen | None = None
        self.http = httpx.Client(base_url=self.url, transport=Loopback(), timeout=60)

    @property
    def environ(self) -> dict[str, str]:
        left_out = ("PODIUM_", "HF_", "GRADIO_", "PYTHONDONTWRITEBYTECODE")  # the last as on a user's machine
        kept = {k: v for k, v in os.environ.items() if not k.startswith(left_out)}
        return kept | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | self.settings

    @property
    def log(self) -> Path:
        return self.home / "up.log"

    def start(self, timeout: float = 60) -> "Podium":
        """Start it (again) and wait until it is ready; the first time make the owner."""
        cache = _run_of(self.home) / "shared-cache"
        cache.mkdir(parents=True, exist_ok=True)
        if not self.data.exists():
            self.data.mkdir(parents=True, mode=0o700)
            (self.data / "cache").symlink_to(cache)
        command = [sys.executable, "-m", "orchestrator.cli", "up", "--data", str(self.data), "--port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.home,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=processes.end_with_us,
            )
        try:
            eventually(self._ready, timeout, "podium up getting ready")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log.read_text()[-4000:]}") from None
        if not self.token:
            self.token = self.user(self.owner)
        return self

    def _ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise GiveUp(f"podium up ended with {self.process.returncode}:\n{self.log.read_text()[-4000:]}")
        return self.http.get("/readyz").status_code == 200

    def cli(self, *words: str, check: bool = True, **environ: str) -> subprocess.CompletedProcess:
        """Run `podium …`; the API commands find their server and token in the environment."""
        env = self.environ | {"HF_ENDPOINT": self.url, "HF_TOKEN": self.token} | environ
        done = subprocess.run(
            [sys.executable, "-m", "orchestrator.cli", *words],
            cwd=self.home,
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert not check or done.returncode == 0, (
            f"podium {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
        )
        return done

    def user(self, name: str, admin: bool = False) -> str:
        """Make a user; returns the token."""
        token = "hf_" + secrets.token_hex(17)
        self.cli("user", "add", name, "--token", token, "--data", str(self.data), *(["--admin"] if admin else []))
        self.tokens[name] = token
        return token

    def space(self, name: str) -> Space:
        return Space(self, self.owner, name, self.token)

    def request(self, method: str, path: str, json: object = None, token: str | None = None) -> httpx.Response:
        return self.http.request(method, path, json=json, headers=bearer(token) if token else {})

    def part(self, word: str) -> list[psutil.Process]:
        """Processes of Podium itself by their command: `up`, `control`, `gateway`, `builder`."""
        return processes.of_podium(str(self.data), word)

    def kill9(self, *parts: str) -> None:
        """End those parts at once, without a chance to tidy up; the supervisor first, lest it starts them again."""
        victims = [p for word in sorted(parts, key=lambda word: word != "up") for p in self.part(word)]
        assert victims, f"none of {parts} is running"
        if "up" in parts and self.process:
            self.process.kill()
            self.process.wait(10)
        processes.kill(victims)

    def stop(self) -> None:
        """Ask it to end as Ctrl-C does, and see that no process is left."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(45)
            except subprocess.TimeoutExpired:
                self.end()
                raise AssertionError(f"podium up did not end in 45 s:\n{self.log.read_text()[-4000:]}") from None
        left = [(p.pid, " ".join(processes.cmdline(p))[:200]) for p in processes.of_data(str(self.data))]
        self.end()
        assert not left, f"left behind: {left}"

    def end(self) -> None:
        """End whatever is left, by pid."""
        processes.kill(processes.of_data(str(self.data)))
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
