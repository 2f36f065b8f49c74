"""A Plan becomes an image of the Docker engine. Owns which images are shared and how they are named, and the contexts of builds.
Running them is `buildx.py`'s, their text `dockerfile.py`'s; with a registry `pushed.py` does some steps its own way.

    podium-runtime:<hash of base and launcher>   what every app stands on
    podium-deps:<hash of that, lock, packages>   shared by all Spaces that ask for the same
    podium-app:<image id>                        the author's files on it"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import runtime_images
from builder import dockerfile, foreign
from builder.backends import engine, uv, verdict
from builder.backends.buildx import Buildx
from builder.backends.lock import Lock
from builder.config import Config
from builder.errors import Fault, FaultKind
from builder.layer import AppFiles
from builder.phases import BASE, BUILD, INSTALL
from builder.plan import SCHEMA, Plan, digest
from builder.request import Request

_RUNTIME = Path(runtime_images.__file__).parent
_LAUNCHER = sorted(f"launcher/{path.name}" for path in (_RUNTIME / "launcher").glob("*.py"))
DOCKERFILE = "python/Dockerfile"
#: Files of which base images are made, beside that.
CONTEXT = ("launch.py", *_LAUNCHER, "static_server.py", "site/sitecustomize.py", "prepare.sh")


class ImageMaker(Buildx):
    """Makes the images of one build. Raises Fault and TransientError."""

    def __init__(self, request: Request, plan: Plan, deadline: float, say: Callable[[str], None], work: Path) -> None:
        super().__init__(request, plan, deadline, say, work)
        self.versions: dict[str, str] = {}
        self.previous: dict[str, str] = {}

    def find(self, tag: str) -> dict | None:
        """What is known of an image of ours, None when there is none of this name."""
        return engine.image(tag)

    def named(self, tag: str) -> str:
        """What builds call an image of ours."""
        return tag

    def publish(self, tag: str) -> None:
        """Have an image that was built where it is to be kept."""

    def close(self) -> None:
        """To be called when the build has ended."""

    # ------------------------------------------------------------------------------------------------- the three

    def app(self, files: AppFiles, base: str, name: str, config: Config) -> str:
        """The reference of the image of the app's files, put on `base` (or by the author's own Dockerfile when that is "").
        `name`: hash of all that decides what is in it."""
        tag = f"podium-app:{name}"
        about = self.find(tag)
        if about:
            self.say("--> The same files were built before, CACHED")
            if not base:
                verdict.check_image(
                    about, self.images.limit, config.app_file or "Dockerfile", lambda: engine.steps(tag)
                )
            return about["Id"]
        if not base:
            return self._foreign(files.context() / "app", tag, config)
        return self._put_on(files, base, tag)

    def _put_on(self, files: AppFiles, base: str, tag: str) -> str:
        text = dockerfile.app(base, self._links(), self._labels("app", deps=base))
        return self._build(
            files.context(), text, tag, "files", lambda step: "" if _is_from(step) else "the app's files"
        )

    def plan_base(self, config: Config) -> str:
        """Name of the image that the app's files are put on: made now, or found."""
        runtime, base = self.runtime(config)
        if not self.plan.installs:
            return runtime
        self.python, self.target = base.python, base.target()
        declared = digest("declared image", self._declared(), runtime, list(self.plan.packages))
        known = self.request.previous
        if not self.request.fresh and known.get("declared") == declared:
            tag = f"podium-deps:{known.get('environment', '')}"
            about = self.find(tag)
            if about:
                self.say("--> Packages as before, CACHED")
                self._found(about, declared, tag)
                return tag
        self.say(f"--> Python {base.python}")
        lock = self._locked(declared, uv.own_python()[0], base.python)
        scope = self.request.space_id if lock.own_code else ""
        salt = self.request.key if self.request.fresh else ""
        name = digest("deps", SCHEMA, runtime, lock.text, list(self.plan.packages), scope, salt)
        tag = f"podium-deps:{name}"
        with self._exclusive(name):
            about = self.find(tag)
            if about:
                self.say("--> Packages were installed before, CACHED")
            else:
                self._dependencies(runtime, tag, lock)
                about = self.find(tag) or {}
        self._found(about, declared, tag)
        return tag

    def runtime(self, config: Config) -> tuple[str, engine.Base]:
        """The image that everything else stands on: its name, and the facts of the admin's base image below it."""
        base = engine.base(self.base_name(), self.shelf / "bases")
        self.check_python(base.python, config)
        tag = f"podium-runtime:{self.runtime_hash(base.id)}"
        if not self.find(tag):
            with self._exclusive(tag.replace(":", "-")):
                if not self.find(tag):
                    self._make_runtime(base.name, tag, {})
        return tag, base

    def _found(self, about: dict, declared: str, tag: str) -> None:
        self.versions = json.loads(bytes.fromhex(engine.labels_of(about).get("podium.versions", "7b7d")))
        self.previous = {"declared": declared, "environment": tag.partition(":")[2]}

    def base_name(self) -> str:
        """The admin's base image, of the Python that the author asked for where the name leaves that open."""
        own = uv.own_python()[1].rpartition(".")[0]
        return self.images.base.replace("{python}", self._minor() or own)

    def check_python(self, python: str, config: Config) -> None:
        """Raises Fault PYTHON_VERSION when the author asked for another than the base image has."""
        has, minor = python.rpartition(".")[0], self._minor()
        requires = self.plan.python.removeprefix("requires:") if self.plan.python.startswith("requires:") else ""
        if requires and not uv.satisfies(python, requires):
            raise Fault(
                "PYTHON_VERSION",
                f"requires-python is {requires!r}; this Podium builds with Python {python}",
                "pyproject.toml",
                0,
                "write a wider requires-python, or python_version in README.md, or ask the admin for another base image",
                FaultKind.CONFIG,
            )
        if minor and has != minor:
            raise Fault(
                "PYTHON_VERSION",
                f"Python {minor} is not what this Podium builds with; it has {python}",
                "README.md",
                config.line("python_version"),
                f"write python_version: '{has}', or ask the admin for another base image",
                FaultKind.CONFIG,
            )

    def _minor(self) -> str:
        wanted = "" if self.plan.python.startswith("requires:") else self.plan.python
        return ".".join(wanted.split(".")[:2])

    def runtime_hash(self, base: str) -> str:
        """Names the base with the launcher on it by all that decides what it is."""
        content = [(name, (_RUNTIME / name).read_text()) for name in (*CONTEXT, DOCKERFILE)]
        return digest("runtime", base, content, self._bundle().hex(), self.images.apt_mirror)

    def _bundle(self) -> bytes:
        return Path(self.request.index.ca_bundle).read_bytes() if self.request.index.ca_bundle else b""

    def _make_runtime(self, base: str, tag: str, facts: dict[str, str]) -> None:
        self.phases.begin(BASE)
        context = self.work / "runtime"
        context.mkdir(exist_ok=True)
        for name in CONTEXT:
            (context / name).parent.mkdir(exist_ok=True)
            (context / name).write_bytes((_RUNTIME / name).read_bytes())
        (context / "ca-bundle.crt").write_bytes(self._bundle())
        text = (_RUNTIME / DOCKERFILE).read_text()
        arguments = {"BASE": base, "APT_MIRROR": self.images.apt_mirror}
        labels = self._labels("runtime", **facts)
        self._build(context, text, tag, "preparing the base image", lambda step: "the base image", arguments, labels)
        self.publish(tag)

    def _dependencies(self, runtime: str, tag: str, lock: Lock) -> None:
        self.phases.begin(INSTALL)
        context = self.work / "deps"
        context.mkdir(exist_ok=True)
        (context / "lock.txt").write_text(lock.text + "\n")
        shutil.copy2(uv.binary(), context / "uv")
        versions = uv.versions(lock.text)
        cache = f"podium-{digest(self.images.caches, self.request.space_id if lock.own_code else '')}"
        labels = self._labels("deps", versions=json.dumps(versions).encode().hex())
        text = dockerfile.dependencies(
            self.named(runtime), self.plan.packages, bool(versions), lock.own_code, cache, labels
        )
        secret = self.work / "index.sh"
        secret.write_text(uv.exports(self.request.index))

        def shown(step: str) -> str:
            return (
                "packages.txt" if "apt-get" in step else f"installing {len(versions)} packages" if "uv" in step else ""
            )

        self._build(context, text, tag, "installing the packages", shown, secrets={"index": secret})
        self.publish(tag)

    def _foreign(self, source: Path, tag: str, config: Config) -> str:
        """The image of the author's own Dockerfile."""
        self.phases.begin(BUILD)
        name = config.app_file or "Dockerfile"
        data = (source / name).read_bytes()
        foreign.check(data, name)
        hints = foreign.secrets_as_arguments(data, self.request.secrets, name)
        for hint in hints:
            self.say(f"WARNING {hint}")
        secrets = {}
        for key, value in self.request.secrets.items():
            secrets[key] = self.work / f"secret-{len(secrets)}"
            secrets[key].write_bytes(value.encode())
        words = ["--network", self.images.network] if self.images.network != "default" else []
        image_id = self._build_foreign(
            hints, source, data.decode("utf-8-sig", "replace"), tag, "running the Dockerfile", str, self._arguments(),
            self._labels("app"), secrets, words, name,
        )  # fmt: skip
        return self._checked(image_id, tag, name)

    def _arguments(self) -> dict[str, str]:
        """The Space's variables, but for those that tell the builder itself, such as which frontend to fetch and run."""
        return {name: value for name, value in self.request.variables.items() if not name.startswith("BUILDKIT_")}

    def _build_foreign(self, hints: list[str], *words) -> str:
        """As `_build`; a command that failed may have wanted what `hints` tell of."""
        try:
            return self._build(*words)
        except Fault as fault:
            if fault.code == "DOCKER_BUILD" and not fault.hint and hints:
                fault.hint = hints[0]
            raise

    def _checked(self, image_id: str, tag: str, name: str) -> str:
        """The reference of an author's image, once it was found to be one that can run here."""
        verdict.check_image(engine.image(image_id) or {}, self.images.limit, name, lambda: engine.steps(image_id))
        return image_id


def _is_from(step: str) -> bool:
    return step.startswith("FROM ")
