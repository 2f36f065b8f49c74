"""The app's side: pooled connections to one upstream, requests out, answers in, passed on as they come. Owns the upstream's
protocol and its misbehaviour; whether to forward is decided in `dispatch`.

A pool belongs to one instance of one Space (or to the console), so a connection never serves two Spaces, and a connection on
which anything was odd is closed rather than kept."""

import asyncio

import httptools

from orchestrator.errors import Unavailable
from orchestrator.gateway import headers
from orchestrator.gateway.client import UPSTREAM
from orchestrator.gateway.request import Request

_IDLE_LIMIT = 64  # connections kept open to one upstream
_IDLE_SECONDS = 3.0  # many servers close theirs after 5 s
_FRESH_SECONDS = 1.0  # a request that cannot be sent twice takes a connection that was used just now
_HEADER_LIMIT = 64 * 1024
_INFORMATIONAL_LIMIT = 20
_KNOWN_LIMIT = 4096  # bytes of an answer's header that is remembered


def _learn(rules: dict[bytes, bool | None], name: bytes) -> bool | None:
    """The rule for a header name, remembered under the spelling in which it came."""
    low = name.lower()
    kept = rules.get(low)
    if low.startswith(b"x-podium-") and rules is not headers.CONSOLE_RESPONSE:
        kept = False
    if len(rules) < 2000 and len(name) < 64:
        rules[name] = kept
    return kept


class Broken(Exception):
    """The upstream's answer cannot be passed on; the message says why."""


class Pool:
    """Connections to one upstream. `address`: `host:port` or `unix:/path`; `console`: the control plane, else an app."""

    __slots__ = ("address", "busy", "console", "gate", "idle", "retired")

    def __init__(self, gate: object, address: str, console: bool = False) -> None:
        self.gate = gate
        self.address = address
        self.console = console
        self.idle: list[Upstream] = []
        self.busy = 0
        self.retired = False

    def take(self, request: Request) -> "Upstream | None":
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

    async def connect(self) -> "Upstream":
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


