"""How many replicas of a Space run: chosen by those who may change it, within what the runtime, the operator, the owner's quota
and the machines allow. How they are had is domain/replicas.py's and the reconciler's."""

import time
from collections.abc import Mapping
from dataclasses import replace

from orchestrator.domain.caller import Caller, require
from orchestrator.domain.events import of_config
from orchestrator.domain.hardware import Hardware
from orchestrator.domain.records import AuditRow, Space
from orchestrator.domain.replicas import replica_count
from orchestrator.domain.space import Role, Wish
from orchestrator.errors import Forbidden, Invalid
from orchestrator.ports import Bell, Runtime, Store
from orchestrator.services.capacity import Capacity
from orchestrator.services.quotas import Quotas


class Replicas:
    """`limit`: the most that one Space may have."""

    def __init__(
        self,
        store: Store,
        bell: Bell,
        runtime: Runtime,
        flavors: Mapping[str, Hardware],
        quotas: Quotas,
        capacity: Capacity,
        limit: int = 10,
        clock=time.time,
    ) -> None:
        self._store, self._bell, self._flavors, self._clock = store, bell, flavors, clock
        self._quotas, self._capacity = quotas, capacity
        self.single = runtime.single  #: why there is one of everything here, "" where there may be several
        self.most = 1 if runtime.single else limit

    def granted(self, wish: Wish) -> Wish:
        """The wish with as many replicas as there may be here now: the runtime or the limit may have changed since."""
        return wish if wish.replicas <= self.most else replace(wish, replicas=self.most)

    def set(self, caller: Caller, space: Space, number: int) -> Space:
        """Have so many replicas from now on; what runs goes on. Raises Invalid `REPLICAS`, `REPLICAS_RUNTIME`, `HARDWARE_FIT`;
        Forbidden `REPLICAS_ACCESS`, `HARDWARE_QUOTA`."""
        require(caller, space, Role.WRITE)
        if number > 1 and self.single:
            raise Invalid("REPLICAS_RUNTIME", f"{number} replicas cannot run: {self.single}; write 1")
        replica_count(number, self.most)
        hardware, now = self._flavors.get(space.wish.hardware), self._clock()
        if hardware and number > space.wish.replicas:
            self.check_fit(hardware, number)
        with self._store.write() as tx:
            space = tx.spaces.get(space.id) or space
            if number > space.wish.replicas:
                self._check_more(tx, caller, space, number - space.wish.replicas)
            if number != space.wish.replicas:
                tx.spaces.update(space.id, look_at=now, last_activity=now, replicas=number)
                tx.audit.add(AuditRow(now, caller.name, "space.replicas", space.full_name, {"replicas": number}))
                tx.webhooks.note(of_config(space, now, replicas=number))
            changed = tx.spaces.get(space.id)
        self._bell.ring("spaces")
        return changed or space

    def check_fit(self, hardware: Hardware, number: int) -> None:
        """Raises Invalid `HARDWARE_FIT` when so many could never run on this flavour at once."""
        fit = self._capacity.most_replicas(hardware) if number > 1 else None
        if fit is not None and fit < number:
            raise Invalid(
                "HARDWARE_FIT",
                f"{number} replicas on {hardware.name} can never run here: all nodes together have room for {fit}; "
                f"{f'write {fit} or less' if fit else 'choose other hardware'}",
            )

    def _check_more(self, tx, caller: Caller, space: Space, more: int) -> None:
        """More of what an admin gives is given by admins; and all of it is within the owner's quota."""
        hardware = self._flavors.get(space.wish.hardware)
        if hardware is None:
            raise Invalid("HARDWARE", f"this Podium has no hardware {space.wish.hardware!r} any more; choose another")
        default = next(iter(self._flavors))
        if not caller.is_admin and hardware.name != default and not hardware.open_to(space.owner):
            raise Forbidden(
                "REPLICAS_ACCESS", f"{hardware.name} is given by admins, and so are more replicas on it; ask an admin"
            )
        granted = caller.is_admin or tx.hardware.granted(space.id, hardware.name, self._clock())
        why = self._quotas.denial(tx, space.owner_id, space.owner, hardware, granted, joining=more)
        if why:
            write = f"podium hardware quota {space.owner} {hardware.name} --count N"
            raise Forbidden("HARDWARE_QUOTA", f"{why}; an admin changes that with: {write}")
