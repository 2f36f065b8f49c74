"""What happens to repos, as webhooks tell it (the Hub's webhook payload, version 3). An event carries all that is told about its
repo, because the repo may be gone when it is told. Pure."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from orchestrator.domain.discussions import Discussion, Happening
from orchestrator.domain.push import ZERO, RefUpdate
from orchestrator.domain.records import AnyRepo
from orchestrator.errors import Invalid

VERSION = 3
DOMAINS = ("repo", "discussion")
WATCHABLE = ("user", "org", "model", "dataset", "space")
PAUSES = (5.0, 30.0, 120.0, 600.0, 3600.0, 21600.0)  #: seconds after each failed attempt; then it is given up
URL_LIMIT = 2000
_COMMENT_SHOWN = 16_000  #: characters of a comment that are told


@dataclass(frozen=True, slots=True)
class Event:
    """`scope`: repo | repo.content | repo.config | repo.runtime | discussion | discussion.comment. `action`: create | update |
    delete | move. `repo` and `detail` are parts of the payload; URLs in them are paths below the console's URL."""

    repo_id: str
    owner_id: str
    private: bool
    scope: str
    action: str
    at: float
    repo: dict[str, Any]
    detail: dict[str, Any] = field(default_factory=dict)
    id: int = 0

    @property
    def domain(self) -> str:
        return self.scope.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Watched:
    type: str  #: one of WATCHABLE
    name: str


@dataclass(frozen=True, slots=True)
class Webhook:
    """`secret` is encrypted."""

    id: str
    owner_id: str
    url: str
    watched: tuple[Watched, ...]
    domains: tuple[str, ...]
    secret: str = ""
    disabled: bool = False
    created_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One payload for one webhook. `state`: waiting | done | failed. `answer`: how the last attempt ended, in a few words."""

    id: str
    webhook_id: str
    event: str  #: scope and action
    payload: dict[str, Any]
    created_at: float
    state: str = "waiting"
    attempts: int = 0
    due_at: float = 0.0
    done_at: float | None = None
    status: int | None = None
    answer: str = ""
    replay_of: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a sending ended. `status` None: there was no answer; `words` say why, or begin what was answered."""

    status: int | None
    words: str = ""


def of_repo(repo: AnyRepo, scope: str, action: str, at: float, **detail: Any) -> Event:
    """An event of a repo as it is now."""
    told = {
        "type": repo.kind.value,
        "name": repo.full_name,
        "id": repo.id,
        "private": repo.private,
        "url": {"web": f"/{repo.path}", "api": f"/api/{repo.kind.plural}/{repo.full_name}"},
        "owner": {"id": repo.owner_id},
    }
    if label := getattr(repo, "label", ""):
        told["subdomain"] = label
    if repo.sha:
        told["headSha"] = repo.sha
    return Event(repo.id, repo.owner_id, repo.code_private, scope, action, at, told, detail)


def of_config(repo: AnyRepo, at: float, **changed: Any) -> Event:
    """Settings that changed; of visibility only whether the repo is private."""
    changed = {_CAMEL.get(name, name): value for name, value in changed.items()}
    if "visibility" in changed:
        changed["private"] = changed.pop("visibility") == "private"
    return of_repo(repo, "repo.config", "update", at, updatedConfig=changed)


_CAMEL = {"discussions_disabled": "discussionsDisabled"}


def of_refs(repo: AnyRepo, updates: list[RefUpdate], at: float) -> Event:
    """Refs that moved."""
    told = [{"ref": u.ref, "oldSha": _sha(u.old), "newSha": _sha(u.new)} for u in updates]
    return of_repo(repo, "repo.content", "update", at, updatedRefs=told)


def _sha(oid: str) -> str | None:
    return None if oid == ZERO else oid


def of_discussion(
    repo: AnyRepo, one: Discussion, action: str, at: float, comment: Happening | None = None, opens: bool = False
) -> Event:
    """A discussion, or with `comment` that comment unless it `opens` the discussion."""
    here = f"/{repo.path}/discussions/{one.num}"
    told: dict[str, Any] = {
        "id": one.id,
        "num": one.num,
        "title": one.title,
        "status": one.status.value,
        "author": {"id": one.author_id},
        "isPullRequest": one.is_pull_request,
        "pinned": False,
        "url": {"web": here, "api": f"/api/{repo.kind.plural}/{repo.full_name}/discussions/{one.num}"},
    }
    if one.is_pull_request:
        told["changes"] = {"base": one.base} | ({"mergeCommitId": one.merge_commit} if one.merge_commit else {})
    detail = {"discussion": told}
    if comment:
        detail["comment"] = {
            "id": comment.id,
            "author": {"id": comment.author_id},
            "content": comment.data["raw"][:_COMMENT_SHOWN],
            "hidden": comment.data["hidden"],
            "url": {"web": f"{here}#{comment.id}"},
        }
    return of_repo(repo, "discussion.comment" if comment and not opens else "discussion", action, at, **detail)


def payload(event: Event, webhook_id: str, public_url: str) -> dict[str, Any]:
    """What is sent."""
    told = {
        "event": {"action": event.action, "scope": event.scope},
        "repo": event.repo,
        **event.detail,
        "webhook": {"id": webhook_id, "version": VERSION},
    }
    return _with_urls(told, public_url)


def _with_urls(value: Any, base: str, in_url: bool = False) -> Any:
    if isinstance(value, dict):
        return {key: _with_urls(part, base, key == "url") for key, part in value.items()} if not in_url else {
            key: base + part for key, part in value.items()
        }  # fmt: skip
    if isinstance(value, list):
        return [_with_urls(part, base) for part in value]
    return value


def check_url(url: str) -> str:
    """A URL that may be asked to be called; whether its address may be is asked when it is called. Raises Invalid."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if len(url) > URL_LIMIT or not url.isascii() or not url.isprintable() or " " in url or not parts.hostname:
        raise Invalid("WEBHOOK_URL", "url is not a URL; write one such as https://example.org/hook")
    if parts.scheme not in ("http", "https") or parts.username is not None or parts.fragment:
        raise Invalid("WEBHOOK_URL", "url must begin with https:// or http:// and have no user name and no fragment")
    return url
