"""Static: the files are served as they are; nothing is installed, nothing of the author's runs."""

from builder.config import Config
from builder.errors import Fault, FaultKind
from builder.frontmatter import FILE as README
from builder.packs import Parts, app_file
from builder.source import Reader

PACKAGE = ""
INDEX = "index.html"
_ARGV = ("{python}", "{static_server}", "--host", "127.0.0.1", "--port", "{port}", "--root", ".")


def detect(read: Reader) -> bool:
    return INDEX in read.source.files


def plan(config: Config, read: Reader) -> Parts:
    if config.app_build_command:
        raise Fault(
            "APP_BUILD_COMMAND",
            "`app_build_command` is not run by this Podium; build the pages yourself and commit the result",
            README,
            config.line("app_build_command"),
            kind=FaultKind.CONFIG,
        )
    path = app_file(config, read, INDEX, ".html")
    argv = _ARGV if path == INDEX else (*_ARGV, "--index", path)
    return Parts(argv, 7860, installs=False)
