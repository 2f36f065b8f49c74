"""git's file patterns (gitignore(5), gitattributes(5)), matched in bounded time: patterns and paths are strangers', and a pattern
made into one plain regular expression can be made to try for years while everybody else waits. Owns what a pattern matches and
how much is compared; which lines of which file are patterns is for those who call. Pure."""

import re
from collections.abc import Iterable

from orchestrator.errors import Invalid

NAME_LIMIT, DEPTH_LIMIT = (
    255,
    64,
)  #: characters of a name, names of a path: what exceeds them cannot be committed, or means nothing
WORK = 300_000_000  #: comparisons for one file of patterns, see `Glob.cost`: some seconds at worst
MOST = 5000  #: patterns with wildcards in one file
_EACH = 100  #: what it takes to compare a name with a step, whatever their lengths
_LITERAL = re.compile(r"(?:[^*?\[\\]|\\.)+", re.DOTALL)
_NAMED = re.compile(r"\[:(\w{1,10}):\]")
_SETS = {
    "alnum": "a-zA-Z0-9", "alpha": "a-zA-Z", "digit": "0-9", "lower": "a-z", "upper": "A-Z", "space": r"\s", "blank": r" \t",
    "punct": r"!-\/:-@\[-`{-~", "xdigit": "0-9A-Fa-f",
}  # fmt: skip


class Glob:
    """One pattern. `folder`: it means folders only, as it ends with a slash. `plain`: the one path that it matches, where it has
    no wildcard. Raises ValueError for one that means nothing."""

    __slots__ = ("folder", "plain", "_steps", "_weight")

    def __init__(self, pattern: str) -> None:
        self.folder = pattern.endswith("/")
        inner = pattern.removesuffix("/")
        words = inner.removeprefix("/").split("/")
        if "" in words or len(words) > DEPTH_LIMIT or any(len(word) > NAME_LIMIT for word in words):
            raise ValueError("names nothing that can be there")
        anchored = "/" in inner
        plain = anchored and _LITERAL.fullmatch(inner)
        self.plain = re.sub(r"\\(.)", r"\1", "/".join(words), flags=re.DOTALL) if plain else None
        self._weight = len(inner)
        if words[-1] == "**":
            words.append("*")  # everything inside, but not the folder itself
        if not anchored:
            words.insert(0, "**")
        words = [word for at, word in enumerate(words) if word != "**" or words[at - 1 : at] != ["**"]]
        self._steps = [] if plain else [None if word == "**" else _step(word) for word in words]  # None: any folders

    def cost(self, names: list[str]) -> int:
        """The most that a comparison may take, in the measure of WORK."""
        looked_at = names[-1:] if self._is_name() else names
        return self._weight * sum(map(len, looked_at)) // 8 + _EACH * len(self._steps) * len(looked_at)

    def matches(self, names: list[str]) -> bool:
        """Whether it matches a path of these names; what is in a folder that it matches is not asked here."""
        steps = self._steps
        if self._is_name():
            return steps[1].fullmatch(names[-1]) is not None
        at = self._beside({0})
        for name in names:
            at = self._beside({i if steps[i] is None else i + 1 for i in at if i < len(steps) and self._fits(i, name)})
        return len(steps) in at

    def _is_name(self) -> bool:
        """Is it compared with the last name of a path alone?"""
        return len(self._steps) == 2 and self._steps[0] is None and self._steps[1] is not None

    def _fits(self, step: int, name: str) -> bool:
        expression = self._steps[step]
        return expression is None or expression.fullmatch(name) is not None

    def _beside(self, at: set[int]) -> set[int]:
        """The places, and those behind a `**` that stands for no folder."""
        return at | {i + 1 for i in at if i < len(self._steps) and self._steps[i] is None}


