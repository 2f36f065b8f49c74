"""May this visitor see this private Space? Owns cookies, signed links and the cache of token answers; asks nobody itself.

Three proofs: the cookie this gateway set, a link signed by the console (`?__sign=`, one use, exchanged for the cookie), or a
token that the control plane knows. All are bound to one host, one Space and its epoch: a new epoch ends every one of them."""

import base64
import binascii
import logging
import time
from collections import OrderedDict

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from orchestrator.gateway.routes import Route

log = logging.getLogger(__name__)

COOKIE_LIFE = 4 * 3600
SIGN_LIFE = 120
SKEW = 30
ALLOWED_FOR, REFUSED_FOR, STALE_FOR = 60.0, 10.0, 600.0  # seconds that the control plane's answer about a token counts
_CACHE = 20_000
_SIGN_LIMIT = 4096


def bearer(value: bytes | None) -> str | None:
    """The token of an `Authorization: Bearer` value."""
    if value is None or value[:7].lower() != b"bearer ":
        return None
    return value[7:].strip().decode("latin-1") or None


def is_hub_token(value: bytes) -> bool:
    """A Podium token in an Authorization value, as bearer or as the password of Basic? Apps must never see one."""
    scheme, _, rest = value.strip().partition(b" ")
    rest = rest.strip()
    if scheme.lower() == b"basic":
        try:
            return any(part.startswith(b"hf_") for part in base64.b64decode(rest, validate=True).split(b":"))
        except (binascii.Error, ValueError):
            return False
    return rest.startswith(b"hf_") or value.strip().startswith(b"hf_")


def split_sign(target: bytes) -> tuple[bytes, bytes | None]:
    """(target without `__sign`, its value). The value is b"" when it was given more than once or is too long."""
    if b"__sign=" not in target:
        return target, None
    path, _, query = target.partition(b"?")
    values, kept = [], []
    for part in query.split(b"&"):
        if part.startswith(b"__sign="):
            values.append(part[len(b"__sign=") :])
        else:
            kept.append(part)
    if not values:
        return target, None
    rest = b"&".join(kept)
    value = values[0] if len(values) == 1 and len(values[0]) <= _SIGN_LIMIT else b""
    return (path + b"?" + rest if rest else path), value


class Bounded(OrderedDict):
    """A dict that forgets its oldest entries."""

    def keep(self, key: object, value: object, limit: int = _CACHE) -> None:
        self[key] = value
        self.move_to_end(key)
        while len(self) > limit:
            self.popitem(last=False)


