"""Settings -> what stores large files: a part of `wiring.py`."""

from pathlib import Path

from orchestrator import adapters
from orchestrator.ports import Repos, Store
from orchestrator.services.large_care import LargeCare
from orchestrator.services.large_files import LargeFiles, LargeLimits
from orchestrator.services.links import SignedLinks
from orchestrator.services.signing import Signing
from orchestrator.services.xet import Xet
from orchestrator.settings import Settings


def large_files(settings: Settings, store: Store, repos: Repos) -> LargeFiles:
    """For control planes and builders."""
    return LargeFiles(
        store, adapters.objects(settings), repos, LargeLimits(settings.large_file_limit, settings.large_repo_limit)
    )


class Large:
    """What a control plane has of it; `care` is a loop."""

    def __init__(self, settings: Settings, data: Path, store: Store, repos: Repos, signing: Signing) -> None:
        self.files = large_files(settings, store, repos)
        self.xet = Xet(data / "xet", self.files)
        self.links = SignedLinks(signing.derived("grants"))
        #: As `api.parts.Parts` names them.
        self.parts = {"large": self.files, "links": self.links, "xet": self.xet}
        self.care = LargeCare(store, self.files.objects, repos, self.xet)
