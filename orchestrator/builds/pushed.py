"""`ports.Builds` with a registry: builders push images there, by `builder/backends/pushed.py`. Owns asking whether an image is
still there, and which ones are removed. The layers of what is removed are the registry's to collect."""

import logging
import re
import shutil
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from builder import oci
from builder.backends.pushed import APP, DEPS, Note, marks, read_note, touch
from builder.backends.registry import Registry
from builder.backends.shelf import disk_bytes
from builder.backends.verdict import architecture
from builder.errors import TransientError
from builder.request import Images
from orchestrator.builds.images import ImageBuilds
from orchestrator.domain.seen import Image
from orchestrator.errors import Unavailable

log = logging.getLogger("podium.builds")
_HEX = re.compile(r"[0-9a-f]{64}")
_BELIEVED = 20.0  #: seconds
_PATIENCE = 5.0  #: seconds that somebody waits for who wants to start an app


class PushedBuilds(ImageBuilds):
    """As `ImageBuilds`; `images` names the registry."""

    def __init__(self, data: Path, images: Images, **more: object) -> None:
        super().__init__(data, images, **more)
        try:
            self.registry = Registry(
                images.registry, images.registry_config, images.registry_http, self.index.ca_bundle, _PATIENCE
            )
        except TransientError as error:
            raise Unavailable(str(error)) from None
        self._there: dict[str, float] = {}  #: digest -> until when it is taken to be there
        self._silent_until = 0.0  #: many ask for Spaces that sleep; they do not all wait for a registry that is down
        self._keeps = threading.Event()  #: the registry removes nothing

    def close(self) -> None:
        super().close()
        self.registry.close()

    def exists(self, image: Image, doubted: bool = False) -> bool:
        """See `ports.Builds.exists`. Raises Unavailable when the registry does not answer: that says nothing of the image."""
        digest = self._digest(image.reference)
        if not digest:
            return False  # made when images were kept elsewhere
        now = time.monotonic()
        with self._lock:
            if self._there.get(digest, 0.0) > now and not doubted:
                return True
            if self._silent_until > now:
                raise Unavailable(f"the registry {self.registry.place.host} did not answer a moment ago")
        try:
            there = self.registry.exists(APP, digest)
        except TransientError as error:
            self._silent_until = time.monotonic() + _PATIENCE
            raise Unavailable(str(error)) from None
        with self._lock:
            self._there = {one: until for one, until in self._there.items() if until > now}
            if there:
                self._there[digest] = now + _BELIEVED
        return there

    def _digest(self, reference: str) -> str:
        """Of an image in our repository, "" of anything else."""
        place = self.registry.place
        with suppress(ValueError):
            host, repository, digest = oci.split(reference)
            if (host, repository) == (place.host, place.repository(APP)):
                return digest
        return ""

    def check(self) -> str:
        """See `ports.Builds.check`."""
        try:
            self.registry.exists(APP, f"sha256:{0:064x}")
        except TransientError as error:
            raise Unavailable(str(error)) from None
        return self.registry.place.host

    def sizes(self) -> dict[str, int]:
        """See `ports.Builds.sizes`. Of images the layers of their own that apps have; those below them the registry knows."""
        found = {"Caches of builds": sum(disk_bytes(self.data / name) for name in ("cache", "build-tmp"))}
        try:
            return found | {"Images of apps, without what they stand on": sum(n.size for n in self._apps().values())}
        except TransientError as error:
            raise Unavailable(str(error)) from None

    def collect(self, keep: Iterable[Image], dry: bool = False) -> int:
        """See `ports.Builds.collect`. The bytes are those of the layers of their own that apps had."""
        images = list(keep)
        freed = self._collect_caches(set(), time.time() - self.grace, dry)
        if shutil.which("docker"):
            with suppress(TransientError):  # an engine that is not there holds nothing
                self._collect_images({image.reference for image in images}, dry)
        try:
            return freed + self._collect_pushed({self._digest(image.reference) for image in images}, dry)
        except TransientError as error:
            raise Unavailable(str(error)) from None

    def _collect_pushed(self, keep: set[str], dry: bool = False) -> int:
        """Apps that are not kept, then the dependencies that no app stands on any more. What a build used within `grace` stays:
        it is not saved yet. What was never noted is noted now."""
        before, freed, bases = time.time() - self.grace, 0, set()
        for digest, note in self._apps().items():
            place = self._place(digest)
            if digest in keep or _time(place) > before:
                bases.add(note.deps)
            elif dry:
                freed += note.size
            elif self._removed(APP, digest):
                self._there.pop(digest, None)
                place.unlink(missing_ok=True)
                freed += note.size
        if dry:
            return freed
        used = {base.partition(":")[2] for base in bases}
        for tag in self._tags(DEPS):
            if tag.partition("-")[2] not in used:
                self._collect_base(tag, before)
        return freed

    def _collect_base(self, tag: str, before: float) -> None:
        place = self._place(f"{DEPS}-{tag}")
        if not place.exists():
            touch(place)
        digest = self.registry.digest(DEPS, tag)
        if _time(place) < before and digest and self._removed(DEPS, digest):
            place.unlink(missing_ok=True)

    def _tags(self, name: str) -> list[str]:
        """Those of this Podium: others may keep their images in the same place."""
        return [tag for tag in self.registry.tags(name) if tag.startswith(f"{self.images.owner}-")]

    def _apps(self) -> dict[str, Note]:
        """Our apps' images in the registry by digest. It is asked only about those without a note."""
        places = [path for path in marks(self.data / "images").glob("*") if _HEX.fullmatch(path.name)]
        noted = {note.tag: (f"sha256:{path.name}", note) for path in places if (note := read_note(path))}
        found: dict[str, Note] = {}
        for tag in self._tags(APP):
            digest, note = noted.get(tag) or self._asked(tag)
            if digest:
                found[digest] = note
        return found

    def _asked(self, tag: str) -> tuple[str, Note]:
        manifest = self.registry.manifest(APP, tag, architecture())
        if manifest is None:
            return "", Note(tag, "", 0)
        deps = oci.labels_of(self.registry.config(APP, manifest)).get("podium.deps", "")
        note = Note(tag, deps, sum(layer.size for layer in manifest.layers[-1:]))
        note.write(self._place(manifest.digest))
        return manifest.digest, note

    def _place(self, name: str) -> Path:
        return marks(self.data / "images") / name.removeprefix("sha256:")

    def _removed(self, name: str, digest: str) -> bool:
        if self._keeps.is_set():
            return False
        if self.registry.delete(name, digest):
            return True
        self._keeps.set()
        log.warning(
            "the registry %s removes no images; allow deletion there, or it only grows", self.registry.place.host
        )
        return False


def _time(path: Path) -> float:
    """When it was last used; now when it just vanished."""
    try:
        return path.stat().st_mtime
    except OSError:
        return time.time()
