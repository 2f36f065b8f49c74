"""Who we are to registries: a file in the form of Docker's config.json, as `docker login` and Kubernetes' image pull secrets
write it. Owns reading it; asks helper programs for what it does not hold itself."""

import base64
import binascii
import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

LIMIT = 1 << 20  #: bytes of the file
_HELPER = re.compile(r"[a-zA-Z0-9_.-]+")
_SECONDS = 10.0  #: that a helper may take


@dataclass(frozen=True, slots=True)
class Credential:
    """A user with a password, or an `identity` token for the registry's token service; all empty: nobody."""

    user: str = ""
    password: str = ""
    identity: str = ""

    @property
    def basic(self) -> str:
        """The value of an Authorization header, "" for nobody."""
        if not self.user:
            return ""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


def default() -> Path:
    """The file that `docker` itself reads."""
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"


def read(path: str) -> dict:
    """The file as data; no `path`: what `docker` itself reads, {} if that is not there. Raises ValueError."""
    place = Path(path) if path else default()
    try:
        data = place.read_bytes()[:LIMIT]
    except OSError as error:
        if not path:
            return {}
        raise ValueError(f"{path} cannot be read ({error.strerror})") from None
    try:
        told = json.loads(data)
    except ValueError:
        told = None
    if not isinstance(told, dict) or not isinstance(told.get("auths", {}), dict):
        raise ValueError(f"{place} is no JSON in the form of Docker's config.json")
    return told


def find(told: dict, host: str) -> Credential:
    """What the file says for a registry's host. Raises ValueError when an entry or a helper cannot be used."""
    helper = (told.get("credHelpers") or {}).get(host) or told.get("credsStore")
    entry = next((value for key, value in (told.get("auths") or {}).items() if _host(key) == host), None)
    if isinstance(entry, dict) and (entry.get("auth") or entry.get("username") or entry.get("identitytoken")):
        return _entry(entry, host)
    return _asked(str(helper), host) if helper else Credential()


def _host(key: str) -> str:
    return key.partition("://")[2].partition("/")[0] if "://" in key else key.partition("/")[0]


def _entry(entry: dict, host: str) -> Credential:
    user, password = entry.get("username") or "", entry.get("password") or ""
    if entry.get("auth"):
        try:
            user, _, password = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError, TypeError, ValueError):
            raise ValueError(f"the entry of {host} holds no user and password") from None
    return Credential(str(user), str(password).rstrip("\0"), str(entry.get("identitytoken") or ""))


def _asked(helper: str, host: str) -> Credential:
    """Docker's protocol of credential helpers: the host on standard input, JSON on standard output."""
    if not _HELPER.fullmatch(helper):
        raise ValueError(f"{helper[:40]!r} is no credential helper")
    try:
        done = subprocess.run(
            [f"docker-credential-{helper}", "get"], input=host, capture_output=True, text=True, timeout=_SECONDS
        )
        told = json.loads(done.stdout) if done.returncode == 0 else {}
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise ValueError(f"docker-credential-{helper} cannot be used ({type(error).__name__})") from None
    user, secret = str(told.get("Username") or ""), str(told.get("Secret") or "")
    return Credential(identity=secret) if user == "<token>" else Credential(user, secret)
