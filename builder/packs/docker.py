"""Docker: the author's own Dockerfile. Needs a runtime that runs images; `plan.make` refuses it elsewhere."""

from builder.config import Config
from builder.packs import Parts, app_file
from builder.source import Reader

PACKAGE = ""


def detect(read: Reader) -> bool:
    return "Dockerfile" in read.source.files


def plan(config: Config, read: Reader) -> Parts:
    app_file(config, read, "Dockerfile", "Dockerfile")
    return Parts((), config.app_port or 7860, installs=False)
