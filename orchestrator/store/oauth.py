"""What the OAuth provider keeps: clients of Spaces, codes, waiting devices. What is expired goes when something new comes."""

import sqlalchemy as sa

from orchestrator.domain.sign_in import Device, DeviceState, OAuthClient, OAuthCode
from orchestrator.store import oauth_schema as t
from orchestrator.store.schema import tokens

_KEPT = 86400.0  #: seconds that a used code is remembered, so that a second use is recognised


class OAuth:
    def __init__(self, connection: sa.Connection) -> None:
        self._db = connection

    # clients

    def add_client(self, client: OAuthClient) -> None:
        self._db.execute(sa.insert(t.oauth_clients).values(**_columns(client)))

    def client(self, client_id: str) -> OAuthClient | None:
        return self._client(t.oauth_clients.c.id == client_id)

    def client_of(self, space_id: str) -> OAuthClient | None:
        return self._client(t.oauth_clients.c.space_id == space_id)

    def _client(self, condition: sa.ColumnElement) -> OAuthClient | None:
        row = self._db.execute(sa.select(t.oauth_clients).where(condition)).mappings().first()
        return OAuthClient(**row) if row else None

    # codes

    def add_code(self, code: OAuthCode) -> None:
        self._db.execute(sa.delete(t.oauth_codes).where(t.oauth_codes.c.expires_at < code.created_at - _KEPT))
        self._db.execute(sa.insert(t.oauth_codes).values(**_columns(code)))

    def code(self, digest: str) -> OAuthCode | None:
        row = self._db.execute(sa.select(t.oauth_codes).where(t.oauth_codes.c.hash == digest)).mappings().first()
        return OAuthCode(**row) if row else None

    def spend_code(self, digest: str, family: str) -> bool:
        """Mark a code as used, once: False when somebody was faster."""
        c = t.oauth_codes.c
        query = sa.update(t.oauth_codes).where(c.hash == digest, c.family == "").values(family=family)
        return bool(self._db.execute(query).rowcount)

    # devices

    def add_device(self, device: Device) -> None:
        self._db.execute(sa.delete(t.devices).where(t.devices.c.expires_at < device.created_at - _KEPT))
        self._db.execute(sa.insert(t.devices).values(**_columns(device)))

    def device(self, digest: str) -> Device | None:
        return self._device(t.devices.c.hash == digest)

    def device_named(self, user_code: str) -> Device | None:
        return self._device(t.devices.c.user_code == user_code)

    def waiting_devices(self, now: float, address: str | None = None) -> int:
        c = t.devices.c
        query = sa.select(sa.func.count()).where(c.state == DeviceState.PENDING.value, c.expires_at > now)
        if address is not None:
            query = query.where(c.address == address)
        return self._db.execute(query).scalar() or 0

    def change_device(self, digest: str, before: DeviceState, **values: object) -> bool:
        """Change a device that is still in the state `before`; False when it is not."""
        c = t.devices.c
        query = sa.update(t.devices).where(c.hash == digest, c.state == before.value).values(**values)
        return bool(self._db.execute(query).rowcount)

    def _device(self, condition: sa.ColumnElement) -> Device | None:
        row = self._db.execute(sa.select(t.devices).where(condition)).mappings().first()
        return Device(**{**row, "state": DeviceState(row["state"])}) if row else None

    # refresh tokens

    def spend_refresh(self, token_id: str, before: str, successor: str) -> bool:
        """Note what token a refresh token gave; False when it gave another one than `before` meanwhile."""
        c = tokens.c
        query = sa.update(tokens).where(c.id == token_id, c.refreshed_as == before, c.revoked_at.is_(None))
        return bool(self._db.execute(query.values(refreshed_as=successor)).rowcount)


def _columns(record: object) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__slots__}
