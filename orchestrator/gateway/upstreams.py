"""The way from a request to a replica of its Space: which one, over which connections, and what else when it refuses. Owns no
state; connections themselves are in `pool`, the choice is `affinity`'s."""

import asyncio
import logging
import secrets
from collections.abc import Sequence
from time import monotonic

from orchestrator.errors import Unavailable
from orchestrator.gateway import affinity, answers
from orchestrator.gateway.pool import Pool
from orchestrator.gateway.request import Request
from orchestrator.gateway.routes import Route

log = logging.getLogger(__name__)
_RETRY_EVERY = 0.1
_AWAY_FOR = 3.0  #: seconds for which a replica that refused a connection is not tried first


def pool_for(gate: object, request: Request, route: Route) -> Pool:
    """The connections that this request goes over."""
    if len(route.addresses) == 1:
        route.pool = _pool(gate, route, route.address)
        return route.pool
    noted = request.noted
    seat = affinity.seat_in(noted.get(b"cookie"), gate.access.replica_name)
    before, where, opens = affinity.pinned(seat, route.addresses), route.addresses, False
    if seat is not None:
        # Its replica may have ended while there was one other, which has served it since: the one that came after is too new.
        key, where = seat[0], route.settled(monotonic())
    elif opens := request.method == b"GET" and request.wants_page:
        key = affinity.number(secrets.randbelow(affinity.KEYS))
    else:
        key, where = request.address.encode(), route.settled(monotonic())
    pool = _first(gate, route, key, before, where)
    if pool.address != before and (opens or seat is not None or b"sec-fetch-mode" in noted):
        key = key if opens or seat is not None else affinity.number(secrets.randbelow(affinity.KEYS))
        request.replica = gate.access.replica_cookie(key, affinity.tag(pool.address))
    return pool


def _first(gate: object, route: Route, key: bytes, before: str, where: Sequence[str]) -> Pool:
    """The first replica of those that take connections: the one `before`, then those `where` it is placed, then all others."""
    if not any(pool.away_until > gate.now for pool in route.pools.values()):
        return _pool(gate, route, before or affinity.choose(key, where))
    now, rest = monotonic(), [address for address in route.addresses if address not in where]
    order = [*([before] if before else ()), *affinity.ranked(key, where), *affinity.ranked(key, rest)]
    pools = [_pool(gate, route, address) for address in order]
    return next((pool for pool in pools if pool.away_until <= now), pools[0])


def _pool(gate: object, route: Route, address: str) -> Pool:
    pool = route.pools.get(address)
    if pool is None:
        pool = route.pools[address] = Pool(gate, address)
    return pool


async def connect(gate: object, request: Request, pool: Pool) -> None:
    """Send a request over a new connection."""
    try:
        upstream = await pool.connect()
    except Unavailable as error:
        _unreachable(gate, request, pool, str(error))
        return
    if request.client.request is not request:
        upstream.close()
    elif pool.retired:
        upstream.close()
        gate.dispatch(request)
    else:
        upstream.begin(request)
        gate.unpause(request)


def _unreachable(gate: object, request: Request, pool: Pool, reason: str) -> None:
    """Nothing was sent yet, so it may be tried again for a while: with another replica at once, or because an app may be about
    to be replaced, the control plane may be restarting."""
    if request.client.request is not request:
        return
    now = monotonic()
    request.first_try = request.first_try or now
    if now - request.first_try < gate.config.retry_timeout:
        others = not pool.console and _others(request.route, pool, now)
        pool.away_until = now + _AWAY_FOR
        asyncio.get_running_loop().call_later(0.0 if others else _RETRY_EVERY, gate.dispatch, request)
    elif pool.console:
        request.outcome = "unreachable"
        answers.console_away(gate, request)
    else:
        log.warning("%s: %s", request.route.id, reason)
        request.outcome = "unreachable"
        answers.failed(gate, request, 502, "the connection to it was refused")


def _others(route: Route, refused: Pool, now: float) -> bool:
    """Whether another replica may be asked instead."""
    pools = route.pools
    return any(
        address != refused.address and (address not in pools or pools[address].away_until <= now)
        for address in route.addresses
    )


def elsewhere(gate: object, request: Request, pool: Pool) -> bool:
    """A replica closed the connection instead of answering: have another one answer what may be sent twice. False: there is
    none, or it was tried."""
    if pool.console or request.retried or not request.replayable or not _others(request.route, pool, monotonic()):
        return False
    pool.away_until = monotonic() + _AWAY_FOR
    request.retried = True
    gate.dispatch(request)
    return True
