"""The rules of a push and of a path, and the packet format: pure functions, by table and by random input."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.push import (
    ZERO,
    Pushed,
    PushLimits,
    RefUpdate,
    Revision,
    amount,
    judge,
    judge_refs,
    notes,
    parse_updates,
    printable,
    secrets_in,
)
from orchestrator.errors import Invalid
from orchestrator.repos.paths import check_path
from orchestrator.repos.pktline import FLUSH, Holder, band, packet, read_commands
from orchestrator.repos.smart import explain

A, B = "a" * 40, "b" * 40
LIMITS = PushLimits(file=50 * 1024**2, files=20000, repo=10 * 1024**3, push=1024**3)


def codes(refusals):
    return [refusal.code for refusal in refusals]


@pytest.mark.parametrize(
    ("update", "code"),
    [
        (RefUpdate(A, B, "refs/heads/main"), None),
        (RefUpdate(ZERO, B, "refs/heads/dev"), None),
        (RefUpdate(A, ZERO, "refs/heads/dev"), None),
        (RefUpdate(ZERO, B, "refs/tags/v1"), None),
        (RefUpdate(ZERO, B, "refs/convert/parquet"), None),
        (RefUpdate(A, ZERO, "refs/heads/main"), "DELETE_MAIN"),
        (RefUpdate(ZERO, B, "refs/podium/x"), "REF_NAME"),
        (RefUpdate(ZERO, B, "refs/pr/1"), "REF_NAME"),
        (RefUpdate(ZERO, B, "refs/for/main"), "REF_NAME"),
    ],
)
def test_which_refs_may_move(update, code):
    assert codes(judge_refs((update,))) == ([code] if code else [])


def test_a_mirror_is_told_once_what_to_leave_out():
    refs = [
        "refs/heads/main",
        "refs/tags/v1",
        *(f"refs/pull/{n}/head" for n in range(30)),
        *(f"refs/pr/{n}" for n in range(1, 9)),
    ]
    said = [refusal.message for refusal in judge_refs(tuple(RefUpdate(ZERO, A, ref) for ref in refs))]
    assert said == [
        "refs/pr/1 comes and goes with its pull request; open one with create_pr, then push to it (and 7 more like it)",
        "only branches and tags can be pushed, not 'refs/pull/0/head' (and 29 more like it)",
        "in place of --mirror: git push --force <address> 'refs/heads/*' 'refs/tags/*'",
    ]


def test_many_refs_are_refused_at_once():
    many = tuple(RefUpdate(ZERO, A, f"refs/tags/v{n}") for n in range(2001))
    assert codes(judge_refs(many)) == ["TOO_MANY_REFS"]


@pytest.mark.parametrize(
    ("pushed", "code", "words"),
    [
        (
            Pushed(0, big=(("data/a.bin", 80 * 1024**2),), big_count=1),
            "FILE_TOO_LARGE",
            ["data/a.bin (80 MB)", "50 MB"],
        ),
        (Pushed(0, big=tuple((f"f{n}", 60 << 20) for n in range(5)), big_count=9), "FILE_TOO_LARGE", ["and 4 more"]),
        (Pushed(0, big=(("x", 60 << 20),), big_count=1), "FILE_TOO_LARGE", ["git lfs migrate import"]),
        (Pushed(int(10.4 * 1024**3)), "REPO_TOO_LARGE", ["10.4 GB", "limit 10 GB"]),
        (Pushed(0, revisions=(Revision(A, 300000),)), "TOO_MANY_FILES", ["300000 files", "limit 20000"]),
        (Pushed(0, revisions=(Revision(A, 1_000_001),)), "TREE_BOMB", ["limit 20000"]),
        (Pushed(0, revisions=(Revision(A, 0, fault="segfault\x1b[2J"),)), "BAD_TREE", ["\\x1b[2J"]),
        (Pushed(0, heavy=(A,)), "COMMIT_TOO_LARGE", ["aaaaaaaaaa", "256 KB"]),
        (Pushed(0, objects=2_000_001), "TOO_MANY_OBJECTS", ["2000000"]),
    ],
)
def test_what_cannot_be_stored(pushed, code, words):
    (refusal,) = judge(pushed, LIMITS)
    assert refusal.code == code
    assert all(word in refusal.message for word in words), refusal.message


def test_a_push_within_its_limits_is_fine():
    assert judge(Pushed(10 * 1024**3, revisions=(Revision(A, 20000),)), LIMITS) == []


def test_notes_name_the_branch_and_the_twins():
    said = notes(
        (RefUpdate(ZERO, A, "refs/heads/dev"),), Pushed(0, revisions=(Revision(A, 2, (("App.py", "app.py"),)),))
    )
    assert said[0] == "note: only 'main' is deployed; 'dev' was stored"
    assert "'App.py' and 'app.py'" in said[1]
    assert notes((RefUpdate(ZERO, A, "refs/heads/main"),), Pushed(0)) == []


def test_updates_are_read_or_refused():
    assert parse_updates(f"{ZERO} {A} refs/heads/a b\n") == (RefUpdate(ZERO, A, "refs/heads/a b"),)
    with pytest.raises(Invalid):
        parse_updates("nonsense")


@given(st.text())
def test_shown_text_never_moves_a_cursor(text):
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u202e\u2066" for c in printable(text))


def test_amounts():
    assert [amount(n) for n in (5, 2048, 80 << 20, 1 << 30)] == ["5 bytes", "2 KB", "80 MB", "1 GB"]


def test_tokens_are_seen_with_their_line():
    text = b"import os\n\ntoken = 'hf_abcdefghijklmnopqrstu'\nxhf_notatokenatallnotatall hf_short\n"
    assert list(secrets_in(text)) == [("hf_abcdefghijklmnopqrstu", 3)]
    assert list(secrets_in(b"\0" + text)) == []


# ------------------------------------------------------------------------------------------------------------- paths

GOOD = [
    "a",
    "a/b.txt",
    ".gitignore",
    ".github/x.yml",
    "ünï/日本.py",
    "a b",
    "git",
    "x.git",
    "-rf",
    "a" * 255,
    'q"\\q',
    "d/..\\..\\x",
]
BAD = [
    "", "/a", "a//b", "a/", "./a", "a/../b", "..", ".git", ".git/config", "x/.GIT/hooks", "git~1", "GIT~1/x", ".git.", ".git ",
    ".git::$INDEX_ALLOCATION", "a\\.git\\b", ".g\u200cit/config", ".gi\ufefft", "a\nb", "a\0b", "\x1b]0;x", "a\u2028b", "a" * 256,
    "/".join(["d"] * 80), ".gitmodules", "x/.GITMODULES", "gitmod~1", "\ud800",
    "..\\x", "..\\..\\x", "a\\..\\b",
]  # fmt: skip


@pytest.mark.parametrize("path", GOOD)
def test_a_good_path(path):
    assert check_path(path) == path


@pytest.mark.parametrize("path", BAD)
def test_a_bad_path_is_named_without_raw_control_characters(path):
    with pytest.raises(Invalid) as caught:
        check_path(path)
    assert caught.value.code == "PATH"
    assert caught.value.message.isprintable()


@given(st.text(max_size=40))
def test_a_path_that_passes_stays_inside(path):
    try:
        check_path(path)
    except Invalid:
        return
    parts = path.split("/")
    assert not path.startswith("/") and ".." not in parts and "" not in parts
    assert not any(part.lower() == ".git" for part in parts)


# ----------------------------------------------------------------------------------------------------------- packets


async def pieces(data: bytes, size: int):
    for start in range(0, len(data), size):
        yield data[start : start + size]


def commands(data: bytes, size: int = 7):
    return asyncio.run(read_commands(pieces(data, size)))


def request(*refs: str, words: str = "report-status side-band-64k") -> bytes:
    lines = [f"{ZERO} {A} {ref}" for ref in refs]
    lines[0] += f"\0 {words}"
    return b"".join(packet(line.encode()) for line in lines) + FLUSH


@given(st.integers(1, 200))
def test_commands_are_read_however_they_are_cut(size):
    data = request("refs/heads/main", "refs/tags/v1") + b"PACKrest"
    found = commands(data, size)
    assert [update.ref for update in found.updates] == ["refs/heads/main", "refs/tags/v1"]
    assert found.sideband
    assert data.startswith(found.raw)


def test_an_empty_request_has_no_commands():
    assert commands(FLUSH).updates == ()
    assert commands(b"").updates == ()


@pytest.mark.parametrize(
    "data", [b"zzzz", b"0003", b"0001", b"ffff" + b"a" * 70000, b"0010abc", b"GET / HTTP/1.1", b"0009hello"]
)
def test_garbage_is_refused(data):
    with pytest.raises(Invalid) as caught:
        commands(data + (FLUSH if data.startswith(b"0009") else b""))
    assert caught.value.code == "GIT_PROTOCOL"


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data):
    try:
        commands(data, 16)
    except Invalid as error:
        assert error.code == "GIT_PROTOCOL"


def test_a_refusal_names_every_ref():
    refused = commands(request("refs/heads/main", "refs/tags/v1")).refusal("PUSH_TOO_LARGE: no")
    assert refused.count(b"ng refs/") == 2 and refused.endswith(FLUSH) and b"\x02podium: PUSH_TOO_LARGE" in refused


@given(st.integers(1, 50))
def test_messages_pass_and_the_report_is_held(size):
    report = packet(b"unpack ok\n") + packet(b"ok refs/heads/main\n") + FLUSH
    data = b"".join(band(2, b"podium: hello\n")) + b"".join(band(1, report)) + FLUSH
    holder = Holder(sideband=True)
    passed = b"".join(holder.feed(data[i : i + size]) for i in range(0, len(data), size))
    assert passed == b"".join(band(2, b"podium: hello\n"))
    assert bytes(holder.held) == b"".join(band(1, report)) + FLUSH
    assert holder.succeeded


@pytest.mark.parametrize(
    ("output", "code"),
    [
        (b"error: object 12ab: hasDotgit: contains '.git'\nfatal: fsck error in packed object", "FSCK"),
        (b"fatal: pack exceeds maximum allowed size (2.00 MiB)", "PUSH_TOO_LARGE"),
        (b"fatal: sha1 file '<stdout>' write error: No space left on device", "STORAGE_FULL"),
        (b"unpack index-pack abnormal exit", "BAD_PACK"),
    ],
)
def test_what_git_says_is_explained(output, code):
    assert [line.split(":")[0] for line in explain(output)] == [code]


def test_nothing_is_explained_when_the_hook_did():
    assert explain(b"podium: TOO_MANY_FILES: 60 files") == []
