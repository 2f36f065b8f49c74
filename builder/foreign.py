"""An author's own Dockerfile, judged before it is built: what would let the build out of its confinement or into another
Space's things is refused with its line. Owns the reading of instructions; pure. What is allowed is BuildKit's business."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from builder.errors import Fault
from builder.text import shown

SIZE_LIMIT = 1 << 20  #: bytes
_DIRECTIVE = re.compile(r"\s*(?:#|//)\s*(syntax|escape)\s*=\s*(.*?)\s*", re.IGNORECASE | re.DOTALL)
_SPACE = re.compile(r"[\t\v\f\r ]+")
_HEREDOC = re.compile(r"[0-9]*<<(-?)([\"']?)([A-Za-z_][A-Za-z0-9_]*)\2")
_UNSURE = frozenset("\"'\\`$()")
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
    found: list[str] = []
    for escape in _escapes(text):  # the builder and we may differ about which character continues a line
        found = [
            _judged(instruction, name) for instruction in instructions(text, name, escape, _is_plain(text, escape))
        ]
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


def instructions(text: str, name: str = "Dockerfile", escape: str = "", skip: bool = True) -> Iterator[Instruction]:
    """The instructions of a Dockerfile as BuildKit reads it: continued lines joined, comments left out, and here-documents unless
    `skip` is False: then each line of one may be an instruction. `escape`: continues a line; "": as the file says. Raises Fault
    for a `syntax` directive: it names a program that is fetched and run to build the image."""
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    _refuse_frontend(lines, name)
    escape = escape or _escapes(text)[-1]
    mark = re.escape(escape)
    continued = re.compile(rf"(?:^|(?<!{mark})){mark}[ \t]*$")
    number = 0
    while number < len(lines):
        began, words = number + 1, ""
        while number < len(lines):
            line = lines[number]
            number += 1
            if line.lstrip().startswith("#") or not line.strip():
                began += 0 if words else 1
                continue
            bare = continued.sub("", line)
            words += bare
            if bare == line:
                break
        if not words.strip():
            continue
        instruction = _parsed(words.strip(), began)
        if skip and instruction.word in ("RUN", "COPY", "ADD"):
            for tabs, ends in _heredocs(instruction.rest) or ():
                while number < len(lines) and (lines[number].lstrip("\t") if tabs else lines[number]) != ends:
                    number += 1
                number += 1
        yield instruction


def _heredocs(rest: str) -> list[tuple[bool, str]] | None:
    """(whether tabs before its end do not count, its end) of each here-document of an instruction; None where a shell's quotes
    decide whether there are any."""
    if "<<" not in rest:
        return []
    words = rest.split()
    found = [_HEREDOC.fullmatch(word) for word in words if "<<" in word]
    if not all(found) or any(_UNSURE.intersection(word) for word in words if "<<" not in word):
        return None
    return [(bool(match[1]), match[3]) for match in found if match]


def _is_plain(text: str, escape: str) -> bool:
    """Whether it is certain where each here-document begins and ends."""
    found = [
        one for one in instructions(text, escape=escape, skip=False) if one.word in ("RUN", "COPY", "ADD", "ONBUILD")
    ]
    return all(_heredocs(one.rest) is not None for one in found)


def _refuse_frontend(lines: list[str], name: str) -> None:
    """BuildKit looks for one behind a first line of `#!`, after `//`, and in JSON, too."""
    for number, match in _directives(lines):
        if match[1].lower() == "syntax":
            message = f"`# syntax={shown(match[2])}` is refused: the builder's own frontend is used; remove the line"
            raise Fault("DOCKERFILE", message, name, number)
    if "\n".join(lines[:2]).lstrip().startswith("{") or (lines[0].startswith("#!") and "{" in "".join(lines[1:2])):
        raise Fault("DOCKERFILE", "the file begins with {; write instructions, the first of them FROM", name, 1)


def _directives(lines: list[str]) -> list[tuple[int, re.Match[str]]]:
    """The directives above the first instruction, each with the number of its line. BuildKit heeds fewer."""
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith(("#", "//")):
            break
        if match := _DIRECTIVE.fullmatch(line):
            found.append((number, match))
    return found


def _escapes(text: str) -> list[str]:
    """The characters that may continue a line, the likeliest last."""
    named = [match[2] for _, match in _directives(text.split("\n")) if match[1].lower() == "escape"]
    return ["\\", "`"] if "`" in named else ["\\"]


def _parsed(words: str, line: int) -> Instruction:
    word, *rest = _SPACE.split(words, maxsplit=1)
    flags, rest = _flags(rest[0] if rest else "")
    return Instruction(word.upper(), flags, rest, line)


def _flags(text: str) -> tuple[tuple[tuple[str, str], ...], str]:
    """The words in front that begin with two dashes, without quotes and backslashes as BuildKit takes them away, and the rest."""
    found, at = [], 0
    while (at := at + len(text[at:]) - len(text[at:].lstrip())) < len(text) and text.startswith("--", at):
        word, quote = "", ""
        while at < len(text) and (quote or not text[at].isspace()):
            char = text[at]
            at += 1
            if char == quote:
                quote = ""
            elif char in "\"'" and not quote:
                quote = char
            else:
                if char == "\\" and at < len(text):
                    char, at = text[at], at + 1
                word += char
        name, _, value = word.removeprefix("--").partition("=")
        if not name:
            break
        found.append((name, value))
    return tuple(found), text[at:].strip()
