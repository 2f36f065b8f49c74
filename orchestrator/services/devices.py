"""Signing in a program that has no browser (RFC 8628): it shows a short code, its user enters it on a page of the console. Owns
waiting devices and the limits against guessing; how the protocol speaks is `api/oauth_server.py`."""

import re
import secrets
import threading
import time

from orchestrator.domain.records import AuditRow, Owner
from orchestrator.domain.sign_in import Device, DeviceState
from orchestrator.errors import NotFound, TooMany
from orchestrator.ports import Store
from orchestrator.services.tokens import digest

EXPIRES_IN = 900  #: seconds
INTERVAL = 5
#: No vowels, so that no words come out, and nothing that looks like something else: 8 of 20 letters, 34 bits.
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
_WAITING_EACH, _WAITING_ALL = 20, 5000  #: devices of one address, of all
_GUESSES, _GUESS_SECONDS = 10, 600.0  #: wrong codes of one user


class Devices:
    def __init__(self, store: Store, clock=time.time) -> None:
        self._store, self._clock = store, clock
        self._guesses: dict[str, list[float]] = {}
        self._lock = threading.Lock()

    def begin(self, client_id: str, address: str, agent: str) -> tuple[str, str]:
        """(device code, user code) for a program that wants to sign its user in. Raises TooMany `DEVICE_RATE`."""
        now, device_code, user_code = self._clock(), secrets.token_urlsafe(32), _user_code()
        device = Device(
            digest(device_code), user_code, client_id, now, now + EXPIRES_IN, address[:45], agent[:200],
            interval=float(INTERVAL),
        )  # fmt: skip
        with self._store.write() as tx:
            each, all_of_them = tx.oauth.waiting_devices(now, device.address), tx.oauth.waiting_devices(now)
            if each >= _WAITING_EACH or all_of_them >= _WAITING_ALL:
                raise TooMany("DEVICE_RATE", "Too many sign-ins wait for their code; finish one or wait.", 60)
            tx.oauth.add_device(device)
        return device_code, user_code

    def waiting(self, device_code: str) -> Device | None:
        with self._store.read() as tx:
            return tx.oauth.device(digest(device_code))

    def too_fast(self, device: Device) -> bool:
        """Note that it asked; True when that was sooner than it was told (half a second early is in time)."""
        now = self._clock()
        fast = device.polled_at > 0 and now - device.polled_at < device.interval - 0.5
        interval = min(device.interval + 5, 60.0) if fast else device.interval
        with self._store.write() as tx:
            tx.oauth.change_device(device.hash, DeviceState.PENDING, polled_at=now, interval=interval)
        return fast

    def spend(self, device: Device) -> bool:
        """Take what the user approved; False when it was taken before."""
        with self._store.write() as tx:
            return tx.oauth.change_device(device.hash, DeviceState.APPROVED, state=DeviceState.SPENT.value)

    def asked(self, user: Owner, typed: str) -> Device:
        """The device that shows this code. Raises NotFound `DEVICE_CODE`, TooMany `DEVICE_GUESSES`."""
        now = self._clock()
        with self._lock:
            recent = [t for t in self._guesses.get(user.id, []) if now - t < _GUESS_SECONDS]
            if len(recent) >= _GUESSES:
                raise TooMany("DEVICE_GUESSES", "Too many wrong codes; wait ten minutes.", _GUESS_SECONDS)
        with self._store.read() as tx:
            device = tx.oauth.device_named(_tidied(typed))
        if device is None or device.expires_at <= now or device.state is not DeviceState.PENDING:
            with self._lock:
                self._guesses[user.id] = [*recent, now]
            raise NotFound("DEVICE_CODE", "No program waits with this code; look at it again, or start over there.")
        return device

    def decide(self, user: Owner, typed: str, approved: bool) -> Device:
        """The user's answer. Raises as `asked`."""
        device = self.asked(user, typed)
        state = DeviceState.APPROVED if approved else DeviceState.DENIED
        now = self._clock()
        with self._store.write() as tx:
            values = {"state": state.value, "user_id": user.id}
            if not tx.oauth.change_device(device.hash, DeviceState.PENDING, **values):
                raise NotFound("DEVICE_CODE", "This code was answered already; start over where it came from.")
            detail = {"address": device.address, "agent": device.agent}
            tx.audit.add(AuditRow(now, user.name, f"device.{state.value}", user.name, detail))
        return device


def _user_code() -> str:
    letters = "".join(secrets.choice(_LETTERS) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


def _tidied(typed: str) -> str:
    """What people type, as it is kept: case, spaces and the dash do not matter."""
    letters = re.sub(r"[^A-Z]", "", typed[:40].upper())
    return f"{letters[:4]}-{letters[4:]}"
