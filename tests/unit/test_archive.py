"""An image in an archive of the OCI layout: measured by what it unpacks to, sent on as it is, and never believed."""

import gzip
import io
import json
import tarfile

import pytest

from builder import oci
from builder.backends import archive
from builder.errors import TransientError

ARCH = archive.architecture()


def blob(data: bytes, kind: str, **more) -> dict:
    return {"mediaType": kind, "digest": oci.sha256(data), "size": len(data), **more}


def write(place, layers: list[bytes], entries: int = 1, **more: bytes):
    """`more`: files put over those of the layout."""
    config = {
        "architecture": ARCH,
        "os": "linux",
        "config": {"Cmd": ["x"]},
        "rootfs": {"type": "layers", "diff_ids": []},
    }
    data = json.dumps(config).encode()
    manifest = json.dumps({"schemaVersion": 2, "mediaType": oci.OCI, "config": blob(data, oci.CONFIG[oci.OCI]),
                           "layers": [blob(layer, oci.LAYER[oci.OCI]) for layer in layers]}).encode()  # fmt: skip
    platforms = [{"os": "linux", "architecture": name} for name in ("s390x", ARCH)][-entries:]
    index = {"schemaVersion": 2, "manifests": [blob(manifest, oci.OCI, platform=one) for one in platforms]}
    files = {"index.json": json.dumps(index).encode()}
    files |= {f"blobs/sha256/{oci.sha256(one)[7:]}": one for one in (data, manifest, *layers)}
    with tarfile.open(place, "w") as tar:
        for name, content in {**files, **more}.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return place


class Shelf:
    """A registry that takes everything."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.named: tuple = ()

    def has(self, name: str, digest: str) -> bool:
        return digest in self.blobs

    def upload(self, name: str, digest: str, size: int, content) -> None:
        self.blobs[digest] = b"".join(content())
        assert (oci.sha256(self.blobs[digest]), len(self.blobs[digest])) == (digest, size)

    def put(self, name: str, tag: str, data: bytes, kind: str) -> str:
        self.named = (name, tag, oci.manifest(data))
        return oci.sha256(data)


@pytest.mark.parametrize("entries", [1, 2])
def test_it_is_measured_unpacked_and_sent_as_it_is(tmp_path, entries):
    layers = [gzip.compress(bytes(5_000_000)), gzip.compress(b"a" * 100) + gzip.compress(b"b" * 100)]
    with archive.opened(write(tmp_path / "a.tar", layers, entries)) as image:
        about = image.about(1 << 30)
        assert (about["Size"], about["Architecture"], about["Config"]) == (5_000_200, ARCH, {"Cmd": ["x"]})
        shelf = Shelf()
        image.send(shelf, "app", "tag")
    name, tag, manifest = shelf.named
    assert (name, tag) == ("app", "tag")
    assert {one.digest for one in (*manifest.layers, manifest.config)} == set(shelf.blobs)


def test_counting_ends_at_the_limit(tmp_path):
    with archive.opened(write(tmp_path / "a.tar", [gzip.compress(bytes(50 << 20), 1)] * 3)) as image:
        assert 1 << 20 < image.about(1 << 20)["Size"] < 4 << 20


@pytest.mark.parametrize(
    "make",
    [
        lambda place: place.write_bytes(b"no archive"),
        lambda place: write(place, [], **{"index.json": b"{}"}),
        lambda place: write(place, [], **{"index.json": b"["}),
        lambda place: write(place, [], **{"index.json": b'{"manifests": [{"digest": "sha256:../../x"}]}'}),
        lambda place: write(place, [b"no gzip"]),
        lambda place: None,
    ],
    ids=["bytes", "empty", "json", "path", "gzip", "nothing"],
)
def test_what_is_no_image_is_ours(tmp_path, make):
    make(tmp_path / "a.tar")
    with pytest.raises(TransientError), archive.opened(tmp_path / "a.tar") as image:
        image.about(1 << 30)
