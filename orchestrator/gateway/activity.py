"""What counts as use of a Space, and telling the control plane about it. Owns the rule (`use_of`) and the reports; does not
decide when a Space sleeps.

Use keeps a Space awake (KEEPS) or wakes it (WAKES):

- a method other than GET, HEAD and OPTIONS: both;
- a navigation, unless it is a prefetch: both;
- a program's GET (no Sec-Fetch-Mode header) to something else than a health check: wakes; keeps awake when the same GET of
  the same address was not seen within the last hour (ONCE), so that an uptime monitor does not hold a GPU for ever;
- background requests of an open browser tab: neither, so that a forgotten tab does not hold a GPU for ever;
- a WebSocket: a program's wakes; what keeps awake are the data frames sent to the app (see `upgrade`);
- a response to .../queue/data, where Gradio sends results of jobs: keeps awake while bytes flow (FLOWS).

A request that keeps awake does so until it ends, for an hour at most. Browsers send Sec-Fetch-Mode only to https and
localhost; on plain http elsewhere a tab's background GETs look like a program's.
"""

import asyncio
import logging
import time
from collections import OrderedDict

from orchestrator.errors import Unavailable
from orchestrator.gateway.control import Control

log = logging.getLogger(__name__)

NONE, WAKES, KEEPS, ONCE, FLOWS = 0, 1, 2, 4, 8

_POLLS = frozenset(
    (
        b"/_stcore/health", b"/_stcore/host-config", b"/_stcore/allowed-message-origins", b"/healthz", b"/health",
        b"/livez", b"/readyz", b"/ping", b"/favicon.ico", b"/robots.txt", b"/metrics", b"/manifest.json",
    )
)  # fmt: skip
_POLL_PREFIXES = (b"/gradio_api/heartbeat/", b"/heartbeat/", b"/.well-known/", b"/.podium/")

REPEAT_AFTER = 3600.0  #: seconds after which the same GET counts again
_REMEMBERED = 100_000
_REPORT_EVERY = 2.0
_PENDING_LIMIT = 200_000


def use_of(method: bytes, path: bytes, mode: bytes | None, purpose: bytes | None, websocket: bool) -> int:
    """Flags of what a request is good for. `path`: without the query; `mode`: Sec-Fetch-Mode; `purpose`: Sec-Purpose."""
    if websocket:
        return WAKES if mode is None else NONE
    if method != b"GET":
        return NONE if method in (b"HEAD", b"OPTIONS") else WAKES | KEEPS
    if mode == b"navigate":
        return NONE if purpose is not None and b"prefetch" in purpose.lower() else WAKES | KEEPS
    if path.endswith(b"/queue/data"):
        return FLOWS if mode is not None else WAKES | FLOWS
    if mode is not None or path in _POLLS or path.startswith(_POLL_PREFIXES):
        return NONE
    return WAKES | ONCE


class Repetitions:
    """Remembers, within bounds, which GETs were seen during the last hour."""

    def __init__(self, limit: int = _REMEMBERED) -> None:
        self._seen: OrderedDict[int, float] = OrderedDict()
        self._limit = limit

    def is_new(self, key: tuple, now: float) -> bool:
        """True once an hour per key. A hash stands for the key: a collision costs one count of one visit."""
        mark = hash(key)
        last = self._seen.get(mark)
        if last is not None and now - last < REPEAT_AFTER:
            return False
        self._seen[mark] = now
        self._seen.move_to_end(mark)
        if len(self._seen) > self._limit:
            self._seen.popitem(last=False)
        return True


class Reports:
    """Sends use every two seconds and wake-ups at once; keeps what could not be sent, coalesced per Space."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._used: dict[str, float] = {}
        self._wake: dict[str, None] = {}
        self._woken: dict[str, float] = {}
        self._bell = asyncio.Event()

    def used(self, space: str) -> None:
        if len(self._used) < _PENDING_LIMIT or space in self._used:
            self._used[space] = time.time()

    def wake(self, space: str) -> None:
        """Ask for a Space. A crowd at the door of one Space is one report a second."""
        self.used(space)
        now = time.monotonic()
        if now - self._woken.get(space, -10.0) < 1.0 or len(self._wake) >= _PENDING_LIMIT:
            return
        if len(self._woken) > _PENDING_LIMIT:
            self._woken.clear()
        self._woken[space] = now
        self._wake[space] = None
        self._bell.set()

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            try:
                async with asyncio.timeout(_REPORT_EVERY):
                    await self._bell.wait()
            except TimeoutError:
                pass
            self._bell.clear()
            if (self._used or self._wake) and not await self.send():
                await asyncio.sleep(0.5)  # the control plane is away; what is pending stays pending
                self._bell.set()

    async def send(self) -> bool:
        """One report of everything pending. False: it was not taken and stays pending."""
        used, wake = self._used, self._wake
        self._used, self._wake = {}, {}
        try:
            status, _ = await self._control.call("POST", "/internal/activity", {"used": used, "wake": list(wake)})
            if status // 100 == 2:
                return True
            log.warning("the control plane answered %d to an activity report", status)
        except Unavailable as error:
            log.debug("activity report failed: %s", error)
        self._used = used | self._used
        self._wake = wake | self._wake
        return False
