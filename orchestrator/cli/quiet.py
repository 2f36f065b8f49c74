"""A uvicorn server that rests while nothing happens: uvicorn's own looks ten times a second whether it is to end. Owns that wait
and nothing of what is served."""

import asyncio
from contextlib import suppress
from types import FrameType

import uvicorn

_TICK = 1.0  #: seconds; the Date of answers is this old at most


class QuietServer(uvicorn.Server):
    _end: asyncio.Event | None = None
    _loop: asyncio.AbstractEventLoop

    async def main_loop(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._end.wait(), _TICK)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        if self._end is not None:
            self._loop.call_soon_threadsafe(self._end.set)
