"""What `podium doctor` looks at around Podium: the machine, and the network that builds and visitors need. As checks.py."""

import os
import shutil
import socket
import sys
import tempfile
import time
from pathlib import Path

from orchestrator.cli.check import Check, apt, run
from orchestrator.settings import GB, MB, Settings

INDEX_SECONDS = 12.0
_RELEASED = 1_763_769_600  #: no clock may be before this release: 2025-11-22


# ------------------------------------------------------------------------------------------------------------- machine


def disk(data: Path) -> Check:
    place = data
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK):
        return Check("disk", "bad", f"{place} is not writable", "nothing can be kept", "podium up --data DIR")
    return judge_disk(shutil.disk_usage(place).free, str(place))


def judge_disk(free: int, place: str) -> Check:
    found = f"{free / GB:.1f} GB free at {place}"
    if free < 500 * MB:
        return Check("disk", "bad", found, "one Gradio environment needs about 0.5 GB", "podium up --data DIR")
    if free < 5 * GB:
        return Check("disk", "warn", found, "room for a few environments only; torch alone needs 2 to 6 GB")
    return Check("disk", "ok", found)


def memory() -> Check:
    import psutil

    found = psutil.virtual_memory()
    return judge_memory(found.total, found.available)


def judge_memory(total: int, available: int) -> Check:
    found = f"{available / GB:.1f} of {total / GB:.1f} GB available"
    if available < 1 * GB:
        return Check("memory", "warn", found, "a Gradio app takes about 0.2 GB, a build up to 1 GB")
    return Check("memory", "ok", found)


def clock(newest: float, now: float | None = None) -> Check:
    """`newest`: when the data directory last changed; a clock must not be before that."""
    now = time.time() if now is None else now
    shown = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
    if now < max(_RELEASED, newest - 300):
        return Check(
            "clock", "bad", shown, "it is slow: tokens, sessions and sleep go wrong", "timedatectl set-ntp true"
        )
    return Check("clock", "ok", shown)


def changed_at(data: Path) -> float:
    """When the database was last written, 0 when there is none."""
    return max((path.stat().st_mtime for path in data.glob("podium.db*")), default=0.0)


# ------------------------------------------------------------------------------------------------------------- network


def port(host: str, number: int) -> Check:
    """Whether `podium up` can listen, or Podium itself does already."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
            return Check("port", "ok", f"{number} is free")
        except OSError as error:
            reason = error.strerror
    if _is_podium(host, number):
        return Check("port", "ok", f"Podium answers on {number}")
    return Check("port", "bad", f"{number}: {reason}", "nobody could reach Podium", f"podium up --port {number + 1}")


def _is_podium(host: str, number: int) -> bool:
    import httpx

    address = "127.0.0.1" if host in ("0.0.0.0", "::", "localhost") else host
    try:
        url = f"http://{f'[{address}]' if ':' in address else address}:{number}/healthz"
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def names(settings: Settings) -> Check:
    """Whether programs on this machine find a Space's host. Browsers and curl know `*.localhost` by themselves."""
    name = f"podium-doctor.{settings.apps_domain}"
    try:
        addresses = sorted(
            {str(info[4][0]) for info in socket.getaddrinfo(name, settings.port, type=socket.SOCK_STREAM)}
        )
    except OSError:
        addresses = []
    return judge_names(settings.apps_domain, settings.is_local, addresses)


def judge_names(domain: str, local: bool, addresses: list[str]) -> Check:
    if addresses:
        return Check("app names", "ok", f"*.{domain} is {', '.join(addresses)}")
    if local:
        cost = "browsers and curl reach apps, Python clients on this machine do not"
        return Check("app names", "warn", f"*.{domain} does not resolve", cost, apt("libnss-myhostname"))
    cost = "nobody can open an app"
    return Check(
        "app names", "warn", f"*.{domain} does not resolve", cost, f"add a DNS record: *.{domain} -> this machine"
    )


def index(program: str | None, settings: Settings) -> Check:
    """Really resolve one small package, as a build would, with nothing from the cache."""
    env = {k: v for k, v in os.environ.items() if k not in ("UV_OFFLINE",)}
    env |= {"UV_HTTP_TIMEOUT": "5", "UV_HTTP_RETRIES": "0", "UV_NO_PROGRESS": "1"}
    env |= {"UV_DEFAULT_INDEX": settings.index_url} if settings.index_url else {}
    env |= {"UV_INDEX": settings.extra_index_url} if settings.extra_index_url else {}
    env |= {"SSL_CERT_FILE": settings.ca_bundle} if settings.ca_bundle else {}
    with tempfile.TemporaryDirectory() as cache:
        words = ("pip", "compile", "-q", "--no-header", "--python", sys.executable, "--cache-dir", cache, "-")
        began = time.monotonic()
        code, text = run(program or "uv", *words, seconds=INDEX_SECONDS, env=env, text="iniconfig\n")
    return judge_index(code, text, time.monotonic() - began)


def judge_index(code: int, text: str, took: float) -> Check:
    if code == 0 and "iniconfig==" in text:
        return Check("package index", "ok", f"answers in {took:.1f} s")
    # The first line may hold the index's URL with a password in it: say only what kind of trouble it is.
    kind = (
        "TLS certificate not trusted" if "certificate" in text.lower() else "timed out" if code == 124 else "no answer"
    )
    fix = "export PODIUM_CA_BUNDLE=FILE" if "certificate" in kind else "export PODIUM_INDEX_URL=… (and HTTPS_PROXY)"
    return Check("package index", "warn", kind, "only packages in uv's cache can be installed", fix)


def certificates(settings: Settings) -> Check:
    """Files of CA certificates that are named must be there."""
    named = {"PODIUM_CA_BUNDLE": settings.ca_bundle}
    named |= {name: os.environ.get(name, "") for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO")}
    return judge_certificates({name: path for name, path in named.items() if path})


def judge_certificates(named: dict[str, str]) -> Check:
    missing = [f"{name}={path}" for name, path in named.items() if not Path(path).is_file()]
    if missing:
        names = " ".join(m.partition("=")[0] for m in missing)
        return Check(
            "certificates", "bad", f"no file: {', '.join(missing)}", "builds cannot trust anybody", f"unset {names}"
        )
    return Check("certificates", "ok", ", ".join(named) or "the system's")
