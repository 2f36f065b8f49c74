"""Who may use how much hardware: quotas by owner and flavour, held against what was used this month. What a quota means is
`domain/quota.py`; who asks for hardware is hardware.py's."""

import math
import time
from collections.abc import Iterable, Mapping

from orchestrator.domain.caller import Caller, require_admin, role_in
from orchestrator.domain.hardware import Hardware
from orchestrator.domain.quota import ALL, Quota, Spent, denial, month_of
from orchestrator.domain.records import AuditRow, Owner, Space
from orchestrator.domain.space import Role
from orchestrator.errors import Invalid, NotFound
from orchestrator.ports import Bell, Store

_MOST = 1e9


class Quotas:
    def __init__(self, store: Store, bell: Bell, flavors: Mapping[str, Hardware], clock=time.time) -> None:
        self._store, self._bell, self._flavors, self._clock = store, bell, flavors, clock
        self._default = next(iter(flavors))

    # ----------------------------------------------------------------------------------------------------- holding

    def denied(self, space: Space) -> str:
        """Why the Space may not run on the hardware that it wants, now; "" when it may."""
        hardware = self._flavors.get(space.wish.hardware)
        if hardware is None:
            return f"this Podium has no hardware {space.wish.hardware!r} any more; choose another"
        with self._store.read() as tx:
            why = self.denial(
                tx, space.owner_id, space.owner, hardware, tx.hardware.granted(space.id, hardware.name, self._clock())
            )
        return f"{why}; choose other hardware, or ask an admin" if why else ""

    def all_denied(self, spaces: Iterable[Space]) -> list[str]:
        """Ids of those that are `denied`. Nothing is asked about Spaces that no quota could concern."""
        with self._store.read() as tx:
            held = tx.hardware.owners_with_quotas()

        def concerned(space: Space) -> bool:
            hardware = self._flavors.get(space.wish.hardware)
            return hardware is None or space.owner_id in held or (hardware.metered and hardware.name != self._default)

        return [space.id for space in spaces if concerned(space) and self.denied(space)]

    def denial(self, tx, owner_id: str, owner: str, hardware: Hardware, granted: bool = False, joining: int = 0) -> str:
        """The same within a transaction, for a Space that may not be there yet: see domain/quota.py."""
        granted = granted or hardware.name == self._default
        quotas = {quota.flavor: quota for quota in tx.hardware.quotas(owner_id, lock=joining > 0)}
        if not quotas and (granted or not hardware.metered):
            return ""
        return denial(owner, hardware, quotas, self._spent(tx, owner_id) if quotas else {}, granted, joining)

    def _spent(self, tx, owner_id: str) -> dict[str, Spent]:
        """Of this month, by flavour: of those that need a quota, and of those that have one of their own."""
        begin, end = month_of(self._clock())
        known = {name for name, hardware in self._flavors.items() if hardware.metered}
        known |= {quota.flavor for quota in tx.hardware.quotas(owner_id)}
        spent: dict[str, Spent] = {}
        for one in tx.usage.sums(begin, end, owner_id):
            if one.hardware in known:
                spent[one.hardware] = spent.get(one.hardware, Spent()) + Spent(one.seconds, one.cost)
        for _, flavor, replicas in tx.spaces.on_hardware(owner_id):
            if flavor in known:
                spent[flavor] = spent.get(flavor, Spent()) + Spent(count=replicas)
        return spent

    # -------------------------------------------------------------------------------------------- looking, setting

    def list(self, caller: Caller, owner: str = "") -> list[tuple[Owner, Quota, Spent]]:
        """Quotas with what of them is used this month: of one owner, or for admins of all. Raises NotFound `OWNER`."""
        with self._store.read() as tx:
            owners = {
                one.id: one for one in ([tx.accounts.owner_named(owner)] if owner else tx.accounts.owners()) if one
            }
            visible = {i: one for i, one in owners.items() if caller.is_admin or role_in(caller, i) >= Role.READ}
            if owner and not visible:
                raise NotFound("OWNER", f"there is no user or organisation {owner[:96]!r} of yours")
            found = []
            for quota in tx.hardware.quotas(next(iter(visible)) if owner else None):
                if quota.owner_id in visible:
                    used = self._used(quota, self._spent(tx, quota.owner_id))
                    found.append((visible[quota.owner_id], quota, used))
        return found

    def used(self, tx, owner_id: str) -> "list[tuple[Quota, Spent]]":
        """The quotas of an owner with what of them is used this month."""
        quotas = tx.hardware.quotas(owner_id)
        spent = self._spent(tx, owner_id) if quotas else {}
        return [(quota, self._used(quota, spent)) for quota in quotas]

    def _used(self, quota: Quota, spent: Mapping[str, Spent]) -> Spent:
        metered = (one for name, one in spent.items() if self._metered(name))
        return sum(metered, Spent()) if quota.flavor == ALL else spent.get(quota.flavor, Spent())

    def _metered(self, name: str) -> bool:
        return name in self._flavors and self._flavors[name].metered

    def put(
        self,
        caller: Caller,
        owner: str,
        flavor: str,
        hours: float | None = None,
        count: int | None = None,
        price: float | None = None,
    ) -> Quota:
        """Allow an owner this much of a flavour, or of ALL together; what is left out is not limited. Raises Forbidden,
        NotFound `OWNER`, Invalid `HARDWARE`, `QUOTA`."""
        require_admin(caller)
        for what, value in (("hours", hours), ("count", count), ("price", price)):
            if value is not None and not (math.isfinite(value) and 0 <= value <= _MOST):
                raise Invalid("QUOTA", f"{what} is {value:g}; write a number from 0 to {_MOST:.0f}, or leave it out")
        quota = Quota(self._owner(owner).id, self._known(flavor), hours, count, price)
        detail = {"flavor": flavor, "hours": hours, "count": count, "price": price}
        with self._store.write() as tx:
            tx.hardware.put_quota(quota)
            self._changed(tx, caller, owner, quota.owner_id, "quota.put", detail)
        self._bell.ring("spaces")
        return quota

    def drop(self, caller: Caller, owner: str, flavor: str) -> None:
        """Without a quota an owner may use nothing that needs one. Absent: nothing."""
        require_admin(caller)
        owner_id = self._owner(owner).id
        with self._store.write() as tx:
            if tx.hardware.drop_quota(owner_id, flavor):
                self._changed(tx, caller, owner, owner_id, "quota.drop", {"flavor": flavor})
        self._bell.ring("spaces")

    def _changed(self, tx, caller: Caller, owner: str, owner_id: str, action: str, detail: dict[str, object]) -> None:
        now = self._clock()
        tx.audit.add(AuditRow(now, caller.name, action, owner, detail))
        for space_id, *_ in tx.spaces.on_hardware(owner_id):
            tx.spaces.look_again(space_id, now)

    def _owner(self, name: str) -> Owner:
        with self._store.read() as tx:
            found = tx.accounts.owner_named(name)
        if found is None:
            raise NotFound("OWNER", f"there is no user or organisation {name[:96]!r}")
        return found

    def _known(self, flavor: str) -> str:
        if flavor != ALL and flavor not in self._flavors:
            known = ", ".join(self._flavors)
            raise Invalid("HARDWARE", f"this Podium has no hardware {flavor[:40]!r}; it has {known}, or {ALL} for all")
        return flavor