class Rules:
    """Patterns in order, each with what it says; the last one that matches counts."""

    def __init__(self) -> None:
        self._plain: dict[tuple[str, bool], tuple[int, bool]] = {}
        self._globs: list[tuple[int, Glob, bool]] = []
        self._count, self._work = 0, 0

    def add(self, pattern: str, says: bool) -> None:
        """One that cannot be read says nothing, as with git. Raises Invalid `PATTERNS`."""
        try:
            glob = Glob(pattern)
        except ValueError:
            return
        self._count += 1
        if glob.plain is None:
            if len(self._globs) >= MOST:
                raise Invalid("PATTERNS", f"there are more than {MOST} patterns with wildcards; write fewer")
            self._globs.append((self._count, glob, says))
        else:
            self._plain[glob.plain, glob.folder] = self._count, says

    def last(self, path: str, is_folder: bool = False) -> bool | None:
        """What the last pattern says that matches this path; None: no pattern does. Raises Invalid `PATTERNS`."""
        names = path.split("/")
        if len(names) > DEPTH_LIMIT or any(len(name) > NAME_LIMIT for name in names):
            return None
        known = [self._plain.get((path, only)) for only in ((False, True) if is_folder else (False,))]
        number, said = max((one for one in known if one), default=(0, None))
        for count, glob, says in reversed(self._globs):
            if count < number:
                break
            if glob.folder and not is_folder:
                continue
            self._work += glob.cost(names)
            if self._work > WORK:
                raise Invalid(
                    "PATTERNS", "too many patterns for so many files; write fewer, or send the files in parts"
                )
            if glob.matches(names):
                return says
        return said


class Ignored:
    """A `.gitignore`. Raises Invalid `PATTERNS`."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._rules = Rules()
        self._folders: dict[str, bool] = {"": False}
        for line in lines:
            text = _stripped(line)
            if text and not text.startswith("#"):
                wanted = not text.startswith("!")
                self._rules.add(text if wanted else text[1:], wanted)

    def __contains__(self, path: str) -> bool:
        """A file in an ignored folder is ignored, whatever a later line says. Raises Invalid `PATTERNS`."""
        at = 0
        for _ in range(DEPTH_LIMIT):
            at = path.find("/", at + 1)
            if at < 0:
                break
            if self._is_ignored(path[:at]):
                return True
        return self._rules.last(path) is True

    def _is_ignored(self, folder: str) -> bool:
        if folder not in self._folders:
            self._folders[folder] = self._rules.last(folder, True) is True
        return self._folders[folder]


def _stripped(line: str) -> str:
    """A line without its end, and without the spaces there that no backslash protects."""
    text = line.rstrip("\r\n")
    bare = text.rstrip(" ")
    return f"{bare} " if bare.endswith("\\") and bare != text else bare


def _step(word: str) -> re.Pattern[str]:
    """One name of a path. Between two stars the first place that fits is as good as any later one, so nothing that was found is
    ever given up again (atomic groups): the time is that of the pattern times that of the name, at most."""
    pieces, at = [""], 0
    while at < len(word):
        if word[at] == "*":
            pieces.append("")
            at += 1
        elif word[at] == "?":
            pieces[-1] += "."
            at += 1
        elif word[at] == "[":
            text, at = _set(word, at + 1)
            pieces[-1] += text
        else:
            char, at = _character(word, at)
            pieces[-1] += re.escape(char)
    first, *inner = pieces
    if not inner:
        return re.compile(first, re.DOTALL)
    *between, last = inner
    return re.compile(first + "".join(f"(?>.*?{piece})" for piece in between if piece) + f".*{last}", re.DOTALL)


def _set(word: str, at: int) -> tuple[str, int]:
    """What stands in brackets from `at` on, as a regular expression, and where what follows begins. Raises ValueError."""
    turned = word[at : at + 1] in ("!", "^")
    at += turned
    inside, first = "", True
    while first or word[at : at + 1] != "]":
        first = False
        if named := _NAMED.match(word, at):
            inside += _SETS.get(named[1]) or _nothing(word)
            at = named.end()
            continue
        low, at = _character(word, at)
        if word[at : at + 1] == "-" and word[at + 1 : at + 2] not in ("", "]"):
            high, at = _character(word, at + 1)
            inside += f"{re.escape(low)}-{re.escape(high)}" if low <= high else _nothing(word)
        else:
            inside += re.escape(low)
    return f"[{'^' if turned else ''}{inside}]", at + 1


def _character(word: str, at: int) -> tuple[str, int]:
    """A character, perhaps behind a backslash, and where the next one is. Raises ValueError at the end."""
    at += word[at : at + 1] == "\\"
    return (word[at], at + 1) if at < len(word) else _nothing(word)


def _nothing(word: str):
    raise ValueError(f"{word!r} is no pattern")
