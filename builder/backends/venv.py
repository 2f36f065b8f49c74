"""A Plan becomes a Python environment in a directory named by what is in it. Owns which environments are shared, how they are
resolved, made, found again and marked whole. Calls uv (`uv.py`) in `process.run`; explains failures with `explain.py`."""

import fcntl
import json
import os
import platform
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from builder.backends import bytecode, explain, guarded, uv
from builder.backends.shelf import disk_bytes, is_whole, mark_of, open_lock
from builder.errors import Fault, TransientError
from builder.plan import SCHEMA, Plan, digest
from builder.process import Box, Limits, Outcome, boxed, can_box, run
from builder.request import Request

LOCK = ".lock.txt"  #: in an environment: what was installed


@dataclass(frozen=True, slots=True)
class Environment:
    """`declared`: hash of what was asked; `id` of what was installed. `versions`: package -> version."""

    id: str
    declared: str
    path: str
    python: str
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Lock:
    """Resolved requirements. `own_code`: made by the second way, installed in the Space's own class."""

    text: str
    own_code: bool


class Maker:
    """Makes the environment of one build. Holds a shared lock on it until `close`, so that nobody collects it meanwhile."""

    def __init__(self, request: Request, plan: Plan, deadline: float, say: Callable[[str], None], work: Path) -> None:
        self.request, self.plan, self.say, self.work = request, plan, say, work
        self.deadline = deadline
        self.envs = request.folder("envs")
        self.phases: dict[str, float] = {}
        self.warnings: list[str] = []
        self._held: list[int] = []

    def make(self, line: int) -> Environment:
        """The environment, made or found. `line` of python_version in README.md. Raises Fault or TransientError."""
        declared = self._declared()
        previous = self.request.previous
        if not self.request.fresh and previous.get("declared") == declared:
            found = self._reuse(previous.get("environment", ""), declared)
            if found:
                self.say("--> Packages as before, CACHED")
                return found
        cache = self._cache(self.plan.own_code)
        env = uv.environment(self.request.index, cache, self.work)
        python, version, warning = uv.find_python(self.plan.python, line, env)
        self.warnings += [warning] if warning else []
        self.say(f"--> Python {version}")
        lock = self._locked(declared, python, version)
        salt = self.request.key if self.request.fresh else ""
        scope = self.request.space_id if lock.own_code else ""
        name = digest("env", SCHEMA, lock.text, python, version, platform.machine(), platform.libc_ver(), scope, salt)
        with self._exclusive(name):
            if is_whole(self.envs / name):
                self.say("--> Packages were installed before, CACHED")
            else:
                self._install(name, lock, python, version)
        found = self._reuse(name, declared)
        if not found:
            raise TransientError("the environment vanished while it was made")
        return found

    def finish(self, environment: Environment) -> None:
        """Compile what is not compiled yet; where code of the author's ran, uv did it inside the sandbox. May be killed at any
        time: the next build of the environment goes on."""
        path = Path(environment.path)
        own_code = json.loads(mark_of(path).read_text())["own_code"]
        if own_code or (path / bytecode.MARKER).exists():
            return
        try:
            self._held.append(open_lock(self.envs, f"{environment.id}.compile", fcntl.LOCK_EX | fcntl.LOCK_NB))
        except BlockingIOError:
            return  # another builder is at it
        bytecode.compile_all(path, self._bytecode(), bytecode.tag_of(environment.python))

    def _bytecode(self) -> Path:
        return self.request.folder("cache") / "bytecode"

    def close(self) -> None:
        """Let go of the environment."""
        while self._held:
            os.close(self._held.pop())

    # -------------------------------------------------------------------------------------------------- finding

    def _declared(self) -> str:
        index = self.request.index
        where = [index.url, list(index.extra), platform.machine(), platform.libc_ver(), uv.own_python()]
        scope = self.request.space_id if self.plan.own_code else ""
        return digest("declared", self.plan.dependencies(), where, scope)

    def _reuse(self, name: str, declared: str) -> Environment | None:
        """The environment `name` if it is whole; holds it."""
        path = self.envs / name
        if not re.fullmatch(r"[0-9a-f]{24}", name) or not is_whole(path):
            return None
        self._held.append(open_lock(self.envs, name, fcntl.LOCK_SH))
        try:
            about = json.loads(mark_of(path).read_text())
            os.utime(mark_of(path))
        except (OSError, ValueError):
            return None
        return Environment(name, declared, str(path), about["python"], about["versions"])

    @contextmanager
    def _exclusive(self, name: str) -> Iterator[None]:
        """One builder at a time makes an environment; the others wait and find it."""
        try:
            handle = open_lock(self.envs, name, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.say("--> Another build is making the same environment, waiting for it")
            handle = open_lock(self.envs, name, fcntl.LOCK_EX)
        try:
            yield
        finally:
            os.close(handle)

    # ------------------------------------------------------------------------------------------------ resolving

    def _locked(self, declared: str, python: str, version: str) -> _Lock:
        """The resolver's answer: a remembered one while it is young, else a new one."""
        folder = self.request.folder("cache") / "locks"
        names = [f"{declared}.json", f"{declared}-{self.request.space_id}.json"]
        if not self.request.fresh:
            for name in names:
                try:
                    young = time.time() - (folder / name).stat().st_mtime < self.request.lock_ttl
                    kept = json.loads((folder / name).read_text())
                    if young and kept["python"] == python:
                        return _Lock(kept["text"], kept["own_code"])
                except (OSError, ValueError, KeyError):
                    continue
        lock = self._resolve(python, version)
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / names[1 if lock.own_code else 0]
        fresh = place.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps({"text": lock.text, "own_code": lock.own_code, "python": python}))
        fresh.rename(place)
        return lock

    def _resolve(self, python: str, version: str) -> _Lock:
        self.say(f"--> Resolving {len(self.plan.lines)} requirements")
        guarded.write(self.work / "requirements.in", [line.text for line in self.plan.lines])
        guarded.write(self.work / "constraints.in", [line.text for line in self.plan.constraints])
        if not self.plan.own_code:
            outcome = self._compile(python, ["--generate-hashes", "--only-binary", ":all:"], own_code=False)
            if outcome.code == 0:
                return _Lock(guarded.read(self.work / "lock.txt"), False)
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
        return _Lock(guarded.read(self.work / "lock.txt"), True)

    def _compile(self, python: str, options: list[str], own_code: bool):
        arguments = ["pip", "compile", "--no-config", "--no-header", "--no-annotate", "--quiet", "--python", python]
        arguments += ["--prerelease", "allow"] if self.plan.prerelease else []
        arguments += ["-c", "constraints.in"] if self.plan.constraints else []
        return self._uv(
            "resolve", [*arguments, *options, "-o", "lock.txt", "requirements.in"], own_code, (), python, not own_code
        )

    # ----------------------------------------------------------------------------------------------- installing

    def _install(self, name: str, lock: _Lock, python: str, version: str) -> None:
        """Make the environment under its final name (virtual environments know their own path), the marker last."""
        path = self.envs / name
        try:
            shutil.rmtree(path, ignore_errors=True)
            guarded.write(self.work / "lock.txt", [lock.text])
            versions = dict(re.findall(r"^([\w.-]+)==([^\s;\\]+)", lock.text, re.MULTILINE))
            self.say(f"--> Installing {len(versions)} packages")
            path.mkdir(parents=True)
            venv = ["venv", "--no-config", "--no-project", "--quiet", "--clear", "--python", python, str(path)]
            outcome = self._uv("venv", venv, False, (), python)
            if outcome.code:
                raise TransientError(f"uv cannot make an environment: {outcome.output[-500:]}")
            skeleton = guarded.skeleton_of(path)
            arguments = ["pip", "install", "--no-config", "--no-deps", "--python", str(path / "bin" / "python")]
            if lock.own_code:
                self._own(path)
                arguments += ["--link-mode", "copy", "--compile-bytecode"]
            else:
                arguments += ["--require-hashes", "--only-binary", ":all:"]
            outcome = self._uv("install", [*arguments, "-r", "lock.txt"], lock.own_code, (str(path),), python)
            if outcome.code:
                self._fail(outcome, "installing the packages", version, python)
            if lock.own_code:
                self._disown(path)
            if guarded.skeleton_of(path) != skeleton:
                raise Fault(
                    "REQ_UNSAFE", "a package overwrites the Python interpreter or pyvenv.cfg; remove that package"
                )
            self._size(path)
            if not lock.own_code:
                bytecode.drop(path)
                bytecode.link(path, self._bytecode(), bytecode.tag_of(version))
            guarded.place(path / LOCK, lock.text)
            about = {"python": version, "versions": versions, "own_code": lock.own_code}
            guarded.place(mark_of(path), json.dumps(about))
        except OSError as error:
            raise TransientError(f"cannot write the environment: {error}") from None
        finally:
            if not is_whole(path):
                shutil.rmtree(path, ignore_errors=True)

    def _size(self, path: Path) -> None:
        bound = self.request.bounds.environment
        size = disk_bytes(path)
        if size > bound:
            raise Fault(
                "BUILD_DISK",
                f"the packages need {size / 1024**3:.1f} GiB, at most {bound / 1024**3:.1f} GiB are allowed",
            )

    def _own(self, path: Path) -> None:
        """Give the directories that author's code writes to its user."""
        if self.request.uid is not None and os.geteuid() == 0:
            for folder in (path, self.work, self._cache(True)):
                guarded.hand_over(folder, self.request.uid)

    def _disown(self, path: Path) -> None:
        if self.request.uid is not None and os.geteuid() == 0:
            guarded.hand_over(path, 0)

    def _cache(self, own_code: bool) -> Path:
        """uv's cache. Code of a Space must not write where others read."""
        cache = self.request.folder("cache")
        path = cache / "private" / self.request.space_id if own_code else cache / "uv"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def _uv(
        self,
        phase: str,
        arguments: list[str],
        own_code: bool,
        writable: tuple[str, ...],
        python: str,
        quiet: bool = False,
    ):
        """Run uv with the limits of the build; in a sandbox when it may run code of the author's."""
        began = time.monotonic()
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
        outcome = run(command, str(self.work), env, limits, (lambda line: None) if quiet else self.say, uid)
        self.phases[phase] = self.phases.get(phase, 0.0) + round(time.monotonic() - began, 3)
        return outcome

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
        outcome = self._uv("explain", arguments, False, (), python, quiet=True)
        found = re.search(r"^[\w.-]+==(\S+)", outcome.output, re.MULTILINE)
        return f"; the newest that fits this Python is {found[1]}" if outcome.code == 0 and found else ""
