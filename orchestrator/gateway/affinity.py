"""Which replica of a Space serves whom: rendezvous hashing (Thaler and Ravishankar, 1998), so that every gateway chooses the same
without asking, and a replica that goes moves only those visitors whom it served. Pure.

A browser has a cookie, `KEY-TAG`: a number that it is placed by, one of KEYS, and the replica that it was placed at, where it
stays for as long as there is that one, also when others come. Both are too few to tell visitors apart. Who brings no cookie (a
program, a frame where cookies are blocked) is placed by the address it comes from."""

import re
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

KEYS = 4096
_SEAT = re.compile(rb"([0-9a-f]{3})-([0-9a-f]{4})").fullmatch


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


@lru_cache(4096)
def tag(address: str) -> bytes:
    """What a cookie calls a replica."""
    return blake2b(address.encode(), digest_size=2).hexdigest().encode()


def seat_in(cookie: bytes | None, name: bytes) -> tuple[bytes, bytes] | None:
    """Key and tag in a Cookie header; None without, and for what is none."""
    if cookie is None or name not in cookie:
        return None
    for part in cookie.split(b";"):
        found, _, value = part.strip().partition(b"=")
        if found == name and (seat := _SEAT(value)):
            return seat.group(1), seat.group(2)
    return None


def pinned(seat: tuple[bytes, bytes] | None, addresses: Sequence[str]) -> str:
    """The address at which a browser was placed, "" when it was at none of them."""
    return next((address for address in addresses if tag(address) == seat[1]), "") if seat else ""
