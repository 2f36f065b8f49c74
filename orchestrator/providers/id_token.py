"""Whether an ID token proves who somebody is (OpenID Connect Core 1.0, 3.1.3.7), by authlib and joserfc. Asks nobody."""

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import errors as jose
from joserfc import jwt
from joserfc.jwk import JWKRegistry
from joserfc.jws import JWSRegistry

from orchestrator.domain.identity import SUBJECT_LIMIT, Journey
from orchestrator.errors import Forbidden

#: Signatures that whoever can check them cannot make; never `none`, never a shared secret.
ALGORITHMS = {
    "RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
    "ES256": "EC", "ES384": "EC", "ES512": "EC", "EdDSA": "OKP", "Ed25519": "OKP",
}  # fmt: skip
LEEWAY = 60  #: seconds that two clocks may differ
TOKEN_LIMIT = 64 * 1024  #: characters
_PUBLIC = ("kty", "kid", "n", "e", "crv", "x", "y")
_REFUSED = {
    "iss": ("PROVIDER_ISSUER", "The sign-in was confirmed by another provider than the one of this Podium."),
    "aud": ("PROVIDER_AUDIENCE", "The provider's confirmation was meant for another application."),
    "azp": ("PROVIDER_AUDIENCE", "The provider's confirmation was meant for another application."),
    "nonce": ("PROVIDER_NONCE", "The provider's confirmation belongs to another attempt; sign in once more."),
}
_CLOCK = "The clocks of the provider and of this Podium differ too much, or the sign-in took too long; try again."
_BROKEN = "The provider's confirmation cannot be used; whoever runs this Podium must look at it."
_SIGNATURE = "The signature of the provider's confirmation does not hold."


class UnknownKey(Exception):
    """No key of the set fits; a newer set may have it."""


def header_of(token: str) -> dict[str, Any]:
    """What the token says of its signature; nothing is proven yet. Raises Forbidden `PROVIDER_TOKEN`."""
    try:
        if len(token) > TOKEN_LIMIT or token.count(".") != 2:
            raise ValueError
        first = token.partition(".")[0]
        header = json.loads(base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)))
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise Forbidden("PROVIDER_TOKEN", _BROKEN)
    return header


def key_for(header: Mapping[str, Any], algorithms: Iterable[str], keys: Iterable[object]) -> Any:
    """The key that must have signed. Raises Forbidden `PROVIDER_SIGNATURE`, UnknownKey."""
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS or algorithm not in algorithms:
        raise Forbidden("PROVIDER_SIGNATURE", "The provider's confirmation is signed in a way that is not safe.")
    fitting = [
        one
        for one in keys
        if isinstance(one, dict)
        and one.get("kty") == ALGORITHMS[algorithm]
        and one.get("use", "sig") == "sig"
        and one.get("alg", algorithm) == algorithm
        and (kid is None or one.get("kid") == kid)
    ]
    if not fitting or (kid is None and len(fitting) > 1):
        raise UnknownKey
    try:
        return JWKRegistry.import_key({name: value for name, value in fitting[0].items() if name in _PUBLIC})
    except (jose.JoseError, ValueError, TypeError, KeyError):
        raise Forbidden("PROVIDER_SIGNATURE", _SIGNATURE) from None


def claims_of(
    token: str, key: Any, issuer: str, client_id: str, journey: Journey, access_token: str, now: int
) -> dict[str, Any]:
    """The claims, when all of it holds. `now`: epoch seconds. Raises Forbidden as `ports_provider.Provider.claims` says."""
    algorithm = header_of(token)["alg"]
    registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    registry.max_header_length = 8192
    try:
        read = jwt.decode(token, key, [algorithm], registry)
    except (jose.InvalidPayloadError, RecursionError):
        raise Forbidden("PROVIDER_TOKEN", _BROKEN) from None
    except (jose.JoseError, ValueError, TypeError):
        raise Forbidden("PROVIDER_SIGNATURE", _SIGNATURE) from None
    options = {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": client_id}}
    params = {"nonce": journey.nonce, "client_id": client_id, "access_token": access_token}
    claims = CodeIDToken(read.claims, read.header, options, params)
    try:
        claims.validate(now, LEEWAY)
    except jose.ExpiredTokenError:
        raise Forbidden("PROVIDER_CLOCK", _CLOCK) from None
    except jose.ClaimError as error:
        raise _refused(error, read.claims) from None
    except (jose.JoseError, ValueError, TypeError):
        raise Forbidden("PROVIDER_TOKEN", _BROKEN) from None
    subject = claims["sub"]
    if not subject or len(subject) > SUBJECT_LIMIT or not subject.isprintable():
        raise Forbidden("PROVIDER_TOKEN", "The provider did not say who you are.")
    return dict(claims)


def _refused(error: jose.ClaimError, claims: Mapping[str, Any]) -> Forbidden:
    claim = str(error.claim).partition(",")[0]
    if claim in _REFUSED:
        return Forbidden(*_REFUSED[claim])
    if claim in ("iat", "nbf") and isinstance(claims.get(claim), int | float):
        return Forbidden("PROVIDER_CLOCK", _CLOCK)
    if claim == "sub":
        return Forbidden("PROVIDER_TOKEN", "The provider did not say who you are.")
    return Forbidden("PROVIDER_TOKEN", _BROKEN)
