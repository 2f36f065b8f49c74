"""Docker as tests need it: whether it is here, a base image, images of small apps, and nothing of a Podium left afterwards."""

import functools
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from builder.backends.buildkit import CONTEXT, DOCKERFILE
from tests.podium import Podium

RUNTIME = Path(__file__).parents[1] / "runtime_images"
_BASES = ("debian-python:3.11", "python:3.11-slim-bookworm")


def docker(*words: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)
    assert not check or done.returncode == 0, f"docker {' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


@functools.cache
def trouble() -> str:
    """Why tests cannot use Docker here, "" when they can."""
    try:
        import docker as _  # noqa: F401
    except ImportError:
        return "needs the Python package docker"
    if not shutil.which("docker"):
        return "needs Docker"
    asked = ["docker", "info", "--format", "{{.ServerVersion}}"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    if done.returncode or not done.stdout.strip():
        return "needs a running Docker engine"
    if subprocess.run(["docker", "buildx", "version"], capture_output=True, timeout=60).returncode:
        return "needs docker buildx"
    return "" if base() else f"needs one of the images {', '.join(_BASES)}, or PODIUM_BASE_IMAGE"


@functools.cache
def base() -> str:
    """A base image that is here, "" if none is."""
    named = (os.environ.get("PODIUM_BASE_IMAGE", ""), *_BASES)
    return next((name for name in named if name and docker("image", "ls", "-q", name, check=False)), "")


@functools.cache
def runtime_image() -> str:
    """Name of the image with the launcher, of its own for each state of the files: other checkouts use this engine too."""
    files = [RUNTIME / name for name in (*CONTEXT, DOCKERFILE)]
    name = f"podium-test-runtime:{hashlib.sha256(b''.join(file.read_bytes() for file in files)).hexdigest()[:12]}"
    given = ["--build-arg", f"BASE={base()}", "--label", "podium.test=1", "-t", name]
    docker("build", "-q", *given, "-f", str(RUNTIME / "python" / "Dockerfile"), str(RUNTIME))
    return name


def image_of(source: Path) -> str:
    """Id of an image with the files of `source` as the app's."""
    spare = source.with_name(f"{source.name}.Dockerfile")
    spare.write_text(f"FROM {runtime_image()}\nCOPY --chown=1000:1000 . /app/\n")
    return docker("build", "-q", "--label", "podium.test=1", "-f", str(spare), str(source))


def forget(host: str) -> None:
    """Take the names away that the engine has of a registry that is gone; what they stand for stays its cache."""
    kinds = "{{.Repository}}:{{.Tag}}\n{{.Repository}}@{{.Digest}}"
    listed = docker("image", "ls", "--digests", "--format", kinds, f"{host}/*/*", check=False).split()
    for name in dict.fromkeys(name for name in listed if "<none>" not in name):
        docker("image", "rm", "--no-prune", name, check=False)


def of_owner(owner: str, *more: str) -> list[str]:
    """Containers of a Podium."""
    return docker("ps", "-aq", *more, "--filter", f"label=podium.data={owner}").split()


def apps_of_owner(owner: str) -> list[str]:
    """Images of apps that a Podium made."""
    words = ["--filter", f"label=podium.data={owner}", "--filter", "label=podium.kind=app"]
    return docker("image", "ls", "-q", *words).split()


def owner(podium: Podium) -> str:
    """What its containers and images are labelled with."""
    return (podium.data / "keys" / "engine").read_text().split()[0]


def boxed(podium: Podium) -> Iterator[Podium]:
    """Runs a Podium on the engine. Afterwards nothing of it is left there, but for what apps stand on: the next run's cache."""
    try:
        yield podium.start()
        podium.stop()
        assert of_owner(owner(podium)) == [], "containers are left"
    finally:
        podium.end()
        if (podium.data / "keys" / "engine").exists():
            ours = owner(podium)
            for name in of_owner(ours):
                docker("rm", "-f", name)
            docker("network", "rm", f"podium-{ours}", check=False)
            for image in apps_of_owner(ours):
                docker("image", "rm", "-f", image, check=False)
