"""What the caller was told and is asked: notifications in the Hub's shape (its OpenAPI document, /api/notifications; clients have
no calls for them), and invitations, for which the paths are Podium's own. `discussionIds` may hold the ids of notifications, too:
here not all of them are about a discussion."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from orchestrator.api.identity import BaseDep, PartsDep, SignedInDep
from orchestrator.api.params import Body, Segment
from orchestrator.api.views import Json, iso
from orchestrator.domain.invitation import Offer
from orchestrator.domain.notification import KINDS, Notification
from orchestrator.errors import Invalid

router = APIRouter(tags=["notifications"])
_PAGE = 25
_PAGES = 40  #: nobody has more
Which = Annotated[list[Annotated[str, Field(max_length=80)]] | None, Field(alias="discussionIds", max_length=1000)]
ReadStatus = Annotated[Literal["all", "unread"], Query(alias="readStatus")]
ApplyToAll = Annotated[bool, Query(alias="applyToAll")]


class Marked(Body):
    discussion_ids: Which = None
    read: bool = True


class Dropped(Body):
    discussion_ids: Which = None


class Choice(Body):
    notifications: dict[str, bool] = Field(description=f"by kind, what to be told of: {', '.join(KINDS)}")


@router.get("/api/notifications")
def notifications(
    caller: SignedInDep,
    parts: PartsDep,
    base: BaseDep,
    p: Annotated[int, Query(ge=0, le=_PAGES)] = 0,
    read_status: ReadStatus = "all",
):
    """Newest first, in pages counted from 0."""
    inbox, only = parts.notifications, read_status == "unread"
    unread, everything = inbox.counts(caller)
    found = inbox.list(caller, unread=only, skip=p * _PAGE, limit=_PAGE)
    return {
        "count": {"view": unread if only else everything, "unread": unread, "all": everything},
        "start": p * _PAGE,
        "notifications": [_shown(one, base) for one in found],
    }


@router.post("/api/notifications/mark-as-read")
def mark(caller: SignedInDep, parts: PartsDep, body: Marked | None = None, apply_to_all: ApplyToAll = False):
    """Read, or unread: those that are named, or all."""
    body = body or Marked()
    parts.notifications.mark(caller, _which(body.discussion_ids, apply_to_all, default=True), body.read)
    return {"success": True}


@router.delete("/api/notifications")
def drop(
    caller: SignedInDep,
    parts: PartsDep,
    body: Dropped | None = None,
    apply_to_all: ApplyToAll = False,
    read_status: ReadStatus = "all",
):
    """Forget those that are named, or with `applyToAll` all."""
    which = _which(body.discussion_ids if body else None, apply_to_all, default=False)
    parts.notifications.drop(caller, which, unread=read_status == "unread")
    return {"success": True}


@router.get("/api/settings/notifications")
def chosen(caller: SignedInDep, parts: PartsDep):
    """What the caller is told of, by kind."""
    told = parts.notifications.chosen(caller)
    return {"notifications": {kind: kind in told for kind in KINDS}}


@router.patch("/api/settings/notifications")
def choose(body: Choice, caller: SignedInDep, parts: PartsDep):
    """Kinds that are left out stay as they are."""
    told = {kind for kind in parts.notifications.chosen(caller) if body.notifications.get(kind, True)}
    parts.notifications.choose(caller, told | {kind for kind, wanted in body.notifications.items() if wanted})
    return chosen(caller, parts)


# --------------------------------------------------------------------------------------------------------- invitations


@router.get("/api/invitations")
def invitations(caller: SignedInDep, parts: PartsDep):
    """Those that the caller has not answered, newest first."""
    return [_offered(one) for one in parts.invitations.mine(caller)]


@router.post("/api/invitations/{invitation_id}/accept")
def accept(invitation_id: Segment, caller: SignedInDep, parts: PartsDep):
    """Become a member."""
    return _offered(parts.invitations.answer(caller, invitation_id, True))


@router.post("/api/invitations/{invitation_id}/decline")
def decline(invitation_id: Segment, caller: SignedInDep, parts: PartsDep):
    """Become none."""
    return _offered(parts.invitations.answer(caller, invitation_id, False))


def _which(named: list[str] | None, everything: bool, default: bool) -> list[str] | None:
    """None for all. Raises Invalid `NOTIFICATIONS` when nobody said which."""
    if named:
        return named
    if everything or default:
        return None
    raise Invalid("NOTIFICATIONS", 'say which: "discussionIds" in the body, or ?applyToAll=true')


def _shown(one: Notification, base: str) -> Json:
    """The Hub's word for what happened in a discussion is `repo`."""
    told: dict[str, Any] = dict(one.detail)
    if "discussion" in told:
        told["discussion"] = told["discussion"] | {"participating": []}
    return {
        "id": one.id,
        "type": "repo" if "discussion" in told else one.kind,
        "kind": one.kind,
        "text": one.text,
        "url": base + one.link,
        "actor": one.actor or None,
        "read": one.read_at is not None,
        "updatedAt": iso(one.at),
        **told,
    }


def _offered(one: Offer) -> Json:
    invitation = one.invitation
    return {
        "id": invitation.id,
        "type": one.kind,
        "name": one.name,
        "role": invitation.role.name.lower(),
        "invitedBy": invitation.invited_by,
        "createdAt": iso(invitation.created_at),
        "expiresAt": iso(invitation.expires_at),
    }
