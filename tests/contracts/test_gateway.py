"""The gateway as a process between real sockets: what visitors, apps and the control plane may rely on."""

import asyncio
import hashlib
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import jwt
import pytest
from websockets.sync.client import connect

from tests.bench.gateway_rig import Control, GatewayProcess, Loop, Server, body_of, reply
from tests.support import eventually

MB = 1024**2


class World:
    """A gateway, its control plane, and an app that echoes at acme-demo."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        self.loop = Loop()
        self.control = Control(self.loop, str(folder / "control.sock"))
        self.control.start()
        self.apps: list[Server] = []
        self.echo = self.app(echo)
        self.control.put("acme-demo", address=self.echo.address)
        self.gateway = GatewayProcess(folder, **settings).start()
        self.until_known("acme-demo")

    def app(self, handler, **where) -> Server:
        self.apps.append(Server(self.loop, handler, **where))
        return self.apps[-1]

    def space(self, label: str, handler=None, **route: object) -> Server | None:
        """Put a Space and wait until the gateway knows it."""
        server = self.app(handler) if handler else None
        self.control.put(label, address=server.address if server else "", **route)
        self.until_known(label)
        return server

    def until_known(self, label: str) -> None:
        space = self.control.routes[label]
        if space["private"]:
            eventually(lambda: label.encode() in self.gateway.config.snapshot.read_bytes())
        else:
            eventually(lambda: self.get(label, "/.podium/x").json.get("code") == "NOT_FOUND")

    def get(
        self, label: str, path: str = "/", method: str = "GET", body=None, timeout: float = 20, **fields: str
    ) -> "Answer":
        host = f"{label}.localhost:{self.gateway.port}" if label else f"localhost:{self.gateway.port}"
        fields = {"Host": host} | {name.replace("_", "-"): value for name, value in fields.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=timeout)
        try:
            connection.request(method, path, body=body, headers=fields)
            found = connection.getresponse()
            return Answer(found.status, found.headers, found.read())
        finally:
            connection.close()

    def page(self, label: str, path: str = "/", **fields: str) -> "Answer":
        return self.get(label, path, Accept="text/html", **fields)

    def open(self, data: bytes = b"") -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self.gateway.port), timeout=20)
        sock.sendall(data)
        return sock

    def close(self) -> None:
        code = self.gateway.stop()
        for app in self.apps:
            app.stop()
        self.control.stop()
        self.loop.stop()
        errors = self.gateway.errors()
        assert code == 0 and "Traceback" not in errors and "ERROR" not in errors, errors


class Answer:
    def __init__(self, status: int, headers, body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


async def echo(first, fields, reader, writer) -> bool:
    body = await body_of(fields, reader)
    told = {"first": first, "headers": fields, "size": len(body), "sha": hashlib.sha256(body).hexdigest()}
    reply(writer, json.dumps(told).encode())
    return True


def says(*chunks: bytes, then_close: bool = True):
    """An app that answers any request with these bytes."""

    async def handler(first, fields, reader, writer) -> bool:
        await body_of(fields, reader)
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(0)
        return not then_close

    return handler


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("gateway"))
    yield world
    world.close()


@pytest.fixture
def strict(tmp_path):
    """A gateway with short limits of its own."""
    world = World(
        tmp_path, header_timeout=1.0, idle_timeout=3.0, body_timeout=1.0, response_timeout=1.0, hold_timeout=1.0,
        body_limit=MB, retry_timeout=1.0, connections_per_address=60, rate_limit=0.0,
    )  # fmt: skip
    yield world
    world.close()


def recv_until(sock: socket.socket, mark: bytes) -> bytes:
    data = b""
    while mark not in data:
        piece = sock.recv(65536)
        if not piece:
            break
        data += piece
    return data


# What an app sees


def test_the_app_sees_the_truth_whatever_the_visitor_claims(world):
    lies = {
        "X-Forwarded-For": "6.6.6.6", "X-Forwarded-Host": "evil.org", "X-Forwarded-Proto": "https", "X-Forwarded-Port": "1",
        "X-Real-IP": "6.6.6.6", "Forwarded": "for=6.6.6.6", "X-Original-URL": "/x", "X-Rewrite-Url": "/x", "Via": "1.1 x",
        "x-gradio-server": "http://evil.org", "X-Direct-Url": "x", "X-Ip-Token": "x", "X-Podium-User": "root",
        "X-HF-Authorization": "Bearer hf_secret", "Authorization": "Bearer hf_secret", "X_Forwarded_Host": "evil.org",
        "Connection": "close, X-Mine", "X-Mine": "1", "Keep-Alive": "5", "TE": "trailers", "Proxy-Authorization": "x",
        "Cookie": "a=1; podium-app=zzz; b=2", "Origin": "http://other.example",
    }  # fmt: skip
    seen = world.get("acme-demo", "/a%2Fb/../c?x=%20&y", **lies).json
    port = str(world.gateway.port)
    assert seen["first"] == "GET /a%2Fb/../c?x=%20&y HTTP/1.1"
    assert seen["headers"] == {
        "host": f"acme-demo.localhost:{port}", "accept-encoding": "identity", "cookie": "a=1; b=2",
        "origin": "http://other.example", "x-forwarded-for": "127.0.0.1", "x-real-ip": "127.0.0.1",
        "x-forwarded-proto": "http", "x-forwarded-host": f"acme-demo.localhost:{port}", "x-forwarded-port": port,
    }  # fmt: skip


def test_a_token_that_is_the_apps_own_passes(world):
    assert world.get("acme-demo", Authorization="Bearer mine").json["headers"]["authorization"] == "Bearer mine"


def test_the_visitor_does_not_see_what_an_app_may_not_set(world):
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: a=b; Domain=.localhost; Path=/\r\nSet-Cookie: podium-app=x\r\n"
        b"Alt-Svc: h3\r\nNEL: {}\r\nReport-To: {}\r\nStrict-Transport-Security: max-age=1\r\nX-Frame-Options: DENY\r\n"
        b"Server: mine\r\nContent-Security-Policy: default-src 'self'\r\nX-Hop: 1\r\nConnection: X-Hop\r\n"
        b"Cross-Origin-Opener-Policy: unsafe-none\r\nX-Podium-Stage: 1\r\n\r\nok"
    )
    world.space("acme-cookies", says(head), headers={"Cross-Origin-Opener-Policy": "same-origin"})
    answer = world.get("acme-cookies")
    assert answer.body == b"ok"
    assert sorted(answer.headers.items()) == [
        ("Content-Length", "2"),
        ("Content-Security-Policy", "default-src 'self'"),
        ("Content-Security-Policy", "frame-ancestors http://localhost 'self'"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Server", "mine"),
        ("Set-Cookie", "a=b; Path=/"),
    ]


def test_an_app_that_may_be_embedded_has_no_frame_rule(world):
    world.space("acme-embed", echo, embed=True)
    assert "Content-Security-Policy" not in world.get("acme-embed").headers


# Doors


def test_unknown_hosts_are_told_who_is_known(world):
    answer = world.gateway.raw(b"GET / HTTP/1.1\r\nHost: evil.org\r\nConnection: close\r\n\r\n")
    assert b" 421 " in answer and b"<name>.localhost" in answer


def test_the_console_is_one_more_door_and_internal_is_not(world):
    answer = world.get("", "/acme/demo?x=1", Authorization="Bearer hf_x", Cookie="session=1").json
    assert answer["console"] == "/acme/demo?x=1"
    assert answer["headers"]["authorization"] == "Bearer hf_x" and answer["headers"]["cookie"] == "session=1"
    assert answer["headers"]["x-forwarded-for"] == "127.0.0.1"
    for path in (
        "/internal/feed",
        "//internal/feed",
        "/%69nternal/feed",
        "/./internal/activity",
        "/x/..%2finternal/feed",
    ):
        assert world.get("", path).status == 404, path


# Framing

HOST = b"Host: acme-demo.localhost\r\n"
SMUGGLING = {
    "both lengths": b"POST / HTTP/1.1\r\n%bContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both lengths, other order": b"POST / HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\n%bContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    "same length twice": b"POST / HTTP/1.1\r\n%bContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    "length list": b"POST / HTTP/1.1\r\n%bContent-Length: 1, 1\r\n\r\nx",
    "length with sign": b"POST / HTTP/1.1\r\n%bContent-Length: +1\r\n\r\nx",
    "negative length": b"POST / HTTP/1.1\r\n%bContent-Length: -1\r\n\r\nx",
    "hex length": b"POST / HTTP/1.1\r\n%bContent-Length: 0x1\r\n\r\nx",
    "huge length": b"POST / HTTP/1.1\r\n%bContent-Length: 99999999999999999999\r\n\r\nx",
    "empty length": b"POST / HTTP/1.1\r\n%bContent-Length: \r\n\r\nx",
    "unknown coding": b"POST / HTTP/1.1\r\n%bTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "coding list": b"POST / HTTP/1.1\r\n%bTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": b"POST / HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked, identity": b"POST / HTTP/1.1\r\n%bTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "coding with quotes": b'POST / HTTP/1.1\r\n%bTransfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "coding over 1.0": b"POST / HTTP/1.0\r\n%bTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "space before colon": b"POST / HTTP/1.1\r\n%bTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "tab before colon": b"POST / HTTP/1.1\r\n%bContent-Length\t: 1\r\n\r\nx",
    "folded line": b"POST / HTTP/1.1\r\n%bX: a\r\n b\r\n\r\n",
    "folded first line": b"GET / HTTP/1.1\r\n %b\r\n",
    "bare LF": b"GET / HTTP/1.1\r\n%bX: a\n\r\n",
    "bare LF after request line": b"GET / HTTP/1.1\n%b\r\n",
    "bare CR": b"GET / HTTP/1.1\r\n%bX: a\rY: b\r\n\r\n",
    "NUL in value": b"GET / HTTP/1.1\r\n%bX: a\x00b\r\n\r\n",
    "NUL in target": b"GET /\x00 HTTP/1.1\r\n%b\r\n",
    "no colon": b"GET / HTTP/1.1\r\n%bX\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\n%bHost: localhost\r\n\r\n",
    "absolute target": b"GET http://localhost/ HTTP/1.1\r\n%b\r\n",
    "target without slash": b"GET @evil HTTP/1.1\r\n%b\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\n%b\r\n",
    "space in target": b"GET /a b HTTP/1.1\r\n%b\r\n",
    "HTTP/2.0": b"GET / HTTP/2.0\r\n%b\r\n",
    "HTTP/0.9": b"GET /\r\n%b\r\n",
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03%b",
    "bad chunk size": b"POST / HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
    "chunk size with sign": b"POST / HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n",
    "chunk with bare LF": b"POST / HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
    "chunk too long": b"POST / HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n5\r\nhelloworld\r\n0\r\n\r\n",
    "huge chunk size": b"POST / HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx",
    "upgrade with body": b"GET / HTTP/1.1\r\n%bUpgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 5\r\n\r\nhello",
    "upgrade with chunks": b"GET / HTTP/1.1\r\n%bUpgrade: websocket\r\nConnection: upgrade\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", SMUGGLING)
def test_ambiguous_framing_is_refused_and_the_connection_closed(world, name):
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: acme-demo.localhost\r\n\r\n"
    answer = world.gateway.raw(SMUGGLING[name] % HOST + smuggled)
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert answer.count(b"HTTP/1.1 ") == 1 and b"Connection: close" in answer
    assert not any(b"/smuggled" in head for head in world.echo.heads)


@pytest.mark.parametrize("request_line", [b"CONNECT localhost:1 HTTP/1.1", b"TRACE / HTTP/1.1", b"CONNECT / HTTP/1.1"])
def test_methods_of_proxies_are_refused(world, request_line):
    assert world.gateway.raw(request_line + b"\r\n" + HOST + b"\r\n")[9:12] in (b"405", b"400")


def test_no_host_is_refused(world):
    assert b" 400 " in world.gateway.raw(b"GET / HTTP/1.1\r\n\r\n")
    assert b" 400 " in world.gateway.raw(b"GET / HTTP/1.0\r\n\r\n")


@pytest.mark.parametrize(
    "data, status",
    [
        (b"GET /%b HTTP/1.1\r\n%b\r\n" % (b"a" * 20_000, HOST), 414),
        (b"GET / HTTP/1.1\r\n%bX: %b\r\n\r\n" % (HOST, b"a" * 40_000), 431),
        (b"GET / HTTP/1.1\r\n%bX: %b" % (HOST, b"a" * 200_000), 431),
        (b"GET / HTTP/1.1\r\n%b%b\r\n" % (HOST, b"".join(b"X-%d: 1\r\n" % n for n in range(120))), 431),
        (b"GET / HTTP/1.1\r\n%bCookie: a=%b\r\n\r\n" % (HOST, b"a" * 9000), 431),
        (b"POST / HTTP/1.1\r\n%bExpect: magic\r\nContent-Length: 1\r\n\r\nx" % HOST, 417),
    ],
)
def test_too_large_or_odd_headers(world, data, status):
    with world.open() as sock:
        for at in range(0, len(data), 10_000):
            try:
                sock.sendall(data[at : at + 10_000])
            except OSError:
                break
        answer = recv_until(sock, b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:200]
    assert (b"Clear-Site-Data" in answer) == (b"Cookie" in data)


def test_repeated_headers_never_repeat_an_answer(world):
    async def count(first, fields, reader, writer) -> bool:
        target = first.split(" ")[1]
        reply(writer, target.rjust(9).encode(), "404 Not Found" if "7" in target else "200 OK")
        return True

    world.space("acme-count", count)
    with world.open() as sock:
        for n in [*range(100, 120), 100, 100]:
            sock.sendall(b"GET /%d HTTP/1.1\r\nHost: acme-count.localhost\r\nX-Same: 1\r\n\r\n" % n)
            answer = recv_until(sock, b"     /%d" % n)
            assert answer.startswith(b"HTTP/1.1 %d" % (404 if n in (107, 117) else 200))
            assert answer.count(b"HTTP/1.1") == 1
        sock.sendall(b"HEAD /100 HTTP/1.1\r\nHost: acme-count.localhost\r\nX-Same: 1\r\n\r\n")
        assert recv_until(sock, b"\r\n\r\n").endswith(b"\r\n\r\n")
        world.control.change("acme-count", state="closed", stage="PAUSED", reason="enough")
        eventually(lambda: world.get("acme-count").status == 503)
        sock.sendall(b"GET /100 HTTP/1.1\r\nHost: acme-count.localhost\r\nX-Same: 1\r\n\r\n")
        assert b"enough" in recv_until(sock, b"enough")


@pytest.mark.parametrize(
    "line",
    [
        b"GET /a b",
        b"GET /\x00",
        b"GET http://localhost/",
        b"GET *",
        b"GET /\xff",
        b" GET /",
        b"GET /\r\nX: y\r\nX:",
        b"POST @",
    ],
)
def test_a_repeated_header_block_does_not_excuse_its_request_line(world, line):
    block = b" HTTP/1.1\r\nHost: acme-demo.localhost\r\n\r\n"
    with world.open(b"GET /first" + block) as sock:
        recv_until(sock, b"sha")
        sock.sendall(line + block)
        assert b"HTTP/1.1 400 Bad Request" in recv_until(sock, b"400 Bad Request")


def test_pipelined_requests_are_answered_in_order(world):
    data = b"".join(b"GET /%d HTTP/1.1\r\n%b\r\n" % (n, HOST) for n in range(50))
    answer = world.gateway.raw(data + b"GET /last HTTP/1.1\r\n%bConnection: close\r\n\r\n" % HOST)
    assert re.findall(rb'"first": "GET /(\w+) ', answer) == [b"%d" % n for n in range(50)] + [b"last"]


def test_pipelined_refusals_do_not_pile_up(world):
    answer = world.gateway.raw(
        b"GET / HTTP/1.1\r\nHost: x.org\r\n\r\n" * 5000 + b"GET / HTTP/1.1\r\n%bConnection: close\r\n\r\n" % HOST
    )
    assert answer.count(b"HTTP/1.1 421") == 5000 and answer.count(b"HTTP/1.1 200") == 1


def test_http_1_0_and_head(world):
    answer = world.gateway.raw(b"GET / HTTP/1.0\r\n%b\r\n" % HOST)
    assert answer.startswith(b"HTTP/1.1 200") and b"Connection: close" in answer
    world.space(
        "acme-chunks",
        says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", then_close=False),
    )
    old = world.gateway.raw(b"GET / HTTP/1.0\r\nHost: acme-chunks.localhost\r\n\r\n")
    assert old.endswith(b"\r\n\r\nhello") and b"chunked" not in old
    head = world.gateway.raw(b"HEAD / HTTP/1.1\r\n%b\r\nGET /2 HTTP/1.1\r\n%bConnection: close\r\n\r\n" % (HOST, HOST))
    assert re.search(
        rb"^HTTP/1.1 200 OK\r\n(?:[^\r]+\r\n)*Content-Length: [1-9]\d*\r\n(?:[^\r]+\r\n)*\r\nHTTP/1.1 200 OK", head
    )


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_answers_without_body(world, status):
    label = f"acme-s{status[:3].decode()}"
    world.space(label, says(b"HTTP/1.1 %b\r\nETag: x\r\n\r\n" % status, then_close=False))
    data = b"GET / HTTP/1.1\r\nHost: %b.localhost\r\n\r\n" % label.encode()
    answer = world.gateway.raw(data + data.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert answer.count(b"HTTP/1.1 " + status) == 2


def test_expectations_and_interim_answers_pass(world):
    async def careful(first, fields, reader, writer) -> bool:
        assert fields["expect"] == "100-continue"
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
        body = await body_of(fields, reader)
        reply(writer, body)
        return True

    world.space("acme-careful", careful)
    with world.open(
        b"POST / HTTP/1.1\r\nHost: acme-careful.localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    ) as sock:
        interim = recv_until(sock, b"Continue\r\n\r\n")
        assert b"103 Early Hints" in interim and b"Link: </a.css>" in interim
        sock.sendall(b"hello")
        assert recv_until(sock, b"hello").endswith(b"\r\n\r\nhello")


def test_other_upgrades_are_ignored(world):
    data = (
        b"GET / HTTP/1.1\r\n%bUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: x\r\n\r\n" % HOST
    )
    answer = world.gateway.raw(data + b"GET /2 HTTP/1.1\r\n%bConnection: close\r\n\r\n" % HOST)
    assert answer.count(b"HTTP/1.1 200 OK") == 2 and b"h2c" not in answer


@pytest.mark.parametrize(
    ("framing", "body"),
    [(b"Content-Length: 4", b"half"), (b"Transfer-Encoding: chunked", b"2\r\nha\r\n2\r\nlf\r\n0\r\n\r\n")],
)
@pytest.mark.parametrize("pieces", [1, 2, 3])
def test_other_upgrades_are_ignored_with_a_body_too(world, framing, body, pieces):
    head = b"POST /1 HTTP/1.1\r\n%bUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n%b\r\n\r\n" % (HOST, framing)
    last = b"GET /2 HTTP/1.1\r\n%bConnection: close\r\n\r\n" % HOST
    with world.open() as sock:
        for part in {1: (head + body + last,), 2: (head, body + last), 3: (head + body[:2], body[2:], last)}[pieces]:
            sock.sendall(part)
        answer = recv_until(sock, b"GET /2 ")
    assert answer.count(b"HTTP/1.1 200 OK") == 2 and b'"size": 4' in answer and b"POST /1 " in answer


# Bodies


def test_bodies_arrive_whole(world):
    body = os.urandom(3 * MB)
    for data in (body, iter([body[:10], body[10:MB], body[MB:]])):
        seen = world.get("acme-demo", method="POST", body=data).json
        assert (seen["size"], seen["sha"]) == (len(body), hashlib.sha256(body).hexdigest())


def test_large_bodies_need_no_memory(world):
    size, piece = 300 * MB, bytes(MB)

    async def bulk(first, fields, reader, writer) -> bool:
        left = int(fields.get("content-length", 0))
        while left:
            left -= len(await reader.read(min(left, MB)))
        if first.startswith("POST"):
            reply(writer, b"ok")
            return True
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // MB):
            writer.write(piece)
            await writer.drain()
        return True

    world.space("acme-bulk", bulk)
    before = peak = world.gateway.rss()
    with world.open(b"POST / HTTP/1.1\r\nHost: acme-bulk.localhost\r\nContent-Length: %d\r\n\r\n" % size) as sock:
        for n in range(size // MB):
            sock.sendall(piece)
            peak = max(peak, world.gateway.rss()) if n % 10 == 0 else peak
        assert recv_until(sock, b"ok").endswith(b"ok")
    with world.open(b"GET / HTTP/1.1\r\nHost: acme-bulk.localhost\r\nConnection: close\r\n\r\n") as sock:
        received = 0
        while data := sock.recv(MB):
            received += len(data)
            peak = max(peak, world.gateway.rss()) if received % 17 == 0 else peak
    assert received > size
    assert peak - before < 40 * MB


def test_a_slow_app_slows_the_visitor_and_the_other_way_round(world):
    async def lazy(first, fields, reader, writer) -> bool:
        if first.startswith("POST"):
            await asyncio.Event().wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n")
        while True:
            writer.write(bytes(MB))
            await writer.drain()

    app = world.space("acme-lazy", lazy)
    before = world.gateway.rss()
    upload = world.open(b"POST / HTTP/1.1\r\nHost: acme-lazy.localhost\r\nContent-Length: 999999999\r\n\r\n")
    upload.settimeout(1)
    with pytest.raises(TimeoutError):
        while True:
            upload.sendall(bytes(MB))
    download = world.open(b"GET / HTTP/1.1\r\nHost: acme-lazy.localhost\r\n\r\n")
    eventually(lambda: app.connections >= 2)
    assert world.get("acme-demo").status == 200
    assert world.gateway.rss() - before < 40 * MB
    upload.close()
    download.close()
    eventually(lambda: app.open <= 1)


def test_an_answer_before_the_end_of_the_body(world):
    async def hasty(first, fields, reader, writer) -> bool:
        reply(writer, b"no thanks", "403 Forbidden")
        await writer.drain()
        return False

    world.space("acme-hasty", hasty)
    with world.open(b"POST / HTTP/1.1\r\nHost: acme-hasty.localhost\r\nContent-Length: 5000000\r\n\r\n") as sock:
        assert recv_until(sock, b"no thanks").startswith(b"HTTP/1.1 403")
        sock.sendall(bytes(5_000_000))
        sock.sendall(b"GET / HTTP/1.1\r\nHost: acme-demo.localhost\r\nConnection: close\r\n\r\n")
        assert recv_until(sock, b"sha").startswith(b"HTTP/1.1 200"), (
            "the connection lives on after the rest of the body"
        )


def test_no_request_goes_to_where_an_app_has_just_failed(world):
    """uvicorn answers 500 as if the connection stayed, and closes it."""
    failed = set()

    async def faulty(first, fields, reader, writer) -> bool:
        if writer in failed:
            return False
        if "/bad" in first:
            failed.add(writer)
            reply(writer, b"no", "500 Internal Server Error")
        else:
            reply(writer, b"fine")
        return True

    world.space("acme-faulty", faulty)
    for _ in range(3):
        assert world.get("acme-faulty", "/bad").status == 500
        assert world.get("acme-faulty", method="POST", body=b"{}").status == 200


def test_events_are_not_buffered(world):
    gate = asyncio.Event()

    async def events(first, fields, reader, writer) -> bool:
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n"
        )
        await gate.wait()
        writer.write(b"9\r\ndata: 2\n\n\r\n0\r\n\r\n")
        return True

    world.space("acme-events", events)
    with world.open(b"GET / HTTP/1.1\r\nHost: acme-events.localhost\r\n\r\n") as sock:
        recv_until(sock, b"data: 1\n\n")  # arrives while the app still holds the second one back
        world.loop.loop.call_soon_threadsafe(gate.set)
        assert recv_until(sock, b"0\r\n\r\n").endswith(b"data: 2\n\n\r\n0\r\n\r\n")


# WebSockets


async def socket_echo(first, fields, reader, writer) -> bool:
    import base64

    key = fields["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(key.encode()).digest())
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
    writer.write(b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept)
    while True:
        kind, size = await reader.readexactly(2)
        size &= 0x7F
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2), "big")
        elif size == 127:
            size = int.from_bytes(await reader.readexactly(8), "big")
        mask = await reader.readexactly(4)
        data = bytes(b ^ mask[n % 4] for n, b in enumerate(await reader.readexactly(size)))
        length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
        writer.write(bytes([0x8A if kind == 0x89 else kind]) + length + data)
        if kind == 0x88:
            return False


def socket_to(world: World, label: str, **more):
    sock = socket.create_connection(("127.0.0.1", world.gateway.port), timeout=10)
    return connect(f"ws://{label}.localhost:{world.gateway.port}/ws", sock=sock, proxy=None, ping_interval=None, **more)


def test_websockets_pass_and_their_data_is_use(world):
    app = world.space("acme-ws", socket_echo)
    with socket_to(
        world, "acme-ws", additional_headers={"Sec-Fetch-Mode": "websocket", "Origin": "http://x.example"}
    ) as ws:
        assert ws.ping().wait(5)
        eventually(lambda: b"GET /ws" in app.heads[-1])
        assert b"Origin: http://x.example" in app.heads[-1]
        assert "id-acme-ws" not in world.control.used
        for message in ("hello", "x" * 60_000):
            ws.send(message)
            assert ws.recv(5) == message
        eventually(lambda: "id-acme-ws" in world.control.used)
    eventually(lambda: app.open == 0)


def test_sockets_end_with_the_route_or_its_epoch(world):
    app = world.space("acme-wsend", socket_echo)
    for change in ({"epoch": 2}, {"state": "closed", "stage": "PAUSED"}):
        world.control.change("acme-wsend", state="open")
        with ExitStack() as stack:
            eventually(lambda: stack.enter_context(socket_to(world, "acme-wsend")))
            world.control.change("acme-wsend", **change)
            eventually(lambda: app.open == 0)


def test_bytes_after_a_refused_upgrade_are_not_a_request(world):
    world.space("acme-nows", says(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno", then_close=False))
    opening = b"GET / HTTP/1.1\r\nHost: acme-nows.localhost\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
    answer = world.gateway.raw(opening + b"GET /smuggled HTTP/1.1\r\nHost: acme-demo.localhost\r\n\r\n")
    assert answer.count(b"HTTP/1.1") == 1 and not any(b"/smuggled" in head for head in world.echo.heads)


# Apps that misbehave


@pytest.mark.parametrize(
    "name, chunks, reason",
    [
        ("junk", [b"junk\r\n\r\n"], "not valid HTTP"),
        ("nothing", [], "closed the connection"),
        ("half", [b"HTTP/1.1 200 OK\r\nContent-Le"], "closed the connection"),
        (
            "both",
            [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
            "not valid HTTP",
        ),
        ("length", [b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello"], "not valid HTTP"),
        ("coding", [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello"], "Transfer-Encoding"),
        ("lf", [b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"], "not valid HTTP"),
        ("nul", [b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 5\r\n\r\nhello"], "not valid HTTP"),
        (
            "switch",
            [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"],
            "unasked",
        ),
        ("flood", [b"HTTP/1.1 100 Continue\r\n\r\n" * 50], "interim"),
        ("header", [b"HTTP/1.1 200 OK\r\n", *[b"X: %b\r\n" % (b"a" * 8000)] * 100], "larger than"),
        ("line", [b"HTTP/1.1 200 OK\r\nX: ", *[b"a" * 8000] * 100], "larger than"),
    ],
)
def test_answers_that_are_no_answers(world, name, chunks, reason):
    world.space(f"acme-bad-{name}", says(*chunks))
    answer = world.get(f"acme-bad-{name}")
    assert answer.status == 502 and reason in answer.json["error"] and f"acme/acme-bad-{name}" in answer.json["error"]
    page = world.page(f"acme-bad-{name}")
    assert page.status == 502 and f"acme/acme-bad-{name}".encode() in page.body


@pytest.mark.parametrize(
    "name, answer",
    [
        ("short", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"),
        ("chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
    ],
)
def test_answers_that_break_off_are_seen_to_be_broken(world, name, answer):
    world.space(f"acme-cut-{name}", says(answer))
    with pytest.raises(http.client.IncompleteRead):
        world.get(f"acme-cut-{name}")


def test_extra_bytes_after_an_answer_never_reach_the_next_visitor(world):
    app = world.space(
        "acme-extra",
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\nevil", then_close=False),
    )
    for _ in range(3):
        assert world.get("acme-extra").body == b"ok"
    assert app.connections == 3


def test_a_connection_closed_while_idle_is_not_noticed(world):
    async def once(first, fields, reader, writer) -> bool:
        reply(writer, b"ok")
        await writer.drain()
        return False

    world.space("acme-once", once)
    assert [world.get("acme-once").status for _ in range(20)] == [200] * 20


def test_a_hanging_app_is_a_504_and_a_dead_one_a_502(strict):
    async def hang(first, fields, reader, writer) -> bool:
        await reader.read()
        return False

    app = strict.space("acme-hang", hang)
    answer = strict.get("acme-hang")
    assert answer.status == 504 and "acme/acme-hang" in answer.json["error"]
    eventually(lambda: app.open == 0)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))  # bound, not listening: refused
        strict.control.put("acme-dead", address=f"127.0.0.1:{sock.getsockname()[1]}")
        strict.until_known("acme-dead")
        answer = strict.get("acme-dead", method="POST", body=b"x")
        assert answer.status == 502 and "refused" in answer.json["error"]


def test_a_request_survives_a_change_of_instance(world):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{sock.getsockname()[1]}"
        world.control.put("acme-moves", address=address)
        world.until_known("acme-moves")
        with world.open(b"GET /held HTTP/1.1\r\nHost: acme-moves.localhost\r\nConnection: close\r\n\r\n") as visitor:
            world.control.change("acme-moves", address=world.echo.address, instance="s-2")
            assert b'"first": "GET /held' in recv_until(visitor, b"sha")


# Limits


def test_slow_visitors_are_sent_away(strict):
    with strict.open(b"GET / HTTP/1.1\r\nHos") as sock:
        assert recv_until(sock, b"\r\n\r\n").startswith(b"HTTP/1.1 408")
    with strict.open(b"POST / HTTP/1.1\r\n%bContent-Length: 10\r\n\r\nhell" % HOST) as sock:
        assert recv_until(sock, b"\r\n\r\n").startswith(b"HTTP/1.1 408")
    with strict.open(b"GET / HTTP/1.1\r\n%b\r\n" % HOST) as sock:
        assert recv_until(sock, b"no such bytes").count(b"HTTP/1.1 200") == 1, "an idle connection is closed"


def test_bodies_over_the_limit(strict):
    with strict.open(b"POST / HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n" % (HOST, MB + 1)) as sock:
        assert recv_until(sock, b"\r\n\r\n").startswith(b"HTTP/1.1 413")
    with strict.open(b"POST / HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n" % HOST) as sock:
        try:
            for _ in range(40):
                sock.sendall(b"10000\r\n" + bytes(65536) + b"\r\n")
        except OSError:
            pass
        assert recv_until(sock, b"\r\n\r\n").startswith(b"HTTP/1.1 413")
    assert strict.get("acme-demo", method="POST", body=bytes(MB)).json["size"] == MB


def test_too_many_connections_of_one_address(strict):
    socks = [strict.open() for _ in range(60)]
    with strict.open(b"GET / HTTP/1.1\r\n%b\r\n" % HOST) as sock:
        assert recv_until(sock, b"\r\n\r\n").startswith(b"HTTP/1.1 429")
    for sock in socks:
        sock.close()
    eventually(lambda: strict.get("acme-demo").status == 200)


def test_too_many_requests(tmp_path):
    world = World(tmp_path, rate_limit=5.0)
    try:
        world.space("acme-other", echo)
        answers = [world.get("acme-demo") for _ in range(60)]
        refused = next(a for a in answers if a.status == 429)
        assert answers[0].status == 200 and int(refused.headers["Retry-After"]) >= 1
        assert refused.headers["RateLimit-Policy"] == '"space";q=20;w=4' and "r=0" in refused.headers["RateLimit"]
        assert world.get("acme-other").status == 200, "each Space has a limit of its own"
    finally:
        world.close()


# Sleeping, waiting, closed


def test_a_navigation_wakes_a_space_and_sees_it_come(world):
    world.space("acme-sleepy", state="wake", stage="SLEEPING", reason="nobody came for 2 days <b>")
    page = world.page("acme-sleepy", "/deep?x=1", Sec_Fetch_Mode="navigate")
    assert page.status == 503 and page.headers["Retry-After"] and page.headers["Cache-Control"] == "no-store"
    assert b"nobody came for 2 days &lt;b&gt;" in page.body and b"nobody came for 2 days <b>" not in page.body
    nonce = re.search(r"script-src 'nonce-([\w-]+)'", page.headers["Content-Security-Policy"])[1]
    assert page.body.count(f'nonce="{nonce}"'.encode()) == 2
    eventually(lambda: "id-acme-sleepy" in world.control.wakes, 1)
    with world.open(b"GET /.podium/progress HTTP/1.1\r\nHost: acme-sleepy.localhost\r\n\r\n") as events:
        assert b'"state": "wake"' in recv_until(events, b"\n\n")
        world.control.change(
            "acme-sleepy", state="wait", stage="BUILDING", reason="installing torch", since=time.time() - 7,
            steps=[["Queued", "done", 0.5, None, None], ["Installing", "now", None, time.time() - 5, 20.0, "of a later version"]],
        )  # fmt: skip
        event = json.loads(recv_until(events, b"\n\n").partition(b"data: ")[2])
        assert event["stage"] == "Building" and event["reason"] == "installing torch" and 6 <= event["elapsed"] <= 9
        queued, installing = event["steps"]
        assert queued == ["Queued", "done", 0.5, None]
        assert installing == ["Installing", "now", installing[2], 20.0] and 5 <= installing[2] < 60, "seconds, no clock"
        world.control.change("acme-sleepy", state="open", stage="RUNNING", address=world.echo.address)
        assert b'"state": "open"' in recv_until(events, b"open")
    assert world.page("acme-sleepy").status == 200


def test_a_program_is_held_until_the_space_is_there(world):
    world.space("acme-held", state="wake", stage="SLEEPING")
    body = os.urandom(2 * MB)

    def wake(space: str) -> None:
        if space == "id-acme-held":
            world.control.change("acme-held", state="wait", stage="APP_STARTING")
            world.control.change("acme-held", state="open", address=world.echo.address)

    world.control.on_wake = wake
    seen = world.get("acme-held", "/api", method="POST", body=body).json
    assert seen["sha"] == hashlib.sha256(body).hexdigest()
    assert world.control.wakes.count("id-acme-held") == 1


def test_a_tab_in_the_background_wakes_nobody(world):
    world.space("acme-tab", state="wake", stage="SLEEPING", reason="asleep")
    for mode in ("cors", "no-cors", "same-origin"):
        answer = world.get("acme-tab", "/data", Sec_Fetch_Mode=mode, Accept="*/*")
        assert answer.status == 503 and answer.json["stage"] == "SLEEPING" and answer.headers["Retry-After"]
    assert world.page("acme-tab", Sec_Fetch_Mode="navigate", Sec_Purpose="prefetch").status == 503
    assert world.get("acme-tab", "/_stcore/health").status == 503
    assert world.get("acme-demo", "/flush", method="POST").status == 200
    eventually(lambda: "id-acme-demo" in world.control.used)
    assert "id-acme-tab" not in world.control.wakes and "id-acme-tab" not in world.control.used


def test_a_hold_ends_and_says_so(strict):
    strict.space("acme-never", state="wait", stage="BUILDING", reason="installing torch")
    answer = strict.get("acme-never", "/api", method="POST", body=b"{}")
    assert answer.status == 503 and answer.headers["Retry-After"]
    assert answer.json["stage"] == "BUILDING" and "installing torch" in answer.json["error"]


@pytest.mark.parametrize(
    "stage, status",
    [
        ("PAUSED", 503),
        ("BUILD_ERROR", 503),
        ("RUNTIME_ERROR", 503),
        ("NO_APP_FILE", 503),
        ("CONFIG_ERROR", 503),
        ("DELETING", 404),
    ],
)
def test_closed_spaces_say_why(world, stage, status):
    label = f"acme-{stage.lower().replace('_', '-')}"
    world.space(label, state="closed", stage=stage, reason="requirements.txt:3: no such package")
    answer = world.get(label)
    assert answer.status == status and answer.json["stage"] == stage and "Retry-After" not in answer.headers
    assert "requirements.txt:3: no such package" in answer.json["error"]
    assert b"requirements.txt:3: no such package" in world.page(label).body


# Private Spaces


@pytest.fixture
def secret(world):
    label = "acme-secret"
    if label not in world.control.routes:
        world.space(label, echo, private=True)
    return label


def bare(answer: Answer) -> tuple:
    """An answer without what differs every time."""
    text = re.sub(rb'nonce="[\w-]+"', b"", answer.body).replace(b"acme-nobody", b"?").replace(b"acme-secret", b"?")
    fields = sorted((n, re.sub(r"'nonce-[\w-]+'", "", v)) for n, v in answer.headers.items() if n != "Content-Length")
    return answer.status, fields, text


def test_strangers_cannot_tell_a_private_space_from_none(world, secret):
    assert bare(world.page(secret)) == bare(world.page("acme-nobody"))
    assert bare(world.get(secret)) == bare(world.get("acme-nobody"))
    assert bare(world.get(secret, "/.podium/progress")) == bare(world.get("acme-nobody", "/.podium/progress"))
    answer = world.get(secret)
    assert answer.status == 404 and answer.json == {"error": "Repository not found"}
    assert answer.headers["X-Error-Code"] == "RepoNotFound"
    link = f"http://localhost/open?to=http%3A%2F%2Facme-secret.localhost%3A{world.gateway.port}%2F"
    assert link.encode() in world.page(secret).body


def asking(world: World, label: str, **fields: str) -> Answer:
    """A browser's question whether a page of another site may send a token here."""
    asks = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "authorization, content-type"}
    return world.get(label, "/config", "OPTIONS", Origin="https://page.example", **(asks | fields))


