"""A control plane with only its git side, for tests: the real store, services and repos behind a real uvicorn, with no build and
no app. `python -m tests.git_server DATA PORT [FAILPOINT]` runs one; `GitServer` does so from a test. Owns nothing tested."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx

from tests import migrated
from tests.support import GiveUp, eventually, free_port

ROOT = Path(__file__).parent.parent
TOKENS = {
    "ada": "hf_adaWritesWritesWrites01",
    "ada-read": "hf_adaReadsReadsReads01",
    "bob": "hf_bobWritesWritesWrites01",
    "old": "hf_expiredExpiredExpired01",
}
LIMITS = {"file": 256 * 1024, "files": 50, "repo": 400 * 1024**2, "push": 350 * 1024**2}


def make(data: Path, port: int, limits: dict[str, int]):
    """The application and its parts, on `data`."""
    from fastapi import FastAPI

    from orchestrator.api import git, problems
    from orchestrator.domain.hardware import catalogue
    from orchestrator.domain.push import PushLimits
    from orchestrator.repos.git import GitRepos
    from orchestrator.repos.smart import Smart
    from orchestrator.services.accounts import Accounts
    from orchestrator.services.allotment import Allotment
    from orchestrator.services.bell import LocalBell
    from orchestrator.services.environment import Environment
    from orchestrator.services.git_access import GitAccess
    from orchestrator.services.pushes import Pushes
    from orchestrator.services.spaces import Spaces
    from orchestrator.services.vault import Vault
    from orchestrator.store.engine import Store
    from tests.memory import MemoryRuntime

    data.mkdir(parents=True, exist_ok=True)
    store, bell = Store(migrated.sqlite(data)), LocalBell()
    accounts = Accounts(store)
    repos = GitRepos(data / "repos", limits["push"])
    requests = Allotment.of(store, bell, MemoryRuntime(), catalogue(2, 1024**3, 1024**3)).requests
    environment = Environment(store, Vault.at(data / "keys" / "secrets.key"), bell)
    spaces = Spaces(store, repos, accounts, environment, bell, requests)
    url = f"http://127.0.0.1:{port}"
    lines_of = lambda space: [f"Space: {url}/spaces/{space.full_name}"]  # noqa: E731
    pushes = Pushes(store, repos, bell, PushLimits(**limits), lines_of=lines_of)
    smart = Smart(repos, data / "control.sock", limits["push"])
    app = FastAPI()
    problems.install(app)
    app.include_router(git.router(GitAccess(store, accounts, spaces.create_for_push), pushes, smart))
    app.include_router(git.hook_router(pushes))
    return app, store, accounts, spaces, repos, pushes


def main(data: Path, port: int, failpoint: str, limits: dict[str, int]) -> None:
    import uvicorn

    from orchestrator import failpoints

    app, _, _, _, _, pushes = make(data, port, limits)
    if failpoint:
        failpoints.enable(failpoint)
    (data / "control.sock").unlink(missing_ok=True)
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(str(data / "control.sock"))
    tcp = socket.create_server(("127.0.0.1", port))
    pushes.loop.start()
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=2))
    asyncio.run(server.serve(sockets=[tcp, unix]))


class GitServer:
    """A running server on `data`; `restart` after it died keeps data and port."""

    def __init__(self, data: Path, **limits: int) -> None:
        self.data, self.port = data, free_port()
        self.limits = LIMITS | limits
        _, self.store, self.accounts, self.spaces, self.repos, self.pushes = make(data, self.port, self.limits)
        self.process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def remote(self, path: str, token: str = "ada") -> str:
        secret = TOKENS.get(token, token)
        login = f"any:{secret}@" if secret else ""
        return f"http://{login}127.0.0.1:{self.port}/spaces/{path}"

    def start(self, failpoint: str = "") -> "GitServer":
        argv = [sys.executable, "-m", "tests.git_server", str(self.data), str(self.port), failpoint]
        self.process = subprocess.Popen(
            [*argv, json.dumps(self.limits)],
            cwd=ROOT,
            stderr=(self.data / "server.log").open("ab"),
            start_new_session=True,
        )
        eventually(self._answers, 120, "the git server")
        return self

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise GiveUp((self.data / "server.log").read_text()[-3000:])
        return httpx.get(f"{self.url}/spaces/no/body/info/refs?service=git-upload-pack", timeout=2).status_code == 401

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        if self.process:
            self.process.wait()

    def people(self) -> None:
        """ada and her organisation, bob, and their tokens."""
        ada, bob = self.accounts.add_user("ada"), self.accounts.add_user("bob")
        self.accounts.add_token(ada, "write", "writes", TOKENS["ada"])
        self.accounts.add_token(ada, "read", "reads", TOKENS["ada-read"])
        self.accounts.add_token(bob, "write", "writes", TOKENS["bob"])
        self.accounts.add_token(ada, "write", "old", TOKENS["old"])
        self.accounts.revoke_token(ada, "old")

    def space(self, name: str = "demo", owner: str = "ada"):
        with self.store.read() as tx:
            return tx.spaces.find(owner, name)

    def intents(self) -> list:
        with self.store.read() as tx:
            return tx.pushes.open()


class Clone:
    """A working copy, driven by real git with nothing of this machine's configuration."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def git(self, *args: str, check: bool = True, stdin: str | bytes | None = None) -> subprocess.CompletedProcess:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder.parent),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C.UTF-8",
        } | {f"GIT_{who}_{what}": "ada" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        data = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(["git", *args], cwd=self.folder, env=env, input=data, capture_output=True, timeout=120)
        done.stdout, done.stderr = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
        assert not check or done.returncode == 0, f"git {' '.join(args)}: {done.stderr}"
        return done

    def out(self, *args: str, **options) -> str:
        return self.git(*args, **options).stdout.strip()

    def init(self, remote: str) -> "Clone":
        self.git("init", "-q", "-b", "main")
        self.git("remote", "add", "origin", remote)
        return self

    def commit(self, files: dict[str, str | bytes], message: str = "change") -> str:
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.out("rev-parse", "HEAD")

    def push(self, *args: str, check: bool = True) -> subprocess.CompletedProcess:
        return self.git("push", *(args or ("origin", "main")), check=check)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4]))
