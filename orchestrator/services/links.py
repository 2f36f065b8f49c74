"""Signed links that speak for themselves and end soon: links to upload and download large objects, and the tokens of Xet.
Whoever holds one may do exactly what it says, with no other credential (git-lfs, docs/api/basic-transfers.md)."""

import time
from collections.abc import Callable

import jwt

from orchestrator.errors import Forbidden

_ALGORITHM = "HS256"


class SignedLinks:
    """`key`: 32 bytes or more that only control planes know."""

    def __init__(self, key: bytes, clock: Callable[[], float] = time.time) -> None:
        self._key, self._clock = key, clock

    def sign(self, act: str, seconds: float, **about: object) -> str:
        """A permission to do `act` for so many seconds; `about` says with what."""
        return jwt.encode({"act": act, "exp": self.ends(seconds), **about}, self._key, _ALGORITHM)

    def ends(self, seconds: float) -> int:
        return int(self._clock() + seconds)

    def read(self, given: str, *acts: str) -> dict:
        """What a permission to do one of `acts` says. Raises Forbidden `LINK_EXPIRED`, `LINK_FORGED`."""
        try:
            told = jwt.decode(given, self._key, [_ALGORITHM], options={"require": ["exp", "act"], "verify_exp": False})
        except jwt.InvalidTokenError:
            told = {}
        if told.get("act") not in acts:
            raise Forbidden("LINK_FORGED", "this address was not signed by this server for this; ask for a new one")
        if told["exp"] <= self._clock():
            raise Forbidden("LINK_EXPIRED", "this address was good for a short time only; ask for a new one")
        return told
