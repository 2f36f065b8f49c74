"""After the 101: bytes both ways, nothing else. Owns the pump and notices data frames, which count as use."""

import asyncio

from orchestrator.gateway.client import Client
from orchestrator.gateway.forward import Upstream
from orchestrator.gateway.request import Request


class Frames:
    """Reads WebSocket frame headers as they pass by, across any split, without unmasking. RFC 6455, section 5.2."""

    __slots__ = ("_partial", "_skip")

    def __init__(self) -> None:
        self._skip = 0  # bytes of payload still to come
        self._partial = b""  # an unfinished header

    def data_in(self, data: bytes) -> bool:
        """Did a data frame (text, binary or a continuation) begin in these bytes, or go on in them?"""
        found = self._skip > 125  # control frames are shorter
        at = 0
        if self._partial:
            data = self._partial + data
            self._partial = b""
        elif self._skip:
            at = min(self._skip, len(data))
            self._skip -= at
        end = len(data)
        while at < end:
            if end - at < 2:
                break
            kind, size = data[at] & 0x0F, data[at + 1] & 0x7F
            header = 2 + (4 if data[at + 1] & 0x80 else 0) + (2 if size == 126 else 8 if size == 127 else 0)
            if end - at < header:
                break
            if size >= 126:
                size = int.from_bytes(data[at + 2 : at + (4 if size == 126 else 10)], "big")
            found = found or kind <= 2
            at += header + size
            if at > end:
                self._skip, at = at - end, end
        self._partial = data[at:end]
        return found


class Tunnel:
    """Two ends of one upgraded connection. `used_at`: the last sweep's clock at which a data frame went to the app."""

    __slots__ = ("app", "frames", "gate", "request", "used_at", "visitor")

    def __init__(self, gate: object, client: Client, upstream: Upstream, request: Request) -> None:
        self.gate = gate
        self.request = request
        self.frames = Frames()
        self.used_at = 0.0
        self.visitor = End(self, client.transport, request.route is not None)
        self.app = End(self, upstream.transport, False)
        self.visitor.other, self.app.other = self.app, self.visitor
        client.transport.set_protocol(self.visitor)
        upstream.transport.set_protocol(self.app)

    def close(self) -> None:
        self.visitor.transport.close()
        self.app.transport.close()

    def ended(self) -> None:
        """Called by each end; the first call counts."""
        if self.gate is not None:
            gate, self.gate = self.gate, None
            gate.tunnel_ended(self)


class End(asyncio.Protocol):
    """One end: what it receives, the other one sends."""

    __slots__ = ("counts", "other", "transport", "tunnel")

    def __init__(self, tunnel: Tunnel, transport: asyncio.Transport, counts: bool) -> None:
        self.tunnel = tunnel
        self.transport = transport
        self.other: End | None = None
        self.counts = counts  # its data frames are use

    def data_received(self, data: bytes) -> None:
        if self.counts:
            tunnel = self.tunnel
            if tunnel.frames.data_in(data) and tunnel.gate is not None:
                tunnel.used_at = tunnel.gate.now
        elif self.tunnel is not None:
            self.tunnel.request.sent += len(data)
        if not self.other.transport.is_closing():
            self.other.transport.write(data)

    def pause_writing(self) -> None:
        if not self.other.transport.is_closing():
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if not self.other.transport.is_closing():
            self.other.transport.resume_reading()

    def eof_received(self) -> None:
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self.other.transport.close()  # after what is still to be sent
        self.tunnel.ended()


def begin(gate: object, request: Request, upstream: Upstream, rest: bytes) -> Tunnel:
    """Take both connections from HTTP. `rest`: bytes that the app sent right behind its 101."""
    client = request.client
    request.status = 101
    tunnel = Tunnel(gate, client, upstream, request)
    client.request = client.incoming = client.parser = None
    if rest:
        tunnel.app.data_received(rest)
    if request.early:
        tunnel.visitor.data_received(request.early)
        request.early = b""
    if client.paused:
        client.transport.resume_reading()
    return tunnel
