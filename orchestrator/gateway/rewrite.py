"""The header of an answer as the visitor gets it. Owns what is written anew of it (length, connection, the Space's own lines)
and which answers cannot be passed on at all; reads no bytes and sends none, see `forward`."""

from orchestrator.gateway import headers
from orchestrator.gateway.request import Request

_INTERIM_LIMIT = 20


class Broken(Exception):
    """The upstream's answer cannot be passed on; the message says why."""


def interim(upstream: object, request: Request, status: int) -> bytes:
    """The header of an answer before the answer; b"" when the visitor is not to see it. Raises Broken."""
    upstream.informational += 1
    if upstream.informational > _INTERIM_LIMIT or status < 100:
        raise Broken("it sent too many interim answers")
    if status == 101:
        if not request.upgrade:
            raise Broken("it changed the protocol unasked")
        request.status = 101
        upstream.lines.append(b"Connection: Upgrade\r\nUpgrade: websocket\r\n")
    if status != 100 and status != 101 and status != 103 or request.version == "1.0":
        return b""
    return b"HTTP/1.1 %d %b\r\n%b\r\n" % (status, upstream.reason, b"".join(upstream.lines))


def final(upstream: object, request: Request, status: int) -> bytes:
    """The header of the answer. Settles too how its body is framed and whether either connection can be used again: sets
    `chunked` and `reusable` of the upstream, `keep_alive` of the request. Raises Broken."""
    noted, lines = upstream.noted, upstream.lines
    coding = noted.get(b"transfer-encoding")
    length = noted.get(b"content-length")
    if coding is not None and coding.lower() != b"chunked":
        raise Broken(f"its Transfer-Encoding is {coding[:40].decode('latin-1')!r}")
    upstream.reusable = upstream.parser.should_keep_alive()
    bodyless = status == 204 or status == 304 or request.method == b"HEAD"
    tail = b""
    if length is not None and status != 204:
        tail = b"Content-Length: %b\r\n" % length
    elif not bodyless:
        if request.version == "1.1":
            upstream.chunked = True
            tail = b"Transfer-Encoding: chunked\r\n"
        else:
            request.keep_alive = False
    if request.upgrade:
        request.keep_alive = False  # what the visitor sends next may not be HTTP
    if not request.keep_alive or upstream.gate.draining:
        request.keep_alive = False
        tail += b"Connection: close\r\n"
    elif request.version == "1.0":
        tail += b"Connection: keep-alive\r\n"
    connection = noted.get(b"connection", b"")
    if connection not in headers.PLAIN_CONNECTION:
        lines = headers.without(lines, headers.named_by_connection(connection))
    route = request.route
    if route is not None:
        if route.overrides is not None:
            lines = headers.without(lines, route.overrides)
        tail += route.extra + request.replica if request.replica else route.extra
    return b"HTTP/1.1 %d %b\r\n%b%b\r\n" % (status, upstream.reason, b"".join(lines), tail)
