"""One instance on disk: its directory, what was noted when it was launched, what its launcher says, whether it lives.

<data>/instances/<id>/instance.json   what was launched (no secrets), written once
                      status.json     kept by the launcher
                      stop.json       the wish to stop, so that it survives a restart of Podium
                      app/ home/ tmp/ etc/      the app's own, gone with the instance
"""

import fcntl
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from orchestrator.runtimes.machine import Share
from runtime_images.launcher.processes import start_time


@dataclass(frozen=True, slots=True)
class Note:
    """What must be known of an instance after a restart of Podium."""

    id: str
    space_id: str
    launch_key: str
    port: int
    contract_port: int
    started_at: float
    startup_timeout: float
    boxed: bool  #: in bubblewrap
    grace: float
    share: Share = Share()


class Instance:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.id = directory.name
        self.app, self.home, self.tmp, self.etc = (directory / name for name in ("app", "home", "tmp", "etc"))
        self.note: Note | None = None
        self._status_path = str(directory / "status.json")
        self._stamp: tuple[int, int] = (0, 0)
        self._status: dict = {}
        self._swept = False
        self._launcher: tuple[int, int] = (0, 0)
        self._pidfd = -1

    # -- what was launched

    def create(self, note: Note) -> None:
        """Raises FileExistsError when it is there."""
        self.directory.mkdir(mode=0o711)
        self.note = note
        write_json(self.directory / "instance.json", asdict(note))

    def load(self) -> Note | None:
        """The note, None if there is none that can be used: a crash in the middle of `create`."""
        if self.note is None:
            try:
                kept = json.loads((self.directory / "instance.json").read_text())
                self.note = Note(**{**kept, "share": Share.read(kept.get("share", {}))})
            except (OSError, ValueError, TypeError, AttributeError):
                return None
        return self.note

    # -- what its launcher says

    def status(self) -> dict:
        """The launcher's last word, {} before its first. Reads the file only when it changed."""
        try:
            found = os.stat(self._status_path)
            stamp = (found.st_mtime_ns, found.st_ino)
            if stamp != self._stamp:
                with open(self._status_path) as file:
                    self._status, self._stamp = json.load(file), stamp
        except (OSError, ValueError):
            pass
        return self._status

    def fail(self, reason: str) -> None:
        """Say in the launcher's place that it could not be started."""
        write_json(self.directory / "status.json", {"state": "exited", "reason": reason, "exited_at": time.time()})

    def launcher_alive(self) -> bool:
        """Whether the launcher that wrote the status still runs; a reused pid is not it. Cheap: asked once a second."""
        descriptor = self._descriptor()
        return descriptor >= 0 and not _ended(descriptor)

    def _descriptor(self) -> int:
        """Of the launcher's process, which no other process can take over; -1 if it is gone. Opened once."""
        status = self.status()
        name = (status.get("launcher", 0), status.get("launcher_start", 0))
        if name != self._launcher:
            self.close()
            self._launcher = name
            try:
                self._pidfd = os.pidfd_open(name[0])
            except (OSError, OverflowError, TypeError):
                return -1
            if start_time(name[0]) != name[1]:  # asked after it was opened: the pid cannot change hands any more
                os.close(self._pidfd)
                self._pidfd = -1
        return self._pidfd

    def close(self) -> None:
        if self._pidfd >= 0:
            os.close(self._pidfd)
        self._pidfd, self._launcher = -1, (0, 0)

    # -- stopping

    @property
    def stop_file(self) -> Path:
        return self.directory / "stop.json"

    def end_launcher(self, number: int, timeout: float, given_up: Callable[[], bool]) -> bool:
        """Send it a signal and wait until it has exited. False if `given_up` or it has not within `timeout` seconds."""
        descriptor = self._descriptor()
        if descriptor < 0:
            return True
        try:
            signal.pidfd_send_signal(descriptor, number)
        except ProcessLookupError:
            return True
        deadline = time.monotonic() + timeout
        while not given_up() and (left := deadline - time.monotonic()) > 0:
            if _ended(descriptor, min(left, 0.5)):
                return True
        return False

    def sweep(self) -> bool:
        """The launcher is gone without having tidied up: end whatever of the app is left. The kernel has killed the app
        itself (and in a sandbox everything); others are found by control group and by working directory.
        False if that was done before."""
        if self._swept:
            return False
        status = self.status()
        for _ in range(20):
            left = _members(status.get("cgroups") or ()) | self._within()
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
            if not left:
                break
            time.sleep(0.02)
        for path in status.get("cgroups") or ():
            try:
                os.rmdir(path)
            except OSError:
                pass
        self._swept = True
        return True

    def _within(self) -> set[int]:
        """Processes that work in its directory."""
        mine = str(self.directory) + "/"
        found = set()
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) != os.getpid():
                try:
                    if os.readlink(f"/proc/{name}/cwd").startswith(mine):
                        found.add(int(name))
                except OSError:
                    continue
        return found

    def remove(self) -> None:
        """Take the directory away: at once out of sight, then file by file."""
        gone = self.directory.with_name(f".gone-{self.id}-{time.monotonic_ns()}")
        try:
            self.directory.rename(gone)
        except FileNotFoundError:
            return
        remove_tree(gone)


def _ended(descriptor: int, timeout: float = 0.0) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(timeout * 1000))


def _members(cgroups: "list[str] | tuple") -> set[int]:
    found: set[int] = set()
    for path in cgroups:
        try:
            found |= set(map(int, Path(path, "cgroup.procs").read_text().split()))
        except OSError:
            continue
    return found


def write_json(path: Path, value: object) -> None:
    spare = path.with_name(f"{path.name}.new")
    with open(spare, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        json.dump(value, file)
    os.replace(spare, path)


def remove_tree(path: Path) -> None:
    """Remove all of it, also directories that their owner has closed. Never follows a link, not even one that an app puts in
    a directory's place meanwhile: root needs no rights, so it leaves what resists to the next round."""

    def unlock(function, name, _error):
        try:
            os.chmod(os.path.dirname(name), 0o700)
            if not os.path.islink(name):
                os.chmod(name, 0o700)
            function(name)
        except OSError:
            pass

    for _ in range(3):
        shutil.rmtree(path, onerror=unlock if os.geteuid() else lambda *_: None)
        if not os.path.lexists(path):
            return


def copy_tree(source: Path, target: Path, owner: int | None) -> None:
    """Copy an app's files, sharing blocks where the file system can. Links stay links; `owner` gets everything."""
    target.mkdir(mode=0o755, exist_ok=True)
    _own(target, owner)
    with os.scandir(source) as entries:
        for entry in entries:
            there = target / entry.name
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), there)
            elif entry.is_dir():
                copy_tree(Path(entry.path), there, owner)
                continue
            elif entry.is_file():
                _copy_file(entry.path, there)
                os.chmod(there, 0o755 if entry.stat().st_mode & 0o100 else 0o644)
            else:
                continue
            _own(there, owner)


def _copy_file(source: str, target: Path) -> None:
    with open(source, "rb") as old, open(target, "xb") as new:
        try:
            fcntl.ioctl(new.fileno(), 0x40049409, old.fileno())  # FICLONE
        except OSError:
            shutil.copyfileobj(old, new, 1024**2)


def _own(path: Path, owner: int | None) -> None:
    if owner is not None:
        os.chown(path, owner, owner, follow_symlinks=False)
