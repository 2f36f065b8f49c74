"""The parts of Podium as services of their own, as a cluster runs them: a control plane on TCP, gateways that have nothing of it
but its address and the feed token. Owns their processes; what they are for is said by who starts them."""

import secrets
import subprocess
import sys
from pathlib import Path

import httpx

from tests import processes
from tests.podium import Podium
from tests.support import GiveUp, Loopback, eventually, free_port


class Part:
    """One process of Podium with settings of its own."""

    def __init__(self, podium: Podium, part: str, data: Path, *words: str, **settings: str) -> None:
        self.log = podium.home / f"{part}-{secrets.token_hex(3)}.log"
        environ = podium.environ | {f"PODIUM_{name.upper()}": value for name, value in settings.items()}
        command = [sys.executable, "-m", "orchestrator.cli", part, "--data", str(data), *words]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=podium.home,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=processes.end_with_us,
            )

    def said(self) -> str:
        return self.log.read_text()

    def running(self) -> bool:
        if self.process.poll() is not None:
            raise GiveUp(f"it ended with {self.process.returncode}:\n{self.said()[-2000:]}")
        return True

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(40)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


class Gateway(Part):
    """A gateway on its own: own data directory, a copy of the feed token, the address of the control plane. One that takes the
    place of `before` has its port and directory."""

    def __init__(self, podium: "Apart", token: str, before: "Gateway | None" = None) -> None:
        self.port = before.port if before else free_port()
        home = podium.home / f"gateway-{self.port}"
        (home / "keys").mkdir(parents=True, exist_ok=True)
        (home / "keys" / "feed.token").write_text(token + "\n")
        words = ("--port", str(self.port))
        super().__init__(
            podium,
            "gateway",
            home / "data",
            *words,
            keys=str(home / "keys"),
            control_url=f"http://127.0.0.1:{podium.control_port}",
            public_url=podium.url,
        )
        self.http = httpx.Client(base_url=f"http://localhost:{self.port}", transport=Loopback(), timeout=30)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def client(self, host: str = "") -> httpx.Client:
        return httpx.Client(base_url=f"http://{host}:{self.port}", transport=Loopback(), timeout=30)

    def ready(self) -> bool:
        return self.running() and self.http.get("/.podium/readyz").status_code == 200


class Apart(Podium):
    """A control plane over TCP and its gateways. Its `port` and `http` are those of the first gateway."""

    def start(self, timeout: float = 60) -> "Apart":
        self.control_port = free_port()
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.direct = httpx.Client(base_url=f"http://127.0.0.1:{self.control_port}", timeout=30)
        self.start_control()
        eventually(lambda: self.control.running() and self.is_ready(), timeout)
        self.token = self.token or self.user(self.owner)
        return self

    def start_control(self, **settings: str) -> None:
        """The control plane, for the first time or again; it may not be ready yet."""
        address = f"127.0.0.1:{self.control_port}"
        self.control = Part(
            self, "control", self.data, "--port", str(self.port), control_listen=address, **settings
        )  # fmt: skip

    def is_ready(self) -> bool:
        return self.direct.get("/readyz").status_code == 200

    @property
    def feed_token(self) -> str:
        return (self.data / "keys" / "feed.token").read_text()
