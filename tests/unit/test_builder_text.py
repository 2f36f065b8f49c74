"""Log lines: nothing a stranger writes may move a cursor, set a title or hide itself."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.text import LINE_LIMIT, LogLimit, clean_line, masked, shown

CASES = [
    (b"plain\r\n", "plain"),
    (b"\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
    (b"\x1b]0;title\x07after", "after"),
    (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
    (b"\x1b[2J\x1b[1;1Hmoved", "moved"),
    (b"10%\r50%\r100%", "100%"),
    (b"bad \xff bytes", "bad \ufffd bytes"),
    ("c1 \u009b31m \u0090x\u009c end".encode(), "c1   end"),
    ("rtl \u202e end".encode(), "rtl \\u202e end"),
    (b"bell\x07 null\x00 del\x7f tab\t.", "bell null del tab\t."),
    (b"\x1b\x1b[31mx", "\x1b[31mx"),
    (b"\x1b(Bx\x1bcy", "xy"),
    (b"get https://me:pw@example.org/simple/", "get https://***@example.org/simple/"),
]


@pytest.mark.parametrize(("raw", "line"), CASES)
def test_clean_line(raw, line):
    assert clean_line(raw) == line


def test_long_lines_are_cut():
    line = clean_line(b"x" * 100_000)
    assert len(line.encode()) <= LINE_LIMIT and line.endswith("(line cut)")


@given(st.one_of(st.binary(max_size=400), st.text(max_size=400)))
def test_any_bytes_become_harmless(raw):
    line = clean_line(raw)
    rest = re.sub(r"\x1b\[[0-9;:]*m|\t", "", line)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", rest)
    assert len(line.encode()) <= LINE_LIMIT
    assert shown(str(raw)).isprintable() or not str(raw).isprintable()


def test_the_log_has_a_limit_and_says_so():
    limit = LogLimit(20)
    kept = [limit.admit("12345678") for _ in range(5)]
    assert kept[:2] == ["12345678", "12345678"] and "longer than its limit" in kept[2] and kept[3:] == [None, None]


def test_masked():
    assert masked("git+https://tok@h/x@main") == "git+https://***@h/x@main"
    assert masked("https://h/x@main") == "https://h/x@main"
