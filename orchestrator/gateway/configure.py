"""Settings -> GatewayConfig. Owns where the gateway finds its control plane, the token for it, and its own files; makes nothing
but the directories of those.

Beside its control plane the gateway shares a data directory with it. On another machine it has only `control_url` and the file
`feed.token` in the directory of keys, and its data directory is its own."""

from pathlib import Path

from orchestrator.errors import Invalid
from orchestrator.gateway.config import GatewayConfig
from orchestrator.services.signing import Signing
from orchestrator.settings import Settings, control_address


def configure(settings: Settings) -> GatewayConfig:
    """Raises Invalid `SETTING` when the gateway is to ask a control plane elsewhere and has no token for it."""
    loopback = settings.host in ("127.0.0.1", "::1", "localhost")
    hosts = ("127.0.0.1", "::1") if loopback else (settings.host,)
    control, token = _control(settings)
    return GatewayConfig(
        listen=tuple((host, settings.port) for host in hosts),
        control=control,
        feed_token=token,
        apps_domain=settings.apps_domain,
        public_url=settings.public_url,
        snapshot=_closed(settings.run_directory) / "routes.json",
        app_endpoint=settings.app_endpoint,
        access_log=_access_log(settings),
        trusted_proxies=settings.trusted_proxies,
        rate_limit=settings.rate_limit,
        body_limit=settings.body_limit,
        header_timeout=settings.header_timeout,
        response_timeout=settings.response_timeout,
        hold_timeout=settings.hold_timeout,
    )


def _control(settings: Settings) -> tuple[str, str]:
    """Address of the control plane, and the token that opens its /internal."""
    if not settings.control_url:
        return f"unix:{settings.control_socket}", Signing.at(_closed(settings.key_directory)).feed_token
    place = settings.key_directory / "feed.token"
    try:
        token = place.read_text().strip()
    except FileNotFoundError:
        token = ""
    if not token.isascii() or not token.isprintable() or not token:
        raise Invalid(
            "SETTING",
            f"there is no token for {settings.control_url} in {place}; copy the control plane's keys/feed.token there, or say "
            "with PODIUM_KEYS where it is",
        )
    return control_address(settings.control_url), token


def _access_log(settings: Settings) -> Path | None:
    if settings.access_log == "-":
        return None
    return Path(settings.access_log) if settings.access_log else _closed(settings.data / "logs") / "access.log"


def _closed(directory: Path) -> Path:
    """A directory that only we can look into, made if it is not there; what is there stays as it is."""
    if not directory.is_dir():
        directory.parent.mkdir(parents=True, exist_ok=True, mode=0o711)
        directory.mkdir(exist_ok=True, mode=0o700)
    return directory
