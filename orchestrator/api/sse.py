"""Server-sent events: frames, a sign of life while nothing happens, and a response that no proxy holds back. The pages use
them too."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

from fastapi.responses import StreamingResponse

from orchestrator.errors import CallerError

PING = b": still here\n\n"
PING_EVERY = 15.0  #: seconds; more than 5: a client that does not follow takes 5 s of silence for the end of a log
ANEW = 15.0  #: seconds after which a stream asks again whether its reader may have it
LIFE = 3600.0  #: seconds after which a browser is told to connect again: access is looked at afresh


def event(name: str, data: Any, ident: str = "") -> bytes:
    head = f"id: {ident}\n" if ident else ""
    return f"{head}event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def stream(frames: AsyncIterator[bytes]) -> StreamingResponse:
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}
    return StreamingResponse(frames, media_type="text/event-stream", headers=headers)


async def kept_alive(events: AsyncIterator[bytes], every: float = PING_EVERY) -> AsyncIterator[bytes]:
    """The events, and a comment after each `every` seconds of silence; the first comment at once opens the stream."""
    yield b": podium\n\n"
    coming: asyncio.Task[bytes] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait([coming], timeout=every)
            if not done:
                yield PING
                continue
            try:
                frame = coming.result()
            except StopAsyncIteration:
                return
            coming = None
            yield frame
    finally:
        if coming:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
        await events.aclose()


async def while_allowed(events: AsyncIterator[bytes], allowed: Callable[[], object]) -> AsyncIterator[bytes]:
    """The events for as long as `allowed`, asked now and then in a thread, does not raise CallerError: who is signed out, whose
    token was revoked, or who was put out of a repo hears no more of it. `events` are to have signs of life among them."""
    looked = time.monotonic()
    async with aclosing(kept_alive(events)) as kept:
        async for frame in kept:
            if time.monotonic() - looked >= ANEW:
                try:
                    await asyncio.to_thread(allowed)
                except CallerError:
                    return
                looked = time.monotonic()
            yield frame
