"""Pointers, `.gitattributes`, the Hub's rules for how a file is sent, and the formats of Xet."""

import io
import struct

import lz4.frame
import pytest

from orchestrator.domain import xet
from orchestrator.domain.large import Attributes, Pointer, attributes_for, is_binary, pointer_text, read_pointer
from orchestrator.errors import Forbidden, Invalid
from orchestrator.ports import Change
from orchestrator.services.attributes import mode_of, with_attributes
from orchestrator.services.links import SignedLinks
from orchestrator.services.xorbs import Layouts

OID = "ab" * 32


def test_a_pointer_is_read_as_it_was_written() -> None:
    text = pointer_text(OID, 123456)
    assert read_pointer(text) == Pointer(OID, 123456, len(text))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"version https://git-lfs.github.com/spec/v1\n",
        pointer_text(OID, 1).replace(b"size 1", b"size -1"),
        pointer_text(OID, 1).replace(b"size 1", b"size 99999999999999999"),
        pointer_text(OID, 1).replace(b"ab", b"AB"),
        pointer_text(OID, 1).replace(b"sha256", b"sha512"),
        pointer_text(OID, 1) + b"and more\n",
        pointer_text(OID, 1) + b"\n" * 2000,
        b"x" + pointer_text(OID, 1),
    ],
)
def test_what_is_no_pointer(text) -> None:
    assert read_pointer(text) is None


@pytest.mark.parametrize(
    ("text", "path", "large"),
    [
        ("*.bin filter=lfs diff=lfs merge=lfs -text", "deep/a.bin", True),
        ("*.bin filter=lfs", "a.bin.txt", False),
        ("*.bin filter=lfs\nkeep.bin -filter", "keep.bin", False),
        ("*.bin filter=lfs\nkeep.bin !filter", "x/keep.bin", False),
        ("*.bin filter=lfs\n*.bin filter=other", "a.bin", False),
        ("saved_model/**/* filter=lfs", "saved_model/a/b", True),
        ("/a.txt filter=lfs", "b/a.txt", False),
        ('"with space.bin" filter=lfs', "with space.bin", True),
        ("with[[:space:]]space.bin filter=lfs", "with space.bin", True),
        ("[attr]large filter=lfs\n*.h5 large", "m.h5", True),
        ("# *.bin filter=lfs", "a.bin", False),
        ("!*.bin filter=lfs", "a.bin", False),
        ("[z-a filter=lfs", "a.bin", False),
        ("*.bin text", "a.bin", False),
    ],
)
def test_which_paths_are_given_to_lfs(text, path, large) -> None:
    assert Attributes(text).large(path) is large


@pytest.mark.parametrize(
    "path", ["a.bin", "dir/with space é.bin", "a*b.dat", "q?.x", "w[1].y", "back\\slash", ".hidden"]
)
def test_a_line_for_a_path_matches_it_and_no_other(path) -> None:
    told = attributes_for("*.txt text", [path])
    assert told is not None and told.startswith("*.txt text\n")
    assert Attributes(told).large(path)
    assert not Attributes(told).large("x/" + path) and not Attributes(told).large("zz" + path)
    assert attributes_for(told, [path]) is None


@pytest.mark.parametrize(
    ("path", "size", "sample", "mode"),
    [
        ("a.txt", 10, b"hello", "regular"),
        ("a.txt", 0, b"\0", "regular"),
        ("a.bin", 10, b"text", "lfs"),
        ("a.txt", 11 * 1024**2, b"text", "lfs"),
        ("a.dat", 10, b"\x00\x01", "lfs"),
        ("a.dat", 600, b"x" * 510 + "é".encode()[:1], "regular"),
        ("a.dat", 600, b"\xff\xfe" * 200, "lfs"),
        (".gitattributes", 600, b"\xff\xfe" * 200, "regular"),
    ],
)
def test_how_a_file_is_sent(path, size, sample, mode) -> None:
    assert mode_of(Attributes("*.bin filter=lfs"), path, size, sample) == mode


def test_a_binary_sample_may_be_cut_in_a_character() -> None:
    assert not is_binary("ä".encode() * 100 + "€".encode()[:2])


def test_attributes_follow_the_large_files_of_a_commit() -> None:
    large, small = Change("w.dat", pointer_text(OID, 5)), Change("a.txt", b"hello")
    assert list(with_attributes([small], lambda: b"")) == [small]
    *_, last = with_attributes([large, small], lambda: b"*.bin filter=lfs\n")
    assert last.path == ".gitattributes" and last.content.startswith(b"*.bin filter=lfs\n/w.dat filter=lfs")
    given = Change(".gitattributes", b"*.dat filter=lfs\n")
    assert list(with_attributes([given, large], lambda: b"")) == [given, large]
    moved = Change("new.xyz", None, moved_from="a.bin")
    *_, last = with_attributes([moved], lambda: b"*.bin filter=lfs\n")
    assert b"/new.xyz filter=lfs" in last.content


# ------------------------------------------------------------------------------------------------------------- links


def test_a_grant_speaks_for_what_it_was_signed_for_and_ends() -> None:
    now = [1000.0]
    links = SignedLinks(b"k" * 32, lambda: now[0])
    given = links.sign("put", 60, repo="r")
    assert links.read(given, "put")["repo"] == "r"
    for forged in (given[:-4] + "AAAA", "", "a.b.c", SignedLinks(b"x" * 32).sign("put", 60)):
        with pytest.raises(Forbidden, match="signed"):
            links.read(forged, "put")
    with pytest.raises(Forbidden, match="signed"):
        links.read(given, "get")
    now[0] = 1060.0
    with pytest.raises(Forbidden) as expired:
        links.read(given, "put")
    assert expired.value.code == "LINK_EXPIRED"


