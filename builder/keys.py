"""Every key of the front matter: what it may hold, its JSON schema and its description, in one table. A check takes the value
and a `Found` (where it stands, how to complain) and returns the value that Podium uses. Knows nothing of other keys."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NoReturn
from urllib.parse import urlsplit

from builder.errors import Fault, FaultKind
from builder.frontmatter import FILE
from builder.text import UNPRINTABLE, shown

SDKS = ("gradio", "streamlit", "static", "docker")
COLORS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
PYTHONS = tuple(f"3.{minor}" for minor in range(9, 16))
HEADERS = {
    "cross-origin-embedder-policy": ("unsafe-none", "require-corp", "credentialless"),
    "cross-origin-opener-policy": ("same-origin", "same-origin-allow-popups", "unsafe-none"),
    "cross-origin-resource-policy": ("same-site", "same-origin", "cross-origin"),
}
STARTUP_LIMIT = 24 * 3600.0  #: seconds

_VERSION = r"[0-9]+(\.[0-9]+){0,3}((a|b|rc|\.dev|\.post)[0-9]+)*"
_PYTHON = r"3\.[0-9]{1,2}(\.[0-9]{1,2})?"
_DURATION = re.compile(r"([0-9]{1,9})\s*(s|sec|m|min|h|hours?|d)")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Found:
    """One value of the front matter under check. `raw` is its plain text as typed ("" when quoted or not a scalar)."""

    key: str
    line: int
    raw: str
    code: str
    nested: Mapping[str, int]  #: lines of the keys of a mapping

    def refuse(self, message: str, hint: str = "", line: int = 0) -> NoReturn:
        raise Fault(self.code, message, FILE, line or self.line, hint, FaultKind.CONFIG)


Check = Callable[[object, Found], object]


@dataclass(frozen=True, slots=True)
class Key:
    """`schema` is a JSON schema fragment; `used` False: accepted and listed, but this release does nothing with it."""

    name: str
    code: str
    check: Check
    schema: Mapping[str, object]
    doc: str
    used: bool = True


def _text(limit: int = 200, pattern: str = "", rule: str = "") -> tuple[Check, dict]:
    compiled = re.compile(pattern) if pattern else None

    def check(value: object, at: Found) -> str:
        if isinstance(value, bool | int | float):
            value = at.raw or str(value)
        if not isinstance(value, str):
            at.refuse(f"`{at.key}` must be a text, not {_kind(value)}")
        if len(value) > limit:
            at.refuse(
                f'"{at.key}" length must be less than or equal to {limit} characters long, this one has {len(value)}'
            )
        if UNPRINTABLE.search(value):
            at.refuse(f"`{at.key}` holds control or direction characters: {shown(value)!r}; remove them")
        if compiled and not compiled.fullmatch(value):
            at.refuse(f"`{at.key}` is {shown(value)!r}; {rule}")
        return value

    return check, {"type": "string", "maxLength": limit, **({"pattern": f"^({pattern})$"} if pattern else {})}


def _flag() -> tuple[Check, dict]:
    def check(value: object, at: Found) -> bool:
        if not isinstance(value, bool):
            at.refuse(f"`{at.key}` must be true or false, not {shown(at.raw or str(value))!r}")
        return value

    return check, {"type": "boolean"}


def _choice(values: tuple[str, ...]) -> tuple[Check, dict]:
    def check(value: object, at: Found) -> str:
        if value not in values:
            near = get_close_matches(str(value), values, 1)
            at.refuse(
                f'"{at.key}" must be one of [{", ".join(values)}], not {shown(at.raw or str(value))!r}',
                f"did you mean {near[0]}?" if near else "",
            )
        return str(value)

    return check, {"enum": list(values)}


def _texts(count: int = 1000, length: int = 400) -> tuple[Check, dict]:
    def check(value: object, at: Found) -> tuple[str, ...]:
        if not isinstance(value, list):
            at.refuse(f"`{at.key}` must be a list of texts, not {_kind(value)}; write one `- item` a line")
        if len(value) > count:
            at.refuse(f"`{at.key}` has {len(value)} entries; at most {count} are allowed")
        for item in value:
            if not isinstance(item, str | int | float) or isinstance(item, bool):
                at.refuse(f"`{at.key}` must hold texts only, one of them is {_kind(item)}")
            if len(str(item)) > length or UNPRINTABLE.search(str(item)):
                at.refuse(f"`{at.key}` holds an entry that is too long or has control characters: {shown(str(item))!r}")
        return tuple(str(item) for item in value)

    return check, {"type": "array", "items": {"type": "string", "maxLength": length}, "maxItems": count}


def _whole(low: int, high: int) -> tuple[Check, dict]:
    def check(value: object, at: Found) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            at.refuse(f"`{at.key}` is {shown(at.raw or str(value))!r}; write a whole number from {low} to {high}")
        return value

    return check, {"type": "integer", "minimum": low, "maximum": high}


def _sdk(value: object, at: Found) -> str:
    if value in SDKS:
        return str(value)
    near = get_close_matches(str(value).lower(), SDKS, 1)
    mean = f", did you mean {near[0]!r}?" if near else ";"
    at.refuse(f"unknown sdk {shown(str(value))!r}{mean} valid are: {', '.join(SDKS)}")


def _version(value: object, at: Found) -> str:
    if isinstance(value, float) and str(value) != at.raw:
        at.refuse(f"`{at.key}: {at.raw}` is read as the number {value}; write {at.key}: '{at.raw}' with quotes")
    check, _ = _text(40, _VERSION, "write a version such as 6.20.0")
    return check(value, at)


def _python(value: object, at: Found) -> str:
    supported = f"supported are {PYTHONS[0]} to {PYTHONS[-1]}"
    if isinstance(value, float) and str(value) != at.raw:
        at.refuse(
            f"python_version: {at.raw} is read as the number {value}; write python_version: '{at.raw}' with quotes"
        )
    text = at.raw or (value if isinstance(value, str) else "")
    if not re.fullmatch(_PYTHON, text) or ".".join(text.split(".")[:2]) not in PYTHONS:
        quoted = "; write 3.10 with quotes: python_version: '3.10'" if text == "3.1" else ""
        at.refuse(f"python_version {shown(text or str(value))!r} is not supported; {supported}{quoted}")
    return text


def relative_path(value: object, at: Found) -> str:
    """A path inside the repo, normal form."""
    check, _ = _text(1000)
    path = check(value, at)
    parts = path.removeprefix("./").split("/")
    if (
        path.startswith("/")
        or "\\" in path
        or any(part in ("", ".", "..") for part in parts)
        or parts[0].startswith("-")
    ):
        at.refuse(f"`{at.key}` is {shown(path)!r}; write a path inside the repo such as src/app.py")
    return "/".join(parts)


def _base_path(value: object, at: Found) -> str:
    check, _ = _text(1000)
    path = check(value, at)
    parts = urlsplit(path) if path.startswith("/") else None
    if parts is None or path.startswith("//") or "\\" in path or " " in path or parts.scheme or parts.netloc:
        at.refuse(f"`base_path` is {shown(path)!r}; write a path of this app that starts with one slash, such as /docs")
    return path


def _headers(value: object, at: Found) -> dict[str, str]:
    if not isinstance(value, dict):
        at.refuse(f"`custom_headers` must be a mapping of header names to values, not {_kind(value)}")
    for name, content in value.items():
        line = at.nested.get(name, at.line)
        if name not in HEADERS:
            at.refuse(
                f"custom_headers: {shown(name)!r} cannot be set; only {', '.join(HEADERS)} can, in lower case", "", line
            )
        if content not in HEADERS[name]:
            allowed = ", ".join(HEADERS[name])
            at.refuse(f"custom_headers: {name} is {shown(str(content))!r}; it must be one of [{allowed}]", "", line)
    return {name: str(content) for name, content in value.items()}


def _duration(value: object, at: Found) -> float:
    text = at.raw or str(value)
    match = _DURATION.fullmatch(text.strip()) if isinstance(value, str) else None
    if not match:
        at.refuse(f"`{at.key}` is {shown(text)!r}; write a time with its unit, such as 30m or 1h")
    seconds = float(int(match[1]) * _UNITS[match[2][0]])
    if not 0 < seconds <= STARTUP_LIMIT:
        at.refuse(f"`{at.key}` is {shown(text)!r}; write more than nothing and at most {STARTUP_LIMIT / 3600:.0f}h")
    return seconds


def _emoji(value: object, at: Found) -> str:
    check, _ = _text(20)
    text = check(value, at)
    if not text or any(unicodedata.category(c)[0] in "LZ" or c in "<>&\"'" for c in text):
        at.refuse(f"`emoji` is {shown(text)!r}; write one emoji")
    return text


def _organisations(value: object, at: Found) -> tuple[str, ...]:
    check, _ = _texts(100)
    return check([value] if isinstance(value, str) else value, at)


def _kind(value: object) -> str:
    names = {dict: "a mapping", list: "a list", str: "a text", bool: "true or false", type(None): "nothing"}
    return names.get(type(value), "a number")


_HEADER_SCHEMA = {
    "type": "object",
    "properties": {name: {"enum": list(values)} for name, values in HEADERS.items()},
    "additionalProperties": False,
}
_DURATION_SCHEMA = {"type": "string", "pattern": r"^[0-9]+\s*(s|sec|m|min|h|hours?|d)$"}
_PATH_SCHEMA = {"type": "string", "maxLength": 1000}

KEYS: dict[str, Key] = {
    key.name: key
    for key in (
        Key("title", "TITLE", *_text(200), "Name shown on the Space's page and card."),
        Key("emoji", "EMOJI", _emoji, {"type": "string", "maxLength": 20}, "One emoji shown on the card."),
        Key("colorFrom", "COLOR", *_choice(COLORS), "First colour of the card."),
        Key("colorTo", "COLOR", *_choice(COLORS), "Second colour of the card."),
        Key("sdk", "SDK", _sdk, {"enum": list(SDKS)}, "What the app is written with."),
        Key(
            "sdk_version", "SDK_VERSION", _version, {"type": "string", "pattern": f"^{_VERSION}$"},
            "Version of gradio or streamlit; quote it. Without it the newest is installed.",
        ),
        Key(
            "python_version", "PYTHON_VERSION", _python, {"type": "string", "pattern": f"^{_PYTHON}$"},
            "Python version such as '3.12', in quotes. Without it: the one that Podium runs on.",
        ),
        Key(
            "app_file", "APP_FILE", relative_path, _PATH_SCHEMA,
            "Path of the app inside the repo; app.py without it, index.html for static Spaces.",
        ),
        Key("app_build_command", "APP_BUILD_COMMAND", *_text(2000), "Command that makes the files of a static Space.", False),
        Key("app_port", "APP_PORT", *_whole(1, 65535), "Port that the app of a docker Space listens on; 7860 without it."),
        Key("base_path", "BASE_PATH", _base_path, _PATH_SCHEMA, "First page to show, starting with a slash."),
        Key("fullWidth", "FULL_WIDTH", *_flag(), "Show the app over the whole width."),
        Key("header", "HEADER", *_choice(("mini", "default")), "Size of the bar above the app."),
        Key("short_description", "SHORT_DESCRIPTION", *_text(60), "One line for the card, at most 60 characters."),
        Key("models", "MODELS", *_texts(), "Ids of models that the app uses."),
        Key("datasets", "DATASETS", *_texts(), "Ids of datasets that the app uses."),
        Key("tags", "TAGS", *_texts(), "Words to find the Space by."),
        Key("thumbnail", "THUMBNAIL", *_text(2000), "URL of a preview picture."),
        Key("pinned", "PINNED", *_flag(), "Show the Space first on its owner's page."),
        Key("license", "LICENSE", *_text(100), "Licence id such as apache-2.0."),
        Key("hf_oauth", "HF_OAUTH", *_flag(), "Let visitors sign in with their account of this hub."),
        Key("hf_oauth_scopes", "HF_OAUTH", *_texts(50), "What the app may ask for besides openid and profile."),
        Key(
            "hf_oauth_expiration_minutes", "HF_OAUTH", *_whole(1, 43200),
            "Minutes until a sign-in ends (480 by default).",
        ),
        Key(
            "hf_oauth_authorized_org", "HF_OAUTH", _organisations, {"type": ["string", "array"], "items": {"type": "string"}},
            "Organisations whose members alone may sign in.",
        ),
        Key("disable_embedding", "DISABLE_EMBEDDING", *_flag(), "Forbid other sites to show the app in a frame."),
        Key(
            "startup_duration_timeout", "STARTUP_TIMEOUT", _duration, _DURATION_SCHEMA,
            "Longest time from start to the first answer, such as 30m (the default) or 1h.",
        ),
        Key("custom_headers", "CUSTOM_HEADERS", _headers, _HEADER_SCHEMA, "Cross-origin headers to add to every answer."),
        Key("suggested_hardware", "SUGGESTED_HARDWARE", *_text(100), "Hardware that a copy of the Space should ask for."),
        Key("suggested_storage", "SUGGESTED_STORAGE", *_choice(("small", "medium", "large")), "Storage for a copy."),
        Key("preload_from_hub", "PRELOAD_FROM_HUB", *_texts(100, 2000), "Repos to download while building.", False),
        Key("duplicated_from", "DUPLICATED_FROM", *_text(200), "Space that this one was copied from."),
        Key("dev-mode-folder", "DEV_MODE_FOLDER", *_text(1000), "Folder of the dev mode.", False),
    )
}  # fmt: skip
