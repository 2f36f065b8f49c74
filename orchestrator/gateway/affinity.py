"""Which replica of a Space serves whom: rendezvous hashing (Thaler and Ravishankar, 1998), so that every gateway chooses the same
without asking, and a replica that comes or goes moves only those visitors who must move. Pure.

A browser's key is a cookie, given with the first page: one of KEYS numbers, too few to tell visitors apart. Who brings none (a
program, a frame where cookies are blocked) is known by the address it comes from."""

from collections.abc import Sequence
from hashlib import blake2b

KEYS = 4096
_DIGITS = frozenset(b"0123456789abcdef")


def choose(key: bytes, addresses: Sequence[str]) -> str:
    """The address that serves this key. Raises ValueError when there is none."""
    return max(addresses, key=lambda address: _weight(key, address))


def ranked(key: bytes, addresses: Sequence[str]) -> list[str]:
    """All of them, in the order in which they would serve this key."""
    return sorted(addresses, key=lambda address: _weight(key, address), reverse=True)


def _weight(key: bytes, address: str) -> bytes:
    return blake2b(address.encode(), key=key[:64], digest_size=8).digest()


def number(value: int) -> bytes:
    """A key as a cookie holds it."""
    return b"%03x" % (value % KEYS)


def key_in(cookie: bytes | None, name: bytes) -> bytes | None:
    """The key in a Cookie header; None without one, and for what is none."""
    if cookie is None or name not in cookie:
        return None
    for part in cookie.split(b";"):
        found, _, value = part.strip().partition(b"=")
        if found == name and len(value) == 3 and _DIGITS.issuperset(value):
            return value
    return None
