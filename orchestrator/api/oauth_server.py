"""The OAuth protocol, spoken by authlib (RFC 6749, 7009, 7636, 8628, OpenID Connect Core): the one door to that library. Owns
what it is told about our clients, codes and tokens; what is kept of them is `services/oauth.py`'s and `services/devices.py`'s."""

import hmac
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from types import SimpleNamespace

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import (
    AuthorizationServer,
    ClientMixin,
    InvalidGrantError,
    InvalidRequestError,
    OAuth2Request,
)
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, RefreshTokenGrant
from authlib.oauth2.rfc6749.requests import OAuth2Payload
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc8628 import DeviceCodeGrant
from authlib.oidc.core.grants import OpenIDCode
from joserfc.jwk import RSAKey

from orchestrator.api.oauth_claims import user_info
from orchestrator.domain.records import Owner, Token
from orchestrator.domain.sign_in import Device, DeviceState, OAuthCode
from orchestrator.services.devices import Devices
from orchestrator.services.oauth import Client, OAuth, access_secret, refresh_secret

__all__ = ["Asked", "OAuth2Error", "Server"]

DEVICE_GRANT = DeviceCodeGrant.GRANT_TYPE
_ID_SECONDS = 3600


class Asked(OAuth2Request):
    """A request as the protocol sees it. `pairs`: its parameters in order, doubled ones included."""

    def __init__(self, method: str, pairs: Iterable[tuple[str, str]], headers: Mapping[str, str] | None = None) -> None:
        # The library refuses http, where people try Podium out; that TLS is in front is the operator's affair.
        super().__init__(method, "https://podium/", headers={k.title(): v for k, v in (headers or {}).items()})
        self.payload = _Payload(pairs)

    @property
    def args(self) -> Mapping[str, str]:
        return self.payload.data

    @property
    def form(self) -> Mapping[str, str]:
        return self.payload.data


class _Payload(OAuth2Payload):
    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._all: defaultdict[str, list[str]] = defaultdict(list)
        for name, value in pairs:
            self._all[name].append(value)

    @property
    def data(self) -> Mapping[str, str]:
        return {name: values[0] for name, values in self._all.items()}

    @property
    def datalist(self) -> defaultdict[str, list[str]]:
        return self._all


class _Client(ClientMixin):
    """A Client of ours, as the library asks about one."""

    def __init__(self, client: Client, oauth: OAuth) -> None:
        self.ours, self._oauth = client, oauth

    def get_client_id(self) -> str:
        return self.ours.id

    def get_default_redirect_uri(self) -> None:
        return None  # it must be said

    def get_allowed_scope(self, scope: str | None) -> str | None:
        asked = (scope or "openid profile").split()
        return " ".join(one for one in self.ours.scopes if one in asked) or None

    def check_redirect_uri(self, uri: str) -> bool:
        return bool(self._oauth.home(self.ours, uri))

    def check_client_secret(self, secret: str) -> bool:
        return bool(self.ours.secret) and hmac.compare_digest(self.ours.secret.encode(), secret.encode())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """The command line, and the scripts of a static Space, have nowhere to keep a secret."""
        if method == "none":
            return self.ours.space is None or self.ours.space.sdk == "static"
        return self.ours.space is not None

    def check_response_type(self, response_type: str) -> bool:
        return self.ours.space is not None and response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        if self.ours.space is None:
            return grant_type in (DEVICE_GRANT, "refresh_token")
        return grant_type in ("authorization_code", "refresh_token")


