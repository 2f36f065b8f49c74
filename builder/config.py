"""What the front matter of README.md asks for. `parse` is pure and cheap: the control plane calls it at every push; the
builder calls it again and looks at the files. Owns defaults and the meeting of keys; single keys are in `keys.py`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cache

from builder import frontmatter
from builder.errors import Fault, FaultKind
from builder.frontmatter import FILE, Block
from builder.keys import HEADERS, KEYS, SDKS, Found
from builder.text import shown

__all__ = ["HEADERS", "SDKS", "Config", "parse", "schema"]

STARTUP_TIMEOUT = 1800.0  #: seconds
DEFAULT_PORTS = {"gradio": 7860, "docker": 7860, "static": 7860, "streamlit": 8501}
_RENAMED = {"full_width": "fullWidth", "color_from": "colorFrom", "color_to": "colorTo", "hf-oauth": "hf_oauth"}


@dataclass(frozen=True, slots=True)
class Config:
    """The wishes of a README. None or empty: not said. `card` is the whole mapping as JSON-safe values, for the API;
    `warnings` are sentences for the author; `lines` are the lines of keys in README.md."""

    sdk: str | None = None
    sdk_version: str = ""
    python_version: str = ""
    app_file: str = ""
    app_build_command: str = ""
    app_port: int | None = None
    base_path: str = "/"
    title: str = ""
    short_description: str = ""
    emoji: str = ""
    color_from: str = ""
    color_to: str = ""
    thumbnail: str = ""
    license: str = ""
    full_width: bool = True
    header: str = "default"
    pinned: bool = False
    disable_embedding: bool = False
    startup_timeout: float = STARTUP_TIMEOUT  #: seconds
    custom_headers: Mapping[str, str] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    hf_oauth: bool = False
    hf_oauth_scopes: tuple[str, ...] = ()
    hf_oauth_expiration_minutes: int = 480
    hf_oauth_authorized_org: tuple[str, ...] = ()
    preload_from_hub: tuple[str, ...] = ()
    suggested_hardware: str = ""
    suggested_storage: str = ""
    duplicated_from: str = ""
    dev_mode_folder: str = ""
    card: Mapping[str, object] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    lines: Mapping[str, int] = field(default_factory=dict)

    def line(self, key: str) -> int:
        """Line of a key in README.md, 0 when it is not there."""
        return self.lines.get(key, 0)

    @property
    def port(self) -> int:
        """The port that the author's contract promises."""
        return (self.app_port if self.sdk == "docker" else None) or DEFAULT_PORTS.get(self.sdk or "", 7860)


_FIELDS = {
    "colorFrom": "color_from",
    "colorTo": "color_to",
    "fullWidth": "full_width",
    "startup_duration_timeout": "startup_timeout",
    "dev-mode-folder": "dev_mode_folder",
}


def parse(readme_text: str) -> Config:
    """The Config of a README. Never looks at other files. Raises Fault of kind CONFIG, with the line."""
    block = frontmatter.read(readme_text)
    if not block.present:
        return Config(
            warnings=(f"{FILE} has no front matter, so the kind of app is recognised by its files; {_TEMPLATE}",)
        )
    values, warnings = {}, []
    for name, value in block.values.items():
        key = KEYS.get(name)
        if key is None:
            warnings.append(_unknown(name, block.lines[(name,)]))
        elif value is not None:
            values[_FIELDS.get(name, name)] = key.check(value, _found(block, name))
            if not key.used and value is not False:
                warnings.append(
                    f"{FILE}:{block.lines[(name,)]}: `{name}` is accepted, but this release does nothing with it"
                )
    config = Config(
        **values,
        card=block.values,
        lines={path[0]: line for path, line in block.lines.items() if len(path) == 1},
    )
    return _with(config, warnings)


_TEMPLATE = "write one: a line of ---, then `title: My demo` and `sdk: gradio`, then a line of ---"


def _with(config: Config, warnings: list[str]) -> Config:
    if config.sdk is None:
        warnings.append(f"{FILE} names no `sdk`, so the kind of app is recognised by its files")
    if config.app_port is not None and config.sdk not in (None, "docker"):
        warnings.append(f"{FILE}:{config.line('app_port')}: `app_port` is used by docker Spaces only")
    if config.sdk in ("gradio", "streamlit") and config.app_file and not config.app_file.endswith(".py"):
        raise Fault(
            "APP_FILE",
            f"`app_file` is {shown(config.app_file)!r}; a {config.sdk} app is a Python file such as app.py",
            FILE,
            config.line("app_file"),
            kind=FaultKind.CONFIG,
        )
    return replace(config, warnings=tuple(warnings))


def _found(block: Block, name: str) -> Found:
    nested = {path[1]: line for path, line in block.lines.items() if len(path) == 2 and path[0] == name}
    return Found(name, block.lines[(name,)], block.raw.get((name,), ""), KEYS[name].code, nested)


def _unknown(name: str, line: int) -> str:
    near = [_RENAMED[name]] if name in _RENAMED else get_close_matches(name, KEYS, 1, 0.8)
    mean = f", did you mean {near[0]!r}?" if near else ""
    return f"{FILE}:{line}: unknown key {shown(name)!r}{mean}; it is kept and does nothing"


@cache
def schema() -> dict[str, object]:
    """The JSON schema of the front matter, for editors and for the API."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Front matter of a Space's README.md",
        "type": "object",
        "properties": {key.name: {"description": key.doc, **key.schema} for key in KEYS.values()},
        "additionalProperties": True,
    }
