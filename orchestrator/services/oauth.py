"""The OAuth 2 and OpenID Connect provider's memory: who the clients are, what users agreed to, which tokens came of it. Owns
clients of Spaces, codes, refresh tokens, the signing key; how the protocol speaks is `api/oauth_server.py`, devices are
devices.py's.

Everything that may be used once is taken in one statement, so that of two who come at once one gets nothing."""

import re
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from orchestrator.domain.grants import IDENTITY, SCOPES, Grants, as_json, of_scopes
from orchestrator.domain.records import AuditRow, Owner, Space, Token
from orchestrator.domain.sign_in import OAuthClient, OAuthCode
from orchestrator.ports import Store
from orchestrator.services.tokens import TOKEN_PREFIX, digest, new_id, new_secret
from orchestrator.services.vault import Vault, key_file, replace_key

#: The `hf` command line's public client id, the same on every hub (huggingface_hub constants.DEVICE_CODE_OAUTH_CLIENT_ID).
COMMAND_LINE = "26be6b09-91c5-47da-9861-d2d2bb7a7e36"
CODE_SECONDS = 300.0
DEVICE_TOKEN_SECONDS = 30 * 86400  #: huggingface_hub renews one that has less than a day left
REFRESH_SECONDS = 90 * 86400
SPACE_REFRESH_SECONDS = (
    43200 * 60
)  #: since the consent; the most that a Space may ask for (hf_oauth_expiration_minutes)
_DEFAULT_MINUTES = 480
KEYS_KEPT = 3  #: keys of id tokens: the one that signs and those before it
_PEM = re.compile(rb"-----BEGIN [^-]+-----[^-]+-----END [^-]+-----\n?")


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks: the command line (`space` None), or a Space. `secret` "" when it has none to keep."""

    id: str
    name: str
    secret: str = ""
    space: Space | None = None

    @property
    def scopes(self) -> tuple[str, ...]:
        """What it may ask for; always openid and profile."""
        asked = self.space.card.get("hf_oauth_scopes") if self.space else None
        more = (one for one in asked if isinstance(one, str)) if isinstance(asked, list) else ()
        return tuple(dict.fromkeys((*IDENTITY, *(one for one in more if one in SCOPES))))

    @property
    def seconds(self) -> int:
        """Life of its access tokens."""
        if self.space is None:
            return DEVICE_TOKEN_SECONDS
        minutes = self.space.card.get("hf_oauth_expiration_minutes")
        return 60 * (minutes if isinstance(minutes, int) and 1 <= minutes <= 43200 else _DEFAULT_MINUTES)

    @property
    def organisations(self) -> tuple[str, ...]:
        """Only members of one of these may sign in; (): everybody."""
        named = self.space.card.get("hf_oauth_authorized_org") if self.space else None
        return (named,) if isinstance(named, str) else tuple(named) if isinstance(named, list) else ()


def leads_home(uri: str, home: str) -> bool:
    """Whether a redirect address is on the app's own host. `home`: its URL without a trailing slash. An app may write https
    where this Podium has http: gradio always does. Pure; compares text, so that no two parsers can disagree."""
    if len(uri) > 2000 or not uri.isascii() or not uri.isprintable() or any(c in uri for c in ' "\\#<>'):
        return False
    spellings = {home, "https://" + home.partition("://")[2]}
    return any(uri == one or uri.startswith((one + "/", one + "?")) for one in spellings)


class OAuth:
    """`issuer`: the console's URL, whose discovery document names everything else. `app_url(label)`: where an app is.
    `provider_url`: where apps find the issuer, when that is not the address that browsers use."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        key_path: Path,
        issuer: str,
        app_url: Callable[[str], str],
        provider_url: str = "",
        clock=time.time,
    ) -> None:
        self._store, self._vault, self._key_path, self._clock = store, vault, key_path, clock
        self.issuer, self.app_url, self.provider_url = issuer, app_url, provider_url or issuer

    @classmethod
    def at(cls, keys: Path, store: Store, issuer: str, app_url: Callable[[str], str], provider_url: str) -> "OAuth":
        """With the keys in a directory, made on first use."""
        return cls(store, Vault.at(keys / "secrets.key"), keys / "oidc.pem", issuer, app_url, provider_url)

    @property
    def private_pems(self) -> list[bytes]:
        """The keys of id tokens (RS256), made on first use. The first signs; the others only let what they signed be checked."""
        return _PEM.findall(key_file(self._key_path, _new_rsa_pem))

    @staticmethod
    def new_key(path: Path) -> None:
        """Sign with a new key from now on; running control planes follow. `KEYS_KEPT` are known, so that what the ones before
        signed can be checked for as long as it holds."""
        known = _PEM.findall(key_file(path, _new_rsa_pem))
        replace_key(path, b"".join([_new_rsa_pem(), *known[: KEYS_KEPT - 1]]))

    # -------------------------------------------------------------------------------------------------- the clients

    def client(self, client_id: str) -> Client | None:
        """A client that may ask now: a Space's only while its card says `hf_oauth: true`."""
        if client_id == COMMAND_LINE:
            return Client(client_id, "hf command line")
        with self._store.read() as tx:
            kept = tx.oauth.client(client_id)
            space = tx.spaces.get(kept.space_id) if kept else None
        if kept is None or space is None or space.wish.deleted or space.card.get("hf_oauth") is not True:
            return None
        return Client(kept.id, space.full_name, self._vault.unlock(space.id, "OAUTH", kept.secret), space)

    def client_of(self, space: Space) -> Client | None:
        """The client of a Space, made when it is first needed; None unless its card says `hf_oauth: true`."""
        if space.card.get("hf_oauth") is not True:
            return None
        with self._store.write() as tx:
            kept = tx.oauth.client_of(space.id)
            if kept is None:
                now, made = self._clock(), secrets.token_urlsafe(40)
                kept = OAuthClient(
                    str(uuid.uuid4()), space.id, self._vault.lock(space.id, "OAUTH", f"hf_app_{made}"), now
                )
                tx.oauth.add_client(kept)
                tx.audit.add(AuditRow(now, "podium", "oauth.client", space.full_name, {"client": kept.id}))
        return Client(kept.id, space.full_name, self._vault.unlock(space.id, "OAUTH", kept.secret), space)

    def environment(self, space: Space) -> Mapping[str, str]:
        """What the app is told (hub-docs on signing in from Spaces); nothing without `hf_oauth`."""
        client = self.client_of(space)
        if client is None:
            return {}
        return {
            "OAUTH_CLIENT_ID": client.id,
            "OAUTH_CLIENT_SECRET": client.secret,
            "OAUTH_SCOPES": " ".join(client.scopes),
            "OPENID_PROVIDER_URL": self.provider_url,
        }

    def admits(self, client: Client, user: Owner) -> bool:
        """Whether the author lets this user sign in."""
        wanted = {one.lower() for one in client.organisations}
        if not wanted:
            return True
        with self._store.read() as tx:
            return any(org.name.lower() in wanted for org, _ in tx.accounts.orgs_of(user.id))

    def homes(self, client: Client) -> tuple[str, ...]:
        """Where answers to this client may go: its app's own address, and the domains of its people's own that are proven."""
        if client.space is None:
            return ()
        home = self.app_url(client.space.label)
        own = () if client.space.private else client.space.hosts
        return home, *(home.replace(urlsplit(home).hostname, host, 1) for host in own)

    def home(self, client: Client, uri: str) -> str:
        """The one of `homes` to which an address leads; "" for none."""
        return next((one for one in self.homes(client) if leads_home(uri, one)), "")

    # ---------------------------------------------------------------------------------------------------- the codes

    def agree(
        self, secret: str, client: Client, user: Owner, redirect_uri: str, scope: str, nonce: str, challenge: str
    ) -> None:
        """The user agreed; `secret` is the code that the client exchanges."""
        now = self._clock()
        code = OAuthCode(
            digest(secret), client.id, user.id, redirect_uri, scope, nonce, challenge, now, now + CODE_SECONDS
        )
        with self._store.write() as tx:
            tx.oauth.add_code(code)
            tx.audit.add(AuditRow(now, user.name, "oauth.agree", client.name, {"scope": scope}))

    def named_by(self, secret: str) -> str:
        """The id of the client that a code was made for; "" for a code that is not known."""
        with self._store.read() as tx:
            code = tx.oauth.code(digest(secret))
        return code.client_id if code else ""

    def spend(self, secret: str, client: Client) -> OAuthCode | None:
        """What a code stands for, once; its `family` is that of the token to come. A second use ends the tokens of the
        first (RFC 6749, 4.1.2); with a client that it was not made for nothing happens."""
        family = new_id()
        with self._store.write() as tx:
            code = tx.oauth.code(digest(secret))
            if code is None or code.client_id != client.id:
                return None
            if not tx.oauth.spend_code(code.hash, family):
                tx.accounts.revoke_family(tx.oauth.code(code.hash).family, self._clock())
                return None
            kept = tx.oauth.code(code.hash)
        return kept if kept.expires_at > self._clock() else None

    # --------------------------------------------------------------------------------------------------- the tokens

    def user(self, user_id: str) -> Owner | None:
        with self._store.read() as tx:
            return tx.accounts.owner(user_id)

    def refreshable(self, secret: str, client: Client) -> Token | None:
        """The token that a refresh token renews. One that was used before ends all tokens of its consent, unless the token
        that it gave was never used: then its answer was lost on the way."""
        now = self._clock()
        with self._store.write() as tx:
            token = tx.accounts.token_by_refresh(digest(secret))
            if token is None or token.client_id != client.id or token.revoked_at is not None:
                return None
            if token.refreshed_as:
                given = tx.accounts.token(token.refreshed_as)
                if given is None or given.last_used_at is not None or given.refreshed_as:
                    tx.accounts.revoke_family(token.family, now)
                    tx.audit.add(AuditRow(now, client.name, "oauth.replay", token.user_id, {"token": token.name}))
                    return None
        return token if (token.refresh_expires_at or 0) > now else None

    def issue(
        self, client: Client, user: Owner, scope: str, family: str, access: str, refresh: str, renews: Token | None
    ) -> bool:
        """Keep the tokens that the client is given. False, and nothing kept, when what they came of was used meanwhile."""
        now = self._clock()
        grants = None if client.space is None else of_scopes(scope.split(), user.id, user.name)
        token = Token(
            new_id() if renews else family,
            user.id,
            renews.name if renews else _name(client, now),
            "write" if grants is None else "fineGrained",
            digest(access),
            access[-4:],
            now,
            expires_at=now + client.seconds,
            grants=_kept(grants),
            client_id=client.id,
            family=family,
            scope=scope,
            refresh_hash=digest(refresh),
            refresh_expires_at=_refresh_end(client, renews, now),
        )
        with self._store.write() as tx:
            if renews:
                if not tx.oauth.spend_refresh(renews.id, renews.refreshed_as, token.id):
                    return False
                if renews.refreshed_as:
                    tx.accounts.update_token(renews.refreshed_as, revoked_at=now)
            tx.accounts.add_token(token)
            action = "token.refresh" if renews else "token.add"
            tx.audit.add(AuditRow(now, client.name, action, user.name, {"token": token.name, "scope": scope}))
        return True

    def token(self, secret: str) -> Token | None:
        """What OAuth gave, by the access token or by the refresh token beside it."""
        with self._store.read() as tx:
            return tx.accounts.token_by_hash(digest(secret)) or tx.accounts.token_by_refresh(digest(secret))

    def revoke(self, token: Token, client: Client) -> None:
        """The client has no more use for a token of its own: it ends, with all that came of the same consent."""
        now = self._clock()
        with self._store.write() as tx:
            tx.accounts.revoke_family(token.family, now)
            user = tx.accounts.owner(token.user_id)
            if user and token.revoked_at is None:
                tx.audit.add(AuditRow(now, client.name, "token.revoke", user.name, {"token": token.name}))


def access_secret() -> str:
    """Begins like every token, so that the gateway keeps it from apps that it is not for."""
    return new_secret(f"{TOKEN_PREFIX}oauth_")


def refresh_secret() -> str:
    return "refresh_" + secrets.token_urlsafe(40)


def _name(client: Client, now: float) -> str:
    what = f"sign-in to {client.name}"[:70] if client.space else "hf auth login"
    return f"{what} {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(now))}"


def _refresh_end(client: Client, renews: Token | None, now: float) -> float:
    """A person's own machine may go on as long as it is used; a Space must ask again some day."""
    if client.space is None:
        return now + REFRESH_SECONDS
    return renews.refresh_expires_at if renews else now + SPACE_REFRESH_SECONDS


def _kept(grants: Grants | None) -> dict[str, object] | None:
    return None if grants is None else as_json(grants)


def _new_rsa_pem() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
