"""The requirements of a Plan become a lock: exact versions, with hashes where only ready wheels are used. Owns what is resolved
again and what is remembered, and how uv (`uv.py`) is run: its limits, its sandbox, its cache. Installs nothing: that is
`venv.py` and `buildkit.py`."""

import json
import os
import platform
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from builder.backends import explain, guarded, uv
from builder.errors import Fault
from builder.phases import RESOLVE, Phases
from builder.plan import Plan, digest
from builder.process import Box, Limits, Outcome, boxed, can_box, run
from builder.request import Request


@dataclass(frozen=True, slots=True)
class Lock:
    """Resolved requirements. `own_code`: made by the second way, installed in the Space's own class."""

    text: str
    own_code: bool


class Resolver:
    """Resolves for one build. `target`: options of uv that name another Python or platform than the interpreter's."""

    def __init__(self, request: Request, plan: Plan, deadline: float, say: Callable[[str], None], work: Path) -> None:
        self.request, self.plan, self.say, self.work = request, plan, say, work
        self.deadline = deadline
        self.target: list[str] = []
        self.phases = Phases()
        self.warnings: list[str] = []

    def _declared(self) -> str:
        index = self.request.index
        where = [index.url, list(index.extra), platform.machine(), platform.libc_ver(), uv.own_python(), *self.target]
        scope = self.request.space_id if self.plan.own_code else ""
        return digest("declared", self.plan.dependencies(), where, scope)

    def _locked(self, declared: str, python: str, version: str) -> Lock:
        """The resolver's answer: a remembered one while it is young, else a new one."""
        folder = self.request.folder("cache") / "locks"
        names = [f"{declared}.json", f"{declared}-{self.request.space_id}.json"]
        if not self.request.fresh:
            for name in names:
                try:
                    young = time.time() - (folder / name).stat().st_mtime < self.request.lock_ttl
                    kept = json.loads((folder / name).read_text())
                    if young and kept["python"] == python:
                        return Lock(kept["text"], kept["own_code"])
                except (OSError, ValueError, KeyError):
                    continue
        lock = self._resolve(python, version)
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / names[1 if lock.own_code else 0]
        fresh = place.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps({"text": lock.text, "own_code": lock.own_code, "python": python}))
        fresh.rename(place)
        return lock

    def _resolve(self, python: str, version: str) -> Lock:
        self.phases.begin(RESOLVE)
        self.say(f"--> Resolving {len(self.plan.lines)} requirements")
        guarded.write(self.work / "requirements.in", [line.text for line in self.plan.lines])
        guarded.write(self.work / "constraints.in", [line.text for line in self.plan.constraints])
        if not self.plan.own_code:
            outcome = self._compile(python, ["--generate-hashes", "--only-binary", ":all:"], own_code=False)
            if outcome.code == 0:
                return Lock(guarded.read(self.work / "lock.txt"), False)
            if not explain.NO_WHEEL.search(outcome.output):
                for text in outcome.output.splitlines():
                    self.say(text)
                self._fail(outcome, "resolving the requirements", version, python)
            self.say("--> A package has no ready wheel; it is built from source, for this Space only")
        index = ["--index-strategy", "unsafe-best-match"] if self.plan.indexes else []
        index += [word for option in self.plan.indexes for word in option.split(" ", 1)]
        outcome = self._compile(python, ["--emit-index-url", "--emit-find-links", *index], own_code=True)
        if outcome.code:
            self._fail(outcome, "resolving the requirements", version, python)
        return Lock(guarded.read(self.work / "lock.txt"), True)

    def _compile(self, python: str, options: list[str], own_code: bool):
        arguments = ["pip", "compile", "--no-config", "--no-header", "--no-annotate", "--quiet", "--python", python]
        arguments += self.target
        arguments += ["--prerelease", "allow"] if self.plan.prerelease else []
        arguments += ["-c", "constraints.in"] if self.plan.constraints else []
        return self._uv([*arguments, *options, "-o", "lock.txt", "requirements.in"], own_code, (), python, not own_code)

    def _own(self, path: Path) -> None:
        """Give the directories that author's code writes to its user."""
        if self.request.uid is not None and os.geteuid() == 0:
            for folder in (path, self.work, self._cache(True)):
                guarded.hand_over(folder, self.request.uid)

    def _cache(self, own_code: bool) -> Path:
        """uv's cache. Code of a Space must not write where others read."""
        cache = self.request.folder("cache")
        path = cache / "private" / self.request.space_id if own_code else cache / "uv"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def _uv(
        self,
        arguments: list[str],
        own_code: bool,
        writable: tuple[str, ...],
        python: str,
        quiet: bool = False,
    ):
        """Run uv with the limits of the build; in a sandbox when it may run code of the author's."""
        cache = self._cache(own_code)
        env = uv.environment(self.request.index, cache, self.work)
        command = [uv.binary(), *arguments]
        uid = None
        processes = 0
        if own_code:
            self._own(self.work)
            uid = self.request.uid if os.geteuid() == 0 else None
            if self.request.sandbox != "none" and can_box():
                prefix = str(Path(python).parent.parent)
                bundle = (self.request.index.ca_bundle,) if self.request.index.ca_bundle else ()
                box = Box((prefix, command[0], *bundle), (str(self.work), str(cache), *writable), uid)
                command, uid, processes = boxed(command, box, str(self.work)), None, self.request.bounds.processes
            elif self.request.sandbox == "bubblewrap":
                raise Fault(
                    "SANDBOX",
                    "a package must be built from source, which needs bubblewrap; ask the admin to install it",
                )
            elif uid is not None:
                processes = self.request.bounds.processes
        limits = Limits(self.deadline, self.request.bounds.memory, processes)
        return run(command, str(self.work), env, limits, (lambda line: None) if quiet else self.say, uid)

    def _fail(self, outcome: Outcome, step: str, version: str, python: str) -> NoReturn:
        bounds = self.request.bounds
        if outcome.reason:
            raise explain.limit(outcome.reason, step, bounds.timeout, bounds.memory)
        cause = explain.explain(outcome.output, [*self.plan.lines, *self.plan.constraints], version)
        if isinstance(cause, Fault) and cause.code == "REQ_VERSION":
            cause.message += self._newest(cause.subject, python)
        raise cause

    def _newest(self, name: str, python: str) -> str:
        """What the index has instead of a version that it has not; "" when even that is unknown."""
        guarded.write(self.work / "newest.in", [name])
        arguments = ["pip", "compile", "--no-config", "--no-header", "--no-annotate", "--quiet", "--no-deps"]
        arguments += ["--only-binary", ":all:", "--python", python, "newest.in"]
        outcome = self._uv(arguments, False, (), python, quiet=True)
        found = re.search(r"^[\w.-]+==(\S+)", outcome.output, re.MULTILINE)
        return f"; the newest that fits this Python is {found[1]}" if outcome.code == 0 and found else ""
