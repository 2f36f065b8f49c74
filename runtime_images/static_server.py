"""Serves the files of a static Space. One file, standard library only, one thread, small.

    python static_server.py --port 7860 [--host 0.0.0.0] [--root .] [--index index.html]

GET and HEAD; index.html of a directory; 404.html of the root if it is there; ETag, Last-Modified and 304; one byte range;
keep-alive. Never a listing, a dot file, or a file that a link leads to outside of the root. Every answer may be read by
other origins, as files of static Spaces always could.

What SPACE_VARIABLES holds as JSON comes first in the head of each page that has one, as `window.huggingface.variables`."""

import argparse
import json
import mimetypes
import os
import re
import selectors
import socket
import stat
import time
import zlib
from contextlib import suppress
from email.utils import formatdate, parsedate_to_datetime
from urllib.parse import quote, unquote_to_bytes

HEAD_LIMIT = 32 * 1024
IDLE = 75.0  #: seconds that a connection may do nothing
CONNECTIONS = 512
CHUNK = 1024 * 1024
HEAD = re.compile(rb"<head(?:\s[^>]*)?>", re.I)
PAGE_LIMIT = 8 * 1024 * 1024  #: bytes of a page into which variables are written

TYPES = {
    ".js": "text/javascript", ".mjs": "text/javascript", ".cjs": "text/javascript", ".css": "text/css",
    ".html": "text/html", ".htm": "text/html", ".txt": "text/plain", ".md": "text/markdown", ".csv": "text/csv",
    ".json": "application/json", ".map": "application/json", ".webmanifest": "application/manifest+json",
    ".wasm": "application/wasm", ".svg": "image/svg+xml", ".webp": "image/webp", ".avif": "image/avif",
    ".woff": "font/woff", ".woff2": "font/woff2", ".ttf": "font/ttf", ".otf": "font/otf", ".glb": "model/gltf-binary",
    ".gltf": "model/gltf+json", ".mp4": "video/mp4", ".webm": "video/webm", ".m4a": "audio/mp4", ".opus": "audio/ogg",
    ".onnx": "application/octet-stream", ".bin": "application/octet-stream", ".safetensors": "application/octet-stream",
    ".yaml": "text/yaml", ".yml": "text/yaml", ".py": "text/x-python", ".toml": "text/plain", ".xml": "application/xml",
}  # fmt: skip
REASONS = {
    200: "OK", 206: "Partial Content", 301: "Moved Permanently", 304: "Not Modified", 400: "Bad Request", 404: "Not Found",
    405: "Method Not Allowed", 416: "Range Not Satisfiable", 431: "Request Header Fields Too Large",
}  # fmt: skip


def content_type(path: str) -> str:
    kind = TYPES.get(os.path.splitext(path)[1].lower()) or mimetypes.guess_type(path)[0] or "application/octet-stream"
    text = kind.startswith("text/") or kind in ("application/json", "image/svg+xml", "application/xml")
    return f"{kind}; charset=utf-8" if text else kind


def byte_range(header: str, size: int) -> "tuple[int, int] | None":
    """First and last byte of one `bytes=` range, None to send everything. Raises ValueError when it lies outside."""
    unit, _, wanted = header.partition("=")
    first, dash, last = wanted.strip().partition("-")
    digits = (first + last).isascii() and (first + last).isdigit()
    if unit.strip().lower() != "bytes" or not dash or not digits or len(wanted) > 40:
        return None  # another unit, several ranges, or nonsense: RFC 9110 lets us ignore it
    if not first:
        if int(last) == 0 or size == 0:
            raise ValueError("empty range")
        return max(0, size - int(last)), size - 1
    start, end = int(first), int(last) if last else size - 1
    if start >= size:
        raise ValueError("range after the end")
    return None if end < start else (start, min(end, size - 1))


class Site:
    """A directory whose files may be seen. `index`: the file that answers for the root, instead of its index.html. `script`:
    an element that comes first in the head of each page."""

    def __init__(self, root: str, index: str = "index.html", script: bytes = b"") -> None:
        self.root, self.index, self.script = os.path.realpath(root), index, script

    def find(self, raw_path: str) -> "tuple[str, str]":
        """(`file`, path) or (`redirect`, URL path) or (`missing`, ""), for the path of a request line."""
        try:
            path = unquote_to_bytes(raw_path).decode()
        except UnicodeDecodeError:
            return "missing", ""
        parts = [part for part in path.split("/") if part]
        if not path.startswith("/") or any(part.startswith(".") or "\0" in part or "\\" in part for part in parts):
            return "missing", ""
        full = os.path.realpath(os.path.join(self.root, *parts))
        if full != self.root and not full.startswith(self.root + "/"):
            return "missing", ""
        if any(part.startswith(".") for part in full[len(self.root) :].split("/")):
            return "missing", ""  # a link to a dot file
        if os.path.isdir(full):
            if not path.endswith("/"):
                return "redirect", "/" + quote("/".join(parts)) + "/"
            index = "index.html" if parts else self.index
            full = os.path.join(full, index)
            if os.path.islink(full):
                return self.find(raw_path + quote(index))
        elif path.endswith("/"):
            return "missing", ""
        return ("file", full) if os.path.isfile(full) else ("missing", "")


