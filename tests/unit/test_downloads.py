"""Downloads: counted once for each repo and client within a while, in memory, written together, for thirty days."""

import pytest

from orchestrator.domain.repo import RepoKind
from orchestrator.errors import Unavailable
from orchestrator.services.downloads import WINDOW, Downloads
from tests.contracts.test_store import add, owner, space, store  # noqa: F401
from tests.contracts.test_store_repos import put, repo

DAY = 86400.0
MODEL, SPACE = f"{1:024x}", f"{9:024x}"


class Clock:
    def __init__(self):
        self.now = 20_000 * DAY

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def downloads(store, clock):  # noqa: F811
    ada = owner(store, "ada")
    put(store, repo(1, ada), repo(2, ada))
    add(store, space(9, ada))
    return Downloads(store, clock)


def numbers(store, repo_id):  # noqa: F811
    with store.read() as tx:
        one = tx.repos.get(repo_id) or tx.spaces.get(repo_id)
        return one.downloads, one.downloads_all


def test_one_client_counts_once_in_a_while(store, downloads, clock):  # noqa: F811
    for _ in range(5):
        downloads.note(MODEL, "bob")
    downloads.note(MODEL, "10.0.0.1")
    downloads.note(SPACE, "bob")
    downloads.note("f" * 24, "bob")
    assert numbers(store, MODEL) == (0, 0)
    downloads.write()
    assert numbers(store, MODEL) == (2, 2) and numbers(store, SPACE) == (1, 1)
    clock.now += WINDOW / 2 - 1
    downloads.note(MODEL, "bob")
    downloads.write()
    assert numbers(store, MODEL) == (2, 2)
    clock.now += 2 * WINDOW
    downloads.note(MODEL, "bob")
    downloads.write()
    assert numbers(store, MODEL) == (3, 3)


def test_after_thirty_days_a_download_counts_only_in_all(store, downloads, clock):  # noqa: F811
    downloads.note(MODEL, "bob")
    downloads.write()
    clock.now += 29 * DAY
    downloads.note(MODEL, "bob")
    downloads.write()
    downloads.age()
    assert numbers(store, MODEL) == (2, 2)
    clock.now += DAY
    downloads.age()
    downloads.age()
    assert numbers(store, MODEL) == (1, 2)


def test_what_cannot_be_written_is_kept(store, downloads, monkeypatch):  # noqa: F811
    downloads.note(MODEL, "bob")

    def away():
        raise Unavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(store, "write", away)
        with pytest.raises(Unavailable):
            downloads.write()
    downloads.note(MODEL, "eve")
    downloads.write()
    assert numbers(store, MODEL) == (2, 2)


def test_lists_are_sorted_by_downloads(store, downloads):  # noqa: F811
    downloads.note(f"{2:024x}", "bob")
    downloads.write()
    with store.read() as tx:
        assert [one.name for one in tx.repos.list(RepoKind.MODEL, sort="downloads")] == ["m2", "m1"]
        after = (1.0, f"{2:024x}")
        assert [one.name for one in tx.repos.list(RepoKind.MODEL, sort="downloads", after=after)] == ["m1"]
