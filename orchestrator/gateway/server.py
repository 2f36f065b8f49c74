"""Starts and stops the gateway. Owns listening sockets, background work and the way down; `dispatch` owns the requests.

On SIGTERM or SIGINT: no new connections, WebSockets are closed, running requests may end until the drain deadline."""

import asyncio
import gc
import logging
import resource
import signal
import socket
from collections.abc import Callable
from time import monotonic

from orchestrator.gateway.client import Client
from orchestrator.gateway.clock import sweep
from orchestrator.gateway.config import GatewayConfig
from orchestrator.gateway.dispatch import Gateway
from orchestrator.gateway.feed import Snapshot

log = logging.getLogger(__name__)

_BACKLOG = 2048
_NEWS = 1.0  #: seconds that a start waits for what the control plane says now; connections wait in the backlog


def run(config: GatewayConfig) -> None:
    """Serve until SIGTERM or SIGINT. Raises OSError when a listen address cannot be had."""
    import uvloop

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    uvloop.run(serve(config))


async def serve(
    config: GatewayConfig, ready: Callable[[], None] | None = None, listening: Callable[[list], None] | None = None
) -> None:
    """Serve until cancelled or told to stop by a signal. `ready()` is called once connections are accepted,
    `listening(addresses)` before it with the real (host, port) pairs. Raises OSError when a listen address cannot be had."""
    gateway = Gateway(config)
    snapshot = Snapshot(gateway.table, config.snapshot)
    loaded = snapshot.load()
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    sockets = _listen(config.listen)
    servers: list[asyncio.Server] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, stop.set)
        except (ValueError, RuntimeError):  # not the main thread: whoever runs us stops us
            break
    work = [
        loop.create_task(_forever(job))
        for job in (
            gateway.feed.run,
            gateway.reports.run,
            gateway.tally.run,
            snapshot.run,
            lambda: _tick(gateway),
        )
    ]
    if loaded:
        await _news(gateway)
    servers += [await loop.create_server(lambda: Client(gateway), sock=sock, backlog=_BACKLOG) for sock in sockets]
    gc.collect()
    gc.freeze()
    if listening is not None:
        listening([sock.getsockname()[:2] for sock in sockets])
    if ready is not None:
        ready()
    try:
        await stop.wait()
        await _drain(gateway, servers)
    finally:
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        for server in servers:
            server.close()
        for client in tuple(gateway.clients):
            client.closing = True
            client.transport.abort()
        await gateway.reports.send()
        await gateway.tally.send()
        if gateway.table.informed:
            await snapshot.save()
        gateway.access_log.close()


async def _news(gateway: Gateway) -> None:
    """The file may be some seconds old: an app's version before must not come back for a moment."""
    until = monotonic() + _NEWS
    while not gateway.table.current and monotonic() < until:
        await asyncio.sleep(0.01)


async def _forever(job: Callable) -> None:
    """A background job that fails is a bug; it must not end the service as well."""
    while True:
        try:
            await job()
        except Exception:
            log.exception("a background job of the gateway failed; starting it again")
            await asyncio.sleep(1)


async def _tick(gateway: Gateway) -> None:
    while True:
        await asyncio.sleep(1)
        sweep(gateway)


async def _drain(gateway: Gateway, servers: list[asyncio.Server]) -> None:
    log.info("stopping: %d connections", len(gateway.clients))
    gateway.draining = True
    for server in servers:
        server.close()
    for tunnel in tuple(gateway.tunnels):
        tunnel.close()
    for client in tuple(gateway.clients):
        if client.request is None or client.request.outcome == "own":
            client.close()
    deadline = asyncio.get_running_loop().time() + gateway.config.drain_timeout
    while gateway.clients and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.02)


def _listen(addresses: tuple[tuple[str, int], ...]) -> list[socket.socket]:
    """Listening sockets, of which nobody accepts yet. Port 0 becomes the same free port everywhere; an IPv6 address is left out
    where there is no IPv6, as long as something else was bound."""
    sockets: list[socket.socket] = []
    port = 0
    for host, wanted in addresses:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
            _tune(sock)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((host, wanted or port))
            sock.listen(_BACKLOG)
        except OSError as error:
            sock.close()
            if family == socket.AF_INET6 and sockets and error.errno not in _TAKEN:
                log.warning("not listening on [%s]: %s", host, error)
                continue
            for other in sockets:
                other.close()
            raise OSError(error.errno, f"cannot listen on {host}:{wanted or port}: {error.strerror}") from error
        port = sock.getsockname()[1]
        sockets.append(sock)
    return sockets


def _tune(sock: socket.socket) -> None:
    """Accepted connections inherit these: a peer that vanished is noticed within two minutes."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4), ("TCP_USER_TIMEOUT", 120_000)):
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


_TAKEN = (98, 48, 13)  # address in use (Linux, macOS), permission denied: those are errors, not the absence of IPv6
