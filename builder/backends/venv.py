"""A Plan becomes a Python environment in a directory named by what is in it. Owns which environments are shared, how they are
resolved, made, found again and marked whole. Calls uv (`uv.py`) in `process.run`; explains failures with `explain.py`."""

import fcntl
import json
import os
import platform
import re
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from builder.backends import bytecode, guarded, uv
from builder.backends.lock import Lock, Resolver
from builder.backends.shelf import disk_bytes, exclusive, is_whole, mark_of, open_lock
from builder.errors import Fault, TransientError
from builder.phases import INSTALL, WAIT
from builder.plan import SCHEMA, Plan, digest
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


class Maker(Resolver):
    """Makes the environment of one build. Holds a shared lock on it until `close`, so that nobody collects it meanwhile."""

    def __init__(self, request: Request, plan: Plan, deadline: float, say: Callable[[str], None], work: Path) -> None:
        super().__init__(request, plan, deadline, say, work)
        self.envs = request.folder("envs")
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

    def _exclusive(self, name: str) -> AbstractContextManager[None]:
        def wait() -> None:
            self.phases.begin(WAIT)
            self.say("--> Another build is making the same environment, waiting for it")

        return exclusive(self.envs, name, wait)

    # ----------------------------------------------------------------------------------------------- installing

    def _install(self, name: str, lock: Lock, python: str, version: str) -> None:
        """Make the environment under its final name (virtual environments know their own path), the marker last."""
        self.phases.begin(INSTALL)
        path = self.envs / name
        try:
            shutil.rmtree(path, ignore_errors=True)
            guarded.write(self.work / "lock.txt", [lock.text])
            versions = uv.versions(lock.text)
            self.say(f"--> Installing {len(versions)} packages")
            path.mkdir(parents=True)
            venv = ["venv", "--no-config", "--no-project", "--quiet", "--clear", "--python", python, str(path)]
            outcome = self._uv(venv, False, (), python)
            if outcome.code:
                raise TransientError(f"uv cannot make an environment: {outcome.output[-500:]}")
            skeleton = guarded.skeleton_of(path)
            arguments = ["pip", "install", "--no-config", "--no-deps", "--python", str(path / "bin" / "python")]
            if lock.own_code:
                self._own(path)
                arguments += ["--link-mode", "copy", "--compile-bytecode"]
            else:
                arguments += ["--require-hashes", "--only-binary", ":all:"]
            outcome = self._uv([*arguments, "-r", "lock.txt"], lock.own_code, (str(path),), python)
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

    def _disown(self, path: Path) -> None:
        if self.request.uid is not None and os.geteuid() == 0:
            guarded.hand_over(path, 0)
