"""An author's own Dockerfile, judged before it is built: what would let the build out of its confinement or into another
Space's things is refused with its line. Owns the reading of instructions; pure. What is allowed is BuildKit's business."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from builder.errors import Fault
from builder.text import shown

SIZE_LIMIT = 1 << 20  #: bytes
_DIRECTIVE = re.compile(r"#\s*([a-zA-Z]+)\s*=\s*(.*?)\s*$")
_FLAG = re.compile(r"--([a-z-]+)(?:=(\S*))?")
_HEREDOC = re.compile(r"<<-?\s*([\"']?)(\w+)\1")
_REFUSED = {
    "security": "builds run without privileges",
    "network": "a build has the network that the admin gives it",
    "device": "builds have no devices",
}
#: Names of images and caches that Podium makes for itself.
_OURS = re.compile(r"(?:^|[=,/])podium-", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: its word in capitals, its flags (name, value), the rest, the line that it begins at."""

    word: str
    flags: tuple[tuple[str, str], ...]
    rest: str
    line: int


def check(data: bytes, name: str = "Dockerfile") -> None:
    """Raises Fault DOCKERFILE with the line of what cannot be built here."""
    if len(data) > SIZE_LIMIT:
        raise Fault("DOCKERFILE", f"the file has {len(data)} bytes; at most {SIZE_LIMIT} are read", name)
    text = data.decode("utf-8-sig", "replace")
    found = [_judged(instruction, name) for instruction in instructions(text, name)]
    if "FROM" not in found:
        raise Fault("DOCKERFILE", "there is no FROM; the first instruction names the image to begin with", name)


def secrets_as_arguments(data: bytes, names: Collection[str], name: str = "Dockerfile") -> list[str]:
    """A sentence for each secret of the Space that the Dockerfile expects as a build argument, which it never is: arguments
    stay readable in the image."""
    text = data.decode("utf-8-sig", "replace")
    return [
        f"{name}:{one.line}: {word} is a secret, and no secret is a build argument; write RUN --mount=type=secret,id={word} "
        f"and read /run/secrets/{word}"
        for one in instructions(text, name)
        if one.word == "ARG"
        for word in [one.rest.partition("=")[0].strip()]
        if word in names
    ]


def _judged(instruction: Instruction, name: str) -> str:
    def refuse(what: str, why: str) -> Fault:
        return Fault("DOCKERFILE", f"{shown(what)} is refused: {why}", name, instruction.line)

    for flag, value in instruction.flags:
        harmless = flag == "network" and value in ("default", "none") or flag == "security" and value == "sandbox"
        if instruction.word == "RUN" and flag in _REFUSED and not harmless:
            raise refuse(f"--{flag}={value}", f"{_REFUSED[flag]}; remove it")
        if flag in ("from", "mount") and _OURS.search(value if flag == "mount" else f"={value}"):
            raise refuse(f"--{flag}={value}", "names that begin with podium- are Podium's own; use another name")
    if instruction.word == "FROM" and _OURS.search("=" + instruction.rest.split(" ", 1)[0]):
        raise refuse(instruction.rest, "names that begin with podium- are Podium's own; use another image")
    if instruction.word == "ONBUILD":
        _judged(_parsed(instruction.rest, instruction.line), name)
    return instruction.word


def instructions(text: str, name: str = "Dockerfile") -> Iterator[Instruction]:
    """The instructions of a Dockerfile: continued lines joined, comments and here-documents left out. Raises Fault for a
    `syntax` directive: it is a program that is fetched and run to build the image."""
    lines = text.splitlines()
    number, escape = _directives(lines, name)
    while number < len(lines):
        began, words = number + 1, ""
        while number < len(lines):
            line = lines[number]
            number += 1
            if line.lstrip().startswith("#") or not line.strip():
                began += 0 if words else 1
                continue
            bare = line.rstrip()
            words += bare.removesuffix(escape) + " " if bare.endswith(escape) else bare
            if not bare.endswith(escape):
                break
        if not words.strip():
            continue
        instruction = _parsed(words.strip(), began)
        if instruction.word in ("RUN", "COPY", "ADD"):
            for match in _HEREDOC.finditer(instruction.rest):
                while number < len(lines) and lines[number].strip("\t") != match[2]:
                    number += 1
                number += 1
        yield instruction


def _directives(lines: list[str], name: str) -> tuple[int, str]:
    """Parser directives stand above everything else: the number of lines, and the character that continues a line."""
    escape = "\\"
    for number, line in enumerate(lines):
        match = _DIRECTIVE.match(line.strip())
        if not match:
            return number, escape
        word = match[1].lower()
        if word == "syntax":
            message = f"`# syntax={shown(match[2])}` is refused: the builder's own frontend is used; remove the line"
            raise Fault("DOCKERFILE", message, name, number + 1)
        if word == "escape" and match[2] == "`":
            escape = "`"
    return len(lines), escape


def _parsed(words: str, line: int) -> Instruction:
    word, _, rest = words.partition(" ")
    flags = []
    rest = rest.strip()
    while match := _FLAG.match(rest):
        flags.append((match[1], (match[2] or "").strip("\"'")))
        rest = rest[match.end() :].strip()
    return Instruction(word.upper(), tuple(flags), rest, line)
