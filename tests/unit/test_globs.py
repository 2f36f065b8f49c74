"""git's patterns: what they match, and that none of them can keep anybody waiting."""

import time

import pytest

from orchestrator.domain.globs import MOST, Ignored
from orchestrator.domain.large import Attributes
from orchestrator.errors import Invalid


@pytest.mark.parametrize(
    ("lines", "path", "ignored"),
    [
        ("*.pyc", "a/b.pyc", True),
        ("*.pyc", "a/b.pyc.txt", False),
        ("build/", "build", False),
        ("build/", "src/build/x", True),
        ("/build", "src/build", False),
        ("src/*.o", "src/deep/x.o", False),
        ("src/**/x.o", "src/x.o", True),
        ("src/**/x.o", "src/a/b/x.o", True),
        ("**/logs", "a/logs/today", True),
        ("logs/**", "logs", False),
        ("logs/**", "logs/a/b", True),
        ("**", "a", True),
        ("*\n!keep.txt", "keep.txt", False),
        ("data\n!data/keep.txt", "data/keep.txt", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[a-c]x", "bx", True),
        ("[!a-c]x", "bx", False),
        ("[]x]y", "]y", True),
        ("[[:digit:]]", "7", True),
        ("[[:alnum:]_]", "_", True),
        ("[z-a]", "b", False),
        ("[", "[", False),
        ("a\\*b", "a*b", True),
        ("a\\*b", "axb", False),
        ("/with\\ space", "with space", True),
        ("\\#x", "#x", True),
        ("#x", "#x", False),
        ("\\!x", "!x", True),
        ("x  ", "x", True),
        ("x\\ ", "x ", True),
        ("x\\", "x", False),
        ("a//b", "a/b", False),
        ("/", "a", False),
        ("*a*b*c*", "xxaxxbxxcxx", True),
        ("*a*b*c", "xxaxxcxxb", False),
        ("a*a", "a", False),
        ("*.x", "a\nb.x", True),
    ],
)
def test_what_a_gitignore_ignores(lines, path, ignored):
    assert (path in Ignored(lines.split("\n"))) is ignored


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 60 + "*b", "a" * 255),
        ("**/a/" * 30 + "b", "a/" * 60 + "a"),
        ("[a]*" * 60 + "b", "a" * 255),
        ("*" * 254 + "b", "a" * 255),
    ],
)
def test_no_pattern_is_tried_for_longer_than_it_is_long(pattern, path):
    began = time.process_time()
    assert path not in Ignored([pattern])
    assert not Attributes(f"{pattern} filter=lfs").large(path)
    assert (
        time.process_time() - began < 5
    )  # thousandths of a second; with one plain regular expression it would be years


def test_there_is_an_end_to_comparing():
    many = Ignored(["**/?/" * 30 + "b"] * MOST)
    with pytest.raises(Invalid, match="too many patterns"):
        for number in range(1000):
            assert "a/" * 60 + str(number) not in many
    with pytest.raises(Invalid, match="wildcards"):
        Ignored(["*.x"] * (MOST + 1))
    assert Attributes("".join(f"/file-{n}[[:space:]]x filter=lfs\n" for n in range(3 * MOST))).large("file-9 x")
