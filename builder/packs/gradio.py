"""Gradio: the app file is a Python program that serves HTTP on GRADIO_SERVER_PORT."""

from builder.config import Config
from builder.frontmatter import FILE as README
from builder.packs import Parts, app_file, imports, mentioned
from builder.source import Reader

PACKAGE = "gradio"
#: Below it: open redirect and request forgery in its file routes (CVE-2026-59806 and others).
FLOOR = (6, 20, 0)
_ENV = {
    "GRADIO_SERVER_NAME": "127.0.0.1",
    "GRADIO_SERVER_PORT": "{port}",
    "GRADIO_NUM_PORTS": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_ALLOW_FLAGGING": "never",
    "GRADIO_SSR_MODE": "False",
    "PYTHONUNBUFFERED": "1",
    "TQDM_POSITION": "-1",
    "TQDM_MININTERVAL": "1",
}


def detect(read: Reader) -> bool:
    if "app.py" not in read.source.files:
        return False
    return imports(read, "app.py", "gradio") or (mentioned(read, PACKAGE) and not imports(read, "app.py", "streamlit"))


def plan(config: Config, read: Reader) -> Parts:
    path = app_file(config, read, "app.py", ".py")
    warnings = []
    if config.sdk_version and _numbers(config.sdk_version) < FLOOR:
        floor = ".".join(map(str, FLOOR))
        warnings.append(
            f"{README}:{config.line('sdk_version')}: gradio {config.sdk_version} has known security holes; "
            f"write sdk_version: '{floor}' or newer"
        )
    if not config.sdk_version and not mentioned(read, PACKAGE):
        warnings.append(f"{README} names no `sdk_version`, so the newest gradio is installed; name one to keep it")
    # What Hugging Face installs beside gradio, so that apps may rely on it; `spaces` only when the app imports it.
    wanted = ("gradio[mcp,oauth]", "uvicorn>=0.14.0", "websockets>=10.4")
    wanted += ("spaces",) if imports(read, path, "spaces") else ()
    # Modules beside README.md can be imported from an app file in a folder, as on Hugging Face.
    env = {**_ENV, "PYTHONPATH": "."} if "/" in path else _ENV
    return Parts(("python", path), config.port, "/", env, wanted, warnings=tuple(warnings))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))
