"""Access tokens: make, list, revoke, of people and of what OAuth gave. Owns what is kept of a secret; how one is checked is
accounts.py's, what it may do `domain/caller.py`'s."""

import hashlib
import secrets
import time
from collections.abc import Iterable, Mapping

from orchestrator.domain.bucket import Bucket, BucketKind
from orchestrator.domain.caller import Caller, role_on
from orchestrator.domain.grants import Grant, Grants, as_json, check, words_of
from orchestrator.domain.records import AnyRepo, AuditRow, Owner, Token
from orchestrator.domain.repo import RepoKind
from orchestrator.domain.space import Role
from orchestrator.errors import Conflict, Invalid, NotFound
from orchestrator.ports import Store
from orchestrator.services.lookup import named

TOKEN_PREFIX = "hf_"  #: what existing clients and secret scanners look for
FINE = "fineGrained"  #: the Hub's word for a token with Grants


def digest(secret: str) -> str:
    """What is kept of a token: they are long and random, so one fast hash is right."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def new_id() -> str:
    return secrets.token_hex(12)


def new_secret(prefix: str = TOKEN_PREFIX) -> str:
    """Letters and digits only, as secret scanners expect."""
    return prefix + secrets.token_urlsafe(32).replace("-", "a").replace("_", "b")


class Tokens:
    def __init__(self, store: Store, clock=time.time) -> None:
        self._store = store
        self._clock = clock

    def add_token(
        self,
        user: Owner,
        role: str,
        name: str = "",
        secret: str = "",
        actor: str = "cli",
        grants: Grants | None = None,
        expires_at: float | None = None,
    ) -> str:
        """Make a token and return its secret, which is not kept. `secret`: use this one instead of a random one. `grants`:
        all that a fineGrained one may do. Raises Invalid `TOKEN_ROLE`, `TOKEN_SHAPE`, `TOKEN_NAME`, `TOKEN_GRANTS`,
        `TOKEN_EXPIRY`; Conflict `TOKEN_TAKEN`."""
        if role not in ("read", "write", FINE):
            raise Invalid("TOKEN_ROLE", f"unknown token role {role!r}; write read, write or {FINE}")
        if (role == FINE) != (grants is not None):
            raise Invalid("TOKEN_GRANTS", f"a {FINE} token, and no other, says what it may do")
        if secret:
            self.check_new_token(secret)
        secret = secret or new_secret()
        now = self._clock()
        name = name or time.strftime(f"{role} %Y-%m-%d %H:%M:%S", time.gmtime(now))
        if len(name) > 96 or not name.isprintable():
            raise Invalid("TOKEN_NAME", "a token's name has at most 96 printable characters")
        if expires_at is not None and not now < expires_at <= now + 100 * 365 * 86400:
            raise Invalid("TOKEN_EXPIRY", "a token ends in the future, at most 100 years from now")
        kept = None if grants is None else as_json(check(grants))
        token = Token(
            new_id(), user.id, name, role, digest(secret), secret[-4:], now, expires_at=expires_at, grants=kept
        )
        with self._store.write() as tx:
            if tx.accounts.token_by_hash(token.hash):
                raise Conflict("TOKEN_TAKEN", "this token exists already; leave it out for a random one")
            tx.accounts.add_token(token)
            tx.audit.add(AuditRow(now, actor, "token.add", user.name, {"token": name, "role": role}))
        return secret

    def grants(
        self, user: Owner, owners: Mapping[str, str], repos: Mapping[str, str], everywhere: Iterable[str] = ()
    ) -> Grants:
        """What a token of this user may be given: by name of the user or of one of their organisations, and by repo
        (`acme/demo`, `datasets/acme/words`, `buckets/acme/logs`), read or write; and words that count everywhere. Raises Invalid
        `TOKEN_GRANTS`."""
        scoped = []
        with self._store.read() as tx:
            orgs = tx.accounts.orgs_of(user.id)
            mine = {one.name.lower(): one for one in (user, *(org for org, _ in orgs))}
            roles = {org.id: role for org, role in orgs}
            caller = Caller(user, Role.ADMIN, roles, repos=tx.collaborators.roles_of(user.id))
            for name, role in owners.items():
                owner = mine.get(name.strip().lower())
                if owner is None:
                    raise Invalid("TOKEN_GRANTS", f"{name[:96]!r} is neither {user.name} nor an organisation of theirs")
                scoped.append(Grant(owner.kind, owner.id, owner.name, words_of(role)))
            for path, role in repos.items():
                repo = _repo(tx, path)
                if repo is None or role_on(caller, repo) is Role.NONE:
                    raise Invalid("TOKEN_GRANTS", f"there is no repo {path[:200]!r}; write owner/name")
                scoped.append(Grant(repo.kind.value, repo.id, repo.full_name, words_of(role)))
        return check(Grants(frozenset(everywhere), tuple(scoped)))

    def check_new_token(self, secret: str) -> None:
        """Nothing if this may become a token. Raises Invalid `TOKEN_SHAPE`, Conflict `TOKEN_TAKEN`."""
        if not secret.startswith(TOKEN_PREFIX) or len(secret) < 20 or not secret.isascii() or not secret.isprintable():
            raise Invalid(
                "TOKEN_SHAPE",
                "a token starts with 'hf_' and has at least 20 printable characters; leave it out for a random one",
            )
        with self._store.read() as tx:
            if tx.accounts.token_by_hash(digest(secret)):
                raise Conflict("TOKEN_TAKEN", "this token exists already; leave it out for a random one")

    def tokens(self, user: Owner) -> list[Token]:
        """Those that were not revoked; of what OAuth gave the newest of each consent, while it can be used or renewed."""
        now = self._clock()
        with self._store.read() as tx:
            found = [token for token in tx.accounts.tokens_of(user.id) if token.revoked_at is None]
        ends = lambda one: max(one.expires_at or 0.0, one.refresh_expires_at or 0.0)  # noqa: E731
        return [one for one in found if not one.family or (not one.refreshed_as and ends(one) > now)]

    def client_lives(self, tx, token: Token) -> bool:
        """Whether the Space that OAuth gave this token to is there and still signs people in; True for other tokens."""
        if not token.client_id:
            return True
        client = tx.oauth.client(token.client_id)
        space = tx.spaces.get(client.space_id) if client else None
        return space is not None and not space.wish.deleted and space.card.get("hf_oauth") is True

    def revoke_token(self, user: Owner, which: str, actor: str = "cli", keep: str = "") -> Token:
        """Revoke by id, name, secret or last four characters, with all that came of the same consent. Ends the user's browser
        sessions, for whoever had the token could sign in with it (not with a fine-grained one); but not the one whose
        secret is `keep`. Raises NotFound `TOKEN`, Conflict `TOKEN_AMBIGUOUS`."""
        matching = [t for t in self.tokens(user) if which in (t.id, t.name, t.hint) or digest(which) == t.hash]
        if not matching:
            raise NotFound(
                "TOKEN", f"{user.name} has no token {which[:20]!r}; `podium token list {user.name}` shows all"
            )
        if len(matching) > 1:
            raise Conflict("TOKEN_AMBIGUOUS", f"{len(matching)} tokens match {which[:20]!r}; give the id instead")
        now = self._clock()
        with self._store.write() as tx:
            tx.accounts.update_token(matching[0].id, revoked_at=now)
            if matching[0].family:
                tx.accounts.revoke_family(matching[0].family, now)
            if matching[0].grants is None:
                tx.accounts.drop_sessions_of(user.id, but=digest(keep))
            tx.audit.add(AuditRow(now, actor, "token.revoke", user.name, {"token": matching[0].name}))
        return matching[0]


def _repo(tx, path: str) -> AnyRepo | Bucket | None:
    """What people call `spaces/owner/name`, `datasets/owner/name`, `models/owner/name` or `buckets/owner/name`; without its kind
    the Space of that name, or else the model."""
    words = path.strip().strip("/").split("/")
    kinds = {kind.plural: kind for kind in RepoKind}
    if len(words) == 3 and words[0] in kinds:
        return named(tx, kinds[words[0]], *words[1:])
    if len(words) == 3 and words[0] == BucketKind.BUCKET.plural:
        return tx.buckets.find(*words[1:])
    if len(words) != 2:
        return None
    return named(tx, RepoKind.SPACE, *words) or named(tx, RepoKind.MODEL, *words)
