"""People who come from an OpenID Connect provider: what is kept of them, what the operator lets in, which name they get."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.domain.space import RESERVED_OWNERS, Role, check_name
from orchestrator.errors import Forbidden, Invalid

SUBJECT_LIMIT = 255  #: characters of `sub` (OpenID Connect Core 1.0, section 2)
LABEL_LIMIT = 200
_NAME_LIMIT = 40


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody at a provider who is a user here. `subject` is theirs there for ever; `label`: what they were called when they
    came last, for showing. Times in seconds since the epoch."""

    id: str
    issuer: str
    subject: str
    user_id: str
    label: str
    created_at: float
    used_at: float


@dataclass(frozen=True, slots=True)
class Journey:
    """A way to the provider and back that began in one browser. `user_id`: who wants to link an identity, "" to sign in;
    `after`: the page to go to then."""

    state: str
    nonce: str
    verifier: str
    after: str = "/"
    user_id: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """Members of a provider's group have `role` in the organisation `org`; "" for it: they are admins of this Podium."""

    group: str
    org: str
    role: Role


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator wants of people from the provider. `domains`: those of e-mail addresses that may come in, () for all;
    `groups_claim` and `groups`: who is what by their groups there."""

    user_claim: str = "preferred_username"
    domains: tuple[str, ...] = ()
    accounts: bool = True  #: whether somebody unknown gets an account
    passwords: bool = True  #: whether people may sign in with a password, too
    groups_claim: str = "groups"
    groups: tuple[Rule, ...] = ()

    @property
    def wanted(self) -> tuple[str, ...]:
        """The claims that are looked at."""
        return (self.user_claim, "email", "name", *((self.groups_claim,) if self.groups else ()))

    def check(self, claims: Mapping[str, Any]) -> None:
        """Nothing, or Forbidden `PROVIDER_DOMAIN`. Only an address that the provider vouches for counts."""
        if not self.domains:
            return
        address = email_of(claims)
        if not address or claims.get("email_verified") not in (True, "true"):
            raise Forbidden("PROVIDER_DOMAIN", "Your provider told no e-mail address of yours that it has verified.")
        if address.rpartition("@")[2].lower() not in self.domains:
            raise Forbidden("PROVIDER_DOMAIN", "People with an e-mail address of that domain may not sign in here.")

    def roles(self, claims: Mapping[str, Any]) -> dict[str, Role]:
        """By organisation ("": this Podium), the role that the groups give; NONE where they give none."""
        told = claims.get(self.groups_claim)
        mine = {one for one in told if isinstance(one, str)} if isinstance(told, list) else {told}
        given = {rule.org: Role.NONE for rule in self.groups}
        for rule in self.groups:
            if rule.group in mine:
                given[rule.org] = max(given[rule.org], rule.role)
        return given


def parse_groups(text: str) -> tuple[Rule, ...]:
    """`platform=admin; research=acme:write` as rules. Raises Invalid `SETTING`."""
    rules = []
    for part in filter(None, (one.strip() for one in text.split(";"))):
        group, _, gives = (word.strip() for word in part.rpartition("="))
        org, _, role = gives.rpartition(":")
        if not group or (not org and role != "admin") or role not in ("read", "write", "admin"):
            raise Invalid("SETTING", f"PODIUM_OIDC_GROUPS has {part!r}; write GROUP=admin or GROUP=ORGANISATION:write")
        rules.append(Rule(group, org, Role.named(role)))
    return tuple(rules)


def email_of(claims: Mapping[str, Any]) -> str:
    """The e-mail address, "" when it is none."""
    told = claims.get("email")
    good = isinstance(told, str) and len(told) <= LABEL_LIMIT and re.fullmatch(r"[^@\s]+@[^@\s]+", told)
    return told if good and told.isprintable() else ""


def text_of(claims: Mapping[str, Any], claim: str, limit: int = LABEL_LIMIT) -> str:
    """A claim as one line for people, "" when it is no text."""
    told = claims.get(claim)
    shown = "".join(c if c.isprintable() else " " for c in told) if isinstance(told, str) else ""
    return " ".join(shown.split())[:limit].strip()


def names(claims: Mapping[str, Any], user_claim: str) -> Iterator[str]:
    """Names that the user could have here, best first, without an end; all of them valid."""
    sources = (claims.get(user_claim), email_of(claims), claims.get("name"), "user")
    base = next(filter(None, map(_name_of, sources)))
    yield base
    number = 2
    while True:
        yield f"{base}-{number}"
        number += 1


def _name_of(text: object) -> str:
    """`Ada.Lovelace@example.org` -> `Ada.Lovelace`, "" when no name can be made of it."""
    if not isinstance(text, str):
        return ""
    plain = unicodedata.normalize("NFKD", text[:200].partition("@")[0]).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9_.]+", "-", plain)
    name = re.sub(r"[-.]*([-.])", r"\1", name).strip("-.")[:_NAME_LIMIT].strip("-.")
    try:
        return check_name(name, "user name", RESERVED_OWNERS)
    except Invalid:
        return ""
