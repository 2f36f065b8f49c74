"""The Docker engine as builds see it, through its command line: what images are there, pulling, removing, asking a base image
for its Python. Owns the environment of `docker` and the words of its failures. Builds nothing: that is `buildkit.py`."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from builder.errors import TransientError
from builder.text import shown

LABEL = "podium.data"  #: of everything that a Podium made: which data directory it belongs to
_PASSED = ("PATH", "HOME", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY",
           "BUILDX_BUILDER", "BUILDX_CONFIG", "XDG_RUNTIME_DIR", "SSH_AUTH_SOCK", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
           "http_proxy", "https_proxy", "no_proxy")  # fmt: skip
#: Python code: version, machine and C library as JSON; no double quotes, it is put between such.
ASK = (
    "import json,platform,sys;print(json.dumps(['.'.join(map(str,sys.version_info[:3])),platform.machine(),"
    "platform.libc_ver()[1]]))"
)


@dataclass(frozen=True, slots=True)
class Base:
    """A base image: its name, its content's id, and the Python, machine and C library in it."""

    name: str
    id: str
    python: str
    machine: str
    libc: str

    def target(self) -> list[str]:
        """Options of uv that resolve for this image on any machine."""
        minor = self.libc.partition(".")[2]
        known = minor.isdigit() and (int(minor) in (17, 28) or 31 <= int(minor) <= 40)
        platform = f"{self.machine}-manylinux_2_{minor if known else 28}"
        return ["--python-version", self.python, "--python-platform", platform]


def environment() -> dict[str, str]:
    """What `docker` gets of our environment."""
    return {name: os.environ[name] for name in _PASSED if name in os.environ} | {"LC_ALL": "C.UTF-8", "NO_COLOR": "1"}


def docker(*words: str, timeout: float = 60.0) -> subprocess.CompletedProcess:
    """Run `docker` to its end. Raises TransientError when it is not there, does not answer, or finds no engine."""
    try:
        done = subprocess.run(
            ["docker", *words], env=environment(), capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL
        )  # fmt: skip
    except FileNotFoundError:
        raise TransientError("the program `docker` is not installed") from None
    except subprocess.TimeoutExpired:
        raise TransientError(f"the Docker engine does not answer (`docker {words[0]}`)") from None
    if done.returncode and "Cannot connect to the Docker daemon" in done.stderr:
        raise TransientError("the Docker engine does not run")
    return done


def image(name: str) -> dict | None:
    """What the engine says about an image, None when it has none of this name."""
    done = docker("image", "inspect", name)
    if done.returncode:
        return None
    return json.loads(done.stdout)[0]


def steps(name: str) -> list[tuple[int, str]]:
    """What each step that made an image added: bytes, and its words."""
    done = docker("image", "history", "--no-trunc", "--human=false", "--format", "{{.Size}} {{.CreatedBy}}", name)
    told = (line.partition(" ") for line in done.stdout.splitlines())
    return [(int(size), words) for size, _, words in told if size.isdecimal()]


def images(owner: str, *labels: str) -> list[dict]:
    """All images with the owner's label and the others given (`name=value`)."""
    filters = [word for label in (f"{LABEL}={owner}", *labels) for word in ("--filter", f"label={label}")]
    found = docker("image", "ls", "-q", "--no-trunc", *filters).stdout.split()
    if not found:
        return []
    return json.loads(docker("image", "inspect", *dict.fromkeys(found)).stdout or "[]")


def remove(name: str) -> bool:
    """Remove an image unless a container uses it."""
    return docker("image", "rm", "--", name).returncode == 0


def tag(name: str, new: str) -> None:
    """Give an image another name."""
    docker("image", "tag", name, new)


def base(name: str, cache: Path) -> Base:
    """The base image of that name, pulled when it is not there. What was asked of it is kept in `cache` by its id.

    Raises TransientError when it cannot be had or has no Python: the admin's setting is wrong."""
    about = image(name)
    if about is None:
        done = docker("pull", "-q", name, timeout=900.0)
        about = image(name)
        if about is None:
            why = shown((done.stderr.strip().splitlines() or ["no reason given"])[-1], 300)
            raise TransientError(f"the base image {name} cannot be had ({why}); see PODIUM_BASE_IMAGE")
    place = cache / f"{about['Id'].removeprefix('sha256:')}.json"
    try:
        return Base(**{**json.loads(place.read_text()), "name": name})
    except (OSError, ValueError, TypeError):
        pass
    asked = ("run", "--rm", "--network", "none", "--user", "1000:1000", "--entrypoint", "python3", about["Id"])
    done = docker(*asked, "-I", "-S", "-c", ASK, timeout=120.0)
    if done.returncode:
        why = shown((done.stderr.strip().splitlines() or ["no reason given"])[-1], 300)
        raise TransientError(f"the base image {name} has no working python3 ({why}); see PODIUM_BASE_IMAGE")
    found = Base(name, about["Id"], *json.loads(done.stdout))
    cache.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(asdict(found)))
    return found


def labels_of(about: Mapping) -> dict[str, str]:
    """The labels in an image's description."""
    return (about.get("Config") or {}).get("Labels") or {}
