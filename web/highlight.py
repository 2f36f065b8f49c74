"""Source text with its parts in colour: Pygments tells what they are, we write the HTML. Only languages that people keep in such
repos, and only so much text: a lexer is a pile of regular expressions, and the text is a stranger's."""

import time
from collections.abc import Iterable, Iterator
from functools import lru_cache

from markupsafe import Markup, escape
from pygments import lexers
from pygments.lexer import Lexer
from pygments.token import (
    Comment,
    Generic,
    Keyword,
    Literal,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    _TokenType,
)
from pygments.util import ClassNotFound

LIMIT = 120_000  #: characters that are coloured
LONG_LINE = 2_000  #: a file with a longer line is shown as it is
SECONDS = 0.5  #: of computing; what takes longer is shown as it is: from some texts lexers begin anew at each character
_BY_SUFFIX = {
    "py": "python", "pyi": "python", "js": "javascript", "mjs": "javascript", "jsx": "javascript", "ts": "typescript",
    "tsx": "typescript", "css": "css", "html": "html", "htm": "html", "xml": "xml", "svg": "xml", "json": "json",
    "jsonl": "json", "ipynb": "json", "yaml": "yaml", "yml": "yaml", "toml": "toml", "ini": "ini", "cfg": "ini",
    "md": "markdown", "sh": "bash", "bash": "bash", "c": "c", "h": "c", "cpp": "cpp", "cc": "cpp", "hpp": "cpp",
    "cu": "cuda", "java": "java", "go": "go", "rs": "rust", "rb": "ruby", "php": "php", "r": "r", "jl": "julia",
    "lua": "lua", "sql": "sql", "diff": "diff", "patch": "diff", "tex": "latex", "swift": "swift", "kt": "kotlin",
    "scala": "scala", "proto": "protobuf", "tf": "terraform", "vue": "html", "svelte": "html",
}  # fmt: skip
_BY_NAME = {"dockerfile": "docker", "makefile": "make", "requirements.txt": "requirements", ".gitattributes": "ini"}
#: token -> class; the first that contains it counts
_CLASSES: tuple[tuple[_TokenType, str], ...] = (
    (Comment, "c"),
    (String.Doc, "c"),
    (Keyword.Constant, "n"),
    (Keyword, "k"),
    (Name.Function, "f"),
    (Name.Class, "f"),
    (Name.Decorator, "d"),
    (Name.Builtin, "b"),
    (Name.Exception, "b"),
    (Name.Tag, "k"),
    (Name.Attribute, "d"),
    (String, "s"),
    (Number, "n"),
    (Literal, "s"),
    (Operator.Word, "k"),
    (Generic.Inserted, "s"),
    (Generic.Deleted, "d"),
    (Generic.Heading, "k"),
    (Punctuation, ""),
)


def language(path: str) -> str:
    """Name of the language of a file, "" when it is not one of ours."""
    name = path.rpartition("/")[2].lower()
    return _BY_NAME.get(name) or _BY_SUFFIX.get(name.rpartition(".")[2], "")


def lines(path: str, text: str) -> list[Markup]:
    """The lines of a file as HTML, without their ends."""
    plain = text.splitlines()
    lexer = _lexer(language(path))
    if lexer is None or len(text) > LIMIT or any(len(line) > LONG_LINE for line in plain):
        return [escape(line) for line in plain]
    # Only what str.splitlines calls a line end may end a line here too, else numbers would differ from the plain text's.
    joined = "\n".join(plain) + "\n"
    try:
        return [Markup("").join(line) for line in _split(_timely(lexer.get_tokens(joined)))][: len(plain)]
    except TimeoutError:
        return [escape(line) for line in plain]


def _timely(tokens: Iterable[tuple[_TokenType, str]]) -> Iterator[tuple[_TokenType, str]]:
    """The tokens. Raises TimeoutError."""
    until = time.thread_time() + SECONDS
    for token in tokens:
        if time.thread_time() > until:
            raise TimeoutError
        yield token


@lru_cache
def _lexer(name: str) -> Lexer | None:
    try:
        return (
            lexers.get_lexer_by_name(name, stripnl=False, ensurenl=False) if name and name != "requirements" else None
        )
    except ClassNotFound:
        return None


def _split(tokens) -> Iterator[list[Markup]]:
    line: list[Markup] = []
    for kind, value in tokens:
        name = next((css for known, css in _CLASSES if kind in known), "")
        for index, piece in enumerate(value.split("\n")):
            if index:
                yield line
                line = []
            if piece:
                line.append(Markup('<b class="h{}">{}</b>').format(name, piece) if name else escape(piece))
    yield line
