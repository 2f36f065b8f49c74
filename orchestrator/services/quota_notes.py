"""Tells people that a quota is nearly used, and that it is used: once each, of each month and each size of the quota."""

from collections.abc import Iterable

from orchestrator.domain.notification import of_quota
from orchestrator.domain.quota import Quota, Spent, month_of, share
from orchestrator.ports import Store
from orchestrator.services.audience import keepers, tell
from orchestrator.services.quotas import Quotas
from orchestrator.services.tokens import digest

NEARLY = 0.8


class QuotaNotes:
    """Looks where the meter does, at those whose apps run; `known` spares the database what it was told already."""

    def __init__(self, store: Store, quotas: Quotas) -> None:
        self._store, self._quotas = store, quotas
        self._known: set[str] = set()

    def look(self, owner_ids: Iterable[str], now: float) -> None:
        """Raises Unavailable."""
        with self._store.read() as tx:
            held = tx.hardware.owners_with_quotas()
        for owner_id in sorted(held.intersection(owner_ids)):
            with self._store.read() as tx:
                found = [
                    (quota, used) for quota, used in self._quotas.used(tx, owner_id) if share(quota, used) >= NEARLY
                ]
            for quota, used in found:
                self._tell(quota, used, now)

    def _tell(self, quota: Quota, used: Spent, now: float) -> None:
        used_up = share(quota, used) >= 1
        told = digest(f"{quota}:{month_of(now)[0]}:{used_up}")[:40]
        if told in self._known:
            return
        with self._store.write() as tx:
            owner = tx.accounts.owner(quota.owner_id)
            if owner:
                note = of_quota(owner.name, quota.flavor, f"quota:{told}", used_up)
                tell(tx, note, keepers(tx, owner.id), now, once=True)
        self._known.add(told)
