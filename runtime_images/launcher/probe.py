"""Whether an app answers. Owns one attempt at a time, which never waits, and the address to try it at."""

import errno
import select
import socket
import time

from . import KB


def own_address() -> str:
    """The IPv4 address that others reach this container at; loopback when it has no network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))  # sends nothing: it only chooses the route
            return sock.getsockname()[0]
        except OSError:
            return "127.0.0.1"


class Probe:
    """One attempt to get an HTTP answer, without waiting: `step` until it returns a verdict.

    Verdicts: `refused`, `silent` (no answer in time), `odd` (not HTTP), or the status as a string of digits."""

    TIMEOUT = 10.0

    def __init__(self, port: int, path: str, host: str = "127.0.0.1") -> None:
        self.port, self.connected = port, False
        self.deadline = time.monotonic() + self.TIMEOUT
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: podium-ready\r\nAccept: */*\r\n"
            "Connection: close\r\n\r\n"
        ).encode()
        self._answer = b""
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self._refused = self.socket.connect_ex((host, port)) not in (0, errno.EINPROGRESS)

    def events(self) -> int:
        return select.POLLOUT if self._request else select.POLLIN

    def step(self, ready: bool) -> "str | None":
        """The verdict, or None while it waits. `ready`: the socket can be read or written now."""
        if self._refused:
            return "refused"
        if not ready:
            return "silent" if time.monotonic() >= self.deadline else None
        try:
            if self._request:
                if self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    return "refused"
                self.connected = True
                self._request = self._request[self.socket.send(self._request) :]
                return None
            block = self.socket.recv(64)
        except BlockingIOError:
            return None
        except OSError:
            return "odd" if self.connected else "refused"
        self._answer += block
        if len(self._answer) >= 12 or not block:
            head = self._answer[:12].decode("latin-1")
            return head[9:12] if head.startswith("HTTP/1.") and head[9:12].isdigit() else "odd"
        return None

    def rest(self, ready: bool) -> bool:
        """After the verdict: swallow the rest of the answer, as a reset would show up in the app's log. False when done."""
        try:
            if not self.connected or (ready and not self.socket.recv(64 * KB)):
                return False
        except BlockingIOError:
            pass
        except OSError:
            return False
        return time.monotonic() < self.deadline

    def close(self) -> None:
        self.socket.close()
