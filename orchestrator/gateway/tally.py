"""Counts what is asked of each Space: answers by how long they took, failures, pages opened, and about how many visitors.

Counting costs a request some tenths of a microsecond. Nobody is remembered: of a visitor's address a keyed hash, of another
key every day, moves one of 256 small numbers of a sketch (HyperLogLog, Flajolet et al. 2007), which is all that is sent and
kept; nobody can be read out of it or followed from one day to the next."""

import asyncio
import hmac
import ipaddress
import logging
import time
from bisect import bisect_right
from hashlib import blake2b

from orchestrator.domain.visits import BOUNDS, REGISTERS
from orchestrator.errors import Unavailable
from orchestrator.gateway.control import Control
from orchestrator.gateway.outcome import Outcome
from orchestrator.gateway.request import Request
from orchestrator.gateway.routes import Route

log = logging.getLogger(__name__)

CLASSES = len(BOUNDS) + 1
ERRORS, PAGES = CLASSES, CLASSES + 1
REPORT_EVERY = 30.0
_FORWARD = Outcome.FORWARD  # enum members are slow to reach
_SPACES_LIMIT = 5_000  #: in one report, and counted at all while the control plane is away


class Tally:
    def __init__(self, control: Control, secret: str) -> None:
        self._control, self._secret = control, secret.encode()
        self._counts: dict[str, list[int]] = {}  # by Space: CLASSES of answers, then ERRORS, then PAGES
        self._sketches: dict[str, bytearray] = {}
        self._since = time.time()
        self._day, self._key = -1, b""

    def answered(self, request: Request, now: float) -> None:
        """A request came to its end; `now` on the clock of `request.started`. Tunnels are not timed."""
        route = request.route
        if route is None:
            return
        try:
            counts = self._counts[route.space]
        except KeyError:
            counts = self._begin(route.space)
        status = request.status
        if 101 != status < 500:
            counts[bisect_right(BOUNDS, now - request.started)] += 1
        elif status >= 500:
            counts[bisect_right(BOUNDS, now - request.started)] += 1
            counts[ERRORS] += 1

    def opened(self, request: Request, route: Route) -> None:
        """A visitor opened a page of the app, for the first time that this request is told of; what is posted is none."""
        if request.keeps or request.outcome is not _FORWARD or request.method != b"GET":
            return
        space = route.space
        counts = self._counts.get(space) or self._begin(space)
        counts[PAGES] += 1
        if space in self._counts:
            mark(self._sketches.setdefault(space, bytearray(REGISTERS)), self._hash(request.address))

    def _begin(self, space: str) -> list[int]:
        counts = [0] * (CLASSES + 2)
        if len(self._counts) < _SPACES_LIMIT:
            self._counts[space] = counts
        return counts

    def _hash(self, address: str) -> int:
        day = int(time.time() // 86400)
        if day != self._day:
            self._day, self._key = day, hmac.digest(self._secret, b"visitors of day %d" % day, "sha256")
        return int.from_bytes(blake2b(household(address), key=self._key, digest_size=8).digest(), "big")

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            await asyncio.sleep(REPORT_EVERY)
            await self.send()

    async def send(self) -> bool:
        """One report of what was counted since the last. False: it was not taken, and is counted on."""
        if not self._counts:
            self._since = time.time()
            return True
        counts, sketches, since = self._counts, self._sketches, self._since
        self._counts, self._sketches, self._since = {}, {}, time.time()
        spaces = {space: [*numbers, sketches.get(space, b"").hex()] for space, numbers in counts.items()}
        try:
            status, _ = await self._control.call("POST", "/internal/visits", {"at": since, "spaces": spaces})
            if status // 100 == 2:
                return True
            log.warning("the control plane answered %d to a report of visits", status)
            if status // 100 == 4:  # it will never take it
                return False
        except Unavailable as error:
            log.debug("report of visits failed: %s", error)
        self._since = since
        for space, old in counts.items():
            new = self._counts.get(space) or self._begin(space)
            new[:] = [a + b for a, b in zip(new, old, strict=True)]
        for space, old in sketches.items():
            self._sketches[space] = bytearray(map(max, self._sketches.get(space) or bytes(REGISTERS), old))
        return False


def mark(sketch: bytearray, hashed: int) -> None:
    """Add one, by 64 bits of hash, to a sketch."""
    register, rest = hashed & 0xFF, hashed >> 8
    rank = 57 - rest.bit_length()
    if rank > sketch[register]:
        sketch[register] = rank


def household(address: str) -> bytes:
    """An IPv4 address, or the /64 that a household has of IPv6: its devices change the rest every day."""
    if ":" not in address:
        return address.encode()
    try:
        return ipaddress.IPv6Address(address.partition("%")[0]).packed[:8]
    except ValueError:
        return address.encode()
