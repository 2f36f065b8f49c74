"""Signing in with the operator's OpenID Connect provider: the way there and back, who that is here, and linking it to an account.
What the protocol says is the Provider's; what a session is, accounts.py's.

An account is found by (issuer, sub) alone. Neither a name nor an e-mail address that is the same makes anybody its owner: only
who is signed in to it links it."""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from hmac import compare_digest
from typing import Any

from orchestrator.domain.caller import Caller
from orchestrator.domain.identity import LABEL_LIMIT, Identity, Journey, Rules, email_of, names, text_of
from orchestrator.domain.records import AuditRow, Owner
from orchestrator.domain.space import Role
from orchestrator.errors import Conflict, Forbidden, NotFound, Unauthorized
from orchestrator.ports import Store
from orchestrator.ports_provider import Provider, ProviderAway
from orchestrator.services.accounts import Accounts
from orchestrator.services.links import SignedLinks
from orchestrator.services.tokens import digest, new_id

JOURNEY_SECONDS = 900.0  #: from leaving to coming back; people look for their second factor meanwhile
MOST = 10  #: identities of one user
_ACT, _FAREWELL = "provider", "farewell"
FAREWELL_SECONDS = 365 * 86400.0  #: the session itself ends earlier
_COOKIE = 3800  #: characters; browsers keep little more in one cookie


@dataclass(frozen=True, slots=True)
class Arrival:
    """Back from the provider. `session`: the secret of a new one, "" when an identity was linked. `after`: where to go.
    `farewell`: what the browser keeps for signing out there, too."""

    after: str
    session: str = ""
    farewell: str = ""


