"""What several contracts are tested on."""

import pytest

from orchestrator.repos.git import GitRepos

ID = "0123456789abcdef01234567"
WHO = ("ada", "ada@example.org")


@pytest.fixture
def repos(tmp_path):
    """Real git, with one empty repo in it."""
    made = GitRepos(tmp_path / "repos", 64 * 1024**2)
    made.create(ID)
    return made
