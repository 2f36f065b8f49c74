"""The YAML block at the top of README.md as plain JSON-safe values with line numbers. Owns YAML safety (no aliases, no tags,
no duplicate keys, bounded size and depth) and the YAML 1.2 reading of scalars that Hugging Face uses (`yes` is a text, `3.10`
is the number 3.1). Knows no key: that is `keys.py`."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from builder.errors import Fault, FaultKind
from builder.text import shown

FILE = "README.md"
SIZE_LIMIT = 64 * 1024  #: bytes of the block
DEPTH_LIMIT = 10
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_OPENED = re.compile(r"\ufeff?\s*---[ \t]*\r?\n")
_CLOSED = re.compile(r"^---[ \t]*\r?$", re.MULTILINE)
_KEY_LINE = re.compile(r"[\w-]+[ \t]*:")
_INT = re.compile(r"[-+]?[0-9]{1,18}|0o[0-7]{1,18}|0x[0-9a-fA-F]{1,15}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_SAFE_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "seq", "map")} | {"!"}


@dataclass(slots=True)
class Block:
    """`values`: the mapping. `lines`: line in README.md of each value by path (`("title",)`, `("tags", 2)`). `raw`: the text of
    plain scalars as the author typed it. `present`: whether there was a block at all."""

    values: dict[str, object] = field(default_factory=dict)
    lines: dict[tuple, int] = field(default_factory=dict)
    raw: dict[tuple, str] = field(default_factory=dict)
    present: bool = False


def read(readme: str) -> Block:
    """The front matter of a README; an empty Block when it has none.

    Raises Fault YAML_SYNTAX, YAML_UNSAFE, DUPLICATE_KEY or TOO_LARGE, all of kind CONFIG."""
    opened = _OPENED.match(readme[: SIZE_LIMIT + 1024])
    if not opened:
        return Block()
    closed = _CLOSED.search(readme, opened.end())
    if not closed:
        if len(readme) > SIZE_LIMIT and _KEY_LINE.match(readme, opened.end()):
            raise _fault(
                "TOO_LARGE", f"the front matter has more than {SIZE_LIMIT} bytes, or no line of --- ends it", 1
            )
        if _KEY_LINE.match(readme, opened.end()):
            raise _fault("YAML_SYNTAX", "the front matter opened here is never closed; end it with a line of ---", 1)
        return Block()
    text = readme[opened.end() : closed.start()]
    size = len(text.encode("utf-8", "replace"))
    if size > SIZE_LIMIT:
        raise _fault("TOO_LARGE", f"the front matter has {size} bytes; at most {SIZE_LIMIT} are read", 1)
    first = readme.count("\n", 0, opened.end()) + 1
    return _Reader(text, first).block()


def decoded(data: bytes) -> str:
    """The text of README.md, perhaps cut. What follows the front matter may be in any encoding.

    Raises Fault README_ENCODING of kind CONFIG when the front matter is not UTF-8."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:4]:
        raise _fault("README_ENCODING", "the file is UTF-16 (as PowerShell writes with >); save it as UTF-8", 0)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        text, start = data.decode("utf-8", "replace"), error.start
    opened = _OPENED.match(text[: SIZE_LIMIT + 1024])
    closed = opened and _CLOSED.search(text, opened.end())
    if closed and start < len(text[: closed.start()].encode()):
        raise _fault(
            "README_ENCODING", "the front matter is not UTF-8; save the file as UTF-8", data.count(b"\n", 0, start) + 1
        )
    return text


def _fault(code: str, message: str, line: int) -> Fault:
    return Fault(code, message, FILE, line, kind=FaultKind.CONFIG)


class _Reader:
    """Turns the events of the YAML parser into values, never recursing deeper than DEPTH_LIMIT."""

    def __init__(self, text: str, first: int) -> None:
        self.text = text.encode("utf-8", "replace").decode()
        self.first = first
        self.found = Block(present=True)

    def block(self) -> Block:
        try:
            events = yaml.parse(self.text, Loader=_LOADER)
            self.document(events)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = self.first + (mark.line if mark else 0)
            problem = shown(error.problem or error.context or "cannot be read", 200)
            raise _fault("YAML_SYNTAX", f"the front matter is not valid YAML: {problem}", line) from None
        except yaml.YAMLError as error:
            problem = shown(getattr(error, "reason", "") or "cannot be read", 200)
            line = self.first + self.text.count("\n", 0, max(0, getattr(error, "position", 0) or 0))
            raise _fault("YAML_SYNTAX", f"the front matter is not valid YAML: {problem}", line) from None
        return self.found

    def document(self, events: Iterator) -> None:
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                break
        else:
            return
        event = next(events)
        if isinstance(event, yaml.ScalarEvent) and not event.value.strip():
            return
        if not isinstance(event, yaml.MappingStartEvent):
            raise _fault("YAML_SYNTAX", "the front matter must be lines of `key: value`", self.line(event))
        self.found.values = self.value(events, event, ())
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                raise _fault("YAML_SYNTAX", "the front matter must be one YAML document", self.line(event))

    def line(self, event: yaml.Event) -> int:
        return self.first + event.start_mark.line

    def check(self, event: yaml.Event, path: tuple) -> None:
        line = self.line(event)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _fault("YAML_UNSAFE", "anchors and aliases (& and *) are not read; write the value out", line)
        tag = getattr(event, "tag", None)
        if tag and tag not in _SAFE_TAGS:
            raise _fault("YAML_UNSAFE", f"the tag {shown(tag)!r} is not read; write a plain value", line)
        if len(path) > DEPTH_LIMIT:
            raise _fault("YAML_UNSAFE", f"values are nested deeper than {DEPTH_LIMIT} levels", line)
        self.found.lines.setdefault(path, line)

    def value(self, events: Iterator, event: yaml.Event, path: tuple) -> object:
        self.check(event, path)
        if isinstance(event, yaml.ScalarEvent):
            return self.scalar(event, path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(events, path)
        return self.mapping(events, path)

    def sequence(self, events: Iterator, path: tuple) -> list[object]:
        items: list[object] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(self.value(events, event, (*path, len(items))))
        return items

    def mapping(self, events: Iterator, path: tuple) -> dict[str, object]:
        values: dict[str, object] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            line = self.line(event)
            if not isinstance(event, yaml.ScalarEvent):
                raise _fault("YAML_UNSAFE", "a key must be a plain word", line)
            key = event.value
            self.check(event, (*path, key))
            if key in values:
                raise _fault("DUPLICATE_KEY", f"the key {shown(key)!r} is written twice; keep one", line)
            values[key] = self.value(events, next(events), (*path, key))
        return values

    def scalar(self, event: yaml.ScalarEvent, path: tuple) -> object:
        text = event.value
        if event.style or event.tag:
            return text
        self.found.raw[path] = text
        if text in _WORDS:
            return _WORDS[text]
        if _INT.fullmatch(text):
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        if _FLOAT.fullmatch(text) and len(text) <= 40 and math.isfinite(number := float(text)):
            return number
        return text
