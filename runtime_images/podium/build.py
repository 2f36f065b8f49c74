"""Builds Podium's own image with `docker buildx`: collects the context (the packages, not what lies around), and hands this
machine's package index and certificates over as secrets. Standard library only: `make image` runs it with any Python.

    python3 runtime_images/podium/build.py --tag registry.example.org/podium:1.2 --push"""

import argparse
import ast
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXTRAS = ("cluster", "docker")
_PACKAGES = ("orchestrator", "builder", "runtime_images", "web")
_FILES = ("pyproject.toml", "constraints.txt", "README.md", "LICENSE")
_PIP = ("index-url", "extra-index-url", "trusted-host", "timeout", "retries")  # no paths: they are not in the image
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_ANSWER = 60  #: seconds that a registry may take
_PLUGINS = ("~/.docker/cli-plugins", "/usr/local/lib/docker/cli-plugins", "/usr/libexec/docker/cli-plugins",
            "/usr/lib/docker/cli-plugins")  # fmt: skip


def main() -> int:
    told = _options()
    if why_not := missing(told.base or default_base()):
        print(why_not, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="podium-image-") as temporary:
        context, secrets = Path(temporary) / "context", Path(temporary) / "secrets"
        context.mkdir()
        secrets.mkdir(mode=0o700)
        collect(context, told.clients)
        command = [
            "docker",
            "buildx",
            "build",
            "--load",
            "--provenance=false",
            "-f",
            f"{context}/runtime_images/podium/Dockerfile",
        ]
        command += ["--tag", told.tag, *_build_args(told), *_secrets(secrets, told.ca), str(context)]
        done = subprocess.run(command)
    if done.returncode == 0 and told.push:
        done = subprocess.run(["docker", "push", told.tag])
    return done.returncode


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tag", default="podium:dev", help="name of the image, with the registry it is pushed to")
    parser.add_argument("--base", default="", help="Debian image with Python and venv; the Dockerfile's without it")
    parser.add_argument("--apt-mirror", default="", help="URL with debian/ below it")
    parser.add_argument(
        "--ca", default="", help="file of CA certificates for the package index; without it the system's"
    )
    parser.add_argument(
        "--clients", action="store_true", help="put this machine's docker and buildx clients in, for builders"
    )
    parser.add_argument("--push", action="store_true", help="push it when it is built")
    return parser.parse_args()


def default_base() -> str:
    """What the Dockerfile begins with unless it is told otherwise."""
    lines = Path(__file__).with_name("Dockerfile").read_text().splitlines()
    return next(line.removeprefix("ARG BASE=") for line in lines if line.startswith("ARG BASE="))


def missing(base: str) -> str:
    """Why the build cannot begin with this image, and what to write instead; "" when it can. Asked before, as BuildKit tells it
    in many words after some time."""
    try:
        if subprocess.run(["docker", "image", "inspect", base], capture_output=True).returncode == 0:
            return ""
        asked = ["docker", "buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}", base]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=_ANSWER)
        if done.returncode == 0:
            return ""
        said = (done.stderr.strip().splitlines() or ["it says nothing"])[-1].removeprefix("ERROR: ")
    except FileNotFoundError:
        return "there is no docker on PATH; install Docker with its buildx plugin"
    except subprocess.TimeoutExpired:
        said = f"no answer within {_ANSWER} seconds"
    return (
        f"the base image {base} is not in this Docker engine, and its registry does not give it ({said[:300]}); name a Debian "
        "image with Python 3.11 or newer and venv that is there: make image BASE=NAME"
    )


def collect(context: Path, clients: bool) -> None:
    """Everything that the Dockerfile copies, and nothing else."""
    for name in _PACKAGES:
        shutil.copytree(ROOT / name, context / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in _FILES:
        shutil.copy(ROOT / name, context / name)
    (context / "requirements.txt").write_text("\n".join(requirements()) + "\n")
    (context / "clients").mkdir()
    if clients:
        _copy_clients(context / "clients")


def requirements() -> list[str]:
    """What pyproject.toml asks for, with the extras of the image."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    return [*project["dependencies"], *(line for name in EXTRAS for line in extras.get(name, ()))]


def pip_settings(listed: str) -> str:
    """A pip.conf from the output of `pip config list`. Of several sources pip names the strongest last."""
    found: dict[str, str] = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        key = name.rpartition(".")[2]
        words = str(ast.literal_eval(value)).split() if value[:1] in "'\"" else value.split()
        kept = [word for word in words if not word.startswith(("file:", "/"))]
        if key in _PIP and kept:
            found[key] = " ".join(kept)
    return "[global]\n" + "".join(f"{key} = {value}\n" for key, value in found.items())


def _secrets(place: Path, ca: str) -> list[str]:
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True)
    (place / "pip.conf").write_text(pip_settings(listed.stdout))
    certificates = ca or _own_certificates(listed.stdout)
    options = ["--secret", f"id=pip,src={place}/pip.conf"]
    return [*options, "--secret", f"id=ca,src={certificates}"] if certificates else options


def _own_certificates(listed: str) -> str:
    """The bundle that pip uses on this machine, "" for its own."""
    named = [
        line.partition("=")[2].strip("'\"") for line in listed.splitlines() if line.partition("=")[0].endswith(".cert")
    ]
    return named[-1] if named else ""


def _build_args(told: argparse.Namespace) -> list[str]:
    values = {"BASE": told.base, "APT_MIRROR": told.apt_mirror} | {name: os.environ.get(name, "") for name in _PROXIES}
    return [word for name, value in values.items() if value for word in ("--build-arg", f"{name}={value}")]


def _copy_clients(place: Path) -> None:
    """`docker` and its plugin as they are here; the base image must be able to run them."""
    docker = shutil.which("docker") or sys.exit("there is no docker on PATH")
    plugin = next((path for name in _PLUGINS if (path := Path(name).expanduser() / "docker-buildx").is_file()), None)
    if plugin is None:
        sys.exit("there is no docker-buildx plugin on this machine")
    (place / "bin").mkdir()
    shutil.copy(os.path.realpath(docker), place / "bin" / "docker")
    (place / "lib" / "docker" / "cli-plugins").mkdir(parents=True)
    shutil.copy(os.path.realpath(plugin), place / "lib" / "docker" / "cli-plugins" / "docker-buildx")


if __name__ == "__main__":
    sys.exit(main())
