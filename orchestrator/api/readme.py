"""The files that a new repo begins with. Pure."""

from collections.abc import Iterable

import yaml

from orchestrator.domain.repo import RepoKind
from orchestrator.domain.tree import Change

_COLORS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
_EMOJI = ("🚀", "🌍", "🌱", "🎨", "🔭", "🧭", "🎈", "📊", "🔬", "🎧", "🧩", "🌊")
_APP_FILES = {"gradio": "app.py", "streamlit": "app.py"}
#: Files that are stored by git LFS in every new repo, as on the Hub (its own first `.gitattributes`).
_LARGE = [
    "*.7z",
    "*.arrow",
    "*.bin",
    "*.bz2",
    "*.ckpt",
    "*.ftz",
    "*.gz",
    "*.h5",
    "*.joblib",
    "*.lfs.*",
    "*.mlmodel",
    "*.model",
    "*.msgpack",
    "*.npy",
    "*.npz",
    "*.onnx",
    "*.ot",
    "*.parquet",
    "*.pb",
    "*.pickle",
    "*.pkl",
    "*.pt",
    "*.pth",
    "*.rar",
    "*.safetensors",
    "saved_model/**/*",
    "*.tar.*",
    "*.tar",
    "*.tflite",
    "*.tgz",
    "*.wasm",
    "*.xz",
    "*.zip",
    "*.zst",
    "*tfevents*",
]
#: Audio and images of datasets too.
_MEDIA = [
    "*.pcm",
    "*.sam",
    "*.raw",
    "*.aac",
    "*.flac",
    "*.mp3",
    "*.ogg",
    "*.wav",
    "*.bmp",
    "*.gif",
    "*.png",
    "*.tiff",
    "*.jpg",
    "*.jpeg",
    "*.webp",
    "*.mp4",
    "*.webm",
    "*.lz4",
    "*.mds",
]


def git_attributes(kind: RepoKind) -> str:
    """The first .gitattributes of a repo."""
    names = _LARGE + (_MEDIA if kind is RepoKind.DATASET else [])
    return "".join(f"{name} filter=lfs diff=lfs merge=lfs -text\n" for name in names)


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


def first_files(kind: RepoKind, text: str, given: Iterable[Change]) -> list[Change]:
    """The first commit: .gitattributes, and README.md when there is a `text`, unless `given` brings its own; and what was
    given."""
    changes = {change.path: change for change in given}
    for path, content in ((".gitattributes", git_attributes(kind)), ("README.md", text)):
        if content:
            changes.setdefault(path, Change(path, content.encode()))
    return list(changes.values())
