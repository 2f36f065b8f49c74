"""PostgreSQL and Redis servers of the tests' own: in a temporary directory, on a free port of the loopback, ended with the
tests. Owns starting, stopping, freezing and killing them. Skips with the reason where they are not installed."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests import processes
from tests.support import eventually, free_port


class Server:
    """A server process that can be hurt."""

    name = ""

    def __init__(self) -> None:
        self.port = free_port()
        self.home = Path(tempfile.mkdtemp(prefix=f"podium-{self.name}-", dir="/tmp"))
        self.process: subprocess.Popen | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), 1):
            return True

    def start(self) -> None:
        log = (self.home / "log").open("ab")
        options = {"user": "nobody", "group": _group("nobody")} if os.geteuid() == 0 else {}
        self.process = subprocess.Popen(
            self.command(),
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            cwd=self.home,
            preexec_fn=processes.end_with_us,
            **options,
        )
        log.close()
        eventually(self.answers, 30, f"{self.name} answering")

    def freeze(self) -> None:
        """It accepts connections and answers nothing."""
        self._tell(signal.SIGSTOP)

    def thaw(self) -> None:
        self._tell(signal.SIGCONT)

    def _tell(self, number: int) -> None:
        main = psutil.Process(self.process.pid)
        for process in (main, *main.children(recursive=True)):
            with suppress(psutil.NoSuchProcess, ProcessLookupError):  # one of its own may end meanwhile
                process.send_signal(number)

    def stop(self, how: int = signal.SIGINT) -> None:
        if self.process and self.process.poll() is None:
            self.thaw()
            self.process.send_signal(how)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def remove(self) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.home, ignore_errors=True)


class Postgres(Server):
    name = "postgres"

    def __init__(self) -> None:
        self.initdb, self.postgres = _program("initdb"), _program("postgres")
        pytest.importorskip("psycopg", reason="psycopg is not installed: pip install podium[cluster]")
        super().__init__()
        if os.geteuid() == 0:
            os.chown(self.home, pwd.getpwnam("nobody").pw_uid, -1)
        # A language of its own, so that nothing rests on how the installation sorts.
        words = [self.initdb, "-D", self.home / "data", "-U", "podium", "-A", "trust", "-E", "UTF8", "--no-sync"]
        words += ["--locale-provider=icu", "--icu-locale=en-US", "--locale=C.UTF-8"]
        options = {"user": "nobody", "group": _group("nobody")} if os.geteuid() == 0 else {}
        done = subprocess.run(words, capture_output=True, text=True, cwd=self.home, **options)
        assert done.returncode == 0, done.stdout + done.stderr

    def command(self) -> list[str]:
        settings = ["listen_addresses=127.0.0.1", f"unix_socket_directories={self.home}", "fsync=off"]
        settings += ["max_connections=200", "shared_buffers=32MB", "autovacuum_naptime=10s"]
        words = [self.postgres, "-D", str(self.home / "data"), "-p", str(self.port)]
        return words + [word for setting in settings for word in ("-c", setting)]

    def answers(self) -> bool:
        words = [_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(words).returncode == 0

    def sql(self, text: str, database: str = "postgres") -> str:
        words = [_program("psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "podium", "-Atc", text, database]
        done = subprocess.run(words, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def database(self, copied_from: str = "template1") -> str:
        """The URL of a new database: empty, or a copy of the one at the URL `copied_from`, which nobody uses."""
        name = f"t{uuid.uuid4().hex[:12]}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {copied_from.rpartition('/')[2]}")
        return f"postgresql://podium@127.0.0.1:{self.port}/{name}"


class Redis(Server):
    name = "redis"

    def __init__(self) -> None:
        program = shutil.which("redis-server")
        if not program:
            pytest.skip("redis-server is not installed")
        pytest.importorskip("redis", reason="redis is not installed: pip install podium[cluster]")
        super().__init__()
        self.program = program
        if os.geteuid() == 0:
            os.chown(self.home, pwd.getpwnam("nobody").pw_uid, -1)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        words = [self.program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        return [*words, "--maxmemory-policy", "noeviction", "--dir", str(self.home)]

    def say(self, *words: str) -> str:
        """One command, through redis-cli."""
        done = subprocess.run(
            ["redis-cli", "-h", "127.0.0.1", "-p", str(self.port), *words], capture_output=True, text=True, timeout=10
        )
        return done.stdout.strip()


def _program(name: str) -> str:
    """A program of PostgreSQL, from where Debian keeps them (on PATH it has scripts before them), or from PATH."""
    places = [*sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True), shutil.which(name)]
    found = next((str(place) for place in places if place), None)
    if found is None:
        pytest.skip("PostgreSQL is not installed")
    return found


def _group(user: str) -> int:
    return pwd.getpwnam(user).pw_gid
