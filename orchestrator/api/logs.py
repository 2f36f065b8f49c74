"""Live streams about a Space as server-sent events: its logs (hub-api reference 3.4) and its stages (3.5)."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from orchestrator.api import views
from orchestrator.api.identity import CallerDep, PartsDep
from orchestrator.api.params import Name, Owner, SpaceDep
from orchestrator.api.parts import Parts
from orchestrator.api.spaces import SPACE
from orchestrator.domain.records import Space
from orchestrator.domain.space import Role
from orchestrator.domain.streams import build_stream, run_stream
from orchestrator.ports import LogLine

router = APIRouter(tags=["logs"])
#: More than 5 s: a client that does not follow takes 5 s of silence for the end.
KEEP_ALIVE = 15.0
_POLL = 2.0
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}


@router.get(SPACE + "/logs/{which}", response_class=StreamingResponse)
async def logs(
    which: Literal["build", "run"], owner: Owner, name: Name, caller: CallerDep, parts: PartsDep, space: SpaceDep
):
    """The log from its first line, then new lines as they come, until it ends. A reconnect starts at the first line again,
    which is what clients count on; `Last-Event-ID` is not looked at. For the people of the Space only: logs may hold what
    visitors typed. A read token of theirs is enough."""
    reader = replace(caller, limit=Role.ADMIN) if caller.user else caller
    await asyncio.to_thread(parts.spaces.find, reader, owner, name, Role.WRITE)
    stream = await asyncio.to_thread(stream_of, parts, space, which)
    lines = _follow(parts, stream) if stream else _nothing()
    return StreamingResponse(kept_alive(lines, KEEP_ALIVE), media_type="text/event-stream", headers=_HEADERS)


def stream_of(parts: Parts, space: Space, which: str) -> str:
    """The log of the newest build, or of the instance that says most about now; "" if there is none."""
    if which == "build":
        newest = parts.spaces.current_build(space)
        return build_stream(newest.key) if newest else ""
    build = parts.queue.look(space)
    return run_stream(space, build.image if build else None)


async def _follow(parts: Parts, stream: str) -> AsyncIterator[str]:
    async for line in parts.logs.follow(stream, 0):
        yield log_event(line)


async def _nothing() -> AsyncIterator[str]:
    return
    yield ""


def log_event(line: LogLine) -> str:
    """One event in the one form that the client recognises: a single line that starts with `data: {`."""
    return f"data: {json.dumps({'data': line.text + chr(10), 'timestamp': views.iso(line.at)})}\n\n"


async def kept_alive(events: AsyncIterator[str], every: float) -> AsyncIterator[str]:
    """The events, and a comment after each `every` seconds of silence; the first comment at once opens the stream."""
    yield ": podium\n\n"
    coming: asyncio.Task[str] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait([coming], timeout=every)
            if not done:
                yield ": still here\n\n"
                continue
            try:
                event = coming.result()
            except StopAsyncIteration:
                return
            coming = None
            yield event
    finally:
        if coming:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
        await events.aclose()


@router.get(SPACE + "/events", response_class=StreamingResponse)
async def events(space: SpaceDep, caller: CallerDep, parts: PartsDep):
    """The runtime now and after each change, as events `status`, until the Space is gone."""
    stream = kept_alive(_stages(parts, space), KEEP_ALIVE)
    return StreamingResponse(stream, media_type="text/event-stream", headers=_HEADERS)


async def _stages(parts: Parts, space: Space) -> AsyncIterator[str]:
    last = ""
    with parts.bell.hearing("routes") as rung:
        while True:
            now = await asyncio.to_thread(parts.spaces.get, space.id)
            if now is None or now.wish.deleted or now.access_epoch != space.access_epoch:
                return
            told = json.dumps(views.runtime(now, parts.app_url(now.label)))
            if told != last:
                last = told
                yield f"event: status\ndata: {told}\n\n"
            await rung(_POLL)
