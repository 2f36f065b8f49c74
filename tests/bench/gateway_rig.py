"""A gateway process with a control plane and apps of the test's own making, all on loopback. Used by the gateway's contract
tests and its bench. Owns processes and threads; asserts nothing."""

import asyncio
import base64
import json
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from orchestrator.gateway.config import GatewayConfig

TOKEN = "feed-token"
Handler = Callable[[str, dict[str, str], asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bool]]


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    def stop(self) -> None:
        async def end() -> None:
            tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.do(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


class Server:
    """A raw HTTP/1.1 server: `handler(first line, headers, reader, writer)` answers as it likes and returns whether the
    connection lives on. `heads` keeps every header block that arrived, `connections` counts connections."""

    def __init__(self, loop: Loop, handler: Handler, path: str | None = None, port: int = 0) -> None:
        self.loop, self.handler = loop, handler
        self.heads: list[bytes] = []
        self.connections = 0
        self.open = 0
        self._writers: set = set()
        self._start(path, port)

    def _start(self, path: str | None, port: int) -> None:
        if path:
            self.server = self.loop.do(asyncio.start_unix_server(self._serve, path, limit=1 << 20))
            self.address = f"unix:{path}"
        else:
            self.server = self.loop.do(asyncio.start_server(self._serve, "127.0.0.1", port, limit=1 << 20))
            self.address = f"127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self._writers.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                first, *lines = head.decode("latin-1").strip().split("\r\n")
                fields = {n.strip().lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}
                if not await self.handler(first, fields, reader, writer):
                    break
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass  # the other side left, or the test is over
        finally:
            self.open -= 1
            self._writers.discard(writer)
            writer.close()

    def stop(self) -> None:
        async def end() -> None:
            self.server.close()
            for writer in list(self._writers):
                writer.transport.abort()

        self.loop.do(end())


async def body_of(fields: dict[str, str], reader: asyncio.StreamReader) -> bytes:
    """The whole body of a request."""
    if fields.get("transfer-encoding") == "chunked":
        parts = []
        while size := int((await reader.readline()).split(b";")[0], 16):
            parts.append(await reader.readexactly(size))
            await reader.readline()
        await reader.readline()
        return b"".join(parts)
    return await reader.readexactly(int(fields.get("content-length", 0)))


def reply(writer: asyncio.StreamWriter, body: bytes, status: str = "200 OK", *fields: str) -> None:
    extra = "".join(f"{field}\r\n" for field in fields)
    writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode("latin-1") + body)


