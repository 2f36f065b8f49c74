"""A log as a stream of server-sent events, from where the browser was, without a gap. Owns the batches, what comes after the end
of a log, and what is told beside it; which log it is, the page says."""

import asyncio
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass

from orchestrator.api.sse import LIFE, PING, PING_EVERY, event
from orchestrator.errors import CallerError, PodiumError
from orchestrator.ports import Bell, LogLine, Logs

BATCH = 2000  #: lines of one event
LOOK_EVERY = 2.0  #: seconds after which the next log of a Space is looked for, when no bell told of it


@dataclass(frozen=True, slots=True)
class Part:
    """Lines of a log that were written from `begin` until before `until` (epoch seconds). `name` is "" while there is no log.
    `over`: no other log follows on this one; `closed`: nor any line."""

    name: str
    begin: float = 0.0
    until: float = float("inf")
    over: bool = False
    closed: bool = False

    def cut(self, lines: list[LogLine]) -> list[LogLine]:
        """Those of `lines`, in order, that belong to it."""
        if not self.begin and self.until == float("inf"):
            return lines
        return lines[bisect_left(lines, self.begin, key=_at) : bisect_left(lines, self.until, key=_at)]


def _at(line: LogLine) -> float:
    return line.at


async def frames(logs: Logs, bell: Bell, now: Callable[[], Part], resume: str, tail: int) -> AsyncIterator[bytes]:
    """`stream` with the name of a log, its `lines` as [[epoch seconds, text], …], `end`; then the next log of this Space when
    there is one (not `over`). Each event's id is `<log> <lines read>`, so a browser that comes back goes on where it was.
    `tail`: begin with the last so many lines."""
    loop = asyncio.get_running_loop()
    ends, read_to_end, quiet = loop.time() + LIFE, "", loop.time()
    with bell.hearing("routes") as rung:
        while loop.time() < ends:
            try:
                part = await asyncio.to_thread(now)
            except CallerError:
                return
            if not part.name or part.name == read_to_end:
                if loop.time() - quiet >= PING_EVERY:
                    quiet = loop.time()
                    yield PING
                await rung(LOOK_EVERY)
                continue
            name = part.name
            at = _resumed(resume, name)
            if at is None:
                at = await asyncio.to_thread(_skip, logs, name, tail) if tail else 0
                yield event("stream", {"name": name, "from": at}, f"{name} {at}")
            resume = ""
            async for lines in _batches(logs, part, at):
                at = lines[-1].index + 1 if lines else at
                yield event("lines", [[round(x.at, 3), x.text] for x in lines], f"{name} {at}") if lines else PING
                quiet = loop.time()
            yield event("end", {"over": part.over}, f"{name} {at}")
            if part.over:
                return
            read_to_end = name


async def beside(lines: AsyncIterator[bytes], news: Callable[[], bytes]) -> AsyncIterator[bytes]:
    """The frames of a log, and between them what `news()` finds every few seconds, b"" for nothing. A slow one holds up no line;
    one that is refused, since access was lost, ends the stream."""

    async def later(pause: float) -> bytes | None:
        await asyncio.sleep(pause)
        try:
            return await asyncio.to_thread(news)
        except CallerError:
            return None
        except PodiumError:
            return b""  # the database is away; the log may not be

    coming, looking = asyncio.ensure_future(anext(lines)), asyncio.ensure_future(later(0.0))
    try:
        while True:
            await asyncio.wait([coming, looking], return_when=asyncio.FIRST_COMPLETED)
            if looking.done():
                found = looking.result()
                if found is None:
                    return
                looking = asyncio.ensure_future(later(LOOK_EVERY))
                if found:
                    yield found
            if coming.done():
                try:
                    frame = coming.result()
                except StopAsyncIteration:
                    return
                coming = asyncio.ensure_future(anext(lines))
                yield frame
    finally:
        for task in (coming, looking):
            task.cancel()
        await asyncio.gather(coming, looking, return_exceptions=True)
        await lines.aclose()


def _resumed(ident: str, name: str) -> int | None:
    known, _, count = ident.rpartition(" ")
    return int(count) if known == name and count.isdecimal() and len(count) < 10 else None


def _skip(logs: Logs, name: str, tail: int) -> int:
    there = logs.tail(name, tail)
    return there[0].index if there else 0


async def _batches(logs: Logs, part: Part, start: int) -> AsyncIterator[list[LogLine]]:
    """What is there at once, then what comes as it comes, up to BATCH lines a time; an empty list when nothing came."""
    there, _ = await asyncio.to_thread(logs.read, part.name, start)
    wanted = part.cut(there)
    for index in range(0, len(wanted), BATCH):
        yield wanted[index : index + BATCH]
        await asyncio.sleep(0)  # a long log must not hold up everybody else
    if part.closed or (there and there[-1].at >= part.until):
        return
    queue: asyncio.Queue[LogLine | None] = asyncio.Queue(BATCH)

    async def pump() -> None:
        async for line in logs.follow(part.name, there[-1].index + 1 if there else start):
            if line.at >= part.until:
                break
            if line.at >= part.begin:
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