class Answer:
    """A response: its head, and the part of a file or the bytes that follow."""

    def __init__(self, status: int, fields: "dict[str, str]", body: bytes = b"") -> None:
        self.status, self.fields, self.body = status, fields, body
        self.file, self.offset, self.left = -1, 0, 0

    def head(self, close: bool) -> bytes:
        lines = [f"HTTP/1.1 {self.status} {REASONS[self.status]}", f"Date: {formatdate(usegmt=True)}"]
        fields = {"Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff", **self.fields}
        lines += [f"{name}: {value}" for name, value in fields.items()]
        lines.append("Connection: close" if close else "Connection: keep-alive")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


def plain(status: int, **fields: str) -> Answer:
    body = f"{status} {REASONS[status]}\n".encode()
    given = {name.replace("_", "-"): value for name, value in fields.items()}
    return Answer(status, {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(body))} | given, body)


def answer(site: Site, method: str, target: str, fields: "dict[str, str]") -> Answer:
    """The response to one request. `fields`: header names in lower case."""
    if method == "OPTIONS":
        allowed = {"Access-Control-Allow-Methods": "GET, HEAD, OPTIONS", "Access-Control-Allow-Headers": "*"}
        return Answer(200, {"Content-Length": "0", "Allow": "GET, HEAD, OPTIONS", **allowed})
    if method not in ("GET", "HEAD"):
        return plain(405, Allow="GET, HEAD, OPTIONS")
    path, query, rest = target.partition("?")
    if path.startswith(("http://", "https://")):
        path = "/" + path.split("/", 3)[3] if path.count("/") > 2 else "/"
    kind, where = site.find(path)
    if kind == "redirect":
        return plain(301, Location=where + query + rest)
    if kind == "file":
        return file_answer(where, fields, 200, site.script)
    return file_answer(os.path.join(site.root, "404.html"), {}, 404, site.script)


def variables_script(given: str) -> bytes:
    """The element that tells a page its variables, for a JSON object of strings; nothing when there is none."""
    if not given:
        return b""
    text = json.dumps(json.loads(given)).replace("<", "\\u003c")  # no text can end the element; the rest is ASCII
    return f"<script>window.huggingface={{variables:{text}}};</script>".encode()


def file_answer(path: str, fields: "dict[str, str]", status: int, script: bytes = b"") -> Answer:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return plain(404)
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode):
        os.close(descriptor)
        return plain(404)
    kind = content_type(path)
    script = script if kind.startswith("text/html") and about.st_size <= PAGE_LIMIT else b""
    tag = f'"{about.st_mtime_ns:x}-{about.st_size:x}{f"-{zlib.crc32(script):x}" if script else ""}"'
    given = {"ETag": tag, "Last-Modified": formatdate(about.st_mtime, usegmt=True), "Cache-Control": "no-cache"}
    if status == 200 and unchanged(fields, tag, about.st_mtime):
        os.close(descriptor)
        return Answer(304, given)
    if script:
        with os.fdopen(descriptor, "rb") as file:
            page = HEAD.sub(lambda head: head[0] + script, file.read(), count=1)
        return Answer(status, given | {"Content-Type": kind, "Content-Length": str(len(page))}, page)
    first, last = 0, about.st_size - 1
    if status == 200 and "range" in fields and fields.get("if-range", tag) in (tag, given["Last-Modified"]):
        try:
            part = byte_range(fields["range"], about.st_size)
        except ValueError:
            os.close(descriptor)
            return plain(416, Content_Range=f"bytes */{about.st_size}")
        if part:
            status, (first, last) = 206, part
            given["Content-Range"] = f"bytes {first}-{last}/{about.st_size}"
    given |= {"Content-Type": kind, "Content-Length": str(last - first + 1), "Accept-Ranges": "bytes"}
    made = Answer(status, given)
    made.file, made.offset, made.left = descriptor, first, last - first + 1
    return made


def unchanged(fields: "dict[str, str]", tag: str, modified: float) -> bool:
    """Whether the visitor's copy is still good."""
    if "if-none-match" in fields:
        tags = [one.strip().removeprefix("W/") for one in fields["if-none-match"].split(",")]
        return tag in tags or "*" in tags
    if "if-modified-since" in fields:
        try:
            return int(modified) <= parsedate_to_datetime(fields["if-modified-since"]).timestamp()
        except (ValueError, TypeError, OverflowError):
            return False
    return False


