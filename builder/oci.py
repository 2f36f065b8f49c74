"""Images as a registry keeps them: the names of things there, manifests, configurations, and one layer put on top. Pure, no
network; the same input always gives the same bytes. Sources: the OCI image and distribution specifications 1.1, and Docker's
image manifest version 2, schema 2. Functions raise ValueError for what they cannot use."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

OCI = "application/vnd.oci.image.manifest.v1+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
#: What a gzip layer and a configuration are called, by the kind of manifest that lists them.
LAYER = {
    OCI: "application/vnd.oci.image.layer.v1.tar+gzip",
    DOCKER: "application/vnd.docker.image.rootfs.diff.tar.gzip",
}
CONFIG = {OCI: "application/vnd.oci.image.config.v1+json", DOCKER: "application/vnd.docker.container.image.v1+json"}
MANIFEST_LIMIT = 4 << 20  #: bytes, what registries accept
CONFIG_LIMIT = 8 << 20  #: bytes of a configuration that are read
LAYERS = 127  #: more than overlay file systems stack
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NAME = re.compile(
    r"(?P<host>\[[0-9a-f:]+\]|[a-zA-Z0-9.-]+)(?P<port>:\d{1,5})?(?P<path>(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*)"
)
#: Of a configuration: what an engine wrote for itself, or what is said anew.
_DROPPED = (
    "container",
    "container_config",
    "docker_version",
    "id",
    "parent",
    "throwaway",
    "moby.buildkit.buildinfo.v1",
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a registry: its host with port, and what all repositories begin with ("" or `team/podium`)."""

    host: str
    path: str

    def repository(self, name: str) -> str:
        return f"{self.path}/{name}" if self.path else name

    def reference(self, name: str, digest: str) -> str:
        return f"{self.host}/{self.repository(name)}@{digest}"

    def tagged(self, name: str, tag: str) -> str:
        return f"{self.host}/{self.repository(name)}:{tag}"

    @property
    def is_loopback(self) -> bool:
        """Whether plain HTTP never leaves this machine."""
        bare = self.host.rpartition(":")[0] if re.search(r":\d+$", self.host) else self.host
        return bool(re.fullmatch(r"localhost|127(\.\d{1,3}){3}|\[::1\]", bare))


@dataclass(frozen=True, slots=True)
class Blob:
    """What a manifest says of a thing: `size` in bytes."""

    digest: str
    size: int
    media_type: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """An image's: `media_type` OCI or DOCKER, `digest` that of its bytes, `layers` from the base up."""

    digest: str
    media_type: str
    config: Blob
    layers: tuple[Blob, ...]

    @property
    def size(self) -> int:
        """Bytes of what is stored: layers are compressed."""
        return self.config.size + sum(layer.size for layer in self.layers)


@dataclass(frozen=True, slots=True)
class Layer:
    """A gzip layer: `digest` of its bytes, `diff_id` of the tar in it, `size` of its bytes."""

    digest: str
    diff_id: str
    size: int


def place(text: str) -> Place:
    """`HOST[:PORT][/PATH]`, the host with a dot or a port unless it is localhost, as everywhere."""
    match = _NAME.fullmatch(text)
    if not match or not (match["port"] or "." in match["host"] or match["host"] in ("localhost", "[::1]")):
        raise ValueError(f"{text!r} is no place in a registry; write HOST[:PORT]/PATH, the path in lower case")
    return Place(match["host"].lower() + (match["port"] or ""), match["path"].lstrip("/"))


def split(reference: str) -> tuple[str, str, str]:
    """`host/repository@sha256:…` as host, repository and digest."""
    name, _, digest = reference.partition("@")
    host, _, repository = name.partition("/")
    if not repository or not _DIGEST.fullmatch(digest):
        raise ValueError(f"{reference!r} is no image by digest")
    return host, repository, digest


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def manifest(data: bytes) -> Manifest:
    """The manifest of one image."""
    told = read(data)
    kind = told.get("mediaType") or OCI
    if kind not in LAYER or not isinstance(told.get("layers"), list):
        raise ValueError(f"a manifest of kind {str(kind)[:80]!r} is not that of an image")
    if len(told["layers"]) >= LAYERS:
        raise ValueError(f"the image has {len(told['layers'])} layers; at most {LAYERS - 1} can be used")
    return Manifest(sha256(data), kind, _blob(told.get("config")), tuple(map(_blob, told["layers"])))


