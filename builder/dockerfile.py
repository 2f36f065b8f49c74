"""A Plan as Dockerfile text: the image of its dependencies, and the image of the app on top of it. Pure; golden tests hold the
text whole. Needs no frontend newer than BuildKit's of 2020, so that any engine with BuildKit builds it, and no network but the
package index's and the Debian mirror's.

What the contexts hold is told with each function; what runs in these builds is uv and apt, never a file of the author's,
except where a package is built from source (then the cache is the Space's own)."""

from collections.abc import Mapping

VENV = "/opt/venv"
TOOLS = "/opt/podium"
#: Environment of every Python app image; the runtime sets PATH to the same.
PATH = f"{VENV}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def dependencies(
    base: str, packages: tuple[str, ...], locked: bool, own_code: bool, cache: str, labels: Mapping[str, str]
) -> str:
    """The image of a Plan's dependencies. `locked`: there is a lock to install; `cache`: word in the names of the cache
    mounts. The context holds lock.txt and uv, and `index.sh` is mounted as a secret: a package index may have a password."""
    parts = [f"FROM {base}", "USER 0:0"]
    if packages:
        parts.append(
            _run(
                (
                    f"--mount=type=cache,id={cache}-apt,target=/var/cache/apt,sharing=locked",
                    f"--mount=type=cache,id={cache}-lists,target=/var/lib/apt/lists,sharing=locked",
                ),
                (
                    "apt-get -q update",
                    "DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends -- "
                    + " ".join(dict.fromkeys(packages)),
                ),
            )
        )
    if locked:
        checked = "" if own_code else " --require-hashes --only-binary :all:"
        uv = f"{TOOLS}/build/uv"
        parts.append(
            _run(
                (
                    f"--mount=type=bind,target={TOOLS}/build",
                    f"--mount=type=cache,id={cache}-uv,target=/root/.cache/uv",
                    "--mount=type=secret,id=index",
                ),
                (
                    ". /run/secrets/index",
                    f"{uv} venv -q --no-config --no-project --python {TOOLS}/python {VENV}",
                    f"{uv} pip install --no-config --no-deps --compile-bytecode --link-mode copy --python {VENV}/bin/python"
                    f"{checked} -r {TOOLS}/build/lock.txt",
                ),
            )
        )
        parts.append(f"ENV VIRTUAL_ENV={VENV} PATH={PATH}")
    parts += ["USER 1000:1000", _labels(labels)]
    return "\n".join(parts) + "\n"


def app(base: str, linked: bool, labels: Mapping[str, str]) -> str:
    """The image of an app: the author's files, in the context below app/, on the image of its dependencies. `linked`: the
    builder knows `COPY --link`, which makes the layer independent of what is below it."""
    link = "--link " if linked else ""
    return "\n".join([f"FROM {base}", f"COPY {link}--chown=1000:1000 app/ /app/", _labels(labels)]) + "\n"


def _run(mounts: tuple[str, ...], commands: tuple[str, ...]) -> str:
    return "RUN " + " \\\n    ".join((*mounts, "set -e; " + "; \\\n    ".join(commands)))


def _labels(labels: Mapping[str, str]) -> str:
    """Last, so that they never keep a layer from being found again. Values are ours: no quotes, no line breaks."""
    return "LABEL " + " ".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
