"""Domains of people's own for their Spaces: what to write into DNS, and what was found there. Paths of Podium's own, for the
Hub has none."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field

from orchestrator.api.identity import CallerDep, PartsDep
from orchestrator.api.params import Body, ChangeableDep, Segment
from orchestrator.api.views import Json, iso
from orchestrator.domain.own_domain import DomainState, OwnDomain
from orchestrator.domain.records import Space

router = APIRouter(tags=["domains"])
AT = "/api/spaces/{owner}/{name}/domains"


class NewDomain(Body):
    domain: Annotated[str, Field(max_length=300)] = Field(description="such as demo.example.com")


@router.get(AT)
def domains(space: ChangeableDep, parts: PartsDep):
    """By name."""
    return [_shown(parts, space, one) for one in parts.domains.of(space)]


@router.post(AT)
def add(body: NewDomain, space: ChangeableDep, caller: CallerDep, parts: PartsDep):
    """Ask for a domain. It is served once its TXT record is found, which is looked for by itself and by `check`."""
    return _shown(parts, space, parts.domains.add(caller, space, body.domain))


@router.post(AT + "/{domain}/check")
def check(domain: Segment, space: ChangeableDep, caller: CallerDep, parts: PartsDep):
    """Look at DNS now."""
    return _shown(parts, space, parts.domains.check(caller, space, domain))


@router.delete(AT + "/{domain}", response_class=Response)
def remove(domain: Segment, space: ChangeableDep, caller: CallerDep, parts: PartsDep):
    parts.domains.remove(caller, space, domain)
    return Response(status_code=200)


def _shown(parts, space: Space, one: OwnDomain) -> Json:
    return {
        "domain": one.name,
        "state": one.state.value,
        "served": one.state is DomainState.ACTIVE and not space.private,
        "reason": one.reason,
        "found": one.found,
        "records": [
            {"type": "TXT", "name": one.proof_name, "value": one.proof_value},
            {"type": "CNAME", "name": one.name, "value": parts.domains.home(space.label)},
        ],
        "createdAt": iso(one.created_at),
        "checkedAt": iso(one.checked_at),
        "provenAt": iso(one.proven_at),
    }
