"""Who asks for whom, and not too often? The first look at each request. Owns what is remembered of a connection between its
requests; names are `hosts`' and the table's, counters `limits`'."""

from orchestrator.gateway import answers, headers
from orchestrator.gateway.hosts import name_of
from orchestrator.gateway.request import COOKIE_LIMIT, Request


def admit(gate: object, request: Request) -> bool:
    """Whether the request may go on; otherwise it was answered. Fills its door, address, scheme and suffix."""
    client, noted = request.client, request.noted
    hops = gate.config.trusted_proxies
    key = (request.host, noted.get(b"x-forwarded-for"), noted.get(b"x-forwarded-proto")) if hops else request.host
    if client.forwarding_key != key:
        door = gate.hosts.door(request.host)
        address, scheme = headers.client_of(client.peer, noted, gate.scheme, hops)
        lines = headers.forwarded(address, scheme, request.host)
        bucket = gate.rates.bucket(address, door, gate.now) if door and gate.rates else None
        client.forwarding_key, client.forwarding = key, (door, address, scheme, lines, bucket)
    request.door, request.address, request.scheme, request.suffix, bucket = client.forwarding
    request.outcome = "refused"
    if request.door is None:
        # Maybe a domain of people's own. Never remembered: it may be taken away while the connection stays.
        request.door = label = gate.table.label_at(name_of(request.host))
        bucket = gate.rates.bucket(request.address, label, gate.now) if label and gate.rates else None
    if request.door is None:
        (answers.misdirected if gate.table.informed else answers.unknowing)(gate, request)
        return False
    if len(noted.get(b"cookie", b"")) > COOKIE_LIMIT:
        request.keep_alive = False
        answers.cookies_too_large(gate, request)
        return False
    if bucket is not None and not bucket.take(request.started):
        answers.too_fast(gate, request, bucket.wait, bucket.rate, bucket.burst)
        return False
    return True
