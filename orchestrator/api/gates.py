"""Access to gated models and datasets: ask, and decide (huggingface_hub `hf_api`, "Access requests"; hub-docs, "Gated
models")."""

from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from orchestrator.api import views
from orchestrator.api.identity import BaseDep, PartsDep, SignedInDep
from orchestrator.api.params import Body, RepoDep, cursor_of, is_storable, next_link, time_cursor
from orchestrator.domain.records import AccessRequest, Owner
from orchestrator.errors import Invalid
from orchestrator.services.gates import STATUSES

router = APIRouter(tags=["gates"])
_AT = "/api/{kind}/{owner}/{name}/user-access-request"
_PAGE = 100
_ANSWERS = 50
_ANSWER_LIMIT = 2000  #: characters


class Handled(Body):
    user: str | None = Field(None, max_length=96)
    request_id: str | None = Field(None, alias="requestId", max_length=40)
    user_id: str | None = Field(None, alias="userId", max_length=40)
    status: str
    rejection_reason: str | None = Field(None, alias="rejectionReason", max_length=200)


class Granted(Body):
    user: str | None = Field(None, max_length=96)


async def answers(request: Request) -> dict[str, Any]:
    """What was written into the form of a gate: JSON or a form. Raises Invalid `ANSWERS`."""
    body = await request.body()
    told: object = {}
    try:
        if request.headers.get("content-type", "").startswith("application/json"):
            told = await request.json() if body.strip() else {}
        elif body:
            told = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_ANSWERS))
    except (ValueError, RecursionError):
        told = None
    plain = (str, bool, int, float)
    if not isinstance(told, dict) or len(told) > _ANSWERS or not is_storable(told):
        raise Invalid("ANSWERS", f"send a form or a JSON object with at most {_ANSWERS} answers")
    for key, value in told.items():
        if not isinstance(value, plain) or len(str(value)) > _ANSWER_LIMIT or len(str(key)) > 200:
            raise Invalid(
                "ANSWERS", f"each answer is a text of at most {_ANSWER_LIMIT} characters, a number or a yes or no"
            )
    return told


AnswersDep = Annotated[dict[str, Any], Depends(answers)]


@router.post("/{kind}/{owner}/{name}/ask-access")
@router.post("/api/{kind}/{owner}/{name}/user-access-request/ask")
def ask(repo: RepoDep, caller: SignedInDep, parts: PartsDep, told: AnswersDep):
    """Ask to be let in; where the gate is automatic, that is all."""
    made = parts.gates.ask(caller, repo, told)
    return {"requestId": made.id, "status": made.status, "timestamp": views.iso(made.created_at)}


@router.post(_AT + "/cancel", response_class=Response)
def withdraw(repo: RepoDep, caller: SignedInDep, parts: PartsDep):
    """Take back the caller's own request that nobody decided about."""
    parts.gates.withdraw(caller, repo)
    return Response(status_code=200)


@router.post(_AT + "/handle")
def handle(body: Handled, repo: RepoDep, caller: SignedInDep, parts: PartsDep):
    """Accept, reject, or put back to pending."""
    if (body.user is None) == (body.request_id is None):
        raise Invalid("ACCESS_REQUEST", 'write either "user" or "requestId"')
    parts.gates.decide(caller, repo, body.status, body.user, body.request_id, body.rejection_reason or "")
    return JSONResponse({"status": body.status})


@router.post(_AT + "/grant")
def grant(body: Granted, repo: RepoDep, caller: SignedInDep, parts: PartsDep):
    """Let somebody in who did not ask."""
    if not body.user:
        raise Invalid("ACCESS_REQUEST", 'write the name of a user: "user"')
    parts.gates.grant(caller, repo, body.user)
    return JSONResponse({"status": "accepted"})


@router.get(_AT + "/{status}")
def requests(
    request: Request,
    response: Response,
    repo: RepoDep,
    status: str,
    caller: SignedInDep,
    parts: PartsDep,
    base: BaseDep,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
):
    """Requests of one status, newest first, in pages."""
    if status not in STATUSES:
        raise Invalid("ACCESS_STATUS", f"status is {ascii(status[:40])}; write one of {', '.join(STATUSES)}")
    found = parts.gates.requests(caller, repo, status, _PAGE + 1, time_cursor(cursor))
    if len(found) > _PAGE:
        last = found[_PAGE - 1][0]
        response.headers.update(next_link(request, base, cursor=cursor_of(last.created_at.hex(), last.id)))
    return [_shown(one, user, base) for one, user in found[:_PAGE]]


def _shown(one: AccessRequest, user: Owner, base: str) -> views.Json:
    """Whoever asks shares their e-mail address; whoever was let in without asking does not."""
    who = views.member(user, base)
    if user.email and not one.granted_by:
        who["email"] = user.email
    told: views.Json = {
        "requestId": one.id,
        "status": one.status,
        "timestamp": views.iso(one.created_at),
        "user": who,
    }
    if one.granted_by:
        told["grantedBy"] = {"user": one.granted_by}
    if one.reason:
        told["rejectionReason"] = one.reason
    return told | ({"fields": one.answers} if one.answers else {})
