"""One OpenID Connect provider as the Provider port: its discovery document and keys, kept for a while, and the authorization code
flow with PKCE (OpenID Connect Core 1.0 and Discovery 1.0, RFC 7636). What the proof says is id_token.py's."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from orchestrator.domain.identity import Journey
from orchestrator.errors import Forbidden
from orchestrator.ports_provider import ProviderAway
from orchestrator.providers import id_token
from orchestrator.providers.fetch import Fetch

log = logging.getLogger(__name__)
KEPT = 3600.0  #: seconds that the document and the keys are believed
_FAILED = 5.0  #: seconds that nobody asks again after a failure
_ROTATED = 30.0  #: keys of this age may be asked for anew when a token names one that is not among them
AT_ONCE = 8  #: people on their way; more are refused, for a silent provider must not hold every thread of ours
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class OpenID:
    """`back`: the URL to which the provider sends people. `secret` "": a public client, PKCE alone."""

    def __init__(
        self,
        issuer: str,
        client_id: str,
        secret: str,
        back: str,
        scopes: str = "openid profile email",
        name: str = "",
        fetch: Fetch | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.issuer, self.name = issuer, name or urlsplit(issuer).hostname or issuer
        self._client_id, self._secret, self._back, self._scopes = client_id, secret, back, scopes
        self._fetch, self._clock = fetch or Fetch(), clock
        self._lock, self._turns = threading.Lock(), threading.BoundedSemaphore(AT_ONCE)
        self._kept: dict[str, tuple[float, dict]] = {}
        self._failed: dict[str, tuple[float, ProviderAway]] = {}

    # ------------------------------------------------------------------------------------------------------- the port

    def url(self, journey: Journey) -> str:
        with self._turn():
            document = self._document()
        return prepare_grant_uri(
            self._endpoint(document, "authorization_endpoint"),
            client_id=self._client_id,
            response_type="code",
            redirect_uri=self._back,
            scope=self._scopes,
            state=journey.state,
            nonce=journey.nonce,
            code_challenge=create_s256_code_challenge(journey.verifier),
            code_challenge_method="S256",
        )

    def says_who(self) -> bool:
        with self._turn():
            return self._document().get("authorization_response_iss_parameter_supported") is True

    def farewell(self, proof: str) -> str:
        with self._turn():
            document = self._document()
        if not document.get("end_session_endpoint"):
            return ""
        told = {"client_id": self._client_id, "post_logout_redirect_uri": self._back}
        told |= {"id_token_hint": proof} if proof else {}
        return add_params_to_uri(self._endpoint(document, "end_session_endpoint"), list(told.items()))

    def claims(self, journey: Journey, code: str, wanted: tuple[str, ...] = ()) -> tuple[Mapping[str, Any], str]:
        with self._turn():
            return self._claims(journey, code, wanted)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(blocking=False):
            raise ProviderAway("Too many people are signing in at this moment; try again in some seconds.")
        try:
            yield
        finally:
            self._turns.release()

    # ------------------------------------------------------------------------------------------------------ the steps

    def _claims(self, journey: Journey, code: str, wanted: tuple[str, ...]) -> tuple[dict[str, Any], str]:
        document = self._document()
        told = self._exchange(document, journey, code)
        proof, access = told.get("id_token"), told.get("access_token")
        access = access if isinstance(access, str) else ""
        if not isinstance(proof, str):
            raise Forbidden("PROVIDER_TOKEN", "The provider confirmed nothing; the scope openid may be missing.")
        key = self._key(document, id_token.header_of(proof))
        now = int(self._clock())
        claims = id_token.claims_of(proof, key, self.issuer, self._client_id, journey, access, now)
        if access and document.get("userinfo_endpoint") and any(claim not in claims for claim in wanted):
            claims = self._more(document, access, claims["sub"]) | claims
        return claims, proof

    def _exchange(self, document: dict, journey: Journey, code: str) -> dict:
        """The token endpoint's answer to a code."""
        methods = document.get("token_endpoint_auth_methods_supported")
        posts = isinstance(methods, list) and "client_secret_post" in methods
        how = "none" if not self._secret else "client_secret_post" if posts else "client_secret_basic"
        body = prepare_token_request("authorization_code", "", self._back, code=code, code_verifier=journey.verifier)
        auth = ClientAuth(self._client_id, self._secret, how)
        url, headers, body = auth.prepare("POST", self._endpoint(document, "token_endpoint"), dict(_FORM), body)
        answer = self._fetch("POST", url, headers, body)
        told = answer.json()
        if answer.status == 200 and "error" not in told:
            return told
        error = str(told.get("error"))[:80]
        log.warning("sign-in: the provider refused a code: %r %r", error, str(told.get("error_description"))[:200])
        if error == "invalid_grant":
            raise Forbidden("PROVIDER_CODE", "This sign-in was used already or took too long; sign in once more.")
        raise self._setup(f"it answered {answer.status} {error!r} to the client id and secret")

    def _more(self, document: dict, access: str, subject: str) -> dict:
        """What the provider tells beside the proof (OpenID Connect Core 1.0, 5.3), of the same person."""
        url = self._endpoint(document, "userinfo_endpoint")
        answer = self._fetch("GET", url, {"Authorization": f"Bearer {access}"})
        if answer.status != 200:
            log.warning("sign-in: the provider's userinfo answered %d", answer.status)
            return {}
        told = answer.json()
        if told.get("sub") != subject:
            raise Forbidden("PROVIDER_TOKEN", "The provider spoke of two different people; sign in once more.")
        return told

    def _key(self, document: dict, header: Mapping[str, Any]) -> Any:
        said = document.get("id_token_signing_alg_values_supported")
        algorithms = [one for one in said if isinstance(one, str)] if isinstance(said, list) else ["RS256"]
        url = self._endpoint(document, "jwks_uri")
        try:
            return id_token.key_for(header, algorithms, self._keys(url, KEPT))
        except id_token.UnknownKey:
            pass
        try:  # keys are changed now and then
            return id_token.key_for(header, algorithms, self._keys(url, _ROTATED))
        except id_token.UnknownKey:
            log.warning(
                "sign-in: a token names the key %r, which the provider does not show", str(header.get("kid"))[:80]
            )
            raise Forbidden(
                "PROVIDER_SIGNATURE", "The confirmation's signing key is not among the provider's."
            ) from None

    # ------------------------------------------------------------------------------------------------- what is kept

    def _document(self) -> dict:
        document = self._get(self.issuer.rstrip("/") + "/.well-known/openid-configuration", KEPT)
        if document.get("issuer") != self.issuer:
            raise self._setup(
                f"it calls itself {str(document.get('issuer'))[:200]!r}; that is what PODIUM_OIDC_ISSUER must be"
            )
        return document

    def _keys(self, url: str, age: float) -> list:
        keys = self._get(url, age).get("keys")
        return keys if isinstance(keys, list) else []

    def _get(self, url: str, age: float) -> dict:
        """A document of at most that age, asked for by one at a time."""
        with self._lock:
            now = self._clock()
            at, document = self._kept.get(url, (0.0, {}))
            if document and 0 <= now - at <= age:
                return document
            at, error = self._failed.get(url, (0.0, None))
            if error is not None and 0 <= now - at < _FAILED:
                raise ProviderAway(str(error))
            try:
                document = self._ask(url)
            except ProviderAway as error:
                self._failed[url] = (self._clock(), error)
                raise
            self._failed.pop(url, None)
            self._kept[url] = (now, document)
            return document

    def _ask(self, url: str) -> dict:
        answer = self._fetch("GET", url)
        if answer.status != 200:
            log.warning("sign-in: %s answered %d", url, answer.status)
            raise ProviderAway(f"Your provider answered with status {answer.status}; try again in a moment.")
        return answer.json()

    def _endpoint(self, document: dict, name: str) -> str:
        """A URL out of the document. Raises Forbidden `PROVIDER_SETUP` for none, and for one that others could listen to."""
        url = document.get(name)
        if isinstance(url, str) and is_safe(url):
            return url
        raise self._setup(f"its {name} is {str(url)[:200]!r}, which is no https URL")

    def _setup(self, why: str) -> Forbidden:
        log.error("sign-in: %s and this Podium do not fit: %s", self.issuer, why)
        return Forbidden("PROVIDER_SETUP", f"The provider and this Podium do not fit, tell whoever runs it: {why}.")


def is_safe(url: str) -> bool:
    """Whether nobody between can read or change what is sent there: https, or this very machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    clean = len(url) <= 2000 and url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    plain = parts.scheme == "http" and host in _LOOPBACK
    return clean and bool(host) and "@" not in parts.netloc and (parts.scheme == "https" or plain)
