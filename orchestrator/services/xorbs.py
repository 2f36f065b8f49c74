"""The xorbs that a shard names, while it is read: where the chunks of each are. Owns how much is remembered of that, and how much
work one shard may make: a shard of some MB can name the same chunks a million times."""

from pathlib import Path
from typing import BinaryIO

from orchestrator.domain.xet import Chunk, File, chunks_of, wanted
from orchestrator.errors import Invalid

SWELLS = 16  #: times; clients send what packs better only of files that are nearly empty
KEPT = 256 * 1024  #: chunks whose places are remembered
WORK = 16 * 1024**2  #: chunks that are looked at for one shard; 50 GB have about a million


class Layouts:
    """`folder`: where the xorbs are, by their names."""

    def __init__(self, folder: Path, work: int = WORK) -> None:
        self._folder, self._left = folder, work
        self._known: dict[str, list[Chunk]] = {}  # the one that was asked for last is the last
        self._held = 0

    def check(self, file: File) -> None:
        """Raises Invalid `SHARD` when a file cannot be made of what is here."""
        for term in file.terms:
            self._spend(term.end - term.start)
            wanted(self.of(term.xorb), term)

    def swells(self, file: File) -> bool:
        """Whether a file is so much larger than what was sent for it that it had better be looked at before it fills a disk."""
        sent = sum((self._folder / name).stat().st_size for name in {term.xorb for term in file.terms})
        return file.size > SWELLS * sent

    def open(self, name: str) -> BinaryIO:
        try:
            return open(self._folder / name, "rb")
        except FileNotFoundError:
            message = f"this shard names the xorb {name[:16]}, which was not sent here; upload the file again"
            raise Invalid("SHARD", message) from None

    def of(self, name: str) -> list[Chunk]:
        """The chunks of a xorb. Raises Invalid `SHARD`, `XORB`."""
        found = self._known.pop(name, None)
        if found is None:
            with self.open(name) as packed:
                found = chunks_of(packed, packed.seek(0, 2))
            self._spend(len(found))
            self._held += len(found)
        self._known[name] = found
        while self._held > KEPT and len(self._known) > 1:
            self._held -= len(self._known.pop(next(iter(self._known))))
        return found

    def _spend(self, chunks: int) -> None:
        self._left -= chunks
        if self._left < 0:
            raise Invalid("SHARD", "this shard names chunks too often; upload fewer files at once")
