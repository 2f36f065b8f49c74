"""Bytes that are sent to the gateway as they are. `%b` is the Host line, of an app's or the console's door in turn."""
# ruff: noqa: E501  (tables: one row a line)

from dataclasses import dataclass


@dataclass(frozen=True)
class Wire:
    d4: int
    name: str
    data: bytes
    status: str = "400"
    says: str = ""
    closes: bool = True

    def __str__(self) -> str:
        return f"{self.d4}-{self.name}"


POST, GET, END = b"POST / HTTP/1.1\r\n%b", b"GET / HTTP/1.1\r\n%b", b"\r\n\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
UPGRADE = GET + b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

ROWS = [
    *[Wire(109, name, line + b" HTTP/1.1\r\n%b\r\n", status, says) for name, line, status, says in (
        ("absolute form", b"GET http://other.example/", "400", "begin with '/'"), ("an at sign", b"GET @evil", "400", ""), ("an asterisk", b"GET *", "400", ""), ("OPTIONS *", b"OPTIONS *", "400", ""),
        ("CONNECT", b"CONNECT evil:443", "400|405", ""), ("CONNECT /", b"CONNECT /", "400|405", ""), ("TRACE", b"TRACE /", "405|400", "TRACE|not HTTP"), ("a space", b"GET /a b", "400", ""), ("bytes", b"GET /\xff", "400|200|404", ""),
        ("NUL", b"GET /\0", "400", ""), ("backslash", b"GET \\evil", "400", ""), ("no target", b"GET", "400", ""), ("lower case", b"get /", "400", ""), ("an unknown method", b"BREW /", "400|405", ""), ("PRI", b"PRI *", "400|405", ""),
    )],
    Wire(110, "both lengths", POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked" + END + b"0" + END),
    Wire(110, "both, other order", POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5" + END + b"0" + END),
    *[Wire(110, f"length {v!r}", POST + b"Content-Length: " + v + END + b"x", "400|413") for v in (b"+5", b"-1", b"0x1", b"1, 1", b"1 1", b"1e1", b"", b"9" * 30, b"5;", b"\xb2", b"1_0")],
    Wire(110, "two lengths", POST + b"Content-Length: 1\r\nContent-Length: 2" + END + b"x"),
    Wire(110, "one length twice", POST + b"Content-Length: 1\r\nContent-Length: 1" + END + b"x"),
    *[Wire(110, f"coding {v!r}", POST + b"Transfer-Encoding: " + v + END + b"0" + END) for v in (b"xchunked", b"gzip, chunked", b"chunked, identity", b'"chunked"', b"chunked, chunked", b"", b"identity", b"\x0bchunked", b"chunked;q=1")],
    Wire(110, "coding twice", POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked" + END + b"0" + END),
    Wire(110, "coding over 1.0", b"POST / HTTP/1.0\r\n%bTransfer-Encoding: chunked" + END + b"0" + END),
    Wire(110, "space before the colon", POST + b"Transfer-Encoding : chunked" + END + b"0" + END),
    Wire(110, "a folded line", GET + b"X: a\r\n b" + END),
    Wire(110, "bare LF", GET + b"X: a\n\r\n"),
    Wire(110, "only LF", b"GET / HTTP/1.1\n%b\n"),
    Wire(110, "bare CR", GET + b"X: a\rY: b" + END),
    Wire(110, "NUL in a value", GET + b"X: a\0b" + END),
    Wire(110, "NUL in a name", GET + b"X\0: a" + END),
    Wire(110, "a line without colon", GET + b"X" + END),
    Wire(110, "no name", GET + b": x" + END),
    Wire(110, "two hosts", GET + b"Host: localhost" + END, says="host was sent twice|not HTTP"),
    Wire(110, "no host", b"GET / HTTP/1.1\r\n\r\n", says="Host"),
    Wire(110, "an empty host", b"GET / HTTP/1.1\r\nHost:" + END, says="Host"),
    Wire(92, "two Authorization headers", GET + b"Authorization: Bearer a\r\nAuthorization: Bearer b" + END, says="sent twice"),
    *[Wire(110, f"host {v!r}", b"GET / HTTP/1.1\r\nHost: " + v + END, "400|421", closes=False) for v in (b"evil.example", b"a b", b"localhost:x", b"x@localhost", b"localhost/x", b"[::1", b"..", b"a" * 300, b"\xff.localhost", b"_.localhost", b"localhost, evil")],
    *[Wire(110, f"chunk {v[:12]!r}", CHUNKED + v) for v in (b"0x5\r\nhello\r\n0\r\n\r\n", b"+5\r\nhello\r\n0\r\n\r\n", b"5\nhello\r\n0\r\n\r\n", b"5\r\nhelloworld\r\n0\r\n\r\n", b"f" * 20 + b"\r\nx", b"-1\r\n", b" 5\r\nhello\r\n0\r\n\r\n", b"g\r\n")],
    *[Wire(110, f"version {v!r}", b"GET / " + v + b"\r\n%b\r\n") for v in (b"HTTP/2.0", b"HTTP/0.9", b"HTTP/1.2", b"HTTP/11", b"http/1.1", b"HTTP/1.1 x", b"HTTP/", b"ICE/1.0")],
    Wire(100, "HTTP/0.9", b"GET /\r\n%b\r\n"),
    Wire(110, "TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03%b" + b"\0" * 100),
    Wire(110, "a colon in the method", b"GE:T / HTTP/1.1\r\n%b\r\n"),
    Wire(113, "an odd expectation", POST + b"Expect: magic\r\nContent-Length: 1" + END + b"x", "417", "100-continue"),
    Wire(113, "a body over the limit", POST + b"Content-Length: 99999999999" + END + b"x", "413|400|405", ""),
    Wire(113, "a long URL", b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n%b\r\n", "414", "16 KB"),
    Wire(113, "a long header", GET + b"X: " + b"a" * 60_000 + END, "431", "32 KB"),
    Wire(113, "120 headers", GET + b"".join(b"X-%d: 1\r\n" % n for n in range(120)) + b"\r\n", "431", "100"),
    Wire(113, "many cookies", GET + b"Cookie: a=" + b"b" * 9000 + END, "431", "8 KB|KB", closes=False),
    Wire(115, "an upgrade with a body", UPGRADE + KEY + b"Content-Length: 5" + END + b"hello", says="must not have a body"),
    Wire(115, "an upgrade with chunks", UPGRADE + KEY + b"Transfer-Encoding: chunked" + END + b"0" + END),
    Wire(115, "an upgrade by POST", b"POST / HTTP/1.1\r\n%bUpgrade: websocket\r\nConnection: Upgrade\r\n" + KEY + b"\r\n"),
    Wire(115, "an upgrade over 1.0", b"GET / HTTP/1.0\r\n%bUpgrade: websocket\r\nConnection: Upgrade\r\n" + KEY + b"\r\n"),
]  # fmt: skip