class _Code(AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post", "none"]

    def save_authorization_code(self, code: str, request: Asked) -> None:
        data = request.payload.data
        nonce, challenge = data.get("nonce", ""), data.get("code_challenge", "")
        client = request.client.ours
        self.server.oauth.agree(code, client, request.user, data["redirect_uri"], request.scope, nonce, challenge)

    def query_authorization_code(self, code: str, client: _Client) -> "_KeptCode | None":
        kept = self.server.oauth.spend(code, client.ours)
        return _KeptCode(kept) if kept else None

    def delete_authorization_code(self, authorization_code: "_KeptCode") -> None:
        """Done when it was looked up."""

    def authenticate_user(self, authorization_code: "_KeptCode") -> Owner | None:
        return self.server.welcome(self.request.client.ours, authorization_code.kept.user_id)


class _KeptCode:
    def __init__(self, kept: OAuthCode) -> None:
        self.kept = kept
        self.code_challenge, self.code_challenge_method = kept.challenge, "S256"

    def get_redirect_uri(self) -> str:
        return self.kept.redirect_uri

    def get_scope(self) -> str:
        return self.kept.scope

    def get_nonce(self) -> str:
        return self.kept.nonce

    def get_auth_time(self) -> int:
        return int(self.kept.created_at)

    def get_acr(self) -> None:
        return None

    get_amr = get_acr


class _Challenge(CodeChallenge):
    """PKCE by S256 alone; a client without a secret must use it."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]

    def validate_code_challenge(self, grant: _Code, redirect_uri: str) -> None:
        super().validate_code_challenge(grant, redirect_uri)
        data, client = grant.request.payload.data, grant.request.client
        if data.get("code_challenge") and data.get("code_challenge_method") != "S256":
            raise InvalidRequestError("Write code_challenge_method=S256")
        if not data.get("code_challenge") and client.check_endpoint_auth_method("none", "token"):
            raise InvalidRequestError("A client without a secret must send a code_challenge")


class _Refresh(RefreshTokenGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post", "none"]
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> "_KeptToken | None":
        kept = self.server.oauth.refreshable(refresh_token, self.request.client.ours)
        return _KeptToken(kept) if kept else None

    def authenticate_user(self, refresh_token: "_KeptToken") -> Owner:
        user = self.server.welcome(self.request.client.ours, refresh_token.kept.user_id)
        if user is None:
            raise InvalidGrantError()
        return user

    def revoke_old_credential(self, refresh_token: "_KeptToken") -> None:
        """Done when the new one was kept."""


class _KeptToken:
    def __init__(self, kept: Token) -> None:
        self.kept = kept

    def check_client(self, client: _Client) -> bool:
        return self.kept.client_id == client.ours.id

    def get_scope(self) -> str:
        return self.kept.scope


class _Revocation(RevocationEndpoint):
    CLIENT_AUTH_METHODS = ["client_secret_basic", "client_secret_post", "none"]

    def query_token(self, token_string: str, token_type_hint: str | None) -> "_KeptToken | None":
        """The hint would only save a look."""
        kept = self.server.oauth.token(token_string)
        return _KeptToken(kept) if kept else None

    def revoke_token(self, token: "_KeptToken", request: Asked) -> None:
        self.server.oauth.revoke(token.kept, request.client.ours)


class _Device(DeviceCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["none"]

    def query_device_credential(self, device_code: str) -> "_KeptDevice | None":
        kept = self.server.devices.waiting(device_code)
        return _KeptDevice(kept) if kept else None

    def query_user_grant(self, user_code: "_KeptDevice") -> tuple[Owner, bool] | None:
        device = user_code.kept
        if device.state is DeviceState.PENDING:
            return None
        if device.state is DeviceState.DENIED:
            return None, False
        user = self.server.oauth.user(device.user_id)
        if user is None or not self.server.devices.spend(device):
            raise InvalidGrantError("This device code was used already")
        return user, True

    def should_slow_down(self, credential: "_KeptDevice") -> bool:
        return self.server.devices.too_fast(credential.kept)


class _KeptDevice:
    def __init__(self, kept: Device) -> None:
        self.kept = kept

    def get_client_id(self) -> str:
        return self.kept.client_id

    def get_scope(self) -> str:
        return ""

    def get_user_code(self) -> "_KeptDevice":
        return self

    def is_expired(self) -> bool:
        return self.kept.expires_at <= time.time()


class _OpenID(OpenIDCode):
    def __init__(self, oauth: OAuth) -> None:
        super().__init__()
        self._oauth = oauth

    def exists_nonce(self, nonce: str, request: Asked) -> bool:
        return len(nonce) > 500  # a code is used once, and its nonce with it; one too long to keep is refused

    def resolve_client_private_key(self, client: _Client) -> RSAKey:
        return RSAKey.import_key(self._oauth.private_pems[0])

    def get_encode_header(self, client: _Client) -> dict[str, str]:
        return {"alg": "RS256", "kid": RSAKey.import_key(self._oauth.private_pems[0]).thumbprint()}

    def get_client_algorithm(self, client: _Client) -> str:
        return "RS256"

    def get_client_claims(self, client: _Client) -> dict[str, object]:
        exp = int(time.time()) + _ID_SECONDS
        return {"iss": self._oauth.issuer, "aud": client.ours.id, "exp": exp}

    def generate_user_info(self, user: Owner, scope: str) -> dict[str, object]:
        return user_info(user, scope, self._oauth.issuer)


class Server(AuthorizationServer):
    """Answers as (status, body, headers). Raises OAuth2Error from `get_consent_grant` only."""

    def __init__(self, oauth: OAuth, devices: Devices) -> None:
        super().__init__()
        self.oauth, self.devices = oauth, devices
        self.register_token_generator("default", _tokens)
        self.register_grant(_Code, [_Challenge(), _OpenID(oauth)])
        self.register_grant(_Refresh)
        self.register_grant(_Device)
        self.register_endpoint(_Revocation)

    def welcome(self, client: Client, user_id: str) -> Owner | None:
        """The user, while the client may sign them in."""
        user = self.oauth.user(user_id)
        return user if user and self.oauth.admits(client, user) else None

    def query_client(self, client_id: str) -> _Client | None:
        client = self.oauth.client(client_id[:100])
        if client is None:
            return None
        return _Client(client, self.oauth)

    def save_token(self, token: dict[str, object], request: Asked) -> None:
        renews = request.refresh_token.kept if request.refresh_token else None
        code = request.authorization_code.kept if request.authorization_code else None
        family = renews.family if renews else code.family if code else request.credential.kept.hash[:24]
        kept = self.oauth.issue(
            request.client.ours,
            request.user,
            str(token.get("scope") or ""),
            family,
            str(token["access_token"]),
            str(token["refresh_token"]),
            renews,
        )
        if not kept:
            raise InvalidGrantError("This refresh token was used already")

    def create_oauth2_request(self, request: Asked) -> Asked:
        """`@huggingface/hub` spends a code without naming its client: then the code does, and the verifier is the proof."""
        told = request.payload.data
        proven = told.get("grant_type") == "authorization_code" and "code_verifier" in told
        if proven and "client_id" not in told and "Authorization" not in request.headers:
            request.payload.datalist["client_id"].append(self.oauth.named_by(told.get("code", "")))
        return request

    def handle_response(self, status: int, body: object, headers: object) -> SimpleNamespace:
        return SimpleNamespace(status=status, body=body, headers=dict(headers))

    def send_signal(self, name: str, *args: object, **more: object) -> None:
        pass


def _tokens(grant_type, client, user=None, scope=None, expires_in=None, include_refresh_token=True):
    """The library's hook for new tokens."""
    made = {"token_type": "Bearer", "access_token": access_secret(), "expires_in": client.ours.seconds}
    return made | {"refresh_token": refresh_secret(), "scope": scope or ""}
