"""README text into HTML that can do no harm: markdown-it renders, nh3 lets through what is on its list, links get homes."""

import re
from functools import lru_cache
from urllib.parse import quote, urlsplit

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

_TAGS = {
    "a",
    "abbr",
    "b",
    "blockquote",
    "br",
    "code",
    "dd",
    "del",
    "details",
    "div",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "ins",
    "kbd",
    "li",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "samp",
    "small",
    "span",
    "strong",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "u",
    "ul",
}
_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "width", "height"},
    "td": {"align"},
    "th": {"align"},
    "ol": {"start"},
    "details": {"open"},
}
_FRONT_MATTER = re.compile(r"\A\ufeff?---[ \t]*\r?\n.*?^---[ \t]*$\r?\n?", re.S | re.M)
_RENDERER = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable(["table", "strikethrough"])
_PLAIN = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])
LIMIT = 100_000  #: characters of a README that are rendered
_TAG = re.compile("<(/?)([A-Za-z][A-Za-z0-9]*)[^>]*>?")
_TAGGED = 5000  #: HTML tags beyond which all are shown as text
_DEEP = 50  #: tags inside each other; deeper ones are left out, because the parser's work grows with the square of the depth
_VOID = {"br", "hr", "img", "input", "link", "meta", "col", "wbr", "area", "base", "embed", "source", "track", "param"}
_KEPT = 128  #: texts whose rendering is kept: some take seconds, and everybody may ask for the same one again and again


def without_front_matter(text: str) -> str:
    return _FRONT_MATTER.sub("", text, count=1)


def readme(text: str, files: str, media: str) -> Markup:
    """The README as a card. Relative links lead below `files`, relative images below `media` (URLs, no slash at the end)."""

    def place(tag: str, attribute: str, value: str) -> str | None:
        if attribute not in ("href", "src"):
            return value
        try:
            url = urlsplit(value)
        except ValueError:
            return None
        if url.scheme or url.netloc or value.startswith(("#", "//")):
            return value
        steps: list[str] = []
        for step in url.path.split("/"):
            if step == "..":
                steps = steps[:-1]
            elif step not in ("", "."):
                steps.append(step)
        home = media if tag == "img" else files
        return f"{home}/{quote('/'.join(steps), safe='/%')}"

    return Markup(_clean(without_front_matter(text), attribute_filter=place))


def comment(text: str) -> str:
    """A comment of a discussion as HTML. Links stay as they are."""
    return _clean(text)


@lru_cache(_KEPT)
def _rendered(text: str) -> str:
    few = sum(1 for _ in _TAG.finditer(text)) <= _TAGGED
    return _shallow((_RENDERER if few else _PLAIN).render(text))


def _shallow(html: str) -> str:
    """The same with its tags closed in the order in which they were opened, and none deeper than _DEEP. What is let through is
    decided afterwards."""
    open_tags: list[str] = []

    def told(found: re.Match[str]) -> str:
        name = found[2].lower()
        if name in _VOID:
            return found[0]
        if not found[1]:
            if len(open_tags) >= _DEEP:
                return ""
            open_tags.append(name)
            return found[0]
        if name not in open_tags:
            return ""
        closed = []
        while not closed or closed[-1] != name:
            closed.append(open_tags.pop())
        return "".join(f"</{one}>" for one in closed)

    return _TAG.sub(told, html) + "".join(f"</{one}>" for one in reversed(open_tags))


def _clean(text: str, **more) -> str:
    return nh3.clean(
        _rendered(text[:LIMIT]),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow ugc noopener",
        strip_comments=True,
        **more,
    )


def paragraph(text: str) -> Markup:
    """A sentence of ours in which `words between backticks` are code. Escapes everything else."""
    pieces = re.split(r"`([^`\n]{1,200})`", text)
    escaped = [Markup.escape(piece) for piece in pieces]
    return Markup("").join(Markup("<code>%s</code>") % p if i % 2 else p for i, p in enumerate(escaped))
