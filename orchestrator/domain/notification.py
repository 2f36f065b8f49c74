"""What people are told on their page of notifications: the kinds, the sentences, and who is spoken to by name. Pure. Who is told
is `services/audience.py`'s."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.domain.discussions import Discussion, Status
from orchestrator.domain.records import AnyRepo, HardwareRequest, RequestState, Token

#: The kinds that somebody may choose not to be told of, in words.
KINDS: Mapping[str, str] = {
    "invitation": "Invitations to organisations, Spaces, models and datasets",
    "mention": "Somebody writes your name, as @name",
    "discussion": "Discussions and pull requests on what is yours, or where you took part",
    "space": "A build of yours fails, a Space stops working or is taken down",
    "hardware": "Requests for hardware, and quotas that run out",
    "access": "Requests to be let into gated models and datasets",
    "token": "Access tokens that end soon, or were found in a push",
}
KEPT = 90 * 86400.0  #: seconds
MOST = 1000  #: of one user; the oldest go first
MENTIONS = 20  #: names in one text that count
TOKEN_SOON = 7 * 86400.0  #: seconds before its end at which people are told of a token
_TEXT = 400
_CODE = re.compile(r"^(```|~~~)[^\n]*\n.*?^\1|`[^`\n]*`", re.M | re.S)
_MENTION = re.compile(r"(?<![\w@/.`-])@([A-Za-z0-9][A-Za-z0-9_.-]{0,95})")


@dataclass(frozen=True, slots=True)
class Note:
    """`thread`: what it is about; a later note of the same takes its place, and is unread. `link`: a path below the console's
    URL. `detail`: parts of what the API shows."""

    kind: str
    thread: str
    text: str
    link: str
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notification:
    """A Note as one user has it. `actor`: the name of who did it, "" for Podium itself."""

    id: str
    user_id: str
    kind: str
    thread: str
    text: str
    link: str
    actor: str
    at: float
    detail: dict[str, Any] = field(default_factory=dict)
    read_at: float | None = None


def mentioned(text: str) -> list[str]:
    """The names in a text that are written as @name, outside of code; there may be nobody of that name."""
    found = (name.rstrip(".-_") for name in _MENTION.findall(_CODE.sub(" ", text)))
    return list(dict.fromkeys(name.lower() for name in found))[:MENTIONS]


def of_discussion(repo: AnyRepo, one: Discussion, actor: str, did: str, anchor: str = "") -> Note:
    """`did`: what somebody did to it, such as `opened`."""
    what = "pull request" if one.is_pull_request else "discussion"
    told = {"id": one.id, "num": one.num, "title": one.title, "status": one.status.value}
    detail = _repo(repo) | {"discussion": told | {"isPullRequest": one.is_pull_request}}
    link = f"/{repo.path}/discussions/{one.num}{f'#{anchor}' if anchor else ''}"
    return Note("discussion", one.id, f"{actor} {did} the {what} “{one.title}” in {repo.full_name}", link, detail)


#: What became of a discussion, by its new status.
DID = {Status.CLOSED: "closed", Status.MERGED: "merged", Status.OPEN: "opened again", Status.DRAFT: "made a draft of"}


def as_mention(note: Note, repo: AnyRepo, one: Discussion, actor: str) -> Note:
    text = f"{actor} wrote your name in “{one.title}” in {repo.full_name}"
    return Note("mention", note.thread, text, note.link, note.detail)


def of_build(repo: AnyRepo, number: int, why: str) -> Note:
    text = cut(f"Build {number} of {repo.full_name} failed: {why}")
    return Note("space", f"build:{repo.id}", text, f"/{repo.path}/logs", _repo(repo))


def of_error(repo: AnyRepo, why: str) -> Note:
    text = cut(f"{repo.full_name} stopped working: {why}")
    return Note("space", f"run:{repo.id}", text, f"/{repo.path}/logs", _repo(repo))


def of_take_down(repo: AnyRepo, why: str) -> Note:
    text = cut(f"{repo.full_name} was taken down: {why}")
    return Note("space", f"down:{repo.id}", text, f"/{repo.path}", _repo(repo))


def of_request(repo: AnyRepo, request: HardwareRequest) -> Note:
    """A request for hardware as it is now: for admins while it waits, then for who asked."""
    thread, name, flavor = f"hardware:{request.id}", repo.full_name, request.flavor
    why = f": {request.reason}" if request.reason else ""
    match request.state:
        case RequestState.APPROVED:
            text, link = f"{name} was given {flavor}{why}", f"/{repo.path}/settings"
        case RequestState.REFUSED:
            text, link = f"{flavor} was refused for {name}{why}", f"/{repo.path}/settings"
        case _:
            note = f": {request.note}" if request.note else ""
            text, link = f"{request.asker} asks for {flavor} for {name}{note}", "/hardware"
    return Note("hardware", thread, cut(text), link, _repo(repo))


def of_quota(owner: str, flavor: str, thread: str, used_up: bool) -> Note:
    which = "all hardware" if flavor == "*" else flavor
    how = "has used up its quota" if used_up else "has used more than 80 % of its quota"
    return Note("hardware", thread, f"{owner} {how} of {which} for this month", "/hardware")


def of_ask(repo: AnyRepo, request_id: str, asker: str) -> Note:
    text = f"{asker} asks to be let into {repo.full_name}"
    return Note("access", f"access:{request_id}", text, f"/{repo.path}/settings#access", _repo(repo))


def of_answer(repo: AnyRepo, request_id: str, let_in: bool, why: str = "") -> Note:
    text = f"You were let into {repo.full_name}" if let_in else f"You were not let into {repo.full_name}"
    return Note("access", f"access:{request_id}", cut(text + (f": {why}" if why else "")), f"/{repo.path}", _repo(repo))


def of_token(token: Token) -> Note:
    ends = time.strftime("%Y-%m-%d", time.gmtime(token.expires_at or 0.0))
    return Note("token", f"token:{token.id}", f"Your access token {token.name} ends on {ends}", "/settings/tokens")


def of_leak(token: Token) -> Note:
    """Says not where: whose token it is may not see the repo."""
    text = f"Somebody pushed your access token {token.name} in a file, so it works no more; make a new one"
    return Note("token", f"leak:{token.id}", text, "/settings/tokens")


def of_invitation(target_id: str, inviter: str, name: str, may: str) -> Note:
    """`name` of what somebody is invited to; `may`: what they could do there, in words."""
    text = f"{inviter} invites you to {name}, where you {may}"
    return Note("invitation", f"invitation:{target_id}", text, "/notifications#invitations")


def cut(text: str) -> str:
    """One line that is not too long."""
    line = " ".join(text.split())
    return line if len(line) <= _TEXT else line[: _TEXT - 1] + "…"


def _repo(repo: AnyRepo) -> dict[str, Any]:
    return {"repo": {"name": repo.full_name, "type": repo.kind.value}}
