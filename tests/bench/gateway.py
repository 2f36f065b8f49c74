"""What the gateway costs, beside nginx and Caddy in the same run: `python -m tests.bench.gateway [part ...]`.

Parts: cpu, bulk, sockets, table, page. Prints figures and goals; judges nothing, since machines differ. Needs nginx and wrk,
and Caddy for its column."""

import asyncio
import http.client
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.gateway_rig import Control, GatewayProcess, Loop, Server, cpu_of
from tests.support import eventually, free_port

SECONDS = 6
BODY = json.dumps({"data": ["x" * 40] * 7, "is_generating": False})[:356].ljust(356)


BULK = """
import socket, sys
size, piece, buffer = int(sys.argv[1]), bytes(1 << 18), bytearray(1 << 18)
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
while True:
    sock, _ = server.accept()
    with sock:
        head = b""
        while b"\\r\\n\\r\\n" not in head and (got := sock.recv(1 << 16)):
            head += got
        head, _, rest = head.partition(b"\\r\\n\\r\\n")
        ok = b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: "
        try:
            if head.startswith(b"POST"):
                left = size - len(rest)
                while left > 0:
                    left -= sock.recv_into(buffer, min(left, len(buffer)))
                sock.sendall(ok + b"2\\r\\n\\r\\nok")
            elif b"/known" in head:
                sock.sendall(ok + b"5\\r\\n\\r\\nknown")
            else:
                sock.sendall(ok + b"%d\\r\\n\\r\\n" % size)
                for _ in range(size // len(piece)):
                    sock.sendall(piece)
        except OSError:
            pass
"""

STARTED: list = []  # what must be stopped whatever happens


class Nginx:
    """One nginx worker with the given server block."""

    def __init__(self, folder: Path, name: str, http: str) -> None:
        self.folder = folder / name
        self.folder.mkdir()
        (self.folder / "conf").write_text(
            f"daemon off; worker_processes 1; pid {self.folder}/pid; error_log {self.folder}/error.log;\n"
            "events { worker_connections 4096; }\n"
            f"http {{ access_log {self.folder}/access.log; client_max_body_size 0; keepalive_requests 1000000000;\n"
            f"client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/proxy;\n"
            f"fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;\n{http}\n}}\n"
        )
        command = ["nginx", "-c", str(self.folder / "conf"), "-p", str(self.folder)]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        STARTED.append(self)
        eventually(lambda: self.pids)

    @property
    def pids(self) -> list[int]:
        return [int(p) for p in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


class Bulk:
    """Takes or sends `size` bytes as fast as a socket goes."""

    def __init__(self, size: int) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", BULK, str(size)], stdout=subprocess.PIPE)
        STARTED.append(self)
        self.port = int(self.process.stdout.readline())

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


class Caddy:
    def __init__(self, folder: Path, port: int, target: int) -> None:
        config = folder / "Caddyfile"
        config.write_text(
            f"{{\n admin off\n auto_https off\n}}\nhttp://acme-demo.localhost:{port} {{\n"
            f" reverse_proxy 127.0.0.1:{target}\n log {{\n  output file {folder}/caddy.log\n }}\n}}\n"
        )
        self.process = subprocess.Popen(
            ["caddy", "run", "--config", str(config), "--adapter", "caddyfile"],
            stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=os.environ | {"HOME": str(folder), "GOMAXPROCS": "1"},
        )  # fmt: skip
        STARTED.append(self)
        self.pids = [self.process.pid]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


def listening(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), 1):
        return True


