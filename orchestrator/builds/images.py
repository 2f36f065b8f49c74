"""`ports.Builds` where apps run in containers: the same builder subprocesses as `local.py`, which make images with BuildKit. Owns
what is told to them about images, and which images are kept."""

import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from builder.backends import engine
from builder.backends.shelf import disk_bytes
from builder.errors import TransientError
from builder.request import Images, Request
from orchestrator.builds.local import LocalBuilds
from orchestrator.domain.seen import Image
from orchestrator.errors import Unavailable
from orchestrator.ports import BuildOrder


class ImageBuilds(LocalBuilds):
    """`images`: how images are made; the rest as `LocalBuilds`."""

    def __init__(self, data: Path, images: Images, **more: object) -> None:
        super().__init__(data, **more)
        self.images = images

    def _request(self, order: BuildOrder) -> Request:
        told = super()._request(order)
        variables, secrets = dict(order.variables), dict(order.secrets)
        return replace(told, images=self.images, docker=True, variables=variables, secrets=secrets)

    def exists(self, image: Image, doubted: bool = False) -> bool:
        """See `ports.Builds.exists`. Raises Unavailable when the engine does not answer: that says nothing of the image."""
        if not image.reference:
            return False  # made when apps ran as processes
        try:
            return engine.image(image.reference) is not None
        except TransientError as error:
            raise Unavailable(str(error)) from None

    def collect(self, keep: Iterable[Image], dry: bool = False) -> int:
        """See `ports.Builds.collect`. The engine shares layers, so the bytes are those of the names that go."""
        images = list(keep)
        freed = self._collect_caches(set(), time.time() - self.grace, dry)
        try:
            return freed + self._collect_images({image.reference for image in images}, dry)
        except TransientError as error:
            raise Unavailable(str(error)) from None

    def sizes(self) -> dict[str, int]:
        """See `ports.Builds.sizes`. Images share layers: those of dependencies, which are most of it, are counted once."""
        found = {"Caches of builds": sum(disk_bytes(self.data / name) for name in ("cache", "build-tmp"))}
        try:
            deps = engine.images(self.images.owner, "podium.kind=deps")
            by_name = {name: about.get("Size", 0) for about in deps for name in about.get("RepoTags") or ()}
            apps = sum(
                max(0, about.get("Size", 0) - by_name.get(engine.labels_of(about).get("podium.deps", ""), 0))
                for about in engine.images(self.images.owner, "podium.kind=app")
            )
        except TransientError as error:
            raise Unavailable(str(error)) from None
        return found | {"Images of apps": apps, "Images of dependencies": sum(about.get("Size", 0) for about in deps)}

    def _collect_images(self, keep: set[str], dry: bool = False) -> int:
        """Apps that are not kept, then what no app stands on any more."""
        before, freed, bases = time.time() - self.grace, 0, set()
        apps = engine.images(self.images.owner, "podium.kind=app")
        for about in apps:
            if keep & {about["Id"], *(about.get("RepoDigests") or ())} or _made(about) > before:
                bases.add(engine.labels_of(about).get("podium.deps", ""))
            else:
                freed += about.get("Size", 0) if dry else _removed(about)
        for about in engine.images(self.images.owner, "podium.kind=deps"):
            if not bases & set(about.get("RepoTags") or ()) and _made(about) < before:
                freed += about.get("Size", 0) if dry else _removed(about)
        return freed


def _removed(about: dict) -> int:
    """Take all names of an image away; the engine keeps it while a container uses it."""
    gone = [engine.remove(name) for name in about.get("RepoTags") or (about["Id"],)]
    return about.get("Size", 0) if any(gone) else 0


def _made(about: dict) -> float:
    """Epoch seconds of when it was built or last named."""
    tagged = (about.get("Metadata") or {}).get("LastTagTime") or ""
    times = [_epoch(text) for text in (about.get("Created", ""), tagged)]
    return max(times)


def _epoch(text: str) -> float:
    try:
        return datetime.fromisoformat(text[:19] + "+00:00").timestamp()
    except ValueError:
        return 0.0
