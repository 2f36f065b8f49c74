"""A Plan becomes an image: BuildKit through `docker buildx build`. Owns which images are shared and how they are named, the
contexts of builds, and running them. The text is `dockerfile.py`'s, the log `rawjson.py`'s, the causes `verdict.py`'s.

    podium-runtime:<hash of base and launcher>   what every app stands on
    podium-deps:<hash of that, lock, packages>   shared by all Spaces that ask for the same
    podium-app:<image id>                        the author's files on it"""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import runtime_images
from builder import dockerfile, foreign
from builder.backends import engine, uv, verdict
from builder.backends.lock import Lock, Resolver
from builder.backends.rawjson import Progress
from builder.backends.shelf import open_lock
from builder.config import Config
from builder.errors import Fault, FaultKind, TransientError
from builder.plan import SCHEMA, Plan, digest
from builder.process import Limits, Outcome, run
from builder.request import Images, Request

_RUNTIME = Path(runtime_images.__file__).parent
_CONTEXT = ("launcher.py", "static_server.py", "prepare.sh")
_LINKED_SINCE = (0, 10)  #: the first BuildKit whose own frontend knows COPY --link


class ImageMaker(Resolver):
    """Makes the images of one build. Raises Fault and TransientError."""

    def __init__(self, request: Request, plan: Plan, deadline: float, say: Callable[[str], None], work: Path) -> None:
        super().__init__(request, plan, deadline, say, work)
        assert request.images is not None
        self.images: Images = request.images
        self.shelf = request.folder("images")
        self.versions: dict[str, str] = {}
        self.python = ""
        self.previous: dict[str, str] = {}

    # ------------------------------------------------------------------------------------------------- the three

    def app(self, context: Path, base: str, name: str, config: Config) -> str:
        """The id of the image of the files in `context`/app, put on `base` (or by the author's own Dockerfile when that is
        ""). `name`: hash of all that decides what is in it."""
        tag = f"podium-app:{name}"
        about = engine.image(tag)
        if about:
            self.say("--> The same files were built before, CACHED")
            if not base:
                verdict.check_image(about, self.images.limit, config.app_file or "Dockerfile")
            return about["Id"]
        if not base:
            return self._foreign(context / "app", tag, config)
        text = dockerfile.app(base, self._links(), self._labels("app", deps=base))
        return self._build(context, text, tag, "files", lambda step: "" if _is_from(step) else "the app's files")

    def plan_base(self, config: Config) -> str:
        """Name of the image that the app's files are put on: made now, or found."""
        base = self.base(config)
        if not self.plan.installs:
            return self._runtime(base, "static")
        runtime = self._runtime(base, "python")
        self.python, self.target = base.python, base.target()
        declared = digest("declared image", self._declared(), runtime, list(self.plan.packages))
        known = self.request.previous
        if not self.request.fresh and known.get("declared") == declared:
            tag = f"podium-deps:{known.get('environment', '')}"
            about = engine.image(tag)
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
            about = engine.image(tag)
            if about:
                self.say("--> Packages were installed before, CACHED")
            else:
                self._dependencies(runtime, tag, lock)
                about = engine.image(tag) or {}
        self._found(about, declared, tag)
        return tag

    def _found(self, about: dict, declared: str, tag: str) -> None:
        self.versions = json.loads(bytes.fromhex(engine.labels_of(about).get("podium.versions", "7b7d")))
        self.previous = {"declared": declared, "environment": tag.partition(":")[2]}

    def base(self, config: Config) -> engine.Base:
        """The admin's base image, of the Python that the author asked for where the name leaves that open."""
        wanted = "" if self.plan.python.startswith("requires:") else self.plan.python
        minor = ".".join(wanted.split(".")[:2])
        own = uv.own_python()[1].rpartition(".")[0]
        base = engine.base(self.images.base.replace("{python}", minor or own), self.shelf / "bases")
        if minor and base.python.rpartition(".")[0] != minor:
            raise Fault(
                "PYTHON_VERSION",
                f"Python {minor} is not what this Podium builds with; it has {base.python}",
                "README.md",
                config.line("python_version"),
                f"write python_version: '{base.python.rpartition('.')[0]}', or ask the admin for another base image",
                FaultKind.CONFIG,
            )
        return base

    def _runtime(self, base: engine.Base, variant: str) -> str:
        """Name of the base with the launcher on it."""
        bundle = Path(self.request.index.ca_bundle).read_bytes() if self.request.index.ca_bundle else b""
        files = {name: (_RUNTIME / name).read_bytes() for name in (*_CONTEXT, f"{variant}/Dockerfile")}
        content = [(name, data.hex()) for name, data in sorted(files.items())]
        tag = f"podium-runtime:{digest('runtime', base.id, content, bundle.hex(), self.images.apt_mirror)}"
        if engine.image(tag):
            return tag
        with self._exclusive(tag.replace(":", "-")):
            if engine.image(tag):
                return tag
            context = self.work / f"runtime-{variant}"
            context.mkdir()
            for name in _CONTEXT:
                (context / name).write_bytes(files[name])
            (context / "ca-bundle.crt").write_bytes(bundle)
            text = files[f"{variant}/Dockerfile"].decode()
            arguments = {"BASE": base.name, "APT_MIRROR": self.images.apt_mirror}
            labels = self._labels("runtime")
            self._build(
                context, text, tag, "preparing the base image", lambda step: "the base image", arguments, labels
            )
        return tag

    def _dependencies(self, runtime: str, tag: str, lock: Lock) -> None:
        context = self.work / "deps"
        context.mkdir()
        (context / "lock.txt").write_text(lock.text + "\n")
        shutil.copy2(uv.binary(), context / "uv")
        versions = uv.versions(lock.text)
        cache = f"podium-{digest(self.images.caches, self.request.space_id if lock.own_code else '')}"
        labels = self._labels("deps", versions=json.dumps(versions).encode().hex())
        text = dockerfile.dependencies(runtime, self.plan.packages, bool(versions), lock.own_code, cache, labels)
        secret = self.work / "index.sh"
        secret.write_text(uv.exports(self.request.index))

        def shown(step: str) -> str:
            return (
                "packages.txt" if "apt-get" in step else f"installing {len(versions)} packages" if "uv" in step else ""
            )

        self._build(context, text, tag, "installing the packages", shown, secrets={"index": secret})

    def _foreign(self, source: Path, tag: str, config: Config) -> str:
        """The author's own Dockerfile."""
        name = config.app_file or "Dockerfile"
        data = (source / name).read_bytes()
        foreign.check(data, name)
        secrets = {}
        for key, value in self.request.secrets.items():
            secrets[key] = self.work / f"secret-{len(secrets)}"
            secrets[key].write_bytes(value.encode())
        words = ["--network", self.images.network] if self.images.network != "default" else []
        image_id = self._build(
            source, data.decode("utf-8-sig", "replace"), tag, "running the Dockerfile", str, self.request.variables,
            self._labels("app"), secrets, words, name,
        )  # fmt: skip
        verdict.check_image(engine.image(image_id) or {}, self.images.limit, name)
        return image_id

    # ---------------------------------------------------------------------------------------------------- building

    def _build(
        self,
        context: Path,
        text: str,
        tag: str,
        phase: str,
        name: Callable[[str], str],
        arguments: dict[str, str] | None = None,
        labels: dict[str, str] | None = None,
        secrets: dict[str, Path] | None = None,
        words: list[str] | None = None,
        authors: str = "",
    ) -> str:
        """Build and return the image's id. `authors`: path of the author's own Dockerfile, "" where the text is ours."""
        place = self.work / f"{tag.replace(':', '-')}.Dockerfile"
        place.write_text(text)
        answer = place.with_suffix(".iid")
        command = ["docker", "buildx", "build", "--progress=rawjson", "--load", "--provenance=false", "-t", tag]
        command += ["-f", str(place), "--iidfile", str(answer), *(words or [])]
        command += ["--builder", self.images.builder] if self.images.builder else []
        proxies = {key: value for key, value in engine.environment().items() if key.lower().endswith("_proxy")}
        for option, values in (("--build-arg", {**proxies, **(arguments or {})}), ("--label", labels)):
            command += [word for key, value in (values or {}).items() for word in (option, f"{key}={value}")]
        command += [word for key, file in (secrets or {}).items() for word in ("--secret", f"id={key},src={file}")]
        command += ["--no-cache"] if self.request.fresh and (authors or secrets) else []  # not our own few files
        progress = Progress(self.say, name)
        outcome = self._timed(phase, [*command, str(context)], progress, bool(authors))
        if outcome.reason:
            raise verdict.limit(outcome.reason, phase, self.request.bounds)
        if outcome.code:
            raise verdict.failed(progress, self.plan, text, authors, self.python)
        try:
            return answer.read_text().strip()
        except OSError:
            raise TransientError("buildx ended well and named no image") from None

    def _timed(self, phase: str, command: list[str], progress: Progress, foreign_code: bool) -> Outcome:
        env = engine.environment()
        if foreign_code:  # the Dockerfile names images: nobody's passwords for registries go with it
            env["BUILDX_CONFIG"] = (
                env.get("BUILDX_CONFIG") or f"{env.get('DOCKER_CONFIG') or Path.home() / '.docker'}/buildx"
            )
            plugins = str(Path(env.get("DOCKER_CONFIG") or Path.home() / ".docker") / "cli-plugins")
            config = self.work / "docker"
            config.mkdir(exist_ok=True)
            (config / "config.json").write_text(json.dumps({"cliPluginsExtraDirs": [plugins]}))
            env["DOCKER_CONFIG"] = str(config)
        began = time.monotonic()
        limits = Limits(self.deadline, self.request.bounds.memory)
        try:
            return run(command, str(self.work), env, limits, progress.feed, clean=_text)
        except FileNotFoundError:
            raise TransientError("the program `docker` is not installed") from None
        finally:
            self.phases[phase] = round(self.phases.get(phase, 0.0) + time.monotonic() - began, 3)

    @contextmanager
    def _exclusive(self, name: str):
        """One builder at a time makes an image; the others wait and find it."""
        try:
            handle = open_lock(self.shelf, name, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.say("--> Another build is making the same image, waiting for it")
            handle = open_lock(self.shelf, name, fcntl.LOCK_EX)
        try:
            yield
        finally:
            os.close(handle)

    def _labels(self, kind: str, **more: str) -> dict[str, str]:
        given = {engine.LABEL: self.images.owner, "podium.kind": kind}
        return given | {f"podium.{name}": value for name, value in more.items()}

    def _links(self) -> bool:
        """Whether the engine's own frontend knows COPY --link. Asked once and kept."""
        place = self.shelf / f"buildkit-{digest(self.images.builder)}.txt"
        try:
            version = place.read_text()
        except OSError:
            words = ("buildx", "inspect", *([self.images.builder] if self.images.builder else []))
            listed = engine.docker(*words).stdout.lower()
            version = next((line.split()[-1] for line in listed.splitlines() if "buildkit version:" in line), "")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(version)
        numbers = version.lstrip("v").partition("+")[0].split(".")[:2]
        return all(part.isdigit() for part in numbers) and tuple(map(int, numbers)) >= _LINKED_SINCE


def _is_from(step: str) -> bool:
    return step.startswith("FROM ")


def _base_step(step: str) -> str:
    return "preparing the base image" if step.startswith("RUN ") else ""


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").rstrip("\r\n")
