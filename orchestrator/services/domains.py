"""Domains of people's own for their Spaces: asking for one, looking at DNS on demand and in the background, giving it up. What
may be asked for and what a look means is domain/own_domain.py; gateways serve the names that the route feed tells them."""

import logging
import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any

from orchestrator.domain.caller import Caller, require
from orchestrator.domain.own_domain import AGAIN, MOST, SOON, DnsSeen, DomainState, OwnDomain, check_domain, judge
from orchestrator.domain.records import AuditRow, Space
from orchestrator.domain.space import Role
from orchestrator.errors import Conflict, NotFound, PodiumError, TooMany, Unavailable
from orchestrator.ports import Bell, Names, Store
from orchestrator.services.loop import Loop

log = logging.getLogger(__name__)
_LOOK_EVERY = 20.0  #: seconds between two looks for domains that are due
_TAKEN = 120.0  #: seconds that a control plane may take to look at what it took


class Domains:
    """`ours`: hosts of this Podium, which nobody may have. `home(label)`: host of a Space's own, where a CNAME should lead.
    `loop` looks at DNS."""

    def __init__(
        self,
        store: Store,
        bell: Bell,
        names: Names,
        *,
        ours: Iterable[str],
        home: Callable[[str], str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._bell = bell
        self._names = names
        self._ours = tuple(ours)
        self.home = home
        self._clock = clock
        self.loop = Loop("domains", _LOOK_EVERY, self.look, first=_LOOK_EVERY)

    # ------------------------------------------------------------------------------------------------- for its people

    def of(self, space: Space) -> list[OwnDomain]:
        with self._store.read() as tx:
            return tx.domains.of(space.id)

    def add(self, caller: Caller, space: Space, text: str) -> OwnDomain:
        """Ask for a domain; it is served once DNS proves it. Raises Forbidden, Invalid `DOMAIN`, Conflict `DOMAIN_KNOWN`,
        `DOMAIN_MANY`."""
        require(caller, space, Role.ADMIN)
        name, now = check_domain(text, self._ours), self._clock()
        made = OwnDomain(space.id, name, secrets.token_hex(16), caller.name, now, check_at=now + SOON)
        with self._store.write() as tx:
            if len(tx.domains.of(space.id)) >= MOST:
                raise Conflict("DOMAIN_MANY", f"{space.full_name} has {MOST} domains; remove one that is not needed")
            tx.domains.add(made)
            tx.audit.add(AuditRow(now, caller.name, "space.domain.add", space.full_name, {"domain": name}))
        return made

    def check(self, caller: Caller, space: Space, text: str) -> OwnDomain:
        """Look at DNS now. Raises Forbidden, NotFound `DOMAIN`, TooMany `DOMAIN_RATE` for a look at once after another."""
        require(caller, space, Role.ADMIN)
        with self._store.read() as tx:
            domain = _known(tx, space, text)
        now = self._clock()
        if domain.checked_at is not None and now - domain.checked_at < AGAIN:
            raise TooMany("DOMAIN_RATE", f"{domain.name} was looked at just now; wait some seconds", retry_after=AGAIN)
        return self._look(domain, caller.name)

    def remove(self, caller: Caller, space: Space, text: str) -> None:
        """It is served no more, at once. Raises Forbidden, NotFound `DOMAIN`."""
        require(caller, space, Role.ADMIN)
        now = self._clock()
        with self._store.write() as tx:
            domain = _known(tx, space, text)
            tx.domains.drop(space.id, domain.name)
            _serve(tx, space.id, now)
            tx.audit.add(AuditRow(now, caller.name, "space.domain.remove", space.full_name, {"domain": domain.name}))
        self._bell.ring("routes")

    # --------------------------------------------------------------------------------------------------- looking

    def look(self) -> None:
        """Look at each domain that is due. One that cannot be saved is looked at again later."""
        now = self._clock()
        with self._store.write() as tx:
            due = tx.domains.take_due(now, now + _TAKEN)
        for domain in due:
            if self.loop.ending.is_set():
                return
            try:
                self._look(domain, "")
            except PodiumError as error:
                log.warning("%s: %s", domain.name, error)

    def _look(self, domain: OwnDomain, actor: str) -> OwnDomain:
        """Raises NotFound `DOMAIN` for one that was removed meanwhile, or whose Space was."""
        seen = self._see(domain)
        judged = self._settle(domain, seen, actor)
        if judged is None:
            raise NotFound("DOMAIN", f"{domain.name} was removed meanwhile.")
        if judged.state is not domain.state:
            self._bell.ring("routes")
        return judged

    def _settle(self, domain: OwnDomain, seen: DnsSeen, actor: str) -> OwnDomain | None:
        now = self._clock()
        with self._store.write() as tx:
            space = tx.spaces.get(domain.space_id)
            if space is None or space.deleted:
                tx.domains.forget(domain.space_id)
                return None
            holder = tx.domains.holder(domain.name)
            taken = holder is not None and holder.space_id != domain.space_id
            judged = judge(domain, seen, now, taken)
            if taken and domain.proof_value in seen.texts:
                tx.domains.check_soon(holder, now)  # whoever runs the zone may have changed their mind
            if not tx.domains.save(judged):
                return None
            if judged.state is not domain.state:
                _serve(tx, space.id, now)
                told = {"domain": domain.name, "state": judged.state.value, "reason": judged.reason}
                tx.audit.add(AuditRow(now, actor, "space.domain", space.full_name, told))
        return judged

    def _see(self, domain: OwnDomain) -> DnsSeen:
        try:
            texts = self._names.texts(domain.proof_name)
        except Unavailable as error:
            return DnsSeen(silent=str(error))
        if domain.proof_value not in texts:
            return DnsSeen(texts)
        with self._store.read() as tx:
            space = tx.spaces.get(domain.space_id)
        try:
            home = self._names.addresses(self.home(space.label)) if space else ()
            return DnsSeen(texts, leads=self._names.addresses(domain.name), home=home)
        except Unavailable:
            return DnsSeen(texts)  # it is proven all the same; where it leads is only told


def _known(tx: Any, space: Space, text: str) -> OwnDomain:
    found = next((one for one in tx.domains.of(space.id) if text.strip().lower() in (one.name, one.shown)), None)
    if found is None:
        raise NotFound("DOMAIN", f"{space.full_name} has no domain {ascii(text[:100])}")
    return found


def _serve(tx: Any, space_id: str, now: float) -> None:
    """Have the Space served at the names that are proven, and at no other."""
    hosts = [one.name for one in tx.domains.of(space_id) if one.state is DomainState.ACTIVE]
    tx.spaces.update(space_id, look_at=now, route_changed=True, hosts=hosts)