def test_a_page_elsewhere_may_show_its_token_to_a_private_space(world, secret):
    answer = asking(world, secret)
    assert (answer.status, answer.body) == (200, b"") and bare(answer) == bare(asking(world, "acme-nobody"))
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Access-Control-Allow-Headers"] == "authorization, content-type"
    assert answer.headers["Access-Control-Allow-Methods"] == "POST"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    for names in ("content-type", "authorization, <"):
        refused = asking(world, secret, Access_Control_Request_Headers=names)
        assert refused.status == 404 and "Access-Control-Allow-Origin" not in refused.headers
    assert "Access-Control-Allow-Origin" not in world.get(secret, Origin="https://page.example").headers


def test_a_page_elsewhere_may_show_its_token_to_a_space_that_sleeps(world):
    world.space("acme-nap", state="wake", stage="SLEEPING")
    assert asking(world, "acme-nap").headers["Access-Control-Allow-Origin"] == "*"
    assert asking(world, "acme-nap", Access_Control_Request_Headers="range").status == 503
    assert "id-acme-nap" not in world.control.wakes


def sign(world: World, **claims: object) -> str:
    return world.control.sign("acme-secret.localhost", "id-acme-secret", **claims)


def test_a_guest_stays_no_longer_than_the_link(world, secret):
    until = int(time.time()) + 3
    answer = world.page(secret, f"/?__sign={sign(world, until=until)}")
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    assert world.get(secret, Cookie=cookie).status == 200
    eventually(lambda: world.get(secret, Cookie=cookie).status == 404, 15)
    assert time.time() >= until
    lasting = world.page(secret, f"/?__sign={sign(world, until=until + 10**6)}").headers["Set-Cookie"].partition(";")[0]
    claims = jwt.decode(lasting.partition("=")[2], options={"verify_signature": False})
    assert claims["exp"] <= time.time() + 4 * 3600


