"""Keeps the table of routes up to date from the control plane, and a copy of it on disk for a start without one. Owns the
subscription and the snapshot file; what a message means is in `routes`.

The file holds the same lines as the feed (reset, keys, put..., synced), readable by the owner alone since it holds keys."""

import asyncio
import json
import logging
import os
import time
from pathlib import Path

from orchestrator.errors import Unavailable
from orchestrator.gateway.control import Control, Refused
from orchestrator.gateway.routes import Table

log = logging.getLogger(__name__)

_SILENCE = 15.0  # the control plane pings every 5 s
_BACK_OFF = (0.1, 2.0)
_STARTING = 10.0  # seconds for which a control plane that starts beside us may not answer yet without a word in the log
_SAVE_AFTER = 0.5
_REFUSED = (
    "the control plane does not accept our token: keys/feed.token must be the same here and there, and PODIUM_CONTROL_URL must "
    "be a control plane's"
)
_SLICE = 500  # routes written down between two turns of the event loop


class Feed:
    """Subscribes `table` to the control plane until cancelled."""

    def __init__(self, table: Table, control: Control) -> None:
        self._table = table
        self._control = control
        self.connected = False
        self.trouble = "the list of Spaces is not loaded yet"  #: in words, why not connected; "" when it is
        self._patient_until = time.monotonic() + _STARTING
        self._said = ""

    async def run(self) -> None:
        wait = _BACK_OFF[0]
        while True:
            try:
                async for line in self._control.lines("/internal/feed", _SILENCE):
                    self._table.apply(line)
                    if not self.connected:
                        log.info("subscribed to the route feed")
                        self.connected, self.trouble, self._said, self._patient_until = True, "", "", 0.0
                        wait = _BACK_OFF[0]
            except Unavailable as error:
                self._say(error)
            self.connected = False
            self._table.interrupted()
            await asyncio.sleep(wait)
            wait = min(wait * 2, _BACK_OFF[1])

    def _say(self, error: Unavailable) -> None:
        """Once for each trouble, not for each attempt."""
        if isinstance(error, Refused):
            trouble, level = _REFUSED, logging.ERROR
        else:
            trouble, level = "the control plane does not answer", logging.WARNING
        self.trouble = trouble
        if trouble != self._said and (level == logging.ERROR or time.monotonic() > self._patient_until):
            self._said = trouble
            log.log(level, "no route feed: %s (%s)", trouble, error)


class Snapshot:
    """The file that outlives the gateway."""

    def __init__(self, table: Table, path: Path) -> None:
        self._table = table
        self._path = path
        self._saved = 0

    def load(self) -> bool:
        """Fill the table. False when there is no usable file; the gateway then waits for the feed."""
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return False
        except OSError as error:
            log.warning("cannot read the route snapshot %s: %s", self._path, error)
            return False
        if not lines or lines[-1] != b'{"synced": true}':
            log.warning("the route snapshot %s is damaged; waiting for the feed", self._path)
            return False
        for line in lines:
            self._table.apply(line)
        self._table.interrupted()  # it may be old
        self._saved = self._table.version
        log.info("loaded %d routes from %s", len(self._table), self._path)
        return True

    async def run(self) -> None:
        """Save after changes, never more than a twentieth of the time."""
        while True:
            await asyncio.sleep(_SAVE_AFTER)
            if self._table.informed and self._table.version != self._saved:
                started = time.monotonic()
                await self.save()
                await asyncio.sleep(20 * (time.monotonic() - started))

    async def save(self) -> None:
        """Write the table to disk, atomically, without stopping the traffic."""
        version = self._table.version
        lines = ['{"reset": true}', json.dumps({"keys": self._table.keys})]
        for number, route in enumerate(self._table):
            lines.append(json.dumps({"put": route.message()}))
            if number % _SLICE == _SLICE - 1:
                await asyncio.sleep(0)
        lines.append('{"synced": true}')
        try:
            await asyncio.to_thread(self._write, "\n".join(lines) + "\n")
            self._saved = version
        except OSError as error:
            log.warning("cannot save the route snapshot %s: %s", self._path, error)

    def _write(self, text: str) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, self._path)
