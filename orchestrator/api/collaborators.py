"""Members of one repo: single users who may read or write it. Paths of Podium's own, for the Hub has none."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from orchestrator.api import views
from orchestrator.api.identity import BaseDep, PartsDep, SignedInDep
from orchestrator.api.params import Body, RepoDep, Segment
from orchestrator.domain.invitation import Invitation
from orchestrator.domain.records import Collaborator, Owner
from orchestrator.domain.space import Role

router = APIRouter(tags=["collaborators"])
_AT = "/api/{kind}/{owner}/{name}/collaborators"
User = Annotated[Segment, Path(max_length=300)]


class Wanted(Body):
    role: str


@router.get(_AT)
def collaborators(repo: RepoDep, caller: SignedInDep, parts: PartsDep, base: BaseDep):
    """By name, for those who may change the repo; after them those who are invited and have not answered. Members of its
    organisation are not among them."""
    members, invited = parts.collaborators.of(caller, repo), parts.collaborators.invited(caller, repo)
    return [_shown(one, user, base) for one, user in (*members, *invited)]


@router.put(_AT + "/{user}")
def put(user: User, body: Wanted, repo: RepoDep, caller: SignedInDep, parts: PartsDep, base: BaseDep):
    """Invite a user to read or write this repo, or change what a member may do; `state` tells which."""
    return _shown(*parts.collaborators.put(caller, repo, user, Role.named(body.role[:40])), base)


@router.delete(_AT + "/{user}", response_class=Response)
def remove(user: User, repo: RepoDep, caller: SignedInDep, parts: PartsDep):
    """A member, or an invitation: by those who own the repo; whoever is a member may leave."""
    parts.collaborators.remove(caller, repo, user)
    return Response(status_code=200)


def _shown(one: Collaborator | Invitation, user: Owner, base: str) -> views.Json:
    told = {"role": one.role.name.lower(), "invitedBy": one.invited_by, "createdAt": views.iso(one.created_at)}
    if isinstance(one, Invitation):
        told |= {"state": "invited", "expiresAt": views.iso(one.expires_at)}
    else:
        told |= {"state": "member"}
    return views.member(user, base) | told
