"""One build from a Request to a result: look, parse, plan, make the environment, export, name the image. Owns the order of
the steps and the build's log lines; each step is somebody else's."""

import json
import secrets
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from builder import config, frontmatter, phases, plan, source
from builder.errors import Fault, FaultKind, TransientError
from builder.frontmatter import FILE as README
from builder.objects import Objects
from builder.phases import Phases
from builder.plan import Plan, digest
from builder.request import Request
from builder.text import shown

Say = Callable[[str], None]
README_LIMIT = 2 << 20  #: bytes of README.md that are read


class Build:
    """The state of one build. `say` gets the lines of its log, `tell` the name of each phase when it begins."""

    def __init__(self, request: Request, say: Say, tell: Callable[[str], None] = lambda name: None) -> None:
        self.request = request
        self.say = say
        self.phases = Phases(tell)
        self.warnings: list[str] = []
        self.config = config.Config()
        self.previous: dict[str, str] = dict(request.previous)
        self.finish: Callable[[], None] = lambda: None  #: what may be done after the result was handed over

    def result(self) -> dict[str, object]:
        """`image` or `fault`, `fault_kind`, `warnings`, `phases`, `previous`. Raises TransientError."""
        at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        self.say(f"===== Build started at {at} UTC / commit {self.request.revision[:7]} =====")
        answer: dict[str, object] = {"image": None, "fault": None, "fault_kind": FaultKind.BUILD}
        try:
            answer["image"] = self.image()
            self.say(f"DONE {self.phases.ended()['total']:.1f}s")
        except Fault as fault:
            where = {"code": fault.code, "message": fault.message, "where": fault.where, "hint": fault.hint}
            answer.update(fault=where, fault_kind=fault.kind)
            self.say(f"ERROR {fault}")
            if fault.hint and fault.hint not in fault.message:
                self.say(f"      {fault.hint}")
        seconds = self.phases.ended()
        return {**answer, "warnings": self.warnings, "phases": seconds, "previous": self.previous}

    def image(self) -> dict[str, object]:
        request = self.request
        self.phases.begin(phases.CLONE)
        with Objects(request.git_dir) as objects:
            bounds = request.bounds
            found = source.look(request.git_dir, request.revision, objects, bounds.files, bounds.source, request.large)
            self.warn(found.warnings)
            read = source.Reader(found, objects)
            self.say(f"--> Reading {README}")
            self.config = config.parse(readme(read))
            self.warn(self.config.warnings)
            self.warn(misspelt_readme(found))
            made = plan.make(self.config, read, request.docker)
            self.warn(made.warnings)
            if request.images:
                return self.pack(plan.open_to_others(made), found, objects)
            self.warn(missing_packages(made.packages))
            return self.assemble(made, found, objects)

    def pack(self, made: Plan, found: source.Source, objects: Objects) -> dict[str, object]:
        """The image as one of a container engine, where apps run in containers."""
        from builder.layer import AppFiles

        scratch = self.request.folder("build-tmp") / f"{self.request.key[:32]}-{secrets.token_hex(4)}"
        scratch.mkdir(parents=True, mode=0o755)
        maker = image_maker(self.request, made, self.deadline, self.say, scratch / "work")
        try:
            maker.work.mkdir()
            maker.phases = self.phases
            base = maker.plan_base(self.config) if made.argv else ""
            self.warn(maker.warnings)
            self.warn_of(source.pointers(found, objects))
            files = found.digest(whole=not made.installs)
            scope = "" if made.argv else self.request.space_id
            salt = self.request.key if self.request.fresh and not made.argv else ""
            inputs = [self.request.images.owner, made.sdk, base, files, scope, dict(self.request.variables), salt]
            tag = digest("app image", *inputs)
            self.phases.begin(phases.FILES)
            reference = maker.app(AppFiles(found, objects, scratch), base, tag, self.config)
            name = digest("image", reference, made.argv, dict(made.env), made.port, made.ready_path)
            self.previous = maker.previous
            version = maker.versions.get(plan.PACKS[made.sdk].PACKAGE, "")
        finally:
            maker.close()
            shutil.rmtree(scratch, ignore_errors=True)
        return {**self.described(name, made, "", "", version, maker.python), "reference": reference}

    def assemble(self, made: Plan, found: source.Source, objects: Objects) -> dict[str, object]:
        """Environment, files, and the image that is both."""
        environment, env_id, version, python = "", "", "", ""
        maker = None
        scratch = self.request.folder("build-tmp") / f"{self.request.key[:32]}-{secrets.token_hex(4)}"
        scratch.mkdir(parents=True, mode=0o755)
        try:
            if made.installs:
                from builder.backends.venv import Maker

                work = scratch / "uv"
                work.mkdir()
                maker = Maker(self.request, made, self.deadline, self.say, work)
                maker.phases = self.phases
                env = maker.make(self.config.line("python_version"))
                self.warn(maker.warnings)
                environment, env_id, python = env.path, env.id, env.python
                version = env.versions.get(plan.PACKS[made.sdk].PACKAGE, "")
                self.finish = partial(maker.finish, env)
                self.previous = {"declared": env.declared, "environment": env.id}
            self.phases.begin(phases.FILES)
            files = found.digest(whole=not made.installs)
            name = digest("image", made.sdk, made.argv, dict(made.env), made.port, made.ready_path, env_id, files)
            target = self.request.folder("apps") / self.request.space_id / name
            self.warn_of(source.export(found, objects, target, scratch))
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return self.described(name, made, str(target), environment, version, python)

    def described(
        self, name: str, made: Plan, target: str, environment: str, version: str, python: str
    ) -> dict[str, object]:
        """The image as JSON, the fields of `orchestrator.domain.seen.Image`."""
        return {
            "id": name,
            "sdk": made.sdk,
            "argv": list(made.argv),
            "env": dict(made.env),
            "port": made.port,
            "ready_path": made.ready_path,
            "startup_timeout": self.config.startup_timeout,
            "environment": environment,
            "source": target,
            "sdk_version": version,
            "python_version": python,
            "title": self.config.title,
            "base_path": self.config.base_path,
            "headers": dict(self.config.custom_headers),
            "embeddable": not self.config.disable_embedding,
        }

    def warn_of(self, pointers: tuple[str, ...]) -> None:
        if pointers:
            listed = ", ".join(pointers[:3]) + (" and more" if len(pointers) > 3 else "")
            self.warn(
                [f"{listed}: Git LFS pointers whose objects are not here; push them with `git lfs push --all origin`"]
            )

    @property
    def deadline(self) -> float:
        """When it must have ended, on the monotonic clock."""
        return self.phases.start + self.request.bounds.timeout

    def warn(self, sentences) -> None:
        for sentence in sentences:
            self.warnings.append(sentence)
            self.say(f"WARNING {sentence}")


