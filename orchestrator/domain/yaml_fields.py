"""Reading a YAML file strictly, with line numbers: each value by the type that its field has, nothing unknown, nothing twice.
Knows no meaning of any field. PyYAML composes nodes, which know their lines, and no Python object is ever made of them."""

import difflib
import math
import re
from collections.abc import Iterable

import yaml

from orchestrator.errors import Invalid

_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s*(?:([KMGT])i?)?B?", re.IGNORECASE)
_TIME = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)\s*(s|sec|seconds?|m|min|minutes?|h|hours?|d|days?)?")
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LIMIT = 1_000_000  #: characters of a file
_NULL = "tag:yaml.org,2002:null"


class Refuse:
    """Makes errors that say where: `raise refuse(node, sentence)`."""

    def __init__(self, code: str, file: str) -> None:
        self.code, self.file = code, file

    def __call__(self, node: yaml.Node | int, sentence: str) -> Invalid:
        line = node if isinstance(node, int) else node.start_mark.line + 1
        return Invalid(self.code, f"{self.file}:{line}: {sentence}")


def read(text: str, refuse: Refuse) -> yaml.Node:
    """The one document of a text. Raises what `refuse` makes."""
    if len(text) > LIMIT:
        raise refuse(1, f"the file has {len(text)} characters, at most {LIMIT}; shorten it")
    try:
        node = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise refuse(line, f"this is no YAML: {error.problem or 'it cannot be read'}; mend the line") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, max(0, error.position)) + 1
        raise refuse(line, f"the character {chr(error.character)!r} is not allowed in YAML; remove it") from None
    except RecursionError:
        raise refuse(1, "this is nested too deeply; write a plain list of flavours") from None
    if node is None:
        raise refuse(1, "the file is empty; write currency and flavors")
    return node


def items(node: yaml.Node, what: str, refuse: Refuse) -> list[yaml.Node]:
    if not isinstance(node, yaml.SequenceNode):
        raise refuse(node, f"{what} is {_shown(node)}; write a list, each entry beginning with '- '")
    return node.value


