"""What people do around the files of a repo, put together: branches, discussions, pull requests, and who is told of it."""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path

from orchestrator.domain.events import Answer
from orchestrator.ports import Bell, Repos, Store
from orchestrator.ports_refs import Refs
from orchestrator.services.attachments import Attachments
from orchestrator.services.branches import Branches
from orchestrator.services.discussions import Discussions
from orchestrator.services.pull_requests import PullRequests
from orchestrator.services.pushes import Pushes
from orchestrator.services.telling import Telling
from orchestrator.services.vault import Vault
from orchestrator.services.webhooks import Webhooks


def plain(text: str) -> str:
    """Text as HTML where nothing renders Markdown."""
    return f"<p>{escape(text)}</p>"


@dataclass(frozen=True)
class Community:
    """`telling` is a loop to start. `markdown(text)`: safe HTML."""

    refs: Refs
    branches: Branches
    discussions: Discussions
    pull_requests: PullRequests
    attachments: Attachments
    webhooks: Webhooks
    telling: Telling
    markdown: Callable[[str], str]

    @classmethod
    def of(
        cls,
        store: Store,
        repos: Repos,
        refs: Refs,
        pushes: Pushes,
        vault: Vault,
        bell: Bell,
        *,
        uploads: Path,
        public_url: str,
        post: Callable[..., Answer] = lambda url, body, headers: Answer(None, "nothing is sent here"),
        markdown: Callable[[str], str] = plain,
    ) -> "Community":
        """`uploads`: directory of attachments. `post` sends to webhooks."""
        discussions, webhooks = Discussions(store), Webhooks(store, vault, bell)
        return cls(
            refs,
            Branches(repos, refs, pushes),
            discussions,
            PullRequests(discussions, repos, refs, pushes),
            Attachments(uploads),
            webhooks,
            Telling(store, webhooks, post, bell, public_url),
            markdown,
        )