class Upstream(asyncio.Protocol):
    """One connection to an upstream, serving one request at a time."""

    __slots__ = (
        "chunked", "cookies", "done", "gate", "header_size", "idle_since", "informational",
        "known", "lines", "noted", "out",
        "parser", "pool", "progress", "ready", "reason", "request", "reused", "reusable", "rules", "status", "strange",
        "transport",
    )  # fmt: skip

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.gate = pool.gate
        self.rules = headers.CONSOLE_RESPONSE if pool.console else headers.APP_RESPONSE
        self.transport: asyncio.Transport | None = None
        self.parser = httptools.HttpResponseParser(self)
        self.request: Request | None = None
        self.reused = False
        self.known: tuple | None = None  # (header, as passed on, length of the body, status, route) of the last answer
        self.out: list[bytes] = []  # to the visitor, after the parser returned
        self.idle_since = self.progress = self.gate.now
        self._reset()

    def _reset(self) -> None:
        self.lines: list[bytes] = []
        self.noted: dict[bytes, bytes] = {}
        self.reason = b""
        self.status = 0
        self.header_size = 0
        self.informational = 0
        self.ready = self.done = self.chunked = self.strange = False
        self.reusable = True

    # Requests out

    def begin(self, request: Request) -> None:
        """Send a request's header and what there is of its body."""
        self.request = request
        request.upstream = self
        self.pool.busy += 1
        self.progress = self.gate.now
        head = request.head(self.pool.console)
        if request.length:
            self.transport.write(head)
            self.more(request)
        else:
            request.body_sent = True
            self.transport.write(head)

    def more(self, request: Request) -> None:
        """Send what was read of the body since the last time."""
        if request.body_sent:
            return
        body = request.body
        if body:
            if request.length > 0:
                self.transport.write(body[0] if len(body) == 1 else b"".join(body))
            else:
                if request.size > self.gate.config.body_limit and not self.pool.console:
                    self.gate.too_large(request)
                    return
                self.transport.write(b"".join([b"%x\r\n%b\r\n" % (len(part), part) for part in body]))
            request.body = []
        if request.complete:
            request.body_sent = True
            if request.length < 0:
                self.transport.write(b"0\r\n\r\n")

    def pause_writing(self) -> None:
        if self.request is not None:
            self.request.client.pause(UPSTREAM)

    def resume_writing(self) -> None:
        if self.request is not None:
            self.request.client.resume(UPSTREAM)

    def pause(self, on: bool) -> None:
        """The visitor is slow: stop reading for it."""
        if not self.transport.is_closing():
            self.transport.pause_reading() if on else self.transport.resume_reading()

    # Answers in

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        request = self.request
        if request is None:  # nobody asked
            self.close()
            return
        if self.known is not None and self.header_size == 0 and self._is_repetition(request, data):
            return
        rest = None
        if not self.ready:
            self.header_size += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as found:
            rest = data[found.args[0] :]
        except httptools.HttpParserCallbackError as error:
            self._broken(str(error.__context__))
            return
        except httptools.HttpParserError as error:
            if not self.done:
                self._broken(f"its answer is not valid HTTP: {error}")
                return
            self.strange = True
        if rest is not None and self.status != 101:
            self._broken("it changed the protocol unasked")
            return
        out = self.out
        if out:
            request.client.write(out[0] if len(out) == 1 else b"".join(out))
            self.out = []
            request.begun = self.ready
            if self.done and self.header_size == len(data) and len(out) == 2:
                self._remember(request, out, data)
        if rest is not None:
            self.pool.busy -= 1
            self.request = None
            self.gate.upgraded(request, self, rest)
        elif self.done:
            self._release(request)
        elif not self.ready and self.header_size > 2 * _HEADER_LIMIT:
            self._broken(f"the header of its answer is larger than {_HEADER_LIMIT // 1024} KB")

    def _remember(self, request: Request, out: list[bytes], data: bytes) -> None:
        """Apps repeat themselves: keep the header of a whole short answer, as it came and as it was passed on."""
        size = len(data) - len(out[1])
        plain = (
            request.keep_alive and request.version == "1.1" and self.reusable and not self.strange and not self.chunked
        )
        if plain and size < _KNOWN_LIMIT and request.sent == len(out[1]) and data[size - 4 : size] == b"\r\n\r\n":
            self.known = (data[:size], out[0], request.sent, self.status, request.route)

    def _is_repetition(self, request: Request, data: bytes) -> bool:
        """Pass on an answer whose header is, byte for byte, that of the answer before it on this connection: it was parsed
        and rewritten then, only the body is new, of the same length and all there. False: it is not."""
        header, rewritten, length, status, route = self.known
        if len(data) != len(header) + length or not data.startswith(header) or route is not request.route:
            return False
        if not request.keep_alive or request.version != "1.1" or request.upgrade or request.method == b"HEAD":
            return False
        if self.gate.draining or not request.body_sent:
            return False
        request.status, request.sent, request.begun = status, length, True
        request.client.write(rewritten + data[len(header) :])
        self._release(request)
        return True

    def on_message_begin(self) -> None:
        if self.done:
            self.strange = True
        elif self.lines or self.noted:  # of an interim answer
            self.lines, self.noted = [], {}

    def on_status(self, reason: bytes) -> None:
        self.reason = self.reason + reason if self.reason else reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.ready or self.done:
            self.header_size += len(name) + len(value)
            if self.header_size > _HEADER_LIMIT * 16:
                raise Broken("its trailers are too large")
            return
        rules = self.rules
        kept = rules.get(name, rules)
        if kept is rules:
            kept = _learn(rules, name)
        if kept is None:
            self.lines.append(b"%b: %b\r\n" % (name, value))
        elif kept:
            self._note(name.lower(), value)

    def _note(self, low: bytes, value: bytes) -> None:
        if low == b"set-cookie":
            cookie = headers.app_cookie(value)
            if cookie is not None:
                self.lines.append(b"Set-Cookie: %b\r\n" % cookie)
        elif low == b"transfer-encoding" and low in self.noted:
            raise Broken("it sent Transfer-Encoding twice")
        else:
            self.noted[low] = value

    def on_headers_complete(self) -> None:
        if self.done:
            return
        self.status = status = self.parser.get_status_code()
        request = self.request
        if status < 200:
            self._informational(request, status)
            return
        request.status = status
        self.ready = True
        if self.header_size > _HEADER_LIMIT and sum(map(len, self.lines)) > _HEADER_LIMIT:
            raise Broken(f"the header of its answer is larger than {_HEADER_LIMIT // 1024} KB")
        self._answer_head(request, status)

    def _informational(self, request: Request, status: int) -> None:
        self.informational += 1
        if self.informational > _INFORMATIONAL_LIMIT or status < 100:
            raise Broken("it sent too many interim answers")
        if status == 101:
            if not request.upgrade:
                raise Broken("it changed the protocol unasked")
            request.status = 101
            self.lines.append(b"Connection: Upgrade\r\nUpgrade: websocket\r\n")
        if status != 100 and status != 101 and status != 103 or request.version == "1.0":
            return
        self.out.append(b"HTTP/1.1 %d %b\r\n%b\r\n" % (status, self.reason, b"".join(self.lines)))

    def _answer_head(self, request: Request, status: int) -> None:
        noted, lines, parser = self.noted, self.lines, self.parser
        coding = noted.get(b"transfer-encoding")
        length = noted.get(b"content-length")
        if coding is not None and coding.lower() != b"chunked":
            raise Broken(f"its Transfer-Encoding is {coding[:40].decode('latin-1')!r}")
        self.reusable = parser.should_keep_alive()
        bodyless = status == 204 or status == 304 or request.method == b"HEAD"
        tail = b""
        if length is not None and status != 204:
            tail = b"Content-Length: %b\r\n" % length
        elif not bodyless:
            if request.version == "1.1":
                self.chunked = True
                tail = b"Transfer-Encoding: chunked\r\n"
            else:
                request.keep_alive = False
        if request.upgrade:
            request.keep_alive = False  # what the visitor sends next may not be HTTP
        if not request.keep_alive or self.gate.draining:
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
            tail += route.extra
        self.out.append(b"HTTP/1.1 %d %b\r\n%b%b\r\n" % (status, self.reason, b"".join(lines), tail))
        if request.method == b"HEAD":
            self.done = True
            self.parser, self.chunked = httptools.HttpResponseParser(self), False

    def on_body(self, body: bytes) -> None:
        if self.done:
            self.strange = True
            return
        self.request.sent += len(body)
        if self.chunked:
            self.out += (b"%x\r\n" % len(body), body, b"\r\n")
        else:
            self.out.append(body)

    def on_message_complete(self) -> None:
        if self.done:
            return
        if self.ready:
            self._complete()
        else:  # an interim answer
            self.reason = b""

    def _complete(self) -> None:
        self.done = True
        if self.chunked:
            self.out.append(b"0\r\n\r\n")

    def _release(self, request: Request) -> None:
        """The answer is through: keep the connection if all went by the book, and go on with the visitor."""
        self.request = request.upstream = None
        pool = self.pool
        pool.busy -= 1
        keep = self.reusable and request.body_sent and not self.strange and not pool.retired
        if keep and len(pool.idle) < _IDLE_LIMIT and not request.client.stalled:
            if self.ready:
                self._reset()
            self.reused = True
            self.idle_since = self.gate.now
            pool.idle.append(self)
        else:
            self.close()
        request.client.finished(request)

    # Ends

    def eof_received(self) -> None:
        request = self.request
        if request is not None and self.ready and not self.done and self._ends_with_connection():
            self._complete()
            self.reusable = False
            if self.out:
                request.client.write(b"".join(self.out))
                self.out = []
            self._release(request)
        return None

    def _ends_with_connection(self) -> bool:
        return b"content-length" not in self.noted and b"transfer-encoding" not in self.noted

    def connection_lost(self, exc: Exception | None) -> None:
        request, self.request = self.request, None
        if request is None:
            if self in self.pool.idle:
                self.pool.idle.remove(self)
            return
        request.upstream = None
        self.pool.busy -= 1
        if request.begun:
            self._cut(request)
        elif self.reused and request.replayable and not request.retried and not self.header_size:
            request.retried = True
            self.gate.dispatch(request)
        else:
            self.gate.broken(request, "it closed the connection without an answer")

    def _broken(self, reason: str) -> None:
        request, self.request = self.request, None
        request.upstream = None
        self.pool.busy -= 1
        self.transport.abort()
        if request.begun:
            self._cut(request)
        else:
            self.gate.broken(request, reason)

    def _cut(self, request: Request) -> None:
        """The answer broke off half way: the visitor must see that it is not whole."""
        client = request.client
        if self.out:
            client.write(b"".join(self.out))
        request.outcome = "cut"
        request.keep_alive = False
        request.complete = True
        client.finished(request)

    def abandon(self) -> None:
        """Nobody waits for the answer any more."""
        if self.request is not None:
            self.pool.busy -= 1
            self.request.upstream = None
            self.request = None
        self.transport.abort()

    def close(self) -> None:
        self.transport.close()