class Connection:
    """One visitor: reads requests, writes answers, never waits."""

    def __init__(self, sock: socket.socket, site: Site) -> None:
        self.socket, self.site = sock, site
        self.received, self.sending = b"", b""
        self.answer: Answer | None = None
        self.closing = False
        self.since = time.monotonic()

    def events(self) -> int:
        return selectors.EVENT_WRITE if self.sending or self.answer else selectors.EVENT_READ

    def step(self) -> bool:
        """Do what can be done now. False when the connection is over."""
        self.since = time.monotonic()
        try:
            if self.answer is None and not self.sending:
                block = self.socket.recv(64 * 1024)
                if not block:
                    return False
                self.received += block
            self._take()
            return self._send()
        except BlockingIOError:
            return True
        except OSError:
            return False

    def _send(self) -> bool:
        while self.sending or self.answer:
            while self.sending:
                self.sending = self.sending[self.socket.send(self.sending) :]
            made = self.answer
            while made and made.file >= 0 and made.left:
                sent = os.sendfile(self.socket.fileno(), made.file, made.offset, min(made.left, CHUNK))
                if not sent:
                    return False  # the file was cut meanwhile; the length that was told is wrong
                made.offset, made.left = made.offset + sent, made.left - sent
                if made.left:
                    return True  # others first
            self._drop()
            if self.closing:
                return False
            self._take()
        return True

    def _take(self) -> None:
        """Start answering the next request if all of its head has come."""
        self.received = self.received.lstrip(b"\r\n") if self.answer is None else self.received
        if self.answer or self.closing or not self.received:
            return
        head, found, rest = self.received.partition(b"\r\n\r\n")
        if not found:
            if len(self.received) > HEAD_LIMIT:
                self._reply(plain(431), "GET", True)
            return
        self.received = rest
        try:
            method, target, version, fields = parse(head)
        except ValueError:
            return self._reply(plain(400), "GET", True)
        has_body = fields.get("content-length", "0") != "0" or "transfer-encoding" in fields
        wishes = fields.get("connection", "").lower()
        close = has_body or "close" in wishes or (version == "HTTP/1.0" and "keep-alive" not in wishes)
        self._reply(answer(self.site, method, target, fields), method, close)

    def _reply(self, made: Answer, method: str, close: bool) -> None:
        self.closing = close
        self.sending = made.head(close) + (b"" if method == "HEAD" else made.body)
        self.answer = made
        if method == "HEAD":
            made.left = 0

    def _drop(self) -> None:
        if self.answer and self.answer.file >= 0:
            os.close(self.answer.file)
        self.answer = None

    def close(self, selector: selectors.BaseSelector) -> None:
        self._drop()
        selector.unregister(self.socket)
        self.socket.close()


def parse(head: bytes) -> "tuple[str, str, str, dict[str, str]]":
    """Method, target, version and fields of a request head. Raises ValueError."""
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, version = first.split(" ")
    odd = not (method.isalpha() and target and first.isascii() and first.isprintable())
    if odd or version not in ("HTTP/1.1", "HTTP/1.0"):
        raise ValueError(first)
    fields = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise ValueError(line)
        fields[name.lower()] = value.strip()
    return method, target, version, fields


def serve(listener: socket.socket, site: Site) -> None:
    """Until the process is told to end."""
    selector = selectors.DefaultSelector()
    listener.setblocking(False)
    selector.register(listener, selectors.EVENT_READ)
    swept = time.monotonic()
    while True:
        for key, _ in selector.select(timeout=5.0):
            if key.fileobj is listener:
                accept(listener, selector, site)
                continue
            connection = key.data
            if not connection.step():
                connection.close(selector)
            elif connection.events() != key.events:
                selector.modify(connection.socket, connection.events(), connection)
        if time.monotonic() - swept > 5.0:
            swept = time.monotonic()
            for old in [k.data for k in selector.get_map().values() if k.data and swept - k.data.since > IDLE]:
                old.close(selector)


def accept(listener: socket.socket, selector: selectors.BaseSelector, site: Site) -> None:
    try:
        sock, _ = listener.accept()
    except OSError:
        return
    if len(selector.get_map()) > CONNECTIONS:
        sock.close()
        return
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    selector.register(sock, selectors.EVENT_READ, Connection(sock, site))


def main() -> None:
    options = argparse.ArgumentParser(description="Serve the files of a static Space.")
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--host", default="0.0.0.0")
    options.add_argument("--root", default=".")
    options.add_argument("--index", default="index.html", help="file that answers for /")
    given = options.parse_args()
    listener = socket.create_server((given.host, given.port), backlog=128)
    print(f"serving {os.path.realpath(given.root)} on port {given.port}", flush=True)
    with suppress(KeyboardInterrupt):
        serve(listener, Site(given.root, given.index, variables_script(os.environ.get("SPACE_VARIABLES", ""))))


if __name__ == "__main__":
    main()
