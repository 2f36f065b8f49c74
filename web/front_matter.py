"""The front matter of a README as a form. Writing changes only the lines of the keys that changed: comments, order, unknown keys
and the text below stay as their author wrote them. What a key may be is the builder's to say."""

import json
import re
from dataclasses import dataclass

from builder import config, frontmatter
from builder.errors import Fault
from builder.keys import COLORS, SDKS
from orchestrator.domain.records import Space
from orchestrator.domain.space import MAIN
from orchestrator.errors import Invalid, Stale
from orchestrator.ports import Change
from web.page import Console
from web.session import Visit

FILE = "README.md"
_LIMIT = 1024 * 1024  #: bytes of a README
_BLOCK = re.compile(r"\A(\ufeff?---[ \t]*\r?\n)(.*?)(^---[ \t]*(?:\r?\n|\Z))", re.S | re.M)
_PLAIN = re.compile(r"[A-Za-z][\w./ -]*[\w./]|[A-Za-z]", re.ASCII)
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}  #: what YAML would not read as text


@dataclass(frozen=True, slots=True)
class Field:
    """One line of the form. `kind`: text | choice | flag | number | list."""

    key: str
    words: str
    kind: str = "text"
    choices: tuple[str, ...] = ()
    hint: str = ""
    limit: int = 200


FIELDS = (
    Field("title", "Title"),
    Field("emoji", "Emoji", limit=20),
    Field("short_description", "Short description", limit=60),
    Field("colorFrom", "Colour from", "choice", COLORS),
    Field("colorTo", "Colour to", "choice", COLORS),
    Field("sdk", "SDK", "choice", SDKS),
    Field("sdk_version", "SDK version", hint="the newest"),
    Field("python_version", "Python", hint="as Podium"),
    Field("app_file", "App file", hint="app.py, index.html"),
    Field("app_port", "App port", "number", hint="7860"),
    Field("tags", "Tags", "list", hint="image, french"),
    Field("license", "Licence", hint="apache-2.0"),
    Field("startup_duration_timeout", "Longest start", hint="30m"),
    Field("pinned", "Pinned", "flag"),
    Field("disable_embedding", "No embedding by other sites", "flag"),
)


def of_space(console: Console, space: Space, typed: dict[str, str] | None = None) -> dict[str, object]:
    """What the form shows: what is written, or what was typed and refused."""
    values = values_of(_text(console, space)[0])
    if typed is not None:
        values |= {field.key: typed.get(field.key, "") for field in FIELDS}
    return {"fields": FIELDS, "values": values, "head": space.sha or ""}


def values_of(readme: str) -> dict[str, str]:
    """The keys of the form as text; all empty when the README cannot be read. Pure."""
    try:
        found = frontmatter.read(readme)
    except Fault:
        return {field.key: "" for field in FIELDS}
    return {field.key: _shown(field, found.values.get(field.key), found.raw.get((field.key,))) for field in FIELDS}


def _shown(field: Field, value: object, raw: str | None) -> str:
    if value is None:
        return ""
    if field.kind == "flag":
        return "1" if value is True else ""
    if field.kind == "list":
        return ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)
    return str(raw if raw is not None and not isinstance(value, str) else value)


def check(console: Console, space: Space, form: dict[str, str]) -> dict[str, object]:
    """`block` as it would be written with `warnings`, or `error` with the `key` that it is about."""
    before, _ = _text(console, space)
    after = rewrite(before, _changes(before, form))
    try:
        warnings = config.parse(after).warnings
    except Fault as fault:
        return {"error": fault.message, "key": key_at(after, fault.line)}
    block = _BLOCK.match(after)
    return {"block": block[0] if block else "", "warnings": list(warnings)}


def save(console: Console, visit: Visit, space: Space, form: dict[str, str]) -> str:
    """One commit with the changed lines; returns the word for `?done=`. Raises Invalid `FRONT_MATTER`, `CHANGED_MEANWHILE`."""
    before, head = _text(console, space)
    changes = _changes(before, form)
    if not changes:
        return "same"
    after = rewrite(before, changes)
    try:
        config.parse(after)
    except Fault as fault:
        raise Invalid("FRONT_MATTER", fault.advice()) from None
    message = f"Change {', '.join(changes)} in the front matter" if len(changes) < 4 else "Change the front matter"
    try:
        console.parts.pushes.commit(
            visit.caller, space, [Change(FILE, after.encode())], message, form.get("head") or head, MAIN
        )
    except Stale:
        raise Invalid(
            "CHANGED_MEANWHILE", "Somebody pushed meanwhile; look at the form again and save once more."
        ) from None
    return "frontmatter"


def _changes(readme: str, form: dict[str, str]) -> dict[str, str]:
    """What the form says otherwise than the README, by key; a field that was not sent stays, but a box is ticked or not."""
    known, found = values_of(readme), {}
    for field in FIELDS:
        value = " ".join(form.get(field.key, "" if field.kind == "flag" else known[field.key]).split())
        if value != known[field.key]:
            found[field.key] = value
    return found


def rewrite(readme: str, changes: dict[str, str]) -> str:
    """The README with these keys put, changed, or (empty) taken away. Pure."""
    kinds = {field.key: field.kind for field in FIELDS}
    match = _BLOCK.match(readme)
    begin, body, end = match.groups() if match else ("---\n", "", "---\n")
    rest = readme[match.end() :] if match else ("\n" + readme if readme else "")
    newline = "\r\n" if begin.endswith("\r\n") else "\n"
    lines = re.findall(r"[^\n]*\n|[^\n]+", body)
    for key, value in changes.items():
        new = [f"{key}: {written(kinds.get(key, 'text'), value)}{newline}"] if value else []
        at = next((i for i, line in enumerate(lines) if re.match(rf"[\"']?{re.escape(key)}[\"']?[ \t]*:", line)), None)
        if at is None:
            lines += new
            continue
        till = at + 1  # a value goes on over lines that are indented, or are items of its list
        while till < len(lines) and re.match(r"[ \t]+\S|-[ \t]|[ \t]*\r?\n", lines[till]):
            till += 1
        while till > at + 1 and not lines[till - 1].strip():
            till -= 1
        lines[at:till] = new
    return begin + "".join(lines) + end + rest


def written(kind: str, value: str) -> str:
    """A value as YAML on one line. Pure."""
    if kind == "flag":
        return "true"
    if kind == "number" and value.isascii() and value.isdigit():
        return value
    if kind == "list":
        return "[" + ", ".join(written("text", one.strip()) for one in value.split(",") if one.strip()) + "]"
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in quoted)


def key_at(readme: str, line: int) -> str:
    """The key of the form that stands on a line of a README, "" for none. Pure."""
    for number, text in enumerate(readme.split("\n"), 1):
        if number == line:
            name = text.partition(":")[0].strip("\"' ")
            return name if any(field.key == name for field in FIELDS) else ""
    return ""


def _text(console: Console, space: Space) -> tuple[str, str | None]:
    """The README on main, and the commit that it is of."""
    repos = console.parts.repos
    head = repos.head(space.id)
    data = repos.read(space.id, head, FILE, _LIMIT) if head else None
    return (data or b"").decode("utf-8", "replace"), head
