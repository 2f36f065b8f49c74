"""The files that a new Space begins with. Pure."""

from collections.abc import Iterable

import yaml

from orchestrator.ports import Change

_COLORS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
_EMOJI = ("🚀", "🌍", "🌱", "🎨", "🔭", "🧭", "🎈", "📊", "🔬", "🎧", "🧩", "🌊")
_APP_FILES = {"gradio": "app.py", "streamlit": "app.py"}
#: No file is handed to git LFS here: a clone with git-lfs would then take every such file for a broken pointer.
GIT_ATTRIBUTES = "# Attributes of files: https://git-scm.com/docs/gitattributes\n"


def readme(name: str, sdk: str | None, sdk_version: str = "", short_description: str = "", license: str = "") -> str:
    """A README.md whose front matter says what is known of the Space."""
    pick = sum(name.encode())
    card: dict[str, object] = {
        "title": " ".join(name.replace("-", " ").replace("_", " ").split()).capitalize() or name,
        "emoji": _EMOJI[pick % len(_EMOJI)],
        "colorFrom": _COLORS[pick % len(_COLORS)],
        "colorTo": _COLORS[(pick // 8 + 3) % len(_COLORS)],
    }
    card |= {"sdk": sdk} if sdk else {}
    card |= {"sdk_version": sdk_version} if sdk_version else {}
    card |= {"app_file": _APP_FILES[sdk]} if sdk in _APP_FILES else {}
    card |= {"pinned": False}
    card |= {"license": license} if license else {}
    card |= {"short_description": short_description} if short_description else {}
    front = yaml.safe_dump(card, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{front}---\n\n# {card['title']}\n"


def first_files(text: str, given: Iterable[Change]) -> list[Change]:
    """The first commit: README.md and .gitattributes unless `given` brings its own, and what was given."""
    changes = {change.path: change for change in given}
    for path, content in ((".gitattributes", GIT_ATTRIBUTES), ("README.md", text)):
        changes.setdefault(path, Change(path, content.encode()))
    return list(changes.values())
