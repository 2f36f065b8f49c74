"""Bringing a repo from elsewhere: the history of a public git repo becomes the first history of a Space. Only hosts
of the public internet are asked, their names looked up once."""

import re
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

from orchestrator.domain.caller import Caller, require
from orchestrator.domain.internet import is_public
from orchestrator.domain.push import ZERO, RefUpdate
from orchestrator.domain.records import AnyRepo
from orchestrator.domain.space import MAIN, Role
from orchestrator.errors import Conflict, Invalid
from orchestrator.ports_refs import Refs
from orchestrator.services.pushes import Pushes

_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_PATH = re.compile(r"/[A-Za-z0-9._~/-]{1,500}")
Lookup = Callable[[str, int], list[str]]


def addresses_of(host: str, port: int) -> list[str]:
    """Addresses of a host, as texts; none when it has none."""
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        return []


class Imports:
    """`limit`: bytes of a repo. `schemes`, `allowed` and `lookup` are other than these in tests only."""

    def __init__(
        self,
        refs: Refs,
        pushes: Pushes,
        limit: int,
        *,
        schemes: tuple[str, ...] = ("https",),
        allowed: Callable[[str], bool] = is_public,
        lookup: Lookup = addresses_of,
    ) -> None:
        self._refs = refs
        self._pushes = pushes
        self._limit = limit
        self._schemes = schemes
        self._allowed = allowed
        self._lookup = lookup

    def check(self, url: str) -> tuple[str, str]:
        """(the address as it is fetched, where its host is pinned to: host:port:address). Raises Invalid `IMPORT_URL`."""
        url = url.strip()
        if "://" not in url and url:
            url = f"https://{url}"
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError:
            raise Invalid(
                "IMPORT_URL", "This is not an address; write one like https://github.com/owner/repo."
            ) from None
        if parts.scheme not in self._schemes:
            raise Invalid("IMPORT_URL", f"Repos are fetched by {' or '.join(self._schemes)} only.")
        if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
            raise Invalid("IMPORT_URL", "The address must have no user name, password, '?' or '#'.")
        if not _HOST.fullmatch(host) or not _PATH.fullmatch(parts.path) or "/../" in f"{parts.path}/":
            raise Invalid("IMPORT_URL", "This is not an address; write one like https://github.com/owner/repo.")
        port = port or (443 if parts.scheme == "https" else 80)
        found = self._lookup(host, port)
        if not found:
            raise Invalid("IMPORT_URL", f"No host {host[:100]!r} is known here.")
        if not all(self._allowed(address) for address in found):
            raise Invalid(
                "IMPORT_URL", f"{host[:100]!r} is not on the public internet, so nothing is fetched from there."
            )
        first = f"[{found[0]}]" if ":" in found[0] else found[0]
        return f"{parts.scheme}://{host}:{port}{parts.path}", f"{host}:{port}:{first}"

    def bring(self, caller: Caller, repo: AnyRepo, url: str) -> str:
        """Fetch and make it main of a repo that has no commit yet; returns the commit. Raises as `check`, `Refs.fetch` and
        `Pushes.move`; Conflict `NOT_EMPTY`."""
        require(caller, repo, Role.WRITE, code=True)
        if repo.sha:
            raise Conflict("NOT_EMPTY", f"{repo.full_name} has files already; only an empty one takes an import.")
        address, pin = self.check(url)
        try:  # what came is named from then on, until `release`
            new = self._refs.fetch(repo.id, address, pin, self._limit)
            update = RefUpdate(ZERO, new, MAIN)
            self._pushes.move(caller, repo, update, lambda: self._refs.move(repo.id, MAIN, new, ZERO))
        finally:
            self._refs.release(repo.id)
        return new
