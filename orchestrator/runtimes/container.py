"""One instance as a container: what it is made of, what its labels tell after a restart, what its launcher says. Pure but for its
directories and the launcher's status, which the app could have forged: it can lie about itself only, and no more than that.

<data>/containers/<id>/            mounted into the container, the app's user may write
                       status.json     kept by the launcher
<data>/containers/<id>.stop        the wish to stop, so that it survives a restart of Podium"""

import json
import os
import stat
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from orchestrator.domain.hardware import Hardware
from orchestrator.domain.seen import Image
from orchestrator.ports import LaunchSpec
from orchestrator.runtimes.environ import Seats, app_command, app_environment
from orchestrator.runtimes.machine import Share, told

MB = 1024**2
USER = 1000  #: whom apps run as, in every image
WRAPPER = 8  #: processes beside the app's own: the launcher
VENV = "/opt/venv"
STATUS = "/run/podium"  #: where the launcher writes, as it sees it
STATUS_LIMIT = 4 * MB  #: bytes of a status that are read: it holds the last 50 lines, which may be long
LABEL = "podium.data"  #: which data directory a thing of the engine belongs to, as on images
_SEATS = Seats("/home/user", "/tmp", "/data", "/opt/podium/python", "/opt/podium/static_server.py", "/opt/podium/site")


@dataclass(frozen=True, slots=True)
class Note:
    """What must be known of an instance after a restart of Podium; kept in its container's labels."""

    id: str
    space_id: str
    launch_key: str
    port: int
    ready_path: str
    started_at: float
    startup_timeout: float
    grace: float
    memory: int
    launcher: bool  #: PID 1 is Podium's launcher, rather than what the author's own image starts
    share: Share = Share()

    def labels(self, owner: str) -> dict[str, str]:
        return {LABEL: owner, "podium.space": self.space_id, "podium.note": written(self)}


def written(note: Note) -> str:
    return json.dumps(asdict(note))


def read_note(labels: Mapping[str, str], key: str = "podium.note") -> Note | None:
    """The note in a container's labels, None if it is none of ours."""
    try:
        kept = json.loads(labels[key])
        return Note(**{**kept, "share": Share.read(kept.get("share", {}))})
    except (KeyError, ValueError, TypeError, AttributeError):
        return None


def note_of(spec: LaunchSpec, grace: float, now: float, share: Share = Share()) -> Note:
    image = spec.image
    return Note(
        spec.instance_id, spec.space_id, spec.launch_key, image.port, image.ready_path, now, image.startup_timeout, grace,
        spec.hardware.memory, bool(image.argv), share,
    )  # fmt: skip


def environment(
    spec: LaunchSpec, grace: float, share: Share = Share(), more: Mapping[str, object] | None = None
) -> dict[str, str]:
    """All variables of the container. The launcher is told in LAUNCH_SPEC, the app gets the rest. `more`: what else the
    launcher is told."""
    image = spec.image
    if not image.argv:  # the author's own image: its PATH and HOME are its own
        ours = {"PORT": str(image.port), "SPACE_DATA_DIR": "/data", **told(share, boxed=True)}
        return dict(spec.env) | ours
    env = app_environment(image, {**spec.env, **told(share, boxed=True)}, image.port, _SEATS)
    if image.python_version:
        env |= {"VIRTUAL_ENV": VENV, "PATH": f"{VENV}/bin:{env['PATH']}"}
    order = {
        "id": spec.instance_id,
        "argv": app_command(image, image.port, _SEATS),
        "cwd": "/app",
        "port": image.port,
        "contract_port": image.port,
        "ready_path": image.ready_path,
        "outside": True,
        "memory": spec.hardware.memory,
        "cgroup": ".",
        "grace": grace,
        "log": "-",
        "status": f"{STATUS}/status.json",
        **(more or {}),
    }
    return env | {"LAUNCH_SPEC": json.dumps(order)}


