"""Requests that wait for a Space, and pages that watch one. Owns who waits for which label; the table says when."""

import asyncio
import json
import time
from collections.abc import Callable

from orchestrator.gateway import answers
from orchestrator.gateway.outcome import Outcome
from orchestrator.gateway.request import Request
from orchestrator.gateway.routes import Route

_KEEP_ALIVE = 15.0
_LISTEN = Outcome.LISTEN

_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
    b"X-Accel-Buffering: no\r\nConnection: close\r\n\r\n"
)


class Waiting:
    """`again(request)` is called for each held request when its route changed."""

    def __init__(self, again: Callable[[Request], None], limit: int) -> None:
        self._again = again
        self._limit = limit
        self._held: dict[bytes, dict[Request, None]] = {}
        self._watching: dict[bytes, dict[Request, bytes]] = {}

    def hold(self, request: Request) -> bool:
        """Keep a request until its route changes. False: too many wait already."""
        held = self._held.setdefault(request.door, {})
        if len(held) >= self._limit:
            return False
        held[request] = None
        return True

    def listened(self) -> None:
        """The table is up to date: whoever waited for just that is looked at again."""
        loop = asyncio.get_running_loop()
        for request in [request for held in self._held.values() for request in held if request.outcome == _LISTEN]:
            self.leave(request)
            loop.call_soon(self._again, request)

    def watch(self, request: Request, route: Route) -> None:
        """Tell a waiting page about its Space, as server-sent events, from now on."""
        event = _event(route)
        self._watching.setdefault(request.door, {})[request] = event
        request.status, request.begun, request.keep_alive = 200, True, False
        request.client.write(_STREAM_HEAD + event)

    def leave(self, request: Request) -> None:
        for crowd in (self._held, self._watching):
            waiting = crowd.get(request.door)
            if waiting is not None:
                waiting.pop(request, None)
                if not waiting:
                    del crowd[request.door]

    def changed(self, label: bytes, route: Route | None) -> None:
        """A route is different or gone."""
        held = self._held.pop(label, None)
        if held:
            loop = asyncio.get_running_loop()
            for request in held:
                loop.call_soon(self._again, request)
        watching = self._watching.get(label)
        if not watching:
            return
        event = _event(route) if route is not None else b"data: {}\n\n"
        for request, last in list(watching.items()):
            if route is None or route.epoch != request.route.epoch:
                request.client.close()  # what it may see has changed: the page asks again
            elif event != last:
                watching[request] = event
                request.sent += len(event)
                request.client.write(event)

    def sweep(self, now: float) -> None:
        """Comments keep proxies from closing quiet streams."""
        if int(now) % int(_KEEP_ALIVE):
            return
        for watching in self._watching.values():
            for request in watching:
                request.client.write(b": waiting\n\n")


def _event(route: Route) -> bytes:
    """Lengths of time rather than moments: a visitor's clock may be wrong."""
    now = time.time()
    told = {
        "state": route.state,
        "stage": answers.stage_title(route.stage),
        "reason": route.reason,
        "elapsed": answers.elapsed(route.since),
        "remaining": max(0, int(route.deadline - now)) if route.deadline else None,
        "steps": [
            [words, state, took if since is None else round(now - since, 1), usual]
            for words, state, took, since, usual in route.steps
        ],
    }
    return f"data: {json.dumps(told)}\n\n".encode()
