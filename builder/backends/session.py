"""HTTP to one registry: connections that are kept, proving who we are, waiting and trying again. Owns time limits, sizes and the
translation of failures; knows no image. Protocol: OCI distribution specification 1.1, token authentication as in Docker's
"Token Authentication Specification". The library is httpcore, as httpx alone takes longer to import than a push may."""

import json
import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote, urlencode, urljoin, urlsplit

import httpcore

from builder.backends import credentials
from builder.backends.credentials import Credential
from builder.errors import TransientError
from builder.oci import Place
from builder.text import masked, shown

T = TypeVar("T")
PATIENCE = 20.0  #: seconds until what is small has succeeded, tries included
_PAUSES = (0.1, 0.3, 1.0, 2.0, 4.0)  #: seconds between tries
_CONNECT, _ANSWER = 5.0, 10.0  #: seconds
_HOPS = 4  #: redirects that are followed
_SMALL = 1 << 20  #: bytes of an answer that is no document
_PARAMETER = re.compile(r'([a-zA-Z_]+)="([^"]*)"|([a-zA-Z_]+)=([^",\s]+)')
_BROKEN = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, httpcore.ProxyError, OSError)


class Again(Exception):
    """Another try may help. `after`: seconds that the registry asks for."""

    def __init__(self, why: str, after: float = 0.0) -> None:
        super().__init__(why)
        self.after = after


class Missing(TransientError):
    """The registry lacks a part of an image that it should have: making the image again may help."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`headers` with names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def words(self) -> str:
        """What it says about a failure, to be shown."""
        try:
            first = json.loads(self.body)["errors"][0]
            text = f"{first.get('code', '')} {first.get('message', '')}"
        except (ValueError, LookupError, TypeError, AttributeError):
            text = self.body[:200].decode("utf-8", "replace")
        return f"{self.status} {shown(masked(text.strip()), 200)}".strip()


class Session:
    """`config`: file of credentials; `plain`: HTTP without TLS is wanted; `bundle`: file of CA certificates; `wait`: seconds for
    an answer to begin. For several threads. Raises TransientError for whatever is wrong with the registry, or with what the
    admin says of it."""

    def __init__(
        self, place: Place, config: str = "", plain: bool = False, bundle: str = "", wait: float = _ANSWER
    ) -> None:
        self.place, self.wait = place, wait
        self.base = f"{'http' if plain or place.is_loopback else 'https'}://{place.host}"
        self._config, self._bundle = config, bundle
        self._credential: Credential | None = None
        self._proofs: dict[tuple[str, ...], str] = {}
        self._lock = threading.Lock()
        self._pool = self._open()

    def _open(self) -> httpcore.ConnectionPool:
        context = None
        if self._bundle and self.base.startswith("https:"):
            import ssl

            context = ssl.create_default_context()
            try:
                context.load_verify_locations(cafile=self._bundle)
            except OSError as error:
                raise TransientError(
                    f"the CA bundle {self._bundle} cannot be used ({error}); see PODIUM_CA_BUNDLE"
                ) from None
        options = {"ssl_context": context, "max_connections": 8, "keepalive_expiry": 30.0}
        proxy = self._proxy()
        return httpcore.HTTPProxy(proxy, **options) if proxy else httpcore.ConnectionPool(**options)

    def _proxy(self) -> str:
        if self.place.is_loopback or not any(name.lower().endswith("_proxy") for name in os.environ):
            return ""
        from urllib.request import getproxies, proxy_bypass

        if proxy_bypass(self.place.host.rpartition(":")[0] or self.place.host):
            return ""
        return getproxies().get(urlsplit(self.base).scheme, "")

    def close(self) -> None:
        self._pool.close()

    # ------------------------------------------------------------------------------------------------------- asking

    def patiently(self, what: str, attempt: Callable[[], T], patience: float = PATIENCE) -> T:
        """Call `attempt` until it raises no Again, a few times within `patience` seconds. Raises TransientError."""
        until = time.monotonic() + patience
        for pause in (*_PAUSES, None):
            try:
                return attempt()
            except _BROKEN as error:
                problem = Again(f"does not answer ({type(error).__name__})")
            except Again as again:
                problem = again
            wait = max(pause or 0.0, problem.after) * random.uniform(0.8, 1.2)
            if pause is None or time.monotonic() + wait > until:
                break
            time.sleep(wait)
        raise TransientError(f"the registry {self.place.host} {problem} ({what})")

    def ask(
        self,
        method: str,
        path: str,
        scopes: tuple[str, ...],
        headers: Mapping[str, str] | None = None,
        body: bytes | Callable[[], Iterable[bytes]] | None = None,
        limit: int = _SMALL,
        answer: float = 0.0,
    ) -> Answer:
        """One try. `path`: below /v2/, or a whole URL that the registry named. Raises Again for what may pass by itself,
        TransientError for a refusal; other statuses are the caller's."""
        with self.stream(method, path, scopes, headers, body, answer or self.wait) as got:
            return Answer(got.status, _lower(got.headers), _limited(got, limit, answer or self.wait))

    @contextmanager
    def stream(self, method, path, scopes, headers=None, body=None, answer=0.0):
        """As `ask`, the answer's body not read yet: an httpcore.Response."""
        answer = answer or self.wait
        url = path if "://" in path else f"{self.base}/v2/{path}"
        for fresh in (False, True):
            with self._lock:
                proof = self._proofs.get(scopes) or self._proofs.get((), "")
            with self._follow(method, url, proof, headers, body, answer) as got:
                if got.status == 401 and not fresh:
                    challenge = _lower(got.headers).get("www-authenticate", "")
                    _limited(got, _SMALL, answer)
                else:
                    yield _judged(self.place, got, answer)
                    return
            proof = self._prove(challenge, scopes)
            with self._lock:
                self._proofs[() if proof.startswith("Basic ") else scopes] = proof

    @contextmanager
    def _follow(self, method, url, proof, headers, body, answer):
        """One request, redirects of reads followed; nobody but the registry itself sees who we are."""
        for hop in range(_HOPS + 1):
            given = dict(headers or {})
            if proof and _origin(url) == _origin(self.base):
                given["Authorization"] = proof
            content = body() if callable(body) else body
            times = {"connect": _CONNECT, "read": answer, "write": _ANSWER, "pool": answer}
            request = self._pool.stream(
                method, url, headers=_encoded(given, content), content=content, extensions={"timeout": times}
            )
            with request as got:
                if got.status not in (301, 302, 303, 307, 308) or method not in ("GET", "HEAD") or hop == _HOPS:
                    yield got
                    return
                target = urljoin(url, _lower(got.headers).get("location", ""))
                if not target.startswith(("http://", "https://")) or _worse(url, target):
                    raise TransientError(f"the registry {self.place.host} sends us to a place that is not safe")
                url = target

    # --------------------------------------------------------------------------------------------------- who we are

    def _prove(self, challenge: str, scopes: tuple[str, ...]) -> str:
        """The Authorization header that answers a challenge. Raises TransientError."""
        if self._credential is None:
            try:
                self._credential = credentials.find(credentials.read(self._config), self.place.host)
            except ValueError as error:
                raise TransientError(f"{error}; see PODIUM_REGISTRY_CONFIG") from None
        kind, _, rest = challenge.partition(" ")
        if kind.lower() == "basic":
            if not self._credential.basic:
                raise self._refused("wants a user and a password")
            return self._credential.basic
        if kind.lower() != "bearer":
            raise self._refused("asks for a proof of a kind that is not known here")
        told = {m[1] or m[3]: m[2] or m[4] or "" for m in _PARAMETER.finditer(rest)}
        return self._token(told.get("realm", ""), told.get("service", ""), scopes)

    def _token(self, realm: str, service: str, scopes: tuple[str, ...]) -> str:
        """See distribution.github.io: a GET with user and password, or an OAuth2 POST with an identity token."""
        if not realm.startswith("https://") and not (realm.startswith("http://") and self.base.startswith("http:")):
            raise self._refused("names a token service that is not safe")
        mine, headers, content, method = self._credential, {}, None, "GET"
        if mine.identity:
            form = {"grant_type": "refresh_token", "service": service, "client_id": "podium"}
            content = urlencode({**form, "refresh_token": mine.identity, "scope": " ".join(scopes)}).encode()
            method, url = "POST", realm
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        else:
            asked = [("service", service), *(("scope", scope) for scope in scopes)]
            url = f"{realm}{'&' if '?' in realm else '?'}{urlencode(asked)}"
            if mine.basic:
                headers["Authorization"] = mine.basic
        times = {"connect": _CONNECT, "read": _ANSWER, "write": _ANSWER, "pool": _ANSWER}
        with self._pool.stream(
            method, url, headers=_encoded(headers, content), content=content, extensions={"timeout": times}
        ) as got:
            data = _limited(got, _SMALL, _ANSWER)
            if got.status >= 500 or got.status == 429:
                raise Again(f"has a token service that answers {got.status}")
        try:
            told = json.loads(data)
            token = told.get("token") or told["access_token"]
        except (ValueError, KeyError, AttributeError, TypeError):
            raise self._refused(f"gave us no token ({got.status})") from None
        return f"Bearer {token}"

    def _refused(self, why: str) -> TransientError:
        return TransientError(f"the registry {self.place.host} {why}; see PODIUM_REGISTRY_CONFIG")