# ---------------------------------------------------------------------------------------------------------------- Xet


def packed(data: bytes, scheme: int) -> bytes:
    body = data
    if scheme == 2:
        body = b"".join(data[lane::4] for lane in range(4))
    if scheme:
        body = lz4.frame.compress(body)
    return b"\0" + len(body).to_bytes(3, "little") + bytes([scheme]) + len(data).to_bytes(3, "little") + body


def shard(*files: tuple[list[tuple[bytes, int, int, int]], bytes | None]) -> bytes:
    out = b"HFRepoMetaData\0".ljust(32, b"\x55") + struct.pack("<QQ", 2, 0)
    for terms, sha256 in files:
        out += b"f" * 32 + struct.pack("<IIQ", (1 << 31) | ((1 << 30) if sha256 else 0), len(terms), 0)
        for xorb, size, start, end in terms:
            out += xorb + struct.pack("<IIII", 0, size, start, end)
        out += b"v" * 48 * len(terms)
        if sha256:
            out += sha256 + bytes(16)
    return out + b"\xff" * 32 + bytes(16) + b"what follows is not read"


def swapped(name: str) -> bytes:
    return struct.pack("<4Q", *(int(name[at : at + 16], 16) for at in range(0, 64, 16)))


@pytest.mark.parametrize("scheme", [0, 1, 2])
@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 1000, 65537])
def test_chunks_come_out_as_they_went_in(scheme, length) -> None:
    data = bytes(range(256)) * (length // 256 + 1)
    data = data[:length]
    xorb = packed(b"first", 0) + packed(data, scheme) + b"XETBLOB and a footer"
    chunks = xet.chunks_of(io.BytesIO(xorb), len(xorb))
    assert [chunk.size for chunk in chunks] == [5, length]
    out = bytearray()
    xet.unpacked(io.BytesIO(xorb), chunks, xet.Term("00" * 32, 0, 2, 5 + length), 10, out.extend)
    assert bytes(out) == b"first" + data


@pytest.mark.parametrize(
    "xorb",
    [
        b"",
        b"XETBLOB",
        b"garbage",
        packed(b"abc", 1)[:-1],
        b"\1" + packed(b"abc", 0)[1:],
        packed(b"abc", 0)[:4] + b"\x07" + packed(b"abc", 0)[5:],
        packed(b"x" * 300_000, 0),
        packed(b"abc", 0) + b"\0\0",
    ],
)
def test_a_bad_xorb_is_refused(xorb) -> None:
    with pytest.raises(Invalid):
        xet.chunks_of(io.BytesIO(xorb), len(xorb))


def test_a_chunk_that_unpacks_to_something_else_is_refused() -> None:
    bomb = lz4.frame.compress(bytes(10_000_000))
    xorb = b"\0" + len(bomb).to_bytes(3, "little") + b"\1" + (5).to_bytes(3, "little") + bomb
    chunks = xet.chunks_of(io.BytesIO(xorb), len(xorb))
    with pytest.raises(Invalid, match="unpacked"):
        xet.unpacked(io.BytesIO(xorb), chunks, xet.Term("00" * 32, 0, 1, 5), 10, lambda data: None)


def test_one_shard_makes_no_endless_work(tmp_path) -> None:
    """A few MB can name the same chunks a million times, and each xorb has to be looked through to find them."""
    body = packed(b"a", 0) * 1000
    for name in ("12" * 32, "34" * 32):
        (tmp_path / name).write_bytes(body)
    often = xet.File(tuple(xet.Term(name, 0, 1, 1) for _ in range(200) for name in ("12" * 32, "34" * 32)), "")
    Layouts(tmp_path, work=2500).check(often)  # each was looked through once
    with pytest.raises(Invalid, match="too often"):
        Layouts(tmp_path, work=2300).check(often)
    with pytest.raises(Invalid, match="too often"):
        Layouts(tmp_path, work=9000).check(xet.File((xet.Term("12" * 32, 0, 1000, 1000),) * 9, ""))
    with pytest.raises(Invalid, match="does not have"):
        Layouts(tmp_path).check(xet.File((xet.Term("12" * 32, 999, 1001, 2),), ""))
    with pytest.raises(Invalid, match="not sent here"):
        Layouts(tmp_path).check(xet.File((xet.Term("56" * 32, 0, 1, 1),), ""))


def test_files_of_a_shard() -> None:
    one = ([(swapped("12" * 32), 70, 0, 3), (swapped("34" * 32), 30, 2, 9)], swapped(OID))
    two = ([(swapped("12" * 32), 5, 1, 2)], None)
    found = list(xet.files_of(io.BytesIO(shard(one, two))))
    assert [file.sha256 for file in found] == [OID, ""]
    assert found[0].terms == (xet.Term("12" * 32, 0, 3, 70), xet.Term("34" * 32, 2, 9, 30)) and found[0].size == 100


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"no shard at all, but long enough for its first header",
        shard()[:60],
        shard(([(b"x" * 32, 5, 2, 2)], None)),
        shard(([(b"x" * 32, 5, 0, 2)], None))[:-90],
        shard()[:32] + struct.pack("<QQ", 3, 0) + shard()[48:],
        shard()[:48] + b"f" * 32 + struct.pack("<IIQ", 0, 2**32 - 1, 0),
    ],
)
def test_a_bad_shard_is_refused(text) -> None:
    with pytest.raises(Invalid):
        list(xet.files_of(io.BytesIO(text)))
