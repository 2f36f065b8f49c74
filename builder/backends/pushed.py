"""A Plan becomes an image in a registry. What is below an app is built once and pushed; the app itself is one layer, put on top
through the registry's HTTP API: no builder, no Docker engine, and nothing of the author's is run. Owns what a registry makes
different from `buildkit.py`; the requests are `registry.py`'s, the bytes `oci.py`'s and `layer.py`'s.

    <registry>/podium-runtime:<owner>-<hash of the base's name and the launcher>    its labels tell of its Python
    <registry>/podium-deps:<owner>-<hash of that, lock, packages>
    <registry>/podium-app@<digest>                                                  tagged <owner>-<hash of all that is in it>"""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from builder import oci
from builder.backends import archive, engine, verdict
from builder.backends.buildkit import ImageMaker
from builder.backends.registry import Registry
from builder.backends.session import Missing
from builder.config import Config
from builder.errors import Fault, TransientError
from builder.layer import AppFiles
from builder.oci import Layer, Manifest
from builder.phases import BASE, PUSH

APP, DEPS, RUNTIME = "podium-app", "podium-deps", "podium-runtime"
_FACTS = ("python", "machine", "libc")
_WORDS = "the app's files"  #: in an image's history
_ASK = """FROM {base} AS look
USER 0:0
RUN python3 -I -S -c "{code}" > /facts.json
FROM scratch
COPY --from=look /facts.json /
"""
_PUSHES = (0.5, 2.0, 5.0, 10.0)  #: seconds between tries
_REFUSED = ("denied", "unauthorized", "no basic auth", "not permitted")


