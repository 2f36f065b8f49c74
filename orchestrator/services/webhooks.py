"""Webhooks of users: made, changed, looked at and replayed by who owns them. What they are told is `telling.py`."""

import time
from collections.abc import Callable
from dataclasses import replace

from orchestrator.domain.caller import Caller
from orchestrator.domain.events import DOMAINS, WATCHABLE, Delivery, Watched, Webhook, check_url
from orchestrator.domain.grants import WEBHOOKS_READ, WEBHOOKS_WRITE
from orchestrator.domain.push import printable
from orchestrator.domain.records import AuditRow
from orchestrator.errors import Conflict, Invalid, NotFound
from orchestrator.ports import Bell, Store
from orchestrator.services.accounts import new_id
from orchestrator.services.ref_access import require_voice
from orchestrator.services.vault import Undecryptable, Vault

LIMIT = 50  #: webhooks of one user
WATCHED_LIMIT = 100
SECRET_LIMIT = 1000
SHOWN = 100  #: deliveries listed


class Webhooks:
    def __init__(self, store: Store, vault: Vault, bell: Bell, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._vault = vault
        self._bell = bell
        self._clock = clock

    def all(self, caller: Caller) -> list[Webhook]:
        require_voice(caller, word=WEBHOOKS_READ)
        with self._store.read() as tx:
            return tx.webhooks.of(caller.user.id)

    def get(self, caller: Caller, ident: str, word: str = WEBHOOKS_READ) -> Webhook:
        """Raises NotFound `WebhookNotFound`, also for somebody else's. `word`: what a fine-grained token must be for."""
        require_voice(caller, word=word)
        with self._store.read() as tx:
            found = tx.webhooks.get(ident[:24])
        if found is None or found.owner_id != caller.user.id:
            raise NotFound("WebhookNotFound", "There is no such webhook of yours.")
        return found

    def create(
        self, caller: Caller, url: str, watched: list[Watched], domains: list[str] | None, secret: str | None
    ) -> Webhook:
        """Raises Invalid `WEBHOOK_…`, Conflict `WEBHOOK_LIMIT`."""
        require_voice(caller, word=WEBHOOKS_WRITE)
        if len(self.all(caller)) >= LIMIT:
            raise Conflict("WEBHOOK_LIMIT", f"you have {LIMIT} webhooks, which is all you may have; delete one")
        made = Webhook(new_id(), caller.user.id, check_url(url), _watched(watched), _domains(domains))
        made = replace(made, created_at=self._clock(), secret=self._locked(made.id, secret or ""))
        return self._put(caller, made, "webhook.create")

    def update(
        self,
        caller: Caller,
        ident: str,
        *,
        url: str | None = None,
        watched: list[Watched] | None = None,
        domains: list[str] | None = None,
        secret: str | None = None,
        disabled: bool | None = None,
    ) -> Webhook:
        """Change what is given; an empty list of what is watched leaves that as it is, as clients send it by default."""
        known = self.get(caller, ident, WEBHOOKS_WRITE)
        values: dict[str, object] = {}
        if url is not None:
            values["url"] = check_url(url)
        if watched:
            values["watched"] = _watched(watched)
        if domains is not None:
            values["domains"] = _domains(domains)
        if secret is not None:
            values["secret"] = self._locked(known.id, secret)
        if disabled is not None:
            values["disabled"] = disabled
        return self._put(caller, replace(known, **values), "webhook.update")

    def delete(self, caller: Caller, ident: str) -> None:
        known = self.get(caller, ident, WEBHOOKS_WRITE)
        with self._store.write() as tx:
            tx.webhooks.remove(known.id)
            tx.audit.add(AuditRow(self._clock(), caller.name, "webhook.delete", known.id))

    def secret(self, webhook: Webhook) -> str:
        """In plain words; "" when there is none, or when the key is lost."""
        try:
            return self._vault.unlock(webhook.id, "webhook", webhook.secret) if webhook.secret else ""
        except Undecryptable:
            return ""

    # ---------------------------------------------------------------------------------------------------- the log

    def deliveries(self, caller: Caller, ident: str) -> list[Delivery]:
        """Newest first."""
        known = self.get(caller, ident)
        with self._store.read() as tx:
            return tx.webhooks.deliveries(known.id, SHOWN)

    def replay(self, caller: Caller, ident: str, delivery: str) -> Delivery:
        """Send it once more, as a new delivery. Raises NotFound `DeliveryNotFound`."""
        known = self.get(caller, ident, WEBHOOKS_WRITE)
        now = self._clock()
        with self._store.write() as tx:
            old = tx.webhooks.delivery(known.id, delivery[:24])
            if old is None:
                raise NotFound("DeliveryNotFound", "There is no such delivery of this webhook.")
            again = Delivery(new_id(), known.id, old.event, old.payload, now, due_at=now, replay_of=old.id)
            tx.webhooks.add_delivery(again)
        self._bell.ring("webhooks")
        return again

    def _locked(self, ident: str, secret: str) -> str:
        if len(secret) > SECRET_LIMIT or not secret.isascii() or not (secret.isprintable() or not secret):
            raise Invalid("WEBHOOK_SECRET", f"a secret has at most {SECRET_LIMIT} printable ASCII characters")
        return self._vault.lock(ident, "webhook", secret) if secret else ""

    def _put(self, caller: Caller, webhook: Webhook, action: str) -> Webhook:
        with self._store.write() as tx:
            tx.webhooks.put(webhook)
            tx.audit.add(AuditRow(self._clock(), caller.name, action, webhook.id))
        return webhook


def _watched(items: list[Watched]) -> tuple[Watched, ...]:
    if not 1 <= len(items) <= WATCHED_LIMIT:
        raise Invalid("WEBHOOK_WATCHED", f"watched has {len(items)} items; a webhook watches 1 to {WATCHED_LIMIT}")
    for item in items:
        shown = f"{printable(item.type, 20)} {printable(item.name, 60)!r}"
        slashes = 0 if item.type in ("user", "org") else 1
        if item.type not in WATCHABLE:
            raise Invalid("WEBHOOK_WATCHED", f"{shown} cannot be watched; type is one of {', '.join(WATCHABLE)}")
        if not item.name.strip("/") or len(item.name) > 200 or item.name.count("/") > slashes:
            raise Invalid("WEBHOOK_WATCHED", f"{shown} is no name; write a user, an organisation or owner/name")
    return tuple(dict.fromkeys(items))


def _domains(given: list[str] | None) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(DOMAINS if given is None else given))
    if not chosen or not set(chosen) <= set(DOMAINS):
        raise Invalid("WEBHOOK_DOMAINS", f"domains must be some of {', '.join(DOMAINS)}")
    return chosen
