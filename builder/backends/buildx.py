"""Running `docker buildx build` for one build: its words, its time and memory, its log, whose passwords it is given, and that two
builds do not make the same image at once. What is built is `buildkit.py`'s affair, why it failed `verdict.py`'s."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from builder.backends import credentials, engine, verdict
from builder.backends.lock import Resolver
from builder.backends.rawjson import Progress
from builder.backends.shelf import exclusive
from builder.errors import TransientError
from builder.phases import WAIT
from builder.plan import Plan, digest
from builder.process import Limits, Outcome, run
from builder.request import Images, Request

_LINKED_SINCE = (0, 10)  #: the first BuildKit whose own frontend knows COPY --link


class Buildx(Resolver):
    """Builds for one request. Raises Fault and TransientError."""

    def __init__(self, request: Request, plan: Plan, deadline: float, say: Callable[[str], None], work: Path) -> None:
        super().__init__(request, plan, deadline, say, work)
        assert request.images is not None
        self.images: Images = request.images
        self.shelf = request.folder("images")
        self.python = ""
        self._asked: dict[str, str] = {}

    def _output(self, tag: str, answer: Path, foreign: bool) -> list[str]:
        """Words that say what becomes of the image. `answer`: file for its id; `foreign`: an author wrote the Dockerfile."""
        return ["--load", "-t", tag, "--iidfile", str(answer)]

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
        output: list[str] | None = None,
    ) -> str:
        """Build and return the image's id where the engine has it. `authors`: path of the author's own Dockerfile, "" where
        the text is ours. `output`: words instead of the usual."""
        place = self.work / f"{tag.replace(':', '-').replace('/', '-')}.Dockerfile"
        place.write_text(text)
        answer = place.with_suffix(".iid")
        command = ["docker", "buildx", "build", "--progress=rawjson", "--provenance=false", "-f", str(place)]
        command += [*(output or self._output(tag, answer, bool(authors))), *(words or []), *self._builder()]
        proxies = {key: value for key, value in engine.environment().items() if key.lower().endswith("_proxy")}
        for option, values in (("--build-arg", {**proxies, **(arguments or {})}), ("--label", labels)):
            command += [word for key, value in (values or {}).items() for word in (option, f"{key}={value}")]
        command += [word for key, file in (secrets or {}).items() for word in ("--secret", f"id={key},src={file}")]
        command += ["--no-cache"] if self.request.fresh and (authors or secrets) else []  # not our own few files
        progress = Progress(self.say, name)
        outcome = self._docker([*command, str(context)], progress.feed, self._env(not authors))
        if outcome.reason:
            raise verdict.limit(outcome.reason, phase, self.request.bounds)
        if outcome.code:
            raise verdict.failed(progress, self.plan, text, authors, self.python)
        try:
            return answer.read_text().strip()
        except OSError:
            if "--iidfile" not in command:
                return ""
            raise TransientError("buildx ended well and named no image") from None

    def _env(self, trusted: bool) -> dict[str, str]:
        """The environment of `docker`. An author's Dockerfile names images: nobody's passwords for registries go with it."""
        env = engine.environment()
        named = self.images.registry_config
        if trusted and not named:
            return env
        home = env.get("DOCKER_CONFIG") or str(Path.home() / ".docker")
        env["BUILDX_CONFIG"] = env.get("BUILDX_CONFIG") or f"{home}/buildx"
        try:
            kept = credentials.read(named) if trusted else {}
        except ValueError as error:
            raise TransientError(f"{error}; see PODIUM_REGISTRY_CONFIG") from None
        told = {name: kept[name] for name in ("auths", "credHelpers", "credsStore") if kept.get(name)}
        place = self.work / ("docker-ours" if trusted else "docker")
        place.mkdir(exist_ok=True, mode=0o700)
        (place / "config.json").write_text(json.dumps({**told, "cliPluginsExtraDirs": [f"{home}/cli-plugins"]}))
        env["DOCKER_CONFIG"] = str(place)
        return env

    def _docker(self, command: list[str], feed: Callable[[str], None], env: dict[str, str]) -> Outcome:
        limits = Limits(self.deadline, self.request.bounds.memory)
        try:
            return run(command, str(self.work), env, limits, feed, clean=_text)
        except FileNotFoundError:
            raise TransientError("the program `docker` is not installed") from None

    def _exclusive(self, name: str) -> AbstractContextManager[None]:
        def wait() -> None:
            self.phases.begin(WAIT)
            self.say("--> Another build is making the same image, waiting for it")

        return exclusive(self.shelf, name, wait)

    def _labels(self, kind: str, **more: str) -> dict[str, str]:
        given = {engine.LABEL: self.images.owner, "podium.kind": kind}
        return given | {f"podium.{name}": value for name, value in more.items()}

    def _builder(self) -> list[str]:
        return ["--builder", self.images.builder] if self.images.builder else []

    def _inspect(self, word: str) -> str:
        """What buildx says about the builder in its line `word:`, in lower case; "" when it says nothing."""
        if not self._asked:
            words = ("buildx", "inspect", *([self.images.builder] if self.images.builder else []))
            lines = engine.docker(*words).stdout.lower().splitlines()
            self._asked = {"": ""} | {
                key.strip(): rest.strip() for key, _, rest in (li.partition(":") for li in reversed(lines))
            }
        return self._asked.get(word, "")

    def _links(self) -> bool:
        """Whether the engine's own frontend knows COPY --link. Asked once and kept."""
        place = self.shelf / f"buildkit-{digest(self.images.builder)}.txt"
        try:
            version = place.read_text()
        except OSError:
            version = self._inspect("buildkit version") or self._inspect("buildkit")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(version)
        numbers = version.lstrip("v").partition("+")[0].split(".")[:2]
        return all(part.isdigit() for part in numbers) and tuple(map(int, numbers)) >= _LINKED_SINCE


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").rstrip("\r\n")
