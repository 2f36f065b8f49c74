"""The header of a safetensors file (huggingface/safetensors, README "Format"): eight bytes with its length, then JSON that names
each tensor with its type, its shape and where its bytes are. Strangers wrote it, so everything in it is looked at. Pure."""

import json
import math
from collections import Counter

from orchestrator.errors import Invalid

Json = dict[str, object]
SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
LENGTH = 8  #: bytes before the header
LIMIT = 25_000_000  #: bytes of a header; the Hub's clients read no longer one
_METADATA = "__metadata__"


def length_of(begin: bytes, size: int) -> int:
    """Bytes of the header of a file of `size` bytes that begins so. Raises Invalid `SAFETENSORS`."""
    length = int.from_bytes(begin[:LENGTH], "little") if len(begin) >= LENGTH else 0
    if not 2 <= length <= size - LENGTH:
        raise Invalid("SAFETENSORS", "this is no safetensors file: its first 8 bytes are not the length of a header")
    if length > LIMIT:
        raise Invalid("SAFETENSORS", f"the header has {length} bytes, at most {LIMIT} are read")
    return length


def parameters_of(text: bytes, data: int) -> Counter[str]:
    """How many numbers of each type a file with this header, and `data` bytes after it, holds. Raises Invalid `SAFETENSORS`
    with what is wrong."""
    counted: Counter[str] = Counter()
    for name, tensor in _object(text, "the header").items():
        if not (_is_metadata(tensor) if name == _METADATA else _is_tensor(tensor, data)):
            raise Invalid("SAFETENSORS", f"the header is wrong at {ascii(name[:100])}; write the file anew")
        if name != _METADATA:
            counted[tensor["dtype"]] += math.prod(tensor["shape"])
    return counted


def shards_of(text: bytes) -> tuple[Json, list[str]]:
    """What an index says besides where each tensor is, and the files that it names, in its order. Raises Invalid."""
    index = _object(text, "the index")
    named = index.pop("weight_map", None)
    if not isinstance(named, dict) or not all(map(_is_path, named.values())):
        raise Invalid("SAFETENSORS", 'the index has no "weight_map" of tensors and their files')
    return index, list(dict.fromkeys(named.values()))


def _object(text: bytes, what: str) -> Json:
    try:
        found = json.loads(text.decode(), parse_constant=_no_number)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Invalid("SAFETENSORS", f"{what} is not a JSON object")
    return found


def _is_path(found: object) -> bool:
    return isinstance(found, str) and bool(found) and found.isprintable()


def _no_number(word: str) -> None:
    raise ValueError(word)


def _is_metadata(found: object) -> bool:
    return isinstance(found, dict) and all(isinstance(value, str) for value in found.values())


def _is_tensor(found: object, data: int) -> bool:
    if not isinstance(found, dict):
        return False
    kind, shape, span = found.get("dtype"), found.get("shape"), found.get("data_offsets")
    if not isinstance(kind, str) or len(kind) > 20 or not _are_counts(shape) or not _are_counts(span):
        return False
    return len(shape) <= 64 and math.prod(shape) < 2**63 and len(span) == 2 and span[0] <= span[1] <= data


def _are_counts(found: object) -> bool:
    return isinstance(found, list) and all(type(one) is int and 0 <= one < 2**63 for one in found)
