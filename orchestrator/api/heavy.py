"""What takes seconds or minutes: a commit of thousands of files, a shard, an object of many parts. In threads of its own, so that
however many of them are asked for, questions find a thread."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Request

AT_ONCE = 16
T = TypeVar("T")


async def heavy(request: Request, do: Callable[..., T], *args: object) -> T:
    """`do(*args)` in one of these threads, after those who came before."""
    state = request.app.state
    if not hasattr(state, "heavy"):  # of the event loop that serves
        state.heavy = CapacityLimiter(AT_ONCE)
    return await to_thread.run_sync(partial(do, *args), limiter=state.heavy)
