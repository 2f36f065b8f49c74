"""The Bell port's contract: in one process, and over a real Redis between two; and that a Redis that is down, silent or emptied
delays rings and nothing else."""

import asyncio
import threading
import time

import pytest

from orchestrator.errors import Invalid
from orchestrator.services.bell import LocalBell
from tests.support import eventually


@pytest.fixture(params=["local", "redis"])
def bells(request):
    """Two ends of one bell: (where it is rung, where it is heard)."""
    if request.param == "local":
        bell = LocalBell()
        yield bell, bell
        return
    url = request.getfixturevalue("redis").url
    yield from pair(url)


def pair(url):
    from orchestrator.bells.redis import RedisBell

    made = [RedisBell(url, LocalBell()) for _ in range(2)]
    for bell in made:
        bell.start()
    heard = made[1]
    eventually(lambda: made[0].ring("warm") or heard.wait("warm", 0.2), 20)
    yield made[0], heard
    for bell in made:
        bell.stop()


def test_a_ring_wakes_who_waits(bells):
    here, there = bells
    there.wait("spaces", 0)
    began = time.monotonic()
    threading.Timer(0.1, here.ring, ["spaces"]).start()
    assert there.wait("spaces", 10)
    assert time.monotonic() - began < 5
    assert not there.wait("spaces", 0.05)


def test_topics_are_apart(bells):
    here, there = bells
    there.wait("a", 0)
    there.wait("b", 0)
    here.ring("b")
    assert there.wait("b", 10)
    assert not there.wait("a", 0.05)


def test_coroutines_hear_what_was_rung_before_and_while_they_wait(bells):
    here, there = bells

    async def main():
        with there.hearing("a") as rung:
            assert not await rung(0.05)
            here.ring("a")
            assert await rung(10)
            waiting = asyncio.create_task(rung(10))
            await asyncio.sleep(0.05)
            await asyncio.to_thread(here.ring, "a")
            return await waiting

    assert asyncio.run(main())


def test_many_rings_are_few_messages_and_none_of_the_last_is_missed(bells):
    here, there = bells
    there.wait("a", 0)
    for _ in range(2000):
        here.ring("a")
    assert there.wait("a", 10)


def test_who_rings_hears_it_at_once_whatever_redis_does(redis):
    from orchestrator.bells.redis import RedisBell

    for url in (redis.url, "redis://127.0.0.1:1/0"):
        bell = RedisBell(url, LocalBell())
        bell.start()
        bell.wait("a", 0)
        began = time.monotonic()
        for _ in range(100):
            bell.ring("a")
            assert bell.wait("a", 1)
        assert time.monotonic() - began < 2
        bell.stop()


@pytest.mark.parametrize("how", ["frozen", "killed", "flushed"])
def test_rings_come_through_again_when_redis_is_back(redis, how):
    ends = pair(redis.url)
    here, there = next(ends)
    there.wait("a", 0)
    if how == "frozen":
        redis.freeze()
    elif how == "killed":
        redis.stop(9)
    else:
        redis.say("FLUSHALL")
    began = time.monotonic()
    for _ in range(50):
        here.ring("a")
    assert time.monotonic() - began < 1, "ringing must not wait for Redis"
    if how == "frozen":
        redis.thaw()
    elif how == "killed":
        redis.start()
    assert there.wait("a", 20), "a ring of the time when Redis was away comes late, not never"
    there.wait("a", 0.5)
    here.ring("a")
    assert there.wait("a", 20)
    next(ends, None)


def test_complaints_are_few(redis, caplog):
    from orchestrator.bells.redis import RedisBell

    bell = RedisBell("redis://127.0.0.1:1/0", LocalBell())
    bell.start()
    for _ in range(30):
        bell.ring("a")
        bell.wait("b", 0.1)
    bell.stop()
    assert len([r for r in caplog.records if "Redis does not answer" in r.message]) == 1


def test_a_url_that_is_none_says_what_to_write():
    pytest.importorskip("redis")
    from orchestrator.bells.redis import RedisBell

    with pytest.raises(Invalid) as error:
        RedisBell("localhost:6379", LocalBell())
    assert error.value.code == "REDIS_URL" and "write redis://" in error.value.message
