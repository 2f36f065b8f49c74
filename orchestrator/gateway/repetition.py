"""Clients and apps repeat themselves: a header that is, byte for byte, the one before it on the same connection need not be
parsed and checked again. Owns that shortcut for both sides; whatever is not plainly a repetition takes the long way.

What is remembered went through the parser and every check once, and only what cannot differ is taken from memory."""

import re
from time import monotonic

from orchestrator.gateway.request import Request

# A request line as llhttp takes it, or stricter, of methods that have no body.
_LINE = re.compile(rb"(GET|HEAD|OPTIONS) (/[!-~]{0,16000}) HTTP/1\.1").fullmatch
_LIMIT = 4096  # bytes of a header that is remembered


def remember_request(client: object, request: Request, data: bytes) -> None:
    """Keep the header block of a plain request without a body, which came as `data`, all at once."""
    if len(data) < _LIMIT and request.keep_alive and not request.upgrade:
        line, _, block = data.partition(b"\r\n")
        if data.count(b"\r\n\r\n") == 1 and data[-4:] == b"\r\n\r\n" and _LINE(line) and client.failure is None:
            client.repeated = (data, block, request)


def serve_again(client: object, data: bytes) -> bool:
    """Serve a request whose header block is that of an earlier one on this connection: only the request line is new.
    False: it is not, or something else is under way."""
    whole, block, known = client.repeated
    same = data == whole
    if (
        not (same or data.endswith(block))
        or client.request is not None
        or client.queue
        or client.rest
        or client.failure
        or client.header_since
    ):
        return False
    if not client.incoming.complete:
        return False
    request = Request.__new__(Request)
    if same:
        request.method, request.target, request.use = known.method, known.target, known.use
    else:
        line = _LINE(data[: -len(block) - 2])
        if line is None or data[-len(block) - 2 : -len(block)] != b"\r\n":
            return False
        request.method, request.target = line.groups()
    request.client, request.body, request.ready, request.complete = client, (), True, True
    request.host, request.lines, request.noted = known.host, known.lines, known.noted
    request.tail, request.for_console = known.tail, known.for_console
    request.started = monotonic()
    client.incoming = client.request = request
    client.progress = client.gate.now
    client.gate.dispatch(request)
    if client.request is request and not known.tail:
        known.tail = request.tail
    return True


def remember_answer(upstream: object, request: Request, out: list[bytes], data: bytes) -> None:
    """Keep the header of a whole short answer, as it came in `data` and as it was passed on in `out`."""
    size = len(data) - len(out[1])
    plain = request.keep_alive and request.version == "1.1" and not upstream.chunked
    by_the_book = plain and upstream.reusable and not upstream.strange and not request.replica
    if by_the_book and size < _LIMIT and request.sent == len(out[1]) and data[size - 4 : size] == b"\r\n\r\n":
        upstream.known = (data[:size], out[0], request.sent, upstream.status, request.route)


def pass_again(upstream: object, request: Request, data: bytes) -> bool:
    """Pass on an answer whose header is that of the answer before it on this connection: only the body is new, of the same
    length and all there. False: it is not."""
    header, rewritten, length, status, route = upstream.known
    if len(data) != len(header) + length or not data.startswith(header) or route is not request.route:
        return False
    if not request.keep_alive or request.version != "1.1" or request.upgrade or request.method == b"HEAD":
        return False
    if upstream.gate.draining or not request.body_sent or request.replica:
        return False
    request.status, request.sent, request.begun = status, length, True
    request.client.write(rewritten + data[len(header) :])
    upstream.release(request)
    return True
