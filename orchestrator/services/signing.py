"""Keys between the control plane and its gateways, and the short-lived tickets that carry a signed-in visitor from the
console to a private Space on its own host (`?__sign=`). The gateway checks them (gateway/access.py)."""

import base64
import hashlib
import hmac
import secrets
import time
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from orchestrator.domain.records import Space
from orchestrator.services.vault import key_file

TICKET_SECONDS = 60


class Signing:
    def __init__(self, private_pem: bytes, cookie_key: str, feed_token: str) -> None:
        self._private = serialization.load_pem_private_key(private_pem, None)
        self._cookie_key = cookie_key
        self.feed_token = feed_token

    @classmethod
    def at(cls, directory: Path) -> "Signing":
        """The keys in a directory, made on first use."""
        return cls(
            key_file(directory / "sign.pem", _new_private_pem),
            key_file(directory / "cookie.key", lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)))
            .decode()
            .strip(),
            key_file(directory / "feed.token", lambda: secrets.token_urlsafe(32).encode()).decode().strip(),
        )

    @property
    def setup_code(self) -> str:
        """What whoever started Podium is told, and makes the first admin with."""
        return hmac.new(self._cookie_key.encode(), b"first admin", "sha256").hexdigest()[:32]

    def public(self) -> dict[str, str]:
        """What a gateway is given."""
        pem = self._private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return {"sign_key": pem.decode(), "cookie_key": self._cookie_key}

    def derived(self, purpose: str) -> bytes:
        """A key for one purpose that only holders of the private key know; the same on every control plane."""
        raw = self._private.private_bytes(
            serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
        )
        return hmac.new(raw, f"podium {purpose}".encode(), hashlib.sha256).digest()

    def ticket(self, space: Space, host: str, user: str, until: float | None = None) -> str:
        """A JWT that lets `user` into `space` at `host` (without port), usable within a minute; what the gateway makes of it
        ends at `until`, seconds since the epoch, at the latest."""
        claims = {
            "aud": host,
            "space": space.id,
            "epoch": space.access_epoch,
            "sub": user,
            "exp": int(time.time()) + TICKET_SECONDS,
            "jti": secrets.token_urlsafe(9),
        }
        if until is not None:
            claims["until"] = int(until)
        return jwt.encode(claims, self._private, algorithm="EdDSA", headers={"kid": "1"})


def _new_private_pem() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
