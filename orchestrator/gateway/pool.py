"""Connections to one upstream, kept open between requests. Owns which of them are good enough to be used again; what goes
over them is `forward`'s.

A pool belongs to one replica of one Space (or to the console), so a connection never serves two Spaces."""

import asyncio

from orchestrator.errors import Unavailable
from orchestrator.gateway.forward import Upstream
from orchestrator.gateway.request import Request

_IDLE_SECONDS = 3.0  # many servers close theirs after 5 s
_FRESH_SECONDS = 1.0  # a request that cannot be sent twice takes a connection that was used just now


class Pool:
    """Connections to one upstream. `address`: `host:port` or `unix:/path`; `console`: the control plane, else an app.
    `away_until`: a replica that refused a connection is chosen after its neighbours until then."""

    keeps = 64  #: open connections, at most
    __slots__ = ("address", "away_until", "busy", "console", "gate", "idle", "retired")

    def __init__(self, gate: object, address: str, console: bool = False) -> None:
        self.gate = gate
        self.address = address
        self.console = console
        self.idle: list[Upstream] = []
        self.busy = 0
        self.away_until = 0.0
        self.retired = False

    def take(self, request: Request) -> Upstream | None:
        """An open idle connection good enough for this request."""
        idle = self.idle
        if request.retried:
            return None
        now = self.gate.now
        while idle:
            upstream = idle.pop()
            age = now - upstream.idle_since
            if (
                age <= _FRESH_SECONDS or age <= _IDLE_SECONDS and request.replayable
            ) and not upstream.transport.is_closing():
                return upstream
            upstream.close()
        return None

    async def connect(self) -> Upstream:
        """A new connection. Raises Unavailable."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.gate.config.connect_timeout):
                if self.address.startswith("unix:"):
                    made = loop.create_unix_connection(lambda: Upstream(self), self.address[5:])
                else:
                    host, _, port = self.address.rpartition(":")
                    made = loop.create_connection(lambda: Upstream(self), host.strip("[]"), int(port))
                _, upstream = await made
        except (OSError, TimeoutError) as error:
            raise Unavailable(f"cannot connect to {self.address}: {error}") from error
        return upstream

    def sweep(self, now: float) -> None:
        while self.idle and now - self.idle[0].idle_since > _IDLE_SECONDS:
            self.idle.pop(0).close()

    def retire(self) -> None:
        """Its instance is not routed any more: what runs may end, nothing is kept."""
        self.retired = True
        for upstream in self.idle:
            upstream.close()
        self.idle.clear()