def test_a_signed_link_becomes_a_cookie_once(world, secret):
    link = f"//evil.org/x?a=1&__sign={sign(world)}&b=2"
    answer = world.page(secret, link)
    assert answer.status == 303
    assert answer.headers["Location"] == f"http://acme-secret.localhost:{world.gateway.port}//evil.org/x?a=1&b=2"
    assert answer.headers["Referrer-Policy"] == "no-referrer" and answer.headers["Cache-Control"] == "no-store"
    cookie, *attributes = answer.headers["Set-Cookie"].split("; ")
    assert cookie.startswith("podium-app=")
    assert set(attributes) == {"HttpOnly", "Path=/", "Max-Age=14400", "Secure", "SameSite=None", "Partitioned"}
    seen = world.get(secret, Cookie=f"mine=1; {cookie}").json
    assert seen["headers"]["cookie"] == "mine=1"
    assert world.page(secret, link).status == 404, "a link works once"
    assert world.get(secret, Cookie=cookie, Sec_Fetch_Site="same-site", Sec_Fetch_Mode="cors").status == 404
    with pytest.raises(Exception, match="404"):
        socket_to(world, secret, additional_headers={"Cookie": cookie, "Origin": "http://acme-demo.localhost"})
    world.control.change(secret, epoch=2)
    eventually(lambda: world.get(secret, Cookie=cookie).status == 404)
    world.control.change(secret, epoch=1)
    eventually(lambda: world.get(secret, Cookie=cookie).status == 200)