def wrk(port: int, host: str = "acme-demo.localhost") -> int:
    """Requests served."""
    out = subprocess.run(
        ["wrk", "-t1", "-c32", f"-d{SECONDS}s", "-H", f"Host: {host}:{port}", f"http://127.0.0.1:{port}/api/predict"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    if "Non-2xx" in out:
        raise AssertionError(out)
    return int(next(line.split()[0] for line in out.splitlines() if "requests in" in line))


def per_request(pids: list[int], port: int, host: str = "acme-demo.localhost") -> float:
    """Microseconds of CPU per request of the processes."""
    before = cpu_of(*pids)
    count = wrk(port, host)
    return (cpu_of(*pids) - before) / count * 1e6


def cpu(folder: Path, control: Control, gateway: GatewayProcess) -> None:
    backend, front = free_port(), free_port()
    Nginx(folder, "backend", f"server {{ listen {backend}; default_type application/json; return 200 '{BODY}'; }}")
    keep = "proxy_http_version 1.1; proxy_set_header Connection ''; proxy_set_header Host $host; proxy_pass http://up;"
    proxy = f"upstream up {{ server 127.0.0.1:{backend}; keepalive 64; }} server {{ listen {front}; location / {{ {keep} }} }}"
    nginx = Nginx(folder, "front", proxy)
    control.put("acme-demo", address=f"127.0.0.1:{backend}")
    eventually(lambda: listening(front) and get(gateway, "acme-demo.localhost")[0] == 200)
    found = {"nginx": (nginx.pids, front), "gateway": ([gateway.process.pid], gateway.port)}
    if shutil.which("caddy"):
        port = free_port()
        caddy = Caddy(folder, port, backend)
        eventually(lambda: listening(port))
        found["caddy"] = (caddy.pids, port)
    rounds = {name: [] for name in found}
    for _ in range(3):
        for name, (pids, port) in found.items():
            rounds[name].append(per_request(pids, port))
    cost = {name: min(times) for name, times in rounds.items()}
    for name, value in cost.items():
        print(f"cpu per request, {name}: {value:.1f} µs")
    print(f"gateway / nginx: {cost['gateway'] / cost['nginx']:.2f} (goal: at most 1.5)")
    if "caddy" in cost:
        print(f"gateway / caddy: {cost['gateway'] / cost['caddy']:.2f} (goal: at most 0.33)")


def get(gateway: GatewayProcess, host: str, path: str = "/", **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    connection.request("GET", path, headers={"Host": host} | headers)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def transfer(port: int, size: int, upload: bool) -> float:
    """Seconds for `size` bytes through a proxy on `port`."""
    piece = bytes(256 * 1024)
    with socket.create_connection(("127.0.0.1", port), 60) as sock:
        method, length = (b"POST", size) if upload else (b"GET", 0)
        began = time.monotonic()
        fields = b"Host: acme-bulk.localhost\r\nContent-Length: %d\r\nConnection: close\r\n" % length
        sock.sendall(b"%b /bulk HTTP/1.1\r\n%b\r\n" % (method, fields))
        if upload:
            for _ in range(size // len(piece)):
                sock.sendall(piece)
        buffer, received = bytearray(1 << 20), 0
        while count := sock.recv_into(buffer):
            received += count
    if not upload and received < size:
        raise AssertionError(f"received {received} of {size}")
    return time.monotonic() - began


def bulk(folder: Path, control: Control, gateway: GatewayProcess) -> None:
    front, size = free_port(), 1 << 30
    sink = Bulk(size)
    settings = (
        "proxy_http_version 1.1; proxy_buffering off; proxy_request_buffering off; proxy_set_header Connection '';"
    )
    proxy = f"server {{ listen {front}; location / {{ {settings} proxy_pass http://127.0.0.1:{sink.port}; }} }}"
    Nginx(folder, "bulk", proxy)
    eventually(lambda: listening(front))
    control.put("acme-bulk", address=f"127.0.0.1:{sink.port}")
    eventually(lambda: b"known" in get(gateway, "acme-bulk.localhost", "/known")[1])
    for upload in (True, False):
        name = "upload" if upload else "download"
        before = gateway.rss()
        ours = min(transfer(gateway.port, size, upload) for _ in range(2))
        grown = gateway.rss() - before
        theirs = min(transfer(front, size, upload) for _ in range(2))
        print(
            f"1 GB {name}: {size / ours / 1e6:.0f} MB/s, nginx {size / theirs / 1e6:.0f} MB/s, ratio {theirs / ours:.2f} "
            f"(goal: at least 0.6), memory grew {grown / 1e6:.1f} MB (goal: under 60)"
        )


def sockets(folder: Path, control: Control, gateway: GatewayProcess, loop: Loop) -> None:
    count = 2000

    async def upgrade(first, fields, reader, writer) -> bool:
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        await reader.read(1)
        return False

    app = Server(loop, upgrade)
    control.put("acme-ws", address=app.address)
    opening = b"GET /ws HTTP/1.1\r\nHost: acme-ws.localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

    async def connect() -> list:
        pairs = []
        for _ in range(count):
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, limit=1024)
            writer.write(opening)
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 101 " not in head:
                raise AssertionError(head)
            pairs.append((reader, writer))
        return pairs

    eventually(lambda: get(gateway, "acme-ws.localhost", "/.podium/none")[1].endswith(b'"NOT_FOUND"}'))
    before = gateway.rss()
    pairs = asyncio.run_coroutine_threadsafe(connect(), loop.loop).result(60)
    print(f"{count} idle WebSockets: {(gateway.rss() - before) / 1e6:.1f} MB (goal: under 40)")
    for _, writer in pairs:
        loop.loop.call_soon_threadsafe(writer.close)
    app.stop()


def table(folder: Path) -> None:
    """Memory and lookup time of the table, in a process of its own."""
    code = """
import json, os, time
from orchestrator.gateway.routes import Table
def rss(): return int(open('/proc/self/statm').read().split()[1]) * os.sysconf('SC_PAGE_SIZE')
def line(n): return json.dumps({"put": {"label": f"owner-{n}-space", "space": f"{n:024x}", "id": f"owner-{n}/space",
    "state": "open", "address": f"10.0.{n >> 8 & 255}.{n & 255}:7860", "instance": f"s-{n:020x}", "private": False,
    "epoch": 1, "stage": "RUNNING", "reason": "", "since": 1.0 * n, "deadline": None, "headers": {}, "embed": False,
    "title": f"Demo {n}"}}).encode()
def lookup(t, size):
    labels = [f"owner-{n * size // 10}-space".encode() for n in range(10)]
    best = 1e9
    for _ in range(20):
        began = time.perf_counter()
        for _ in range(10000):
            for label in labels: t.get(label)
        best = min(best, time.perf_counter() - began)
    return best / 100000 * 1e9
t = Table("http://localhost")
for n in range(10): t.apply(line(n))
few = lookup(t, 10)
before = rss()
began = time.perf_counter()
for n in range(100000): t.apply(line(n))
took = time.perf_counter() - began
print(f"100,000 routes: {(rss() - before) / 1e6:.0f} MB (goal: under 100), loaded in {took:.1f} s")
print(f"lookup: {few:.0f} ns with 10 routes, {lookup(t, 100000):.0f} ns with 100,000")
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def page(folder: Path, control: Control, gateway: GatewayProcess) -> None:
    control.put("acme-asleep", state="wake", stage="SLEEPING", reason="nobody came for two days")
    eventually(lambda: get(gateway, "acme-asleep.localhost", Accept="text/html")[0] == 503)
    times = []
    for _ in range(200):
        with socket.create_connection(("127.0.0.1", gateway.port)) as sock:
            began = time.perf_counter()
            sock.sendall(b"GET / HTTP/1.1\r\nHost: acme-asleep.localhost\r\nAccept: text/html\r\n\r\n")
            sock.recv(1)
            times.append((time.perf_counter() - began) * 1000)
    print(f"first byte of the waiting page: median {statistics.median(times):.2f} ms (goal: under 50)")


def main() -> None:
    parts = sys.argv[1:] or ["cpu", "bulk", "sockets", "table", "page"]
    if "table" in parts:
        table(Path())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        loop = Loop()
        control = Control(loop, str(folder / "control.sock"))
        control.start()
        gateway = GatewayProcess(folder, connections_per_space=5000).start()
        try:
            if "cpu" in parts:
                cpu(folder, control, gateway)
            if "bulk" in parts:
                bulk(folder, control, gateway)
            if "sockets" in parts:
                sockets(folder, control, gateway, loop)
            if "page" in parts:
                page(folder, control, gateway)
        finally:
            for server in STARTED:
                server.stop()
            gateway.stop()
            control.stop()
            loop.stop()


if __name__ == "__main__":
    main()
