"""Settings -> what is measured of the storage, and which parts are asked how they are: a part of `wiring.py`."""

import os
import shutil
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import Unavailable
from orchestrator.services.health import Check
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from orchestrator.ports import Bell, Builds, Runtime
    from orchestrator.ports_objects import Objects

_NO_OBJECT = f"{0:064x}.{0:08x}"  #: a place where nothing is: whoever says so answers
SCARCE = 0.1  #: of the disk
_GB = 1024**3


def name_of(settings: Settings) -> str:
    """What a control plane calls itself; of several on one machine each has its own PODIUM_RUN."""
    machine = socket.gethostname()[:60]
    return f"{machine} {Path(settings.run).name[:20]}" if settings.run else machine


def measures(settings: Settings, data: Path, builds: "Builds") -> Callable[[], Mapping[str, int | None]]:
    """What there is beside repos, large files and volumes."""

    def found() -> dict[str, int | None]:
        try:
            told: dict[str, int | None] = dict(builds.sizes())
        except Unavailable:
            told = {"Images": None}
        told |= {"Logs": taken(data / "logs"), "Uploads on their way": taken(data / "xet") + taken(data / "tmp")}
        told |= {"Attachments of discussions": taken(data / "uploads")}
        if not settings.database_url:
            told["Database"] = sum(path.stat().st_size for path in data.glob("podium.db*"))
        return told

    return found


def volume(settings: Settings, data: Path) -> Callable[[str], int | None]:
    """Bytes of a Space's /data; a cluster's volumes are not within our sight."""
    if settings.runtime == "kubernetes":
        return lambda space_id: None
    return lambda space_id: taken(data / "volumes" / space_id)


def taken(path: Path) -> int:
    """Bytes of disk below a directory; a file with several names counts once. What an app changes meanwhile is left out."""
    total, seen = 0, set()
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                about = os.lstat(os.path.join(folder, name))
            except OSError:
                continue
            if about.st_nlink > 1:
                if (about.st_dev, about.st_ino) in seen:
                    continue
                seen.add((about.st_dev, about.st_ino))
            total += about.st_blocks * 512
    return total


def checks(
    settings: Settings, data: Path, running: "Runtime", builds: "Builds", objects: "Objects", bell: "Bell"
) -> tuple[Check, ...]:
    """The parts that this installation has."""

    def runtime() -> str:
        running.check()
        return {"process": "processes of this machine", "docker": "the Docker engine answers"}.get(
            settings.runtime, "the cluster answers"
        )

    def machines() -> str:
        nodes = running.capacity()
        if down := [f"{node.name}: {node.trouble or 'not ready'}" for node in nodes if not node.ready]:
            raise Unavailable("; ".join(down))
        return f"{len(nodes)} ready" if nodes else "what they have cannot be told now"

    def storage() -> str:
        objects.size(_NO_OBJECT)
        return f"bucket {settings.s3_bucket} answers"

    found = [
        Check("Apps' runtime", runtime, "Apps that run are served on; none starts until it answers again."),
        Check("Machines", machines, "Look at what the machine says of itself: kubectl describe node NAME."),
        Check("Disk", lambda: _disk(data), "Collect what is not needed (Admin, Storage), or give it a larger disk."),
    ]
    if settings.s3_bucket:
        found.append(Check("Object storage", storage, "Look at PODIUM_S3_…, the bucket's rights and the way to it."))
    if settings.registry:
        found.append(
            Check(
                "Registry",
                lambda: f"{builds.check()} answers",
                "Apps run on and wake where their image is; builds wait. Look at the registry and PODIUM_REGISTRY_….",
            )
        )
    if settings.redis_url:
        advice = "News takes some seconds instead of milliseconds, nothing is lost. Look at Redis and the way to it."
        found.append(Check("Redis", bell.check, advice))
    return tuple(found)


def _disk(data: Path) -> str:
    """Raises Unavailable when little is left."""
    disk = shutil.disk_usage(data)
    words = f"{disk.free / _GB:,.1f} of {disk.total / _GB:,.1f} GB free"
    if disk.free < SCARCE * disk.total:
        raise Unavailable(words)
    return words
