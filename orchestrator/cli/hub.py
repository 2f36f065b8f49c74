"""The console's API as the command line calls it: the Hub's own paths over HTTP. Turns what the server answers, and the
server's absence, into our errors."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote, urlsplit

import httpx

from orchestrator.errors import CallerError, Invalid, Unauthorized, Unavailable

ENDPOINT = "http://localhost:8000"
_QUIET = 2.0  #: seconds without a line after which a log that is not followed is taken as read
_RETRIES = 5


@dataclass(frozen=True, slots=True)
class Line:
    """A log line; `at` in epoch seconds, 0 when not told."""

    text: str
    at: float = 0.0


class Hub:
    """A signed-in (or not) caller of one server."""

    def __init__(self, endpoint: str, token: str = "") -> None:
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Invalid("HF_ENDPOINT", f"HF_ENDPOINT is {endpoint!r}; write a URL such as {ENDPOINT}")
        if not token.isascii() or not token.isprintable():
            raise Invalid("HF_TOKEN", "HF_TOKEN holds characters that no token has; copy it again")
        self.endpoint, self._token = endpoint.rstrip("/"), token
        local = parts.hostname in ("localhost", "127.0.0.1", "::1") or parts.hostname.endswith(".localhost")
        self._http = httpx.Client(
            base_url=self.endpoint,
            headers={"authorization": f"Bearer {token}"} if token else {},
            timeout=httpx.Timeout(60, connect=5),
            trust_env=not local,  # a company proxy cannot reach this machine's loopback address
        )

    def get(self, path: str, **params: object) -> object:
        return self._json(self._ask("GET", path, params=params))

    def post(self, path: str, body: object = None, **params: object) -> object:
        return self._json(self._ask("POST", path, json=body, params=params))

    def put(self, path: str, body: object = None) -> object:
        return self._json(self._ask("PUT", path, json=body))

    def delete(self, path: str, body: object = None) -> None:
        self._ask("DELETE", path, json=body)

    def pages(self, path: str, limit: int, **params: object) -> Iterator[dict]:
        """The items of a list, page after page, at most `limit`."""
        answer = self._ask("GET", path, params={"limit": min(limit, 100), **params})
        while True:
            for item in self._json(answer):
                if limit <= 0:
                    return
                limit -= 1
                yield item
            following = answer.links.get("next", {}).get("url")
            if not following or limit <= 0:
                return
            answer = self._ask("GET", following)

    def _ask(self, method: str, path: str, **more: object) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **more)
        except httpx.HTTPError as error:
            raise self._absent(error) from error
        self._check(answer)
        return answer

    def _json(self, answer: httpx.Response) -> object:
        """What was answered, None for nothing. Raises Unavailable when it is no JSON: something else lives there."""
        try:
            return answer.json() if answer.content.strip() else None
        except ValueError:
            raise Unavailable(f"{self.endpoint} does not answer like Podium; is HF_ENDPOINT right?") from None

    def _absent(self, error: httpx.HTTPError) -> Unavailable:
        if isinstance(error, httpx.ConnectError):
            hint = "start it with `podium up` or set HF_ENDPOINT"
            return Unavailable(f"nothing answers at {self.endpoint}: {hint}")
        return Unavailable(f"{self.endpoint} did not answer properly ({type(error).__name__}: {error}); try again")

    def _check(self, answer: httpx.Response) -> None:
        """Raises CallerError or Unavailable with the server's own words unless it succeeded."""
        if answer.status_code < 300:
            return
        message = answer.headers.get("x-error-message", "")
        try:
            message = answer.json().get("error") or message
        except (ValueError, AttributeError):
            pass
        message = str(message or f"{self.endpoint} answered {answer.status_code} {answer.reason_phrase}")
        if answer.status_code >= 500:
            raise Unavailable(message)
        code = answer.headers.get("x-error-code") or f"HTTP_{answer.status_code}"
        if not self._token and answer.status_code in (401, 403, 404):
            raise Unauthorized(code, f"{message.rstrip('.')}; no token was sent, set HF_TOKEN")
        raise CallerError(code, message)

    # ------------------------------------------------------------------------------------------------------------ logs

    def lines(self, path: str, follow: bool) -> Iterator[Line]:
        """The lines of a log so far, and with `follow` those to come until the log ends. A broken connection is made
        again; the server then sends everything once more, and what was seen is skipped."""
        seen, failures = 0, 0
        while True:
            try:
                for number, line in enumerate(self._events(path, follow)):
                    if number >= seen:
                        seen, failures = number + 1, 0
                        yield line
                return
            except httpx.ReadTimeout as error:
                if not follow:
                    return
                failures = _again(failures, self._absent(error))
            except httpx.HTTPError as error:
                if not follow:
                    raise self._absent(error) from error
                failures = _again(failures, self._absent(error))

    def _events(self, path: str, follow: bool) -> Iterator[Line]:
        timeout = httpx.Timeout(60, connect=5, read=120 if follow else _QUIET)
        with self._http.stream("GET", path, timeout=timeout) as answer:
            if answer.status_code >= 300:
                answer.read()
                self._check(answer)
            end = None if follow else _epoch(answer.headers.get("date", ""))
            for text in answer.iter_lines():
                if not text.startswith("data: {"):
                    continue
                event = json.loads(text[6:])
                line = Line(str(event.get("data", "")), _epoch(str(event.get("timestamp", ""))) or 0.0)
                if end and line.at > end + 1:
                    return
                yield line


def _again(failures: int, error: Unavailable) -> int:
    if failures >= _RETRIES:
        raise error
    time.sleep(min(0.2 * 2**failures, 3.0))
    return failures + 1


def _epoch(text: str) -> float | None:
    """Epoch seconds of an ISO 8601 or an HTTP date; None if it is neither."""
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            return parse(text).timestamp()
        except (ValueError, TypeError):
            continue
    return None


def space_path(space_id: str, rest: str = "") -> str:
    """`/api/spaces/{owner}/{name}{rest}`. Raises Invalid `SPACE_ID` unless the id is `owner/name`."""
    owner, _, name = space_id.partition("/")
    if not owner or not name or "/" in name or any(part in (".", "..") for part in (owner, name)):
        raise Invalid("SPACE_ID", f"{space_id[:100]!r} is not the id of a Space; write OWNER/NAME")
    return f"/api/spaces/{quote(owner, safe='')}/{quote(name, safe='')}{rest}"
