"""Which door does a Host header mean: the console, or the label of a Space? Owns names, not routes. Pure."""

import ipaddress
import re
from urllib.parse import unquote_to_bytes, urlsplit

_HOST = re.compile(rb"([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])\.?(?::([0-9]{1,5}))?")
_LABEL = re.compile(rb"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")

CONSOLE = b""  #: what `Hosts.door` returns for the console; a label is never empty


class Hosts:
    """The names this gateway answers to, from the apps' domain, the URL of the console, and the one by which apps know it."""

    def __init__(self, apps_domain: str, public_url: str, app_endpoint: str = "") -> None:
        self.apps_domain = apps_domain.lower()
        self._suffix = b"." + self.apps_domain.encode()
        console = (urlsplit(public_url).hostname or "").lower()
        inside = (urlsplit(app_endpoint).hostname or console).lower()
        # Not the domain of the apps: what they set for all of it would reach the console there.
        self._console = frozenset({console.encode(), inside.encode(), b"localhost"})
        self.known = f"{console} and <name>.{self.apps_domain}"

    def door(self, host: bytes) -> bytes | None:
        """CONSOLE, the label of a Space, or None when the Host header names nobody here or is malformed."""
        name = name_of(host)
        if not name:
            return None
        if name in self._console or _is_address(name):
            return CONSOLE
        if name.endswith(self._suffix):
            label = name[: -len(self._suffix)]
            return label if _LABEL.fullmatch(label) else None
        return None


def name_of(host: bytes) -> bytes:
    """The name in a Host header, as Podium compares it: without port and last dot, in lower case. b"" for a malformed one."""
    match = _HOST.fullmatch(host.lower())
    return match[1] if match and not (match[2] and int(match[2]) > 65535) else b""


def _is_address(name: bytes) -> bool:
    try:
        ipaddress.ip_address(name.decode().strip("[]"))
    except ValueError:
        return False
    return True


def host_port(host: bytes, scheme: bytes) -> bytes:
    """The port a Host header means: its own, or the scheme's."""
    _, colon, port = host.rpartition(b":")
    if colon and port.isdigit():
        return port
    return b"443" if scheme == b"https" else b"80"


def is_internal(target: bytes) -> bool:
    """Does a request target lead to /internal however it is written? Only the control plane's own processes may go there.

    Looks through repeated percent-encoding, double slashes, dot segments, backslashes, parameters and upper case."""
    if b"%" not in target and b"internal" not in target.lower():
        return False
    path = target.partition(b"?")[0].partition(b"#")[0]
    for _ in range(4):
        if _leads_to_internal(path):
            return True
        decoded = unquote_to_bytes(path)
        if decoded == path:
            return False
        path = decoded
    return True  # encoded more than four times over: nobody does this in good faith


def _leads_to_internal(path: bytes) -> bool:
    kept: list[bytes] = []
    raw = [part.partition(b";")[0].strip() for part in path.lower().replace(b"\\", b"/").split(b"/")]
    for part in raw:
        if part == b"..":
            del kept[-1:]
        elif part not in (b"", b"."):
            kept.append(part)
    first = next((part for part in raw if part not in (b"", b".")), b"")
    return first == b"internal" or kept[:1] == [b"internal"]
