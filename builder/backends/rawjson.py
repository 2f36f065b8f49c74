"""BuildKit's progress (`--progress=rawjson`) as lines of a build log. Pure but for its own memory of what was seen. Newer buildx
writes one JSON object per line, older ones spread it over many: both are read.

A step is shown once when it starts, `#3/5 RUN …`, once when it ends, `DONE 1.2s` or `CACHED`, and between them what it writes."""

import base64
import json
import re
from collections.abc import Callable
from datetime import datetime

_STEP = re.compile(r"\[(?:[\w.-]+ +)?(\d+)/(\d+)\] (.*)", re.DOTALL)
_OBJECT_LIMIT = 8 << 20  #: characters of one object


class Progress:
    """`say` gets the lines. `name` turns the text of a step into what is shown, "" hides it. `failed` holds the error of
    the step that failed, `output` the newest of what steps wrote."""

    def __init__(self, say: Callable[[str], None], name: Callable[[str], str] = str) -> None:
        self._say, self._name = say, name
        self._text = ""
        self._shown: dict[str, str] = {}
        self._done: set[str] = set()
        self._rest: dict[str, bytes] = {}
        self.failed = ""
        self.output: list[str] = []
        self.plain: list[str] = []  #: lines that are no progress: buildx's own complaints

    def feed(self, line: str) -> None:
        """One line of buildx's output."""
        if not self._text and not line.startswith("{"):
            if line.strip():
                self.plain.append(line)
            return
        # Only the first line of an object begins with a brace: what came before and has no end is damaged.
        self._text = line if line.startswith("{") else self._text + line
        if not line.endswith("}"):
            if len(self._text) > _OBJECT_LIMIT:
                self._text = ""
            return
        try:
            message = json.loads(self._text)
        except ValueError:
            return
        self._text = ""
        for vertex in message.get("vertexes") or ():
            self._vertex(vertex)
        for entry in message.get("logs") or ():
            self._log(entry.get("vertex", ""), base64.b64decode(entry.get("data") or ""))

    def _vertex(self, vertex: dict) -> None:
        key = vertex.get("digest", "")
        if key not in self._shown and (vertex.get("started") or vertex.get("cached")):
            self._shown[key] = self._title(vertex.get("name", ""))
            if self._shown[key]:
                self._say(f"--> {self._shown[key]}")
        if vertex.get("error") and "context canceled" not in vertex["error"]:
            self.failed = self.failed or vertex["error"]
        if vertex.get("completed") and key not in self._done:
            self._done.add(key)
            if self._rest.get(key):
                self._log(key, b"\n")
            if self._shown.get(key) and not vertex.get("error"):
                self._say("CACHED" if vertex.get("cached") else f"DONE {_seconds(vertex):.1f}s")

    def _title(self, name: str) -> str:
        step = _STEP.match(name)
        if not step:
            return ""
        words = self._name(" ".join(step[3].split()))
        return f"Step {step[1]}/{step[2]}: {words}" if words else ""

    def _log(self, key: str, data: bytes) -> None:
        *lines, rest = (self._rest.pop(key, b"") + data).split(b"\n")
        if len(rest) > 1 << 16:
            lines, rest = [*lines, rest], b""
        if rest:
            self._rest[key] = rest
        for line in lines:
            text = line.decode("utf-8", "replace")
            self.output = [*self.output[-1999:], text]
            self._say(text)


def _seconds(vertex: dict) -> float:
    try:
        began, ended = (_time(vertex[word]) for word in ("started", "completed"))
        return (ended - began).total_seconds()
    except (KeyError, ValueError):
        return 0.0


def _time(text: str) -> datetime:
    """RFC 3339 with nanoseconds."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d*", r"\1", text).replace("Z", "+00:00"))
