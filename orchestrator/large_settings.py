"""Settings -> what stores large files: a part of `wiring.py`."""

from pathlib import Path

from orchestrator.objects import open_objects
from orchestrator.ports import Repos, Store
from orchestrator.services.grants import Grants
from orchestrator.services.large_care import LargeCare
from orchestrator.services.large_files import LargeFiles, LargeLimits
from orchestrator.services.signing import Signing
from orchestrator.services.xet import Xet
from orchestrator.settings import Settings


def large_files(settings: Settings, data: Path, store: Store, repos: Repos) -> LargeFiles:
    """For control planes and builders."""
    objects = open_objects(data / "objects", settings.s3_bucket, settings.s3_url)
    return LargeFiles(store, objects, repos, LargeLimits(settings.large_file_limit, settings.large_repo_limit))


class Large:
    """What a control plane has of it; `care` is a loop."""

    def __init__(self, settings: Settings, data: Path, store: Store, repos: Repos, signing: Signing) -> None:
        self.files = large_files(settings, data, store, repos)
        self.xet = Xet(data / "xet", self.files)
        self.grants = Grants(signing.derived("grants"))
        self.care = LargeCare(store, self.files.objects, repos, self.xet)