def limits(hardware: Hardware, image: Image) -> dict[str, object]:
    """What the engine holds a container to, as keywords of the docker SDK's `create_host_config`."""
    return {
        "mem_limit": hardware.memory,
        "memswap_limit": hardware.memory,
        "shm_size": max(64 * MB, hardware.memory // 2),
        "nano_cpus": int(hardware.cpu * 1e9),
        "pids_limit": hardware.processes + (WRAPPER if image.argv else 0),
        "security_opt": ["no-new-privileges:true"],
        "cap_drop": ["ALL"],
        "init": not image.argv,
        "restart_policy": {"Name": "no"},
    }


class Status:
    """The launcher's last word, read again only when it changed. The app may have put anything in its place: no link is
    followed, no pipe waited for, nothing large read, no member of another type passed on."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "status.json"
        self._stamp: tuple[int, ...] = ()
        self._found: dict = {}

    def __call__(self) -> dict:
        """{} when there is none that can be used."""
        try:
            now = os.stat(self._path, follow_symlinks=False)
            stamp = (now.st_mtime_ns, now.st_ino, now.st_size)
            if stamp != self._stamp:
                self._found, self._stamp = _read(self._path), stamp
            return self._found
        except (OSError, ValueError, RecursionError):
            return {}


def _read(path: Path) -> dict:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = json.loads(os.read(handle, STATUS_LIMIT)) if stat.S_ISREG(os.fstat(handle).st_mode) else {}
    finally:
        os.close(handle)
    return checked(found) if isinstance(found, dict) else {}


def checked(found: Mapping) -> dict:
    """The members of a status that we use, where they have the type that we expect; {} when it is none."""
    kinds: dict[str, tuple[type, ...]] = {
        "state": (str,), "reason": (str,), "oom": (bool,), "asked": (bool,), "exit_code": (int, type(None)),
        "signal": (int,), "ready_at": (float, int), "started_at": (float, int), "port": (int,),
    }  # fmt: skip
    kept = {name: found[name] for name, types in kinds.items() if name in found and isinstance(found[name], types)}
    for name, length in (("tail", 50), ("listening_elsewhere", 20)):
        if isinstance(found.get(name), list):
            kept[name] = [str(item)[:2000] for item in found[name][:length]]
    if kept.get("state") not in ("starting", "ready", "stopping", "exited"):
        return {}
    kept["listening_elsewhere"] = [n for n in kept.get("listening_elsewhere", ()) if n.rpartition(":")[2].isdigit()]
    if not 0 < kept.get("ready_at", 1) < time.time() + 60:  # not a number is neither
        return {}
    kept["reason"] = kept.get("reason", "")[:500]
    return kept


def died(state: Mapping, status: dict, note: Note, tail: list[str]) -> dict | None:
    """A status for `hints.exited` from how the engine says that the container ended, None when it was ended from outside.
    `tail`: its last lines. The kernel's word counts more than the launcher's, and that more than an exit code."""
    words = f"killed for memory: it has {note.memory / MB:,.0f} MB"
    if status.get("state") == "exited":
        return status if status.get("oom") or not state.get("OOMKilled") or not status.get("signal") else {
            **status, "oom": True, "reason": status.get("reason") or words
        }  # fmt: skip
    if state.get("OOMKilled"):
        return {"oom": True, "reason": words, "tail": tail}
    if error := state.get("Error"):
        return {"reason": f"the container could not be started: {error[:300]}", "tail": tail}
    code = int(state.get("ExitCode") or 0)
    if note.launcher or code in (137, 143, 255):
        return None
    number = code - 128 if 128 < code < 160 else 0
    return {"exit_code": None if number else code, "signal": number, "tail": tail}


def give(directory: Path) -> None:
    """A directory that the app's user may write; the one above it is closed to others."""
    directory.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        if directory.stat().st_uid != USER:  # another runtime gave it to a user of the Space's own
            for _, folders, names, folder in os.fwalk(
                directory
            ):  # no link is followed, whatever takes a folder's place
                for name in (".", *folders, *names):
                    os.chown(name, USER, USER, dir_fd=folder, follow_symlinks=False)
        directory.chmod(0o700)
    elif os.geteuid() != USER:
        directory.chmod(0o777)
