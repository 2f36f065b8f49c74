"""POSTs to URLs that strangers chose, so that none of them reaches what is not on the internet: the name is resolved once, every
address it has must be public, and the connection goes to one of those, whatever the name means a moment later. No proxy of the
environment, no redirect, bounded time and answer (OWASP: Server-Side Request Forgery Prevention)."""

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from orchestrator.domain.events import Answer
from orchestrator.domain.internet import is_public

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
_READ = 4096  #: bytes of an answer that are looked at
_SHOWN = 300


class Refused(OSError):
    """An address that must not be called."""


class Poster:
    """`private`: addresses that are not public may be called too, for receivers in one's own network."""

    def __init__(self, private: bool = False, resolve: Callable = socket.getaddrinfo) -> None:
        self._private = private
        self._resolve = resolve
        self._context: ssl.SSLContext | None = None

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Never raises for what a receiver does."""
        try:
            return self._post(url, body, headers)
        except Refused as error:
            return Answer(None, str(error))
        except ssl.SSLError as error:
            return Answer(None, f"TLS failed: {error.reason or 'the certificate is not good'}")
        except socket.gaierror:
            return Answer(None, "the host name cannot be resolved")
        except TimeoutError:
            return Answer(None, "there was no answer in time")
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Answer(None, f"no answer: {type(error).__name__}")

    def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        family, address = self._address(parts.hostname or "", port)
        link = socket.socket(family, socket.SOCK_STREAM)
        # A receiver that sends a byte now and then would keep us for ever.
        timer = threading.Timer(TOTAL_SECONDS, _hang_up, [link])
        timer.daemon = True
        timer.start()
        try:
            link.settimeout(CONNECT_SECONDS)
            link.connect(address)
            link.settimeout(TOTAL_SECONDS)
            wire = self._tls().wrap_socket(link, server_hostname=parts.hostname) if secure else link
            return _talk(wire, parts, port, body, headers)
        finally:
            timer.cancel()
            link.close()

    def _address(self, host: str, port: int) -> tuple[int, tuple]:
        """Raises Refused when any address of the name is not public: names that are both are made to deceive."""
        found = self._resolve(host, port, type=socket.SOCK_STREAM)
        if not self._private and not all(is_public(str(sockaddr[0])) for *_, sockaddr in found):
            raise Refused("the address is not on the internet, and webhooks may not call it")
        if not found:
            raise Refused("the host name has no address")
        family, _, _, _, sockaddr = found[0]
        return family, sockaddr

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = ssl.create_default_context()
        return self._context


def _talk(wire: socket.socket, parts, port: int, body: bytes, headers: Mapping[str, str]) -> Answer:
    connection = http.client.HTTPConnection(parts.hostname, port, timeout=TOTAL_SECONDS)
    connection.sock = wire
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        default = port == (443 if parts.scheme == "https" else 80)
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        connection.putrequest("POST", path, skip_host=True, skip_accept_encoding=True)
        sent = {"Host": host if default else f"{host}:{port}", **headers, "Content-Length": str(len(body))}
        for name, value in {**sent, "Connection": "close"}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        text = answer.read(_READ).decode("utf-8", "replace")
        shown = "".join(c if c.isprintable() else " " for c in text[:_SHOWN]).strip()
        return Answer(answer.status, shown)
    finally:
        connection.close()


def _hang_up(link: socket.socket) -> None:
    try:
        link.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
