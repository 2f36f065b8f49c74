"""The server of static Spaces, over real sockets."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runtime_images import static_server
from runtime_images.static_server import byte_range, content_type
from tests.support import eventually, free_port


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    root = tmp_path_factory.mktemp("site")
    (root / "index.html").write_text("<h1>home</h1>")
    (root / "sub dir").mkdir()
    (root / "sub dir" / "index.html").write_text("<h1>sub</h1>")
    (root / "empty").mkdir()
    (root / "für dich.txt").write_text("umlaut")
    (root / "app.mjs").write_text("export {}")
    (root / "big.bin").write_bytes(bytes(range(256)) * 40_000)
    (root / "zero.txt").touch()
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text("secret")
    (root / ".env").write_text("secret")
    (root.parent / "outside.txt").write_text("secret")
    (root / "out.txt").symlink_to(root.parent / "outside.txt")
    (root / "hidden.txt").symlink_to(".env")
    (root / "inside.txt").symlink_to("für dich.txt")
    os.mkfifo(root / "pipe")
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, static_server.__file__, "--port", str(port), "--root", str(root)], stdout=subprocess.DEVNULL
    )
    eventually(lambda: socket.create_connection(("127.0.0.1", port)).close() is None)
    yield Site(root, port, process)
    process.terminate()
    process.wait()


def test_another_file_may_answer_for_the_root(tmp_path):
    (tmp_path / "start here.html").write_text("start")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "index.html").write_text("sub")
    site = static_server.Site(str(tmp_path), "start here.html")
    assert site.find("/") == ("file", str(tmp_path / "start here.html"))
    assert site.find("/sub/") == ("file", str(tmp_path / "sub" / "index.html"))


@pytest.mark.parametrize(
    ("page", "shown"),
    [
        ("<!doctype html><HEAD lang='de'><title>x", "<!doctype html><HEAD lang='de'>{script}<title>x"),
        ("<head></head><head></head>", "<head>{script}</head><head></head>"),
        ("<header>no head</header>", "<header>no head</header>"),
        ("version 1", "version 1"),
    ],
)
def test_variables_come_first_in_the_head(tmp_path, page, shown):
    (tmp_path / "index.html").write_text(page)
    script = static_server.variables_script('{"A": "</script>\\\\1"}')
    made = static_server.answer(static_server.Site(str(tmp_path), script=script), "GET", "/", {})
    assert made.body == shown.replace("{script}", script.decode()).encode()
    assert made.fields["Content-Length"] == str(len(made.body)) and b"</script>\\" not in made.body


class Site:
    def __init__(self, root: Path, port: int, process: subprocess.Popen) -> None:
        self.root, self.port, self.process = root, port, process

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def ask(self, target: str, method: str = "GET", **fields: str) -> tuple[int, dict[str, str], bytes]:
        with self.connect() as sock:
            return ask(sock, target, method, **fields)


def ask(sock: socket.socket, target: str, method: str = "GET", **fields: str) -> tuple[int, dict[str, str], bytes]:
    lines = [f"{method} {target} HTTP/1.1", "Host: x"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    sock.sendall("\r\n".join([*lines, "", ""]).encode())
    return receive(sock, method)


def receive(sock: socket.socket, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        block = sock.recv(65536)
        assert block, data
        data += block
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    got = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    length = 0 if method == "HEAD" else int(got.get("content-length", 0))
    while len(body) < length:
        body += sock.recv(1 << 20)
    assert len(body) == length
    return int(first.split()[1]), got, body


@pytest.mark.parametrize(
    ("target", "body", "kind"),
    [
        ("/", b"<h1>home</h1>", "text/html; charset=utf-8"),
        ("/index.html?x=1", b"<h1>home</h1>", "text/html; charset=utf-8"),
        ("/sub%20dir/", b"<h1>sub</h1>", "text/html; charset=utf-8"),
        ("/f%C3%BCr%20dich.txt", b"umlaut", "text/plain; charset=utf-8"),
        ("/inside.txt", b"umlaut", "text/plain; charset=utf-8"),
        ("/app.mjs", b"export {}", "text/javascript; charset=utf-8"),
        ("/zero.txt", b"", "text/plain; charset=utf-8"),
        ("http://x/app.mjs", b"export {}", "text/javascript; charset=utf-8"),
    ],
)
def test_files(site, target, body, kind):
    status, fields, got = site.ask(target)
    assert (status, got, fields["content-type"]) == (200, body, kind)
    assert fields["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    "target",
    [
        "/nothing", "/empty/", "/.git/config", "/.env", "/%2egit/config", "/sub%20dir/../.env", "/../outside.txt",
        "/%2e%2e/outside.txt", "/..%2foutside.txt", "/out.txt", "/hidden.txt", "//../outside.txt", "/index.html/", "/pipe",
        "/a%00b", "/%ff", "/..\\outside.txt", "/" + "a" * 5000, "relative",
    ],
)  # fmt: skip
def test_what_is_not_there(site, target):
    status, _, body = site.ask(target)
    assert status == 404
    assert b"secret" not in body


def test_a_directory_without_its_slash(site):
    status, fields, _ = site.ask("/sub%20dir?a=b")
    assert (status, fields["location"]) == (301, "/sub%20dir/?a=b")
    status, fields, _ = site.ask("//sub%20dir")
    assert fields["location"] == "/sub%20dir/"


def test_head_and_other_methods(site):
    status, fields, body = site.ask("/big.bin", "HEAD")
    assert (status, fields["content-length"], body) == (200, "10240000", b"")
    assert site.ask("/", "POST")[0] == 405
    assert site.ask("/", "OPTIONS")[0] == 200


def test_copies_that_are_still_good(site):
    _, fields, _ = site.ask("/")
    assert site.ask("/", if_none_match=fields["etag"])[0] == 304
    assert site.ask("/", if_none_match='"other", W/' + fields["etag"])[0] == 304
    assert site.ask("/", if_none_match='"other"', if_modified_since=fields["last-modified"])[0] == 200
    assert site.ask("/", if_modified_since=fields["last-modified"])[0] == 304
    assert site.ask("/", if_modified_since="nonsense")[0] == 200


def test_ranges(site):
    whole = (site.root / "big.bin").read_bytes()
    status, fields, body = site.ask("/big.bin", range="bytes=1000-1999")
    assert (status, fields["content-range"], body) == (206, "bytes 1000-1999/10240000", whole[1000:2000])
    assert site.ask("/big.bin", range="bytes=-5")[2] == whole[-5:]
    assert site.ask("/big.bin", range="bytes=10239999-")[2] == whole[-1:]
    assert site.ask("/big.bin", range="bytes=0-1,5-6")[0] == 200
    status, fields, _ = site.ask("/big.bin", range="bytes=10240000-")
    assert (status, fields["content-range"]) == (416, "bytes */10240000")
    assert site.ask("/big.bin", range="bytes=0-4", if_range='"old"')[0] == 200


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("bytes=0-0", (0, 0)), ("bytes=5-", (5, 9)), ("bytes=-3", (7, 9)), ("bytes=-99", (0, 9)), ("bytes=2-99", (2, 9)),
        ("bytes=5-2", None), ("bytes=a-b", None), ("lines=1-2", None), ("bytes=", None), ("bytes=-", None), ("bytes=1", None),
        ("bytes=²-3", None),
    ],
)  # fmt: skip
def test_byte_range(header, wanted):
    assert byte_range(header, 10) == wanted


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=-0"])
def test_ranges_outside(header):
    with pytest.raises(ValueError):
        byte_range(header, 10)


def test_one_connection_many_requests(site):
    with site.connect() as sock:
        for _ in range(3):
            assert ask(sock, "/")[2] == b"<h1>home</h1>"
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /app.mjs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        rest = b""
        while block := sock.recv(65536):
            rest += block
        assert rest.count(b"HTTP/1.1 200 OK") == 2
        assert rest.endswith(b"export {}")


@pytest.mark.parametrize(
    "raw",
    [
        b"nonsense\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/2.0\r\n\r\n", b"GET /sub%20dir?\nA:b HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n", b"\xff\xff\xff / HTTP/1.1\r\n\r\n",
    ],
)  # fmt: skip
def test_bad_requests(site, raw):
    with site.connect() as sock:
        sock.sendall(raw)
        assert receive(sock)[0] == 400
        assert sock.recv(10) == b""


def test_a_head_without_end(site):
    with site.connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nx: " + b"y" * 40_000)
        assert receive(sock)[0] == 431


def test_slow_readers_do_not_hold_up_others_and_memory_is_small(site):
    slow = [site.connect() for _ in range(40)]
    for sock in slow:
        sock.sendall(b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n")
    began = time.monotonic()
    assert site.ask("/")[0] == 200
    assert time.monotonic() - began < 5
    for sock in slow:
        sock.close()
    used = Path(f"/proc/{site.process.pid}/status").read_text().split("VmRSS:")[1].split()[0]
    assert int(used) < 40_000
    assert site.ask("/big.bin")[2] == (site.root / "big.bin").read_bytes()


def test_an_own_page_for_what_is_missing(tmp_path):
    (tmp_path / "404.html").write_text("<h1>lost</h1>")
    made = static_server.answer(
        static_server.Site(str(tmp_path)), "GET", "/x", {"if-none-match": "*", "range": "bytes=0-1"}
    )
    assert (made.status, made.left) == (404, 13)
    os.close(made.file)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.JS", "text/javascript; charset=utf-8"), ("a.wasm", "application/wasm"), ("a.svg", "image/svg+xml; charset=utf-8"),
        ("a.webp", "image/webp"), ("a.json", "application/json; charset=utf-8"), ("a.png", "image/png"),
        ("a", "application/octet-stream"), ("a.tar.gz", "application/x-tar"),
    ],
)  # fmt: skip
def test_content_types(name, kind):
    assert content_type(name) == kind
