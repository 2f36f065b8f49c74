"""A small HTTP client for the control plane's /internal paths. Owns connections to it for the gateway's own questions; what
visitors send to the console goes through `forward`. One connection per call: calls are few."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator

import httptools

from orchestrator import __version__
from orchestrator.errors import Unavailable

_LINE_LIMIT = 1024 * 1024
_ANSWER_LIMIT = 1024 * 1024


class Refused(Unavailable):
    """It answers, and does not know our token, or is no control plane."""


class _Answer:
    """Callbacks of the response parser: collects status and body."""

    def __init__(self) -> None:
        self.body: list[bytes] = []
        self.headers_done = False
        self.done = False

    def on_headers_complete(self) -> None:
        self.headers_done = True

    def on_body(self, body: bytes) -> None:
        self.body.append(body)

    def on_message_complete(self) -> None:
        self.done = True


class Control:
    """The control plane at `address` (`host:port` or `unix:/path`), asked with `token`. `port`: where we listen; with the name of
    our machine it tells us from other gateways."""

    def __init__(self, address: str, token: str, port: int = 0, timeout: float = 5.0) -> None:
        self._address = address
        self._token = token
        self._timeout = timeout
        self._name = f"{re.sub('[^A-Za-z0-9.-]', '-', socket.gethostname())[:80]}:{port}"

    async def call(self, method: str, path: str, body: dict | None = None) -> tuple[int, bytes]:
        """Status and body. Raises Unavailable when there is no whole answer in time."""
        try:
            async with asyncio.timeout(self._timeout):
                status, collected = 0, b""
                async for status, piece in self._exchange(method, path, body):  # noqa: B007
                    collected += piece
                    if len(collected) > _ANSWER_LIMIT:
                        raise Unavailable(f"the answer to {path} is too large")
                return status, collected
        except TimeoutError:
            raise Unavailable(f"no answer to {path} within {self._timeout} s") from None

    async def lines(self, path: str, silence: float) -> AsyncIterator[bytes]:
        """Lines of an endless answer. Raises Unavailable when it ends, is no 200, or is silent for `silence` seconds;
        Refused when it is kept from us."""
        rest = b""
        pieces = self._exchange("GET", path, None)
        try:
            while True:
                try:
                    async with asyncio.timeout(silence):
                        status, piece = await anext(pieces)
                except StopAsyncIteration:
                    raise Unavailable(f"{path} ended") from None
                except TimeoutError:
                    raise Unavailable(f"{path} was silent for {silence} s") from None
                if status == 404:
                    raise Refused(f"{path} at {self._address} is not there for us")
                if status != 200:
                    raise Unavailable(f"{path} answered {status}")
                *whole, rest = (rest + piece).split(b"\n")
                for line in whole:
                    if line.strip():
                        yield line
                if len(rest) > _LINE_LIMIT:
                    raise Unavailable(f"a line of {path} is too long")
        finally:
            await pieces.aclose()

    async def _exchange(self, method: str, path: str, body: dict | None) -> AsyncIterator[tuple[int, bytes]]:
        """(status, piece of the body) as they come, at least once; pieces may be empty."""
        payload = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: control\r\nAuthorization: Bearer {self._token}\r\nConnection: close\r\n"
            f"User-Agent: podium-gateway/{__version__}\r\nX-Podium-Gateway: {self._name}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
        ).encode()
        answer = _Answer()
        parser = httptools.HttpResponseParser(answer)
        writer = None
        try:
            reader, writer = await self._connect()
            writer.write(head + payload)
            while not answer.done:
                data = await reader.read(256 * 1024)
                if not data:
                    if answer.headers_done:
                        break
                    raise Unavailable(f"the control plane hung up on {path}")
                parser.feed_data(data)
                if answer.headers_done:
                    yield parser.get_status_code(), b"".join(answer.body)
                    answer.body.clear()
        except (OSError, httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise Unavailable(f"{path}: {error!r}") from error
        finally:
            if writer is not None:
                writer.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._address.startswith("unix:"):
            return await asyncio.open_unix_connection(self._address.removeprefix("unix:"))
        host, _, port = self._address.rpartition(":")
        return await asyncio.open_connection(host.strip("[]"), int(port))