class Identities:
    """`provider` None: nobody signs in that way. `seal`: signs what the browser keeps during a journey."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        seal: SignedLinks,
        provider: Provider | None = None,
        rules: Rules | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._accounts, self._seal, self._clock = store, accounts, seal, clock
        self._provider, self.rules = provider, rules or Rules()

    @property
    def name(self) -> str:
        """The provider's, as people call it; "" when there is none."""
        return self._provider.name if self._provider else ""

    # ---------------------------------------------------------------------------------------------------- the journey

    def begin(self, after: str, user: Owner | None = None) -> tuple[str, str]:
        """(where the browser goes, what it keeps meanwhile). `user`: who wants to link an identity. Raises NotFound
        `PROVIDER_OFF`, and as `Provider.url`."""
        journey = Journey(*(secrets.token_urlsafe(24) for _ in range(2)), secrets.token_urlsafe(48), after)
        if user is not None:
            journey = Journey(journey.state, journey.nonce, journey.verifier, after, user.id)
        url = self._known().url(journey)
        return url, self._seal.sign(_ACT, JOURNEY_SECONDS, **asdict(journey))

    def finish(self, kept: str, told: Mapping[str, str], caller: Caller, agent: str = "") -> Arrival:
        """What the provider sent the browser back with. `kept`: what the browser kept. Raises NotFound `PROVIDER_OFF`,
        Forbidden `PROVIDER_…`, ProviderAway, Conflict `PROVIDER_TAKEN`, `PROVIDER_MANY`."""
        provider, journey = self._known(), self._journey(kept, told.get("state", ""))
        issuer = told.get("iss")
        if issuer is None and provider.says_who() or issuer is not None and issuer != provider.issuer:
            raise Forbidden("PROVIDER_ISSUER", "Another provider than the one of this Podium sent you back.")
        if "error" in told:
            raise _refused(told["error"])
        if not 0 < len(code := told.get("code", "")) <= 4096 or not (code.isascii() and code.isprintable()):
            raise Forbidden("PROVIDER_CODE", "The provider sent you back without a confirmation; sign in once more.")
        mine = caller.user.id if caller.user else ""
        if journey.user_id and journey.user_id != mine:
            raise Forbidden("PROVIDER_STATE", "You signed out, or in as somebody else, meanwhile; begin again.")
        claims, proof = provider.claims(journey, code, self.rules.wanted)
        self.rules.check(claims)
        if journey.user_id:
            self._link(caller, claims)
            return Arrival(journey.after)
        user = self._enter(claims, caller.address)
        secret = self._accounts.new_session(user, caller.address, agent)
        return Arrival(journey.after, secret, self._farewell(secret, proof))

    def _farewell(self, secret: str, proof: str) -> str:
        """Good for this session alone. A proof that is too long for a cookie is left out: the provider asks back then."""
        sealed = self._seal.sign(_FAREWELL, FAREWELL_SECONDS, session=digest(secret), proof=proof)
        return sealed if len(sealed) <= _COOKIE or not proof else self._farewell(secret, "")

    def parting(self, kept: str, secret: str) -> str:
        """Where the browser signs out at the provider, too; "" when the session was not begun there, or the provider has no
        such place or does not answer: signing out here must not wait for it."""
        try:
            told = self._seal.read(kept, _FAREWELL)
            mine = compare_digest(str(told.get("session")), digest(secret))
            return self._provider.farewell(str(told.get("proof"))) if mine and self._provider else ""
        except (Forbidden, ProviderAway):
            return ""

    def _known(self) -> Provider:
        if self._provider is None:
            raise NotFound("PROVIDER_OFF", "This Podium knows no provider to sign in with.")
        return self._provider

    def _journey(self, kept: str, state: str) -> Journey:
        try:
            told = self._seal.read(kept, _ACT)
            journey = Journey(**{name: told[name] for name in Journey.__slots__})
        except (Forbidden, KeyError):
            journey = None
        if journey is None or not compare_digest(journey.state.encode(), state.encode("utf-8", "replace")):
            raise Forbidden(
                "PROVIDER_STATE",
                "This sign-in was not begun in this browser, was finished already, or took too long; begin again.",
            )
        return journey

    # --------------------------------------------------------------------------------------------------- who that is

    def _enter(self, claims: Mapping[str, Any], address: str) -> Owner:
        """The user of an identity, who comes to be if need be."""
        now, issuer, label = self._clock(), self._known().issuer, self._label(claims)
        with self._store.write() as tx:
            known = tx.identities.find(issuer, claims["sub"])
            user = tx.accounts.owner(known.user_id) if known else None
            if user is None:
                user = self._newcomer(tx, claims, now, address)
                tx.identities.add(Identity(new_id(), issuer, claims["sub"], user.id, label, now, now))
            else:
                tx.identities.used(known.id, label, now)
            self._place(tx, user, claims, now)
            detail = {"issuer": issuer, "subject": claims["sub"], "as": label}
            tx.audit.add(AuditRow(now, user.name, "user.sign_in", user.name, detail, address))
        return user

    def _newcomer(self, tx: Any, claims: Mapping[str, Any], now: float, address: str) -> Owner:
        if not self.rules.accounts:
            raise Forbidden(
                "PROVIDER_NO_ACCOUNT",
                "You have no account here that is linked to this identity; sign in to yours and link it, or ask for one.",
            )
        if not tx.accounts.owners("user"):
            raise Forbidden("PROVIDER_FIRST", "Nobody runs this Podium yet: the first admin is made by its first link.")
        name = next(one for one in names(claims, self.rules.user_claim) if tx.accounts.owner_named(one) is None)
        fullname, email = text_of(claims, "name", 100) or name, email_of(claims)
        user = Owner(new_id(), name, "user", fullname, email, created_at=now)
        tx.accounts.add_owner(user)
        tx.audit.add(AuditRow(now, name, "user.add", name, {"issuer": self._known().issuer}, address))
        return user

    def _place(self, tx: Any, user: Owner, claims: Mapping[str, Any], now: float) -> None:
        """What the groups say, where it is not so yet."""
        actor = self._known().name
        for name, role in self.rules.roles(claims).items() if self.rules.groups else ():
            if not name:
                admins = [one.id for one in tx.accounts.owners("user") if one.is_admin]
                admin = role is Role.ADMIN or admins == [user.id]  # the last one stays
                if admin != user.is_admin:
                    tx.accounts.update_owner(user.id, is_admin=admin)
                    tx.audit.add(AuditRow(now, actor, "user.admin", user.name, {"admin": admin}))
                continue
            org = tx.accounts.owner_named(name)
            if org is None or org.kind != "org" or tx.accounts.role_in(org.id, user.id) is role:
                continue
            if role is Role.NONE:
                tx.accounts.remove_member(org.id, user.id)
            else:
                tx.accounts.set_member(org.id, user.id, role)
            detail = {"user": user.name, "role": role.name.lower()}
            tx.audit.add(AuditRow(now, actor, "org.member", org.name, detail))

    def _label(self, claims: Mapping[str, Any]) -> str:
        told = email_of(claims) or text_of(claims, self.rules.user_claim) or text_of(claims, "name")
        return (told or str(claims["sub"]))[:LABEL_LIMIT]

    # -------------------------------------------------------------------------------------------------------- linking

    def _link(self, caller: Caller, claims: Mapping[str, Any]) -> None:
        now, issuer, user, label = self._clock(), self._known().issuer, caller.user, self._label(claims)
        with self._store.write() as tx:
            known = tx.identities.find(issuer, claims["sub"])
            if known is not None and known.user_id != user.id:
                raise Conflict(
                    "PROVIDER_TAKEN", f"{label} belongs to another account here already; unlink it there first."
                )
            if known is not None:
                tx.identities.used(known.id, label, now)
                return
            if len(tx.identities.of(user.id)) >= MOST:
                raise Conflict("PROVIDER_MANY", f"An account has at most {MOST} identities; unlink one first.")
            tx.identities.add(Identity(new_id(), issuer, claims["sub"], user.id, label, now, now))
            detail = {"issuer": issuer, "subject": claims["sub"], "as": label}
            tx.audit.add(AuditRow(now, user.name, "user.identity_add", user.name, detail, caller.address))

    def of(self, user: Owner) -> list[Identity]:
        """Those that are linked to a user, oldest first."""
        with self._store.read() as tx:
            return tx.identities.of(user.id)

    def unlink(self, caller: Caller, identity_id: str) -> None:
        """Raises Unauthorized, NotFound `IDENTITY`, Conflict `LAST_WAY` when the user could not sign in any more."""
        if caller.user is None:
            raise Unauthorized("AUTH_REQUIRED", "Sign in first.")
        with self._store.write() as tx:
            user, mine = tx.accounts.owner(caller.user.id), tx.identities.of(caller.user.id)
            gone = next((one for one in mine if one.id == identity_id), None)
            if user is None or gone is None:
                raise NotFound("IDENTITY", "This identity is not linked to your account.")
            others = [one for one in mine if one is not gone and one.issuer == self._issuer]
            if not others and not (user.password_hash and self.rules.passwords):
                word = "set a password first" if self.rules.passwords else "link another one first"
                raise Conflict("LAST_WAY", f"This is the only way in which you can sign in; {word}.")
            tx.identities.drop(gone.id)
            detail = {"issuer": gone.issuer, "subject": gone.subject, "as": gone.label}
            tx.audit.add(AuditRow(self._clock(), user.name, "user.identity_drop", user.name, detail, caller.address))

    @property
    def _issuer(self) -> str:
        return self._provider.issuer if self._provider else ""


def _refused(error: str) -> Exception:
    """RFC 6749, 4.1.2.1, as our words."""
    if error == "access_denied":
        return Forbidden("PROVIDER_REFUSED", "You or your provider refused the sign-in, so nothing happened.")
    if error in ("server_error", "temporarily_unavailable"):
        return ProviderAway("Your provider cannot sign anybody in at this moment; try again in a while.")
    shown = error if error.isascii() and error.isidentifier() else "nothing known"
    return Forbidden(
        "PROVIDER_SETUP", f"The provider did not take our question, tell whoever runs this Podium: {shown[:60]}."
    )
