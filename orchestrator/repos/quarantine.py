"""Where new objects lie until it is decided that they come in, as git does it with a push: a folder below the repo's objects,
which `tidy` removes when its process has died. Owns the folder and the way in."""

import shutil
import tempfile
from pathlib import Path

from orchestrator.errors import repo_not_found
from orchestrator.repos.durable import sync


class Quarantine:
    """Use as a context; what was not released is gone on leaving. `env` makes git write here and read the repo too."""

    def __init__(self, git_dir: str) -> None:
        self._objects = Path(git_dir) / "objects"

    def __enter__(self) -> "Quarantine":
        try:
            self.path = tempfile.mkdtemp(prefix="tmp_objdir-podium-", dir=self._objects)
        except FileNotFoundError:
            raise repo_not_found() from None
        self.env = environment(str(self._objects.parent), self.path)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def release(self) -> None:
        """Its packs into the repo, durable on return: a ref that names them may be so before them else. A pack is there for
        others once its index is, which therefore comes last."""
        packs = self._objects / "pack"
        for path in sorted(Path(self.path).glob("pack/pack-*"), key=lambda path: path.suffix == ".idx"):
            path.rename(packs / path.name)
        sync(packs)


def environment(git_dir: str, quarantine: str) -> dict[str, str]:
    """For a git that sees a quarantine of this repo; none for ""."""
    if not quarantine:
        return {}
    return {
        "GIT_OBJECT_DIRECTORY": quarantine,
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(Path(git_dir) / "objects"),
    }