class PushedMaker(ImageMaker):
    """Makes the images of one build. Raises Fault and TransientError."""

    def __init__(self, *words) -> None:
        super().__init__(*words)
        told = self.images
        bundle = self.request.index.ca_bundle
        self.registry = Registry(told.registry, told.registry_config, told.registry_http, bundle)
        self._read: dict[str, tuple[Manifest, dict]] = {}
        self._stale: set[str] = set()
        self._config = Config()

    def close(self) -> None:
        self.registry.close()

    # ------------------------------------------------------------------------------------------------------ looking

    def named(self, tag: str) -> str:
        name, word = self._split(tag)
        return self.registry.place.tagged(name, word)

    def _split(self, tag: str) -> tuple[str, str]:
        name, _, word = tag.partition(":")
        return name, f"{self.images.owner}-{word}"

    def find(self, tag: str) -> dict | None:
        name, word = self._split(tag)
        found = None if tag in self._stale else self.registry.manifest(name, word, verdict.architecture())
        if found is None or not found.layers or name == APP and not self._is_whole(found):
            return None
        try:
            config = self.registry.config(name, found)
        except Missing:
            return None
        self._read[tag] = found, config
        reference = self.registry.place.reference(name, found.digest)
        if name == APP:
            self._mark(found.digest, word, oci.labels_of(config).get("podium.deps", ""), found.layers[-1].size)
        elif name == DEPS:
            touch(marks(self.shelf) / f"{DEPS}-{word}")
        return {
            "Id": reference, "Config": config.get("config"), "Architecture": config.get("architecture"), "Size": found.size,
        }  # fmt: skip

    def _is_whole(self, found: Manifest) -> bool:
        with ThreadPoolExecutor(6) as pool:
            return all(pool.map(lambda layer: self.registry.has(APP, layer.digest), found.layers))

    # ------------------------------------------------------------------------------------------------- what is below

    def runtime(self, config: Config) -> tuple[str, engine.Base]:
        """As `ImageMaker.runtime`. The facts are kept as labels, so only the first build asks the base image itself."""
        self._config = config
        name = self.base_name()
        tag = f"{RUNTIME}:{self.runtime_hash(name)}"
        about = self.find(tag)
        if about is None:
            with self._exclusive(tag.replace(":", "-")):
                about = self.find(tag)
                if about is None:
                    self._make_runtime(name, tag, self._ask_base(name))
                    about = self.find(tag) or {}
        told = engine.labels_of(about)
        base = engine.Base(name, tag, *(told.get(f"podium.{fact}", "") for fact in _FACTS))
        self.check_python(base.python, config)
        return tag, base

    def _ask_base(self, name: str) -> dict[str, str]:
        """What Python is in the admin's base image; works with any builder. Raises TransientError: the setting is wrong."""
        self.phases.begin(BASE)
        place = self.work / "facts"
        place.mkdir(exist_ok=True)
        text = _ASK.format(base=name, code=engine.ASK)
        output = ["--output", f"type=local,dest={place}"]
        try:
            self._build(place, text, "facts", "preparing the base image", lambda step: "", output=output)
            told = json.loads((place / "facts.json").read_text())
            return dict(zip(_FACTS, map(str, told), strict=True))
        except (OSError, ValueError):
            raise TransientError(f"the base image {name} has no working python3; see PODIUM_BASE_IMAGE") from None
        except (Fault, TransientError) as error:
            raise TransientError(f"the base image {name} cannot be used ({error}); see PODIUM_BASE_IMAGE") from None

    def _output(self, tag: str, answer: Path, foreign: bool) -> list[str]:
        if self._is_engine():
            return ["--load", "-t", self.named(tag), "--iidfile", str(answer)]
        if foreign:
            return ["--output", f"type=oci,dest={self._archive()}"]
        insecure = ",registry.insecure=true" if self.images.registry_http else ""
        return ["--output", f"type=image,name={self.named(tag)},push=true{insecure}"]

    def _is_engine(self) -> bool:
        """Whether the builder is the Docker engine's own, which leaves images there and not in the registry."""
        return self._inspect("driver") in ("", "docker")

    def _archive(self) -> Path:
        return self.work / "image.tar"

    def publish(self, tag: str) -> None:
        """Push what the engine has, unless the builder did. The image is in the registry on return."""
        self._stale.discard(tag)
        if self._is_engine():
            self._push(self.named(tag))
        if self.find(tag) is None:
            raise TransientError(f"the registry does not have {self.named(tag)}, which was just sent there")

    def _push(self, name: str) -> None:
        self.phases.begin(PUSH)
        self.say("--> Sending the image to the registry")
        env = self._env(trusted=True)
        for pause in (*_PUSHES, None):
            outcome = self._docker(["docker", "push", "-q", name], lambda line: None, env)
            if outcome.reason:
                raise verdict.limit(outcome.reason, "sending the image", self.request.bounds)
            if not outcome.code:
                return
            why = (outcome.output.strip().splitlines() or ["no reason given"])[-1][:300]
            refused = any(word in why.lower() for word in _REFUSED)
            if pause is None or refused or time.monotonic() + pause > self.deadline:
                hint = "; see PODIUM_REGISTRY_CONFIG" if refused else ""
                raise TransientError(f"the image cannot be sent to the registry ({why}){hint}")
            time.sleep(pause)

    # ------------------------------------------------------------------------------------------------------ the app

    def _put_on(self, files: AppFiles, base: str, tag: str) -> str:
        layer, place = files.layer()
        self.say(f"--> The app's files: one layer of {layer.size / 1024:,.0f} KB")
        try:
            return self._append(layer, place, base, tag)
        except Missing as missing:
            self.say(f"--> {missing}; it is built again")
        self._stale = set(self._read)
        self._read.clear()
        return self._append(layer, place, self.plan_base(self._config), tag)

    def _append(self, layer: Layer, place: Path, base: str, tag: str) -> str:
        """Put the layer on an image of ours. Raises Missing when the registry lacks a part of that image."""
        self.phases.begin(PUSH)
        registry, (source, word) = self.registry, self._split(tag)
        below = base.partition(":")[0]
        found, told = self._read[base]
        labels = self._labels("app", deps=base)
        try:
            config, manifest = oci.put_on(found, told, layer, labels, _WORDS)
        except ValueError as error:
            raise Missing(f"the image {base} cannot be used: {error}") from None
        with ThreadPoolExecutor(8) as pool:
            sent = [pool.submit(registry.upload_file, source, layer.digest, layer.size, place)]
            sent += [pool.submit(registry.upload_bytes, source, config)]
            digests = dict.fromkeys(one.digest for one in found.layers)
            sent += [pool.submit(registry.ensure, source, one, below) for one in digests]
            for one in sent:
                one.result()
        digest = registry.put(source, word, manifest, found.media_type)
        self._mark(digest, word, base, layer.size)
        return registry.place.reference(source, digest)

    def _checked(self, image_id: str, tag: str, name: str) -> str:
        if self._is_engine():
            about = engine.image(image_id) or {}
            verdict.check_image(about, self.images.limit, name, lambda: engine.steps(image_id))
            self.publish(tag)
        else:
            self.phases.begin(PUSH)
            with archive.opened(self._archive()) as image:
                verdict.check_image(image.about(self.images.limit), self.images.limit, name, image.steps)
                image.send(self.registry, *self._split(tag))
        about = self.find(tag)
        if about is None:
            raise TransientError(f"the registry does not have {self.named(tag)}, which was just sent there")
        return about["Id"]

    # --------------------------------------------------------------------------------------------------------- notes

    def _mark(self, digest: str, word: str, deps: str, size: int) -> None:
        """Note that an app's image is in use now, and what it stands on."""
        note = Note(word, deps, size)
        note.write(marks(self.shelf) / digest.removeprefix("sha256:"))


@dataclass(frozen=True, slots=True)
class Note:
    """What whoever collects images wants to know of one: its tag, the tag of what it stands on, bytes of its own."""

    tag: str
    deps: str
    size: int

    def write(self, place: Path) -> None:
        with suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            fresh = place.with_name(f".{place.name}.{time.monotonic_ns()}")
            fresh.write_text(json.dumps(asdict(self)))
            fresh.rename(place)


def read_note(place: Path) -> Note | None:
    """None when there is none that can be used."""
    try:
        told = json.loads(place.read_text())
        return Note(str(told["tag"]), str(told["deps"]), int(told["size"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def touch(place: Path) -> None:
    """Note that something is in use now."""
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()


def marks(shelf: Path) -> Path:
    """The directory of notes: named by the digests of apps' images and the tags of others; their times are of the last use."""
    return shelf / "pushed"
