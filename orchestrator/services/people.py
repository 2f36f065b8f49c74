"""What people change about themselves, and admins about people: profiles, passwords, open sessions, members, who is an admin.
Credentials are checked in accounts.py."""

import hmac
import time
from dataclasses import dataclass

from orchestrator.domain.caller import Caller, require_admin, role_in
from orchestrator.domain.records import AuditRow, Owner, Session
from orchestrator.domain.space import Role, check_fullname
from orchestrator.errors import Conflict, Forbidden, Invalid, NotFound, Unauthorized
from orchestrator.ports import Store
from orchestrator.services.accounts import Accounts, digest
from orchestrator.services.invitations import invite

_EMAIL = 200


@dataclass(frozen=True, slots=True)
class Browser:
    """A signed-in browser. `id` names it towards its owner and is good for nothing else."""

    id: str
    session: Session
    current: bool


class People:
    def __init__(self, store: Store, accounts: Accounts, setup_code: str = "", clock=time.time) -> None:
        """`setup_code`: what lets the first admin in; "" nobody."""
        self._store, self._accounts, self._setup_code, self._clock = store, accounts, setup_code, clock

    def is_setup(self, code: str) -> bool:
        """Whether this is the code of the first start, and there is nobody yet."""
        good = bool(self._setup_code) and hmac.compare_digest(code.encode(), self._setup_code.encode())
        return good and self._accounts.is_empty()

    def first_admin(self, code: str, name: str, password: str, fullname: str = "") -> str:
        """Make the first user, an admin; returns the secret of their session. Raises Forbidden `SETUP_CODE` once there is
        anybody, Invalid `NAME`, `PASSWORD`."""
        if not self.is_setup(code):
            raise Forbidden("SETUP_CODE", "This link makes the first admin, and does nothing more; sign in instead.")
        user = self._accounts.add_user(name, admin=True, password=password or " ", fullname=fullname, actor=name)
        return self._accounts.new_session(user)

    # ------------------------------------------------------------------------------------------------- about oneself

    def set_profile(
        self, caller: Caller, owner: Owner, fullname: str, email: str = "", private_by_default: bool = False
    ) -> None:
        """Of oneself, or of an organisation for its admins. Raises Forbidden, Invalid `PROFILE`."""
        self._require(caller, owner)
        fullname, email = check_fullname(fullname), email.strip()
        if email and (len(email) > _EMAIL or email.count("@") != 1 or not email.isprintable() or " " in email):
            raise Invalid("PROFILE", f"{email[:60]!r} is not an e-mail address; write name@example.org or nothing")
        with self._store.write() as tx:
            detail = {"fullname": fullname or owner.name, "email": email, "private_by_default": private_by_default}
            tx.accounts.update_owner(owner.id, **detail)
            tx.audit.add(AuditRow(self._clock(), caller.name, f"{owner.kind}.profile", owner.name, detail))

    def change_password(self, caller: Caller, old: str, new: str, address: str = "") -> str:
        """A new password for oneself; every session ends but a new one, whose secret is returned. `old` may be an access token
        that may write, for those who never had a password. Raises Unauthorized `SIGN_IN`, TooMany, Invalid `PASSWORD`."""
        user = self._user(caller)
        secret = self._accounts.sign_in(user.name, old, address)
        try:
            self._accounts.set_password(user, new, caller.name)
        except Invalid:
            self._accounts.sign_out(secret)
            raise
        return self._accounts.new_session(user)

    def browsers(self, caller: Caller, secret: str) -> list[Browser]:
        """The caller's signed-in browsers, newest first; `secret` is that of the one that asks."""
        user, mine = self._user(caller), digest(secret)
        with self._store.read() as tx:
            known = tx.accounts.sessions_of(user.id, self._clock())
        return [Browser(digest(one.hash)[:16], one, one.hash == mine) for one in known]

    def end_browser(self, caller: Caller, which: str) -> None:
        """Sign one of the caller's browsers out. Raises NotFound `SESSION`."""
        user = self._user(caller)
        with self._store.write() as tx:
            known = tx.accounts.sessions_of(user.id, self._clock())
            found = next((one for one in known if digest(one.hash)[:16] == which), None)
            if found is None:
                raise NotFound("SESSION", "This browser is signed out already.")
            tx.accounts.drop_session(found.hash)
            tx.audit.add(AuditRow(self._clock(), caller.name, "user.sign_out", user.name))

    # ------------------------------------------------------------------------------------------------ about others

    def set_member(self, caller: Caller, org: Owner, user_name: str, role: Role) -> bool:
        """Give a member of an organisation another role, or invite a user; NONE to remove them, invited or member: by its admins;
        anybody may leave. An admin of this Podium makes members at once. An organisation with members keeps an admin. Returns
        whether somebody was invited. Raises Forbidden, NotFound `OWNER`, Invalid, Conflict `LAST_ADMIN`, `INVITATIONS_MANY`."""
        leaving = role is Role.NONE and caller.user is not None and user_name.lower() == caller.name.lower()
        if not leaving:
            self._require(caller, org)
        members = self._accounts.members(org)
        others = [r for user, r in members if user.name.lower() != user_name.lower()]
        is_admin = any(r is Role.ADMIN for user, r in members if user.name.lower() == user_name.lower())
        if is_admin and role < Role.ADMIN and others and Role.ADMIN not in others and not caller.is_admin:
            raise Conflict("LAST_ADMIN", f"{user_name} is the last admin of {org.name}; make somebody else one first")
        member = any(user.name.lower() == user_name.lower() for user, _ in members)
        if member or role is Role.NONE or caller.is_admin:
            self._accounts.set_member(org.name, user_name, role, caller.name)
            return False
        user = self._accounts.user(user_name)
        with self._store.write() as tx:
            invite(tx, caller, org, user, role, self._clock())
        return True

    def set_admin(self, caller: Caller, name: str, admin: bool) -> None:
        """Make a user an admin of this Podium, or no longer. Raises Forbidden, NotFound, Conflict `LAST_ADMIN`."""
        require_admin(caller)
        user = self._accounts.user(name)
        with self._store.write() as tx:
            admins = [one for one in tx.accounts.owners("user") if one.is_admin]
            if not admin and [one.id for one in admins] == [user.id]:
                raise Conflict("LAST_ADMIN", f"{user.name} is the last admin; make somebody else one first")
            tx.accounts.update_owner(user.id, is_admin=admin)
            tx.audit.add(AuditRow(self._clock(), caller.name, "user.admin", user.name, {"admin": admin}))

    def _user(self, caller: Caller) -> Owner:
        if caller.user is None:
            raise Unauthorized("AUTH_REQUIRED", "Sign in first.")
        return caller.user

    def _require(self, caller: Caller, owner: Owner) -> None:
        self._user(caller)
        if role_in(caller, owner.id) < Role.ADMIN:
            raise Forbidden("FORBIDDEN", f"{caller.name} may not change {owner.name}; its admins may.")
