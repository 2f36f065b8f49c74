"""An image as a file in the OCI layout, as a builder without passwords writes it: judging it and sending it on to a registry.
The file is what a stranger's build made: sizes are measured here, nothing in it is believed and nothing is unpacked."""

import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from builder import oci
from builder.backends.registry import Registry
from builder.backends.verdict import architecture
from builder.errors import TransientError
from builder.oci import Blob, Manifest

_CHUNK = 1 << 20


class Archive:
    """One image in an open archive. Raises TransientError when the file is not what a builder writes."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        try:
            data = self._bytes("index.json", oci.MANIFEST_LIMIT)
            for _ in range(3):
                if not oci.is_index(data):
                    break
                listed = oci.read(data).get("manifests") or ()
                digest = listed[0]["digest"] if len(listed) == 1 else oci.pick(data, architecture())
                data = self._bytes(_path(digest), oci.MANIFEST_LIMIT)
            self.raw, self.manifest = data, oci.manifest(data)
            self.config = oci.config(self._bytes(_path(self.manifest.config.digest), oci.CONFIG_LIMIT))
        except (KeyError, ValueError, TypeError, tarfile.TarError) as error:
            raise TransientError(f"the builder wrote no usable image: {error}") from None

    def about(self, limit: int) -> dict[str, object]:
        """The image as the engine would tell of it; `Size` is that of the unpacked layers, counted until it is over `limit`."""
        size = 0
        for layer in self.manifest.layers:
            size += self._unpacked(layer, limit - size)
            if size > limit:
                break
        return {"Config": self.config.get("config"), "Architecture": self.config.get("architecture"), "Size": size}

    def steps(self) -> list[tuple[int, str]]:
        """What each step added, packed, and its words."""
        history = self.config.get("history") if isinstance(self.config.get("history"), list) else []
        words = [str(one.get("created_by")) for one in history if isinstance(one, dict) and not one.get("empty_layer")]
        return [(layer.size, text) for layer, text in zip(self.manifest.layers, words, strict=False)]

    def send(self, registry: Registry, name: str, tag: str) -> None:
        """Put the image into a repository."""
        manifest: Manifest = self.manifest
        for blob in dict.fromkeys((*manifest.layers, manifest.config)):
            if not registry.has(name, blob.digest):
                registry.upload(name, blob.digest, blob.size, lambda blob=blob: self._chunks(blob))
        registry.put(name, tag, self.raw, manifest.media_type)

    def _unpacked(self, layer: Blob, limit: int) -> int:
        """Bytes of a layer without its compression; gzip is what builders write, of another kind the packed size counts."""
        if "gzip" not in layer.media_type:
            return layer.size
        total, chunks = 0, self._chunks(layer)
        squeezed, rest = zlib.decompressobj(zlib.MAX_WBITS | 16), b""
        while total <= limit and (rest or (rest := next(chunks, b""))):
            try:
                total += len(squeezed.decompress(rest, _CHUNK))
            except zlib.error as error:
                raise TransientError(f"the builder wrote a damaged layer: {error}") from None
            rest = squeezed.unconsumed_tail
            if squeezed.eof:
                squeezed, rest = zlib.decompressobj(zlib.MAX_WBITS | 16), squeezed.unused_data
        return total

    def _chunks(self, blob: Blob) -> Iterator[bytes]:
        member = self._tar.extractfile(_path(blob.digest))
        if member is None:
            raise TransientError("the builder wrote an image without all of its layers")
        while chunk := member.read(_CHUNK):
            yield chunk

    def _bytes(self, path: str, limit: int) -> bytes:
        member = self._tar.extractfile(path)
        data = member.read(limit + 1) if member else b""
        if len(data) > limit:
            raise ValueError(f"{path} has more than {limit} bytes")
        return data


def _path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


@contextmanager
def opened(place: Path) -> Iterator[Archive]:
    """The image in a file."""
    try:
        with tarfile.open(place, "r:") as tar:
            yield Archive(tar)
    except (OSError, tarfile.TarError) as error:
        raise TransientError(f"the builder wrote no usable image: {error}") from None