class Access:
    """The three proofs. `secure`: browsers treat the apps' origins as trustworthy (https or localhost)."""

    def __init__(self, https: bool, secure: bool) -> None:
        self.cookie_name = b"__Host-podium-app" if https else b"podium-app"
        rest = "; Secure; SameSite=None; Partitioned" if secure else "; SameSite=Lax"
        self._attributes = f"; HttpOnly; Path=/; Max-Age={COOKIE_LIFE}{rest}"
        self.replica_name = b"__Host-podium-replica" if https else b"podium-replica"
        self._while_open = f"; HttpOnly; Path=/{rest}".encode()
        self._sign_key: object | None = None
        self._cookie_key: bytes | None = None
        self._loaded: dict[str, str] = {}
        self._cookies: Bounded = Bounded()  # verified cookie -> (host, space, epoch, exp)
        self._spent: Bounded = Bounded()  # jti of used links -> exp
        self._tokens: Bounded = Bounded()  # (token, space) -> (allowed, when)

    def load(self, keys: dict[str, str]) -> None:
        """Take the keys of the feed. Keys that cannot be read close private Spaces and nothing else."""
        if keys == self._loaded:
            return
        self._loaded = keys
        self._cookies.clear()
        try:
            self._sign_key = load_pem_public_key(keys["sign_key"].encode())
            self._cookie_key = base64.urlsafe_b64decode(keys["cookie_key"].encode() + b"==")
            if len(self._cookie_key) < 32:
                raise ValueError("the cookie key is shorter than 32 bytes")
        except (KeyError, ValueError) as error:
            self._sign_key = self._cookie_key = None
            log.error("cannot use the keys of the feed: %r", error)

    def cookie_allows(self, cookie: bytes | None, route: Route, host: str) -> bool:
        """Does a Cookie header hold a valid cookie of ours for this Space?"""
        if cookie is None or self._cookie_key is None or self.cookie_name not in cookie:
            return False
        for part in cookie.split(b";"):
            name, _, value = part.strip().partition(b"=")
            if name == self.cookie_name and self._cookie_holds(value, route, host):
                return True
        return False

    def _cookie_holds(self, value: bytes, route: Route, host: str) -> bool:
        known = self._cookies.get(value)
        if known is None:
            try:
                claims = jwt.decode(
                    value, self._cookie_key, algorithms=["HS256"], audience=host,
                    options={"require": ["exp", "aud", "space", "epoch"]},
                )  # fmt: skip
            except (jwt.PyJWTError, ValueError):
                return False
            known = (host, claims["space"], claims["epoch"], claims["exp"])
            self._cookies.keep(value, known)
        return known[:3] == (host, route.space, route.epoch) and known[3] > time.time()

    def sign_claims(self, value: bytes | None, route: Route, hosts: tuple[str, str]) -> dict | None:
        """Claims of a signed link for this Space at one of the spellings of its host (with and without port), or None."""
        if not value or self._sign_key is None:
            return None
        try:
            claims = jwt.decode(
                value, self._sign_key, algorithms=["EdDSA"], audience=list(hosts), leeway=SKEW,
                options={"require": ["exp", "aud", "space", "epoch", "jti"]},
            )  # fmt: skip
        except (jwt.PyJWTError, ValueError):
            return None
        if (claims["space"], claims["epoch"]) != (route.space, route.epoch):
            return None
        if claims["exp"] > time.time() + SIGN_LIFE + SKEW or claims["jti"] in self._spent:
            return None
        return claims

    def spend(self, claims: dict) -> None:
        """A link works once (per gateway, best effort)."""
        self._spent.keep(claims["jti"], claims["exp"])

    def cookie(self, route: Route, host: str, until: object = None) -> str:
        """The Set-Cookie value that lets a visitor in for four hours, or `until` (seconds since the epoch) if that is sooner."""
        ends = int(time.time()) + COOKIE_LIFE
        ends = min(ends, until) if isinstance(until, int) else ends
        claims = {"aud": host, "space": route.space, "epoch": route.epoch, "exp": ends}
        return f"{self.cookie_name.decode()}={jwt.encode(claims, self._cookie_key, 'HS256')}{self._attributes}"

    def replica_cookie(self, key: bytes, tag: bytes) -> bytes:
        """The header line that keeps a browser with a replica (see affinity), until it is closed."""
        return b"Set-Cookie: %b=%b-%b%b\r\n" % (self.replica_name, key, tag, self._while_open)

    def token_allows(self, token: str, route: Route) -> bool | None:
        """What the control plane said lately about a token and this Space; None: it must be asked."""
        known = self._tokens.get((token, route.space, route.epoch))
        if known is None:
            return None
        allowed, when = known
        age = time.monotonic() - when
        return allowed if age < (ALLOWED_FOR if allowed else REFUSED_FOR) else None

    def token_answer(self, token: str, route: Route, allowed: bool | None) -> bool:
        """Remember an answer and return what counts. None: the control plane is down, an older yes may serve."""
        key = (token, route.space, route.epoch)
        now = time.monotonic()
        if allowed is None:
            known = self._tokens.get(key)
            return known is not None and known[0] and now - known[1] < STALE_FOR
        self._tokens.keep(key, (allowed, now))
        return allowed


def same_origin(seen: dict[bytes, bytes], method: bytes, websocket: bool, origin: bytes) -> bool:
    """May a cookie speak for this request? Neighbouring apps are the same *site* to a browser, so SameSite does not keep
    them apart: only the app's own pages, typed URLs and navigations count."""
    site = seen.get(b"sec-fetch-site")
    mode = seen.get(b"sec-fetch-mode")
    if site in (b"same-site", b"cross-site") and not (mode == b"navigate" and method in (b"GET", b"HEAD")):
        return False
    sender = seen.get(b"origin")
    if sender is not None and (websocket or method not in (b"GET", b"HEAD", b"OPTIONS")):
        return sender == origin
    return True
