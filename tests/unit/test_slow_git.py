"""Fetches and pushes over slow lines: a fetch goes on as long as it moves, a push that takes too long is told why it ended."""

import asyncio
import hashlib
import os
import time
import zlib

import pytest

from orchestrator.domain.push import ZERO, RefUpdate
from orchestrator.domain.space import MAIN
from orchestrator.domain.tree import Change
from orchestrator.repos import smart
from orchestrator.repos.git import GitRepos
from orchestrator.repos.pktline import FLUSH, Commands, packet
from tests.support import eventually

ID = "0123456789abcdef01234567"
CLOCK = 0.3  #: seconds that a push may take here


@pytest.fixture
def repos(tmp_path):
    return GitRepos(tmp_path / "repos", 10 * 1024**2)


@pytest.fixture
def served(repos, tmp_path, monkeypatch):
    monkeypatch.setattr(smart, "PUSH_CLOCK", CLOCK)
    repos.create(ID)
    return smart.Smart(repos, tmp_path / "no.sock", 10 * 1024**2)


async def one(data: bytes):
    yield data


async def trickle():
    """A pack of one blob of 1 MB, a byte at a time."""
    blob = zlib.compress(os.urandom(1024**2))
    yield b"PACK" + (2).to_bytes(4) + (1).to_bytes(4) + b"\xb0\x80\x80\x02"
    for n in range(len(blob)):
        yield blob[n : n + 1]
        await asyncio.wait({asyncio.ensure_future(asyncio.Event().wait())}, timeout=CLOCK / 5)


def test_a_fetch_takes_the_time_that_its_line_needs(repos, served):
    head = repos.commit(ID, MAIN, [Change("big", os.urandom(2 * 1024**2))], "m", ("a", "a@b"))
    request = packet(f"want {head} no-progress\n".encode()) + FLUSH + packet(b"done\n")

    async def fetched() -> bytes:
        chunks = served.upload(ID, one(request))
        found = await anext(chunks)
        until = time.monotonic() + 2 * CLOCK
        await asyncio.to_thread(eventually, lambda: time.monotonic() > until)
        async for chunk in chunks:
            found += chunk
        return found

    pack = asyncio.run(fetched()).partition(b"NAK\n")[2]
    assert hashlib.sha1(pack[:-20]).digest() == pack[-20:]


def test_a_push_that_takes_too_long_is_told_so(served):
    update = RefUpdate(ZERO, "1" * 40, MAIN)
    raw = packet(f"{update.old} {update.new} {MAIN}\0report-status side-band-64k".encode()) + FLUSH
    commands = Commands((update,), frozenset({"report-status", "side-band-64k"}), raw)

    async def pushed() -> bytes:
        return b"".join([chunk async for chunk in served.receive(ID, commands, trickle(), "secret", list)])

    assert b"ng refs/heads/main PUSH_SLOW: the push took longer than" in asyncio.run(pushed())
