"""Discussions and pull requests of a repo: their values, and the rules about titles, texts and statuses. Pure. A pull request is
a discussion with a ref `refs/pr/{num}`; both share one numbering."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from orchestrator.domain.push import printable
from orchestrator.errors import Conflict, Invalid

TITLE_MIN, TITLE_MAX = 3, 200
TEXT_LIMIT = 64 * 1024  #: characters of one comment
EDITS_KEPT = 20
_PR = re.compile(r"refs/pr/([1-9][0-9]{0,8})", re.ASCII)


class Status(StrEnum):
    OPEN = "open"
    DRAFT = "draft"
    CLOSED = "closed"
    MERGED = "merged"


LIVE = (Status.OPEN, Status.DRAFT)


@dataclass(frozen=True, slots=True)
class Discussion:
    """`base`: the ref that a pull request wants to change, `base_oid` its commit when it was merged. `author`: a name, looked
    up; "" for a user who is gone."""

    repo_id: str
    num: int
    id: str
    title: str
    status: Status
    is_pull_request: bool
    author_id: str
    created_at: float
    updated_at: float = 0.0
    base: str = ""
    base_oid: str = ""
    merge_commit: str = ""
    comments: int = 0
    author: str = ""

    @property
    def ref(self) -> str:
        return pr_ref(self.num)

    @property
    def is_live(self) -> bool:
        return self.status in LIVE


@dataclass(frozen=True, slots=True)
class Happening:
    """One entry of a discussion: comment | status-change | title-change | commit (those are read from git)."""

    id: str
    repo_id: str
    num: int
    type: str
    author_id: str
    created_at: float
    data: dict[str, Any] = field(default_factory=dict)
    author: str = ""


def pr_ref(num: int) -> str:
    return f"refs/pr/{num}"


def pr_number(ref: str) -> int | None:
    """The pull request that a ref belongs to."""
    found = _PR.fullmatch(ref)
    return int(found[1]) if found else None


def check_title(title: str) -> str:
    """The title without spaces around it. Raises Invalid `DISCUSSION_TITLE`."""
    title = " ".join(title.split())
    if not TITLE_MIN <= len(title) <= TITLE_MAX:
        raise Invalid(
            "DISCUSSION_TITLE", f"a title has {TITLE_MIN} to {TITLE_MAX} characters, this one has {len(title)}"
        )
    return title


def check_text(text: str) -> str:
    """Raises Invalid `DISCUSSION_TEXT`."""
    if not text.strip():
        raise Invalid("DISCUSSION_TEXT", "the comment is empty; write something")
    if len(text) > TEXT_LIMIT:
        raise Invalid("DISCUSSION_TEXT", f"a comment has at most {TEXT_LIMIT} characters, this one has {len(text)}")
    return text


def next_status(one: Discussion, wanted: str) -> Status:
    """Raises Invalid `DISCUSSION_STATUS` for a word that cannot be chosen, Conflict for a step that cannot be taken."""
    choices = [Status.OPEN, Status.CLOSED, *([Status.DRAFT] if one.is_pull_request else [])]
    if wanted not in choices:
        shown = printable(wanted, 40)
        raise Invalid("DISCUSSION_STATUS", f"status is {shown!r}; write {' or '.join(choices)}")
    if one.status is Status.MERGED:
        raise Conflict("DISCUSSION_MERGED", f"pull request {one.num} has been merged; its status stays")
    return Status(wanted)


def comment_data(text: str, at: float, author_id: str) -> dict[str, Any]:
    return {"edited": False, "hidden": False, "raw": text, "at": at, "by": author_id, "history": []}


def edited(data: dict[str, Any], text: str, at: float, author_id: str) -> dict[str, Any]:
    """A comment with a new text, its old one kept. Raises Conflict when it is hidden."""
    if data["hidden"]:
        raise Conflict("COMMENT_HIDDEN", "this comment is hidden; a hidden comment cannot be edited")
    before = {"raw": data["raw"], "at": data["at"], "by": data["by"]}
    return data | {
        "edited": True, "raw": text, "at": at, "by": author_id, "history": [*data["history"], before][-EDITS_KEPT:],
    }  # fmt: skip


def hidden(data: dict[str, Any], at: float, author_id: str) -> dict[str, Any]:
    """A comment whose text is gone for good."""
    return data | {"hidden": True, "raw": "", "at": at, "by": author_id, "history": []}


def merge_message(one: Discussion, commits: "list[tuple[str, str]]") -> str:
    """Of the commit that a merge makes. `commits`: (id, title) of what it brings, oldest first."""
    listed = "\n".join(f"- {title[:200]} ({oid})" for oid, title in commits[:200])
    return f"{one.title} (#{one.num})\n\n{listed}".strip()
