"""What happens because time passed, once a second: timeouts of visitors and apps, use by what is under way, rights that have
ended. Owns these rules; the coarse clock that everything else reads is `Gateway.now`, set here."""

from time import monotonic

from orchestrator.gateway import activity
from orchestrator.gateway.client import Client
from orchestrator.gateway.dispatch import Gateway
from orchestrator.gateway.request import Request
from orchestrator.gateway.upgrade import Tunnel

_KEEPS_FOR = 3600.0  # seconds that one request can keep a Space awake


def sweep(gate: Gateway) -> None:
    """One tick."""
    gate.now = now = monotonic()
    for client in tuple(gate.clients):
        request = client.request
        if request is not None and request.route is not None and request.upstream is not None:
            _passage(gate, client, request, now)
        _visitor(gate, client, now)
    for tunnel in tuple(gate.tunnels):
        _tunnel(gate, tunnel)
    for pool in tuple(gate.pools):
        pool.sweep(now)
        if not pool.idle and not pool.busy:
            gate.pools.discard(pool)
    if gate.rates is not None and int(now) % 10 == 0:
        gate.rates.sweep(now)
    gate.waiting.sweep(now)
    gate.access_log.tick()


def _passage(gate: Gateway, client: Client, request: Request, now: float) -> None:
    """A request on its way to an app."""
    route = request.route
    current = gate.table.get(request.door)
    if current is not route and (current is None or current.epoch != route.epoch):
        request.outcome = "revoked"
        client.close()
    elif request.keeps and now - request.started < _KEEPS_FOR:
        gate.reports.used(route.space)
    elif request.use & activity.FLOWS and request.sent != request.flowed:
        request.flowed = request.sent
        gate.reports.used(route.space)


def _visitor(gate: Gateway, client: Client, now: float) -> None:
    config = gate.config
    request = client.request
    if client.stalled is not None:
        _stalled(client, now, config.stall_timeout)
    if request is None:
        _between_requests(gate, client, now)
    elif request.until and now > request.until:
        request.give_up()
    elif not request.complete and not client.paused and now - client.progress > config.body_timeout:
        client.fail(408, f"The body stopped for {config.body_timeout:g} seconds.")
    elif request.upstream is not None and not request.begun and now - client.progress > config.response_timeout:
        gate.timed_out(request)


def _between_requests(gate: Gateway, client: Client, now: float) -> None:
    config = gate.config
    if client.rest is not None:
        if now > client.linger_until:
            client.close()
    elif client.header_since:
        if now - client.header_since > config.header_timeout:
            client.fail(408, f"The header did not arrive within {config.header_timeout:g} seconds.")
    elif now - client.idle_since > config.idle_timeout:
        client.close()


def _stalled(client: Client, now: float, timeout: float) -> None:
    """The visitor takes nothing of what was sent to it."""
    since, waiting = client.stalled
    size = client.transport.get_write_buffer_size()
    if size != waiting:
        client.stalled = (now, size)
    elif now - since > timeout:
        client.closing = True
        client.transport.abort()


def _tunnel(gate: Gateway, tunnel: Tunnel) -> None:
    route = tunnel.request.route
    if route is None:
        return
    current = gate.table.get(route.label)
    if current is None or current.epoch != route.epoch or current.state == "closed":
        tunnel.close()
    elif tunnel.used_at:
        tunnel.used_at = 0.0
        gate.reports.used(route.space)
