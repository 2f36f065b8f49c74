"""Streamlit: the app file is a script that `streamlit run` serves, with a WebSocket per visitor."""

from builder.config import Config
from builder.frontmatter import FILE as README
from builder.packs import Parts, app_file, imports, mentioned
from builder.source import Reader

PACKAGE = "streamlit"
#: The gateway terminates the visitor's origin, so Streamlit's own origin checks would refuse every socket.
_OPTIONS = (
    "--server.port={port}",
    "--server.address=127.0.0.1",
    "--server.headless=true",
    "--server.enableXsrfProtection=false",
    "--server.enableCORS=false",
    "--server.fileWatcherType=none",
    "--browser.gatherUsageStats=false",
)


def detect(read: Reader) -> bool:
    if "app.py" not in read.source.files:
        return False
    return imports(read, "app.py", "streamlit") or mentioned(read, PACKAGE)


def plan(config: Config, read: Reader) -> Parts:
    path = app_file(config, read, "app.py", ".py")
    warnings = ()
    if not config.sdk_version and not mentioned(read, PACKAGE):
        warnings = (f"{README} names no `sdk_version`, so the newest streamlit is installed; name one to keep it",)
    env = {"PYTHONUNBUFFERED": "1", **({"PYTHONPATH": "."} if "/" in path else {})}
    argv = ("python", "-m", "streamlit", "run", path, *_OPTIONS)
    port = 8501
    return Parts(argv, port, "/_stcore/health", env, (PACKAGE,), warnings=warnings)