def test_a_signed_fetch_is_allowed_and_its_signature_stripped(world, secret):
    seen = world.get(secret, f"/file?__sign={sign(world)}", Sec_Fetch_Mode="cors").json
    assert seen["first"] == "GET /file HTTP/1.1"
    eventually(lambda: "/file" in world.gateway.config.access_log.read_text())
    assert "__sign" not in world.gateway.config.access_log.read_text()


@pytest.mark.parametrize(
    "name",
    [
        "expired",
        "long-lived",
        "other host",
        "other space",
        "other epoch",
        "no jti",
        "alg none",
        "other key",
        "tampered",
        "twice",
        "long",
    ],
)
def test_bad_signatures(world, secret, name):
    now = int(time.time())
    good = sign(world)
    claims = jwt.decode(good, options={"verify_signature": False})
    token = {
        "expired": lambda: sign(world, exp=now - 100),
        "long-lived": lambda: sign(world, exp=now + 3600),
        "other host": lambda: world.control.sign("acme-demo.localhost", "id-acme-secret"),
        "other space": lambda: world.control.sign("acme-secret.localhost", "id-acme-demo"),
        "other epoch": lambda: sign(world, epoch=7),
        "no jti": lambda: jwt.encode(
            {k: v for k, v in claims.items() if k != "jti"}, world.control.private_key, "EdDSA"
        ),
        "alg none": lambda: jwt.encode(claims, None, "none"),
        "other key": lambda: jwt.encode(claims, "x" * 40, "HS256"),
        "tampered": lambda: good[:-6] + "AAAAAA",
        "twice": lambda: f"{good}&__sign={good}",
        "long": lambda: good + "a" * 5000,
    }[name]()
    answer = world.page(secret, f"/?__sign={token}")
    assert answer.status == 404 and token[:30].encode() not in answer.body


