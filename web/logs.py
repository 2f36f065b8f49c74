"""The Logs tab: build and run logs, live and afterwards, and what became of earlier builds."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from orchestrator.api.sse import LIFE, PING, PING_EVERY, event, stream
from orchestrator.domain.records import Build, Space
from orchestrator.domain.seen import BuildState
from orchestrator.domain.space import Role
from orchestrator.domain.streams import build_stream, run_stream
from orchestrator.errors import CallerError, NotFound
from orchestrator.ports import LogLine, Logs
from web.page import Console
from web.repo import header
from web.session import Visit
from web.story import wanted_build, where

BATCH = 1000  #: lines of one event
KINDS = ("build", "run")


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    spaces, logs = console.parts.spaces, console.parts.logs

    def find(visit: Visit, owner: str, name: str) -> Space:
        return console.space(visit, owner, name, Role.WRITE)

    def source(space: Space, kind: str, number: int) -> str:
        """Name of the stream to read now; "" if there is none yet. Raises NotFound `BUILD` for a number that is not there."""
        builds = spaces.builds(space, 100)
        if number:
            return build_stream(_numbered(builds, number).key)
        wanted = wanted_build(space, builds) or (builds[0] if builds else None)
        if kind == "run":
            return run_stream(space, wanted.image if wanted else None)
        return build_stream(wanted.key) if wanted else ""

    @router.get("/spaces/{owner}/{name}/logs")
    def page(
        request: Request,
        owner: str,
        name: str,
        kind: str = "",
        build: int = 0,
        visit: Visit = Depends(console.member),
    ) -> Response:
        space = find(visit, owner, name)
        builds = spaces.builds(space, 30)
        if build:
            _numbered(builds, build)
        kind = "build" if build else kind if kind in KINDS else _interesting(space, builds)
        values = header(console, visit, space, "logs")
        wanted = wanted_build(space, builds)
        shown = _numbered(builds, build) if build else wanted
        failed = shown and shown.state is BuildState.FAILED
        fault = (shown.fault if failed else None) if kind == "build" else space.failures.fault
        values |= {"builds": builds, "kind": kind, "number": build, "wanted": wanted, "fault": fault}
        values |= {"fault_file": where(fault.where if fault else "")}
        return console.show(request, visit, "space/logs.html", **values)

    @router.get("/spaces/{owner}/{name}/logs/stream")
    def live(
        request: Request,
        owner: str,
        name: str,
        kind: str = "build",
        build: int = 0,
        tail: int = 0,
        last: str = "",
        visit: Visit = Depends(console.member),
    ) -> Response:
        space = find(visit, owner, name)
        source(space, kind, build)

        visits = console.visits(request, visit)

        def now() -> str:
            return source(find(visits(), owner, name), kind, build)

        resume = request.headers.get("last-event-id", "") or last
        return stream(_frames(logs, now, resume, once=bool(build), tail=max(0, min(tail, 1000))))

    @router.get("/spaces/{owner}/{name}/logs/text")
    def text(
        owner: str, name: str, kind: str = "build", build: int = 0, visit: Visit = Depends(console.member)
    ) -> Response:
        space = find(visit, owner, name)
        lines, _ = logs.read(source(space, kind, build))
        wanted = f"{space.owner}-{space.name}-{kind}{f'-{build}' if build else ''}.log"
        headers = {
            "Content-Disposition": f'attachment; filename="{wanted}"',
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }
        return StreamingResponse(map(_plain_line, lines), media_type="text/plain; charset=utf-8", headers=headers)

    return router


def _numbered(builds: list[Build], number: int) -> Build:
    found = next((b for b in builds if b.number == number), None)
    if found is None:
        raise NotFound("BUILD", f"There is no build {number} of this Space.")
    return found


def _interesting(space: Space, builds: list[Build]) -> str:
    """Which log is looked for, most likely: the build's while it builds or when it failed."""
    wanted = wanted_build(space, builds)
    return "run" if wanted and wanted.image else "build"


def _plain_line(line: LogLine) -> bytes:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(line.at))
    return f"{at} {line.text}\n".encode("utf-8", "replace")


async def _frames(logs: Logs, now, resume: str, once: bool, tail: int) -> AsyncIterator[bytes]:
    """`stream` with the name of a log, its `lines` as [[epoch seconds, text], …], `end`; then the next log of this Space when
    there is one. Each event's id is `<log> <lines sent>`, so a browser that comes back goes on where it was."""
    loop = asyncio.get_running_loop()
    ends, read_to_end, quiet = loop.time() + LIFE, "", loop.time()
    while loop.time() < ends:
        try:
            name = await asyncio.to_thread(now)
        except CallerError:
            return
        if not name or name == read_to_end:
            if loop.time() - quiet >= PING_EVERY:
                quiet = loop.time()
                yield PING
            await asyncio.sleep(0.5)
            continue
        at = _resumed(resume, name)
        if at is None:
            at = await asyncio.to_thread(_skip, logs, name, tail) if tail else 0
            yield event("stream", {"name": name, "from": at}, f"{name} {at}")
        resume = ""
        async for lines in _batches(logs, name, at):
            at = lines[-1].index + 1 if lines else at
            yield event("lines", [[round(x.at, 3), x.text] for x in lines], f"{name} {at}") if lines else PING
            quiet = loop.time()
        yield event("end", {}, f"{name} {at}")
        if once:
            return
        read_to_end = name


def _resumed(ident: str, name: str) -> int | None:
    known, _, count = ident.rpartition(" ")
    return int(count) if known == name and count.isdecimal() and len(count) < 10 else None


def _skip(logs: Logs, name: str, tail: int) -> int:
    there = logs.tail(name, tail)
    return there[0].index if there else 0


async def _batches(logs: Logs, name: str, start: int) -> AsyncIterator[list[LogLine]]:
    """What is there at once, then what comes as it comes, up to BATCH lines a time; an empty list when nothing came."""
    there, _ = await asyncio.to_thread(logs.read, name, start)
    for index in range(0, len(there), BATCH):
        yield there[index : index + BATCH]
    queue: asyncio.Queue[LogLine | None] = asyncio.Queue(BATCH)

    async def pump() -> None:
        async for line in logs.follow(name, there[-1].index + 1 if there else start):
            await queue.put(line)
        await queue.put(None)

    task = asyncio.create_task(pump())
    try:
        while True:
            try:
                lines = [await asyncio.wait_for(queue.get(), PING_EVERY)]
            except TimeoutError:
                yield []
                if task.done():
                    return
                continue
            while not queue.empty() and len(lines) < BATCH:
                lines.append(queue.get_nowait())
            kept = [line for line in lines if line is not None]
            if kept:
                yield kept
            if len(kept) < len(lines):
                return
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task