def readme(read: source.Reader) -> str:
    """The text of README.md; whatever is wrong with the file is a fault of the configuration."""
    try:
        return frontmatter.decoded(read(README, README_LIMIT) or b"")
    except Fault as fault:
        fault.kind = FaultKind.CONFIG
        raise


def misspelt_readme(found: source.Source) -> list[str]:
    if README in found.files:
        return []
    near = [path for path in found.files if path.lower() == README.lower()]
    return [f"{shown(path)} is not read; rename it to {README}" for path in near[:1]]


def missing_packages(names: tuple[str, ...]) -> list[str]:
    """A warning for the Debian packages that this machine lacks. Apps run as its processes, so only its admin adds them."""
    if not names:
        return []
    bare = [name.partition("=")[0] for name in dict.fromkeys(names)]
    if not shutil.which("dpkg-query"):
        return [f"packages.txt: this machine has no Debian packages, so {', '.join(bare)} could not be looked for"]
    asked = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", "--", *bare]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
    there = {line.split()[0] for line in done.stdout.splitlines() if line.endswith(" installed")}
    lacking = [name for name in bare if name not in there]
    if not lacking:
        return []
    return [
        f"packages.txt: {', '.join(lacking)} not installed on this machine; its admin types: "
        f"apt-get install {' '.join(lacking)}"
    ]


def image_maker(request: Request, *more):
    """What makes images: in the Docker engine, or with a registry. Imported late, because apps as processes need neither."""
    if request.images.registry:
        from builder.backends.pushed import PushedMaker

        return PushedMaker(request, *more)
    from builder.backends.buildkit import ImageMaker

    return ImageMaker(request, *more)


def load(text: bytes) -> dict[str, object]:
    """The JSON object of a request. Raises TransientError."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise TransientError(f"cannot read the request: {error}") from None