def test_tokens_of_members(world, secret):
    world.control.members.add("hf_member")
    for field in ("Authorization", "X_HF_Authorization"):
        seen = world.get(secret, **{field: "Bearer hf_member"}).json
        assert "authorization" not in seen["headers"] and "x-hf-authorization" not in seen["headers"]
    assert world.get(secret, Authorization="Bearer hf_stranger").status == 404
    assert world.get(secret, Authorization="Bearer nothub").status == 404
    assert world.control.asked.count(("hf_member", "id-acme-secret")) == 1, "the answer is remembered"
    assert world.get("acme-nobody", Authorization="Bearer hf_member").status == 404
    assert ("hf_member", "nowhere") in world.control.asked, "an absent Space must take as long as a hidden one"
    body = os.urandom(2 * MB)
    world.control.members.add("hf_second")
    seen = world.get(secret, method="POST", body=body, Authorization="Bearer hf_second").json
    assert seen["sha"] == hashlib.sha256(body).hexdigest()


# Life


def test_apps_are_served_while_the_control_plane_is_away_and_through_a_restart(tmp_path):
    world = World(tmp_path, retry_timeout=2.0)
    try:
        world.space("acme-private", echo, private=True)
        cookie = world.page(
            "acme-private", f"/?__sign={world.control.sign('acme-private.localhost', 'id-acme-private')}"
        ).headers["Set-Cookie"]
        world.control.stop()
        assert world.get("acme-demo").status == 200
        world.gateway.stop()
        assert world.gateway.config.snapshot.stat().st_mode & 0o777 == 0o600
        world.gateway.start()
        assert world.get("acme-demo").status == 200
        assert world.get("acme-private", Cookie=cookie.split(";")[0]).status == 200
        away = world.get("", "/")
        assert away.status == 503 and away.headers["Retry-After"] and "restarting" in away.json["error"]
        assert b"restarting" in world.page("", "/").body
        address = f"http://localhost:{world.gateway.port}/spaces/acme/demo"
        clone = subprocess.run(["git", "ls-remote", address], capture_output=True, text=True, timeout=60)
        assert clone.returncode and "remote: The control plane is restarting" in clone.stderr
        with world.open(b"GET /held HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n") as visitor:
            del world.control.routes["acme-private"]
            world.control.start()
            assert b'"console": "/held"' in recv_until(visitor, b"size"), "a short restart is not noticed"
        eventually(lambda: world.get("acme-private", Cookie=cookie.split(";")[0]).status == 404)
        assert world.get("acme-demo").status == 200
    finally:
        world.close()


