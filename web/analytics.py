"""What became of a Space, for its owners: visits, visitors, failures, how long answers took, how long it ran, what it took."""

import time
from statistics import median

from fastapi import APIRouter, Depends, Request, Response

from orchestrator.domain.hardware import Hardware
from orchestrator.domain.load import Span
from orchestrator.domain.records import Run
from orchestrator.domain.space import Role
from orchestrator.domain.visits import quantile
from web.charts import columns, curves, lines
from web.page import Console
from web.repo import header
from web.session import Visit

UNTOLD = "the cluster has no metrics-server, or Podium may not ask it."
SPANS = {"1": "24 hours", "7": "7 days", "30": "30 days", "90": "90 days"}


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    visits, loads = console.parts.visits, console.parts.loads

    @router.get("/spaces/{owner}/{name}/analytics")
    def analytics(
        request: Request, owner: str, name: str, days: str = "7", visit: Visit = Depends(console.member)
    ) -> Response:
        space = console.space(visit, owner, name, Role.WRITE)
        days = days if days in SPANS else "7"
        bars, whole = visits.of_space(visit.caller, space, int(days))
        names = [time.strftime("%H:%M" if days == "1" else "%-d %b", time.gmtime(bar.at)) for bar in bars]
        every = max(1, len(bars) // 8)
        unit = "hour" if days == "1" else "day"
        slow = [(quantile(bar.counted.slow, 0.5), quantile(bar.counted.slow, 0.95)) for bar in bars]
        charts = [
            ("Page views", columns(_of(names, [bar.counted.pages for bar in bars]), f"page views by {unit}", 0, every)),
            (
                "Visitors",
                columns(_of(names, [bar.visitors or 0 for bar in bars]), "visitors by day", 0, every)
                if days != "1"
                else "",
            ),
            ("Requests", columns(_of(names, [bar.counted.requests for bar in bars]), f"requests by {unit}", 0, every)),
            (
                "Failed answers",
                columns(_of(names, [bar.counted.errors for bar in bars]), f"failures by {unit}", 0, every, bad=True),
            ),
            (
                "Milliseconds to the end of an answer",
                lines(
                    [("half of them", _ms(slow, 0)), ("95 %", _ms(slow, 1))], names, f"time to answer by {unit}", every
                ),
            ),
            ("Minutes up", columns(_of(names, [bar.up / 60 for bar in bars]), f"minutes up by {unit}", 0, every)),
        ]
        values = header(console, visit, space, "analytics") | {
            "charts": [(words, drawn) for words, drawn in charts if drawn],
            "taken": taken(
                loads.of_space(visit.caller, space, int(days)),
                "%H:%M" if days == "1" else "%-d %b",
                console.parts.allotment.flavors.get(space.running_hardware or space.wish.hardware),
                space.wish.replicas,
            ),
            "told": loads.told,
            "untold": UNTOLD,
            "whole": whole,
            "median": quantile(whole.counted.slow, 0.5),
            "starting": _starting(console.parts.spaces.runs(space, 50), whole.at),
            "slowest": quantile(whole.counted.slow, 0.95),
            "days": days,
            "spans": SPANS,
        }
        return console.show(request, visit, "space/analytics.html", **values)

    return router


def _starting(runs: list[Run], since: float) -> float | None:
    """Seconds from being wanted to the first answer, of half of the starts since then; None without any."""
    took = [run.ready_at - run.asked_at for run in runs if run.ready_at and run.started_at >= since]
    return median(took) if took else None


def taken(
    spans: list[Span], form: str, hardware: Hardware | None, copies: int = 1
) -> list[tuple[str, str, tuple[str, ...]]]:
    """(words, chart, what its lines are) of what is known. Pure."""
    names = [time.strftime(form, time.gmtime(span.at)) for span in spans]
    every, mb, both = max(1, len(spans) // 8), 1e6, ("on average", "most in a minute")
    cpu = [("average", [s.cpu for s in spans]), ("most", [s.cpu_peak for s in spans])]
    memory = [("average", [_over(s.memory, mb) for s in spans]), ("most", [_over(s.memory_peak, mb) for s in spans])]
    gpu = [("busy", [_over(s.gpu, 0.01) for s in spans])]
    vram = [("average", [_over(s.gpu_memory, mb) for s in spans])]
    of_cpu, of_memory = (
        (f" of {hardware.cpu * copies:g}", f" of {hardware.memory * copies / mb:,.0f}") if hardware else ("", "")
    )
    drawn = [
        (f"CPU, cores{of_cpu}", curves(cpu, names, "cores used", every), both),
        (f"Memory, MB{of_memory}", curves(memory, names, "megabytes of memory used", every), both),
        ("Accelerator, %", curves(gpu, names, "per cent of the time that accelerators were busy", every), ()),
        ("Accelerator's memory, MB", curves(vram, names, "megabytes of accelerators used", every), ()),
    ]
    return [one for one in drawn if one[1]]


def _over(value: float | None, unit: float) -> float | None:
    return None if value is None else value / unit


def _of(names: list[str], values: list[float]) -> list[tuple[str, float]]:
    return list(zip(names, values, strict=True))


def _ms(slow: list[tuple[float | None, float | None]], which: int) -> list[float | None]:
    return [None if pair[which] is None else pair[which] * 1000 for pair in slow]
