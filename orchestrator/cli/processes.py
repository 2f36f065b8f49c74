"""`podium up`, `control` and `gateway`: the processes. Owns starting, supervising and stopping them; what is inside each
is made in adapters.py and wiring.py.

`up` starts the control plane and the gateway as children and starts them again when they die. Both die with it, so that a
kill -9 leaves no half of Podium behind; apps live on and are adopted by the next start. A plain stop takes the apps down too."""

import contextlib
import ctypes
import fcntl
import http.client
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from orchestrator import oidc_settings
from orchestrator.catalogue import flavors
from orchestrator.cli.listening import listening
from orchestrator.errors import Conflict, Invalid, Unavailable
from orchestrator.settings import Settings, load

log = logging.getLogger("podium")
_STOP_SECONDS = 15.0
_PR_SET_PDEATHSIG = 1


def up(data: Path | None = None, **overrides: object) -> None:
    """Run Podium on this machine until SIGINT or SIGTERM. Raises Conflict when the data directory or port is in use."""
    settings = load(data=data, **overrides)
    _set_up_logging(settings)
    flavors(settings)  # a mistake in the catalogue, or about the provider, is said here, once
    oidc_settings.check(settings)
    if settings.control_url:
        raise Invalid(
            "SETTING", "PODIUM_CONTROL_URL is for `podium gateway` alone; `podium up` has a control plane of its own"
        )
    with _only_one(settings, "up"):
        _check_port(settings)
        Supervisor(settings).run()


def control(data: Path | None = None, with_parent: bool = False, **overrides: object) -> None:
    """Run the control plane on its Unix socket in the run directory, and at `control_listen`."""
    import uvicorn

    from orchestrator import wiring
    from orchestrator.cli.quiet import QuietServer

    if with_parent:
        _die_with_parent()
    settings = load(data=data, **overrides)
    _set_up_logging(settings)
    with _only_one(settings, "control"), listening(settings) as sockets:
        parts = wiring.control(settings)
        config = uvicorn.Config(
            parts.app,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            timeout_graceful_shutdown=3,
            h11_max_incomplete_event_size=64 * 1024,
        )
        # uvicorn ends on these signals and then sends them to whoever had them before: without us that ends the process
        # with its loops still running.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        parts.start()
        try:
            QuietServer(config).run(sockets=sockets)
        finally:
            parts.stop()


def gateway(data: Path | None = None, with_parent: bool = False, **overrides: object) -> None:
    """Run the gateway."""
    from orchestrator.gateway.configure import configure
    from orchestrator.gateway.server import run

    if with_parent:
        _die_with_parent()
    settings = load(data=data, **overrides)
    _set_up_logging(settings)
    run(configure(settings))


def builder(data: Path | None = None, with_parent: bool = False) -> None:
    """Run builds for a control plane whose setting `builds` says that others do."""
    from orchestrator import wiring

    if with_parent:
        _die_with_parent()
    settings = load(data=data)
    _set_up_logging(settings)
    run = wiring.builder(settings)
    threading.Thread(target=_renew, args=(settings.run_directory / "builder.alive",), daemon=True).start()
    run()


def _renew(sign: Path) -> None:
    """A sign of life for watchdogs: a file that is never older than a few seconds while this process runs."""
    sign.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    while True:
        with contextlib.suppress(OSError):
            sign.touch()
        time.sleep(5)


def migrate(data: Path | None, wait: float) -> None:
    """Bring the database up to date; it may be `wait` seconds away still. Raises Unavailable when it is longer."""
    from orchestrator import adapters

    settings = load(data=data)
    _set_up_logging(settings)
    deadline = time.monotonic() + wait
    while True:
        try:
            adapters.open_store(settings).close()
            return
        except Unavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