def pick(data: bytes, architecture: str) -> str:
    """The digest of the image for Linux on `architecture` (amd64, arm64) in an index of images."""
    told = read(data)
    listed = told.get("manifests")
    for entry in listed if isinstance(listed, list) else ():
        platform = entry.get("platform") or {} if isinstance(entry, dict) else {}
        if platform.get("os") == "linux" and platform.get("architecture") == architecture:
            return _blob(entry).digest
    raise ValueError(f"the index has no image for linux/{architecture}")


def is_index(data: bytes) -> bool:
    told = read(data)
    return told.get("mediaType") in INDEXES or "manifests" in told


def config(data: bytes) -> dict:
    """An image's configuration. Only what is used here is judged."""
    told = read(data)
    rootfs = told.get("rootfs")
    if not isinstance(rootfs, dict) or not isinstance(rootfs.get("diff_ids"), list):
        raise ValueError("the configuration lists no layers")
    if not isinstance(told.get("config") or {}, dict) or not isinstance(labels_of(told), dict):
        raise ValueError("the configuration has settings of a wrong kind")
    return told


def labels_of(told: Mapping) -> dict[str, str]:
    """The labels in a configuration."""
    return (told.get("config") or {}).get("Labels") or {}


def put_on(base: Manifest, told: Mapping, layer: Layer, labels: Mapping[str, str], words: str) -> tuple[bytes, bytes]:
    """One layer on top of an image: the new configuration and the new manifest. User, command and directory stay the base's;
    `labels` are added to its own; `words` go into the history."""
    rootfs = {**told["rootfs"], "diff_ids": [*told["rootfs"]["diff_ids"], layer.diff_id]}
    if len(rootfs["diff_ids"]) != len(base.layers) + 1:
        raise ValueError("the manifest and the configuration do not list the same layers")
    settings = {**(told.get("config") or {}), "Labels": {**labels_of(told), **labels}}
    # No time of its own: the same files on the same base are the same image, whoever makes it.
    history = [*(told.get("history") or ()), {"created": told.get("created") or _EPOCH, "created_by": words}]
    kept = {name: value for name, value in told.items() if name not in _DROPPED}
    new_config = _json({**kept, "config": settings, "history": history, "rootfs": rootfs})
    blob = Blob(sha256(new_config), len(new_config), CONFIG[base.media_type])
    layers = (*base.layers, Blob(layer.digest, layer.size, LAYER[base.media_type]))
    return new_config, described(base.media_type, blob, layers)


def described(kind: str, config_blob: Blob, layers: tuple[Blob, ...]) -> bytes:
    """The bytes of a manifest."""
    return _json(
        {
            "schemaVersion": 2,
            "mediaType": kind,
            "config": _members(config_blob),
            "layers": [_members(layer) for layer in layers],
        }
    )


_EPOCH = "1970-01-01T00:00:00Z"


def _members(blob: Blob) -> dict[str, object]:
    return {"mediaType": blob.media_type, "size": blob.size, "digest": blob.digest}


def _blob(told: object) -> Blob:
    if not isinstance(told, dict):
        raise ValueError("a descriptor is no object")
    digest, size = told.get("digest"), told.get("size")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise ValueError(f"{str(digest)[:80]!r} is no SHA-256 digest")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ValueError(f"{str(size)[:40]!r} is no size")
    return Blob(digest, size, str(told.get("mediaType") or ""))


def read(data: bytes) -> dict:
    """A JSON object."""
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("it is no JSON") from None
    if not isinstance(told, dict):
        raise ValueError("it is no JSON object")
    return told


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
