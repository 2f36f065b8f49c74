"""The pages of models and datasets: found, shown, changed, gated; private ones do not exist for strangers."""

import hashlib
import re
from urllib.parse import quote

import pytest

from orchestrator.domain.push import RefUpdate
from orchestrator.domain.repo import RepoKind
from orchestrator.domain.space import MAIN, Visibility
from orchestrator.domain.tree import Change
from tests.unit.test_web_pages import EVIL, Browser, ada, bob, console, stranger  # noqa: F401

MODEL, DATASET = RepoKind.MODEL, RepoKind.DATASET
CARD = (
    b"---\nlicense: mit\nlibrary_name: transformers\npipeline_tag: text-classification\n---\n# Hello\n[file](a/b.txt)\n"
)


@pytest.fixture
def owner(console):  # noqa: F811
    return console.parts.accounts.caller(f"Bearer {console.token}")


@pytest.fixture
def repo(console, owner, request):  # noqa: F811
    """Makes models and datasets of Ada's, with files."""
    count = iter(range(100))

    def made(kind=MODEL, visibility=Visibility.PUBLIC, files=None, gated="", message="First"):
        name = f"r{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:10]}-{next(count)}"
        one = console.parts.hosted.create(owner, kind, name, None, visibility)
        given = {"README.md": CARD, "config.json": b"{}\n", "a/b.txt": b"text\n"} if files is None else files
        if given:
            changes = [Change(path, data) for path, data in given.items()]
            console.parts.pushes.commit(owner, one, changes, message, None, MAIN)
            console.parts.pushes.landed(one.id)
        if gated:
            console.parts.hosted.change(owner, one, gated=gated)
        return console.parts.hosted.get(one.id)

    return made


# ---------------------------------------------------------------------------------------------------------- the pages


@pytest.mark.parametrize("kind", [MODEL, DATASET])
def test_the_pages_of_a_repo(console, ada, stranger, repo, kind):  # noqa: F811
    one = repo(kind)
    base, head = f"/{one.path}", console.parts.repos.head(one.id)
    for browser in (stranger, ada):
        page = browser.get(base)
        assert (
            page.status_code == 200
            and "<h1>Hello</h1>" in page.text
            and f"git clone {console.parts.public_url}/{one.path}" in page.text
        )
        assert f'href="{base}/blob/main/a/b.txt"' in page.text, "links of the card lead to files"
        for tab in (
            "tree/main",
            "tree/main/a",
            f"tree/{head}",
            "blob/main/a/b.txt",
            "commits/main",
            f"commit/{head}",
            "discussions",
            f"lasts/{head}",
        ):
            answer = browser.get(f"{base}/{tab}")
            assert answer.status_code == 200, tab
            assert len(answer.content) < 100_000
            assert "/logs" not in answer.text and "Restart" not in answer.text, "nothing of it runs"
    for tab in ("blob/main/none", "tree/main/none", "commit/" + "0" * 40, "tree/none", "discussions/9", "logs", "use"):
        assert stranger.get(f"{base}/{tab}").status_code == 404, tab
