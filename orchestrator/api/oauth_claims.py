"""What may be known of a user and of this provider: claims, keys, the discovery document. Plain values; nothing is asked here."""

from collections.abc import Iterable

from joserfc.jwk import RSAKey

from orchestrator.domain.grants import SCOPES
from orchestrator.domain.records import Owner
from orchestrator.domain.space import Role
from orchestrator.services.oauth import OAuth


def user_info(user: Owner, scope: str, base: str, orgs: Iterable[tuple[Owner, Role]] = ()) -> dict[str, object]:
    """Claims about a user, as gradio and huggingface_hub read them (gradio/oauth.py, huggingface_hub/_oauth.py)."""
    scopes = scope.split()
    told: dict[str, object] = {"sub": user.id}
    if "profile" in scopes:
        told |= {
            "name": user.fullname or user.name,
            "preferred_username": user.name,
            "profile": f"{base}/{user.name}",
            "picture": f"{base}/avatars/{user.name}.svg",
            "isPro": False,
        }
    if "email" in scopes and user.email:
        told |= {"email": user.email, "email_verified": False}
    if "read-memberships" in scopes:
        told["orgs"] = [
            {
                "sub": org.id,
                "name": org.fullname or org.name,
                "preferred_username": org.name,
                "picture": f"{base}/avatars/{org.name}.svg",
                "roleInOrg": role.name.lower(),
            }
            for org, role in orgs
        ]
    return told


def public_keys(oauth: OAuth) -> dict[str, object]:
    """The JSON Web Key Set that id tokens are checked with: of the key that signs, and of those that did before."""
    keys = [RSAKey.import_key(pem) for pem in oauth.private_pems]
    return {
        "keys": [{**key.as_dict(private=False), "use": "sig", "alg": "RS256", "kid": key.thumbprint()} for key in keys]
    }


def discovery(issuer: str, base: str) -> dict[str, object]:
    """The document of OpenID Connect Discovery 1.0. `issuer`: where browsers are; `base`: where the one who asks found us, since
    an app in a container may know us by another address."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{base}/oauth/token",
        "userinfo_endpoint": f"{base}/oauth/userinfo",
        "jwks_uri": f"{base}/oauth/jwks",
        "revocation_endpoint": f"{base}/oauth/revoke",
        "device_authorization_endpoint": f"{base}/oauth/device",
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [
            "authorization_code",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:device_code",
        ],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "code_challenge_methods_supported": ["S256"],
        "claims_supported": [
            "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "at_hash",
            "name", "preferred_username", "profile", "picture", "email", "email_verified",
        ],
        "authorization_response_iss_parameter_supported": True,
    }  # fmt: skip
