"""`ports.Builds` on one machine: each build is a `python -m builder` subprocess. Owns starting, watching, cancelling and the
directories that builds leave behind. Compiles nothing itself."""

import json
import logging
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import builder
from builder.backends.shelf import LOCKS, disk_bytes, is_whole, mark_of, remove
from builder.request import Bounds, Index, Request
from orchestrator.domain.seen import Fault, FaultKind, Image
from orchestrator.errors import Unavailable
from orchestrator.ports import BuilderDied, BuildOrder, BuildResult, Cancelled

log_ = logging.getLogger("podium.builds")
#: Arguments that start a builder: no PYTHON… variables, no user's packages.
COMMAND = ("-E", "-s", "-m", "builder")
NOBODY = 65534  #: owns nothing; runs authors' code when Podium is root and no other user is named
_TICK = 0.25  #: seconds between looks at `cancelled`
_GRACE = 5.0  #: seconds between asking a builder to stop and ending it
_SLACK = 60.0  #: seconds that a builder may take beyond the build's own timeout
_HOME = Path(builder.__file__).parent.parent
_IMAGE_FIELDS = {field.name for field in fields(Image)}


class LocalBuilds:
    """`data` holds envs/, apps/, cache/ and build-tmp/. `timeout` in seconds, `memory`, `output`, `source` and `cache` in
    bytes; `uid`: user that runs authors' code when Podium is root; `grace`: seconds during which what was made or used
    is not collected, long enough for its build to be saved."""

    def __init__(
        self,
        data: Path,
        *,
        timeout: float = 1800.0,
        memory: int = 8 << 30,
        output: int = 10 << 20,
        files: int = 20_000,
        source: int = 2 << 30,
        index_url: str = "",
        extra_index_url: str = "",
        ca_bundle: str = "",
        sandbox: str = "auto",
        uid: int | None = None,
        grace: float = 3600.0,
        cache: int = 50 << 30,
    ) -> None:
        self.data = Path(data).resolve()
        self.bounds = Bounds(files=files, source=source, timeout=timeout, memory=memory, output=output)
        self.index = Index(index_url, tuple(extra_index_url.split()), ca_bundle)
        self.sandbox = sandbox
        self.uid = NOBODY if uid is None and os.geteuid() == 0 else uid
        self.grace = grace
        self.cache = cache
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen] = set()

    # ------------------------------------------------------------------------------------------------------ run

    def run(
        self,
        order: BuildOrder,
        log: Callable[[str], None],
        cancelled: Callable[[], bool],
        phase: Callable[[str], None] = lambda name: None,
    ) -> BuildResult:
        """See `ports.Builds.run`."""
        process = self._start(self._request(order))
        try:
            for message in self._messages(process, cancelled):
                if "log" in message:
                    log(message["log"])
                elif "phase" in message:
                    phase(message["phase"])
                elif "result" in message:
                    self._leave(process)
                    return _result(message["result"])
                elif "transient" in message:
                    raise Unavailable(message["transient"])
        except BaseException:
            self._end(process)
            raise
        self._end(process)
        raise BuilderDied(f"the builder ended without a result (exit status {process.returncode})")

    def _request(self, order: BuildOrder) -> Request:
        return Request(
            key=order.key,
            space_id=order.space_id,
            revision=order.revision,
            git_dir=order.git_dir,
            data=str(self.data),
            fresh=order.fresh,
            previous=dict(order.previous),
            index=self.index,
            bounds=self.bounds,
            sandbox=self.sandbox,
            uid=self.uid,
            large=dict(order.large),
        )

    def close(self) -> None:
        """End all builders, those too that only finish up."""
        with self._lock:
            running = list(self._processes)
        for process in running:
            self._end(process)

    def _start(self, request: Request) -> subprocess.Popen:
        """The builder, with the request as the first line of its standard input; the pipe stays open while we live."""
        try:
            process = subprocess.Popen(
                [sys.executable, *COMMAND, "-"],
                cwd=_HOME,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            with self._lock:
                self._processes.add(process)
            process.stdin.write(json.dumps(request.json()).encode() + b"\n")
            process.stdin.flush()
            return process
        except OSError as error:
            raise Unavailable(f"cannot start a builder: {error}") from None

    def _messages(self, process: subprocess.Popen, cancelled: Callable[[], bool]) -> Iterator[dict]:
        """What the builder says until it ends. Raises Cancelled, and BuilderDied when it does not stop by itself."""
        deadline = time.monotonic() + self.bounds.timeout + _SLACK
        rest = b""
        with selectors.DefaultSelector() as ready:
            ready.register(process.stdout, selectors.EVENT_READ)
            while True:
                if cancelled():
                    raise Cancelled
                if time.monotonic() > deadline:
                    raise BuilderDied("the builder did not stop at its own time limit")
                if not ready.select(_TICK):
                    continue
                chunk = os.read(process.stdout.fileno(), 1 << 16)
                if not chunk:
                    return
                *lines, rest = (rest + chunk).split(b"\n")
                yield from filter(None, map(_message, lines))

    def _leave(self, process: subprocess.Popen) -> None:
        """The result is there; the builder may go on with what only makes later starts faster."""

        def reap() -> None:
            with suppress(OSError, ValueError):
                while process.stdout.read(1 << 16):
                    pass
            process.wait()
            self._forget(process)

        threading.Thread(target=reap, name=f"builder-{process.pid}", daemon=True).start()

    def _end(self, process: subprocess.Popen) -> None:
        """Ask it to stop, then end all that is left of it."""
        if process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self._forget(process)

    def _forget(self, process: subprocess.Popen) -> None:
        with self._lock:
            self._processes.discard(process)
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError, ValueError):
                pipe.close()

    # -------------------------------------------------------------------------------------------------- keeping

    def exists(self, image: Image, doubted: bool = False) -> bool:
        """See `ports.Builds.exists`."""
        whole = not image.environment or is_whole(Path(image.environment))
        return whole and bool(image.source) and Path(image.source).is_dir()

    def collect(self, keep: Iterable[Image], dry: bool = False) -> int:
        """See `ports.Builds.collect`. What is younger than `grace` stays."""
        images = list(keep)
        before = time.time() - self.grace
        names = {Path(image.environment).name for image in images if image.environment}
        freed = self._collect_environments(names, before, dry)
        freed += self._collect_apps({image.source for image in images}, before, dry)
        spaces = {Path(image.source).parent.name for image in images if image.source}
        freed += self._collect_caches(spaces, before, dry)
        return freed

    def sizes(self) -> dict[str, int]:
        """See `ports.Builds.sizes`."""
        of = {
            "Environments": ("envs",),
            "Apps as they run": ("apps", "instances"),
            "Caches of builds": ("cache", "build-tmp"),
        }
        return {words: sum(disk_bytes(self.data / name) for name in names) for words, names in of.items()}

    def check(self) -> str:
        """See `ports.Builds.check`."""
        return ""

    def _collect_environments(self, keep: set[str], before: float, dry: bool) -> int:
        envs = self.data / "envs"
        freed = 0
        for path in _children(envs):
            if path.name != LOCKS and path.name not in keep and _time(mark_of(path), _time(path)) < before:
                freed += disk_bytes(path) if dry else remove(envs, path.name)
        return freed

    def _collect_apps(self, keep: set[str], before: float, dry: bool) -> int:
        freed = 0
        for space in _children(self.data / "apps"):
            for path in _children(space):
                if str(path) not in keep and _time(path) < before:
                    freed += _remove(path, dry)
            with suppress(OSError):
                space.rmdir()
        return freed

    def _collect_caches(self, spaces: set[str], before: float, dry: bool) -> int:
        """Leftovers of builds that died, old answers of the resolver, caches of Spaces that are gone, a cache too large."""
        freed = 0
        longest = before - self.bounds.timeout - _SLACK
        for path in _children(self.data / "build-tmp"):
            if _time(path) < longest:
                freed += _remove(path, dry)
        for path in _children(self.data / "cache" / "locks"):
            if _time(path) < before - 86400:
                freed += _remove(path, dry)
        for path in _children(self.data / "cache" / "private"):
            if path.name not in spaces and _time(path) < longest:
                freed += _remove(path, dry)
        with self._lock:
            idle = not self._processes
        shared = self.data / "cache" / "uv"
        if idle and shared.is_dir() and disk_bytes(shared) > self.cache:
            freed += _remove(shared, dry)
        return freed


