"""People who use Podium while it is hurt: visitors who never stop asking, authors who never stop pushing. Owns their records and
what must hold of them; knows no fault."""

import http.client
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support import git

PAUSE = 0.1  #: seconds between two questions of a visitor
PATIENCE = 40.0  #: seconds that a visitor waits for an answer


@dataclass(frozen=True, slots=True)
class Answer:
    when: float
    status: int  #: 0 when no gateway answered
    body: str
    port: int  #: of the gateway
    took: float

    @property
    def good(self) -> bool:
        return self.status == 200 and self.body.strip().isdigit()


class Visitor:
    """Asks an app for its version, each time on a new connection. The next gateway is asked where one does not answer, as
    whatever stands before several of them does."""

    def __init__(self, host: str, ports: Callable[[], Sequence[int]], path: str = "/version") -> None:
        self.host, self._ports, self._path = host, ports, path
        self.answers: list[Answer] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"visitor-{host}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(2 * PATIENCE)

    def _run(self) -> None:
        turn = 0
        while not self._stop.wait(PAUSE):
            turn += 1
            self.answers.append(self.ask(turn))

    def ask(self, turn: int = 0) -> Answer:
        began, ports = time.monotonic(), list(self._ports())
        error = "no gateway"
        for number in range(len(ports)):
            port = ports[(turn + number) % len(ports)]
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
            try:
                connection.request(
                    "GET", self._path, headers={"Host": f"{self.host}:{ports[0]}", "Connection": "close"}
                )
                answer = connection.getresponse()
                body = answer.read().decode(errors="replace")
                return Answer(began, answer.status, body[:300], port, time.monotonic() - began)
            except (OSError, http.client.HTTPException) as problem:
                error = repr(problem)
            finally:
                connection.close()
        return Answer(began, 0, error, 0, time.monotonic() - began)

    # -- what must hold

    def failures(self, since: float = 0.0) -> list[Answer]:
        return [one for one in self.answers if one.when >= since and not one.good]

    def went_back(self) -> list[tuple[Answer, Answer]]:
        """Answers older than the one before, of one gateway."""
        last: dict[int, Answer] = {}
        found = []
        for one in self.answers:
            if one.good:
                if one.port in last and int(one.body) < int(last[one.port].body):
                    found.append((last[one.port], one))
                last[one.port] = one
        return found


@dataclass(frozen=True, slots=True)
class Push:
    version: int
    commit: str
    done: bool  #: git said that all is well
    words: str
    took: float


class Author:
    """Pushes one version of a page after the other. `remote` gives the URL to push to, anew for each push."""

    def __init__(self, work: Path, remote: Callable[[], str], pause: float = 1.0) -> None:
        self._work, self._remote, self._pause = work, remote, pause
        self.pushes: list[Push] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        if not (work / ".git").exists():
            work.mkdir(parents=True)
            git(work, "init", "-q", "-b", "main")

    def start(self) -> None:
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="author", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join(150)

    def _run(self) -> None:
        while not self._stop.is_set():
            took = self.push().took
            # A newer push ends the build of the one before: let some be built. One that waited for a control plane says
            # nothing of how long a build takes.
            self._stop.wait(self._pause + min(3.0, 2 * took))

    def push(self) -> Push:
        version = (self.pushes[-1].version if self.pushes else 0) + 1
        for name, text in {"README.md": "---\nsdk: static\n---\n", "index.html": "<p>page", "version": version}.items():
            (self._work / name).write_text(f"{text}\n")
        git(self._work, "add", "-A")
        git(self._work, "commit", "-q", "-m", f"Version {version}")
        commit, began = git(self._work, "rev-parse", "HEAD").strip(), time.monotonic()
        try:
            git(self._work, "push", "-q", "--force", self._remote(), "main")
            done, words = True, ""
        except (AssertionError, subprocess.TimeoutExpired) as error:
            done, words = False, str(error)
        self.pushes.append(Push(version, commit, done, words, time.monotonic() - began))
        return self.pushes[-1]

    @property
    def last_done(self) -> int:
        return max((one.version for one in self.pushes if one.done), default=0)

    def refusals(self, first: int = 0) -> dict[str, int]:
        """What git said to pushes that were not taken, from the `first` on, and how often."""
        found: dict[str, int] = defaultdict(int)
        for one in self.pushes[first:]:
            if not one.done:
                found[" | ".join(one.words.splitlines()[1:])] += 1
        return dict(found)