class Supervisor:
    """Keeps the children running, and ends with them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._children: dict[str, subprocess.Popen] = {}
        self._starts: dict[str, list[float]] = {"control": [], "gateway": []}
        self._stopping = False

    def run(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)
        try:
            for name in self._starts:
                self._start(name)
            self._announce()
            while not self._stopping:
                self._restart_dead()
                time.sleep(0.2)
        finally:
            self._end()

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _start(self, name: str) -> None:
        settings = self._settings
        command = [sys.executable, "-m", "orchestrator.cli", name, "--with-parent", "--data", str(settings.data)]
        command += ["--host", settings.host, "--port", str(settings.port), "--apps-domain", settings.apps_domain]
        command += ["--runtime", settings.runtime] if name == "control" else []
        # A session of its own: Ctrl-C reaches us alone, and we stop the children in order.
        self._children[name] = subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL)
        self._starts[name] = [*self._starts[name][-4:], time.monotonic()]

    def _restart_dead(self) -> None:
        for name, child in list(self._children.items()):
            if child.poll() is None:
                continue
            starts = self._starts[name]
            if len(starts) == 5 and time.monotonic() - starts[0] < 10:
                raise Unavailable(
                    f"the {name} process does not stay up (exit code {child.returncode}); its messages are above"
                )
            log.warning("the %s process ended with code %s; starting it again", name, child.returncode)
            self._start(name)

    def _announce(self) -> None:
        """Wait until the console answers through the gateway, then say where it is."""
        settings = self._settings
        while not self._stopping:
            self._restart_dead()
            if _is_ready(settings):
                break
            time.sleep(0.05)
        if self._stopping:
            return
        # Commands that print links (`podium user add`) read where the console is.
        (settings.run_directory / "url").write_text(settings.public_url + "\n")
        print(f"Podium is ready: {settings.public_url}", flush=True)
        print(
            f"A Space of yours will be at {settings.app_url('<owner>-<name>')}; data is in {settings.data}", flush=True
        )
        from orchestrator import adapters, wiring
        from orchestrator.services.signing import Signing

        store = adapters.open_store(settings)
        if wiring.accounts(settings, store).is_empty():
            print(f"Make the first user: podium user add NAME --admin --data {settings.data}", flush=True)
            code = Signing.at(settings.key_directory).setup_code
            print(f"or in a browser: {settings.public_url}/login/first?code={code}", flush=True)
        store.close()

    def _end(self) -> None:
        """The gateway drains, the control plane ends, then the apps."""
        for name in ("gateway", "control"):
            child = self._children.get(name)
            if child and child.poll() is None:
                child.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for child in self._children.values():
            try:
                child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._stop_apps()

    def _stop_apps(self) -> None:
        from orchestrator import adapters

        runtime = adapters.runtime(self._settings)
        deadline = time.monotonic() + self._settings.stop_grace + 5
        for instance in runtime.list():
            runtime.stop(instance.id)
        while runtime.list() and time.monotonic() < deadline:
            time.sleep(0.05)
        runtime.close()


def _is_ready(settings: Settings) -> bool:
    """Whether the console answers through the gateway. Asked often while everything starts, so by what costs little."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::", "localhost") else settings.host
    connection = http.client.HTTPConnection(host, settings.port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextlib.contextmanager
def _only_one(settings: Settings, what: str) -> Iterator[None]:
    """Hold the lock file of this data directory. Raises Conflict `DATA_IN_USE`."""
    # Several control planes on one data have a run directory each, but SQLite has one writer.
    data = settings.data
    directory = settings.run_directory if settings.database_url else data / "run"
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(directory / f"{what}.lock", "w") as file:
        for _ in range(50):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                # The previous one may be on its way out.
                time.sleep(0.1)
        else:
            raise Conflict(
                "DATA_IN_USE",
                f"another Podium uses the data directory {data}; stop it, give --data another one, or let several share it "
                "with PODIUM_DATABASE_URL and a PODIUM_RUN each",
            )
        yield


def _check_port(settings: Settings) -> None:
    """Raises Conflict `PORT_IN_USE` before anything is started."""
    import socket

    host = "127.0.0.1" if settings.host == "localhost" else settings.host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, settings.port))
        except OSError as error:
            message = f"cannot listen on {settings.host}:{settings.port} ({error.strerror}); give --port another one"
            raise Conflict("PORT_IN_USE", message) from error


def _die_with_parent() -> None:
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent or parent == 1:
        sys.exit(0)


def _set_up_logging(settings: Settings) -> None:
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", datefmt="%H:%M:%S"
    )
    for noisy in ("alembic", "httpx", "httpcore", "uvicorn.error"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
