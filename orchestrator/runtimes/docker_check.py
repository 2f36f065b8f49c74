"""Whether this machine's Docker engine can run apps and build images: the look behind `podium doctor`."""

import shutil
import subprocess

_SECONDS = 10.0


def trouble() -> str:
    """Empty when it can, else why not, in a few words."""
    if not shutil.which("docker"):
        return "docker is not installed"
    try:
        import docker  # noqa: F401
    except ImportError:
        return "the Python package docker is not installed"
    for words, why in (
        (("info", "--format", "{{.ServerVersion}}"), "no Docker engine answers"),
        (("buildx", "version"), "docker has no buildx"),
    ):
        try:
            done = subprocess.run(
                ["docker", *words], capture_output=True, text=True, timeout=_SECONDS, stdin=subprocess.DEVNULL
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return "the Docker engine does not answer in time"
        if done.returncode or not done.stdout.strip():
            return why
    return ""
