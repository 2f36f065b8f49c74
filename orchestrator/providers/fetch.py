"""Requests to the provider, bounded in time and size: it may be slow, broken or hostile."""

import asyncio
import json
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from orchestrator.errors import Invalid
from orchestrator.ports_provider import ProviderAway

log = logging.getLogger(__name__)
SECONDS = 10.0  #: of one request, from the name's resolution to the last byte
LIMIT = 256 * 1024  #: bytes of one answer


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes

    def json(self) -> dict:
        """Raises ProviderAway for anything but an object."""
        try:
            told = json.loads(self.body)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            raise ProviderAway("Your provider answered with something that is not JSON; try again in a moment.")
        return told


class Fetch:
    """`ca_bundle`: file of CA certificates, "" for the system's. No redirect is followed; the environment's proxy is used."""

    def __init__(self, ca_bundle: str = "", seconds: float = SECONDS, limit: int = LIMIT) -> None:
        self._ca_bundle, self._seconds, self._limit = ca_bundle, seconds, limit
        self._context: ssl.SSLContext | None = None

    def __call__(self, method: str, url: str, headers: Mapping[str, str] | None = None, body: str = "") -> Answer:
        """Raises ProviderAway, also for redirects, for 429 and for 500 and above."""
        host = urlsplit(url).netloc
        try:
            answer = _run(self._ask(method, url, dict(headers or {}), body))
        except TimeoutError:
            log.warning("sign-in: no answer from %s within %g s", host, self._seconds)
            raise ProviderAway("Your provider does not answer in time; try again in a moment.") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            log.warning("sign-in: no answer from %s: %s: %s", host, type(error).__name__, str(error)[:200])
            raise ProviderAway("Your provider cannot be reached; try again in a moment.") from None
        if answer.status >= 500 or answer.status == 429 or 300 <= answer.status < 400:
            log.warning("sign-in: %s answered %d", host, answer.status)
            raise ProviderAway(f"Your provider answered with status {answer.status}; try again in a moment.")
        return answer

    async def _ask(self, method: str, url: str, headers: dict[str, str], body: str) -> Answer:
        # Not compressed: a small body must not become a large one here.
        told = {"Accept": "application/json", "Accept-Encoding": "identity", **headers}
        async with (
            asyncio.timeout(self._seconds),
            httpx.AsyncClient(verify=self._tls(), timeout=self._seconds, follow_redirects=False) as client,
            client.stream(method, url, headers=told, content=body.encode() or None) as answer,
        ):
            got = bytearray()
            async for chunk in answer.aiter_raw():
                got += chunk
                if len(got) > self._limit:
                    raise ProviderAway("Your provider's answer is too large; whoever runs this Podium must look at it.")
            return Answer(answer.status_code, bytes(got))

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            try:
                self._context = ssl.create_default_context(cafile=self._ca_bundle or None)
            except OSError:
                raise Invalid("SETTING", "PODIUM_CA_BUNDLE cannot be read") from None
        return self._context


def _run(asked) -> Answer:
    """In this thread, on a loop of its own that leaves a name server alone which never answers."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(asked)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
