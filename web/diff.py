"""A patch as git writes it, made into values for a page. Pure; cut where it is too long to be read by anybody."""

import re
from dataclasses import dataclass, field

LINES = 4000  #: of one patch
FILES = 200
_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@(.*)")


@dataclass(slots=True)
class Line:
    """`kind`: "+", "-", " " or "@" (the head of a hunk). Numbers are None where there is no such line."""

    kind: str
    text: str
    old: int | None = None
    new: int | None = None


@dataclass(slots=True)
class FileDiff:
    """`what`: changed | new | deleted | renamed | binary."""

    path: str
    before: str = ""
    what: str = "changed"
    lines: list[Line] = field(default_factory=list)

    @property
    def added(self) -> int:
        return sum(line.kind == "+" for line in self.lines)

    @property
    def removed(self) -> int:
        return sum(line.kind == "-" for line in self.lines)


def parse(patch: str) -> tuple[list[FileDiff], bool]:
    """(files, whether some was cut off)."""
    files: list[FileDiff] = []
    old = new = count = 0
    inside = False
    for text in patch.split("\n"):
        if text.startswith("diff --git "):
            if len(files) >= FILES:
                return files, True
            files.append(FileDiff(_path(text)))
            inside = False
            continue
        if not files:
            continue
        file = files[-1]
        if match := _HUNK.match(text):
            old, new, inside = int(match[1]), int(match[2]), True
            file.lines.append(Line("@", match[3].strip()))
        elif not inside:
            _head(file, text)
        elif text[:1] in ("+", "-", " "):
            count += 1
            if count > LINES:
                return files, True
            kind = text[0]
            file.lines.append(Line(kind, text[1:], old if kind != "+" else None, new if kind != "-" else None))
            old += kind != "+"
            new += kind != "-"
    return files, False


def _path(text: str) -> str:
    """Of `diff --git a/x b/x`; the lines that follow know it better where it is ambiguous."""
    return _unquoted(text.rpartition(" b/")[2]) if " b/" in text else text[11:]


def _head(file: FileDiff, text: str) -> None:
    if text.startswith("new file"):
        file.what = "new"
    elif text.startswith("deleted file"):
        file.what = "deleted"
    elif text.startswith("rename from "):
        file.what, file.before = "renamed", _unquoted(text[12:])
    elif text.startswith("Binary files"):
        file.what = "binary"
    elif text.startswith("+++ ") and not text.startswith("+++ /dev/null"):
        file.path = _unquoted(text[4:].rstrip("\t")).removeprefix("b/")
    elif text.startswith("--- ") and file.what == "deleted":
        file.path = _unquoted(text[4:].rstrip("\t")).removeprefix("a/")


def _unquoted(name: str) -> str:
    """Names with quotes or control characters come in quotes."""
    if len(name) > 1 and name[0] == name[-1] == '"':
        return re.sub(r"\\([\\\"])", r"\1", name[1:-1])
    return name
