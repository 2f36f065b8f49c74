"""What `podium doctor` looks at in Podium's own house: programs, isolation, what the settings name. One function per thing, each
returning a `Check`. Deciding is apart from looking where that lets a test decide about other machines. The machine and its
network are surroundings.py's; output is doctor.py's."""

import os
import re
import shutil
import sys

from orchestrator import image_settings
from orchestrator.cli.check import Check, apt, dotted, numbers, run
from orchestrator.errors import Invalid
from orchestrator.settings import Settings

GIT_FLOOR = (2, 50, 2)  #: before it, git had holes that a hostile repo or a hostile client reaches
PYTHON_FLOOR = (3, 11)


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
