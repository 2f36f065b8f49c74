"""For Podium's own processes: the route feed, reports of use, questions about tokens; and for whoever watches over them:
/healthz, /readyz and /internal/metrics. Everything below /internal takes the feed token and nothing else; the gateway never
forwards there."""

import hmac
import json
import logging
import re
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header
from fastapi.responses import JSONResponse, Response, StreamingResponse

from orchestrator.api.identity import PartsDep
from orchestrator.api.metrics import TYPE, exposition
from orchestrator.api.params import OpenBody
from orchestrator.domain.caller import role_on
from orchestrator.domain.space import Role
from orchestrator.errors import NotFound, PodiumError, Unauthorized, Unavailable

log = logging.getLogger(__name__)
_NAME = re.compile(r"[A-Za-z0-9._:-]{1,90}")
router = APIRouter(include_in_schema=False)


def trusted(parts: PartsDep, authorization: Annotated[str, Header()] = "") -> None:
    """Raises NotFound: who has no key shall not learn that there is a door."""
    wanted = f"Bearer {parts.signing.feed_token}"
    if not hmac.compare_digest(authorization.encode("utf-8", "replace"), wanted.encode()):
        raise NotFound("NOT_FOUND", "There is nothing at this address.")


internal = APIRouter(prefix="/internal", include_in_schema=False, dependencies=[Depends(trusted)])


class Activity(OpenBody):
    used: dict[str, float] = {}
    wake: list[str] = []


class Visits(OpenBody):
    at: float
    spaces: dict[str, list[int | str]]


class Question(OpenBody):
    token: str
    space: str


@internal.get("/feed")
async def feed(
    parts: PartsDep,
    name: Annotated[str, Header(alias="x-podium-gateway")] = "",
    agent: Annotated[str, Header(alias="user-agent")] = "",
):
    """Routes as NDJSON, until the database goes away (services/routes.py): the gateway asks again, and serves what it knows."""
    known = _NAME.fullmatch(name)  # one of an older release tells no name
    messages = parts.feed.messages(
        name if known else "of an older version", agent.rpartition("/")[2][:40] if known else ""
    )
    first = await anext(messages)  # so that a database that is away already is a 503, not a feed that breaks off

    async def lines() -> AsyncIterator[bytes]:
        try:
            yield json.dumps(first).encode() + b"\n"
            async for message in messages:
                yield json.dumps(message).encode() + b"\n"
        except Unavailable as error:
            log.warning("the route feed ends: %s", error)
        finally:
            await messages.aclose()

    return StreamingResponse(lines(), media_type="application/x-ndjson")


@internal.post("/activity")
def activity(body: Activity, parts: PartsDep):
    parts.spaces.used(body.used, body.wake)
    return {}


@internal.post("/visits")
def visits(body: Visits, parts: PartsDep):
    parts.visits.report(body.at, body.spaces)
    return {}


@internal.post("/authorize")
def authorize(body: Question, parts: PartsDep):
    """May the holder of this token see the app of this Space (by id)?"""
    space = parts.spaces.get(body.space)
    try:
        caller = parts.accounts.caller(f"Bearer {body.token}")
    except Unauthorized:
        return {"allowed": False, "user": ""}
    allowed = space is not None and not space.wish.deleted and role_on(caller, space) >= Role.READ
    return {"allowed": allowed, "user": caller.name if allowed else ""}


@internal.get("/metrics")
def metrics(parts: PartsDep):
    """For a Prometheus that was given the feed token."""
    waiting = len(parts.allotment.capacity.queue())
    numbers = parts.spaces.by_stage(), parts.queue.open(), waiting
    return Response(exposition(parts.version, parts.ready(), *numbers), media_type=TYPE)


@router.get("/healthz")
async def healthz():
    """This process is alive."""
    return {"ok": True}


@router.get("/readyz")
def readyz(parts: PartsDep):
    """The database answers and the reconciler comes round; 503 with what does not."""
    try:
        parts.spaces.get("")
        missing = parts.ready()
    except PodiumError as error:
        missing = [str(error)]
    return JSONResponse({"ok": not missing, "missing": missing, "version": parts.version}, 503 if missing else 200)
