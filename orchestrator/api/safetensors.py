"""What the safetensors files of a repo hold, from their headers alone: a few bytes of files of many GB (huggingface_hub
`get_sharded_safetensors_metadata`, and `expand=safetensors`). Owns how much is read; the format is `domain/safetensors.py`'s."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Query, Response

from orchestrator.api.files import REPO, FilePath, inside
from orchestrator.api.identity import PartsDep
from orchestrator.api.params import OpenRepoDep
from orchestrator.api.parts import Parts
from orchestrator.api.ranges import bytes_between
from orchestrator.domain.records import AnyRepo
from orchestrator.domain.safetensors import INDEX, LENGTH, SINGLE, Json, length_of, parameters_of, shards_of
from orchestrator.domain.tree import TreeEntry
from orchestrator.errors import CallerError, NotFound, TooLarge

router = APIRouter(tags=["files"])
_ALL = 50_000_000  #: bytes of all headers of one answer
_FEW = 4_000_000  #: the same where somebody only wants to know how many parameters there are
_SHARDS = 1000
_INDEX = 25_000_000  #: bytes of an index
_one_at_a_time = threading.Lock()  #: a header takes ten times its size in memory while it is looked at


@router.get(REPO + "/safetensors-metadata/{path:path}")
def metadata(
    space: OpenRepoDep,
    parts: PartsDep,
    path: FilePath,
    revision: Annotated[str, Query(max_length=500)] = "main",
):
    """The header of a safetensors file, or those of all files that an index names, and how many parameters they hold."""
    files = _Files(parts, space, parts.repos.resolve(space.id, revision), _ALL)
    counted: Counter[str] = Counter()
    if path.endswith(".json"):
        index, _ = shards_of(files.index(path))
        headers = [_text(shard) + b":" + header for shard, header in files.named(path, counted)]
        told = b'"sharded":true,"index":' + _text(index) + b',"headers":{' + b",".join(headers) + b"}"
    else:
        told = b'"sharded":false,"header":' + files.header(path, counted)
    body = b"{" + told + b',"parameterCount":' + _text(counted) + b"}"
    return Response(body, media_type="application/json", headers={"X-Repo-Commit": files.commit})


def weights(parts: Parts, repo: AnyRepo, commit: str) -> Json | None:
    """How many parameters of each type a model has, as the Hub tells it; None when its files do not say."""
    files = _Files(parts, repo, commit, _FEW)
    for path in (SINGLE, INDEX):
        counted: Counter[str] = Counter()
        with suppress(CallerError):
            if path == SINGLE:
                files.header(path, counted)
            else:
                for _ in files.named(path, counted):
                    pass
            return {"parameters": dict(counted), "total": counted.total()}
    return None


def _text(told: object) -> bytes:
    return json.dumps(told, separators=(",", ":")).encode()


class _Files:
    """Files of a revision. Raises NotFound `EntryNotFound`, Invalid `SAFETENSORS`, and TooLarge once more than `budget` bytes
    of headers were read."""

    def __init__(self, parts: Parts, repo: AnyRepo, commit: str, budget: int) -> None:
        self._parts, self._repo, self.commit, self._left = parts, repo, commit, budget

    def header(self, path: str, counted: Counter[str]) -> bytes:
        """A file's header, looked at but as it is; its parameters are counted."""
        entry, size = self._entry(path)
        length = length_of(self._bytes(entry, 0, LENGTH), size)
        self._left -= length
        if self._left < 0:
            raise TooLarge("SAFETENSORS_TOO_LARGE", "the headers are too long to be told at once; read them one by one")
        text = self._bytes(entry, LENGTH, LENGTH + length)
        with _one_at_a_time:
            counted.update(parameters_of(text, size - LENGTH - length))
        return text

    def named(self, path: str, counted: Counter[str]) -> Iterator[tuple[str, bytes]]:
        """The headers of the files that an index names; they lie beside it."""
        _, shards = shards_of(self.index(path))
        if len(shards) > _SHARDS:
            raise TooLarge("SAFETENSORS_TOO_LARGE", f"the index names {len(shards)} files, at most {_SHARDS} are read")
        folder = path.rpartition("/")[0]
        for shard in shards:
            yield shard, self.header(f"{folder}/{shard}" if folder else shard, counted)

    def index(self, path: str) -> bytes:
        entry, size = self._entry(path)
        if size > _INDEX:
            raise TooLarge("SAFETENSORS_TOO_LARGE", f"the index has {size} bytes, at most {_INDEX} are read")
        return self._bytes(entry, 0, size)

    def _entry(self, path: str) -> tuple[TreeEntry, int]:
        entry = self._parts.repos.entry(self._repo.id, self.commit, inside(path))
        if entry.type != "file":
            raise NotFound("EntryNotFound", f"There is no file {ascii(path[:200])} at {self.commit[:12]}.")
        entry = self._parts.large.seen(self._repo.id, [entry])[0]
        return entry, entry.large.size if entry.large else entry.size

    def _bytes(self, entry: TreeEntry, start: int, end: int) -> bytes:
        if entry.large:
            return b"".join(self._parts.large.read(self._repo.id, entry.large.oid, start, end))
        return b"".join(bytes_between(self._parts.repos.blob(self._repo.id, entry.oid), start, end))
