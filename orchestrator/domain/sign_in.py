"""Rows about signing in for Spaces and devices, as plain values. No behaviour."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """A Space's own client of our OAuth provider. `secret` is locked by services/vault.py."""

    id: str
    space_id: str
    secret: str
    created_at: float


@dataclass(frozen=True, slots=True)
class OAuthCode:
    """What a user agreed to, for the moment until the client fetches its token. Only the code's SHA-256 is kept. `family`:
    of the token that it gave; a second use ends that."""

    hash: str
    client_id: str
    user_id: str
    redirect_uri: str
    scope: str
    nonce: str
    challenge: str
    created_at: float
    expires_at: float
    family: str = ""


class DeviceState(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    SPENT = "spent"


@dataclass(frozen=True, slots=True)
class Device:
    """A program without a browser that waits for its user to enter `user_code` in one (RFC 8628). Only the SHA-256 of its
    device code is kept. `address`, `agent`: where it asked from and what it called itself."""

    hash: str
    user_code: str
    client_id: str
    created_at: float
    expires_at: float
    address: str = ""
    agent: str = ""
    polled_at: float = 0.0
    interval: float = 5.0  #: seconds between questions, grows when it asks more often
    state: DeviceState = DeviceState.PENDING
    user_id: str = ""
