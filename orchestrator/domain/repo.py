"""The kinds of repos and where each lives in URLs (hub-api reference, section 2). Pure."""

from enum import StrEnum


class RepoKind(StrEnum):
    """What a repo is for; all are git with LFS, a Space also runs."""

    SPACE = "space"
    MODEL = "model"
    DATASET = "dataset"
    KERNEL = "kernel"

    @property
    def plural(self) -> str:
        """Its word in `/api/{plural}/…`."""
        return f"{self.value}s"

    @property
    def prefix(self) -> str:
        """What stands before `{owner}/{name}` in the addresses of its pages, its files and its git remote."""
        return "" if self is RepoKind.MODEL else f"{self.plural}/"

    @property
    def runs(self) -> bool:
        """Whether what is pushed to main is built and served."""
        return self is RepoKind.SPACE


#: The kinds by their word in `/api/{plural}/…`.
PLURALS = {kind.plural: kind for kind in RepoKind}
#: What does not run: files, their history and what is said about them.
PLAIN = (RepoKind.MODEL, RepoKind.DATASET, RepoKind.KERNEL)