def test_a_version_before_does_not_come_back_with_the_snapshot(tmp_path):
    world = World(tmp_path)
    try:
        eventually(lambda: world.gateway.config.snapshot.exists())
        world.gateway.stop()
        world.control.stop()
        newer = world.app(echo)
        world.control.put("acme-demo", address=newer.address)
        told = threading.Timer(0.8, world.control.start)
        told.start()
        world.gateway.start()
        assert world.get("acme-demo").status == 200
        told.join()
        assert newer.heads and not world.echo.heads, "the first visitor meets what the control plane says"
    finally:
        world.close()


def test_a_space_newer_than_the_snapshot_is_waited_for(tmp_path):
    """Nobody is told 404 for a Space that the control plane knows and a gateway that just started does not, yet."""
    world = World(tmp_path, retry_timeout=60.0)
    try:
        eventually(lambda: world.gateway.config.snapshot.exists())
        world.gateway.stop()
        world.control.stop()
        world.gateway.start()
        assert world.get("acme-demo").status == 200
        world.control.put("acme-new", address=world.echo.address)
        body = os.urandom(3 * MB)
        head = b"POST / HTTP/1.1\r\nHost: acme-new.localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(
            body
        )
        with (
            world.open(head) as program,
            world.open(b"GET / HTTP/1.1\r\nHost: acme-new.localhost\r\nAccept: text/html\r\n\r\n") as browser,
            world.open(b"GET / HTTP/1.1\r\nHost: acme-none.localhost\r\nConnection: close\r\n\r\n") as lost,
        ):
            world.control.start()
            program.sendall(body)
            assert hashlib.sha256(body).hexdigest().encode() in recv_until(program, b"sha")
            assert recv_until(browser, b"\r\n\r\n").startswith(b"HTTP/1.1 200")
            assert recv_until(lost, b"\r\n\r\n").startswith(b"HTTP/1.1 404"), "it should not wait longer than needed"
    finally:
        world.close()


