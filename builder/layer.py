"""An app's files for an image: as a directory that a builder is given, or as one layer made straight from git. Owns the bytes of
that layer: the same files always give the same ones, so a registry that has them is sent nothing, and all runtimes find what
they have. What may be in a revision is judged before, by `source.look`."""

import hashlib
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from builder import large, source
from builder.errors import Fault, TransientError
from builder.objects import Objects
from builder.oci import Layer
from builder.source import Source
from builder.text import shown

USER = 1000  #: whom all files belong to, and whom apps run as
ROOT = "app"  #: the directory that the files are in, at the image's root
#: Servers derive ETags from a file's size and time. One fixed time for all would make browsers keep a page whose new version
#: has as many bytes, so each file's time is taken from its content: between 2020-01-01 and 2020-07-13.
EPOCH = 1_577_836_800
_LEVEL = 1  #: zlib's; models and pictures hardly shrink with more, and a push waits for it
_BLOCK = 512


@dataclass(frozen=True)
class AppFiles:
    """The files of one revision. `scratch`: a directory for what is made of them."""

    found: Source
    objects: Objects
    scratch: Path

    def context(self) -> Path:
        """A directory with the files below app/."""
        target = self.scratch / "files" / ROOT
        source.export(self.found, self.objects, target, self.scratch)
        return target.parent

    def layer(self) -> tuple[Layer, Path]:
        """The layer, and the file that it is in."""
        target = self.scratch / "layer.tar.gz"
        return write(self.found, self.objects, target), target


class _Gzip:
    """Compresses into a file and hashes both sides. The header is our own: Python's holds a time and a platform."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self._squeeze = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._plain, self._packed = hashlib.sha256(), hashlib.sha256()
        self._crc, self._length, self.size = 0, 0, 0
        self._put(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff")

    def write(self, data: bytes) -> int:
        self._plain.update(data)
        self._crc = zlib.crc32(data, self._crc)
        self._length += len(data)
        self._put(self._squeeze.compress(data))
        return len(data)

    def close(self) -> Layer:
        end = self._crc.to_bytes(4, "little") + (self._length & 0xFFFFFFFF).to_bytes(4, "little")
        self._put(self._squeeze.flush() + end)
        return Layer(f"sha256:{self._packed.hexdigest()}", f"sha256:{self._plain.hexdigest()}", self.size)

    def _put(self, data: bytes) -> None:
        self._packed.update(data)
        self._target.write(data)
        self.size += len(data)


def write(found: Source, objects: Objects, target: Path) -> Layer:
    """Write the layer into a file. Raises Fault PATH_UNSAFE when two names need the same place, WHITEOUT for names that mean
    deletion in layers, TransientError when the disk or git fails."""
    folders = _folders(found)
    try:
        with open(target, "wb") as file:
            out = _Gzip(file)
            for path in sorted({*folders, *found.files, *found.links}, key=str.encode):
                info = _entry(path, found, folders)
                out.write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
                if info.isreg():
                    size = large.copy(found.files[path], objects, out)
                    if size != info.size:
                        raise TransientError(f"git says two sizes of {shown(path)}")
                    out.write(bytes(-size % _BLOCK))
            out.write(bytes(2 * _BLOCK))
            return out.close()
    except OSError as error:
        raise TransientError(f"cannot write the app's files: {error}") from None


def _folders(found: Source) -> set[str]:
    """All directories, "" the root. Raises Fault."""
    folders = {""}
    for path in (*found.files, *found.links):
        for part in path.split("/"):
            if part.startswith(".wh."):
                raise Fault("WHITEOUT", f"{shown(path)}: names that begin with .wh. mean deletion in images; rename it")
        folders.update(_above(path))
    if both := sorted(folders & {*found.files, *found.links}):
        name = shown(both[0])
        raise Fault("PATH_UNSAFE", f"{name} is both a file and a folder in this commit; commit the folder again")
    return folders


def _above(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _entry(path: str, found: Source, folders: set[str]) -> tarfile.TarInfo:
    info = tarfile.TarInfo(f"{ROOT}/{path}" if path else ROOT)
    info.uid = info.gid = USER
    info.mtime = EPOCH
    if path in folders:
        info.type, info.mode = tarfile.DIRTYPE, 0o755
    elif path in found.links:
        info.type, info.mode, info.linkname = tarfile.SYMTYPE, 0o777, found.links[path]
    else:
        entry = found.files[path]
        info.size, info.mode = entry.size, 0o755 if entry.mode == "100755" else 0o644
        info.mtime = EPOCH + int(entry.oid[:6], 16)
    return info