class Control:
    """A control plane: the feed, activity reports, token answers, and an echo for everything else."""

    def __init__(self, loop: Loop, path: str) -> None:
        self.loop, self.path = loop, path
        self.private_key = Ed25519PrivateKey.generate()
        self.cookie_key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        self.routes: dict[str, dict] = {}
        self.used: dict[str, float] = {}
        self.wakes: list[str] = []
        self.asked: list[tuple[str, str]] = []
        self.members: set[str] = set()
        self.on_wake: Callable[[str], None] = lambda space: None
        self._feeds: set[asyncio.StreamWriter] = set()
        self.server: Server | None = None

    def start(self) -> None:
        self.server = Server(self.loop, self._answer, self.path)

    def stop(self) -> None:
        self.server.stop()
        self._feeds.clear()
        Path(self.path).unlink(missing_ok=True)

    @property
    def keys(self) -> dict:
        public = self.private_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return {"sign_key": public.decode(), "cookie_key": self.cookie_key}

    def sign(self, host: str, space: str, epoch: int = 1, **claims: object) -> str:
        values = {
            "aud": host,
            "space": space,
            "epoch": epoch,
            "exp": int(time.time()) + 60,
            "jti": secrets.token_hex(8),
        }
        return jwt.encode(values | claims, self.private_key, "EdDSA")

    def put(self, label: str, **route: object) -> dict:
        known = {"label": label, "space": f"id-{label}", "id": f"acme/{label}", "state": "open", "address": "", "instance": "s-1",
                 "private": False, "epoch": 1, "stage": "RUNNING", "reason": "", "since": None, "deadline": None,
                 "headers": {}, "embed": False, "title": ""}  # fmt: skip
        self.routes[label] = known | route
        self._send({"put": self.routes[label]})
        return self.routes[label]

    def change(self, label: str, **route: object) -> None:
        self.routes[label] |= route
        self._send({"put": self.routes[label]})

    def drop(self, label: str) -> None:
        del self.routes[label]
        self._send({"drop": label})

    def _send(self, message: dict | bytes) -> None:
        line = message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"

        def send() -> None:
            for feed in self._feeds:
                feed.write(b"%x\r\n%b\r\n" % (len(line), line))

        self.loop.loop.call_soon_threadsafe(send)

    async def _answer(
        self, first: str, fields: dict, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        method, target, _ = first.split(" ")
        if target.startswith("/internal/"):
            if fields.get("authorization") != f"Bearer {TOKEN}":
                reply(writer, b"", "401 Unauthorized")
                return True
            return await self._internal(target, fields, reader, writer)
        body = await body_of(fields, reader)
        reply(writer, json.dumps({"console": target, "method": method, "headers": fields, "size": len(body)}).encode())
        return True

    async def _internal(
        self, target: str, fields: dict, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        if target == "/internal/feed":
            await self._feed(writer)
            return False
        message = json.loads(await body_of(fields, reader))
        if target == "/internal/activity":
            self.used |= message["used"]
            self.wakes += message["wake"]
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            for space in message["wake"]:
                self.on_wake(space)
        elif target == "/internal/visits":
            reply(writer, b"{}")
        else:
            self.asked.append((message["token"], message["space"]))
            reply(writer, json.dumps({"allowed": message["token"] in self.members}).encode())
        return True

    async def _feed(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        messages = [{"reset": True}, {"keys": self.keys}, *({"put": r} for r in self.routes.values()), {"synced": True}]
        self._feeds.add(writer)
        for message in messages:
            line = json.dumps(message).encode() + b"\n"
            writer.write(b"%x\r\n%b\r\n" % (len(line), line))
        await writer.drain()
        while not writer.is_closing():
            await asyncio.sleep(2)
            writer.write(b'c\r\n{"ping": 1}\n\r\n')
        self._feeds.discard(writer)


class GatewayProcess:
    """The real thing, as a process. `port` on 127.0.0.1 (and ::1)."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        values = {
            "listen": (("127.0.0.1", 0), ("::1", 0)), "control": f"unix:{folder}/control.sock", "feed_token": TOKEN,
            "apps_domain": "localhost", "public_url": "http://localhost", "snapshot": folder / "routes.ndjson",
            "access_log": folder / "access.log", "rate_limit": 0.0, "connections_per_address": 20000,
        }  # fmt: skip
        self.config = GatewayConfig(**(values | settings))
        self.process: subprocess.Popen | None = None
        self.port = 0

    def start(self) -> "GatewayProcess":
        root = Path(__file__).resolve().parents[2]
        read, write = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(write), json.dumps(asdict(self.config), default=str)],
            pass_fds=[write], cwd=root, env=os.environ | {"PYTHONPATH": str(root)},
            stderr=open(self.folder / "gateway.err", "ab"),  # noqa: SIM115
        )  # fmt: skip
        os.close(write)
        with os.fdopen(read) as pipe:
            line = pipe.readline()
        if not line:
            raise AssertionError(f"the gateway did not start: {self.errors()}")
        self.port = int(line)
        return self

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(30)

    def errors(self) -> str:
        return (self.folder / "gateway.err").read_text()

    def rss(self) -> int:
        """Bytes of resident memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def cpu(self) -> float:
        """Seconds of CPU used so far."""
        return cpu_of(self.process.pid)

    def raw(self, data: bytes, timeout: float = 10.0) -> bytes:
        """Send bytes, read until the gateway closes (or `timeout`)."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as sock:
            sock.sendall(data)
            parts = []
            try:
                while part := sock.recv(65536):
                    parts.append(part)
            except (TimeoutError, ConnectionResetError):
                pass
            return b"".join(parts)


def cpu_of(*pids: int) -> float:
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def _main() -> None:
    import logging

    import uvloop

    from orchestrator.gateway.server import serve

    logging.basicConfig(level=logging.INFO)
    pipe, text = int(sys.argv[1]), sys.argv[2]
    values = json.loads(text)
    values["listen"] = tuple((host, port) for host, port in values["listen"])
    values["snapshot"] = Path(values["snapshot"])
    values["access_log"] = Path(values["access_log"]) if values["access_log"] else None
    config = GatewayConfig(**values)
    found: list = []

    def ready() -> None:
        os.write(pipe, f"{found[0][1]}\n".encode())
        os.close(pipe)

    uvloop.run(serve(config, ready, found.extend))


if __name__ == "__main__":
    _main()
