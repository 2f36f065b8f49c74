"""Which sites may show an app in a frame: what an owner writes -> origins as browsers compare them (CSP `frame-ancestors`).
Pure."""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

import idna

from orchestrator.errors import Invalid

MOST = 30  #: origins of one Space
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?", re.ASCII)
_ADDRESS = re.compile(r"\[[0-9a-f:.]{2,45}\]", re.ASCII)


def origins(given: Iterable[str]) -> tuple[str, ...]:
    """Each once, in the order given. Raises Invalid `EMBED_ORIGIN`."""
    found = tuple(dict.fromkeys(origin(text) for text in given if text.strip()))
    if len(found) > MOST:
        raise Invalid("EMBED_ORIGIN", f"{len(found)} sites, at most {MOST} may be named; *.example.com stands for many")
    return found


def origin(text: str) -> str:
    """`https://example.com`, with `*.` for all below a name and a port where it is not the scheme's. Raises Invalid
    `EMBED_ORIGIN`."""
    shown = ascii(text.strip()[:100])
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _wrong(shown) from None
    if parts.scheme not in ("http", "https") or parts.path not in ("", "/") or parts.username is not None:
        raise _wrong(shown)
    if parts.query or parts.fragment or any(one in text.strip() for one in "?#;,'\"\\ \t\r\n") or port == 0:
        raise _wrong(shown)
    name = f"[{host}]" if ":" in host else _name(host, shown)
    if ":" in host and not _ADDRESS.fullmatch(name):
        raise _wrong(shown)
    usual = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{name}{f':{port}' if port and port != usual else ''}"


def _name(host: str, shown: str) -> str:
    star, rest = ("*.", host[2:]) if host.startswith("*.") else ("", host)
    try:
        name = rest if rest.isascii() else idna.encode(rest, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        raise _wrong(shown) from None
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _wrong(shown)
    if star and len(labels) < 2:
        raise Invalid("EMBED_ORIGIN", f"{shown} stands for too much; write at least *.example.com")
    return star + name


def _wrong(shown: str) -> Invalid:
    return Invalid(
        "EMBED_ORIGIN",
        f"{shown} is no origin; write scheme and host alone, such as https://example.com or https://*.example.com",
    )