def test_nobody_waits_for_news_for_long(tmp_path):
    world = World(tmp_path, retry_timeout=1.0)
    try:
        world.space("acme-hidden", private=True, state="closed")
        world.control.stop()
        eventually(lambda: world.gateway.errors().count("no route feed"))
        missing, hidden = world.get("acme-none"), world.get("acme-hidden")
        assert (
            (missing.status, missing.body)
            == (hidden.status, hidden.body)
            == (404, b'{"error": "Repository not found"}')
        )
        assert world.page("acme-none").status == 404
    finally:
        world.close()


def test_a_start_with_nothing_known_says_so(tmp_path):
    (tmp_path / "routes.ndjson").write_text('{"reset": true}\n{"put": garbage')
    gateway = GatewayProcess(tmp_path).start()
    answer = gateway.raw(b"GET / HTTP/1.1\r\nHost: acme-demo.localhost\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 503") and b"Retry-After" in answer
    assert gateway.stop() == 0


def test_a_stop_lets_running_requests_end(tmp_path):
    world = World(tmp_path)
    gate = asyncio.Event()

    async def slow(first, fields, reader, writer) -> bool:
        await gate.wait()
        reply(writer, b"the end")
        return True

    app = world.space("acme-slow", slow)
    with world.open(b"GET / HTTP/1.1\r\nHost: acme-slow.localhost\r\n\r\n") as visitor:
        eventually(lambda: app.open == 1)
        world.gateway.process.terminate()

        def refused() -> bool:
            try:
                world.open().close()
            except OSError:
                return True
            return False

        eventually(refused)
        world.loop.loop.call_soon_threadsafe(gate.set)
        answer = recv_until(visitor, b"the end")
        assert answer.endswith(b"the end") and b"Connection: close" in answer
        assert visitor.recv(1) == b""
    world.close()


