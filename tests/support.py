"""What every test may need: waiting for the world, free ports, `*.localhost` without a resolver, git with no configuration
but our own, a visitor who never stops asking. Owns no Podium (see podium.py) and no Space (see space.py)."""

import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import httpx

T = TypeVar("T")
#: For clients of plain HTTP: to read all authorities takes longer than most requests.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
PATIENCE = 4.0  #: what a loaded machine may need more than a quiet one; timing must not fail a test


class GiveUp(Exception):
    """Waiting longer would not help."""


def eventually(fn: Callable[[], T], timeout: float = 10.0, what: str = "", every: float = 0.0) -> T:
    """Call `fn` until it returns something truthy, and return that. Raises AssertionError with the last value or exception
    after `timeout` seconds of a quiet machine. An exception of `fn` counts as "not yet", except GiveUp. `every`: seconds
    between calls; without it the less often the longer it takes, as what is asked needs the CPU too."""
    timeout *= PATIENCE
    began, last = time.monotonic(), None
    while True:
        try:
            last = fn()
            if last:
                return last
        except GiveUp:
            raise
        except Exception as error:
            last = error
        waited = time.monotonic() - began
        if waited >= timeout:
            raise AssertionError(f"{what or 'it'} did not happen in {timeout:g} s; last seen: {last!r}")
        time.sleep(every or min(0.1, 0.02 + waited / 20))


def free_port() -> int:
    """A port that nobody listens on, on either loopback address."""
    for _ in range(50):
        with socket.socket() as four, socket.socket(socket.AF_INET6) as six:
            four.bind(("127.0.0.1", 0))
            port = four.getsockname()[1]
            try:
                six.bind(("::1", port))
            except OSError as error:
                if error.errno not in (97, 99):  # no IPv6 here: the other address is enough
                    continue
            return port
    raise AssertionError("no free port")


def names_resolve() -> bool:
    """Whether this machine's resolver answers `*.localhost`, which clients we do not control need."""
    try:
        return bool(socket.getaddrinfo("podium-test.localhost", 80))
    except OSError:
        return False


class Loopback(httpx.HTTPTransport):
    """Connects to this machine, without TLS, whatever the resolver says about `*.localhost`; the Host header stays."""

    def __init__(self, **options: Any) -> None:
        super().__init__(verify=NO_TLS, **options)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host.endswith("localhost"):
            request.url = request.url.copy_with(host="127.0.0.1")
        return super().handle_request(request)


class Visitable(Protocol):
    """Something with an address and an HTTP client for it."""

    @property
    def url(self) -> str: ...

    def client(self) -> httpx.Client: ...


class Prober:
    """A visitor who never stops asking: one request after the other, each on a new connection, from a thread of its own."""

    def __init__(self, app: Visitable, path: str = "/version", pause: float = 0.05) -> None:
        self._app, self._path, self._pause = app, path, pause
        self.answers: list[tuple[float, int, str]] = []  #: (when, status or 0, body or error)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Prober":
        self._app.url  # noqa: B018  (asked for now: the console may be down later)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(90)

    def _run(self) -> None:
        while not self._stop.wait(self._pause):
            try:
                with self._app.client() as client:
                    answer = client.get(self._path)
                self.answers.append((time.monotonic(), answer.status_code, answer.text))
            except httpx.HTTPError as error:
                self.answers.append((time.monotonic(), 0, repr(error)))

    @property
    def failures(self) -> list[tuple[float, int, str]]:
        return [answer for answer in self.answers if answer[1] != 200]

    @property
    def bodies(self) -> list[str]:
        """The answers in order, each once where it repeats."""
        seen: list[str] = []
        for _, _, body in self.answers:
            if not seen or seen[-1] != body:
                seen.append(body)
        return seen


def git(work: Path, *words: str) -> str:
    """git with no configuration but our own. Raises AssertionError with its words when it fails."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")} | {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@example.org",
    }
    done = subprocess.run(["git", *words], cwd=work, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"git {' '.join(words[:2])} failed:\n{done.stdout}{done.stderr}"
    return done.stdout


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}
