"""What `podium doctor` looks at: one function per thing, each returning a `Check`. Deciding is apart from looking where that
lets a test decide about other machines. Owns no output (doctor.py)."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from orchestrator import image_settings
from orchestrator.errors import Invalid
from orchestrator.settings import GB, MB, Settings

GIT_FLOOR = (2, 50, 2)  #: before it, git had holes that a hostile repo or a hostile client reaches
PYTHON_FLOOR = (3, 11)
INDEX_SECONDS = 12.0
_RELEASED = 1_763_769_600  #: no clock may be before this release: 2025-11-22


@dataclass(frozen=True, slots=True)
class Check:
    """`state`: ok, warn (it runs, something is lost) or bad (it does not run). `cost`: what that means; `fix`: what to type."""

    name: str
    state: str
    found: str
    cost: str = ""
    fix: str = ""


def run(*words: str, seconds: float = 10, env: dict[str, str] | None = None, text: str = "") -> tuple[int, str]:
    """Exit code and output of a program; 127 when it is not there, 124 when it takes too long."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=seconds, env=env, input=text)
    except FileNotFoundError:
        return 127, ""
    except (OSError, subprocess.TimeoutExpired) as error:
        return 124, str(error)
    return done.returncode, (done.stdout or done.stderr).strip()


def apt(package: str, root: bool | None = None) -> str:
    """How to install a Debian package here."""
    root = os.geteuid() == 0 if root is None else root
    return f"{'' if root else 'sudo '}apt-get install {package}"


def numbers(text: str) -> tuple[int, ...]:
    """The first version number in a text: `git version 2.39.5 (x)` -> (2, 39, 5); empty if there is none."""
    found = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(int(part) for part in found.group().split(".")) if found else ()


def dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


# ------------------------------------------------------------------------------------------------------------- programs


def python(version: tuple[int, ...] = tuple(sys.version_info[:3])) -> Check:
    if version[:2] < PYTHON_FLOOR:
        return Check("python", "bad", dotted(version), f"Podium needs {dotted(PYTHON_FLOOR)} or newer", apt("python3"))
    return Check("python", "ok", dotted(version))


def find_uv() -> str | None:
    """The uv that Podium brought along, or the one on PATH."""
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        return shutil.which("uv")


def uv(program: str | None) -> Check:
    code, text = run(program, "--version") if program else (127, "")
    if code:
        return Check("uv", "bad", text or "not installed", "nothing can be built", "make install")
    return Check("uv", "ok", dotted(numbers(text)))


def interpreters(program: str | None) -> Check:
    """The Pythons that a Space can have without a download."""
    code, text = run(program or "uv", "python", "list", "--only-installed", "--output-format", "json")
    return judge_interpreters(re.findall(r'"version":\s*"([^"]+)"', text) if code == 0 else [])


def judge_interpreters(versions: list[str]) -> Check:
    known = sorted({v for v in versions if numbers(v) >= PYTHON_FLOOR}, key=numbers)
    if not known:
        return Check("pythons for apps", "bad", "none that uv finds", "no Python app can be built", apt("python3"))
    minors = {numbers(v)[:2] for v in known}
    cost = "another `python_version` works only if uv can download it" if len(minors) == 1 else ""
    return Check("pythons for apps", "ok", ", ".join(known), cost)


def git() -> Check:
    code, text = run("git", "--version")
    return judge_git(text if code == 0 else "")


def judge_git(text: str) -> Check:
    version = numbers(text)
    if not version:
        return Check("git", "bad", "not installed", "nobody can push", apt("git"))
    if version[:3] >= GIT_FLOOR:
        return Check("git", "ok", dotted(version))
    cost = f"before {dotted(GIT_FLOOR)} git had known holes; a distribution may have mended them in its own package"
    return Check("git", "warn", dotted(version), cost, apt("--only-upgrade git"))


def git_lfs() -> Check:
    code, text = run("git", "lfs", "version")
    if code:
        return Check("git-lfs", "warn", "not installed", "git here cannot push or fetch LFS files", apt("git-lfs"))
    return Check("git-lfs", "ok", dotted(numbers(text)))


# ------------------------------------------------------------------------------------------------------------ isolation


def sandbox(wanted: str) -> Check:
    from orchestrator import adapters

    return judge_sandbox(wanted, "" if wanted == "none" else adapters.sandbox_trouble(), os.geteuid() == 0)


def judge_sandbox(wanted: str, trouble: str, root: bool) -> Check:
    cost = "apps see each other's and this machine's readable files" if root else "apps can do whatever you can do here"
    if wanted == "none":
        return Check("sandbox", "warn", "switched off", cost, "unset PODIUM_SANDBOX")
    if not trouble:
        return Check("sandbox", "ok", "bubblewrap works")
    fix = apt("bubblewrap", root) if "not installed" in trouble else ""
    if wanted == "bubblewrap":
        return Check("sandbox", "bad", trouble, "PODIUM_SANDBOX=bubblewrap refuses to start apps without", fix)
    return Check("sandbox", "warn", trouble, cost, fix)


def docker(runtime: str) -> Check:
    from orchestrator import adapters

    return judge_docker(runtime, adapters.docker_trouble(), os.geteuid() == 0)


def registry(settings: Settings) -> Check:
    """Where no registry is named, images stay where apps run."""
    if not settings.registry:
        return Check("registry", "ok", "none is named; images stay in the engine")
    trouble = image_settings.registry_trouble(settings)
    if not trouble:
        return Check("registry", "ok", f"{settings.registry} answers and lets Podium in")
    return Check("registry", "bad", trouble, "no app can be built or moved", "check PODIUM_REGISTRY and its passwords")


def sign_in(settings: Settings) -> Check:
    if not settings.oidc_issuer:
        return Check("sign-in", "ok", "no provider is named; people have passwords and tokens")
    from orchestrator import adapters

    if trouble := adapters.provider_trouble(settings):
        return Check("sign-in", "bad", trouble, "nobody can sign in with it", "check PODIUM_OIDC_ISSUER")
    return Check("sign-in", "ok", f"{settings.oidc_issuer} answers")


def judge_docker(runtime: str, trouble: str, root: bool) -> Check:
    """Only where apps are to run in containers is it a fault that they cannot."""
    if not trouble:
        return Check("docker", "ok", "the engine answers" + ("" if runtime == "docker" else "; not used"))
    if runtime != "docker":
        return Check("docker", "ok", f"{trouble}; not used", "no `sdk: docker` Spaces")
    fix = (
        "pip install 'podium[docker]'"
        if "Python package" in trouble
        else "install Docker Engine with buildx, and start it"
    )
    return Check("docker", "bad", trouble, "PODIUM_RUNTIME=docker cannot build or start apps without", fix)


def hardware(settings: Settings) -> Check:
    """The catalogue of PODIUM_HARDWARE."""
    from orchestrator.catalogue import flavors

    try:
        found = flavors(settings)
    except Invalid as error:
        return Check("hardware", "bad", error.message, "podium up refuses to start", "podium hardware example")
    return Check("hardware", "ok", f"{', '.join(list(found)[:6])}{', …' if len(found) > 6 else ''}")


def user(root: bool | None = None) -> Check:
    root = os.geteuid() == 0 if root is None else root
    if root:
        return Check("user", "ok", "root: every Space gets a user of its own")
    return Check("user", "ok", "not root: all apps run as you", "only the sandbox stands between them")


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
