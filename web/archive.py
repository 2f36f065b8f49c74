"""A zip of files as the changes of a commit. Reads a stranger's archive: what it claims about itself is not believed."""

import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

from orchestrator.errors import Invalid, TooLarge
from orchestrator.ports import Change

FILES = 5000  #: in one archive
_LIST = (
    4 * 1024**2
)  #: bytes of an archive's list of what is in it, which is read whole: with names, of far more than FILES
_WAYS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  #: others take as much memory as the archive says
_LEFT_OUT = ("__MACOSX/", ".git/")
_NAMES_LEFT_OUT = (".DS_Store", "Thumbs.db")


def changes(file: IO[bytes], file_limit: int, total_limit: int) -> list[Change]:
    """The files in a zip; a folder that holds all of them is taken off. Limits in bytes, of what comes out. Raises Invalid
    `ZIP`, TooLarge `ZIP_SIZE`, `FILE_TOO_LARGE`."""
    try:
        opened = _Listed(file)
        with zipfile.ZipFile(opened) as archive:
            opened.most = 0
            infos = [info for info in archive.infolist() if _wanted(info)]
            if len(infos) > FILES:
                raise TooLarge("ZIP_SIZE", f"The zip holds {len(infos)} files; at most {FILES} can be sent at once.")
            if not infos:
                raise Invalid("ZIP", "The zip holds no file.")
            top = _top([info.filename for info in infos])
            return list(_read(archive, infos, top, file_limit, total_limit))
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, zlib.error, ValueError, RuntimeError):
        raise Invalid("ZIP", "This is not a zip that can be read; encrypted ones cannot.") from None


class _Listed:
    """A file of which at most `most` bytes are read at once; 0: as many as are asked for. How long its list is an archive says
    itself, and a list of a gigabyte makes ten of memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.most = file, _LIST

    def read(self, size: int = -1) -> bytes:
        if self.most and size > self.most:
            raise TooLarge("ZIP_SIZE", f"The zip lists too many files; at most {FILES} can be sent at once.")
        return self._file.read(self.most if self.most and size < 0 else size)

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


def _wanted(info: zipfile.ZipInfo) -> bool:
    name = info.filename.replace("\\", "/")
    return not (
        info.is_dir()
        or any(part in f"/{name}" for part in ("/" + out for out in _LEFT_OUT))
        or name.rpartition("/")[2] in _NAMES_LEFT_OUT
    )


def _top(names: list[str]) -> str:
    first = names[0].partition("/")[0] + "/"
    return first if all(name.startswith(first) for name in names) else ""


def _read(
    archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo], top: str, file_limit: int, total_limit: int
) -> Iterator[Change]:
    total = 0
    for info in infos:
        if info.compress_type not in _WAYS:
            raise Invalid(
                "ZIP", f"{ascii(info.filename[:100])} is compressed in an unusual way; use plain zip (deflate)."
            )
        with archive.open(info) as inside:
            content = inside.read(file_limit + 1)
        total += len(content)
        if len(content) > file_limit:
            raise TooLarge(
                "FILE_TOO_LARGE",
                f"{ascii(info.filename[:100])} is larger than {file_limit // 1024**2} MB; push it with git instead.",
            )
        if total > total_limit:
            raise TooLarge("ZIP_SIZE", f"The zip unfolds to more than {total_limit // 1024**2} MB; push it with git.")
        yield Change(info.filename.removeprefix(top), content)
