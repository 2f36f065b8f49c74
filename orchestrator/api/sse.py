"""Server-sent events: frames, a sign of life while nothing happens, and a response that no proxy holds back. The pages use
them too."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi.responses import StreamingResponse

PING = b": still here\n\n"
PING_EVERY = 15.0  #: seconds; more than 5: a client that does not follow takes 5 s of silence for the end of a log
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
