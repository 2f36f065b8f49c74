"""Room for git processes: who finds none waits, in order and not for ever, and nobody's room is lost."""

import asyncio

import pytest

from orchestrator.errors import TooMany
from orchestrator.repos.slots import Slots


def test_twenty_at_once_all_come_to_their_turn_and_no_more_than_allowed_run():
    slots, running, most = Slots(4, 2), [], []

    async def one(who: str) -> None:
        async with slots.take(who):
            running.append(who)
            most.append((len(running), running.count(who)))
            for _ in range(3):
                await asyncio.wait({asyncio.get_running_loop().run_in_executor(None, int)})
            running.remove(who)

    async def all_of_them() -> None:
        await asyncio.gather(*(one(who) for who in ["ada"] * 10 + ["bob"] * 5 + ["eve"] * 5))
        assert slots._room("ada") and not slots._taken

    asyncio.run(all_of_them())
    assert max(total for total, _ in most) <= 4 and max(each for _, each in most) == 2


def test_patience_ends_and_leaves_nobody_in_the_queue():
    async def story() -> None:
        slots = Slots(4, 1, patience=0.01)
        async with slots.take("ada"):
            with pytest.raises(TooMany):
                async with slots.take("ada"):
                    pass
            async with slots.take("bob"):  # others are not held up
                pass
        async with slots.take("ada"):
            assert not slots._waiting

    asyncio.run(story())


def test_who_leaves_while_waiting_takes_nothing_along():
    async def story() -> None:
        slots = Slots(1, 1)
        async with slots.take("ada"):
            left = asyncio.create_task(slots.take("bob").__aenter__())
            asyncio.get_running_loop().call_soon(left.cancel)
            await asyncio.wait({left})
        left = asyncio.create_task(slots.take("bob").__aenter__())
        async with asyncio.timeout(5):
            await left
        queued = asyncio.create_task(slots.take("eve").__aenter__())
        await asyncio.wait({queued}, timeout=0.01)
        slots._give("bob")  # it is eve's turn now, and she leaves before she hears of it
        queued.cancel()
        await asyncio.wait({queued})
        assert slots._room("ada")

    asyncio.run(story())


def test_a_queue_that_is_too_long_is_refused_at_once():
    async def story() -> None:
        slots = Slots(1, 1)
        async with slots.take("ada"):
            waiting = [asyncio.create_task(slots.take("ada").__aenter__()) for _ in range(8)]
            await asyncio.wait(waiting, timeout=0.01)
            with pytest.raises(TooMany):
                await slots.take("ada").__aenter__()
            for one in waiting:
                one.cancel()
            await asyncio.wait(waiting)

    asyncio.run(story())
