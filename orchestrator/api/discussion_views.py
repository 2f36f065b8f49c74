"""Discussions as the Hub's JSON (huggingface_hub `community.py`). Pure."""

from collections.abc import Callable

from orchestrator.api.views import Json, avatar_url, iso
from orchestrator.domain.discussions import Discussion, Happening
from orchestrator.domain.records import AnyRepo, Owner
from orchestrator.domain.tree import Commit

Rendered = Callable[[str], str]


def author(name: str, base: str) -> Json:
    """A person by name; one who is gone has none, which clients show as "deleted"."""
    if not name:
        return {}
    picture = avatar_url(base, Owner("", name))
    return {"author": {"name": name, "fullname": name, "type": "user", "avatarUrl": picture}}


def discussion(one: Discussion, repo: AnyRepo, base: str) -> Json:
    return {
        "id": one.id,
        "num": one.num,
        "title": one.title,
        "status": one.status.value,
        "createdAt": iso(one.created_at),
        "updatedAt": iso(one.updated_at),
        "isPullRequest": one.is_pull_request,
        "pinned": False,
        "locked": False,
        "numComments": one.comments,
        "repo": {"name": repo.full_name, "type": repo.kind.value},
        "repoOwner": {"name": repo.owner},
        **author(one.author, base),
    }


def details(one: Discussion, repo: AnyRepo, base: str, events: list[Json]) -> Json:
    told = discussion(one, repo, base) | {"events": events}
    if one.is_pull_request:
        changes = {"base": one.base}
        told["changes"] = changes | ({"mergeCommitId": one.merge_commit} if one.merge_commit else {})
    return told


def happening(one: Happening, base: str, html: Rendered) -> Json:
    data = _comment(one, base, html) if one.type == "comment" else one.data
    return {"id": one.id, "type": one.type, "createdAt": iso(one.created_at), "data": data, **author(one.author, base)}


def _comment(one: Happening, base: str, html: Rendered) -> Json:
    data = one.data
    raw = "This comment has been hidden" if data["hidden"] else data["raw"]
    # Whoever edits or hides is its author or, for hiding, somebody whose name does not matter.
    latest = {"raw": raw, "html": html(raw), "updatedAt": iso(data["at"]), **author(one.author, base)}
    return {
        "edited": data["edited"],
        "hidden": data["hidden"],
        "latest": latest,
        "numEdits": len(data["history"]),
        "history": [{"raw": old["raw"], "updatedAt": iso(old["at"])} for old in data["history"]],
        "reactions": [],
    }


def commit(one: Commit, base: str) -> Json:
    """A commit of a pull request as an event. Whoever wrote it is named in git, and may be nobody here."""
    return {
        "id": one.id[:24],
        "type": "commit",
        "createdAt": iso(one.at),
        "data": {"subject": one.title, "oid": one.id},
        **author(one.authors[0] if one.authors else "", base),
    }
