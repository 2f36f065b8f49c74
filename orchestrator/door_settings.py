"""Settings -> doors: the ports of this machine that strangers' code may call where everything else of it is closed to them
(`runtimes/fence.py`). Reads no environment but the proxies that builds use."""

from urllib.parse import urlsplit
from urllib.request import getproxies

from orchestrator.errors import Invalid
from orchestrator.settings import Settings

_PORTS = {"http": 80, "https": 443}


def doors(settings: Settings) -> tuple[int, ...]:
    """The gateway, what stands at the addresses that apps and builds are given (a proxy before the gateway, the storage of
    large files, package indexes, proxies), and what the admin adds. Raises Invalid `SETTING`."""
    urls = (
        *(settings.public_url, settings.app_endpoint, settings.s3_url, settings.index_url),
        *settings.extra_index_url.split(),
        *(url for scheme, url in getproxies().items() if scheme in ("http", "https", "all")),
    )
    found = {settings.port, *map(_port, urls), *map(_named, settings.local_ports.split())}
    return tuple(sorted(found - {0}))


def _port(url: str) -> int:
    """0 for what is no URL: who reads it says so."""
    try:
        parts = urlsplit(url)
        return parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return 0


def _named(word: str) -> int:
    if word.isascii() and word.isdigit() and 1 <= int(word) <= 65535:
        return int(word)
    raise Invalid("SETTING", f"PODIUM_LOCAL_PORTS has {word[:40]!r}; write ports from 1 to 65535, separated by spaces")