def _judged(place: Place, got: httpcore.Response, answer: float) -> httpcore.Response:
    """The answer, unless it is one that nobody can use."""
    if got.status >= 500 or got.status == 429:
        after = _lower(got.headers).get("retry-after", "")
        raise Again(f"answers {got.status}", float(after) if after.isdigit() else 0.0)
    if got.status in (401, 403):
        told = Answer(got.status, {}, _limited(got, _SMALL, answer))
        raise TransientError(f"the registry {place.host} refuses us: {told.words()}; see PODIUM_REGISTRY_CONFIG")
    return got


def _limited(got: httpcore.Response, limit: int, seconds: float) -> bytes:
    """The body, if it has no more than `limit` bytes and comes within `seconds`."""
    until, parts, size = time.monotonic() + seconds, [], 0
    for part in got.iter_stream():
        parts.append(part)
        size += len(part)
        if size > limit:
            raise TransientError(f"the registry answers with more than {limit} bytes")
        if time.monotonic() > until:
            raise Again("answers too slowly")
    return b"".join(parts)


def _encoded(headers: Mapping[str, str], content: object) -> dict[str, str]:
    length = {"Content-Length": str(len(content))} if isinstance(content, bytes) else {}
    return {"User-Agent": "podium", **length, **headers}


def _lower(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _worse(url: str, target: str) -> bool:
    return url.startswith("https:") and not target.startswith("https:")


def escaped(text: str) -> str:
    """A word for a URL's query."""
    return quote(text, safe="")
