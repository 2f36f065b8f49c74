"""One Space: what it is, how it runs, and the commands that change its wish (hub-api reference 2.8, 3.1-3.3, 3.6)."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from orchestrator.api import hardware_views, repo_views, views
from orchestrator.api.cardtags import texts
from orchestrator.api.expand import expandable
from orchestrator.api.fresh import fresh
from orchestrator.api.identity import CallerDep, PartsDep, SignedInDep
from orchestrator.api.params import Body, ChangeableDep, Segment, SpaceDep, listed
from orchestrator.api.show import shown
from orchestrator.domain.records import Space
from orchestrator.domain.repo import RepoKind
from orchestrator.errors import repo_not_found

router = APIRouter(tags=["spaces"])
reserved = APIRouter(tags=["spaces"])  #: words in the place of an owner; routed first

EXPANDABLE = Depends(expandable(RepoKind.SPACE))
SPACE = "/api/spaces/{owner}/{name}"


class SleepTime(Body):
    seconds: float = Field(description="without use until it sleeps; -1: never")


class ReplicasWish(Body):
    replicas: int = Field(description="equal copies of the app; 1 unless it needs more")


class HardwareWish(Body):
    flavor: str
    sleep_seconds: float | None = Field(None, alias="sleepTimeSeconds")
    note: str = Field("", description="why, for the admin who decides")
    goes_first: bool | None = Field(
        None, alias="goesFirst", description="the old instance leaves at once, rather than serving until there is room"
    )


class Embedding(Body):
    origins: Annotated[list[Annotated[str, Field(max_length=400)]], Field(max_length=100)] | None = Field(
        description="each a scheme and a host, with *. for all below it; []: this console alone; null: any"
    )


def _runtime(parts, space: Space) -> views.Json:
    return views.runtime(fresh(space, parts.queue.look(space)), parts.app_url(space.label))


def _asked(parts, space: Space) -> views.Json:
    """The last request for hardware, for those who may change the Space."""
    request = parts.allotment.requests.latest(space)
    return {"hardwareRequest": hardware_views.hardware_request(request, space) if request else None}


@reserved.get("/api/spaces/hardware")
def catalogue(parts: PartsDep):
    return [hardware_views.hardware(flavor) for flavor in parts.allotment.flavors.values()]


@reserved.get("/api/spaces/templates")
def templates(caller: CallerDep, parts: PartsDep):
    """Spaces to begin others with: public ones whose cards have the tag `template`."""
    found = [one for one in parts.spaces.list(caller, limit=1000) if not one.code_private]
    return {"templates": [views.template(one) for one in found if "template" in texts(one.card.get("tags"))]}


@reserved.get("/api/spaces/zero-gpu/quota")
def quota(caller: SignedInDep):
    """There is no shared GPU pool here, so there is nothing to use up."""
    return {"base": 0, "current": 0}


@reserved.get("/api/spaces/by-subdomain/{label}")
def by_subdomain(label: Segment, caller: CallerDep, parts: PartsDep):
    space = parts.spaces.by_label(caller, label.lower()[:100])
    return repo_views.repo(shown(parts, caller, space), True)


@router.get(SPACE, dependencies=[EXPANDABLE])
def info(request: Request, space: SpaceDep, caller: CallerDep, parts: PartsDep, blobs: bool = False):
    """The Space at the head of main. `expand`: only these keys; `blobs`: with sizes and object ids of files."""
    now = fresh(space, parts.queue.look(space))
    return repo_views.repo(shown(parts, caller, now, None, blobs), True, listed(request, "expand"))


@router.get(SPACE + "/revision/{revision}", dependencies=[EXPANDABLE])
def info_at(
    request: Request, space: SpaceDep, revision: Segment, caller: CallerDep, parts: PartsDep, blobs: bool = False
):
    now = fresh(space, parts.queue.look(space))
    return repo_views.repo(shown(parts, caller, now, revision, blobs), True, listed(request, "expand"))


@router.get("/api/spaces/{name}", include_in_schema=False)
def single_segment(name: str):
    """An id without an owner names nothing here."""
    raise repo_not_found()


@router.get(SPACE + "/host")
def host(space: SpaceDep, parts: PartsDep):
    return {"subdomain": space.label, "host": parts.app_url(space.label)}


@router.get(SPACE + "/runtime")
def runtime(space: SpaceDep, parts: PartsDep):
    return _runtime(parts, space)


@router.post(SPACE + "/pause")
def pause(space: ChangeableDep, caller: CallerDep, parts: PartsDep):
    return _runtime(parts, parts.spaces.pause(caller, space))


@router.post(SPACE + "/restart")
def restart(space: ChangeableDep, caller: CallerDep, parts: PartsDep, factory: bool = False):
    """Start again, also when paused or asleep. `factory`: build again from nothing."""
    return _runtime(parts, parts.spaces.restart(caller, space, factory))


@router.post(SPACE + "/sleeptime")
def sleep_time(body: SleepTime, space: ChangeableDep, caller: CallerDep, parts: PartsDep):
    return _runtime(parts, parts.spaces.set_sleep(caller, space, body.seconds))


@router.post(SPACE + "/replicas")
def set_replicas(body: ReplicasWish, space: ChangeableDep, caller: CallerDep, parts: PartsDep):
    """Have so many equal copies of the app; those that run go on. Each visitor stays with one of them."""
    return _runtime(parts, parts.allotment.replicas.set(caller, space, body.replicas))


@router.post(SPACE + "/freeze")
def freeze(space: ChangeableDep, caller: CallerDep, parts: PartsDep):
    """From now on what is pushed to main is stored and waits; what runs stays, and `rollback` works."""
    return _runtime(parts, parts.spaces.freeze(caller, space))


@router.post(SPACE + "/thaw")
def thaw(space: ChangeableDep, caller: CallerDep, parts: PartsDep):
    """Main's newest commit is deployed, if it waited."""
    return _runtime(parts, parts.spaces.thaw(caller, space))


@router.get(SPACE + "/embedding")
def embedding(space: ChangeableDep):
    """Which sites may show the app in a frame, by origin; null: any."""
    return {"origins": space.embed_origins}


@router.put(SPACE + "/embedding")
def set_embedding(body: Embedding, space: ChangeableDep, caller: CallerDep, parts: PartsDep):
    return embedding(parts.spaces.set_embedding(caller, space, body.origins))


@router.get(SPACE + "/hardware")
def hardware(space: SpaceDep, parts: PartsDep):
    return _runtime(parts, space)["hardware"]


@router.post(SPACE + "/hardware")
def ask_hardware(body: HardwareWish, space: ChangeableDep, caller: CallerDep, parts: PartsDep):
    """Move the Space to this flavour, or ask for it where an admin must decide: then the flavour that is `requested` in the
    answer is not the `current` one, and `hardwareRequest` tells more."""
    asked = parts.allotment.requests.choose(caller, space, body.flavor, body.note, body.sleep_seconds)
    if body.goes_first is not None and body.goes_first != asked.wish.goes_first:
        asked = parts.allotment.requests.set_goes_first(caller, asked, body.goes_first)
    return _runtime(parts, asked) | _asked(parts, asked)


@router.get(SPACE + "/jwt")
def ticket(
    space: SpaceDep,
    caller: SignedInDep,
    parts: PartsDep,
    expiration: Annotated[str | None, Query(max_length=40)] = None,
):
    """A token that lets the caller into the app of a private Space (`?__sign=`), good for a minute whatever is asked for."""
    app = parts.app_url(space.label).partition("://")[2]
    return {"token": parts.signing.ticket(space, app.partition(":")[0], caller.name)}
