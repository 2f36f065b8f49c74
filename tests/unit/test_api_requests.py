"""How requests are read: paths, limits, headers, ranges, the first files of a Space. Pure."""

import asyncio
import re

import pytest
import yaml
from starlette.requests import Request

from orchestrator.api.commits import branch_of, content_of
from orchestrator.api.envelope import JSON_LIMIT, TEXT_LIMIT, limit_of, request_id_of, routable
from orchestrator.api.files import _headers
from orchestrator.api.params import cursor_of, read_cursor
from orchestrator.api.problems import header_text
from orchestrator.api.ranges import bytes_between, span
from orchestrator.api.readme import first_files, readme
from orchestrator.api.sse import kept_alive
from orchestrator.domain.repo import RepoKind
from orchestrator.domain.tree import Change, TreeEntry
from orchestrator.errors import Invalid, TooLarge


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/api/spaces/ada/demo", "/api/spaces/ada/demo"),
        (b"/a/refs%2Fpr%2f1", "/a/refs%2Fpr%2F1"),
        (b"/a/%252F", "/a/%252F"),
        (b"/a/100%25", "/a/100%25"),
        (b"/a/b%0Ac%0d%09", "/a/b%0Ac%0d\t"),
        (b"/a/%C3%BC%20b", "/a/ü b"),
        (b"/a/%2e%2e/b", "/a/../b"),
        (b"/a/%00", None),
        (b"/a/%ff", None),
    ],
)
def test_an_encoded_slash_stays_in_its_segment(raw, path):
    assert routable(raw) == path


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/api/spaces/a/b/secrets", JSON_LIMIT),
        ("/api/repos/delete", JSON_LIMIT),
        ("/api/repos/create", TEXT_LIMIT),
        ("/api/validate-yaml", TEXT_LIMIT),
        ("/api/spaces/a/b/preupload/main", TEXT_LIMIT),
        ("/internal/activity", TEXT_LIMIT),
        ("/api/spaces/a/b/commit/main", None),
        ("/spaces/a/b/git-receive-pack", None),
    ],
)
def test_every_body_has_a_limit_or_counts_for_itself(path, limit):
    assert limit_of(path) == limit


def test_a_request_is_called_what_its_caller_calls_it():
    assert request_id_of({b"x-request-id": b"custom-id"}) == "custom-id"
    ours, theirs = request_id_of({b"x-amzn-trace-id": b"ddff-26"}).split(";")
    assert theirs == "ddff-26" and re.fullmatch("[0-9a-f]{16}", ours)
    for odd in (b"", b"a b", b"a\nb", b"x" * 129, "é".encode("latin-1")):
        names = {request_id_of({b"x-request-id": odd, b"x-amzn-trace-id": odd}) for _ in range(2)}
        assert len(names) == 2 and all(re.fullmatch("[0-9a-f]{16}", one) for one in names)


@pytest.mark.parametrize("message", ["a\r\nSet-Cookie: x", "ünï \u202e 日本", "x" * 5000, "\x00\x1b[31m"])
def test_a_message_in_a_header_is_one_harmless_line(message):
    told = header_text(message)
    assert len(told) <= 500
    assert told.encode("latin-1").isascii() or "ü" in told
    assert not any(ord(c) < 32 or ord(c) == 127 for c in told)


def request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "headers": raw, "path": "/", "query_string": b""})


ENTRY = TreeEntry("a/b.bin", "file", "c" * 40, 100)
ETAG = f'"{"c" * 40}"'


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({}, (0, 100, 200)),
        ({"range": "bytes=10-19"}, (10, 20, 206)),
        ({"range": "bytes=10-"}, (10, 100, 206)),
        ({"range": "bytes=-10"}, (90, 100, 206)),
        ({"range": "bytes=-1000"}, (0, 100, 206)),
        ({"range": "bytes=0-1000"}, (0, 100, 206)),
        ({"range": "bytes=100-"}, (0, 0, 416)),
        ({"range": "bytes=-0"}, (0, 0, 416)),
        ({"range": "bytes=20-10"}, (0, 100, 200)),
        ({"range": "bytes=-"}, (0, 100, 200)),
        ({"range": "bytes=0-1,5-6"}, (0, 100, 200)),
        ({"range": "bytes=" + "9" * 400 + "-"}, (0, 100, 200)),
        ({"range": "lines=1-2"}, (0, 100, 200)),
        ({"range": "bytes=10-19", "if_range": ETAG}, (10, 20, 206)),
        ({"range": "bytes=10-19", "if_range": '"other"'}, (0, 100, 200)),
    ],
)
def test_ranges(headers, told):
    answer = _headers(ENTRY, "d" * 40, False)
    start, end, status = span(request(**headers), ENTRY.size, answer)
    assert (start, end, int(status)) == told
    if status == 206:
        assert answer["Content-Range"] == f"bytes {start}-{end - 1}/100"
    assert b"".join(bytes_between([b"0123456789"] * 10, start, end)) == (b"0123456789" * 10)[start:end]