class Fields:
    """The fields of one mapping. `what` names it in errors."""

    def __init__(self, node: yaml.Node, what: str, refuse: Refuse) -> None:
        self.what, self.refuse, self._asked = what, refuse, dict[str, None]()
        if not isinstance(node, yaml.MappingNode):
            raise refuse(node, f"{what} is {_shown(node)}; write lines of 'field: value'")
        self._whole, self._found = node, dict[str, tuple[yaml.Node, yaml.Node]]()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise refuse(key, f"a field of {what} is {_shown(key)}; write a word")
            if key.value in self._found:
                first = self._found[key.value][0].start_mark.line + 1
                raise refuse(key, f"{key.value[:60]} of {what} is there already, in line {first}; keep one of them")
            self._found[key.value] = key, value

    def has(self, name: str) -> bool:
        self._asked[name] = None
        return name in self._found

    def node(self, name: str, write: str = "") -> yaml.Node:
        """The value of a field that must be there."""
        if not self.has(name):
            near = difflib.get_close_matches(name, self._found, 1)
            advice = f"is {near[0][:60]!r} meant to be it?" if near else f"write {write}"
            line = self._found[near[0]][0] if near else self._whole
            raise self.refuse(line, f"{name} of {self.what} is missing; {advice}")
        value = self._found[name][1]
        if isinstance(value, yaml.ScalarNode) and value.tag == _NULL:
            wanted = f"write {write}" if write else "write a value"
            raise self.refuse(self._found[name][0], f"{name} of {self.what} is empty; {wanted} or leave the line out")
        return value

    def _scalar(self, name: str, write: str) -> tuple[yaml.Node, str]:
        node = self.node(name, write)
        if not isinstance(node, yaml.ScalarNode):
            raise self.refuse(node, f"{name} of {self.what} is {_shown(node)}; write {write}")
        return node, node.value.strip()

    def _wrong(self, node: yaml.Node, name: str, write: str) -> Invalid:
        return self.refuse(node, f"{name} of {self.what} is {_shown(node)}; write {write}")

    def text(
        self, name: str, default: str | None, form: re.Pattern[str] | None = None, write: str = "one line of text"
    ) -> str:
        """One line. `default` None: the field must be there."""
        if default is not None and not self.has(name):
            return default
        node, value = self._scalar(name, write)
        fits = form.fullmatch(value) if form else 0 < len(value) <= 100 and value.isprintable()
        if not fits:
            raise self._wrong(node, name, write)
        return value

    def choice(self, name: str, default: str, known: tuple[str, ...]) -> str:
        if not self.has(name):
            return default
        write = f"{', '.join(known[:-1])} or {known[-1]}"
        node, value = self._scalar(name, write)
        if value not in known:
            raise self._wrong(node, name, write)
        return value

    def flag(self, name: str, default: bool) -> bool:
        if not self.has(name):
            return default
        node, value = self._scalar(name, "true or false")
        if value.lower() not in ("true", "false"):
            raise self._wrong(node, name, "true or false")
        return value.lower() == "true"

    def number(
        self, name: str, default: float | None, least: float, most: float, write: str, whole: bool = False
    ) -> float:
        if default is not None and not self.has(name):
            return default
        node, value = self._scalar(name, write)
        try:
            number = float(value) if value.isascii() and "_" not in value else math.nan
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or whole and number != int(number):
            raise self._wrong(node, name, write)
        if not least <= number <= most:
            raise self._wrong(node, name, f"{write}, from {least:g} to {most:g}")
        return number

    def size(self, name: str, default: int | None, least: int, most: int) -> int:
        """Bytes; units are powers of 1024."""
        if default is not None and not self.has(name):
            return default
        write = "a size such as 16 GB or 512 MB"
        node, value = self._scalar(name, write)
        found = _SIZE.fullmatch(value)
        size = int(float(found[1]) * _UNITS[(found[2] or "").upper()]) if found else -1
        if size < 0:
            raise self._wrong(node, name, write)
        if not least <= size <= most:
            raise self._wrong(node, name, f"{write}, from {least // 1024**2} MB to {most // 1024**4} TB")
        return size

    def seconds(self, name: str, default: float | None, never: float) -> float | None:
        if not self.has(name):
            return default
        write = "a time such as 30 min, 1 h or 2 days, or never"
        node, value = self._scalar(name, write)
        if value == "never":
            return never
        found = _TIME.fullmatch(value)
        seconds = float(found[1]) * _SPANS[(found[2] or "s")[0]] if found else 0.0
        if not 1 <= seconds <= 10 * 366 * 86400:
            raise self._wrong(node, name, write)
        return seconds

    def items(self, name: str) -> Iterable[yaml.Node]:
        return items(self.node(name), f"{name} of {self.what}", self.refuse) if self.has(name) else ()

    def texts(self, name: str, keys: re.Pattern[str], values: re.Pattern[str]) -> dict[str, str]:
        """A mapping of names to texts; `true` and `1` are taken as they are written."""
        if not self.has(name):
            return {}
        inner = Fields(self.node(name), f"{name} of {self.what}", self.refuse)
        for key, (node, _) in inner._found.items():
            if not keys.fullmatch(key):
                raise self.refuse(node, f"{name} of {self.what} names {key[:60]!r}; write the label of a node")
        return {key: inner.text(key, None, values, "the value of a label") for key in inner._found}

    def end(self) -> None:
        """Refuse what nobody asked for."""
        for name, (node, _) in self._found.items():
            if name not in self._asked:
                near = difflib.get_close_matches(name, self._asked, 1)
                advice = f"write {near[0]}" if near else f"it may have {', '.join(self._asked)}"
                raise self.refuse(node, f"{self.what} has no field {name[:60]!r}; {advice}")


def _shown(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return ascii(node.value[:60]) if node.tag != _NULL else "empty"
    return "a list" if isinstance(node, yaml.SequenceNode) else "a group of fields"
