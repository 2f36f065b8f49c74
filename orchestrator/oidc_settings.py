"""What the settings say about the provider with which people sign in. Imports no adapter."""

import re
from dataclasses import dataclass
from pathlib import Path

from orchestrator.domain.identity import Rules, parse_groups
from orchestrator.errors import Invalid
from orchestrator.settings import Settings


@dataclass(frozen=True)
class Registered:
    """Who Podium is to the provider, as whoever runs the provider wrote it down. `back`: the redirect URI."""

    issuer: str
    client_id: str
    secret: str
    back: str
    scopes: str
    name: str

    def __repr__(self) -> str:
        return f"Registered({self.issuer!r}, {self.client_id!r})"


def registered(settings: Settings) -> Registered | None:
    """None without PODIUM_OIDC_ISSUER. Raises Invalid `SETTING`."""
    issuer, client = settings.oidc_issuer.strip(), settings.oidc_client_id.strip()
    if not issuer:
        return None
    scopes = settings.oidc_scopes.split()
    if not re.fullmatch(r"https://[^\s?#@]+|http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(/[^\s?#@]*)?", issuer):
        raise Invalid("SETTING", f"PODIUM_OIDC_ISSUER is {issuer!r}; write the provider's https:// URL")
    if not client:
        raise Invalid(
            "SETTING", "PODIUM_OIDC_ISSUER is set; set PODIUM_OIDC_CLIENT_ID too, as the provider knows Podium"
        )
    if "openid" not in scopes:
        raise Invalid("SETTING", f"PODIUM_OIDC_SCOPES is {settings.oidc_scopes!r}; openid must be among them")
    name = " ".join(settings.oidc_name.split())
    if len(name) > 60 or not name.isprintable():
        raise Invalid("SETTING", "PODIUM_OIDC_NAME is too long for a button; write at most 60 printable characters")
    back = f"{settings.public_url}/login/provider/callback"
    return Registered(issuer, client, _secret(settings), back, " ".join(scopes), name)


def check(settings: Settings) -> None:
    """Nothing, or Invalid `SETTING`."""
    registered(settings)
    rules(settings)


def rules(settings: Settings) -> Rules:
    """Raises Invalid `SETTING`."""
    for variable, value in (
        ("PODIUM_OIDC_ACCOUNTS", settings.oidc_accounts),
        ("PODIUM_PASSWORD_SIGN_IN", settings.password_sign_in),
    ):
        if value not in (0, 1):
            raise Invalid("SETTING", f"{variable} is {value}; write 0 or 1")
    if not settings.password_sign_in and not settings.oidc_issuer:
        raise Invalid("SETTING", "PODIUM_PASSWORD_SIGN_IN is 0, so nobody could sign in; set PODIUM_OIDC_ISSUER")
    domains = tuple(one.lower().lstrip("@") for one in settings.oidc_domains.replace(",", " ").split())
    return Rules(
        user_claim=settings.oidc_user_claim,
        domains=domains,
        accounts=settings.oidc_accounts == 1,
        passwords=settings.password_sign_in == 1,
        groups_claim=settings.oidc_groups_claim,
        groups=parse_groups(settings.oidc_groups),
    )


def _secret(settings: Settings) -> str:
    """Never part of a message."""
    path = settings.oidc_client_secret_file
    if path and settings.oidc_client_secret:
        raise Invalid("SETTING", "PODIUM_OIDC_CLIENT_SECRET and PODIUM_OIDC_CLIENT_SECRET_FILE are both set; unset one")
    secret = settings.oidc_client_secret
    if path:
        try:
            secret = Path(path).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise Invalid("SETTING", f"PODIUM_OIDC_CLIENT_SECRET_FILE is {path!r}: {why}") from None
    secret = secret.strip()
    if (path and not secret) or not (secret.isascii() and secret.isprintable() or not secret):
        raise Invalid("SETTING", "the client secret of PODIUM_OIDC_… is empty or holds characters that none has")
    return secret
