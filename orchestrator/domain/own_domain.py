"""Domains of people's own for their Spaces: which names may be asked for, what must stand in DNS, and what follows from what
was found there. Pure: who asks DNS is services/domains.py.

A name is served only while DNS holds a TXT record with the token of this Space, which nobody but who runs the zone can put
there. The token is of one claim and never used again: a name that still points here after its Space is gone, or that somebody
else asked for, lets nobody in. DNS that does not answer proves nothing either way; a proven name outlives that for a while."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

import idna

from orchestrator.errors import Invalid

MOST = 10  #: domains of one Space
PROOF_LABEL = "_podium"  #: the TXT record stands one step below the name, where a CNAME at the name is in nobody's way
PROOF_WORD = "podium-space="
AGAIN = 5.0  #: seconds between two checks that people ask for
RECHECK = 3600.0  #: seconds until a proven name is looked at again
SOON = 60.0  #: the same for one that waits for its record, in its first hour; later RECHECK
GIVEN_UP = 7 * 86400.0  #: seconds after which nobody but its owner looks for a record that never came
SILENCE = 3 * 86400.0  #: seconds that a proven name is served while DNS does not answer
_SHOWN = 3  #: values of a TXT record that a message lists
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
#: Last labels below which no DNS says what is whose (RFC 6761, RFC 6762, RFC 7686, RFC 9476).
_NOWHERE = frozenset(("localhost", "local", "invalid", "onion", "alt", "arpa"))


class DomainState(StrEnum):
    PENDING = "pending"  #: its record was not found yet
    ACTIVE = "active"  #: proven, and served
    FAILED = "failed"  #: was proven and is no longer, or belongs to another Space, or was given up


@dataclass(frozen=True, slots=True)
class OwnDomain:
    """A domain of a Space. Times in epoch seconds. `name` in the form of DNS. `found`: what DNS said, in words; `check_at`: when
    it is looked at again by itself, None: never."""

    space_id: str
    name: str
    token: str
    actor: str
    created_at: float
    state: DomainState = DomainState.PENDING
    reason: str = ""
    found: str = ""
    checked_at: float | None = None
    proven_at: float | None = None
    check_at: float | None = None

    @property
    def proof_name(self) -> str:
        """Where the TXT record must stand."""
        return f"{PROOF_LABEL}.{self.name}"

    @property
    def proof_value(self) -> str:
        """What it must say."""
        return PROOF_WORD + self.token

    @property
    def shown(self) -> str:
        """With the letters that people read, where they are others than DNS has."""
        try:
            return idna.decode(self.name) if "xn--" in self.name else self.name
        except idna.IDNAError:
            return self.name


@dataclass(frozen=True, slots=True)
class DnsSeen:
    """What DNS says of a domain. `silent`: why it does not answer, "" when it does. `leads`: addresses of the name, `home` of the
    Space's own host; asked only once the name is proven, so that nobody reads another network's names through us."""

    texts: tuple[str, ...] = ()
    silent: str = ""
    leads: tuple[str, ...] = ()
    home: tuple[str, ...] = ()


def check_domain(text: str, ours: Iterable[str]) -> str:
    """The name in the form of DNS. `ours`: hosts of this Podium, refused with all that is below and above them. Raises Invalid
    `DOMAIN`."""
    typed = text.strip().rstrip(".").lower()
    shown = ascii(typed[:100])
    try:
        name = typed if typed.isascii() else idna.encode(typed, uts46=True).decode()
        if "xn--" in name:
            idna.decode(name)
    except (idna.IDNAError, UnicodeError):
        raise Invalid("DOMAIN", f"{shown} cannot be a domain; write one such as demo.example.com") from None
    labels = name.split(".")
    if len(name) > 253 - len(PROOF_LABEL) - 1 or not all(_LABEL.fullmatch(label) for label in labels) or _address(name):
        raise Invalid("DOMAIN", f"{shown} is no domain; write a name alone, such as demo.example.com, without https://")
    if len(labels) < 2 or labels[-1] in _NOWHERE or labels[-1].isdigit():
        raise Invalid("DOMAIN", f"{shown} is no domain that anybody could prove; write one such as demo.example.com")
    for own in filter(None, ours):
        if name == own or name.endswith(f".{own}") or own.endswith(f".{name}"):
            raise Invalid("DOMAIN", f"{shown} is this Podium's own, or above or below what is; write another domain")
    return name


def judge(domain: OwnDomain, seen: DnsSeen, now: float, taken: bool = False) -> OwnDomain:
    """The domain after a look at DNS. `taken`: another Space is served at this name."""
    looked = replace(domain, checked_at=now, found=_found(seen))
    if seen.silent:
        return _unanswered(looked, seen, now)
    if domain.proof_value not in seen.texts:
        return _unproven(looked, seen, now)
    if taken:
        reason = "another Space here is served at this name; remove the name there, or take that Space's TXT record out of DNS"
        return replace(looked, state=DomainState.FAILED, reason=reason, check_at=_later(domain, now))
    reason = ""
    if seen.home and not set(seen.leads) & set(seen.home):
        where = f"it leads to {', '.join(seen.leads[:_SHOWN])}" if seen.leads else "it leads nowhere"
        reason = f"proven, but {where}; this Podium is at {', '.join(seen.home[:_SHOWN])}"
    return replace(looked, state=DomainState.ACTIVE, reason=reason, proven_at=now, check_at=now + RECHECK)


def _unanswered(looked: OwnDomain, seen: DnsSeen, now: float) -> OwnDomain:
    """A proven one stays as it is for some days: a resolver that is away must take nothing down."""
    if looked.state is DomainState.ACTIVE and now - (looked.proven_at or 0.0) < SILENCE:
        return replace(looked, reason=f"{seen.silent}; served by the last proof", check_at=now + SOON * 10)
    state = DomainState.FAILED if looked.state is DomainState.ACTIVE else looked.state
    return replace(looked, state=state, reason=seen.silent, check_at=_later(looked, now))


def _unproven(looked: OwnDomain, seen: DnsSeen, now: float) -> OwnDomain:
    missing = f"there is no TXT record at {looked.proof_name}"
    if seen.texts:
        missing = f"the TXT record at {looked.proof_name} does not say {looked.proof_value}"
    if looked.state is DomainState.PENDING and now - looked.created_at < GIVEN_UP:
        return replace(looked, reason=missing, check_at=_later(looked, now))
    return replace(looked, state=DomainState.FAILED, reason=missing, check_at=_later(looked, now))


def _later(domain: OwnDomain, now: float) -> float | None:
    """When one that is not proven is looked at again."""
    since = now - max(domain.created_at, domain.proven_at or 0.0)
    return None if since >= GIVEN_UP else now + (SOON if since < RECHECK else RECHECK)


def _found(seen: DnsSeen) -> str:
    """What DNS said, a few values of each kind."""
    kinds = (("TXT", [repr(text[:80]) for text in seen.texts]), ("addresses", list(seen.leads)))
    told = []
    for kind, values in kinds:
        more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
        told += [f"{kind} {', '.join(values[:_SHOWN])}{more}"] if values else []
    return "; ".join(told)


def _address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
