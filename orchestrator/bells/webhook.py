"""Tells a URL of the operator's what happened, by POST of JSON: a chat, a mail gateway, a script. Shortens the wait for people
only; what happened is in the database, so a notice may be lost: after three attempts, when many wait, or with this process."""

import logging
import queue
import threading
from typing import Any
from urllib.parse import urlsplit

import httpx

from orchestrator.errors import Invalid

log = logging.getLogger(__name__)
_WAITING = 1000  #: notices
_PAUSES = (1.0, 10.0, 0.0)  #: seconds after each failed attempt


class Webhook:
    """A loop: `start` and `stop` it. Raises Invalid `SETTING` for what is no URL."""

    def __init__(self, url: str, pauses: tuple[float, ...] = _PAUSES) -> None:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise Invalid(
                "SETTING", f"PODIUM_HARDWARE_WEBHOOK is {url[:100]!r}; write a URL such as https://chat.example/hook"
            )
        self._url, self._pauses = url, pauses
        self._notices: queue.Queue[dict[str, Any] | None] = queue.Queue(_WAITING)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="webhook", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self.tell(None)

    def tell(self, notice: dict[str, Any] | None) -> None:
        """Have it sent soon. Never blocks."""
        try:
            self._notices.put_nowait(notice)
        except queue.Full:
            log.warning("webhook: %d notices wait already, one is dropped", _WAITING)

    def _loop(self) -> None:
        with httpx.Client(timeout=10, follow_redirects=False) as client:
            while not self._stop.is_set():
                if notice := self._notices.get():
                    self._send(client, notice)

    def _send(self, client: httpx.Client, notice: dict[str, Any]) -> None:
        for pause in self._pauses:
            try:
                client.post(self._url, json=notice).raise_for_status()
                return
            except httpx.HTTPError as error:
                # Its URL may hold a secret, and so may the words of the error.
                log.warning("webhook: %s was not taken (%s)", notice.get("event"), type(error).__name__)
            if self._stop.wait(pause):
                return
