"""The app's side of a connection: requests out, answers in, passed on as they come. Owns the upstream's protocol and its
misbehaviour; whether to forward is decided in `dispatch`, which connections are kept in `pool`. One on which anything was
odd is closed."""

import asyncio

import httptools

from orchestrator.gateway import headers, rewrite
from orchestrator.gateway.client import UPSTREAM
from orchestrator.gateway.repetition import pass_again, remember_answer
from orchestrator.gateway.request import Request
from orchestrator.gateway.rewrite import Broken

_HEADER_LIMIT = 64 * 1024


class Upstream(asyncio.Protocol):
    """One connection to an upstream, serving one request at a time."""

    __slots__ = (
        "chunked", "cookies", "done", "gate", "header_size", "idle_since", "informational",
        "known", "lines", "noted", "out",
        "parser", "pool", "progress", "ready", "reason", "request", "reused", "reusable", "rules", "status", "strange",
        "transport",
    )  # fmt: skip

    def __init__(self, pool: object) -> None:
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
        if self.known is not None and self.header_size == 0 and pass_again(self, request, data):
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
                remember_answer(self, request, out, data)
        if rest is not None:
            self.pool.busy -= 1
            self.request = None
            self.gate.upgraded(request, self, rest)
        elif self.done:
            self.release(request)
        elif not self.ready and self.header_size > 2 * _HEADER_LIMIT:
            self._broken(f"the header of its answer is larger than {_HEADER_LIMIT // 1024} KB")

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
            kept = headers.learn_response(rules, name)
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
            interim = rewrite.interim(self, request, status)
            if interim:
                self.out.append(interim)
            return
        request.status = status
        self.ready = True
        if self.header_size > _HEADER_LIMIT and sum(map(len, self.lines)) > _HEADER_LIMIT:
            raise Broken(f"the header of its answer is larger than {_HEADER_LIMIT // 1024} KB")
        self.out.append(rewrite.final(self, request, status))
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

    def release(self, request: Request) -> None:
        """The answer is through: keep the connection if all went by the book, and go on with the visitor."""
        self.request = request.upstream = None
        pool = self.pool
        pool.busy -= 1
        # uvicorn closes after an error that its app did not catch, and does not say so: the next request would be lost.
        good = request.status < 500
        keep = good and self.reusable and request.body_sent and not self.strange and not pool.retired
        if keep and len(pool.idle) < pool.keeps and not request.client.stalled:
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
            self.release(request)
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
        elif self.header_size or not self.gate.elsewhere(request, self.pool):
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
