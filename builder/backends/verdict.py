"""Why an image was not built or may not run, as one sentence for whoever can mend it: the author, or the admin. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping
from platform import machine

from builder import foreign
from builder.backends import explain
from builder.backends.rawjson import Progress
from builder.errors import Fault, TransientError
from builder.plan import Plan
from builder.request import Bounds
from builder.text import masked, shown

Steps = Iterable[tuple[int, str]]  #: bytes that a step added, and its words
_ENGINE_ARCH = {"x86_64": "amd64", "aarch64": "arm64"}
_OURS = re.compile(
    r"no space left on device|Cannot connect to the Docker daemon|error reading from server|transport is closing|"
    r"context deadline exceeded|i/o timeout|TLS handshake|x509|unknown flag|permission denied while trying to connect|"
    r"could not (?:find|resolve) builder|no builder",
    re.IGNORECASE,
)
_NETWORK = re.compile(r"Temporary failure|Could not (?:resolve|connect)|Failed to fetch|Unable to fetch", re.IGNORECASE)
_EXIT = re.compile(r"(?:exit code: |exit status )(\d+)")
_NO_IMAGE = re.compile(
    r"pull access denied|failed to (?:resolve source metadata|do request|authorize)|not found: manifest|manifest unknown|"
    r"repository does not exist|: not found$|invalid reference format|could not parse reference|"
    r"no match for platform|no matching manifest|unexpected status",
    re.IGNORECASE | re.MULTILINE,
)
_WHY_NO_IMAGE = (
    (r"no match for platform|no matching manifest", "has no variant for linux/{}", "use an image for this processor"),
    (r"invalid reference format|could not parse", "has a name that no image can have", "is it spelled right, in lower case?"),
    (r"no such host|connection refused|network is unreachable|i/o timeout", "cannot be had: its registry does not answer",
     "is the registry's name spelled right, and may this Podium reach it?"),
    (r"may require|unauthorized|authentication required|forbidden|no basic auth|\b40[13]\b",
     "is not there or not public", "builds have no passwords for registries; use a public image"),
    (r"not found|manifest unknown|does not exist", "is not there", "is its tag spelled right?"),
)  # fmt: skip


def architecture() -> str:
    """What images call the processor of this machine."""
    return _ENGINE_ARCH.get(machine(), machine())


def limit(reason: str, phase: str, bounds: Bounds) -> Fault:
    """The fault of a build that was ended for its time or memory."""
    return explain.limit(reason, phase, bounds.timeout, bounds.memory)


def failed(progress: Progress, plan: Plan, text: str, authors: str, python: str) -> Fault | TransientError:
    """The cause of a failed build. `text`: the Dockerfile; `authors`: its path when the author wrote it, else ""."""
    said = progress.failed or next((line for line in progress.plain if "error" in line.lower()), "")
    whole = "\n".join([said, *progress.plain])
    output = "\n".join(progress.output)
    number = _EXIT.search(said)
    if _OURS.search(whole) and not number:
        return TransientError(f"the image cannot be built: {shown(masked(said.strip()), 300)}")
    if number and number[1] == "137":
        return Fault("BUILD_OOM", "a step of the build was killed, most likely for memory", authors)
    if "no space left on device" in output.lower() or "No space left" in output:
        return TransientError("the disk of the Docker engine is full")
    if authors:
        return _authors(said, whole, output, text, authors)
    if cause := _packages(output):
        return cause
    if number:
        return explain.explain(output, [*plan.lines, *plan.constraints], python)
    return TransientError(f"the image cannot be built: {shown(masked(said.strip() or whole.strip()), 300)}")


def _packages(output: str) -> Fault | TransientError | None:
    """What apt said of packages.txt."""
    found = re.search(r"^E: (?:Unable to locate package (\S+)|Package '(\S+)' has no installation candidate|"
                      r"Version '(\S+)' for '(\S+)' was not found)", output, re.MULTILINE)  # fmt: skip
    if found:
        name = found[1] or found[2] or f"{found[4]}={found[3]}"
        hint = "look the name up with `apt-cache search`; names differ between releases of Debian"
        return Fault("PACKAGE_NOT_FOUND", f"{shown(name)} is no Debian package here", "packages.txt", 0, hint)
    errors = re.findall(r"^E: (.*)", output, re.MULTILINE)
    if errors and _NETWORK.search(output):
        return TransientError(f"the Debian mirror cannot be used: {shown(masked(errors[0]), 200)}")
    if errors:
        return Fault("PACKAGES", f"apt cannot install them: {shown(masked(errors[0]), 300)}", "packages.txt")
    return None


def _authors(said: str, whole: str, output: str, text: str, name: str) -> Fault:
    parse = re.search(r"[Dd]ockerfile parse error (?:on )?line (\d+): (.*)", whole)
    if parse:
        return Fault("DOCKERFILE", shown(parse[2], 300), name, int(parse[1]))
    steps = list(foreign.instructions(text, name))
    if missing := re.search(r"\"?(/[^\s\":]+)\"?:? (?:not found|no such file or directory)", said):
        path = missing[1].lstrip("/")
        line = next((s.line for s in steps if s.word in ("COPY", "ADD") and path in s.rest), 0)
        return Fault(
            "DOCKERFILE", f"{shown(path)} is not in the repo", name, line, "is it committed, or in .dockerignore?"
        )
    if number := _EXIT.search(said):
        line = next((s.line for s in steps if s.word == "RUN" and s.rest and _same(s.rest, said)), 0)
        last = next((line for line in reversed(output.splitlines()) if line.strip()), "")
        why = f": {shown(masked(last.strip()), 200)}" if last else ""
        return Fault("DOCKER_BUILD", f"a command ended with exit code {number[1]}{why}", name, line)
    if _NO_IMAGE.search(whole):
        return _no_image(whole, steps, name)
    return Fault("DOCKER_BUILD", f"the build failed: {shown(masked(_first(said or whole)), 300)}", name)


def _no_image(whole: str, steps: list[foreign.Instruction], name: str) -> Fault:
    """An image that the Dockerfile names and that cannot be had, by the words of whoever was asked for it."""
    named = [(s.line, word) for s in steps for word in _images(s) if _speaks_of(whole, word)]
    line, what = named[0] if named else (0, "an image")
    for words, why, hint in _WHY_NO_IMAGE:
        if re.search(words, whole, re.IGNORECASE):
            code = "DOCKER_ARCH" if "variant" in why else "DOCKER_BASE"
            return Fault(code, f"the image {shown(what)} {why.format(architecture())}", name, line, hint)
    return Fault("DOCKER_BASE", f"the image {shown(what)} cannot be had", name, line, "is its name spelled right?")


def _images(step: foreign.Instruction) -> list[str]:
    return step.rest.split(" ")[:1] if step.word == "FROM" else [value for flag, value in step.flags if flag == "from"]


def _speaks_of(whole: str, image: str) -> bool:
    """Whether an error is about this image: it says its name, or the path that its registry was asked for."""
    name = re.sub(r"(?:@sha256:\w+|:[\w.-]+)$", "", image)
    host, _, rest = name.partition("/")
    repository = rest if rest and re.search(r"[.:]|^localhost$", host) else name
    return image in whole or f"/{repository}/manifests/" in whole


def _same(rest: str, said: str) -> bool:
    """Whether an error speaks of this command; BuildKit joins continued lines in its own way."""

    def bare(value: str) -> str:
        return re.sub(r"[\s\\\"]+", "", value)

    return bare(rest)[:200] in bare(said)


def _first(text: str) -> str:
    return re.sub(r"^(?:ERROR: )?(?:failed to solve(?: with frontend \S+)?: )*", "", text.strip()).splitlines()[0]


def check_image(about: Mapping, size_limit: int, name: str, steps: Callable[[], Steps] = tuple) -> None:
    """Raises Fault when the image of an author's Dockerfile could not run here. `steps`: what each step added, asked for when
    the image is too large."""
    config = about.get("Config") or {}
    if not config.get("Cmd") and not config.get("Entrypoint"):
        hint = 'end it with a line such as CMD ["python", "app.py"]'
        raise Fault("DOCKER_CMD", "the image says not what to start: there is no CMD and no ENTRYPOINT", name, 0, hint)
    size = about.get("Size", 0)
    if size > size_limit:
        words = f"the image has {size / 1024**3:.1f} GiB; at most {size_limit / 1024**3:.1f} GiB are allowed"
        if largest := _largest(steps()):
            words += f"; most is of {largest}"
        raise Fault(
            "IMAGE_SIZE", words, name, 0, "start from a smaller image, and remove caches in the step that fills them"
        )
    arch, here = about.get("Architecture", ""), architecture()
    if arch and arch != here:
        raise Fault("DOCKER_ARCH", f"the image is for {shown(arch)}; this machine is {here}", name)


def _largest(steps: Steps, count: int = 3) -> str:
    """The steps that added most, as a Dockerfile writes them."""
    most = sorted((one for one in steps if one[0] > 0), key=lambda one: -one[0])[:count]
    return ", ".join(f"`{shown(masked(_written(words)), 60)}` ({size / 1024**2:,.0f} MiB)" for size, words in most)


def _written(words: str) -> str:
    words = re.sub(
        r"^(?:RUN )?(?:\|\d+ \S.*? )?/bin/sh -c (?:#\(nop\) +)?",
        lambda hit: "" if "#(nop)" in hit[0] else "RUN ",
        words,
    )
    return " ".join(words.removesuffix("# buildkit").split())
