"""Live streams about a Space as server-sent events: its logs (hub-api reference 3.4) and its stages (3.5)."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from orchestrator.api import views
from orchestrator.api.identity import PartsDep, caller_of
from orchestrator.api.params import Name, Owner, SpaceDep
from orchestrator.api.parts import Parts
from orchestrator.api.spaces import SPACE
from orchestrator.api.sse import event, stream, while_allowed
from orchestrator.domain.caller import Caller, role_on
from orchestrator.domain.load import Load
from orchestrator.domain.records import Space
from orchestrator.domain.space import Role
from orchestrator.domain.streams import build_stream, run_stream
from orchestrator.ports import LogLine

router = APIRouter(tags=["logs"])
_POLL = 2.0


@router.get(SPACE + "/logs/{which}", response_class=StreamingResponse)
async def logs(
    request: Request, which: Literal["build", "run"], owner: Owner, name: Name, parts: PartsDep, space: SpaceDep
):
    """The log from its first line, then new lines as they come, until it ends. A reconnect starts at the first line again,
    which is what clients count on; `Last-Event-ID` is not looked at. For the people of the Space only: logs may hold what
    visitors typed. A read token of theirs is enough."""

    def allowed() -> Space:
        return parts.spaces.find(_reader(request), owner, name, Role.WRITE)

    await asyncio.to_thread(allowed)
    name_of_log = await asyncio.to_thread(stream_of, parts, space, which)
    lines = _follow(parts, name_of_log) if name_of_log else _nothing()
    return stream(while_allowed(lines, allowed))


def _reader(request: Request) -> Caller:
    """The caller as of now, who may read here what they may change elsewhere. Raises Unauthorized."""
    caller = caller_of(request)
    return replace(caller, limit=Role.ADMIN) if caller.user else caller


def stream_of(parts: Parts, space: Space, which: str) -> str:
    """The log of the newest build, or of the instance that says most about now; "" if there is none."""
    if which == "build":
        newest = parts.spaces.current_build(space)
        return build_stream(newest.key) if newest else ""
    build = parts.queue.look(space)
    return run_stream(space, build.image if build else None)


async def _follow(parts: Parts, name: str) -> AsyncIterator[bytes]:
    async for line in parts.logs.follow(name, 0):
        yield log_event(line)


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


def log_event(line: LogLine) -> bytes:
    """One event in the one form that the client recognises: a single line that starts with `data: {`."""
    return f"data: {json.dumps({'data': line.text + chr(10), 'timestamp': views.iso(line.at)})}\n\n".encode()


@router.get(SPACE + "/events", response_class=StreamingResponse)
async def events(request: Request, space: SpaceDep, parts: PartsDep):
    """The runtime now and after each change, as events `status`, until the Space is gone."""
    told = _changes(parts, space, "status", lambda now: views.runtime(now, parts.app_url(now.label)))
    return stream(while_allowed(told, lambda: parts.spaces.find(caller_of(request), space.owner, space.name)))


@router.get(SPACE + "/metrics", response_class=StreamingResponse)
async def metrics(request: Request, space: SpaceDep, parts: PartsDep):
    """How it runs, since when, on what, and when it was last used, now and after each change, as events `metric`; for its people
    also what it takes of its hardware, every few seconds, by the names that the Hub gives it. What nobody can tell is null."""
    inside = role_on(await asyncio.to_thread(_reader, request), space) >= Role.WRITE
    needed = Role.WRITE if inside else Role.READ
    told = _changes(parts, space, "metric", lambda now: _metric(parts, now, inside))
    return stream(while_allowed(told, lambda: parts.spaces.find(_reader(request), space.owner, space.name, needed)))


def _metric(parts: Parts, space: Space, inside: bool) -> dict:
    told = views.runtime(space, parts.app_url(space.label))
    kept = {key: told[key] for key in ("stage", "hardware", "replicas", "since")}
    kept |= {"lastUsedAt": views.iso(space.last_activity)}
    if not inside:
        return kept
    flavor = parts.allotment.flavors.get(space.running_hardware or space.wish.hardware)
    return kept | views.load(parts.loads.now(space) or Load(), flavor, space.wish.replicas, space.instance)


async def _changes(parts: Parts, space: Space, name: str, tell: Callable[[Space], dict]) -> AsyncIterator[bytes]:
    """What is told of the Space, whenever it is something else than before, until it is gone or access to it was changed."""
    last: dict | None = None
    with parts.bell.hearing("routes") as rung:
        while True:
            now = await asyncio.to_thread(parts.spaces.get, space.id)
            if now is None or now.wish.deleted or now.access_epoch != space.access_epoch:
                return
            told = await asyncio.to_thread(tell, now)
            if told != last:
                last = told
                yield event(name, told)
            await rung(_POLL)
