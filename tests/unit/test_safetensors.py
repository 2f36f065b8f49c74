"""Headers of safetensors files: what they say, and that no hostile one does harm."""

import json

import pytest

from orchestrator.domain.safetensors import LIMIT, length_of, parameters_of, shards_of
from orchestrator.errors import Invalid


def tensor(dtype="F32", shape=(2, 3), span=(0, 24), **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(span), **more}


def weights(header: dict, data: bytes = b"") -> bytes:
    """A whole file."""
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def test_what_a_header_says():
    told = {"__metadata__": {"format": "pt"}, "a": tensor(), "b": tensor("BF16", (), (24, 26)), "c": tensor(shape=(0,))}
    assert parameters_of(json.dumps(told).encode() + b"   ", 26) == {"F32": 6, "BF16": 1}
    assert length_of((300).to_bytes(8, "little") + b"rest", 400) == 300


@pytest.mark.parametrize(
    ("begin", "size"),
    [(b"", 0), (b"1234567", 7), (b"\0" * 8, 100), ((93).to_bytes(8, "little"), 100), (b"\xff" * 8, 2**50),
     ((LIMIT + 1).to_bytes(8, "little"), 2**40)],
)  # fmt: skip
def test_what_is_no_length(begin, size):
    with pytest.raises(Invalid):
        length_of(begin, size)


@pytest.mark.parametrize(
    "text",
    [
        b"[]", b"no json", b"\xff{}", b"[" * 100_000, b'{"a": NaN}', b'{"a": 1}', "{}".encode("utf-16"),
        json.dumps({"__metadata__": {"format": 3}}).encode(),
        json.dumps({"a": {"dtype": "F32"}}).encode(),
        json.dumps({"a": tensor(dtype=3)}).encode(),
        json.dumps({"a": tensor(dtype="x" * 21)}).encode(),
        json.dumps({"a": tensor(shape=(-1,))}).encode(),
        json.dumps({"a": tensor(shape=(True,))}).encode(),
        json.dumps({"a": tensor(shape=(2**62,) * 60)}).encode(),
        json.dumps({"a": tensor(span=(0, 101))}).encode(),
        json.dumps({"a": tensor(span=(24, 0))}).encode(),
        json.dumps({"a": tensor(span=(0, 1, 2))}).encode(),
        b'{"a": {"dtype": "F32", "data_offsets": [0, 1], "shape": [' + b"9" * 5000 + b"]}}",
    ],
)  # fmt: skip
def test_what_is_no_header(text):
    with pytest.raises(Invalid):
        parameters_of(text, 100)


def test_an_index_names_its_files_once_each():
    named = {"a": "2.safetensors", "b": "1.safetensors", "c": "2.safetensors"}
    text = json.dumps({"metadata": {"total_size": 9}, "weight_map": named})
    assert shards_of(text.encode()) == ({"metadata": {"total_size": 9}}, ["2.safetensors", "1.safetensors"])


@pytest.mark.parametrize("told", [{}, {"weight_map": []}, {"weight_map": {"a": 1}}, {"weight_map": {"a": "\ud800"}}])
def test_what_is_no_index(told):
    with pytest.raises(Invalid):
        shards_of(json.dumps(told).encode())
