"""The Logs tab: build and run logs, live and afterwards, of now and of earlier builds and instances, and what a cluster says
beside. Owns which log is meant; how it flows is `log_stream.py`'s, what is drawn the browser's."""

import time

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from orchestrator.api.sse import event, stream
from orchestrator.domain.progress import wanted_build
from orchestrator.domain.records import Build, Run, Space
from orchestrator.domain.seen import BuildState, Event
from orchestrator.domain.space import Role
from orchestrator.domain.streams import build_stream, instance_stream, run_stream
from orchestrator.errors import NotFound, Unavailable
from orchestrator.ports import LogLine
from web.log_stream import Part, beside, frames
from web.page import Console
from web.repo import header
from web.session import Visit
from web.story import where

KINDS = ("build", "run")
PAST = 30  #: builds and instances that are listed


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    spaces, logs = console.parts.spaces, console.parts.logs

    def find(visit: Visit, owner: str, name: str) -> Space:
        return console.space(visit, owner, name, Role.WRITE)

    def part(space: Space, kind: str, number: int, run: int) -> Part:
        """What is to be read now. Raises NotFound `BUILD`, `RUN` for what is not there."""
        if run:
            return _of_run(*spaces.run(space, run))
        builds = spaces.builds(space, 100)
        if number:
            return Part(build_stream(_numbered(builds, number).key), over=True)
        wanted = wanted_build(space, builds) or (builds[0] if builds else None)
        if kind == "run":
            return Part(run_stream(space, wanted.image if wanted else None))
        return Part(build_stream(wanted.key) if wanted else "")

    def said_of(space: Space) -> tuple[list[Event], str]:
        """What a cluster says of it, or why that is not known."""
        try:
            return list(console.parts.events(space.id)), ""
        except Unavailable as error:
            return [], str(error)

    def shown(told: list[Event], trouble: str) -> str:
        return console.templates.get_template("space/_events.html").render(events=told, trouble=trouble)

    @router.get("/spaces/{owner}/{name}/logs")
    def page(
        request: Request,
        owner: str,
        name: str,
        kind: str = "",
        build: int = 0,
        run: int = 0,
        visit: Visit = Depends(console.member),
    ) -> Response:
        space = find(visit, owner, name)
        builds, runs = spaces.builds(space, PAST), spaces.runs(space, PAST)
        wanted = wanted_build(space, builds)
        if run:
            kind, one = "run", spaces.run(space, run)[1]
            revision, fault = one.revision, one.fault
        else:
            kind = "build" if build else kind if kind in KINDS else _interesting(wanted)
            shown = _numbered(builds, build) if build else wanted
            failed = shown and shown.state is BuildState.FAILED
            fault = (shown.fault if failed else None) if kind == "build" else space.failures.fault
            revision, one = shown.revision if shown else "", None
        values = header(console, visit, space, "logs")
        values |= {"builds": builds, "runs": runs, "kind": kind, "number": build, "run": one, "wanted": wanted}
        values |= {"fault": fault, "fault_file": where(fault.where if fault else ""), "revision": revision or "main"}
        values["asked"] = f"kind={kind}" + (f"&run={run}" if run else f"&build={build}" if build else "")
        return console.show(request, visit, "space/logs.html", **values)

    @router.get("/spaces/{owner}/{name}/logs/stream")
    def live(
        request: Request,
        owner: str,
        name: str,
        kind: str = "build",
        build: int = 0,
        run: int = 0,
        tail: int = 0,
        last: str = "",
        visit: Visit = Depends(console.member),
    ) -> Response:
        part(find(visit, owner, name), kind, build, run)

        visits = console.visits(request, visit)

        def now() -> Part:
            return part(find(visits(), owner, name), kind, build, run)

        said: tuple[list[Event], str] = [], ""

        def news() -> bytes:
            """What the cluster says, when that is something else than before."""
            nonlocal said
            told = said_of(find(visits(), owner, name))
            if told == said:
                return b""
            said = told
            return event("events", {"html": shown(*told)})

        resume = request.headers.get("last-event-id", "") or last
        lines = frames(logs, console.parts.bell, now, resume, tail=max(0, min(tail, 1000)))
        return stream(beside(lines, news))

    @router.get("/spaces/{owner}/{name}/logs/text")
    def text(
        owner: str,
        name: str,
        kind: str = "build",
        build: int = 0,
        run: int = 0,
        visit: Visit = Depends(console.member),
    ) -> Response:
        space = find(visit, owner, name)
        wanted = part(space, kind, build, run)
        lines = wanted.cut(logs.read(wanted.name)[0]) if wanted.name else []
        number = f"-{build}" if build else f"-instance-{run}" if run else ""
        headers = {
            "Content-Disposition": f'attachment; filename="{space.owner}-{space.name}-{kind}{number}.log"',
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }
        return StreamingResponse(map(_plain_line, lines), media_type="text/plain; charset=utf-8", headers=headers)

    @router.get("/spaces/{owner}/{name}/logs/events")
    def events(owner: str, name: str, visit: Visit = Depends(console.member)) -> Response:
        """What a cluster says, as a piece of the page: it is asked once the page is there, since it may be slow."""
        html = shown(*said_of(find(visit, owner, name)))
        return HTMLResponse(html, headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"})

    return router


def _of_run(before: Run | None, run: Run, after: Run | None) -> Part:
    """The lines of one run in the log that all runs of its instance share. Clocks differ a little from machine to machine, so
    the border between two is in the middle of the time between them."""

    def border(one: Run, next_one: Run) -> float:
        return ((one.ended_at or next_one.started_at) + next_one.started_at) / 2

    begin = border(before, run) if before else 0.0
    until = border(run, after) if after else float("inf")
    return Part(instance_stream(run.instance_id), begin, until, over=True, closed=run.ended_at is not None)


def _numbered(builds: list[Build], number: int) -> Build:
    found = next((b for b in builds if b.number == number), None)
    if found is None:
        raise NotFound("BUILD", f"There is no build {number} of this Space.")
    return found


def _interesting(wanted: Build | None) -> str:
    """Which log is looked for, most likely: the build's while it builds or when it failed."""
    return "run" if wanted and wanted.image else "build"


def _plain_line(line: LogLine) -> bytes:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(line.at))
    return f"{at} {line.text}\n".encode("utf-8", "replace")