@pytest.mark.parametrize(
    ("path", "media", "how"),
    [
        ("a.png", "image/png", "inline"),
        ("index.html", "text/plain; charset=utf-8", "inline"),
        ("x.svg", "text/plain; charset=utf-8", "inline"),
        ("x.xhtml", "text/plain; charset=utf-8", "inline"),
        ("app.js", "text/plain; charset=utf-8", "inline"),
        ("app.py", "text/plain; charset=utf-8", "inline"),
        ("LICENSE", "text/plain; charset=utf-8", "inline"),
        ("x.pdf", "application/octet-stream", "attachment"),
        ("x.bin", "application/octet-stream", "attachment"),
        ("x.json", "application/json", "inline"),
    ],
)
def test_nothing_of_a_repo_may_run_on_the_origin_of_the_console(path, media, how):
    headers = _headers(TreeEntry(f"d/{path}", "file", "c" * 40, 1), "d" * 40, False)
    assert headers["Content-Type"] == media
    assert headers["Content-Disposition"].startswith(how)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]


def test_a_file_name_cannot_break_out_of_its_header():
    headers = _headers(TreeEntry('d/a"\r\nX: ü.txt', "file", "c" * 40, 1), "d" * 40, True)
    assert headers["Content-Disposition"] == "attachment; filename*=UTF-8''a%22%0D%0AX%3A%20%C3%BC.txt"


def test_cursors_come_back_and_strange_ones_do_not():
    assert read_cursor(cursor_of((1.5).hex(), "abc"), 2) == [(1.5).hex(), "abc"]
    for strange in ("", "!!!", "ü", cursor_of("only one"), "a" * 199):
        with pytest.raises(Invalid, match="cursor"):
            read_cursor(strange, 2)


@pytest.mark.parametrize(
    ("content", "encoding", "error"),
    [
        ("!!!", "base64", Invalid),
        ("YQ", "base64", Invalid),
        (None, "utf-8", Invalid),
        (3, "utf-8", Invalid),
        ("a", "utf-16", Invalid),
        ("a", ["utf-8"], Invalid),
        ("\ud800", "utf-8", Invalid),
        ("x" * 11, "utf-8", TooLarge),
    ],
)
def test_content_that_cannot_be_a_file(content, encoding, error):
    with pytest.raises(error):
        content_of(content, encoding, "a", 10)


def test_content_of_both_encodings():
    assert content_of("aGk=", "base64", "a", 10) == content_of("hi", "utf-8", "a", 10) == b"hi"


def test_a_commit_goes_to_a_branch():
    assert branch_of("main") == branch_of("refs/heads/main") == "refs/heads/main"


@pytest.mark.parametrize("sdk", ["gradio", "streamlit", "static", "docker", None])
def test_the_first_readme_can_be_read_again(sdk):
    from builder.config import parse

    config = parse(readme("my-first_demo", sdk, "", "Says: hello #1", "mit"))
    assert (config.title, config.sdk, config.short_description) == ("My first demo", sdk, "Says: hello #1")
    assert yaml.safe_load(readme("null", "gradio").split("---")[1])["title"] == "Null"


def test_given_files_win_over_the_first_ones():
    files = {
        c.path: c.content
        for c in first_files(RepoKind.SPACE, "ours", [Change("README.md", b"theirs"), Change("app.py", b"1")])
    }
    assert set(files) == {"README.md", "app.py", ".gitattributes"}
    assert files["README.md"] == b"theirs"


def test_silence_is_filled_and_the_source_is_closed():
    closed = []

    async def slow():
        try:
            yield b"data: {1}\n\n"
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    async def first(count: int) -> list[bytes]:
        stream = kept_alive(slow(), 0.01)
        told = [await anext(stream) for _ in range(count)]
        await stream.aclose()
        return told

    told = asyncio.run(first(4))
    assert told[1] == b"data: {1}\n\n"
    assert all(line.startswith(b":") for line in (told[0], *told[2:]))
    assert closed == [True]
