"""Which hardware a Space gets: chosen at once by those who may, asked for by the others, decided about by admins. Each step is
one transaction with its audit row. How much an owner may use is quotas.py's, what is free capacity.py's."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from orchestrator.domain.caller import Caller, require, require_admin, role_on
from orchestrator.domain.events import of_config
from orchestrator.domain.hardware import Access, Hardware
from orchestrator.domain.notification import of_request
from orchestrator.domain.records import AuditRow, HardwareRequest, Owner, RequestState, Space
from orchestrator.domain.space import Role, sleep_seconds
from orchestrator.errors import Conflict, Forbidden, Invalid, NotFound
from orchestrator.ports import Bell, Store
from orchestrator.services.accounts import new_id
from orchestrator.services.audience import admins, named, tell
from orchestrator.services.capacity import Capacity
from orchestrator.services.quotas import Quotas
from orchestrator.services.replicas import Replicas

NOTE_LIMIT = 1000  #: characters
_YEARS = 10 * 366 * 86400.0
Notice = dict[str, Any]


class HardwareRequests:
    """`sleep_after`: what Spaces begin with on a flavour without a rule of its own, in seconds, None for never. `notify` is
    told of requests and decisions, after they are durable; it must not block."""

    def __init__(
        self,
        store: Store,
        bell: Bell,
        flavors: Mapping[str, Hardware],
        quotas: Quotas,
        capacity: Capacity,
        replicas: Replicas,
        sleep_after: float | None = 172800.0,
        notify: Callable[[Notice], None] = lambda notice: None,
        clock=time.time,
    ) -> None:
        self._store, self._bell, self._flavors, self._clock = store, bell, flavors, clock
        self._quotas, self._capacity, self._replicas, self._notify = quotas, capacity, replicas, notify
        self._sleep_after = sleep_after
        self.default = next(iter(flavors.values()))

    # --------------------------------------------------------------------------------------------------- choosing

    def fitting(self, flavor: str) -> Hardware:
        """The flavour of this name. Raises Invalid `HARDWARE` when there is none, `HARDWARE_FIT` when no node could run it."""
        hardware = self._flavors.get(flavor)
        if hardware is None:
            known = ", ".join(self._flavors)
            raise Invalid("HARDWARE", f"this Podium has no hardware {flavor[:40]!r}; it has {known}")
        if hardware is not self.default and (why := self._capacity.never_fits(hardware)):
            raise Invalid("HARDWARE_FIT", f"{flavor} can never run here: {why}; choose other hardware")
        return hardware

    def choose(self, caller: Caller, space: Space, flavor: str, note: str = "", sleep: float | None = None) -> Space:
        """Move the Space to this flavour or, where an admin must decide, ask for it; choosing what it has takes a request back.
        `sleep`: seconds without use until it sleeps from now on, -1 for never, None as it was. Raises Invalid `HARDWARE`,
        `HARDWARE_FIT`, `NOTE`, `SLEEP_TIME`; Forbidden `HARDWARE_ACCESS`, `HARDWARE_QUOTA`."""
        require(caller, space, Role.WRITE)
        hardware = self.fitting(flavor)
        self._replicas.check_fit(hardware, self._replicas.granted(space.wish).replicas)
        if sleep is not None:
            self.check_sleep(flavor)
        sleeps = {} if sleep is None else {"sleep_after": sleep_seconds(sleep)}
        with self._store.write() as tx:
            notice = self.write(tx, caller, tx.spaces.get(space.id) or space, hardware, note)
            if sleeps:
                tx.spaces.update(space.id, look_at=self._clock(), **sleeps)
                self._audit(tx, caller.name, "space.sleep", space, sleeps)
            changed = tx.spaces.get(space.id)
        self.ring(notice)
        return changed or space

    def write(self, tx, caller: Caller, space: Space, hardware: Hardware, note: str = "") -> Notice | None:
        """The same within a transaction; returns what to tell admins, for after it."""
        if len(note) > NOTE_LIMIT:
            raise Invalid("NOTE", f"the note has {len(note)} characters, at most {NOTE_LIMIT}; shorten it")
        now = self._clock()
        if hardware.name == space.wish.hardware:
            if self._withdraw(tx, space, caller, now):
                tx.spaces.update(space.id, look_at=now, hardware_asked="")
                self._audit(tx, caller.name, "hardware.withdraw", space, {"flavor": space.hardware_asked})
            return None
        asks = self._must_ask(caller, space, hardware)
        granted = asks or caller.is_admin or tx.hardware.granted(space.id, hardware.name, now)
        self._check_quota(tx, space, hardware, granted)
        self._withdraw(tx, space, caller, now)
        request = HardwareRequest(new_id(), space.id, hardware.name, caller.name, now, note)
        if asks:
            tx.hardware.add(request)
            tx.spaces.update(space.id, look_at=now, hardware_asked=hardware.name)
            self._audit(tx, caller.name, "hardware.ask", space, {"flavor": hardware.name, "note": note})
            tell(tx, of_request(space, request), admins(tx), now, caller.name)
            return self._notice("asked", request, space)
        if caller.is_admin and hardware.metered:
            tx.hardware.add(replace(request, state=RequestState.APPROVED, decided_by=caller.name, decided_at=now))
        self._move(tx, space, hardware, None, now)
        self._audit(tx, caller.name, "space.hardware", space, {"hardware": hardware.name})
        return None

    def _withdraw(self, tx, space: Space, caller: Caller, now: float) -> bool:
        asked = tx.hardware.latest(space.id)
        taken_back = tx.hardware.withdraw(space.id, caller.name, now)
        if asked and taken_back:
            tx.notifications.forget(of_request(space, asked).thread)
        return taken_back

    def _must_ask(self, caller: Caller, space: Space, hardware: Hardware) -> bool:
        """Raises Forbidden `HARDWARE_ACCESS` for who may not even ask."""
        if caller.is_admin or hardware.name == self.default.name or hardware.open_to(space.owner):
            return False
        if hardware.access is Access.REQUEST:
            return True
        whom = f"for {', '.join(hardware.owners[:5])}" if hardware.owners else "given by admins only"
        raise Forbidden("HARDWARE_ACCESS", f"{hardware.name} is {whom}; choose other hardware, or talk to an admin")

    def _check_quota(self, tx, space: Space, hardware: Hardware, granted: bool) -> None:
        joining = self._replicas.granted(space.wish).replicas
        why = self._quotas.denial(tx, space.owner_id, space.owner, hardware, granted, joining)
        if why:
            write = f"podium hardware quota {space.owner} {hardware.name} --hours N"
            raise Forbidden("HARDWARE_QUOTA", f"{why}; an admin changes that with: {write}")

    def check_sleep(self, flavor: str) -> None:
        """Raises Invalid `SLEEP_TIME` where the flavour alone says when its Spaces sleep."""
        hardware = self._flavors.get(flavor)
        if hardware and hardware.sleep_forced:
            after = (
                "never sleep" if self.begins_with(hardware) is None else f"sleep after {hardware.sleep_after:g} seconds"
            )
            raise Invalid("SLEEP_TIME", f"Spaces on {flavor} {after}, whatever is asked for; leave the sleep time out")

    def check_new(self, tx, owner: Owner) -> None:
        """For a Space that is about to be made: its owner may have one more on the default flavour. Raises Forbidden."""
        why = self._quotas.denial(tx, owner.id, owner.name, self.default, granted=True, joining=1)
        if why:
            raise Forbidden("HARDWARE_QUOTA", f"{why}; ask an admin for more")

    def _move(self, tx, space: Space, hardware: Hardware, until: float | None, now: float) -> None:
        values: dict[str, object] = {"hardware": hardware.name, "hardware_until": until, "hardware_asked": ""}
        before = self._flavors.get(space.wish.hardware, self.default)
        if hardware.sleep_forced or space.wish.sleep_after == self.begins_with(before):
            values["sleep_after"] = self.begins_with(hardware)  # else its people chose a time, which stays
        tx.hardware.revoke(space.id, hardware.name, now)
        tx.spaces.update(space.id, look_at=now, route_changed=True, last_activity=now, **values)
        tx.webhooks.note(of_config(space, now, hardware=hardware.name))

    def begins_with(self, hardware: Hardware) -> float | None:
        """Seconds without use until a Space sleeps that nobody set another time for; None: never."""
        return hardware.sleeps_after(self._sleep_after if hardware.sleep_after is None else hardware.sleep_after)

    def set_goes_first(self, caller: Caller, space: Space, goes_first: bool) -> Space:
        """Whether the old instance leaves at once when the hardware changes, rather than serving until there is room."""
        require(caller, space, Role.WRITE)
        now = self._clock()
        with self._store.write() as tx:
            tx.spaces.update(space.id, look_at=now, goes_first=goes_first)
            self._audit(tx, caller.name, "space.goes_first", space, {"goes_first": goes_first})
            changed = tx.spaces.get(space.id)
        self.ring(None)
        return changed or space

    # --------------------------------------------------------------------------------------------------- deciding

    def approve(
        self, caller: Caller, request_id: str, *, seconds: float | None = None, reason: str = ""
    ) -> HardwareRequest:
        """Give what was asked for. `seconds`: for so long, then the Space goes back to the default flavour. Raises Forbidden,
        NotFound `REQUEST`, Conflict `REQUEST_DECIDED`, Invalid `EXPIRY`, `HARDWARE_FIT`; Forbidden `HARDWARE_QUOTA`."""
        require_admin(caller)
        if seconds is not None and not 60 <= seconds <= _YEARS:
            raise Invalid("EXPIRY", f"it would run out after {seconds:g} seconds; write at least 60, or leave it out")
        request, _ = self.find(request_id)
        hardware, now = self.fitting(request.flavor), self._clock()
        until = None if seconds is None else now + seconds
        with self._store.write() as tx:
            # Quotas are locked before requests, and these before Spaces, here and in `write`.
            asking, found = tx.spaces.get(request.space_id), tx.hardware.get(request.id)
            if asking and found and found.state is RequestState.PENDING:
                self._check_quota(tx, asking, hardware, granted=True)
            space = self._settle(tx, caller, request, RequestState.APPROVED, reason, now, expires_at=until)
            self._move(tx, space, hardware, until, now)
            self._audit(tx, caller.name, "hardware.approve", space, {"flavor": hardware.name, "until": until})
        return self._decided(request_id)

    def refuse(self, caller: Caller, request_id: str, reason: str) -> HardwareRequest:
        """Raises Forbidden, NotFound `REQUEST`, Conflict `REQUEST_DECIDED`, Invalid `REASON` without one."""
        require_admin(caller)
        if not reason.strip() or len(reason) > NOTE_LIMIT:
            raise Invalid("REASON", f"say why, in 1 to {NOTE_LIMIT} characters: the one who asked will read it")
        request, _ = self.find(request_id)
        now = self._clock()
        with self._store.write() as tx:
            space = self._settle(tx, caller, request, RequestState.REFUSED, reason.strip(), now)
            tx.spaces.update(space.id, look_at=now, hardware_asked="")
            self._audit(tx, caller.name, "hardware.refuse", space, {"flavor": request.flavor, "reason": reason})
        return self._decided(request_id)

    def _settle(
        self, tx, caller: Caller, request: HardwareRequest, state: RequestState, reason: str, now: float, **more
    ) -> Space:
        space = tx.spaces.get(request.space_id)
        values = {"decided_by": caller.name, "decided_at": now, "reason": reason[:NOTE_LIMIT], **more}
        if space is None or not tx.hardware.settle(request.id, state, **values):
            found = tx.hardware.get(request.id)
            word = f"{found.state.value} by {found.decided_by or 'nobody'}" if found else "withdrawn"
            raise Conflict("REQUEST_DECIDED", f"this request is {word} already; look at the list again")
        note = of_request(space, tx.hardware.get(request.id))
        tx.notifications.forget(note.thread)  # no other admin need look at it any more
        tell(tx, note, named(tx, request.asker), now, caller.name)
        return space

    def _decided(self, request_id: str) -> HardwareRequest:
        request, space = self.find(request_id)
        self.ring(self._notice(request.state.value, request, space))
        return request

    def withdraw(self, caller: Caller, space: Space) -> Space:
        """Take back what was asked for. Nothing asked: nothing."""
        require(caller, space, Role.WRITE)
        if space.wish.hardware not in self._flavors:
            raise Invalid("HARDWARE", f"this Podium has no hardware {space.wish.hardware!r} any more; choose another")
        return self.choose(caller, space, space.wish.hardware)

    def expire(self, space: Space) -> Space:
        """Back to the default flavour when the time of the wanted one is over; else nothing."""
        now, until = self._clock(), space.wish.hardware_until
        if until is None or now < until:
            return space
        with self._store.write() as tx:
            space = tx.spaces.get(space.id) or space
            if space.wish.hardware_until is not None and now >= space.wish.hardware_until:
                self._move(tx, space, self.default, None, now)
                self._audit(tx, "podium", "hardware.expired", space, {"flavor": space.wish.hardware})
            changed = tx.spaces.get(space.id)
        return changed or space

    # ---------------------------------------------------------------------------------------------------- looking

    def find(self, request_id: str) -> tuple[HardwareRequest, Space]:
        with self._store.read() as tx:
            request = tx.hardware.get(request_id)
            space = tx.spaces.get(request.space_id) if request else None
        if request is None or space is None:
            raise NotFound("REQUEST", f"there is no request {request_id[:30]!r}; `podium hardware requests` lists them")
        return request, space

    def list(
        self, caller: Caller, state: RequestState | None = None, limit: int = 200
    ) -> list[tuple[HardwareRequest, Space]]:
        """Newest first: all for admins, for others those of Spaces that they may change."""
        with self._store.read() as tx:
            found = [(request, tx.spaces.get(request.space_id)) for request in tx.hardware.list(state, limit)]
        return [
            (request, space)
            for request, space in found
            if space and (caller.is_admin or role_on(caller, space) >= Role.WRITE)
        ]

    def latest(self, space: Space) -> HardwareRequest | None:
        with self._store.read() as tx:
            return tx.hardware.latest(space.id)

    # ----------------------------------------------------------------------------------------------------- telling

    def _audit(self, tx, actor: str, action: str, space: Space, detail: dict[str, object]) -> None:
        tx.audit.add(AuditRow(self._clock(), actor, action, space.full_name, detail))

    def _notice(self, event: str, request: HardwareRequest, space: Space) -> Notice:
        return {
            "event": f"hardware.{event}",
            "space": space.full_name,
            "flavor": request.flavor,
            "asker": request.asker,
            "note": request.note,
            "request": request.id,
            "decidedBy": request.decided_by,
            "reason": request.reason,
            "expiresAt": request.expires_at,
        }

    def ring(self, notice: Notice | None) -> None:
        self._bell.ring("spaces")
        self._bell.ring("routes")
        if notice:
            self._notify(notice)
