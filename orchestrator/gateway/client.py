"""The visitor's side of a connection: bytes in, requests out, one after the other. Owns parsing, pipelining and pausing;
what happens to a request is decided in `dispatch`, timeouts are in `clock`.

The parser's callbacks only collect. Everything is acted on after the parser returned, so nothing re-enters it."""

import asyncio
import logging
from collections import deque
from time import monotonic

import httptools

from orchestrator.gateway import answers
from orchestrator.gateway.repetition import remember_request, serve_again
from orchestrator.gateway.request import HEADER_LIMIT, HEADERS_LIMIT, TARGET_LIMIT, Refused, Request

log = logging.getLogger(__name__)

# Why reading is paused; any of them is enough.
HELD, QUEUED, UPSTREAM = 1, 2, 4

_LINGER = 5.0  # seconds, and
_LINGER_BYTES = 16 * 1024 * 1024  # bytes that a body may still send after its answer, so that the answer arrives


class Client(asyncio.Protocol):
    """One connection of a visitor."""

    __slots__ = (
        "advancing", "closing", "failure", "forwarding", "forwarding_key", "gate",
        "header_since", "idle_since", "incoming", "linger_until", "lingered", "parser", "partial", "paused",
        "peer", "progress", "queue", "request", "repeated",
        "rest", "stalled", "trailers", "transport",
    )  # fmt: skip

    def __init__(self, gate: object) -> None:
        self.gate = gate
        self.transport: asyncio.Transport | None = None
        self.parser = httptools.HttpRequestParser(self)
        self.peer = ""
        self.incoming: Request | None = None  # being parsed
        self.queue: deque[Request] | None = None  # parsed while another one was served
        self.request: Request | None = None  # being served
        self.repeated: tuple[bytes, bytes, Request] | None = None  # (request, its header block, as it was parsed)
        self.failure: Refused | None = None  # to be told once the requests before it are answered
        self.paused = 0
        self.advancing = False
        self.closing = False
        self.trailers = 0
        self.header_since = 0.0
        self.idle_since = self.progress = gate.now
        self.partial = 0  # bytes received of a header that is not whole
        self.rest: Request | None = None  # answered, and the end of its body is still to come
        self.linger_until = 0.0
        self.lingered = 0
        self.stalled: tuple[float, int] | None = None  # (since, bytes waiting) while the visitor takes nothing
        self.forwarding_key, self.forwarding = None, b""

    # The socket

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        peer = transport.get_extra_info("peername")
        self.peer = peer[0] if isinstance(peer, tuple) and peer else "unix"
        if not self.gate.welcome(self):
            self.closing = True
            transport.write(answers.BUSY)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gate.farewell(self)
        self.closing = True
        request, self.request = self.request, None
        if request is not None:
            self.gate.abandoned(request)
        self.incoming = self.queue = self.parser = self.repeated = None

    def data_received(self, data: bytes) -> None:
        if self.closing or self.failure is not None:
            return
        incoming = self.incoming
        if incoming is not None and incoming.upgrade and incoming.ready:
            incoming.early += data  # for the other protocol, if there will be one
            self.pause(HELD)
            return
        if self.repeated is not None and serve_again(self, data):
            return
        self.partial = len(data) if incoming is None or incoming.ready else self.partial + len(data)
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserUpgrade, httptools.HttpParserError) as event:
            self._parser_stopped(event, data)
        incoming = self.incoming
        if incoming is not None and not incoming.ready:
            self._header_grows()
        elif self.header_since:
            self.header_since = 0.0
        elif incoming is not None and incoming.complete and incoming.length == 0 and self.partial == len(data):
            remember_request(self, incoming, data)
        self._advance()

    def eof_received(self) -> None:
        return None  # a visitor that hung up waits for nothing: the transport closes

    def pause_writing(self) -> None:
        self.stalled = (self.gate.now, self.transport.get_write_buffer_size())
        request = self.request
        if request is not None and request.upstream is not None:
            request.upstream.pause(True)

    def resume_writing(self) -> None:
        self.stalled = None
        request = self.request
        if request is not None and request.upstream is not None:
            request.upstream.pause(False)

    def pause(self, reason: int) -> None:
        if not self.paused and not self.closing:
            self.transport.pause_reading()
        self.paused |= reason

    def resume(self, reason: int) -> None:
        if self.paused & reason:
            self.paused &= ~reason
            if not self.paused and not self.closing:
                self.progress = self.gate.now
                self.transport.resume_reading()

    # The parser

    def _parser_stopped(self, event: Exception, data: bytes) -> None:
        if isinstance(event, httptools.HttpParserUpgrade):
            self._after_upgrade(data[event.args[0] :])
        elif isinstance(event, httptools.HttpParserCallbackError):
            cause = event.__context__
            if not isinstance(cause, Refused):
                log.error("cannot take a request", exc_info=cause)
                cause = Refused(500, "The gateway failed on this request.")
            self.failure = cause
        else:
            self.failure = Refused(400, f"This is not HTTP/1.1: {event}.")

    def _after_upgrade(self, rest: bytes) -> None:
        """llhttp stops after a request that asks for another protocol, before its body. A WebSocket's first bytes wait for the
        101; any other protocol is ignored, as it may be, and HTTP goes on: the next parser is told of the body by a head
        of ours (`cut`). Offers of HTTP/2 come with bodies from git with http.version HTTP/2, curl --http2 and Java."""
        request = self.incoming
        if self.failure is None and request is not None and not request.upgrade and request.ready:
            self.parser = httptools.HttpRequestParser(self)
            if request.cut:
                framing = (
                    b"Transfer-Encoding: chunked" if request.length < 0 else b"Content-Length: %d" % request.length
                )
                rest = b"POST / HTTP/1.1\r\n%b\r\n\r\n%b" % (framing, rest)
            try:
                self.parser.feed_data(rest)
            except (httptools.HttpParserUpgrade, httptools.HttpParserError) as event:
                self._parser_stopped(event, rest)
        elif request is not None:
            request.early = rest

    def on_message_begin(self) -> None:
        if self.incoming is None or not self.incoming.cut:
            self.incoming = Request(self)

    def on_url(self, url: bytes) -> None:
        request = self.incoming
        if request.cut:
            return
        request.target = request.target + url if request.target else url
        if len(request.target) > TARGET_LIMIT:
            raise Refused(414, f"The URL is longer than {TARGET_LIMIT // 1024} KB.")

    def on_header(self, name: bytes, value: bytes) -> None:
        request = self.incoming
        if not request.ready:
            request.header(name, value)
        else:  # a trailer; it ends here
            self.trailers += len(name) + len(value)
            if self.trailers > HEADER_LIMIT:
                raise Refused(431, f"The trailers are larger than {HEADER_LIMIT // 1024} KB.")

    def on_headers_complete(self) -> None:
        request, parser = self.incoming, self.parser
        if request.cut:
            request.cut = False
            return
        request.method = parser.get_method()
        noted = request.noted
        if b"connection" in noted or not parser.should_keep_alive():  # else it is 1.1 and stays open
            request.version = parser.get_http_version()
            request.keep_alive = parser.should_keep_alive()
            request.upgrade = parser.should_upgrade()
        if (self.header_since or self.partial > HEADER_LIMIT) and request.header_size() > HEADER_LIMIT:
            raise Refused(431, f"The header is larger than {HEADER_LIMIT // 1024} KB.")
        if len(request.lines) + len(noted) > HEADERS_LIMIT:
            raise Refused(431, f"There are more than {HEADERS_LIMIT} header lines.")
        asked = request.upgrade
        request.check()
        request.cut = asked and not request.upgrade and request.length != 0
        request.ready = True
        self.trailers = 0
        request.started = monotonic()
        if self.request is None and self.rest is None and not self.queue:
            self.request = request
        else:
            if self.queue is None:
                self.queue = deque()
            self.queue.append(request)

    def on_body(self, body: bytes) -> None:
        self.incoming.size += len(body)
        self.incoming.body.append(body)

    def on_message_complete(self) -> None:
        self.incoming.complete = not self.incoming.cut

    def _header_grows(self) -> None:
        """A header came in part. The parser keeps an unfinished line itself, so its size is bounded here. What came with
        the first part may belong to an earlier body."""
        if not self.header_since:
            self.header_since = self.gate.now
            self.partial = 0
        elif self.partial > HEADER_LIMIT + TARGET_LIMIT and self.failure is None:
            self.failure = Refused(431, f"The header is larger than {HEADER_LIMIT // 1024} KB.")

    # Requests

    def _advance(self) -> None:
        """Serve what was parsed, as far as it goes now."""
        request = self.request
        if request is not None:
            if self.failure is not None and request is self.incoming and not request.complete:
                self.fail(self.failure.status, self.failure.message)  # its body is no body
            elif not request.outcome:
                self.progress = self.gate.now
                self.gate.dispatch(request)
            elif request.body or request.complete:
                self.progress = self.gate.now
                self._more(request)
        if self.request is None and not self.advancing and (self.queue or self.rest or self.failure):
            self._next()
        if self.queue:
            self.pause(QUEUED)
        elif self.request is not None and self.request.early:
            self.pause(HELD)

    def _more(self, request: Request) -> None:
        upstream = request.upstream
        if upstream is not None:
            upstream.more(request)
        elif not request.begun and request.length:
            self.pause(HELD)

    def _next(self) -> None:
        self.advancing = True
        try:
            while self.request is None and not self.closing:
                if self.rest is not None and not self._rest_is_over():
                    break
                if self.queue and (self.failure is None or self.queue[0].complete):
                    self.request = self.queue.popleft()
                    self.progress = self.gate.now
                    self.gate.dispatch(self.request)
                elif self.failure is not None:
                    self._fail()
                else:
                    self.idle_since = self.gate.now
                    self.resume(QUEUED)
                    break
        finally:
            self.advancing = False

    def _rest_is_over(self) -> bool:
        """The rest of a body whose answer was sent is thrown away, so that the answer is not lost to a reset."""
        rest = self.rest
        self.lingered += sum(map(len, rest.body))
        rest.body.clear()
        if self.failure is not None or self.lingered > _LINGER_BYTES:
            self.close()
        elif rest.complete:
            self.rest = None
            if rest.keep_alive:
                return True
            self.close()
        return False

    def _fail(self) -> None:
        failure = self.failure
        request = self.incoming or Request(self)
        request.keep_alive, request.complete, request.body = False, True, []
        request.started = request.started or monotonic()
        request.address = request.address or self.peer
        request.outcome = "refused"
        self.request = request
        answers.refuse(self.gate, request, failure.status, failure.message)

    def finished(self, request: Request) -> None:
        """The answer to the current request was written."""
        self.gate.log(request)
        self.request = None
        if self.paused:
            self.resume(HELD | UPSTREAM)
        if request.complete:
            if not request.keep_alive or self.gate.draining:
                self.close()
                return
        else:
            self.rest = request
            self.linger_until = self.gate.now + _LINGER
            self.lingered = 0
        if not self.advancing:
            if self.queue or self.rest or self.failure or self.paused:
                self._next()
            else:
                self.idle_since = self.gate.now

    def fail(self, status: int, message: str) -> None:
        """Something about the current request is wrong while it is under way."""
        request = self.request
        self.failure = self.failure or Refused(status, message)
        if request is not None:
            self.gate.abandoned(request)
            if request.begun:
                self.close()
                return
            self.incoming, self.request = request, None
        self._fail()

    def write(self, data: bytes) -> None:
        if not self.closing:
            self.transport.write(data)

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            self.transport.close()