def _message(line: bytes) -> dict | None:
    """One message of the builder; what is none is its own complaint and goes into our log."""
    try:
        message = json.loads(line)
        if isinstance(message, dict):
            return message
    except ValueError:
        pass
    if line.strip():
        log_.warning("builder: %s", re.sub(r"[^\x20-\x7e]", "?", line.decode("utf-8", "replace"))[:2000])
    return None


def _result(values: dict) -> BuildResult:
    image, fault = values["image"], values["fault"]
    if image:
        image = Image(
            **{name: value for name, value in image.items() if name in _IMAGE_FIELDS} | {"argv": tuple(image["argv"])}
        )
    return BuildResult(
        image or None,
        Fault(**fault) if fault else None,
        FaultKind(values["fault_kind"]),
        tuple(values["warnings"]),
        values["phases"],
        values["previous"],
    )


def _children(path: Path) -> list[Path]:
    try:
        return sorted(path.iterdir())
    except OSError:
        return []


def _time(path: Path, default: float = 0.0) -> float:
    """When it was last changed; now when it just vanished and nothing else is known."""
    try:
        return path.lstat().st_mtime
    except OSError:
        return default or time.time()


def _remove(path: Path, dry: bool = False) -> int:
    size = disk_bytes(path) if path.is_dir() else 0
    if dry:
        return size
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
    return size
