"""Who is who: users, organisations, passwords, sessions, sign-in links. Owns how a credential is checked; what a caller may do
is `domain/caller.py`; making and revoking tokens is tokens.py's."""

import base64
import secrets
import time
from binascii import Error as Base64Error
from dataclasses import replace
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from orchestrator.domain.caller import STRANGER, Caller, role_in
from orchestrator.domain.grants import from_json
from orchestrator.domain.records import AuditRow, Owner, Session
from orchestrator.domain.space import RESERVED_OWNERS, Role, check_fullname, check_name
from orchestrator.errors import Conflict, Forbidden, Invalid, NotFound, Unauthorized
from orchestrator.ports import Store
from orchestrator.services.attempts import Attempts
from orchestrator.services.tokens import TOKEN_PREFIX, Tokens, digest, new_id

LINK_SECONDS = 3600.0  #: life of a sign-in link
_TOUCH_EVERY = 300.0  #: a token's last use is written at most this often


class Accounts(Tokens):
    def __init__(self, store: Store, session_days: int = 30, clock=time.time) -> None:
        super().__init__(store, clock)
        self._session_seconds = session_days * 86400.0
        self._hasher = PasswordHasher()
        self._attempts = Attempts(clock)

    # ------------------------------------------------------------------------------------------------ credentials

    def caller(self, authorization: str | None, session: str | None = None, address: str = "") -> Caller:
        """The caller of a request, by its Authorization header (`Bearer hf_…`, or Basic with the token as password and any
        user name, as git sends it) or else by its session cookie. Neither: a stranger.

        Raises Unauthorized `INVALID_TOKEN` / `TOKEN_EXPIRED` for a credential that does not hold, `AUTH_PASSWORD` for what was
        typed as a password and is no token; the Hub's clients know a wrong token by the words of `INVALID_TOKEN`."""
        if authorization:
            by_git = authorization[:6].lower() == "basic "
            return replace(self._by_token(_secret_of(authorization), by_git), address=address)
        if session:
            found = self.by_session(session)
            return replace(found, address=address) if found else replace(STRANGER, address=address)
        return replace(STRANGER, address=address)

    def _by_token(self, secret: str, typed: bool = False) -> Caller:
        now = self._clock()
        with self._store.read() as tx:
            token = tx.accounts.token_by_hash(digest(secret))
            user = tx.accounts.owner(token.user_id) if token else None
            orgs = tx.accounts.orgs_of(user.id) if user else []
            repos = tx.collaborators.roles_of(user.id) if user else {}
            gone = token is not None and token.grants is not None and not self.client_lives(tx, token)
        if token is None or user is None or gone:
            if typed and secret and not secret.startswith(TOKEN_PREFIX):
                raise Unauthorized(
                    "AUTH_PASSWORD",
                    "That is not an access token; use one with write permission as the password: Settings → Tokens.",
                )
            raise Unauthorized("INVALID_TOKEN", "Invalid credentials in Authorization header")
        for moment, word in ((token.revoked_at, "revoked"), (token.expires_at, "expired")):
            if moment is not None and moment <= now:
                day = time.strftime("%Y-%m-%d", time.gmtime(moment))
                raise Unauthorized("TOKEN_EXPIRED", f"The token {token.name!r} was {word} on {day}; make a new one.")
        if token.last_used_at is None or now - token.last_used_at > _TOUCH_EVERY:
            with self._store.write() as tx:
                tx.accounts.update_token(token.id, last_used_at=now)
        grants = None if token.grants is None else from_json(token.grants)
        limit = grants.most if grants is not None else Role.ADMIN if token.role == "write" else Role.READ
        roles = {org.id: role for org, role in orgs}
        return Caller(user, limit, roles, "token", token.name, token.role, grants=grants, token=token, repos=repos)

    def by_session(self, secret: str) -> Caller | None:
        with self._store.read() as tx:
            session = tx.accounts.session(digest(secret))
            user = tx.accounts.owner(session.user_id) if session and session.expires_at > self._clock() else None
            orgs = tx.accounts.orgs_of(user.id) if user else []
            repos = tx.collaborators.roles_of(user.id) if user else {}
        if user is None:
            return None
        return Caller(user, Role.ADMIN, {org.id: role for org, role in orgs}, "session", repos=repos)

    def sign_in(self, name: str, password: str, address: str, agent: str = "") -> str:
        """A new session's secret, for a user name with its password, or with an access token as password. Raises Unauthorized
        `SIGN_IN` (the same for an unknown name) and TooMany as `Attempts.one`."""
        with self._attempts.one(digest(name.lower())[:16], address) as succeeded:
            user = self._check_password(name, password)
            if user is None:
                raise Unauthorized("SIGN_IN", "That name and password do not belong together.")
            succeeded()
        return self.new_session(user, address, agent)

    def _check_password(self, name: str, password: str) -> Owner | None:
        if password.startswith(TOKEN_PREFIX):
            try:
                caller = self._by_token(password)
            except Unauthorized:
                return None
            if caller.limit < Role.ADMIN or caller.grants is not None:
                raise Unauthorized(
                    "TOKEN_READ_ONLY", "This token may not do everything; sign in with a password or a write token."
                )
            user = caller.user
            return user if user and (not name or user.name.lower() == name.lower()) else None
        with self._store.read() as tx:
            user = tx.accounts.owner_named(name)
        # An unknown name costs as much as a known one, so that names cannot be told apart by time.
        known = user.password_hash if user and user.password_hash else _nobodys_hash()
        try:
            self._hasher.verify(known, password)
        except (VerificationError, InvalidHashError):
            return None
        return user if user and user.password_hash else None

    def new_session(self, user: Owner, address: str = "", agent: str = "") -> str:
        secret, now = secrets.token_urlsafe(32), self._clock()
        ends = now + self._session_seconds
        with self._store.write() as tx:
            session = Session(digest(secret), user.id, now, ends, address=address[:45], agent=agent[:200])
            tx.accounts.add_session(session)
        return secret

    def sign_out_everywhere(self, user: Owner, keep: str = "") -> None:
        """End the user's browser sessions, but not the one whose secret is `keep`, and unused sign-in links."""
        with self._store.write() as tx:
            tx.accounts.drop_sessions_of(user.id, but=digest(keep))
            tx.audit.add(AuditRow(self._clock(), user.name, "user.signout", user.name))

    def sign_out(self, secret: str) -> None:
        with self._store.write() as tx:
            tx.accounts.drop_session(digest(secret))

    def sign_in_link(self, user_name: str, actor: str = "cli") -> str:
        """A secret that signs its first user in, once, within the hour."""
        user = self.user(user_name)
        secret, now = secrets.token_urlsafe(24), self._clock()
        with self._store.write() as tx:
            tx.accounts.add_session(Session(digest(secret), user.id, now, now + LINK_SECONDS, once=True))
            tx.audit.add(AuditRow(now, actor, "user.link", user.name))
        return secret

    def follow_link(self, secret: str, address: str = "", agent: str = "") -> str:
        """A session's secret for a sign-in link. Raises Unauthorized `SIGN_IN_LINK` if it was used or is too old."""
        with self._store.write() as tx:
            link = tx.accounts.session(digest(secret), once=True)
            user = tx.accounts.owner(link.user_id) if link and link.expires_at > self._clock() else None
            if link is None or user is None or not tx.accounts.drop_session(link.hash):
                raise Unauthorized(
                    "SIGN_IN_LINK", "This sign-in link was used already or is too old; ask for a new one."
                )
        return self.new_session(user, address, agent)

    # ------------------------------------------------------------------------------------------------- the people

    def user(self, name: str) -> Owner:
        owner = self.owner(name)
        if owner.kind != "user":
            raise Invalid("NOT_A_USER", f"{owner.name} is an organisation, not a user")
        return owner

    def owner(self, name: str) -> Owner:
        """Raises NotFound `OWNER`."""
        with self._store.read() as tx:
            found = tx.accounts.owner_named(name)
        if found is None:
            raise NotFound("OWNER", f"there is no user or organisation {name[:96]!r}")
        return found

    def orgs_of(self, user: Owner) -> list[tuple[Owner, Role]]:
        with self._store.read() as tx:
            return tx.accounts.orgs_of(user.id)

    def members(self, org: Owner) -> list[tuple[Owner, Role]]:
        with self._store.read() as tx:
            return tx.accounts.members(org.id)

    def add_user(
        self, name: str, *, admin: bool = False, password: str = "", fullname: str = "", actor: str = "cli"
    ) -> Owner:
        """Raises Invalid `NAME`, `PROFILE`, `PASSWORD`, Conflict `NAME_TAKEN`."""
        owner = Owner(
            new_id(),
            check_name(name, "user name", RESERVED_OWNERS),
            "user",
            check_fullname(fullname) or name,
            is_admin=admin,
            password_hash=self._hash(password) if password else "",
            created_at=self._clock(),
        )
        return self._add(owner, "user.add", actor)

    def add_org(self, name: str, *, fullname: str = "", private_by_default: bool = False, actor: str = "cli") -> Owner:
        """Raises Invalid `NAME`, `PROFILE`, Conflict `NAME_TAKEN`."""
        owner = Owner(
            new_id(),
            check_name(name, "organisation name", RESERVED_OWNERS),
            "org",
            check_fullname(fullname) or name,
            created_at=self._clock(),
            private_by_default=private_by_default,
        )
        return self._add(owner, "org.add", actor)

    def _add(self, owner: Owner, action: str, actor: str) -> Owner:
        with self._store.write() as tx:
            if tx.accounts.owner_named(owner.name):
                raise Conflict("NAME_TAKEN", f"the name {owner.name!r} is taken; choose another")
            tx.accounts.add_owner(owner)
            tx.audit.add(AuditRow(self._clock(), actor, action, owner.name))
        return owner

    def set_member(self, org_name: str, user_name: str, role: Role, actor: str = "cli") -> None:
        """Give a user a role in an organisation, invited or not; Role.NONE removes them."""
        org, user = self._org(org_name), self.user(user_name)
        with self._store.write() as tx:
            tx.notifications.drop(user.id, [f"invitation:{org.id}"])
            tx.invitations.drop(org.id, user.id)
            if role is Role.NONE:
                tx.accounts.remove_member(org.id, user.id)
            else:
                tx.accounts.set_member(org.id, user.id, role)
            detail = {"user": user.name, "role": role.name.lower()}
            tx.audit.add(AuditRow(self._clock(), actor, "org.member", org.name, detail))

    def set_private_by_default(self, org_name: str, private: bool, actor: str = "cli") -> None:
        """Whether new repos of an organisation are private unless somebody says otherwise. Raises NotFound, Invalid."""
        org = self._org(org_name)
        with self._store.write() as tx:
            tx.accounts.update_owner(org.id, private_by_default=private)
            tx.audit.add(AuditRow(self._clock(), actor, "org.profile", org.name, {"private_by_default": private}))

    def _org(self, name: str) -> Owner:
        org = self.owner(name)
        if org.kind != "org":
            raise Invalid("NOT_AN_ORG", f"{org.name} is a user, not an organisation")
        return org

    def set_password(self, user: Owner, password: str, actor: str = "cli") -> None:
        """A new password; ends the user's browser sessions. Raises Invalid `PASSWORD` for one of under 8 characters."""
        hashed = self._hash(password)
        with self._store.write() as tx:
            tx.accounts.update_owner(user.id, password_hash=hashed)
            tx.accounts.drop_sessions_of(user.id)
            tx.audit.add(AuditRow(self._clock(), actor, "user.password", user.name))

    def _hash(self, password: str) -> str:
        if not 8 <= len(password) <= 1024:
            raise Invalid("PASSWORD", f"a password has 8 to 1024 characters, this one has {len(password)}")
        return self._hasher.hash(password)

    def users(self) -> list[Owner]:
        with self._store.read() as tx:
            return tx.accounts.owners("user")

    def organisations(self) -> list[Owner]:
        with self._store.read() as tx:
            return tx.accounts.owners("org")

    def is_empty(self) -> bool:
        """True while there is no user at all."""
        with self._store.read() as tx:
            return not tx.accounts.owners("user")

    def namespace(self, caller: Caller, organization: str | None) -> Owner:
        """The owner under whom the caller may create: themselves, or an organisation in which they may write."""
        if caller.user is None:
            raise Unauthorized("AUTH_REQUIRED", "Sign in first: this needs an access token with write permission.")
        if caller.limit < Role.WRITE:
            raise Forbidden("TOKEN_READ_ONLY", "This token may only read; use an access token with write permission.")
        if not organization or organization.lower() == caller.user.name.lower():
            owner = caller.user
        else:
            with self._store.read() as tx:
                owner = tx.accounts.owner_named(organization)
        if owner is None or role_in(replace(caller, grants=None), owner.id) < Role.WRITE:
            raise Forbidden("NAMESPACE", f"{caller.name} may not create in the namespace {organization[:96]!r}.")
        if role_in(caller, owner.id) < Role.WRITE:
            raise Forbidden("TOKEN_SCOPE", f"This token may not create in the namespace {owner.name!r}.")
        return owner


def _secret_of(authorization: str) -> str:
    scheme, _, value = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (Base64Error, UnicodeDecodeError):
            raise Unauthorized("INVALID_TOKEN", "Invalid credentials in Authorization header") from None
        return password or user
    raise Unauthorized("INVALID_TOKEN", "Invalid credentials in Authorization header")


@cache
def _nobodys_hash() -> str:
    """Made when it is first needed: it takes a while, on purpose, and no start should wait for it."""
    return PasswordHasher().hash(secrets.token_hex(16))
