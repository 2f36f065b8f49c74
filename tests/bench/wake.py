"""A visit to a sleeping Space: how long until the app answers, beside the app's own boot; how long until a browser has the
first byte of the waiting page."""

import socket
import time
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from tests.apps.expect import APPS
from tests.bench import rig
from tests.bench.figures import Figure
from tests.podium import Podium
from tests.space import Space

SAMPLE = APPS / "gradio_interface"
ROUNDS = 2
PAGES = 100
BROWSER = "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"


def run(podium: Podium, folder: Path) -> list[Figure]:
    space = podium.space("bench-wake")
    space.push(SAMPLE)
    space.wait("RUNNING", timeout=400)
    space.sleep_after(2)
    python = rig.environments(podium.data)[0]
    ours, own = [], []
    for _ in range(ROUNDS):
        asleep(space)
        ours.append(rig.seconds(lambda: visit(space)))
        asleep(space)
        own.append(rig.boot(python, SAMPLE, "Word counter"))
    pages = [first_byte(space) * 1000 for _ in range(PAGES)]
    how = f"held request {median(ours):.2f} s, the app's own boot {median(own):.2f} s (medians of {ROUNDS}); limit: boot + 0.3 s"
    return [
        Figure("wake", median(ours), median(own) + 0.3, "s", how),
        Figure(
            "first byte of the waiting page", median(pages), 50, "ms", f"median of {PAGES} visits, from connecting on"
        ),
    ]


def asleep(space: Space) -> None:
    space.wait("SLEEPING", timeout=120)
    assert not space.pids() or space.wait("SLEEPING", replaced=space.pids())


def visit(space: Space) -> None:
    """A program's request, held until the app answers it."""
    with space.client(timeout=180) as client:
        assert rig.answers(client, "Word counter"), "the held request was not answered by the app"


def first_byte(space: Space) -> float:
    """Seconds from connecting until the first byte of what a browser gets."""
    parts = urlsplit(space.url)
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", parts.port), timeout=10) as sock:
        sock.sendall(f"GET / HTTP/1.1\r\nHost: {parts.netloc}\r\n{BROWSER}Connection: close\r\n\r\n".encode())
        assert sock.recv(1)
        return time.perf_counter() - began
