"""Metering: who had which hardware for how long. The runtime is asked what runs, and the rows say since when and until when.

A row is extended while its instance runs, so that a crash loses nothing of what still runs after it, and at most EVERY seconds of
what ended meanwhile. Several control planes may measure at once: what they write is the same. Time in which an instance waited
for its hardware does not count. Here is also noticed that a quota is used up; what follows from it is decided elsewhere."""

import csv
import io
import time
from collections.abc import Container, Mapping
from dataclasses import replace

from orchestrator.domain.caller import Caller, role_in
from orchestrator.domain.hardware import Hardware
from orchestrator.domain.quota import month_of
from orchestrator.domain.records import Space, Usage, UsageSum
from orchestrator.domain.seen import InstanceSeen, InstanceState, ReplicaSeen
from orchestrator.domain.space import Role
from orchestrator.errors import Forbidden, Invalid, Unauthorized, repo_not_found
from orchestrator.ports import Bell, Runtime, Store
from orchestrator.services.loop import Loop
from orchestrator.services.quota_notes import QuotaNotes
from orchestrator.services.quotas import Quotas

EVERY = 15.0  #: seconds
_AT_MOST = 1.0  #: seconds between two rounds, however much happens


class Meter:
    def __init__(
        self,
        store: Store,
        runtime: Runtime,
        bell: Bell,
        flavors: Mapping[str, Hardware],
        quotas: Quotas,
        clock=time.time,
    ) -> None:
        self._store, self._runtime, self._bell = store, runtime, bell
        self._flavors, self._quotas, self._clock = flavors, quotas, clock
        self._loop = Loop("meter", EVERY, self.measure, rest=_AT_MOST, join=10.0)
        self._notes = QuotaNotes(store, quotas)

    def start(self) -> None:
        self._runtime.subscribe(lambda _: self._loop.nudge())
        self._loop.start()

    def stop(self) -> None:
        self._loop.stop()

    def measure(self) -> None:
        """One round. Raises Unavailable, with nothing written."""
        alive = [one for one in self._runtime.list() if one.state is not InstanceState.EXITED]
        if not alive and not self._open():
            return
        now = self._clock()
        with self._store.write() as tx:
            before = {(row.instance_id, row.started_at): row for row in tx.usage.running()}
            spaces = tx.spaces.among({one.space_id for one in alive})
            here = {}
            for instance in sorted(alive, key=lambda one: one.id):
                space = spaces.get(instance.space_id)
                for one in _metered(instance, before):
                    key = one.id, one.started_at
                    here[key] = key in before and not one.waiting
                    if space and not here[key]:
                        tx.usage.extend(self._row(one, instance.hardware, space, now), waiting=one.waiting)
            tx.usage.prolong((key for key, known in here.items() if known), now)
            for key, row in before.items():
                if key not in here:
                    tx.usage.end(row, min(now, row.until + EVERY))
        self._stop_denied(spaces.values(), now)
        self._notes.look((space.owner_id for space in spaces.values()), now)

    def _open(self) -> bool:
        with self._store.read() as tx:
            return bool(tx.usage.running())

    def _row(self, one: ReplicaSeen, hardware: str, space: Space, now: float) -> Usage:
        name = hardware or space.running_hardware or space.wish.hardware
        flavor = self._flavors.get(name)
        begin = now if one.waiting else min(now, one.started_at)
        price = flavor.price if flavor else 0.0
        owner = space.owner_id, space.owner
        return Usage(one.id, one.started_at, space.id, space.full_name, *owner, name, price, begin, max(now, begin))

    def _stop_denied(self, running, now: float) -> None:
        """Have the reconciler look at what has become too much."""
        denied = sorted(self._quotas.all_denied(running))
        if denied:
            with self._store.write() as tx:
                for space_id in denied:
                    tx.spaces.look_again(space_id, now)
            self._bell.ring("spaces")


def _metered(instance: InstanceSeen, running: Container[tuple[str, float]]) -> list[ReplicaSeen]:
    """Whatever of an instance has its hardware for itself, by what its row is called. `running`: rows that are not ended;
    one of the whole instance, as the release before wrote it, goes on as the row of the oldest replica."""
    whole = ReplicaSeen(instance.id, instance.started_at, waiting=bool(instance.waiting))
    if instance.replicas is None:
        return [whole]
    made = [replace(one, id=f"{instance.id}/{one.id}") for one in instance.replicas]
    if made and (whole.id, whole.started_at) in running:
        oldest = min(made, key=lambda one: (one.started_at, one.id))
        made = [replace(whole, waiting=one.waiting) if one is oldest else one for one in made]
    return made


class UsageReports:
    def __init__(self, store: Store, clock=time.time) -> None:
        self._store, self._clock = store, clock

    def sums(
        self,
        caller: Caller,
        since: float | None = None,
        before: float | None = None,
        owner: str = "",
        space: str = "",
    ) -> tuple[list[UsageSum], float, float]:
        """What was used from `since` (the begin of this month) to `before` (now), by owner, Space and flavour; and the two
        moments. Everything for admins; others name themselves or an organisation of theirs, themselves when left out.
        Raises Invalid `RANGE`, Forbidden, NotFound."""
        if caller.user is None:
            raise Unauthorized("AUTH_REQUIRED", "Sign in first: this needs an access token.")
        now = self._clock()
        since, before = month_of(now)[0] if since is None else since, now if before is None else before
        if before <= since:
            raise Invalid("RANGE", "the range ends before it begins; write an earlier begin or a later end")
        with self._store.read() as tx:
            owner_id = self._owner(tx, caller, owner, space)
            found = tx.spaces.find(*space.split("/", 1)) if "/" in space else None
            if space and (found is None or found.owner_id != owner_id):
                raise repo_not_found()
            return tx.usage.sums(since, before, owner_id, found.id if found else None), since, before

    def _owner(self, tx, caller: Caller, owner: str, space: str) -> str | None:
        owner = owner or space.partition("/")[0] or ("" if caller.is_admin else caller.name)
        if not owner:
            return None
        known = tx.accounts.owner_named(owner)
        if known is None or role_in(caller, known.id) < Role.READ:
            raise Forbidden("FORBIDDEN", f"{caller.name} may not see the usage of {owner[:96]!r}.")
        return known.id


def as_csv(sums: list[UsageSum], currency: str) -> str:
    """A table for spreadsheets. Pure. No cell begins like a formula: names begin with a letter or a digit."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["owner", "space", "hardware", "seconds", "hours", f"cost_{currency.lower()}"])
    for one in sums:
        hours, cost = f"{one.seconds / 3600:.4f}", f"{one.cost:.4f}"
        table.writerow([one.owner, one.space, one.hardware, f"{one.seconds:.0f}", hours, cost])
    return text.getvalue()