def test_garbage_and_silence_in_the_feed_do_no_harm(world):
    world.control._send(b"garbage\n")
    world.control._send(b'{"put": {"label": 5}}\n')
    world.space("acme-after", echo)
    assert world.get("acme-after").status == 200


def test_both_loopback_addresses_are_served(world):
    try:
        sock = socket.create_connection(("::1", world.gateway.port), 5)
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with sock:
        sock.sendall(b"GET / HTTP/1.1\r\n%bConnection: close\r\n\r\n" % HOST)
        assert b'"x-forwarded-for": "::1"' in recv_until(sock, b"no such bytes")


def test_the_access_log_has_a_line_per_request(world):
    world.get("acme-demo", "/logged?secret=1")
    line = eventually(
        lambda: next((x for x in world.gateway.config.access_log.read_text().splitlines() if "/logged" in x), None)
    )
    told = json.loads(line)
    assert set(told) == {"time", "address", "host", "method", "path", "status", "bytes", "ms", "space", "outcome"}
    assert (told["path"], told["status"], told["space"], told["outcome"]) == ("/logged", 200, "id-acme-demo", "forward")


def test_a_taken_port_is_one_sentence(world):
    from orchestrator.gateway.server import _listen

    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{world.gateway.port}"):
        _listen((("127.0.0.1", world.gateway.port),))


def test_the_gateway_imports_no_framework():
    code = (
        "import json, sys, orchestrator.gateway.server; print(json.dumps([m.partition('.')[0] for m in sys.modules]))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"sqlalchemy", "fastapi", "starlette", "pydantic", "httpx"} & set(json.loads(out))
